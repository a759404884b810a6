"""The buttons above the sections: undo and redo, what is done most, screenshot."""

from __future__ import annotations

from operator import attrgetter

import dearpygui.dearpygui as dpg

from ...keymap import KEYMAP, help_rows
from ...verbs import Call, Mode
from ..controls import IconButton
from ..kit import Kit, View
from ..style import Icon

PAUSE = "Let the world stand still, or go on"
AUTOPILOT = "drive.toggle_autopilot"
RANDOM = "Two new identities"
NO_SEEDS = "This model has no seeds to change"
SCREENSHOT: dict[Mode, str] = {
    "generator": "Screenshot, rendered exactly. It carries the whole view: open it to come back.",
    "drive": "Screenshot of the picture as it is shown. It carries town and settings: open it to come back.",
}


def with_key(text: str, verb: str, mode: Mode | None = None) -> str:
    """`text` with the view window's key for the same action, from the table that the window reads too."""
    rows = help_rows(mode) if mode else KEYMAP
    caps = next((row.shown for row in rows if Call(verb) in row.keys.values()), ())
    keys = [cap for cap in caps if "click" not in cap]
    return f"{text}\nKey in the view: {' or '.join(keys)}" if keys else text


class Toolbar:
    """What a person reaches for all the time; always in sight, never scrolled away."""

    def __init__(self, kit: Kit) -> None:
        self._mode: Mode = "generator"
        do = kit.context.actions

        def button(label: str, tip: str, verb: str, width: int = 32) -> IconButton:
            # Looked up when it is pressed; a method's own arguments stay at their defaults.
            return IconButton(
                kit, label, with_key(tip, verb), lambda: attrgetter(verb)(do)(), tag=f"action.{verb}", width=width
            )

        with dpg.group(horizontal=True, horizontal_spacing=kit.px(4)):
            self.undo = button(Icon.UNDO, "Nothing to undo", "undo")
            self.redo = button(Icon.REDO, "Nothing to redo", "redo")
            with dpg.group(horizontal=True, horizontal_spacing=kit.px(4)) as self.generator:
                button(Icon.FOCUS, "Camera back to the model's first view", "reset_camera")
                button(Icon.RESET, "Camera, identity and output back to their defaults", "reset_all")
                self.random = button(f"{Icon.DICE}  Random", RANDOM, "random_seeds", 88)
                self.animate = button(
                    f"{Icon.PLAY}  Animate", "Sway the camera; press again to stop", "toggle_animation", 96
                )
            with dpg.group(horizontal=True, horizontal_spacing=kit.px(4), show=False) as self.driving:
                button(Icon.RESET, "Back onto the road", "drive.reset")
                self.pause = button(f"{Icon.PAUSE}  Pause", PAUSE, "drive.toggle_pause", 80)
                self.step = button("Step", "One step of a paused world", "drive.single_step", 48)
                self.autopilot = button("Autopilot", "Let the engine drive; again to take the wheel", AUTOPILOT, 84)
            self.camera = button(Icon.CAMERA, SCREENSHOT["generator"], "screenshot", -1)

    def refresh(self, view: View) -> None:
        for button, label, verb in ((self.undo, view.can_undo, "undo"), (self.redo, view.can_redo, "redo")):
            said = f"{verb.capitalize()}: {label}" if label else f"Nothing to {verb}"
            button.show(enabled=label is not None, tip=with_key(said, verb))
        if view.state.drive is not None:
            self._refresh_drive(view)
        if view.mode != self._mode:
            self._mode = view.mode
            dpg.configure_item(self.generator, show=view.mode == "generator")
            dpg.configure_item(self.driving, show=view.mode == "drive")
            self.camera.show(tip=with_key(SCREENSHOT[view.mode], "screenshot", view.mode))
        has_latent = view.info is not None and bool(view.info.layer_names)
        self.random.show(enabled=has_latent, tip=with_key(RANDOM, "random_seeds") if has_latent else NO_SEEDS)
        icon, word = (Icon.PAUSE, "Stop") if view.animating else (Icon.PLAY, "Animate")
        self.animate.show(label=f"{icon}  {word}", lit=view.animating)

    def _refresh_drive(self, view: View) -> None:
        status = view.status.drive
        connection = status.connection if status else "starting"
        stands = connection in ("paused", "lost")
        icon, word = (Icon.PLAY, "Go on") if stands else (Icon.PAUSE, "Pause")
        self.pause.show(label=f"{icon}  {word}", lit=stands, enabled=connection != "starting")
        self.step.show(enabled=connection in ("running", "paused"))
        alone = status is not None and status.autopilot
        self.autopilot.show(lit=alone, enabled=connection == "running")

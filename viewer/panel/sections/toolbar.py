"""The buttons above the sections: undo and redo, reset, random, animate, screenshot."""

from __future__ import annotations

import dearpygui.dearpygui as dpg

from ...keymap import KEYMAP, Call
from ..controls import IconButton
from ..kit import Kit, View
from ..style import Icon

RANDOM = "Two new identities"
NO_SEEDS = "This model has no seeds to change"
SCREENSHOT = "Screenshot, rendered exactly. It carries the whole view: open it to come back."


def with_key(text: str, verb: str) -> str:
    """`text` with the view window's key for the same action, from the table that the window reads too."""
    caps = next((row.shown for row in KEYMAP if Call(verb) in row.keys.values()), ())
    keys = [cap for cap in caps if "click" not in cap]
    return f"{text}\nKey in the view: {' or '.join(keys)}" if keys else text


class Toolbar:
    """What a person reaches for all the time; always in sight, never scrolled away."""

    def __init__(self, kit: Kit) -> None:
        do = kit.context.actions

        def button(label: str, tip: str, verb: str, width: int = 32) -> IconButton:
            # Looked up when it is pressed; a method's own arguments stay at their defaults.
            return IconButton(
                kit, label, with_key(tip, verb), lambda: getattr(do, verb)(), tag=f"action.{verb}", width=width
            )

        with dpg.group(horizontal=True, horizontal_spacing=kit.px(4)):
            self.undo = button(Icon.UNDO, "Nothing to undo", "undo")
            self.redo = button(Icon.REDO, "Nothing to redo", "redo")
            button(Icon.FOCUS, "Camera back to the model's first view", "reset_camera")
            button(Icon.RESET, "Camera, identity and output back to their defaults", "reset_all")
            self.random = button(f"{Icon.DICE}  Random", RANDOM, "random_seeds", 88)
            self.animate = button(
                f"{Icon.PLAY}  Animate", "Sway the camera; press again to stop", "toggle_animation", 96
            )
            button(Icon.CAMERA, SCREENSHOT, "screenshot", -1)

    def refresh(self, view: View) -> None:
        for button, label, verb in ((self.undo, view.can_undo, "undo"), (self.redo, view.can_redo, "redo")):
            said = f"{verb.capitalize()}: {label}" if label else f"Nothing to {verb}"
            button.show(enabled=label is not None, tip=with_key(said, verb))
        has_latent = view.info is not None and bool(view.info.layer_names)
        self.random.show(enabled=has_latent, tip=with_key(RANDOM, "random_seeds") if has_latent else NO_SEEDS)
        icon, word = (Icon.PAUSE, "Stop") if view.animating else (Icon.PLAY, "Animate")
        self.animate.show(label=f"{icon}  {word}", lit=view.animating)

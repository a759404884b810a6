"""The cameras of the training pictures: one to choose, its neighbours, and a flight past all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import dearpygui.dearpygui as dpg

from ....engine.camera import pose_at
from ....models.base import Pose
from ..kit import Kit, View
from ..style import Icon
from .toolbar import with_key

FREE = "free"
"""Shown where the camera stands at none of them."""
HELP = "Where the training pictures were taken from: the views that the model knows best."


class PoseRow:
    """A drop-down with the pictures' names, previous, next, Fly; shown only where the cameras are known."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self._poses: tuple[Pose, ...] = ()
        self._names: list[str] = []
        self._flying = False
        do = kit.context.actions
        with dpg.group(show=False, tag="camera.poses") as self.body, kit.row("Training camera", HELP):
            self.combo = dpg.add_combo(
                [], width=-kit.px(_WIDTH), tag="camera.pose", callback=lambda _, name, __: self._choose(name)
            )
            for label, tip, verb in (
                ("‹", "The training camera before; from a free view the nearest one", "previous_pose"),
                ("›", "The next training camera; from a free view the nearest one", "next_pose"),
            ):
                button = dpg.add_button(
                    label=label,
                    width=kit.px(_STEP),
                    tag=f"action.{verb}",
                    callback=lambda *_, verb=verb: getattr(do, verb)(),
                )
                dpg.bind_item_theme(button, kit.style.icon)
                kit.tip(button, with_key(tip, verb))
            self.fly = dpg.add_button(width=-1, tag="action.toggle_flight", callback=lambda *_: do.toggle_flight())
        kit.tip(self.combo, HELP)
        kit.tip(self.fly, with_key("Fly from one to the next; any movement of the camera ends it", "toggle_flight"))
        self._show_flight(False)

    def refresh(self, view: View) -> None:
        poses = view.info.poses if view.info else ()
        if poses != self._poses:
            self._poses, self._names = poses, distinct(pose.name for pose in poses)
            dpg.configure_item(self.combo, items=self._names)
            dpg.configure_item(self.body, show=bool(poses))
        if not poses:
            return
        at = pose_at(view.state.camera, poses)
        name = FREE if at is None else self._names[at]
        if dpg.get_value(self.combo) != name:
            dpg.set_value(self.combo, name)
        if view.flying != self._flying:
            self._show_flight(view.flying)

    def _show_flight(self, flying: bool) -> None:
        self._flying = flying
        dpg.configure_item(self.fly, label=f"{Icon.PAUSE}  Stop" if flying else f"{Icon.PLAY}  Fly")
        dpg.bind_item_theme(self.fly, self.kit.style.accent if flying else self.kit.style.icon)

    def _choose(self, name: str) -> None:
        if name in self._names:
            self.kit.context.actions.go_to_pose(self._names.index(name))


_STEP, _FLY = 24, 64
_WIDTH = 2 * _STEP + _FLY + 3 * 4
"""What the buttons and the gaps before them leave the drop-down less."""


def distinct(names: Iterable[str]) -> list[str]:
    """The names, numbered where several pictures in different folders share one."""
    found: dict[str, None] = {}
    seen = Counter[str]()
    for name in names:
        label = name
        while label in found:  # once, but for a picture that is itself called 'x (2)'
            seen[name] += 1
            label = f"{name} ({seen[name] + 1})"
        found[label] = None
    return list(found)

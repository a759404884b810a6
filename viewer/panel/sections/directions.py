"""Named directions of the open model: a slider each, in standard deviations."""

from __future__ import annotations

import dearpygui.dearpygui as dpg

from ..controls import SliderRow
from ..fields import direction_field, with_latents
from ..kit import Kit, View

FIRST = 5
"""Directions that are seen at once; models come with dozens."""


class DirectionsSection:
    """Built anew when a model with other directions is opened; hidden where there are none."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self._names: tuple[str, ...] = ()
        self.rows: list[SliderRow] = []
        with dpg.group(show=False) as self.group, kit.card("Directions", tag="section.directions") as self.body:
            self.rest = dpg.add_button(
                label="All back to 0", width=-1, tag="directions.reset", callback=lambda *_: self._reset()
            )
            dpg.bind_item_theme(self.rest, kit.style.segment)
            kit.tip(self.rest, "The identity as its seeds make it.")
            self.list = dpg.add_group()
            with kit.fold("More directions", "Click to fold or unfold.", tag="directions.more") as self.more:
                pass

    def refresh(self, view: View) -> None:
        names = view.info.directions if view.info is not None else ()
        if names != self._names:
            self._names = names
            dpg.configure_item(self.group, show=bool(names))
            self._build(names)
        if not names or not dpg.is_item_shown(self.body):
            return
        dpg.configure_item(self.rest, show=bool(view.state.latents.directions))
        unfolded = dpg.is_item_shown(self.more)
        for row in self.rows if unfolded else self.rows[:FIRST]:
            row.refresh(view)

    def _build(self, names: tuple[str, ...]) -> None:
        self.rows = []
        for group, part in ((self.list, names[:FIRST]), (self.more, names[FIRST:])):
            dpg.delete_item(group, children_only=True)
            dpg.push_container_stack(group)
            try:
                self.rows += [SliderRow(self.kit, direction_field(name)) for name in part]
            finally:
                dpg.pop_container_stack()
        dpg.configure_item("directions.more.fold", show=len(names) > FIRST)

    def _reset(self) -> None:
        self.kit.publish(lambda state: with_latents(state, directions=()), "Directions to 0")

"""Choices that only the open model has: which weights, which training camera's preset."""

from __future__ import annotations

from functools import partial

import dearpygui.dearpygui as dpg

from ....engine.state import with_option
from ....models.base import Option
from ..controls import combo_row
from ..kit import Kit, View
from ..style import Item


class OptionRows:
    """One drop-down a choice; built anew when a model with other choices is opened."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self._combos: dict[Option, Item] = {}
        self.body = dpg.add_group()

    def refresh(self, view: View) -> None:
        offered = view.info.options if view.info else ()
        if offered != tuple(self._combos):
            self._build(offered)
        chosen = dict(view.state.options)
        for option, combo in self._combos.items():
            choice = chosen.get(option.name, option.default)
            if dpg.get_value(combo) != choice:
                dpg.set_value(combo, choice)

    def _build(self, offered: tuple[Option, ...]) -> None:
        dpg.delete_item(self.body, children_only=True)
        self._combos = {}
        dpg.push_container_stack(self.body)
        try:
            if offered:
                dpg.add_spacer(height=0)  # a breath below the model's description
            for option in offered:
                combo = combo_row(
                    self.kit,
                    option.label,
                    option.help or option.label,
                    partial(self._choose, option),
                    tag=f"model.option.{option.name}",
                )
                dpg.configure_item(combo, items=list(option.choices))
                self._combos[option] = combo
        finally:
            dpg.pop_container_stack()

    def _choose(self, option: Option, choice: str) -> None:
        self.kit.publish(lambda state: with_option(state, option, choice), option.label)

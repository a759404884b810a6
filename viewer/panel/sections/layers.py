"""A mix of its own for each layer, under an expander: what each layer of the generator is responsible for."""

from __future__ import annotations

import dearpygui.dearpygui as dpg

from ..controls import SliderRow
from ..fields import layer_field, with_latents
from ..kit import Kit, View


class LayerMix:
    """One slider a layer; built anew when a model with other layers is opened."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self._built: tuple[object, ...] = ()
        self.rows: list[SliderRow] = []
        with kit.fold(
            "Mix single layers",
            "Early layers decide pose and shape, middle ones features, late ones colour. "
            "Layers follow the two sliders above until you move them.",
            tag="layers",
        ) as self.node:
            self.follow = dpg.add_button(
                label="Let all follow", width=-1, tag="layers.follow", callback=lambda *_: self._follow_all()
            )
            dpg.bind_item_theme(self.follow, kit.style.segment)
            kit.tip(self.follow, "Forget every single-layer mix.")
            self.body = dpg.add_group()

    def refresh(self, view: View) -> None:
        if view.info is None:
            return
        built = (view.info.layer_names, view.info.geometry_layers)
        if built != self._built:
            self._built = built
            self._build(view)
        if dpg.is_item_shown(self.node):  # folded away, nobody sees them
            for row in self.rows:
                row.refresh(view)
        dpg.configure_item(self.follow, show=any(m is not None for m in view.state.latents.layer_mix))

    def _build(self, view: View) -> None:
        assert view.info is not None
        dpg.delete_item(self.body, children_only=True)
        self.rows = []
        geometry = set(view.info.geometry_layers)
        dpg.push_container_stack(self.body)
        try:
            for index, name in enumerate(view.info.layer_names):
                self.rows.append(SliderRow(self.kit, layer_field(index, name, index in geometry)))
        finally:
            dpg.pop_container_stack()

    def _follow_all(self) -> None:
        self.kit.publish(lambda state: with_latents(state, layer_mix=()), "Layers follow")

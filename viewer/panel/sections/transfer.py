"""Transfers: shape or colour of another seed, everywhere or under the region strokes."""

from __future__ import annotations

import dearpygui.dearpygui as dpg

from ..controls import IconButton, Segments
from ..kit import Gesture, Kit, View
from ..seed import LARGEST, parse_seed, random_seed
from ..style import Icon
from ..thumbnails import SIDE, Thumbnail

PARTS = (
    ("colour", "Colours", "The donor's colours on this shape."),
    ("geometry", "Shape", "The donor's shape in these colours."),
    ("both", "Both", "The donor itself; most useful under region strokes."),
)


class TransferFold:
    """The donor's portrait and seed, what is taken, and the button."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        do = kit.context.actions.edit
        self.gesture = Gesture("edit.donor")
        self.thumbnail = Thumbnail(kit.context.loop, kit.style, kit.wake)
        with (
            dpg.group(show=False, tag="edit.transfer.group") as self.group,
            kit.fold("Transfer from another seed", "Click to fold or unfold.", tag="edit.transfer") as self.body,
            dpg.group(horizontal=True, horizontal_spacing=kit.px(8)),
        ):
            picture = dpg.add_image(
                self.thumbnail.texture, width=kit.px(SIDE), height=kit.px(SIDE), tag="edit.donor.picture"
            )
            kit.tip(picture, "The donor, seen from the front")
            with dpg.group():
                with dpg.group(horizontal=True, horizontal_spacing=kit.px(3)):
                    self.entry = dpg.add_input_text(
                        width=kit.px(88), tag="edit.donor", callback=lambda _, text, __: self._typed(text)
                    )
                    kit.tip(self.entry, "The donor's seed")
                    for icon, tip, step, tag in (
                        (Icon.MINUS, "The seed before", -1, "less"),
                        (Icon.PLUS, "The next seed", 1, "more"),
                        (Icon.DICE, "Any seed", 0, "any"),
                    ):
                        button = dpg.add_button(
                            label=icon,
                            width=kit.px(28),
                            user_data=step,
                            tag=f"edit.donor.{tag}",
                            callback=lambda _, __, step: self._step(step),
                        )
                        dpg.bind_item_theme(button, kit.style.icon)
                        kit.tip(button, tip)
                self.parts = Segments(kit, "edit.part", PARTS, lambda part: do.tools.take(part=part))
                self.start = IconButton(kit, "Transfer", "", do.transfer, tag="edit.transfer.start", width=-1)

    def refresh(self, view: View) -> None:
        has_latent = view.info is not None and bool(view.info.layer_names)
        dpg.configure_item(self.group, show=has_latent)
        if not has_latent or not dpg.is_item_shown(self.body):
            return
        tools = view.tools
        self.gesture.poll(dpg.is_item_active(self.entry))
        if not self.gesture.held and dpg.get_value(self.entry) != str(tools.donor):
            dpg.set_value(self.entry, str(tools.donor))
        self.parts.show(tools.part)
        region = any(stroke.kind == "region" and stroke.on for stroke in view.state.edits.strokes)
        where = "under the region strokes" if region else "everywhere; paint with the region brush to bound it"
        self.start.show(
            enabled=view.status.edit is None,
            label="Transfer the region" if region else "Transfer",
            tip=f"Taken over {where}.",
        )
        latents = view.state.latents
        assert view.info is not None
        drawn = (latents.truncation, latents.cutoff, latents.noise, latents.conditioning)
        model = view.info.card.fingerprint or view.info.reference
        self.thumbnail.follow((model, view.state.options, drawn), tools.donor)

    def _typed(self, text: str) -> None:
        seed = parse_seed(text)
        if seed is not None:
            self.kit.context.actions.edit.tools.take(donor=seed)

    def _step(self, step: int) -> None:
        tools = self.kit.context.actions.edit.tools
        tools.take(donor=random_seed() if step == 0 else min(max(tools.now.donor + step, 0), LARGEST))

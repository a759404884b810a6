"""Which identity: two seeds with portraits, how they mix, and how far from the average."""

from __future__ import annotations

from dataclasses import replace

import dearpygui.dearpygui as dpg

from ....engine.state import NoiseMode
from ..controls import Segments, SliderRow
from ..fields import CONDITIONING_PITCH, CONDITIONING_YAW, CUTOFF, MIX_APPEARANCE, MIX_GEOMETRY, TRUNCATION
from ..kit import Kit, View
from ..seed import NoiseSeedRow, SeedSlot
from .layers import LayerMix

NOISES = (
    ("const", "Fixed", "The noise that was learned with the model: the same in every picture."),
    ("none", "None", "No noise: smoother, without stray hairs and pores."),
    ("random", "Random", "Fresh noise from a seed: other details, the same identity."),
)


class LatentsSection:
    """Seeds, mixing, truncation, single layers, noise, conditioning; only what the open model has."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self._shown: tuple[bool, bool, bool, bool] | None = None
        with kit.card("Identity", tag="section.latents"):
            self.reason = kit.hint("", show=False)
            with dpg.group() as self.body:
                with dpg.group(horizontal=True):
                    self.seeds = (SeedSlot(kit, "seed_a", "Seed A"), SeedSlot(kit, "seed_b", "Seed B"))
                self.rows = [SliderRow(kit, f) for f in (MIX_GEOMETRY, MIX_APPEARANCE, TRUNCATION, CUTOFF)]
                with dpg.group() as self.noise:
                    with kit.row("Noise", "Random detail that the generator adds to its feature maps: strands, pores."):
                        self.noises = Segments(kit, "latents.noise", NOISES, self._choose_noise)
                    self.noise_seed = NoiseSeedRow(kit)
                self.layers = LayerMix(kit)
                with (
                    dpg.group() as self.conditioning,
                    kit.fold(
                        "Conditioning camera",
                        "Faces in side views differ in the training photos, so the mapping "
                        "network is told a camera. It is kept apart from the view, so that a drag keeps the identity.",
                        tag="conditioning",
                    ),
                ):
                    self.told = [SliderRow(kit, f) for f in (CONDITIONING_YAW, CONDITIONING_PITCH)]

    def refresh(self, view: View) -> None:
        info = view.info
        has_latent = info is not None and bool(info.layer_names)
        random_noise = view.state.latents.noise == "random"
        shown = (has_latent, bool(info and info.has_noise), bool(info and info.has_conditioning), random_noise)
        if shown != self._shown:
            self._shown = shown
            dpg.configure_item(self.body, show=has_latent)
            dpg.configure_item(self.noise, show=shown[1])
            dpg.configure_item(self.conditioning, show=shown[2])
            self.noise_seed.show(random_noise)
        dpg.configure_item(self.reason, show=not has_latent)
        dpg.set_value(self.reason, self._reason(view))
        if not has_latent:
            return
        for part in (*self.seeds, *self.rows, self.layers, *self.told, self.noise_seed):
            part.refresh(view)
        self.noises.show(view.state.latents.noise)

    @staticmethod
    def _reason(view: View) -> str:
        if view.info is None:
            return "Seeds and mixing appear once a model is open."
        return "This model is one scene and has no latent: there are no seeds to mix."

    def _choose_noise(self, mode: NoiseMode) -> None:
        self.kit.publish(lambda state: replace(state, latents=replace(state.latents, noise=mode)), "Noise")

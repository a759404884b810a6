"""`SceneStages`: state in, scene out, keeping every stage until its own inputs change.

    latents ▶ codes ▶ scene ▶ edited scene

What a stage depends on is its key: equal keys mean the same value, which is kept. `pipeline.py` goes on from here to
the frame.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..models.base import Configurable, Generator, Scene
from ..models.errors import CheckpointError
from .editing.edited_field import edited_codes, edited_scene
from .editing.pivotal import tuned
from .editing.result import EditResult
from .editing.side_files import SideFiles
from .latents import directed, identity_codes, identity_parameters, layer_weights, mix_codes, seed_codes
from .state import ViewState

T = TypeVar("T")


class SceneStages:
    """The scenes of one generator's states; not thread-safe, one thread owns it.

    Args:
        generator: is moved to `device`.
        device: 'cpu', 'cuda:0'.
        side_files: where edits and identities that states name are found; None: the person's own folder.
    """

    def __init__(self, generator: Generator, device: str = "cpu", side_files: SideFiles | None = None) -> None:
        self.generator = generator.to(device)
        self.device = device
        self.side_files = SideFiles() if side_files is None else side_files
        self._kept: dict[str, tuple[Hashable, Any]] = {}
        self._times: dict[str, float] = {}  # milliseconds of the stages that ran, since somebody emptied it

    def generator_for(self, state: ViewState) -> Generator:
        """The generator under the state's options.

        Raises:
            CheckpointError: an option that it does not have.
        """
        if not state.options:
            return self.generator
        if not isinstance(self.generator, Configurable):
            names = ", ".join(name for name, _ in state.options)
            raise CheckpointError(
                f"This model has no options; the state asks for {names}. Reset it, or open its model."
            )
        configure = self.generator.configure
        return self._stage("generator", state.options, lambda: configure(dict(state.options)).to(self.device))

    def scene_key(self, state: ViewState) -> Hashable:
        """What the scene is a function of; equal keys mean the same identity seen from elsewhere."""
        return (*self._unedited_key(state), state.edits.result)

    def _unedited_key(self, state: ViewState) -> tuple[Hashable, ...]:
        """What the scene without its patches is a function of."""
        tuning = self._tuning_key(state)
        if self.generator.num_layers == 0:
            return (tuning,)
        latents = state.latents
        weights = tuple(layer_weights(self.generator, latents))
        # A seed that no layer takes anything from may change freely, and an identity stands for seed A.
        unused_a = bool(latents.identity) or all(w == 1 for w in weights)
        seeds = (None if unused_a else latents.seed_a, latents.seed_b if any(weights) else None)
        noise = (latents.noise, latents.noise_seed if latents.noise == "random" else 0)
        shared = (latents.truncation, latents.cutoff, latents.conditioning, latents.identity, latents.directions)
        return (tuning, seeds, weights, shared, noise if self.generator.has_noise else None)

    def _tuning_key(self, state: ViewState) -> tuple[Hashable, ...]:
        """What the generator's own tensors, and what is added to all codes, depend on."""
        edit = self.edit(state)
        everywhere = edit is not None and (edit.codes is not None or edit.parameters)
        return (state.options, state.latents.identity, state.edits.result if everywhere else "")

    def edit(self, state: ViewState) -> EditResult | None:
        """What has been changed about the state's scene; None: nothing.

        Raises:
            EditError: the edit's side file is missing or damaged.
        """
        name = state.edits.result
        if not name:
            return None
        return self._stage("edit", name, lambda: EditResult.load(self.side_files, name, self.device))

    def tuned_for(self, state: ViewState) -> Generator:
        """The generator under the state's options, its tensors moved by the state's identity and edit.

        Raises:
            CheckpointError: an option that it does not have.
            EditError: a side file is missing, damaged, or of another model.
        """
        generator, edit = self.generator_for(state), self.edit(state)

        def tune() -> Generator:
            own = tuned(generator, identity_parameters(self.side_files, state.latents.identity))
            return own if edit is None else tuned(own, edit.parameters)

        return self._stage("tuned generator", self._tuning_key(state), tune)

    def codes(self, state: ViewState) -> Tensor:
        """The identity's codes [L, W]: seeds, mixing, directions, and what an edit adds to them everywhere."""
        key = self._unedited_key(state)[:4]  # without noise, which comes after them: what is bound to codes stays so
        return self._stage("codes", key, lambda: self._build_codes(state))

    def unedited_scene(self, state: ViewState) -> Scene:
        """The scene without the edit's patches."""
        latents = state.latents

        def build() -> Scene:
            codes = self.codes(state)
            return self.tuned_for(state).scene(codes, noise=latents.noise, noise_seed=latents.noise_seed)

        return self._stage("scene", self._unedited_key(state), build)

    def scene(self, state: ViewState) -> Scene:
        """The scene of a state (stages codes, scene, edited scene)."""
        edit = self.edit(state)
        if edit is None or not edit.patches:
            return self.unedited_scene(state)

        def build() -> Scene:
            scene, codes, latents = self.unedited_scene(state), self.codes(state), state.latents
            return edited_scene(self.tuned_for(state), scene, edit, codes, latents.noise, latents.noise_seed)

        return self._stage("edited scene", self.scene_key(state), build)

    def _shape_key(self, state: ViewState) -> Hashable:
        """What the density depends on: an edit of colours alone keeps what is known of empty space."""
        edit = self.edit(state)
        if edit is None:
            return self._unedited_key(state)
        return self.scene_key(state) if edit.moves_density else self._unedited_key(_without_result(state))

    def _build_codes(self, state: ViewState) -> Tensor:
        generator, latents, edit = self.tuned_for(state), state.latents, self.edit(state)
        weights = layer_weights(generator, latents)
        shared = (self._tuning_key(state), latents.truncation, latents.cutoff, latents.conditioning)

        def codes_of(name: str, seed: int) -> Tensor:
            return self._stage(name, (seed, *shared), lambda: seed_codes(generator, latents, seed))

        def codes_a() -> Tensor:
            if latents.identity:
                return identity_codes(self.side_files, latents.identity, generator).to(self.device)
            return codes_of("codes a", latents.seed_a)

        if generator.num_layers == 0:
            return torch.zeros(0, 0, device=self.device)
        if not any(weights):
            codes = codes_a()
        elif all(w == 1 for w in weights):
            codes = codes_of("codes b", latents.seed_b)
        else:
            codes = mix_codes(codes_a(), codes_of("codes b", latents.seed_b), weights)
        codes = directed(codes, generator, state.model, latents, self.side_files)
        return codes if edit is None else edited_codes(edit, codes)

    def _stage(self, name: str, key: Hashable, compute: Callable[[], T]) -> T:
        kept = self._kept.get(name)
        if kept is not None and kept[0] == key:
            return kept[1]
        inner = sum(self._times.values())
        start = time.perf_counter()
        value = compute()
        # A stage that asked for another one counts only its own time.
        own = 1000 * (time.perf_counter() - start) - (sum(self._times.values()) - inner)
        self._times[name] = self._times.get(name, 0.0) + own
        self._kept[name] = (key, value)
        return value


def _without_result(state: ViewState) -> ViewState:
    return replace(state, edits=replace(state.edits, result=""))

"""A generator as the scene's earlier edits of the shape left it: so that what they brought is told apart and recoloured
as what it is, and what they revealed, too."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from torch import Tensor

from ...models.base import Generator, NoiseMode, Scene
from .edited_field import edited_scene, patch_codes
from .result import EditResult

COVERED = 0.25
"""Share of a part from which an edit's codes are taken for all of it: they are a whole head's, not only its top's."""


def reshaped(generator: Generator, result: EditResult) -> Generator:
    """A generator that gives its scenes with an edit's changes of the shape in them, and without those of its colours.

    Args:
        generator: everything else is its own.
        result: the edit.
    """
    return cast("Generator", _Reshaped(generator, result))


class _Reshaped:
    """See `reshaped`."""

    def __init__(self, generator: Generator, result: EditResult) -> None:
        self._generator = generator
        self._shape = replace(result, patches=tuple(patch for patch in result.patches if patch.moves_density))

    def scene(self, codes: Tensor, *, noise: NoiseMode = "const", noise_seed: int = 0) -> Scene:
        """As `Generator.scene`."""
        plain = self._generator.scene(codes, noise=noise, noise_seed=noise_seed)
        return edited_scene(self._generator, plain, self._shape, codes, noise, noise_seed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._generator, name)


def codes_at(points: Tensor, codes: Tensor, result: EditResult) -> Tensor:
    """The codes [L, W] that a part at points [N, 3] is of: the scene's, or those from which an edit has taken it."""
    for patch in reversed(result.patches):
        covers = patch.shape and patch.codes is not None
        if covers and float((patch.mask.sample(points)[:, 0] > 0.5).float().mean()) > COVERED:
            return patch_codes(patch, codes)
    return codes

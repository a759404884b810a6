"""`EditResult`: what strokes made of a scene, as numbers that go into a side file and come back the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from .errors import EditError
from .grid import Grid
from .side_files import SideFiles

KIND = "edit"
BYTE = 255.0


@dataclass(frozen=True)
class Patch:
    """One change of one part of the scene: where, and to what. All of it happens only where `mask` is, softly."""

    mask: Grid
    """[1, nx, ny, nz] in 0..1."""
    codes: Tensor | None = None
    """[L, W]: the part takes its features from the generator's scene of other codes; None: from the scene itself."""
    replaced: tuple[int, ...] = ()
    """Layers in which `codes` are another identity's own; in all others they are added to the scene's."""
    shape: bool = False
    """Whether the part takes its density from those codes as well."""
    recolour: Tensor | None = None
    """[3, 4]: rgb -> M rgb + b on the first three features, rows (M | b); None: as they are."""
    paint: Grid | None = None
    """[C, ...] features that take the place of the field's, zero outside of its extent; None: none."""
    density: Grid | None = None
    """[1, ...] added to the raw density; its own extent, `mask` does not bound it."""

    @property
    def moves_density(self) -> bool:
        """Whether the scene's shape changes."""
        return self.density is not None or (self.shape and self.codes is not None)


@dataclass(frozen=True)
class EditResult:
    """Everything that edits have changed, in the order in which it was done."""

    patches: tuple[Patch, ...] = ()
    codes: Tensor | None = None
    """[L, W] added to the mixed codes, everywhere; None: nothing."""
    parameters: Mapping[str, Tensor] = field(default_factory=dict)
    """Deltas of the generator's own tensors by name (pivotal tuning; EditNeRF's last layers)."""
    colour_parameters: tuple[str, ...] = ()
    """Those of them on which no density depends."""
    about: Mapping[str, str] = field(default_factory=dict)
    """In words: what was done."""

    @property
    def moves_density(self) -> bool:
        """Whether the scene's shape changes: if not, what is known of its empty space stays true."""
        moved = self.parameters.keys() - set(self.colour_parameters)
        return self.codes is not None or bool(moved) or any(patch.moves_density for patch in self.patches)

    def with_patch(self, *patches: Patch) -> EditResult:
        """One more change on top of those made before."""
        return replace(self, patches=(*self.patches, *patches))

    def store(self, files: SideFiles, *, write: bool = True) -> str:
        """Puts it into a side file; returns the name for `Edits.result`.

        Raises:
            EditError: the file cannot be written.
        """
        tensors: dict[str, Tensor] = {}
        described: list[dict[str, Any]] = []
        for index, patch in enumerate(self.patches):
            words: dict[str, Any] = {"replaced": list(patch.replaced), "shape": patch.shape}
            words["mask"] = patch.mask.bounds
            tensors[f"{index}.mask"] = (patch.mask.values * BYTE).round().clamp(0, BYTE).to(torch.uint8)
            if patch.codes is not None:
                tensors[f"{index}.codes"] = patch.codes.half() if not patch.replaced else patch.codes.float()
            if patch.recolour is not None:
                tensors[f"{index}.recolour"] = patch.recolour.float()
            for name, grid in (("paint", patch.paint), ("density", patch.density)):
                if grid is not None:
                    words[name] = grid.bounds
                    tensors[f"{index}.{name}"] = grid.values.half()
            described.append(words)
        if self.codes is not None:
            tensors["codes"] = self.codes.float()
        tensors |= {f"parameters.{name}": value for name, value in self.parameters.items()}
        about = {**self.about, "patches": json.dumps(described)}
        if self.colour_parameters:
            about["colour parameters"] = json.dumps(self.colour_parameters)
        return files.put(tensors, KIND, about, write=write)

    @staticmethod
    def load(files: SideFiles, name: str, device: torch.device | str = "cpu") -> EditResult:
        """What `store` put away under that name.

        Raises:
            EditError: the file is missing, damaged or of another kind.
        """
        tensors, about = files.get(name, KIND)
        found = {key: value.to(device).float() for key, value in tensors.items()}
        words = dict(about)
        try:
            patches = tuple(_patch(i, entry, found) for i, entry in enumerate(json.loads(words.pop("patches"))))
            colour = tuple(str(name) for name in json.loads(words.pop("colour parameters", "[]")))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise EditError(
                f"The edit {name[:12]} was made by another version of neuroview ({error}). Update neuroview, or remove "
                "the edit."
            ) from error
        head = "parameters."
        parameters = {key[len(head) :]: value for key, value in found.items() if key.startswith(head)}
        return EditResult(patches, found.get("codes"), parameters, colour, words)


def _patch(index: int, words: dict[str, Any], tensors: dict[str, Tensor]) -> Patch:
    def grid(name: str) -> Grid | None:
        return Grid(_lattice(tensors[f"{index}.{name}"]), _bounds(words[name])) if name in words else None

    return Patch(
        mask=Grid(_lattice(tensors[f"{index}.mask"]) / BYTE, _bounds(words["mask"])),
        codes=tensors.get(f"{index}.codes"),
        replaced=tuple(int(layer) for layer in words["replaced"]),
        shape=bool(words["shape"]),
        recolour=tensors.get(f"{index}.recolour"),
        paint=grid("paint"),
        density=grid("density"),
    )


def _lattice(values: Tensor) -> Tensor:
    if values.ndim != 4 or min(values.shape) < 1:
        raise ValueError(f"a grid of shape {tuple(values.shape)}")
    return values


def _bounds(corners: Any) -> Any:
    (a, b, c), (d, e, f) = corners
    return (float(a), float(b), float(c)), (float(d), float(e), float(f))

"""Named directions in a generator's codes: what a slider adds, in standard deviations, and where they come from.

    codes + sum_i amount_i delta_i

Principal directions follow GANSpace (Harkonen et al. 2020): PCA over the codes of many seeds, applied to some layers
only. Shipped generators have theirs in `assets/directions`, with directions found from their teacher's own parameters
before them (`engine/training/heads_directions.py`); any other generator with latents gets them when they are asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ...models.base import Generator
from .code_statistics import CodeStatistics
from .errors import EditError
from .side_files import SideFiles

KIND = "directions"
MOST_PRINCIPAL = 8
"""Principal directions of each kind."""
MOST_BYTES = 4 << 20


@dataclass(frozen=True)
class Direction:
    """One slider: a change of the codes by one standard deviation."""

    name: str
    delta: Tensor
    """[L, W] added to the codes for an amount of 1; zero in the layers that it leaves alone."""
    about: str = "shape"
    """What it changes: 'shape' or 'colour'."""
    explained: float = 0.0
    """Part of the variance of the codes that lies along it, 0..1."""
    limit: float = 3.0
    """Amount to either side up to which pictures stay good."""


def directions_of(
    generator: Generator, reference: str, files: SideFiles | None = None, *, compute: bool = True
) -> tuple[Direction, ...]:
    """The directions of a generator: those that ship with it, those kept from an earlier time, or new ones.

    Args:
        generator: on any device; directions come back on the CPU.
        reference: name of a shipped model or path of a checkpoint, as in `ViewState.model`.
        files: where directions of other checkpoints are kept; None: the person's own folder.
        compute: False: return nothing rather than spend seconds on a PCA.

    Returns:
        No directions for a generator without latents.
    """
    if generator.num_layers == 0:
        return ()
    shipped = _shipped(reference)
    if shipped is not None:
        try:
            found, fingerprint = read_directions(shipped)
        except EditError:
            found, fingerprint = (), ""
        # Weights trained anew have a new space: directions of the old ones would mean nothing in it.
        if found and fingerprint == generator.card.fingerprint and _fits(found, generator):
            return found
    files = files if files is not None else SideFiles()
    kept = files.folder / f"directions-{_key(generator)}.safetensors"
    try:
        found, fingerprint = read_directions(kept)
        if fingerprint == generator.card.fingerprint and _fits(found, generator):
            return found
    except EditError:
        pass  # none yet, or damaged: they are made again
    if not compute:
        return ()
    found = principal_directions(generator)
    try:
        files.folder.mkdir(parents=True, exist_ok=True)
        write_directions(kept, found, generator.card.fingerprint)
    except OSError:
        pass  # a folder that cannot be written to only means that the next start takes as long
    return found


def principal_directions(generator: Generator, most: int = MOST_PRINCIPAL) -> tuple[Direction, ...]:
    """PCA over codes (GANSpace), of the geometry layers and of the appearance layers, by falling variance.

    Args:
        generator: with latents.
        most: directions of each kind.
    """
    made: list[Direction] = []
    for about, title, layers in (
        ("shape", "Shape", generator.geometry_layers),
        ("colour", "Colour", generator.appearance_layers),
    ):
        if not layers:
            continue
        statistics = CodeStatistics.of(generator, layers=layers, most=most)
        for index, (axis, sigma) in enumerate(zip(statistics.axes, statistics.sigmas, strict=True)):
            share = float(sigma**2 / statistics.variance)
            made.append(Direction(f"{title} {index + 1}", (axis * sigma).cpu(), about, share))
    return tuple(made)


def apply_directions(codes: Tensor, directions: Sequence[Direction], amounts: Iterable[tuple[str, float]]) -> Tensor:
    """Codes [L, W] moved along named directions.

    Args:
        codes: [L, W], mixed and truncated.
        directions: of the same generator, from `directions_of`.
        amounts: (name, standard deviations), as in `Latents.directions`.

    Raises:
        EditError: a name that the model does not have, or a direction for codes of another size.
    """
    amounts = tuple(amounts)
    if not amounts:
        return codes
    known = {direction.name: direction for direction in directions}
    for name, amount in amounts:
        direction = known.get(name)
        if direction is None:
            names = ", ".join(known) or "none"
            raise EditError(f"This model has no direction {name!r:.40}; it has: {names}. Reset the directions.")
        if direction.delta.shape != codes.shape:
            raise EditError(
                f"The direction {name!r} is for codes of {tuple(direction.delta.shape)}, this model's are "
                f"{tuple(codes.shape)}. Reset the directions."
            )
        codes = codes + amount * direction.delta.to(codes)
    return codes


def write_directions(path: Path, directions: Sequence[Direction], fingerprint: str) -> None:
    """Stores directions as safetensors: one fp16 tensor [D, L, W], names and the rest as JSON in its metadata."""
    from safetensors.torch import save_file

    words = [{"name": d.name, "about": d.about, "explained": d.explained, "limit": d.limit} for d in directions]
    stacked = torch.stack([d.delta for d in directions]).half().contiguous()
    save_file({"deltas": stacked}, path, {"kind": KIND, "fingerprint": fingerprint, "directions": json.dumps(words)})


def read_directions(path: Path) -> tuple[tuple[Direction, ...], str]:
    """What `write_directions` stored, and the fingerprint of the weights that they belong to.

    Raises:
        EditError: no such file, or one that holds something else.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise EditError(f"{path.name} has {path.stat().st_size >> 20} MB; directions have less than 4.")
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            deltas = file.get_tensor("deltas").float()
        words = json.loads(about["directions"])
        if deltas.ndim != 3 or len(words) != len(deltas):
            raise ValueError(f"{len(words)} names for deltas of {tuple(deltas.shape)}")
        found = tuple(
            Direction(
                str(w["name"]),
                delta,
                "colour" if w["about"] == "colour" else "shape",
                float(w["explained"]),
                float(w["limit"]),
            )
            for w, delta in zip(words, deltas, strict=True)
        )
        return found, str(about.get("fingerprint", ""))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise EditError(f"{path.name} holds no directions ({error}). Remove it; they will be made again.") from error


def asset_path(name: str) -> Path:
    """Where the directions of a shipped model lie, or would."""
    return Path(str(resources.files("neuroview.assets"))) / "directions" / f"{name}.safetensors"


def _shipped(reference: str) -> Path | None:
    if not reference.isidentifier():
        return None
    path = asset_path(reference)
    return path if path.is_file() else None


def _fits(directions: Sequence[Direction], generator: Generator) -> bool:
    return tuple(directions[0].delta.shape) == tuple(generator.codes(0).shape)


def _key(generator: Generator) -> str:
    import hashlib

    # The same file under other options (pi-GAN's averaged and raw weights) has another space.
    codes = generator.codes(0).detach().float().cpu().contiguous()
    return hashlib.sha256(generator.card.fingerprint.encode() + codes.numpy().tobytes()).hexdigest()[:16]

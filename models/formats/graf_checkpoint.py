"""GRAF's checkpoints (.pt): a `torch.save` of several state dicts, of which the generator's moving average counts.

The official training writes `{it, epoch_idx, fid_best, kid_best, discriminator, g_optimizer, d_optimizer, generator,
generator_test}`; its evaluation renders `generator_test`. Models with a second network have `generator_fine` as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..base import Generator, ModelCard
from ..cards import GRAF_LICENCE, camera_facts
from ..eg3d_generator import fingerprint
from ..errors import CheckpointError
from ..graf import GRAFNetwork, layout_of
from ..graf_generator import GRAFGenerator
from ..graf_setting import find_setting
from ..unpickle import Limits, unpickle
from ..weights import filled
from .state_dicts import checked_tensors

_HEAD = 1 << 18  # bytes; the names stand behind those of the discriminator and of two optimisers
_LIMITS = Limits(file_bytes=1 << 30)


def sniff(path: Path) -> bool:
    """Whether a file looks like such a checkpoint, by its bytes; nothing is unpickled."""
    with open(path, "rb") as file:
        head = file.read(_HEAD)
    wanted = (b"pts_linears.0.weight", b"views_linears.0.weight", b"generator")
    return head.startswith((b"PK\x03\x04", b"\x80\x02")) and all(word in head for word in wanted)


def read(path: Path) -> dict[str, Any]:
    """The checkpoint's dictionary.

    Raises:
        UnsafePickle: it names something else than tensors and containers; nothing was run.
        CheckpointError: it is damaged, or holds no generator.
    """
    content = unpickle(path, {}, _LIMITS)
    if not isinstance(content, dict) or not isinstance(_averaged(content, "generator"), Mapping):
        found = sorted(map(str, content))[:6] if isinstance(content, dict) else type(content).__name__
        raise CheckpointError(f"{path.name} holds {found}, expected 'generator' as written by GRAF's training.")
    return content


def open_generator(path: Path) -> Generator:
    """Opens a checkpoint for viewing.

    Raises:
        CheckpointError: as `read`; or a tensor is missing, of a wrong shape, or not finite.
    """
    path = Path(path)
    content = read(path)
    coarse = _network(_averaged(content, "generator"), f"{path.name}: generator")
    fine = _averaged(content, "generator_fine")
    layout = coarse.layout
    setting = find_setting(path, layout.view_dependent)
    iterations = content.get("it")
    card = ModelCard(
        name=path.stem,
        family="graf",
        title=f"{path.stem} (GRAF)",
        summary=f"A NeRF told of a shape and an appearance; camera as for {setting.name}.",
        licence=GRAF_LICENCE,
        fingerprint=fingerprint(path),
        configuration={**asdict(layout), "camera of": setting.name},
        training={"iterations": iterations, **camera_facts(setting.camera)}
        if isinstance(iterations, int)
        else camera_facts(setting.camera),
    )
    return GRAFGenerator(
        coarse, None if fine is None else _network(fine, f"{path.name}: generator_fine"), card, setting
    )


def _averaged(content: Mapping[str, Any], name: str) -> Any:
    """The moving average of a network where there is one, else its last weights."""
    return content.get(f"{name}_test", content.get(name))


def _network(tensors: Any, where: str) -> GRAFNetwork:
    state = checked_tensors(tensors, where)
    layout = layout_of(state, where)
    # A network without directions has the layer of one with them besides; nothing reads it.
    try:
        return filled(lambda: GRAFNetwork(layout), state, ignored=("output_linear.weight", "output_linear.bias"))
    except CheckpointError as error:
        raise CheckpointError(f"{where}: {error}") from error

"""Reads checkpoints of yenchenlin/nerf-pytorch: `NNNNNN.tar`, which are torch files in spite of their name.

Such a file holds `{global_step, network_fn_state_dict, network_fine_state_dict, optimizer_state_dict}`. Sizes are
inferred from the tensors; for where the scene lies see `nerf_setting.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from ..base import Generator, ModelCard
from ..cards import camera_facts
from ..errors import CheckpointError
from ..nerf import NeRFNetwork
from ..nerf_posed import PosedNeRF
from ..unpickle import Limits, unpickle
from .nerf_paper import LayerNames, paper_network
from .nerf_setting import find_setting
from .state_dicts import checked_tensors

COARSE, FINE = "network_fn_state_dict", "network_fine_state_dict"
NAMES = LayerNames("pts_linears", "feature_linear", "views_linears", "rgb_linear", "alpha_linear", "output_linear")
# Two networks of the paper's size and their optimiser take 14 MB.
LIMITS = Limits(file_bytes=1 << 30)
_HEAD = 1 << 16


def sniff(path: Path | str) -> bool:
    """Whether a file looks like such a checkpoint, by its bytes and never by its name; nothing is unpickled."""
    with open(path, "rb") as file:
        head = file.read(_HEAD)
    # EditNeRF's files share the outer names, but not the layers'.
    return head.startswith((b"PK\x03\x04", b"\x80\x02")) and COARSE.encode() in head and b"pts_linears" in head


def load(path: Path | str) -> tuple[NeRFNetwork, NeRFNetwork | None, int | None]:
    """Coarse network, fine network (None: trained without importance sampling) and iteration of a file.

    Raises:
        CheckpointError: no such file, damaged, tensors missing, of impossible shapes or not finite.
    """
    path = Path(path)
    contents = unpickle(path, {}, LIMITS)
    if not isinstance(contents, Mapping) or COARSE not in contents:
        found = sorted(map(str, contents))[:6] if isinstance(contents, Mapping) else type(contents).__name__
        raise CheckpointError(f"{path.name} holds {found}, expected '{COARSE}' as written by yenchenlin/nerf-pytorch.")
    coarse, fine = contents[COARSE], contents.get(FINE)
    step = contents.get("global_step")
    return (
        paper_network(checked_tensors(coarse, COARSE), NAMES, COARSE),
        None if fine is None else paper_network(checked_tensors(fine, FINE), NAMES, FINE),
        step if isinstance(step, int) else None,
    )


def open_generator(path: Path | str) -> Generator:
    """Opens a checkpoint for viewing; see `load` for errors.

    It is named after its folder, the experiment: the files themselves are all called by a number.
    """
    path = Path(path)
    coarse, fine, step = load(path)
    name = path.resolve().parent.name or path.stem
    return posed_nerf(path, coarse, fine, name, {} if step is None else {"iterations": step})


def posed_nerf(
    path: Path, coarse: NeRFNetwork, fine: NeRFNetwork | None, name: str, training: dict[str, object]
) -> PosedNeRF:
    """A generator with a card, in the setting that lies beside its file."""
    layout = (fine or coarse).layout
    setting = find_setting(path)
    where = "normalised device coordinates, " if setting.ndc else ""
    card = ModelCard(
        name=name,
        family="nerf",
        title=f"{name} (NeRF)",
        summary=f"One scene in a perceptron of {layout.depth} layers of {layout.width} neurons, {where}"
        f"{len(setting.poses) or 'no'} training cameras known.",
        licence="MIT (code); the weights' terms are not stated",
        fingerprint=hashlib.sha256(path.read_bytes()).hexdigest(),
        configuration={**asdict(layout), "ndc": setting.ndc is not None},
        training={**training, **camera_facts(setting.camera)},
    )
    return PosedNeRF(coarse, fine, card, setting)

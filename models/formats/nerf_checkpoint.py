"""Reads NeRF checkpoints of krrish94/nerf-pytorch; every size is inferred from the tensors.

Such a file is a `torch.save` of `{iter, model_coarse_state_dict, model_fine_state_dict, optimizer_state_dict, loss,
psnr}`, often in the format from before torch 1.6. It holds no camera, no bounds, and no sizes; the `config.yml` that
lies beside published ones contradicts its tensors, so it is not read.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..base import Generator, ModelCard
from ..cards import KRRISH94_LICENCE, camera_facts
from ..errors import CheckpointError
from ..nerf import Encoding, NeRFLayout, NeRFNetwork
from ..nerf_generator import BLENDER_VOLUME
from ..nerf_posed import PosedNeRF
from ..unpickle import Limits, unpickle
from .nerf_setting import find_setting

COARSE, FINE = "model_coarse_state_dict", "model_fine_state_dict"
# Generous for an MLP: the paper's two networks and their optimiser take 14 MB.
LARGEST_FILE = 1 << 30
_HEAD = 1 << 16  # bytes; the name looked for stands within the first few thousand


@dataclass(frozen=True)
class NeRFCheckpoint:
    """Networks on the CPU, and what the file says of their training."""

    coarse: NeRFNetwork
    fine: NeRFNetwork | None
    """None: trained without importance sampling."""
    iteration: int | None
    psnr: float | None
    """dB on the last batch of training rays; not a test score."""
    fingerprint: str
    """sha256 of the file, hexadecimal."""


def sniff(path: Path | str) -> bool:
    """Whether a file looks like such a checkpoint, by its bytes and never by its name; nothing is unpickled."""
    with open(path, "rb") as file:
        head = file.read(_HEAD)
    # A zip archive whose first, uncompressed entries hold the pickle; or, before torch 1.6, protocol-2 pickles.
    return head.startswith((b"PK\x03\x04", b"\x80\x02")) and COARSE.encode() in head


def load(path: Path | str) -> NeRFCheckpoint:
    """Both networks of a file. Nothing in it is executed.

    Raises:
        UnsafePickle: it names something else than tensors and containers.
        CheckpointError: not such a file, truncated, too large, tensors missing, of impossible shapes or not finite.
    """
    path = Path(path)
    contents = unpickle(path, {}, Limits(file_bytes=LARGEST_FILE))
    fingerprint = hashlib.sha256(path.read_bytes()).hexdigest()
    if not isinstance(contents, Mapping) or COARSE not in contents:
        found = sorted(map(str, contents))[:6] if isinstance(contents, Mapping) else type(contents).__name__
        raise CheckpointError(f"{path.name} holds {found}, expected '{COARSE}' as written by nerf-pytorch.")
    fine = contents.get(FINE)
    return NeRFCheckpoint(
        coarse=network_from_krrish94(contents[COARSE], COARSE),
        fine=None if fine is None else network_from_krrish94(fine, FINE),
        iteration=_number(contents.get("iter"), int),
        psnr=_number(contents.get("psnr"), float),
        fingerprint=fingerprint,
    )


def open_generator(path: Path | str) -> Generator:
    """Opens a checkpoint for viewing; see `load` for errors.

    It is named after its folder, since published files are all called 'checkpoint' and a number.
    """
    path = Path(path)
    checkpoint = load(path)
    setting = find_setting(path, BLENDER_VOLUME)  # cameras beside the file, else Blender's scenes
    name = path.resolve().parent.name or path.stem
    network = checkpoint.coarse if checkpoint.fine is None else checkpoint.fine
    layout = network.layout
    training = {"iterations": checkpoint.iteration, "psnr of the last batch": checkpoint.psnr}
    card = ModelCard(
        name=name,
        family="nerf",
        title=f"{name} (NeRF)",
        summary=f"One scene in a perceptron of {layout.depth} layers of {layout.width} neurons.",
        licence=KRRISH94_LICENCE,
        fingerprint=checkpoint.fingerprint,
        configuration=asdict(layout),
        training={
            **{key: value for key, value in training.items() if value is not None},
            **camera_facts(setting.camera),  # the file holds none
        },
    )
    return PosedNeRF(checkpoint.coarse, checkpoint.fine, card, setting)


def network_from_krrish94(tensors: Any, where: str) -> NeRFNetwork:
    """A network from the state dict of krrish94's `FlexibleNeRFModel`.

    Its trunk is `layer1` (no ReLU) and `layers_xyz.*`, its feature layer `fc_feat` (ReLU), its colour `layers_dir.*`
    and `fc_rgb`; or `fc_out`, colour and density at once, when it was trained without directions.

    Args:
        tensors: name -> tensor.
        where: what to call the state dict in errors.

    Raises:
        CheckpointError: tensors are missing, left over, not finite, or do not fit each other.
    """
    state = _checked(tensors, where)
    width, point = _shape(state, "layer1.weight", where)
    depth = 1 + _count(state, "layers_xyz")
    # A layer that reads the encoded point again is wider than the one before it; the hidden part comes first.
    skips = tuple(i for i in range(1, depth) if _shape(state, f"layers_xyz.{i - 1}.weight", where)[1] > width)
    names = {"layer1": "trunk.0"} | {f"layers_xyz.{i - 1}": f"trunk.{i}" for i in range(1, depth)}
    points = _encoding(point, f"{where}: layer1.weight")
    wiring = {"skips": skips, "point_first": False, "first_activated": False, "feature_activated": True}
    if "fc_out.weight" in state:
        layout = NeRFLayout(width, depth, points, None, **wiring)
        for kind in ("weight", "bias"):
            out = state.pop(f"fc_out.{kind}", torch.empty(0))
            state[f"fc_rgb.{kind}"], state[f"fc_alpha.{kind}"] = out[:3], out[3:]
    else:
        view_width, view_input = _shape(state, "layers_dir.0.weight", where)
        directions = _encoding(view_input - width, f"{where}: layers_dir.0.weight beside {width} features")
        view_depth = _count(state, "layers_dir")
        layout = NeRFLayout(width, depth, points, directions, view_width, view_depth, **wiring)
        names |= {f"layers_dir.{i}": f"view.{i}" for i in range(view_depth)} | {"fc_feat": "feature"}
    names |= {"fc_alpha": "density", "fc_rgb": "colour"}
    return build(layout, state, names, where)


def build(layout: NeRFLayout, state: Mapping[str, Tensor], names: Mapping[str, str], where: str) -> NeRFNetwork:
    """A network whose tensors are those of `state`, layers renamed by `names` (theirs -> ours).

    Raises:
        CheckpointError: a tensor is missing, left over, or has another shape than the layout wants.
    """
    network = NeRFNetwork(layout)
    ours: dict[str, Tensor] = {}
    for key, tensor in state.items():
        layer, _, kind = key.rpartition(".")
        if layer not in names:
            raise CheckpointError(f"{where} has a tensor '{key}' that this kind of network does not know.")
        ours[f"{names[layer]}.{kind}"] = tensor
    theirs = {ours_: theirs_ for theirs_, ours_ in names.items()}
    for key, wanted in network.state_dict().items():
        layer, _, kind = key.rpartition(".")
        name = f"{theirs[layer]}.{kind}"
        if key not in ours:
            raise CheckpointError(f"{where} lacks the tensor '{name}' of shape {list(wanted.shape)}.")
        if ours[key].shape != wanted.shape:
            found, expected = list(ours[key].shape), list(wanted.shape)
            raise CheckpointError(f"{where}: '{name}' has shape {found}, expected {expected} beside the other tensors.")
    extra = ours.keys() - network.state_dict().keys()
    if extra:
        raise CheckpointError(f"{where} has a tensor '{sorted(extra)[0]}' that this kind of network does not know.")
    network.load_state_dict(ours)
    return network.requires_grad_(False).eval()


def _checked(tensors: Any, where: str) -> dict[str, Tensor]:
    if not isinstance(tensors, Mapping) or not tensors:
        raise CheckpointError(f"{where} is {type(tensors).__name__}; expected names with tensors.")
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor) or tensor.layout != torch.strided or not tensor.is_floating_point():
            raise CheckpointError(f"{where}: '{name}' is not a tensor of floating-point numbers.")
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            # A stride of 0 makes a few stored bytes look like any number of elements.
            raise CheckpointError(f"{where}: '{name}' claims {tensor.numel()} elements but stores fewer.")
        if not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(f"{where}: '{name}' holds numbers that are not finite; training has diverged.")
    return {str(name): tensor.float() for name, tensor in tensors.items()}


def _shape(state: Mapping[str, Tensor], name: str, where: str) -> tuple[int, int]:
    if name not in state:
        raise CheckpointError(f"{where} lacks the tensor '{name}'; expected the layers of krrish94/nerf-pytorch.")
    shape = state[name].shape
    if len(shape) != 2 or 0 in shape:
        raise CheckpointError(f"{where}: '{name}' has shape {list(shape)}, expected a matrix.")
    return int(shape[0]), int(shape[1])


def _count(state: Mapping[str, Tensor], prefix: str) -> int:
    """Layers `prefix.0`, `prefix.1`, ...: one more than the greatest index, so that a gap is noticed later."""
    found = [int(m[1]) for m in (re.fullmatch(rf"{prefix}\.(\d{{1,3}})\.weight", key) for key in state) if m]
    return 1 + max(found, default=-1)


def _encoding(width: int, what: str) -> Encoding:
    """The encoding that turns three coordinates into `width` numbers: 6 an octave, and 3 more with the input itself."""
    if width < 3 or width % 3:
        raise CheckpointError(
            f"{what} leaves {width} inputs for an encoding; expected 6 an octave, and 3 more or none."
        )
    return Encoding(octaves=width // 6, include_input=bool(width % 6))


def _number(value: Any, kind: type) -> Any:
    if isinstance(value, Tensor) and value.numel() == 1:
        value = value.item()
    return kind(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None

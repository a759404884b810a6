"""Fills an EG3D network with named tensors, after checking every name, shape and value against its configuration."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from .eg3d import TriPlaneGenerator
from .eg3d_config import EG3DConfig
from .errors import CheckpointError
from .layers.resampling import resample_filter

MOST_PARAMETERS = 1 << 30
"""Numbers in one network; the largest released EG3D has 30 million."""

# Held by some official files and derived or unused in ours.
_IGNORED = ("dataset_label_std", "resample_filter", "renderer.plane_axes")


def network_of(config: EG3DConfig, tensors: Mapping[str, Tensor]) -> TriPlaneGenerator:
    """A generator, in evaluation mode and fp32 on the CPU, that holds copies of `tensors`.

    The network is laid out without memory first, so a file that announces absurd sizes is refused before they are
    allocated. Missing low-pass filters are filled in, and so is missing constant noise where its strength is zero.

    Args:
        config: the sizes that the tensors must have.
        tensors: by official name; half precision is widened.

    Raises:
        CheckpointError: a tensor is missing, unknown, of another shape, not of floating point, or has NaN or Inf.
    """
    with torch.device("meta"):
        network = TriPlaneGenerator(config)
    wanted = network.state_dict()
    total = sum(tensor.numel() for tensor in wanted.values())
    if total > MOST_PARAMETERS:
        raise CheckpointError(f"the network would have {total:,} numbers; more than {MOST_PARAMETERS:,} are refused")
    for name in tensors:
        if name not in wanted and not name.endswith(_IGNORED):
            raise CheckpointError(f"unknown tensor {name!r}: the configuration has no such layer; check its sizes")
    loaded = {name: _checked(name, expected, tensors) for name, expected in wanted.items()}
    network.load_state_dict(loaded, assign=True)
    # Convolutions follow the layout of their weights; channels-last makes the backbone a quarter faster on a CPU.
    network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]  (torch omits the overload)
    return network.eval().requires_grad_(False)


def _checked(name: str, expected: Tensor, tensors: Mapping[str, Tensor]) -> Tensor:
    found = tensors.get(name)
    if found is None:
        return _filled(name, expected, tensors)
    if tuple(found.shape) != tuple(expected.shape):
        raise CheckpointError(
            f"tensor {name!r} has shape {tuple(found.shape)}, expected {tuple(expected.shape)} from the configuration; "
            "the file is damaged or of another architecture"
        )
    if not found.dtype.is_floating_point:
        raise CheckpointError(f"tensor {name!r} holds {found.dtype}, expected floating-point numbers")
    copied = found.detach().to(device="cpu", dtype=torch.float32, copy=True).contiguous()
    # One pass and no temporary: a sum in fp64 is finite only if every fp32 number is.
    if not torch.isfinite(copied.sum(dtype=torch.float64)):
        bad = int((~torch.isfinite(copied)).sum())
        raise CheckpointError(
            f"tensor {name!r} has {bad} NaN or infinite numbers of {copied.numel()}; its pictures would be blank. "
            "The file is damaged or its training diverged: take another checkpoint"
        )
    return copied


def _filled(name: str, expected: Tensor, tensors: Mapping[str, Tensor]) -> Tensor:
    if name.endswith("resample_filter"):
        return resample_filter()
    layer, _, leaf = name.rpartition(".")
    strength = tensors.get(f"{layer}.noise_strength")
    silent = strength is None or not bool(strength.any())
    if leaf in ("noise_const", "noise_strength") and silent:
        return torch.zeros(expected.shape)
    raise CheckpointError(
        f"tensor {name!r} of shape {tuple(expected.shape)} is missing; the file is incomplete or of another kind"
    )

"""Fills an EG3D network with named tensors, after checking every name, shape and value against its configuration."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from .eg3d import TriPlaneGenerator
from .eg3d_config import EG3DConfig
from .layers.resampling import resample_filter
from .weights import filled

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

    def absent(name: str, expected: Tensor) -> Tensor | None:
        if name.endswith("resample_filter"):
            return resample_filter()
        layer, _, leaf = name.rpartition(".")
        strength = tensors.get(f"{layer}.noise_strength")
        silent = strength is None or not bool(strength.any())
        return torch.zeros(expected.shape) if leaf in ("noise_const", "noise_strength") and silent else None

    network = filled(lambda: TriPlaneGenerator(config), tensors, ignored=_IGNORED, absent=absent)
    # Convolutions follow the layout of their weights; channels-last makes the backbone a quarter faster on a CPU.
    network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]  (torch omits the overload)
    return network

"""What all readers of foreign state dicts ask of them: tensors that are plain, finite, and of the shapes they claim."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..errors import CheckpointError


def checked_tensors(tensors: Any, where: str) -> dict[str, Tensor]:
    """Names and tensors of a state dict, as float32 on the CPU.

    Args:
        tensors: what stands where a state dict is expected.
        where: what to call it in errors.

    Raises:
        CheckpointError: it is none, is empty, or a tensor is not of finite floating-point numbers.
    """
    if not isinstance(tensors, Mapping) or not tensors:
        raise CheckpointError(f"{where} is {type(tensors).__name__}; expected names with tensors.")
    return {str(name): checked_tensor(tensor, str(name), where) for name, tensor in tensors.items()}


def checked_tensor(tensor: Any, name: str, where: str) -> Tensor:
    """One tensor of a state dict as float32; errors as in `checked_tensors`."""
    if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
        raise CheckpointError(f"{where}: '{name}' is not a tensor of floating-point numbers.")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        # A stride of 0 makes a few stored bytes look like any number of elements.
        raise CheckpointError(f"{where}: '{name}' claims {tensor.numel()} elements but stores fewer.")
    if not bool(torch.isfinite(tensor).all()):
        raise CheckpointError(f"{where}: '{name}' holds numbers that are not finite; training has diverged.")
    return tensor.detach().float()


def wanted(state: Mapping[str, Tensor], name: str, shape: tuple[int | None, ...], where: str) -> Tensor:
    """The tensor `name`, whose shape must be `shape`; None stands for any size but 0.

    Raises:
        CheckpointError: it is missing or has another shape; both shapes are named.
    """
    expected = "[" + ", ".join("any" if size is None else str(size) for size in shape) + "]"
    if name not in state:
        raise CheckpointError(f"{where} lacks the tensor '{name}' of shape {expected}.")
    found = tuple(state[name].shape)
    fits = len(found) == len(shape) and all(f > 0 and w in (None, f) for f, w in zip(found, shape, strict=True))
    if not fits:
        raise CheckpointError(f"{where}: '{name}' has shape {list(found)}, expected {expected} beside the others.")
    return state[name]


def layer_count(state: Mapping[str, Tensor], prefix: str) -> int:
    """Layers `prefix.0.weight`, `prefix.1.weight`, ...: one more than the greatest index, so that a gap is noticed."""
    found = [int(m[1]) for m in (re.fullmatch(rf"{re.escape(prefix)}\.(\d{{1,3}})\.weight", key) for key in state) if m]
    return 1 + max(found, default=-1)


def linear_layers(
    state: Mapping[str, Tensor], prefix: str, inputs: int | None, where: str
) -> list[tuple[Tensor, Tensor]]:
    """Weights [out, in] and biases [out] of `prefix.0`, `prefix.1`, ..., each reading what the one before writes.

    Args:
        state: names and tensors.
        prefix: of the layers' names.
        inputs: what the first must read; None: anything.
        where: what to call the state dict in errors.

    Raises:
        CheckpointError: a tensor is missing or does not fit.
    """
    count = layer_count(state, prefix)
    layers = []
    for index in range(max(count, 1)):
        weight = wanted(state, f"{prefix}.{index}.weight", (None, inputs), where)
        layers.append((weight, wanted(state, f"{prefix}.{index}.bias", (len(weight),), where)))
        inputs = len(weight)
    return layers

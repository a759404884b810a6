"""Fills a network with a file's tensors, after checking that each has the shape that the configuration asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from .errors import CheckpointError

MOST_PARAMETERS = 1 << 30
"""Numbers in one network; the largest published generator has 30 million."""

Network = TypeVar("Network", bound=nn.Module)


def filled(
    build: Callable[[], Network],
    tensors: Mapping[str, Tensor],
    *,
    ignored: tuple[str, ...] = (),
    absent: Callable[[str, Tensor], Tensor | None] = lambda name, expected: None,
) -> Network:
    """A network in evaluation mode, fp32 on the CPU, that holds copies of `tensors`.

    It is laid out without memory first, so a file that announces absurd sizes is refused before they are allocated.

    Args:
        build: makes the network.
        tensors: by the network's own names; other floating-point types are converted.
        ignored: endings of names that may be left over.
        absent: what stands for a tensor that the file does not have, given its name and one of its shape; None: that
            is an error.

    Raises:
        CheckpointError: a tensor is missing, unknown, of another shape, not of floating point, or has NaN or Inf.
    """
    with torch.device("meta"):
        network = build()
    wanted = network.state_dict()
    total = sum(tensor.numel() for tensor in wanted.values())
    if total > MOST_PARAMETERS:
        raise CheckpointError(f"the network would have {total:,} numbers; more than {MOST_PARAMETERS:,} are refused")
    for name in tensors:
        if name not in wanted and not name.endswith(ignored):
            raise CheckpointError(f"unknown tensor {name!r}: the configuration has no such layer; check its sizes")
    loaded = {}
    for name, expected in wanted.items():
        found = tensors[name] if name in tensors else absent(name, expected)
        loaded[name] = _checked(name, expected, found)
    network.load_state_dict(loaded, assign=True)
    return network.eval().requires_grad_(False)


def _checked(name: str, expected: Tensor, found: Tensor | None) -> Tensor:
    shape = tuple(expected.shape)
    if found is None:
        raise CheckpointError(f"tensor {name!r} of shape {shape} is missing; the file is incomplete or of another kind")
    if tuple(found.shape) != shape:
        raise CheckpointError(
            f"tensor {name!r} has shape {tuple(found.shape)}, expected {shape} from the configuration; "
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

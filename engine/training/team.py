"""The processes that train together: one alone, or as many as Lightning Fabric launches or torchrun has started."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn

from .task import TrainingError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

T = TypeVar("T")


class Solo:
    """One process alone, without Lightning: for tests, and for those who call a task themselves.

    Args:
        device: where to compute.
        bf16: whether `autocast` lowers the precision; None: where that is faster.
    """

    rank = 0
    size = 1

    def __init__(self, device: torch.device | str = "cpu", bf16: bool | None = None) -> None:
        self.device = torch.device(device)
        self.bf16 = bf16_is_faster(self.device) if bf16 is None else bf16

    def average(self, parameters: Iterable[nn.Parameter]) -> None:
        """See `Team.average`; alone there is nothing to average."""

    def autocast(self) -> AbstractContextManager[None]:
        """See `Team.autocast`."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)  # type: ignore[return-value]

    def greatest(self, values: Sequence[float]) -> list[float]:
        """The greatest of each number over the team, the same for all."""
        return list(values)

    def share(self, value: T) -> T:
        """What process 0 has, for all."""
        return value

    def leave(self) -> None:
        """The run is over."""


class FabricTeam(Solo):
    """The processes of a launched Fabric."""

    def __init__(self, fabric: Fabric, bf16: bool) -> None:
        super().__init__(fabric.device, bf16)
        self._fabric = fabric
        self.rank, self.size = fabric.global_rank, fabric.world_size

    def average(self, parameters: Iterable[nn.Parameter]) -> None:
        """Sums all gradients as one vector. What no process has a gradient of keeps none, so that its optimiser
        leaves it alone as it would in one process; the flags that tell travel in the same vector."""
        if self.size == 1:
            return
        chosen = list(parameters)
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in chosen]
        flags = torch.tensor([float(p.grad is not None) for p in chosen], device=self.device)
        flat = torch.cat([*(part.reshape(-1).float() for part in parts), flags])
        _together(lambda: dist.all_reduce(flat))
        present = flat[-len(chosen) :].tolist()
        flat /= self.size
        offset = 0
        for parameter, flag in zip(chosen, present, strict=True):
            if flag:
                mean = flat[offset : offset + parameter.numel()].view_as(parameter)
                if parameter.grad is None:
                    parameter.grad = mean.to(parameter.dtype, copy=True)
                else:
                    parameter.grad.copy_(mean)
            offset += parameter.numel()

    def autocast(self) -> AbstractContextManager[None]:
        """See `Team.autocast`."""
        return self._fabric.autocast()  # type: ignore[return-value]

    def greatest(self, values: Sequence[float]) -> list[float]:
        """See `Solo.greatest`."""
        if self.size == 1:
            return list(values)
        numbers = torch.tensor(values, dtype=torch.float64, device=self.device)
        _together(lambda: dist.all_reduce(numbers, dist.ReduceOp.MAX))
        return numbers.tolist()

    def share(self, value: T) -> T:
        """See `Solo.share`."""
        return value if self.size == 1 else _together(lambda: self._fabric.broadcast(value))

    def leave(self) -> None:
        """Ends the connection to the others."""
        if dist.is_initialized():
            dist.destroy_process_group()


def launch(device: str = "auto", workers: int = 1, threads: int | None = None) -> FabricTeam:
    """Starts the other processes, or joins those that torchrun has started, and returns this one's view of them.

    The others run the same command line from its beginning and meet here: what stands before this call happens in
    each of them.

    Args:
        device: 'auto' (a GPU where there is one), 'cpu', 'cuda' or 'cuda:1'.
        workers: processes on this machine; on GPUs, one for each. Under torchrun its own numbers count.
        threads: of each process on a CPU; None: all cores for one process, one for each of several.

    Raises:
        TrainingError: Lightning Fabric is not installed, or there are no such devices.
    """
    try:
        from lightning_fabric import Fabric
    except ImportError as error:
        raise TrainingError(
            f"Training needs Lightning Fabric, which is not installed ({error}). Install it with: "
            'pip install "neuroview[train]" (or pip install lightning-fabric tensorboard)'
        ) from error
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    accelerator, devices = _devices(device, workers)
    nodes = 1
    if "TORCHELASTIC_RUN_ID" in os.environ:
        workers = int(os.environ["LOCAL_WORLD_SIZE"])
        nodes = int(os.environ["WORLD_SIZE"]) // workers
        devices = workers
    several = workers * nodes > 1
    bf16 = bf16_is_faster(torch.device(accelerator))
    if accelerator == "cuda":
        torch.set_float32_matmul_precision("high")
    fabric = Fabric(
        accelerator=accelerator,
        devices=devices,
        num_nodes=nodes,
        strategy="ddp" if several else "auto",
        precision="bf16-mixed" if bf16 else "32-true",
    )
    fabric.launch()
    if accelerator == "cpu" and (several or threads is not None):  # after Fabric, which shares out the cores itself
        torch.set_num_threads(threads or 1)
    return FabricTeam(fabric, bf16)


def bf16_is_faster(device: torch.device) -> bool:
    """Whether networks run faster in bfloat16 there: GPUs from Ampere on, CPUs with instructions for it."""
    if device.type == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    return any(_cpu().get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def hardware(device: torch.device) -> str:
    """What a device is, for a model's card: 'NVIDIA A100', 'AMD EPYC, 1 thread(s)'."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{_cpu().get('cpu_name') or 'CPU'}, {torch.get_num_threads()} thread(s)"


def _cpu() -> dict[str, Any]:
    """What torch knows of the processor; older versions tell nothing."""
    tell = getattr(torch.cpu, "get_capabilities", None)
    return tell() if tell is not None else {}


def _devices(device: str, workers: int) -> tuple[str, int | list[int]]:
    """Fabric's `accelerator` and `devices`."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        return "cpu", workers
    kind, _, index = device.partition(":")
    if kind != "cuda" or (index and not index.isdecimal()):
        raise TrainingError(f"--device {device}; expected auto, cpu, cuda or cuda:0")
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if index and workers > 1:
        raise TrainingError(
            f"--device {device} is one GPU, and --workers {workers} asks for several: give --device cuda, or one worker"
        )
    if max(int(index) + 1 if index else 0, workers) > there:
        raise TrainingError(f"--device {device} with {workers} worker(s), but there are {there} GPUs; try --device cpu")
    return "cuda", [int(index)] if index else workers


def _together(exchange: Callable[[], T]) -> T:
    """Does what needs all processes; when one of them has died the others say so."""
    try:
        return exchange()
    except RuntimeError as error:
        raise TrainingError(
            "Another process of this run has ended; what it said tells why. Go on with --resume."
        ) from error

"""How fast a model is here, and how true: every rung's stages, rates and error, beside exact pictures by torch."""

from __future__ import annotations

import math
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from .frame import Frame, FrameRung
from .model import Model
from .pipeline import Pipeline
from .process import prepare_process
from .rendering.fast import TorchRenderer
from .state import ViewState
from .warmup import compile_now

Motion = Literal["orbit", "latents"]
_LEAST = 5
"""Frames that a median is taken over, however slow they are."""


@dataclass(frozen=True)
class Row:
    """One rung under one kind of motion."""

    motion: Motion
    """What changes from frame to frame: the camera, or both mixing sliders."""
    rung: FrameRung
    torch: bool
    """Whether torch alone renders, as the exact renderer is written down: what all other rows are measured by."""
    frames: int
    milliseconds: float
    """Median time of a frame."""
    p95: float
    """Time that 95 of 100 frames stay under, milliseconds."""
    speedup: float
    """Times faster than the exact rung by torch alone under the same motion."""
    psnr: float | None
    """dB to torch's exact pictures, mean over views; None for those themselves."""
    worst: float | None
    """dB to them, in the worst view."""
    stages: dict[str, float]
    """Median milliseconds of each stage in the frames in which it ran."""

    @property
    def rate(self) -> float:
        """Frames a second."""
        return 1000.0 / self.milliseconds


@dataclass(frozen=True)
class Report:
    """All that a comparison between two machines needs."""

    model: str
    family: str
    size: int
    """Side of the pictures, pixels."""
    device: str
    processor: str
    threads: int
    versions: dict[str, str]
    bakes: dict[str, float]
    """Seconds until each baked grid could be marched, from nothing."""
    memory: float
    """Most memory that the process held, MiB."""
    device_memory: float | None
    """Most memory that torch held on the GPU, MiB; None on CPUs."""
    rows: tuple[Row, ...]
    still: float
    """Milliseconds of the exact picture that a state ends at when nothing moves any more."""
    rays: int
    """Of that picture's pixels, along each side: a moving picture has one."""
    trouble: str = ""
    """Why a fast path was not used."""

    def to_json(self) -> dict[str, Any]:
        """Plain values; `rate` is added to each row."""
        plain = asdict(self)
        for line, row in zip(plain["rows"], self.rows, strict=True):
            line["rate"] = row.rate
        return plain


def benchmark(
    model: Model,
    *,
    seconds: float = 2.0,
    size: int | None = None,
    views: int = 4,
    progress: Callable[[str], object] = lambda _: None,
) -> Report:
    """Measures a model.

    Args:
        model: open, on the device that is to be measured.
        seconds: for each row; the slowest rungs take `_LEAST` frames however long those take.
        size: side of the pictures of a model without super-resolution; None: its own.
        views: cameras in which rungs are compared with exact pictures.
        progress: told what is measured now.
    """
    threads = prepare_process()
    first = model.first_state()
    if size is not None and not model.info.has_upsampler:
        first = replace(first, output=replace(first.output, size=size))
    plain = Pipeline(model.generator, model.pipeline.device, model.pipeline.side_files)
    plain.fast = TorchRenderer()
    if model.pipeline.device == "cpu":
        progress("compiling")
        compile_now()
    progress("baking")
    bakes: dict[str, float] = {}
    start = time.perf_counter()
    for grid in model.pipeline.bake(first):
        bakes[f"{grid.resolution}³"] = time.perf_counter() - start
    orbit = _orbit(model, first)
    few = [orbit(i / views) for i in range(views)]
    progress("exact pictures")
    exact = [plain.frame(state, "exact", live=True).rgb for state in few]
    still = model.pipeline.frame(first, "exact")
    rows: list[Row] = []
    motions: dict[Motion, Callable[[float], ViewState]] = {"orbit": orbit}
    if model.info.layer_names:
        motions["latents"] = _latents(first)
    for motion, at in motions.items():
        progress(f"{motion}, exact by torch")
        frames = list(_frames(plain, at, "exact", seconds))
        base = statistics.median(frame.milliseconds for frame in frames)
        rows.append(_row(motion, "exact", frames, base, None))
        for rung in model.pipeline.rungs(first):
            if motion == "latents" and rung == "baked":
                continue  # a grid is of one identity
            progress(f"{motion}, {rung}")
            frames = list(_frames(model.pipeline, at, rung, seconds))
            pictures = [model.pipeline.frame(state, rung, live=True).rgb for state in few]
            rows.append(_row(motion, rung, frames, base, [_psnr(*both) for both in zip(pictures, exact, strict=True)]))
    device = torch.device(model.pipeline.device)
    on_gpu = device.type == "cuda"
    return Report(
        model=model.info.card.name,
        family=model.info.card.family,
        size=exact[0].shape[0],
        device=torch.cuda.get_device_name(device) if on_gpu else "CPU",
        processor=_processor(),
        threads=threads,
        versions={name: metadata.version(name) for name in ("torch", "numba")} | {"python": platform.python_version()},
        bakes=bakes,
        memory=_peak_memory(),
        device_memory=torch.cuda.max_memory_allocated(device) / 2**20 if on_gpu else None,
        rows=tuple(rows),
        still=still.milliseconds,
        rays=round((still.rays / (still.raw.shape[0] * still.raw.shape[1])) ** 0.5),
        trouble=getattr(model.pipeline.fast, "trouble", ""),
    )


def _row(motion: Motion, rung: FrameRung, frames: list[Frame], base: float, quality: list[float] | None) -> Row:
    times = sorted(frame.milliseconds for frame in frames)
    median = statistics.median(times)
    return Row(
        motion=motion,
        rung=rung,
        torch=quality is None,
        frames=len(times),
        milliseconds=median,
        p95=times[math.ceil(0.95 * len(times)) - 1],
        speedup=base / median,
        psnr=statistics.mean(quality) if quality else None,
        worst=min(quality) if quality else None,
        stages=_stages(frames),
    )


def _orbit(model: Model, first: ViewState) -> Callable[[float], ViewState]:
    low, high = model.info.camera.yaw_range
    reach = min((high - low) / 2, math.pi)

    def at(part: float) -> ViewState:
        yaw = first.camera.yaw + reach * math.sin(2 * math.pi * part + 0.1)
        return replace(first, camera=replace(first.camera, yaw=yaw))

    return at


def _latents(first: ViewState) -> Callable[[float], ViewState]:
    def at(part: float) -> ViewState:
        mix = 0.5 - 0.5 * math.cos(2 * math.pi * part + 0.1)
        latents = replace(first.latents, seed_b=first.latents.seed_b + 5, mix_geometry=mix, mix_appearance=mix)
        return replace(first, latents=latents)

    return at


def _frames(pipeline: Pipeline, at: Callable[[float], ViewState], rung: FrameRung, seconds: float) -> Iterator[Frame]:
    """Frames of a motion that never shows the same state twice; the first, which warms up, is not among them."""
    pipeline.frame(at(0.0), rung, live=True)
    start, count = time.perf_counter(), 0
    while count < _LEAST or time.perf_counter() - start < seconds:
        count += 1
        yield pipeline.frame(at(count / 97.3), rung, live=True)


def _stages(frames: list[Frame]) -> dict[str, float]:
    names = {name: None for frame in frames for name in frame.stages}
    return {name: statistics.median([f.stages[name] for f in frames if name in f.stages]) for name in names}


def _psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * torch.log10((a.clamp(0, 1) - b.clamp(0, 1)).square().mean() + 1e-12))


def _processor() -> str:
    """What the processor calls itself."""
    if sys.platform == "linux":
        try:
            for line in Path("/proc/cpuinfo").read_text().splitlines():
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
        except OSError:
            pass
    return platform.processor() or platform.machine()


def _peak_memory() -> float:
    """MiB of memory that the process held at most; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)

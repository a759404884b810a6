"""How long the largest official checkpoint takes to open: an EG3D pickle of the size of ffhq512-128 (377 MB).

    python tests/bench/bench_open.py

The file is written here, with random numbers in the official layout: G, D and G_ema, as published ones hold.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import torch
from neuroview.engine.process import prepare_process
from neuroview.models.catalog import open_generator
from neuroview.models.eg3d import EG3DConfig, TriPlaneGenerator
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "models"))

from eg3d_files import tree_of, write_official

# Defaults are those of ffhq512-128, the decoder's and the super-resolution's included.
CONFIG = EG3DConfig()
DISCRIMINATOR = 28_800_000
"""Numbers of the published discriminator, about."""


def write(path: Path) -> Path:
    torch.manual_seed(0)
    tensors = dict(TriPlaneGenerator(CONFIG).state_dict())
    raw = {name: value + 0 for name, value in tensors.items()}
    critic = {f"b{i}.conv.weight": torch.randn(DISCRIMINATOR // 8) for i in range(8)}
    extra = {"G": tree_of(raw, "TriPlaneGenerator", {}), "D": tree_of(critic, "DualDiscriminator", {})}
    return write_official(path, CONFIG, tensors, **extra)


def main() -> None:
    console = Console(width=140)
    prepare_process()
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "ffhq-sized.pkl")
        size = path.stat().st_size / 1e6
        times = []
        for _ in range(4):
            start, cpu = time.perf_counter(), time.process_time()
            open_generator(str(path))
            times.append((time.perf_counter() - start, time.process_time() - cpu))
        start = time.perf_counter()
        data = path.read_bytes()
        read = time.perf_counter() - start
        del data
    seconds, cpu = min(times)
    console.print(f"opening a {size:.0f} MB EG3D pickle, fingerprint and NaN check included: {seconds:.2f} s")
    console.print(f"({cpu:.2f} s of CPU; reading its bytes alone takes {read:.2f} s)")


if __name__ == "__main__":
    main()

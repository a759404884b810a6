"""No file makes us do anything but read it: damaged checkpoints of every pickled family, for a bounded time.

`NEUROVIEW_FUZZ_SECONDS` (default 10) is shared evenly by the families; the number of inputs is printed. Files are real
ones, from the official code where the oracles are at hand, else made here by torch.
"""

from __future__ import annotations

import encodings.cp437  # noqa: F401 - zipfile decodes the names of old archives with it
import os
import random
import sys
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, Phase, given, seed, settings
from mutations import RECIPES, damaged
from neuroview.models.base import Generator
from neuroview.models.catalog import open_generator
from neuroview.models.contents import inspect
from neuroview.models.errors import CheckpointError, UnsafePickle
from neuroview.models.graf import GRAFLayout, GRAFNetwork
from neuroview.models.nerf import Encoding, NeRFLayout

SECONDS = float(os.environ.get("NEUROVIEW_FUZZ_SECONDS", "10"))
SLOWEST = 20.0
"""Seconds for one input, on a busy machine."""
MOST_MEMORY = 1 << 30
"""Bytes by which the process may grow; the largest file here has 14 MB."""

FILES = {
    "EG3D": "eg3d/small512.pkl",
    "StyleNeRF": "stylenerf/small_ffhq_r128_pixelshuffle/network-snapshot-000000.pkl",
    "pi-GAN": "pigan/celeba_spatialsirenbaseline/generator.pth",
    "pi-GAN's average": "pigan/celeba_spatialsirenbaseline/ema.pth",
    "NeRF (krrish94)": "nerf/lego-lowres/checkpoint199999.ckpt",
    "NeRF (yenchenlin)": None,
    "GRAF": None,
    "EditNeRF": "editnerf/model.tar",
}

# What reading a file is made of; anything else that Python reports is a finding.
HARMLESS = {
    "open",
    "mmap.__new__",
    "os.scandir",
    "os.listdir",
    "pathlib.Path.glob",
    "object.__getattr__",
    "builtins.id",
}
ASSETS = str(resources.files("neuroview.assets"))
"""A name could be that of a shipped model, so their descriptions are looked at first."""

_watched: list[tuple[str, tuple]] | None = None


def _audit(event: str, arguments: tuple) -> None:
    if _watched is not None:
        _watched.append((event, arguments))


@pytest.fixture(scope="module", autouse=True)
def _listening() -> None:
    sys.addaudithook(_audit)  # for good: Python lets nobody remove one


@contextmanager
def watched(folder: Path) -> Iterator[None]:
    """Fails when anything is imported, run, written, or opened outside of `folder` inside of the block."""
    global _watched
    modules = set(sys.modules)
    _watched = events = []
    try:
        yield
    finally:
        _watched = None
    assert set(sys.modules) == modules, f"imported {sorted(set(sys.modules) - modules)}"
    for event, arguments in events:
        assert event in HARMLESS, f"{event}{arguments!r:.200}"
        if event == "open":
            path, mode, flags = arguments
            assert str(path).startswith((str(folder), ASSETS)), f"opened {path}"
            assert not set(mode or "r") & set("wax+"), f"opened {path} with {mode}"
            assert not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT), f"opened {path} with flags {flags}"


def plain_nerf() -> OrderedDict:
    """A small network under yenchenlin's names."""
    layout = NeRFLayout(width=8, depth=3, points=Encoding(2), directions=Encoding(1), view_width=4, skips=(1,))
    shapes = {
        "pts_linears.0": (8, layout.points.width),
        "pts_linears.1": (8, 8 + layout.points.width),
        "pts_linears.2": (8, 8),
        "views_linears.0": (4, 8 + 9),
        "feature_linear": (8, 8),
        "alpha_linear": (1, 8),
        "rgb_linear": (3, 4),
    }
    made = OrderedDict()
    for name, shape in shapes.items():
        made[f"{name}.weight"], made[f"{name}.bias"] = torch.randn(shape), torch.zeros(shape[0])
    return made


def made_here(name: str, path: Path) -> None:
    torch.manual_seed(0)
    if name == "GRAF":
        network = GRAFNetwork(GRAFLayout(shape_code=4, appearance_code=4, width=8, view_width=4))
        content = {"it": 1, "generator": network.state_dict(), "generator_test": network.state_dict()}
        torch.save(content, path)
    else:
        content = {"global_step": 1, "network_fn_state_dict": plain_nerf(), "network_fine_state_dict": plain_nerf()}
        torch.save(content, path, _use_new_zipfile_serialization=False)


def memory() -> int:
    """Bytes that the process has ever held."""
    resource = pytest.importorskip("resource")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_opened_or_refused_and_nothing_else_happens(name, tmp_path, request, capsys):
    # Deep enough that what lies beside a file, and one folder up, is within tmp_path.
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    path = folder / "model.bin"
    if FILES[name] is None:
        made_here(name, path)
    else:
        path.write_bytes((request.getfixturevalue("oracles") / FILES[name]).read_bytes())
    if "average" in name:  # it needs the generator beside it
        source = request.getfixturevalue("oracles") / FILES["pi-GAN"]
        path = path.rename(folder / "ema.pth")
        (folder / "generator.pth").write_bytes(source.read_bytes())
    original = path.read_bytes()
    assert isinstance(open_generator(str(path)), Generator)  # imports what any opening does
    inspect(str(path))
    begin, outcomes = memory(), Counter()

    @settings(
        max_examples=20,
        deadline=None,
        database=None,
        phases=(Phase.generate,),  # a finding is told at once; shrinking it could take minutes
        suppress_health_check=list(HealthCheck),
    )
    @given(RECIPES)
    def attempt(recipe) -> None:
        path.write_bytes(damaged(original, recipe))
        started = time.perf_counter()
        with watched(tmp_path):
            told = ""
            try:
                made = open_generator(str(path))
                outcome = "opened"
                assert isinstance(made, Generator)
            except UnsafePickle:
                outcome = "unsafe"
            except CheckpointError as error:
                outcome, told = "refused", str(error)
            if len(recipe[1]) == 1:  # the same reader again, so a part of the inputs is enough
                with suppress(CheckpointError):
                    inspect(str(path))
        outcomes[outcome] += 1
        assert len(told) < 2000, "nobody reads that much"
        assert time.perf_counter() - started < SLOWEST

    end = time.perf_counter() + SECONDS / len(FILES)
    source = random.Random(int(os.environ.get("NEUROVIEW_FUZZ_SEED", "0")))
    while True:
        seed(source.getrandbits(32))(attempt)()
        if time.perf_counter() > end:
            break
    grown = memory() - begin
    with capsys.disabled():
        told = ", ".join(f"{count} {what}" for what, count in sorted(outcomes.items()))
        print(f"\nfuzz {name}: {sum(outcomes.values())} inputs ({told}), {grown / 2**20:.0f} MiB more memory")
    assert grown < MOST_MEMORY

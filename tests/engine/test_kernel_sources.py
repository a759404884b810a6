"""What a kernel is compiled from names its folder in the cache: stale code is never loaded, old folders go."""

from __future__ import annotations

import importlib
import os
import sys
import time

import numba
import numpy as np
import pytest
from neuroview.engine.rendering import numba_setup
from neuroview.engine.rendering.kernel_sources import PATIENCE, kernel_folder, sources_hash, sources_of

KERNEL = """
import numba
import numpy as np
from neuroview.engine.rendering.numba_setup import njit_parallel
from .factor import FACTOR
from . import (
    other,
)

@njit_parallel
def scale(values):
    for n in numba.prange(len(values)):
        values[n] *= FACTOR
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with one kernel, which takes in a constant of another file."""
    folder = tmp_path / "pretend_scaling"
    (folder / "deeper").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "kernel.py").write_text(KERNEL)
    (folder / "factor.py").write_text("from .deeper.base import BASE\n\nFACTOR = 2.0 * BASE\n")
    (folder / "deeper" / "__init__.py").write_text("")
    (folder / "deeper" / "base.py").write_text("BASE = 1.0\n")
    (folder / "other.py").write_text("from . import kernel  # in a circle\n")
    (folder / "beside.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder


def test_a_kernel_is_made_of_all_that_its_file_imports_and_of_nothing_beside(package):
    names = {path.relative_to(package).as_posix() for path in sources_of(package / "kernel.py")}
    assert names == {"kernel.py", "factor.py", "other.py", "deeper/base.py"}


def test_another_text_anywhere_in_it_is_another_name(package):
    before = sources_hash(package / "kernel.py")
    (package / "beside.py").write_text("FACTOR = 3.0\n")
    assert sources_hash(package / "kernel.py") == before
    (package / "deeper" / "base.py").write_text("BASE = 1.5\n")
    assert sources_hash(package / "kernel.py") != before


def test_a_file_that_cannot_be_read_has_a_name_too(tmp_path):
    assert len(sources_hash(tmp_path / "archive.zip" / "kernel.py")) == 16


def test_folders_of_earlier_texts_are_removed_once_nobody_uses_them(package, tmp_path):
    cache, file = tmp_path / "cache", package / "kernel.py"
    first = kernel_folder(cache, file)
    (first / "code").write_text("compiled")
    (package / "factor.py").write_text("FACTOR = 3.0\n")
    second = kernel_folder(cache, file)
    others = kernel_folder(cache, package / "beside.py")
    assert first.exists()  # of another checkout, perhaps
    (package / "factor.py").write_text("FACTOR = 4.0\n")
    long_ago = time.time() - PATIENCE - 60
    for folder in (first, others):
        os.utime(folder, (long_ago, long_ago))
    third = kernel_folder(cache, file)
    assert [first.exists(), second.exists(), third.exists(), others.exists()] == [False, True, True, True]


def test_a_folder_in_use_does_not_grow_old(package, tmp_path):
    folder = kernel_folder(tmp_path, package / "kernel.py")
    os.utime(folder, (0, 0))
    assert kernel_folder(tmp_path, package / "kernel.py") == folder
    assert time.time() - folder.stat().st_mtime < PATIENCE


def test_compiled_code_follows_a_constant_of_another_file(package, tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(numba_setup, "_folder_of", kernel_folder)

    def scaled() -> tuple[float, bool]:
        """What the kernel makes of 1, imported anew, and whether it was compiled for that."""
        for name in [name for name in sys.modules if name.startswith("pretend_scaling")]:
            del sys.modules[name]
        importlib.invalidate_caches()
        kernel = importlib.import_module("pretend_scaling.kernel").scale
        values = np.ones(1)
        with numba_setup.kernel_threads(1):
            kernel(values)
        return float(values[0]), not kernel.stats.cache_hits

    assert scaled() == (2.0, True)
    assert scaled() == (2.0, False)
    (package / "factor.py").write_text("FACTOR = 123.0\n")
    assert scaled() == (123.0, True)

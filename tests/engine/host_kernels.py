"""Kernels compiled for the CPU: tests run the very lines that the GPU runs."""

from __future__ import annotations

import ctypes
import platform
import shutil
import subprocess
from pathlib import Path

import pytest
from neuroview.engine.rendering.kernels.program import source
from torch import Tensor


def host_kernel(name: str, sizes: dict[str, int], folder: Path):
    """A `Runner` over a kernel's lines compiled by the machine's C++ compiler; skips where there is none."""
    compiler = next((c for c in ("g++", "clang++", "c++") if shutil.which(c)), None)
    if compiler is None or platform.system() == "Windows":
        pytest.skip("no C++ compiler to run the kernel's lines on the CPU")
    text, library = folder / "kernel.cpp", folder / "kernel.so"
    text.write_text(source(name), "utf-8")
    macros = [f"-D{key}={value}" for key, value in sizes.items()]
    line = [compiler, "-std=c++17", "-O2", "-shared", "-fPIC", "-Wno-unknown-pragmas", *macros, text, "-o", library]
    done = subprocess.run(list(map(str, line)), capture_output=True, text=True)
    if done.returncode and "_Float16" in done.stderr:
        pytest.skip("the C++ compiler is too old to know half precision")
    assert done.returncode == 0, done.stderr
    render = ctypes.CDLL(str(library)).render

    def run(*tensors: Tensor) -> None:
        assert all(t.is_contiguous() and t.device.type == "cpu" for t in tensors)
        render(*(ctypes.c_void_p(t.data_ptr()) for t in tensors))

    return run

"""Kernels compiled for the CPU: tests run the very lines that the GPU runs."""

from __future__ import annotations

import ctypes
import math
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from neuroview.engine.rendering.kernels import program
from neuroview.engine.rendering.kernels.program import source
from torch import Tensor

ARCHITECTURES = ("sm_75", "sm_80", "sm_86", "sm_89", "sm_90")


@dataclass(frozen=True)
class Figures:
    """What the assembler says of a kernel."""

    registers: int
    spilled: int
    """Bytes a thread, stores and loads together."""


def compiler_report(name: str, sizes: dict[str, int], arch: str) -> Figures:
    """Compiles a kernel for a GPU that need not be there; skips where there is no compiler for it."""
    pytest.importorskip("cuda.core", reason="cuda-python is not installed")
    try:
        text = program.report(name, sizes, arch)
    except program.KernelError as error:
        if "libnvrtc" in str(error):
            pytest.skip("NVRTC is not installed")
        raise
    stores, loads = re.findall(r"(\d+) bytes spill (?:stores|loads)", text)
    (registers,) = re.findall(r"Used (\d+) registers", text)
    return Figures(int(registers), int(stores) + int(loads))


def launch_bytes(name: str) -> int:
    """Size of a kernel's `struct Launch`, of four-byte numbers."""
    text = source(name)
    struct = text[text.index("struct Launch {") : text.index("};", text.index("struct Launch {"))]
    names = [part for line in struct.splitlines()[1:] for part in line.split("//")[0].strip(" ;").split(",") if part]
    return 4 * sum(math.prod(int(n.split("]")[0]) for n in name.split("[")[1:]) for name in names)


def psnr(a: Tensor, b: Tensor) -> float:
    """Of values in 0..1, dB."""
    return float(-10 * torch.log10((a - b).square().mean() + 1e-12))


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

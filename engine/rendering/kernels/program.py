"""CUDA C++ to machine code at run time: NVRTC through cuda.core, each result kept on disk.

Nothing is compiled at installation and no compiler is needed: NVRTC comes with CUDA builds of torch. A kernel compiles
in about half a second, once for each source, set of sizes and kind of GPU.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import platformdirs

from ....models.errors import NeuroviewError

OPTIONS = ("fma", "fast division")
"""Part of a kept program's name: changes to how `compiled` calls the compiler make it another one."""


class KernelError(NeuroviewError):
    """A kernel cannot be compiled or launched here; torch renders in its place."""


def source(name: str) -> str:
    """The text of a kernel in this folder, such as 'triplane.cu', with what it includes from here."""
    text = resources.files(__package__ or "").joinpath(name).read_text("utf-8")
    return re.sub(r'^#include "([\w.]+)"$', lambda found: source(found[1]).rstrip(), text, flags=re.MULTILINE)


def compiled(name: str, sizes: Mapping[str, int], arch: str, *, folder: Path | None = None) -> bytes:
    """Machine code (cubin) of a kernel.

    Args:
        name: its file in this folder.
        sizes: macros that the file wants defined.
        arch: of the GPU, such as 'sm_90'.
        folder: where results are kept; None: the user's cache.

    Raises:
        KernelError: NVRTC is missing, or does not compile it.
    """
    text = source(name)
    key = hashlib.sha256(repr((text, sorted(sizes.items()), arch, _version(), OPTIONS)).encode()).hexdigest()
    folder = Path(platformdirs.user_cache_dir("neuroview")) / "kernels" if folder is None else folder
    path = folder / f"{Path(name).stem}-{arch}-{key[:24]}.cubin"
    try:
        return path.read_bytes()
    except OSError:
        code = _compile(text, name, sizes, arch)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            file.write(code)
        os.replace(file.name, path)
    except OSError:  # a read-only or full disk only means compiling again next time
        pass
    return code


def report(name: str, sizes: Mapping[str, int], arch: str) -> str:
    """What the assembler says of a kernel: registers, spills, shared memory."""
    import io

    log = io.StringIO()
    _compile(source(name), name, sizes, arch, log=log)
    return log.getvalue()


def _compile(text: str, name: str, sizes: Mapping[str, int], arch: str, *, log: Any = None) -> bytes:
    try:
        from cuda.core import Program, ProgramOptions
    except ImportError as error:
        raise KernelError(f"cuda-python cannot be loaded ({error}); torch renders in place of {name}.") from error
    options = ProgramOptions(
        name=name,
        arch=arch,
        define_macro=[(key, str(value)) for key, value in sizes.items()],
        prec_div=False,
        ptxas_options=None if log is None else ["-v"],
    )
    try:
        return bytes(Program(text, "c++", options).compile("cubin", logs=log).code)
    except Exception as error:  # cuda.core raises a different type for each way that this can fail
        raise KernelError(f"{name} does not compile for {arch} ({error}); torch renders in its place.") from error


@lru_cache(maxsize=1)
def _version() -> str:
    try:
        from cuda.bindings import nvrtc

        error, major, minor = nvrtc.nvrtcVersion()
        return f"{error} {major}.{minor}"
    except Exception:
        return "none"

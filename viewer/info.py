"""What a bug report needs: versions, machine, OpenGL, CUDA, presenter, folders. Behind `neuroview info`."""

from __future__ import annotations

import json
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import platformdirs

from .settings import settings_path

if TYPE_CHECKING:
    from rich.console import Console

Section = tuple[str, list[tuple[str, str]]]
"""A heading and its rows."""

PACKAGES = (
    *("neuroview", "torch", "numpy", "numba", "safetensors", "pillow", "opencv-python"),
    *("glfw", "PyOpenGL", "dearpygui", "cuda-python"),
)
VARIABLES = re.compile(
    r"NEUROVIEW_\w+|CUDA_VISIBLE_DEVICES|PYTORCH_\w+|OMP_NUM_THREADS|MKL_NUM_THREADS|NUMBA_\w+"
    r"|DISPLAY|WAYLAND_DISPLAY|XDG_SESSION_TYPE|PYOPENGL_PLATFORM|LIBGL_\w+|MESA_\w+|GALLIUM_DRIVER"
    r"|__NV_PRIME_RENDER_OFFLOAD|__GLX_VENDOR_LIBRARY_NAME|__EGL_VENDOR_LIBRARY_FILENAMES"
)
"""Environment variables that change what is drawn, where or how fast. No others: a report is made to be shared."""

PROBE_SECONDS = 60.0
"""A driver that has not answered by then never will; importing torch from a cold disk takes some 20 s."""

VECTOR_FLAGS = ("sse4_2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "asimd")


def system_report() -> list[Section]:
    """Everything, section by section. Takes some seconds; never raises for what a machine may lack."""
    # Both at once, and while the rest is gathered: each imports torch.
    with _Probe("screen") as asked_screen, _Probe("compute") as asked_compute:
        report: list[Section] = [("Versions", _versions()), ("Machine", _machine())]
        report.append(("Computing", _answers(asked_compute)))
        report.append(("Screen", _answers(asked_screen)))
    report.append(("Folders", _folders()))
    report.append(("Environment", _variables()))
    return report


def print_report(console: Console) -> None:
    """Print the report: a table on a terminal, plain `key: value` lines where it is piped or saved."""
    if not console.is_terminal:
        for title, rows in system_report():
            console.print(f"## {title}", markup=False, soft_wrap=True)
            for key, value in rows:
                console.print(f"{key}: {value}", markup=False, soft_wrap=True)
        return
    from rich.table import Table
    from rich.text import Text

    with console.status("Asking the drivers"):
        report = system_report()
    width = max(len(key) for _, rows in report for key, _ in rows)
    for title, rows in report:
        table = Table(
            title=title, title_justify="left", title_style="bold", box=None, show_header=False, padding=(0, 2)
        )
        table.add_column(style="dim", min_width=min(width, 28))
        table.add_column(overflow="fold")
        for key, value in rows:
            # Text, because a value in brackets would be read as markup.
            table.add_row(Text(key), Text(value))
        console.print(table)
        console.print()


def _versions() -> list[tuple[str, str]]:
    rows = [("python", f"{platform.python_version()} ({platform.python_implementation()})")]
    for name in PACKAGES:
        try:
            rows.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            rows.append((name, "not installed"))
    return rows


def _machine() -> list[tuple[str, str]]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    name, flags = _processor()
    rows = [
        ("system", f"{_system_name()}, {platform.machine()}"),
        ("processor", name),
        ("cores", f"{cores} usable of {os.cpu_count()}"),
    ]
    if flags:
        rows.append(("vector units", flags))
    rows.append(("memory", _memory()))
    return rows


def _system_name() -> str:
    try:
        return f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {platform.system()} {platform.release()}"
    except (OSError, KeyError):
        return f"{platform.system()} {platform.release()}"


def _processor() -> tuple[str, str]:
    """Its name, and those of its vector instructions that decide how fast a CPU renders."""
    text = _read("/proc/cpuinfo")
    name = re.search(r"(?m)^model name\s*:\s*(.+)$", text)
    flags = re.search(r"(?m)^(?:flags|Features)\s*:\s*(.+)$", text)
    held = set(flags.group(1).split()) if flags else set()
    shown = " ".join(flag for flag in VECTOR_FLAGS if flag in held)
    return (name.group(1) if name else platform.processor() or "not told"), shown


def _memory() -> str:
    total, free = (re.search(rf"{key}:\s+(\d+) kB", _read("/proc/meminfo")) for key in ("MemTotal", "MemAvailable"))
    if not total or not free:
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0
        return f"{pages / 2**30:.1f} GiB" if pages > 0 else "not told"
    return f"{int(free.group(1)) / 2**20:.1f} of {int(total.group(1)) / 2**20:.1f} GiB available"


def _folders() -> list[tuple[str, str]]:
    return [
        ("settings", str(settings_path())),
        ("cache", platformdirs.user_cache_dir("neuroview")),
        ("neuroview", str(Path(__file__).parent.parent)),
        ("python", sys.executable),
    ]


def _variables() -> list[tuple[str, str]]:
    rows = [(name, value) for name, value in sorted(os.environ.items()) if VARIABLES.fullmatch(name)]
    return rows or [("none", "of those that matter here is set")]


class _Probe:
    """A child process that asks a driver; entering starts it, leaving ends it if it still runs."""

    def __init__(self, kind: Literal["screen", "compute"]) -> None:
        self.kind = kind

    def __enter__(self) -> _Probe:
        # A file and not a pipe: what was told before a hang can still be read, and no full pipe can cause one.
        self.output = tempfile.TemporaryFile("w+", encoding="utf-8")
        self.errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        line = [sys.executable, "-m", f"{__package__}.probe", self.kind]
        self.process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.errors)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.output.close()
        self.errors.close()


def _answers(probe: _Probe) -> list[tuple[str, str]]:
    """What a child found out, and how it ended if not well."""
    problem = ""
    try:
        code = probe.process.wait(PROBE_SECONDS)
    except subprocess.TimeoutExpired:
        probe.process.kill()
        code, problem = 0, f"no answer within {PROBE_SECONDS:.0f} s"
    probe.output.seek(0)
    rows = []
    for line in probe.output.read().splitlines():
        # A driver may print to the same place, and a kill may cut a line.
        try:
            key, value = json.loads(line)
        except (ValueError, TypeError):
            continue
        rows.append((str(key), str(value)))
    if code < 0:
        problem = f"the driver ended the process ({signal.Signals(-code).name})"
    elif code > 0:
        probe.errors.seek(0)
        lines = [line for line in probe.errors.read().splitlines() if line.strip()]
        problem = lines[-1] if lines else f"exit code {code}"
    return [*rows, ("problem", problem)] if problem else rows


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""

"""From the command to the window, to the first picture, to a ready program; and the memory that it takes then.

    python tests/bench/bench_start.py [MODEL]        (default heads; needs Xvfb and xdotool)

The program runs on a virtual screen of its own, drawn by the CPU; three runs, the best of each figure. Polling the
screen takes some of the machine, so the figures err on the slow side.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import ImageGrab
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "gui"))

from conftest import xvfb

PATIENCE = 60.0


def windows(environment: dict[str, str]) -> list[str]:
    line = ["xdotool", "search", "--onlyvisible", "--name", "neuroview$"]
    return subprocess.run(line, capture_output=True, text=True, env=environment).stdout.split()


def brightness(display: str) -> float:
    """Of the middle of the screen's left half, where the view stands; the start screen is dark, pictures are not."""
    shot = np.asarray(ImageGrab.grab(bbox=(300, 300, 900, 900), xdisplay=display).convert("L"))
    return float(shot.mean())


def wait_for(condition, start: float) -> float:
    while not condition():
        if time.perf_counter() - start > PATIENCE:
            return float("nan")
        time.sleep(0.01)
    return time.perf_counter() - start


def memory(pid: int) -> tuple[float, float]:
    """(resident now, most so far) in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines if line.startswith("Vm"))
    return tuple(int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))  # type: ignore[return-value]


def run(model: str, display: str) -> tuple[float, ...]:
    with tempfile.TemporaryDirectory() as config:
        environment = {**os.environ, "DISPLAY": display, "NEUROVIEW_CONFIG_DIR": config}
        start = time.perf_counter()
        program = subprocess.Popen([sys.executable, "-m", "neuroview.viewer", model], env=environment)
        try:
            window = wait_for(lambda: windows(environment), start)
            picture = wait_for(lambda: brightness(display) > 90, start)
            time.sleep(12)  # baked, refined and idle
            resident, most = memory(program.pid)
        finally:
            program.terminate()
            program.wait(20)
    return window, picture, resident, most


def main(model: str) -> None:
    with xvfb(1680, 1200) as display:
        if not display:
            sys.exit("needs Xvfb (apt-get install xvfb)")
        runs = [run(model, display) for _ in range(3)]
    table = Table(title=f"neuroview {Path(model).name}: start")
    for column in ("window, s", "first picture, s", "resident, MiB", "most, MiB"):
        table.add_column(column, justify="right")
    table.add_row(
        *(f"{min(values):.2f}" if i < 2 else f"{max(values):.0f}" for i, values in enumerate(zip(*runs, strict=True)))
    )
    Console(width=120).print(table)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "heads")

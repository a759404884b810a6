"""`neuroview bench`: a table of speed and fidelity that can be pasted anywhere, and the same as JSON."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from ..engine.benchmark import Report


def add_bench_command(commands: argparse._SubParsersAction) -> None:
    """Adds the command."""
    bench = commands.add_parser("bench", help="measure how fast a model is on this machine, and how true")
    bench.add_argument("model", nargs="?", default="heads", help="a shipped name or a checkpoint's path (heads)")
    bench.add_argument("--device", default="auto", help="auto, cpu, cuda:0 ... (default auto)")
    bench.add_argument("--seconds", type=_seconds, default=2.0, help="for each row (2)")
    bench.add_argument("--size", type=int, help="side of the pictures, for models without super-resolution")
    bench.add_argument("--json", metavar="FILE", help="write everything as JSON too")
    bench.set_defaults(run=_run)


def report_table(report: Report) -> Table:
    """The report's rows."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.MARKDOWN, header_style="bold")
    for column in ("moves", "rung", "ms", "p95", "frames/s", "x exact", "PSNR dB", "worst", "stages, ms"):
        table.add_column(column, justify="left" if column in ("moves", "rung", "stages, ms") else "right")
    for row in report.rows:
        quality = ("", "") if row.psnr is None or row.worst is None else (f"{row.psnr:.1f}", f"{row.worst:.1f}")
        stages = ", ".join(f"{name} {ms:.1f}" for name, ms in row.stages.items() if ms >= 0.05)
        numbers = (f"{row.milliseconds:.1f}", f"{row.p95:.1f}", f"{row.rate:.1f}", f"{row.speedup:.1f}")
        rung = f"{row.rung}, torch alone" if row.torch else row.rung
        table.add_row("camera" if row.motion == "orbit" else row.motion, rung, *numbers, *quality, stages)
    return table


def report_lines(report: Report) -> list[str]:
    """What stands above the table."""
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    baked = ", ".join(f"{grid} after {seconds:.2f} s" for grid, seconds in report.bakes.items())
    memory = f"{report.memory:.0f} MiB at most"
    if report.device_memory is not None:
        memory += f", {report.device_memory:.0f} MiB on the GPU"
    rays = f"{report.rays} x {report.rays} rays a pixel" if report.rays > 1 else "one ray a pixel"
    lines = [
        f"{report.model} ({report.family}) at {report.size} x {report.size} on {report.device}",
        f"{report.processor}, {report.threads} threads; {versions}",
        f"baked: {baked or 'never'}; memory: {memory}; standing still: exact in {report.still:.0f} ms ({rays})",
    ]
    return [*lines, report.trouble] if report.trouble else lines


def _run(options: argparse.Namespace) -> int:
    from rich.console import Console

    from ..engine.benchmark import benchmark
    from ..engine.model import open_model

    console = Console(highlight=False)
    with Console(stderr=True).status(f"Opening {options.model}") as status:
        model = open_model(options.model, options.device)
        report = benchmark(
            model,
            seconds=options.seconds,
            size=options.size,
            progress=lambda what: status.update(f"Measuring: {what}"),
        )
    for line in report_lines(report):
        console.print(line, markup=False, soft_wrap=True)
    # Wide enough for a row to stay one line wherever it is pasted.
    Console(highlight=False, width=max(console.width, 200)).print(report_table(report))
    if options.json:
        Path(options.json).write_text(json.dumps(report.to_json(), indent=1) + "\n", "utf-8")
    return 0


def _seconds(text: str) -> float:
    value = float(text)
    if not (math.isfinite(value) and 0 < value <= 600):
        raise argparse.ArgumentTypeError(f"{text} seconds: expected more than 0 and at most 600")
    return value

"""Driving: how fast the town is drawn and sent, how fast it is painted end to end, and how late a turn of the wheel is.

    python tests/bench/bench_drive.py [--translator NAME|PATH]

Default: the shipped town, else random weights of its layout (speed means something, pictures do not).

The painted drive is the program's own chain: the engine in its own process, gRPC, the render loop, the painter; only
the window is missing, which adds up to one refresh of the screen. Latency is measured from outside: the wheel is thrown
over, and the clock runs until a painted picture shows wheels that have turned that way. Each row names what it should
reach on two CPU cores; a ratio above 1 is better than asked.
"""

from __future__ import annotations

import argparse
import functools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from neuroview.engine.driving import quick_painter
from neuroview.engine.driving.client import EngineClient
from neuroview.engine.driving.engines import EngineSpec
from neuroview.engine.driving.messages import Control, DriveFrame
from neuroview.engine.driving.painting import Painting
from neuroview.engine.driving.supervise import EngineProcess
from neuroview.engine.driving.town.simulation import TownSimulator
from neuroview.engine.loop import RenderLoop
from neuroview.engine.process import cores, prepare_process
from neuroview.engine.rendering import compiled
from neuroview.engine.state import Drive, ViewState
from neuroview.engine.store import Store
from neuroview.models.base import ModelCard
from neuroview.models.formats import painter_native
from neuroview.models.painter import Painter, PainterConfig
from neuroview.models.painter_conditions import PARTS, ConditionLayout
from neuroview.models.translators import open_translator, shipped_translators
from rich.console import Console
from rich.table import Table

SIZES = ((256, 128), (512, 256))
ALONE = Control(autopilot=True)
WARM, MEASURED = 2.0, 6.0
"""Seconds of a painted drive before anything counts, and that count."""
WARM_CALLS, ROUNDS = 3, 9
"""Calls before one that counts, and how often two painters take turns."""
TURNS, HELD, LATEST = 16, 0.6, 3.0
"""How often the wheel is thrown over, for how many seconds it is then held, so that it comes to rest, and how many
seconds are waited for a picture of it."""
PATIENCE = 90.0


def percentile(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def timed(work: Callable[[], object], seconds: float = 2.0) -> list[float]:
    """Milliseconds of each call, of one at least; some others come before it."""
    for _ in range(WARM_CALLS):
        work()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - start))
    return times


def memory(pid: int) -> tuple[float, float]:
    """What a process holds, and the most that it has held so far, MiB."""
    lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    found = {line[0]: int(line[1]) / 1024 for line in lines if line[0] in ("VmRSS:", "VmHWM:")}
    return found["VmRSS:"], found["VmHWM:"]


def computed(pid: int) -> float:
    """Seconds that a process has computed so far."""
    entries = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(entries[11]) + int(entries[12])) / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


class Report:
    """The one table."""

    def __init__(self) -> None:
        self.table = Table(title="Driving")
        self.table.add_column("what")
        for column in ("size", "measured", "target", "ratio", "more"):
            self.table.add_column(column, justify="right")

    def add(
        self, what: str, size: str, value: float, unit: str, target: float | None = None, more: str = "", *, less=False
    ) -> None:
        ratio = "" if not target else f"{target / value if less else value / target:.2f}"
        aim = "" if target is None else f"{'≤' if less else '≥'} {target:g}"
        self.table.add_row(what, size, f"{value:.1f} {unit}", aim, ratio, more)


def drawing(report: Report) -> None:
    """The town in this process: simulation, drawing and read-back."""
    for (width, height), geometry, target in (
        ((256, 128), False, 100),
        ((256, 128), True, None),
        ((512, 256), True, None),
    ):
        simulator = TownSimulator(7, width, height, geometry=geometry)
        try:
            for _ in range(90):
                simulator.advance(ALONE)
            times = timed(lambda simulator=simulator: simulator.step(ALONE))
        finally:
            simulator.close()
        middle = statistics.median(times)
        what = "labels, motion and geometry" if geometry else "labels and motion"
        more = f"{middle:.1f} ms, p95 {percentile(times, 0.95):.1f}"
        report.add(f"town: {what}", f"{width}x{height}", 1000 / middle, "frames/s", target, more)


def service(report: Report) -> list[DriveFrame]:
    """One step a CONTROL through process and gRPC, all maps; returns some frames of each size for the painter."""
    kept = []
    for width, height in SIZES:
        process = EngineProcess(EngineSpec(width=width, height=height))
        try:
            with EngineClient(process.address) as client:
                client.start("synchronous")
                for _ in range(60):
                    last = client.tick(ALONE).frame
                times = timed(lambda client=client: client.tick(ALONE))
                kept.append(last)
        finally:
            process.close()
        more = f"p95 {percentile(times, 0.95):.1f} ms"
        report.add(
            "service: CONTROL to DATA, all maps", f"{width}x{height}", statistics.median(times), "ms", None, more
        )
    return kept


def painting(report: Report, translator: str, frames: list[DriveFrame]) -> None:
    """The painter alone, with memory, in this process: the quick one, and in turn with it the readable one."""
    compiled.load(quick_painter.__name__)
    for frame in frames:
        height, width = frame.labels.shape
        opened = open_translator(translator, (height, width))
        quick, readable = Painting(opened), Painting(opened, quick=False)
        quick.threads = readable.threads = threads = max(1, cores() - 1)  # as beside an engine of one's own
        for paints in (quick, readable):
            paints.paint(frame, "carla")
        frame = replace(frame, cut=False)
        times: dict[Painting, list[float]] = {quick: [], readable: []}
        computing = dict.fromkeys(times, 0.0)
        for _ in range(ROUNDS):
            for paints, noted in times.items():
                start = time.process_time()
                noted += timed(functools.partial(paints.paint, frame, "carla"), 0.0)
                computing[paints] += time.process_time() - start
        clock = {paints: statistics.median(noted) for paints, noted in times.items()}
        computed_ms = 1000 * computing[quick] / (WARM_CALLS + 1) / ROUNDS
        slower, more_work = clock[readable] / clock[quick], computing[readable] / computing[quick]
        more = f"CPU {computed_ms:.1f} ms, threads {threads}; readable: {slower:.1f} times as long, CPU {more_work:.1f}"
        report.add("painter alone", f"{width}x{height}", clock[quick], "ms", None, more)


@dataclass(frozen=True)
class Seen:
    """Of one painted picture; not its maps, of which a minute's would take gigabytes."""

    at: float
    """When it was there, seconds of `time.perf_counter`."""
    passed: float
    """Seconds of the world."""
    steer: float
    """How far the wheels had turned, -1..1."""


@dataclass
class Watch:
    """Listens to a loop: when each painted picture was there, and what it showed."""

    loop: RenderLoop
    shown: list[Seen] = field(default_factory=list)
    _last: DriveFrame | None = None

    def __call__(self) -> None:
        drive = self.loop.status.drive
        if drive is None or drive.frame is None or self.loop.frame is None or not drive.translator:
            return
        if drive.frame is not self._last:
            self._last = drive.frame
            self.shown.append(Seen(time.perf_counter(), drive.frame.time, drive.frame.vehicle.steer))


def painted(report: Report, translator: str, width: int, height: int, least: float) -> None:
    """The program's own chain, without a window."""
    size = f"{width}x{height}"
    drive = Drive(width=width, height=height, translator=translator, viewpoint="chase")
    loop = RenderLoop(Store(ViewState(model="", drive=drive)), device="cpu")
    watch = Watch(loop)
    stop_listening = loop.listen(watch)
    loop.start("")
    try:
        began = time.perf_counter()
        while len(watch.shown) < 5:
            status = loop.status.drive
            if time.perf_counter() - began > PATIENCE or (status is not None and status.connection == "lost"):
                sys.exit(f"no painted drive: {'' if status is None else status.text} {loop.status.messages}")
            time.sleep(0.05)
        hold(loop, ALONE, WARM)
        first, spent = len(watch.shown), (time.process_time(), sum(computed(pid) for pid in children(os.getpid())))
        hold(loop, ALONE, MEASURED)
        seen = watch.shown[first:]
        own, others = (time.process_time() - spent[0], sum(computed(pid) for pid in children(os.getpid())) - spent[1])
        own, others = 1000 * own / max(1, len(seen)), 1000 * others / max(1, len(seen))
        span, passed = seen[-1].at - seen[0].at, seen[-1].passed - seen[0].passed
        status = loop.status.drive
        assert status is not None
        assert status.engine is not None
        more = f"painter {status.painter_ms:.1f} ms; a frame's CPU: viewer {own:.1f}, engine {others:.1f} ms"
        report.add("painted drive, end to end", size, (len(seen) - 1) / span, "frames/s", least, more)
        rate = status.engine.rate * passed / span
        report.add("engine beside it", size, rate, "Hz", status.engine.rate, f"{status.dropped} steps not drawn")
        before = memory(os.getpid())[0]
        late = turns(loop, watch)
        spread = f"p95 {percentile(late, 0.95):.0f} ms; program's own figure {status.latency_ms:.0f} ms"
        report.add("wheel to painted picture", size, statistics.median(late), "ms", 100, spread, less=True)
        after, most = memory(os.getpid())
        engine = sum(memory(pid)[1] for pid in children(os.getpid()))
        frames = len(watch.shown) - first - len(seen)
        more = f"{after - before:+.0f} MiB in {frames} frames; and engine {engine:.0f} MiB"
        report.add("memory, most so far", size, most, "MiB", None, more)
    finally:
        stop_listening()
        loop.stop()


def hold(loop: RenderLoop, control: Control, seconds: float) -> None:
    """The driver does the same for a while; the program asks 60 times a second."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        loop.steer(control)
        time.sleep(1 / 60)


def turns(loop: RenderLoop, watch: Watch) -> list[float]:
    """Milliseconds from each throw of the wheel to the first painted picture with wheels on their way there."""
    late = []
    hold(loop, Control(steer=-1, brake=1), 1.5)
    for number in range(TURNS):
        steer = 1.0 if number % 2 == 0 else -1.0
        before = len(watch.shown)
        rest = watch.shown[-1].steer
        start = time.perf_counter()
        turned: list[float] = []
        while not turned and time.perf_counter() - start < LATEST:
            hold(loop, Control(steer=steer, brake=1), 0.03)
            turned = [seen.at for seen in watch.shown[before:] if (seen.steer - rest) * steer > 1e-3]
        late.append(1000 * (turned[0] - start) if turned else float("inf"))
        hold(loop, Control(steer=steer, brake=1), HELD + 0.011 * (number % 7))  # not in step with the engine's clock
    return late


def random_painter(folder: str) -> str:
    """A painter of the shipped layout whose speed means something and whose picture does not."""
    torch.manual_seed(0)
    config = PainterConfig(ConditionLayout(parts=tuple(PARTS)))
    card = ModelCard("random", "vid2vid+spade", "Random weights")
    path = Path(folder) / "random.safetensors"
    painter_native.save(path, Painter(config.network(), config, card))
    return str(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--translator")
    given, _ = parser.parse_known_args()  # `make bench ARGS=...` gives every script the same
    os.environ.setdefault("LP_NUM_THREADS", "1")  # as the engine's process has it: the painter needs the other cores
    prepare_process()
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        if given.translator:
            translator = given.translator
        elif any(each.name == "town" for each in shipped_translators()):
            translator = "town"
        else:
            translator = random_painter(folder)
        report.table.title = f"Driving the town, painted by {Path(translator).stem}"
        drawing(report)
        painting(report, translator, service(report))
        for (width, height), least in zip(SIZES, (40, 15), strict=True):
            painted(report, translator, width, height, least)
    Console(width=140).print(report.table)


if __name__ == "__main__":
    main()

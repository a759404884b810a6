"""`neuroview train clips`: renders clips of the embedded town for a translator to learn from."""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from random import Random
from typing import Any

from ...driving.messages import Control, DriveFrame, Geometry, Viewpoint, Weather
from ...driving.town.simulation import TownSimulator
from ...driving.town.view import Look
from .clips import ClipError, ClipWriter

RATE = 30.0
"""Steps a second of the simulation."""
_VIEWPOINTS: tuple[tuple[Viewpoint, float], ...] = (("hood", 0.5), ("chase", 0.4), ("top", 0.1))
_DAY, _DUSK = (8.0, 16.0), (17.5, 19.2)
_BETWEEN = (20, 150)  # steps driven unseen between two clips
_STANDING = 0.7  # part of the clips at a standstill that are driven past: they show little


@dataclass(frozen=True)
class Footage:
    """What shall be rendered of each town."""

    height: int = 128
    width: int = 256
    clips: int = 30
    frames: int = 10
    """Of each clip, 1/30 or 1/15 second apart."""
    dusk: float = 0.25
    """Part of the clips between 17.5 and 19.2 o'clock; the others lie between 8 and 16."""
    hour: float | None = None
    """All clips at this hour."""
    look: Look = "photo"
    supersample: int = 2


def render_town(folder: Path, seed: int, footage: Footage) -> int:
    """Writes one town's clips into `folder` and returns how many frames there are.

    Raises:
        ClipError: the folder holds clips already.
        EngineError: the town cannot be drawn here.
    """
    notes = {"source": f"town {seed}", **{f.name: getattr(footage, f.name) for f in fields(footage)}}
    count = footage.clips * footage.frames
    writer = ClipWriter(folder, footage.height, footage.width, count, notes=notes)
    size = (footage.width, footage.height)
    simulator = TownSimulator(seed, *size, RATE, supersample=footage.supersample, look=footage.look)
    try:
        for clip in _clips(simulator, Random(f"clips of {seed}"), footage):
            writer.add([planes_of(frame) for frame in clip])
    finally:
        simulator.close()
    writer.close()
    return count


def planes_of(frame: DriveFrame) -> dict[str, Any]:
    """An engine's frame as `ClipWriter.add` takes it."""
    geometry = {f.name: getattr(frame.geometry, f.name) for f in fields(Geometry)}
    plain = ("labels", "instances", "depth", "motion", "expected_depth", "photo")
    return {**{name: getattr(frame, name) for name in plain}, **geometry}


def _clips(simulator: TownSimulator, random: Random, footage: Footage) -> Iterator[list[DriveFrame]]:
    names, weights = zip(*_VIEWPOINTS, strict=True)
    for _ in range(footage.clips):
        viewpoint = random.choices(names, weights)[0]
        hour = random.uniform(*(_DUSK if random.random() < footage.dusk else _DAY))
        weather = Weather(hour=hour if footage.hour is None else footage.hour)
        control = Control(viewpoint=viewpoint, weather=weather, photo=True, autopilot=True)
        while True:
            for _ in range(random.randint(*_BETWEEN)):
                simulator.advance(control)
            if simulator.world.car.speed > 1 or random.random() > _STANDING:
                break
        apart = random.choice((1, 2))
        clip: list[DriveFrame] = []
        for _ in range(footage.frames):
            for _ in range(apart - 1):
                simulator.advance(control)
            clip.append(simulator.step(control))
        if not any(frame.cut for frame in clip[1:]):
            yield clip
        else:  # the car was put back on the road; what follows is a drive again
            yield [simulator.step(control) for _ in range(footage.frames)]


def _work(task: tuple[Path, int, Footage]) -> str:
    folder, seed, footage = task
    return f"{folder}: {render_town(folder, seed, footage)} frames"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `neuroview train clips`."""
    parser.add_argument("--out", type=Path, required=True, help="folder; each town gets one in it")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(100, 110)), help="of the towns (100..109)")
    parser.add_argument("--clips", type=int, default=30, help="of each town (30)")
    parser.add_argument("--frames", type=int, default=10, help="of each clip (10)")
    parser.add_argument("--size", type=int, nargs=2, default=(256, 128), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--look", choices=("photo", "drawn"), default="photo")
    parser.add_argument("--dusk", type=float, default=0.25, help="part of the clips at dusk, 0..1 (0.25)")
    parser.add_argument("--hour", type=float, help="all clips at this hour of the day")
    parser.add_argument("--processes", type=int, default=1, help="that render, a town each (1)")


def main(options: argparse.Namespace) -> None:
    """Does what the options say.

    Raises:
        ClipError: a town's folder is there already.
    """
    width, height = options.size
    footage = Footage(height, width, options.clips, options.frames, options.dusk, options.hour, options.look)
    tasks = [(options.out / f"town-{seed}", seed, footage) for seed in options.seeds]
    for folder, _, _ in tasks:
        if (folder / "clips.json").exists():
            raise ClipError(f"{folder} already holds clips; give another folder or remove it")
    if options.processes == 1:
        for task in tasks:
            print(_work(task), flush=True)
        return
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for line in pool.imap_unordered(_work, tasks):
            print(line, flush=True)

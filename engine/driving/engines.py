"""`EngineSpec` says in plain values which engine is wanted, also on a command line; `make_simulator` makes it."""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from ...models.base import LabelSet
from .simulator import EngineError, Simulator
from .wire import MOST_PIXELS

EngineName = Literal["town", "carla", "recording"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)


@dataclass(frozen=True)
class EngineSpec:
    """An engine, and how it shall draw."""

    engine: EngineName = "town"
    seed: int = 7
    """Of the town."""
    map: str = ""
    """OpenDRIVE file that takes the place of the procedural town; '': none."""
    width: int = 256
    height: int = 128
    """Of the maps, pixels."""
    rate: float = 30.0
    """Steps a second."""
    host: str = "127.0.0.1"
    """Where the CARLA server runs."""
    carla_port: int = 2000
    folder: str = ""
    """Of the recording."""
    label_set: LabelSet | Literal[""] = ""
    """In which the recording is numbered; '': what its file names say, else CARLA's tags."""
    loop: bool = False
    """Whether the recording begins again when it has ended."""

    def arguments(self) -> list[str]:
        """Command line for `serve`, read back by `read_arguments`."""
        given = asdict(self)
        line = ["--engine", given.pop("engine"), "--size", f"{given.pop('width')}x{given.pop('height')}"]
        if given.pop("loop"):
            line.append("--loop")
        default = {field.name: field.default for field in fields(self)}
        for name, value in given.items():
            if value != default[name]:
                line.append(f"--{name.replace('_', '-')}={value}")  # with '=', or a leading dash would be an option
        return line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `EngineSpec`, for a command line."""
    spec = EngineSpec()
    parser.add_argument("--engine", choices=ENGINES, default=spec.engine)
    parser.add_argument("--seed", type=int, default=spec.seed, help="of the town")
    parser.add_argument("--map", default=spec.map, help="an OpenDRIVE file to drive in; needs the carla package")
    size = f"{spec.width}x{spec.height}"
    parser.add_argument("--size", type=_size, default=size, metavar="WxH", help=f"of the maps, pixels ({size})")
    parser.add_argument("--rate", type=float, default=spec.rate, help="steps a second (%(default)g)")
    parser.add_argument("--host", default=spec.host, help="of the CARLA server (%(default)s)")
    parser.add_argument("--carla-port", type=int, default=spec.carla_port, help="of the CARLA server (%(default)s)")
    parser.add_argument("--folder", default=spec.folder, help="of the recorded label maps")
    parser.add_argument("--label-set", choices=["", *get_args(LabelSet)], default=spec.label_set)
    parser.add_argument("--loop", action="store_true", help="begin the recording again when it has ended")


def read_arguments(parsed: argparse.Namespace) -> EngineSpec:
    """The spec in what a parser with `add_arguments` has read."""
    width, height = parsed.size
    names = {field.name for field in fields(EngineSpec)} - {"width", "height"}
    return EngineSpec(width=width, height=height, **{name: getattr(parsed, name) for name in names})


def make_simulator(spec: EngineSpec) -> Simulator:
    """The engine that `spec` describes, ready to step.

    Raises:
        EngineError: an unknown engine, a size or rate out of bounds, no OpenGL, no CARLA server, no such recording.
    """
    if spec.width < 1 or spec.height < 1 or spec.width * spec.height > MOST_PIXELS:
        raise EngineError(f"a size of {spec.width} x {spec.height} was asked for; expected 1 to {MOST_PIXELS:,} pixels")
    if not 1 <= spec.rate <= 1000:
        raise EngineError(f"{spec.rate} steps a second were asked for; expected 1 to 1000")
    # Each engine brings libraries of its own (OpenGL, carla, an image reader): only the chosen one's are loaded.
    made: Any
    if spec.engine == "town" and spec.map:
        from .opendrive.simulation import OpenDriveSimulator

        made = OpenDriveSimulator(spec.map, spec.width, spec.height, spec.rate, seed=spec.seed)
    elif spec.engine == "town":
        from .town.simulation import TownSimulator

        made = TownSimulator(spec.seed, spec.width, spec.height, spec.rate)
    elif spec.engine == "carla":
        from .carla.simulation import CarlaSimulator

        made = CarlaSimulator(
            spec.host, spec.carla_port, width=spec.width, height=spec.height, rate=spec.rate, seed=spec.seed
        )
    elif spec.engine == "recording":
        from .recording import RecordedSequence

        made = RecordedSequence(
            spec.folder, spec.width, spec.height, spec.rate, label_set=spec.label_set or None, loop=spec.loop
        )
    else:
        raise EngineError(f"there is no engine {spec.engine!r}; choose one of {', '.join(ENGINES)}")
    return made


def _size(text: str) -> tuple[int, int]:
    width, cross, height = text.lower().partition("x")
    if not cross or not width.isdecimal() or not height.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write width x height, such as 256x128")
    return int(width), int(height)

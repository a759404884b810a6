"""`neuroview drive`: its command line, the `Drive` that it asks for, and a drive to files without a display."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

from ...engine.state import Drive, DriveView, PhotoLook, StateError, Viewpoint

CARLA_PORT = 2000
MOST = 4096
"""Pixels a side."""
SECONDS = 12.0
"""Of a drive that goes to files."""

DESCRIPTION = """\
Drive through a town that exists only as a map of labels, painted by a network while you drive. W, S, A, D or the
arrows drive, Space is the hand brake, Q reverse, R puts you back on the road, C changes the camera, V the view,
P is the autopilot, K pauses, F1 shows every key, F2 goes to the generators and back."""
EPILOG = """\
examples:
  neuroview drive                                       the embedded town, painted by what ships
  neuroview drive --seed 12 --size 512x256 --view split
  neuroview drive --engine carla --host gpu.local       a CARLA server (0.9.13 to 0.9.16) draws the labels
  neuroview drive --engine 127.0.0.1:50051              an engine that runs already
  neuroview drive --engine Town01.xodr                  an OpenDRIVE map; needs the carla package
  neuroview drive --engine labels/ --translator net_G.pth
  neuroview drive --replay drive_7_0001.jsonl           once more, exactly
Without a display, or with --out, an autopilot drives and the pictures go to files."""


def add_drive_command(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    """The command's arguments; `run` is left to the caller."""
    drive = commands.add_parser(
        "drive",
        help="drive through a town painted by a network",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    usual = Drive()
    world = drive.add_argument_group("world")
    world.add_argument(
        "--engine", metavar="ENGINE", help="town (default), carla, HOST:PORT of a running engine, MAP.xodr, or labels/"
    )
    world.add_argument("--host", help="of the CARLA server (default 127.0.0.1)")
    world.add_argument("--port", type=_port, help=f"of the CARLA server (default {CARLA_PORT})")
    world.add_argument("--seed", type=_seed, help=f"which town (default {usual.seed})")
    world.add_argument("--hour", type=_part(24), help=f"time of day, 0 to 24 (default {usual.hour:g})")
    world.add_argument("--clouds", type=_part(1), help=f"0 to 1 (default {usual.clouds:g})")
    world.add_argument("--fog", type=_part(1), help=f"0 to 1 (default {usual.fog:g})")
    picture = drive.add_argument_group("picture")
    picture.add_argument("--size", type=size_of, metavar="WxH", help=f"(default {usual.width}x{usual.height})")
    picture.add_argument("--translator", metavar="NAME|PATH", help=f"what paints (default {usual.translator})")
    picture.add_argument("--view", choices=get_args(DriveView), help=f"what is shown (default {usual.view})")
    picture.add_argument("--camera", choices=get_args(Viewpoint), help=f"where from (default {usual.viewpoint})")
    picture.add_argument("--look", choices=get_args(PhotoLook), help=f"of the photo (default {usual.photo_look})")
    drive.add_argument("--state", metavar="FILE", help="start from a screenshot of a drive (.png) or a state (.json)")
    drive.add_argument("--replay", metavar="FILE.jsonl", help="drive a recording once more, exactly")
    drive.add_argument("--device", default="auto", help="auto, cpu, cuda:0 ... (default auto)")
    drive.add_argument(
        "--present", default="auto", choices=("auto", "texture", "pbo", "host"), help="how frames reach GL"
    )
    drive.add_argument("--threads", type=_count, help="cores for the painter (default: all but what the UI needs)")
    drive.add_argument("--no-panel", action="store_true", help="the picture only")
    drive.add_argument("--out", metavar="FOLDER|FILE.png", help="no window: every picture of a drive, or a sheet of 16")
    drive.add_argument("--seconds", type=_seconds, default=SECONDS, help="of that drive (default %(default)g)")
    drive.set_defaults(option=[])
    return drive


def drive_from_options(options: argparse.Namespace) -> Drive:
    """What was typed, on top of `--state` or the defaults.

    Raises:
        StateError: the given file holds no drive, or options contradict each other.
    """
    drive = Drive()
    if options.state:
        from ...engine.statefile import read_state

        saved = read_state(options.state)[0].drive
        if saved is None:
            raise StateError(f"{options.state} is no picture of a drive; `neuroview {options.state}` opens it.")
        drive = saved
    if options.replay and not Path(options.replay).is_file():
        raise StateError(f"There is no recording {options.replay}; expected a .jsonl file that Ctrl+R has written.")
    names = {"seed": "seed", "hour": "hour", "clouds": "clouds", "fog": "fog", "translator": "translator"}
    names |= {"view": "view", "camera": "viewpoint", "look": "photo_look"}
    typed = {field: value for name, field in names.items() if (value := getattr(options, name)) is not None}
    if options.size is not None:
        typed["width"], typed["height"] = options.size
    engine = options.engine if options.engine is not None else drive.engine
    return replace(drive, engine=engine_of(engine, options.host, options.port), **typed)


def engine_of(engine: str, host: str | None, port: int | None) -> str:
    """`Drive.engine` for what was typed; a CARLA server elsewhere is 'carla://host:port'.

    Raises:
        StateError: an address without CARLA, or a folder that is not there.
    """
    if host is not None or port is not None:
        if engine != "carla":
            raise StateError(
                f"--host and --port are those of a CARLA server; with --engine {engine} they mean nothing."
            )
        return f"carla://{host or '127.0.0.1'}:{port or CARLA_PORT}"
    is_map = engine.lower().endswith(".xodr") and Path(engine).is_file()
    if engine in ("town", "carla") or ":" in engine or is_map or Path(engine).is_dir():
        return engine
    raise StateError(
        f"--engine {engine}: expected town, carla, the address HOST:PORT of a running engine, an OpenDRIVE map "
        "(MAP.xodr), or a folder of labels."
    )


def drive_to_files(options: argparse.Namespace, drive: Drive, reason: str) -> int:
    """Where no window can open: say so in one line, and let an autopilot drive to files.

    Raises:
        StateError: a replay was asked for.
        EngineError, CheckpointError: the engine or the painter cannot be used.
    """
    from rich.console import Console

    from ...engine.driving.headless import drive_headless
    from ...engine.driving.messages import EngineInfo
    from ...engine.model import choose_device
    from ...engine.process import prepare_process

    if options.replay:
        raise StateError(f"{reason} A recording is replayed in a window only; leave --replay out.")
    console = Console(stderr=True, highlight=False)
    out = Path(options.out or "neuroview-drive")
    console.print(f"{reason} Rendering {options.seconds:g} seconds of a drive to {out} instead.", soft_wrap=True)
    prepare_process(options.threads)
    frames = max(1, round(options.seconds * EngineInfo.rate))
    with console.status("Driving"):
        made = drive_headless(drive, frames, out, device=choose_device(options.device))
    console.print(f"{len(made)} pictures: {made[0]}" + (f" … {made[-1].name}" if len(made) > 1 else ""), soft_wrap=True)
    return 0


def size_of(text: str) -> tuple[int, int]:
    """(width, height) from '256x128'."""
    width, cross, height = text.lower().replace("×", "x").partition("x")
    if not (cross and width.isdecimal() and height.isdecimal() and len(width) <= 5 and len(height) <= 5):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write width x height, such as 256x128")
    size = int(width), int(height)
    if not all(16 <= side <= MOST and side % 8 == 0 for side in size):
        raise argparse.ArgumentTypeError(f"{text}: each side has to be a multiple of 8 from 16 to {MOST}")
    return size


def _part(most: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = float(text)
        if not (math.isfinite(value) and 0 <= value <= most):
            raise argparse.ArgumentTypeError(f"{text} is outside 0..{most:g}")
        return value

    return number


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is outside 0..3600 seconds")
    return value


def _seed(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(f"{text} is outside 0..4294967295")
    return value


def _port(text: str) -> int:
    value = int(text)
    if not 0 < value < 65536:
        raise argparse.ArgumentTypeError(f"{text} is outside 1..65535")
    return value


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 1024:
        raise argparse.ArgumentTypeError(f"{text} is outside 1..1024")
    return value

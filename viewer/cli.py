"""What may be typed: `neuroview [MODEL]`, `drive`, `render`, `train`, `evaluate`, `models`, `info` ...

Exit codes: 0 done; 1 something given cannot be used (a checkpoint, a state, a folder), said in one sentence;
2 the command line itself is wrong; 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ..models.errors import NeuroviewError
from .bench import add_bench_command
from .driving.options import add_drive_command
from .files import add_commands
from .learning import LEARNING, add_learning_commands

COMMANDS = ("view", "drive", "render", *LEARNING, "bench", "models", "info", "inspect", "convert")


def run(argv: list[str]) -> int:
    """Parse and run; every expected failure becomes one sentence on stderr and exit code 1."""
    if not argv or (argv[0] not in COMMANDS and argv[0] not in ("-h", "--help", "--version")):
        argv = ["view", *argv]
    options = _parser(argv).parse_args(argv)
    try:
        return options.run(options)
    except NeuroviewError as error:
        print(f"neuroview: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser(typed: Sequence[str] = ()) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="neuroview",
        description="Look into 3D-aware generators and radiance fields, or drive through a painted town. "
        "Without a command: open the window.",
        epilog="`neuroview PATH` opens a checkpoint; `neuroview COMMAND --help` tells more.",
    )
    parser.add_argument("--version", action="version", version=f"neuroview {_version()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_view(commands)
    add_drive_command(commands).set_defaults(run=_drive)
    _add_render(commands)
    add_learning_commands(commands, typed)
    add_bench_command(commands)
    models = commands.add_parser("models", help="list what ships and what was opened lately")
    models.set_defaults(run=_models)
    info = commands.add_parser("info", help="system, GL, CUDA, presenter: what a bug report needs")
    info.set_defaults(run=_info)
    add_commands(commands)
    return parser


def _add_view(commands: argparse._SubParsersAction) -> None:
    view = commands.add_parser("view", help="open the window (the default)")
    view.add_argument("model", nargs="?", metavar="MODEL", help="a shipped name or a checkpoint's path (default heads)")
    _add_option(view)
    view.add_argument("--state", metavar="FILE", help="start from a saved state (.json) or a screenshot (.png)")
    view.add_argument(
        "--follow", action="store_true", help="MODEL is a file, or a training run's folder, that is written to: show it"
    )
    view.add_argument("--screenshot", metavar="FILE.png", help="save this view exactly rendered, and leave")
    view.add_argument("--size", type=_positive, help="side of that screenshot, pixels (default: the model's own)")
    view.add_argument("--device", default="auto", help="auto, cpu, cuda:0 ... (default auto)")
    view.add_argument(
        "--present", default="auto", choices=("auto", "texture", "pbo", "host"), help="how frames reach GL"
    )
    view.add_argument(
        "--shader",
        default="auto",
        choices=("auto", "on", "off"),
        help="march baked scenes on the window's GPU while the camera moves (default: where that is quicker)",
    )
    view.add_argument("--threads", type=_positive, help="cores for the renderer (default: all but what the UI needs)")
    view.add_argument("--no-panel", action="store_true", help="the picture only")
    view.set_defaults(run=_view)


def _add_render(commands: argparse._SubParsersAction) -> None:
    render = commands.add_parser("render", help="render one picture to a file, without a window")
    render.add_argument("model", metavar="MODEL", help="a shipped name or a checkpoint's path")
    render.add_argument("--out", required=True, metavar="FILE", help="FILE.png (8 bit, carries the state) or FILE.npz")
    render.add_argument("--state", metavar="FILE", help="start from a state (.json) or a screenshot (.png)")
    _add_option(render)
    latents = render.add_argument_group("latents")
    latents.add_argument("--seed", type=_seed, help="seed A, as the family's official scripts mean it")
    latents.add_argument("--seed-b", type=_seed, help="seed B")
    latents.add_argument("--mix-geometry", type=_number, help="0: A's shape, 1: B's")
    latents.add_argument("--mix-appearance", type=_number, help="0: A's colours, 1: B's")
    latents.add_argument("--truncation", type=_number, help="psi (default 0.7)")
    latents.add_argument("--cutoff", type=_count, help="layers that are truncated (default all)")
    latents.add_argument("--noise", choices=("none", "const", "random"), help="StyleGAN's noise inputs (default const)")
    latents.add_argument("--conditioning-yaw", type=_number, metavar="DEGREES", help="camera told to the mapping")
    latents.add_argument("--conditioning-pitch", type=_number, metavar="DEGREES")
    camera = render.add_argument_group("camera (angles in degrees)")
    for name, text in (
        ("yaw", "turn, positive to the right"),
        ("pitch", "elevation, positive above"),
        ("roll", "tilt"),
        ("fov", "angle across the picture's height"),
        ("radius", "distance from the pivot, world units"),
    ):
        camera.add_argument(f"--{name}", type=_number, help=text)
    camera.add_argument(
        "--camera", metavar="FILE.json", help="cam2world 4x4 and normalised intrinsics 3x3, OpenCV axes"
    )
    output = render.add_argument_group("output")
    output.add_argument("--size", type=_positive, help="side in pixels (default: the model's own)")
    output.add_argument("--output", choices=("rgb", "raw", "depth", "normals", "alpha"), help="default rgb")
    output.add_argument("--quality", choices=("exact", "occupancy", "baked"), help="default exact")
    output.add_argument("--device", default="auto", help="auto, cpu, cuda:0 ... (default auto)")
    render.set_defaults(run=_render)


def _add_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--option",
        action="append",
        type=_pair,
        default=[],
        metavar="NAME=CHOICE",
        help="a choice of the model's own, e.g. weights=raw for a pi-GAN; a wrong one lists what there is",
    )


def _view(options: argparse.Namespace) -> int:
    if options.screenshot:
        from .headless import screenshot

        return screenshot(options)
    from .app import run

    return run(options)


def _drive(options: argparse.Namespace) -> int:
    from .app import drive

    return drive(options)


def _render(options: argparse.Namespace) -> int:
    from .headless import render

    return render(options)


def _models(_: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table

    from ..models.catalog import shipped
    from .settings import load_settings

    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("model")
    table.add_column("what it is")
    for name, title in shipped().items():
        table.add_row(name, title)
    for path in load_settings().recent:
        table.add_row(path, "opened lately" if Path(path).is_file() else "opened lately, no longer there")
    console.print(table)
    return 0


def _info(_: argparse.Namespace) -> int:
    from rich.console import Console

    from .info import print_report

    print_report(Console(highlight=False))
    return 0


def _pair(text: str) -> tuple[str, str]:
    name, equals, choice = text.partition("=")
    if not (name and equals and choice):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=CHOICE")
    return name, choice


def _number(text: str) -> float:
    value = float(text)
    if not abs(value) < 1e9:  # also refuses nan
        raise argparse.ArgumentTypeError(f"{text} is not a usable number")
    return value


def _positive(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 8192:
        raise argparse.ArgumentTypeError(f"{text} is outside 1..8192")
    return value


def _count(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 1000:
        raise argparse.ArgumentTypeError(f"{text} is outside 0..1000")
    return value


def _seed(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(f"{text} is outside 0..4294967295")
    return value


def _version() -> str:
    try:
        return version("neuroview")
    except PackageNotFoundError:
        return "from source"

"""`neuroview evaluate translator`: paints an unseen town and says how close it comes to the teacher."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

from ....models.errors import NeuroviewError

SEED = 7
"""Of the town to be painted; no shipped translator was trained on it."""
CLIPS, FRAMES, EVERY, DRIFT = 6, 48, 2, 2000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may be typed after `neuroview evaluate translator`."""
    parser.description = (
        "Drives a town that the weights have not seen, paints it as it is driven, without memory and from bare labels, "
        "and prints how close each comes to the engine's own photos."
    )
    parser.add_argument("--weights", required=True, metavar="NAME|PATH", help="a shipped translator or a checkpoint")
    parser.add_argument("--seed", type=_count, default=SEED, help=f"of the town (default {SEED})")
    parser.add_argument("--size", type=_size, default=(256, 128), metavar="WxH", help="default 256x128")
    parser.add_argument("--hour", type=_hour, default=11.0, help="of the day, 0..24 (default 11)")
    parser.add_argument("--look", choices=("photo", "drawn"), default="photo", help="of the teacher (default photo)")
    parser.add_argument("--clips", type=_positive, default=CLIPS, help=f"places to film (default {CLIPS})")
    parser.add_argument("--frames", type=_positive, default=FRAMES, help=f"of each clip (default {FRAMES})")
    parser.add_argument(
        "--every", type=_positive, default=EVERY, help=f"steps of the engine, 30 a second, a frame (default {EVERY})"
    )
    parser.add_argument(
        "--viewpoints", type=_viewpoints, default=("hood", "chase"), metavar="A,B", help="default hood,chase; also top"
    )
    parser.add_argument(
        "--drift", type=_count, default=DRIFT, help=f"frames of a long drive (default {DRIFT}; 0: none)"
    )
    parser.add_argument("--device", default="cpu", help="cpu, cuda:0 ... (default cpu)")
    parser.add_argument("--segmenter", type=Path, metavar="FILE", help="other weights than the shipped ones")
    parser.add_argument("--out", type=Path, metavar="DIR", help="for metrics.json and contact sheets (PNG)")
    parser.add_argument("--json", action="store_true", help="print JSON only")


def main(options: argparse.Namespace) -> int:
    """Measures and prints; returns the exit code.

    Raises:
        NeuroviewError: weights, town or folder cannot be used; the message says why.
    """
    from rich.console import Console
    from rich.progress import Progress

    from .report import NOTES, as_json, drift_lines, result_table, write_pictures

    width, height = options.size
    settings: dict[str, Any] = {
        name: getattr(options, name) for name in ("seed", "hour", "look", "frames", "every", "device")
    }
    settings |= {"weights": str(options.weights), "width": width, "height": height}
    with Progress(transient=True, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        tasks: dict[str, Any] = {}

        def progress(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what)
            bar.update(tasks[what], completed=done, total=of)

        evaluation, sheet, along = _measure(options, progress)
    text = as_json(evaluation, settings)
    if options.out is not None:
        written = write_pictures(options.out, sheet, along)
        try:
            options.out.mkdir(parents=True, exist_ok=True)
            (options.out / "metrics.json").write_text(text + "\n", "utf-8")
        except OSError as error:
            raise NeuroviewError(f"{options.out} cannot be written: {error.strerror or error}") from error
        written.append(options.out / "metrics.json")
    if options.json:
        print(text)
        return 0
    console = Console(highlight=False)
    title = f"{options.weights}: town {options.seed} at {options.hour:g} h, {width} x {height}, {options.clips} clips"
    console.print(result_table(evaluation, f"{title} of {options.frames} frames"))
    for line in (*drift_lines(evaluation), NOTES):
        console.print(line)
    console.print(f"The teacher's Frechet distance to itself in other places: {evaluation.frechet_floor:.2f}.")
    if options.out is not None:
        console.print("Written: " + ", ".join(str(path) for path in written))
    print(text)
    return 0


def _measure(options: argparse.Namespace, progress: Any) -> Any:
    """(evaluation, contact sheet, moments of the long drive)."""
    import dataclasses

    from ....models.translators import open_translator
    from ...driving.messages import Weather
    from .evaluate import evaluate, measure_drift
    from .footage import Clip, open_town
    from .segmenter import load_segmenter

    width, height = options.size
    translator = open_translator(options.weights, (height, width))
    segmenter, weather = load_segmenter(options.segmenter), Weather(hour=options.hour)
    views = options.viewpoints
    clips = [
        Clip(views[i % len(views)], weather, options.frames, options.every, options.look) for i in range(options.clips)
    ]
    simulator = open_town(options.seed, width, height)
    along = []
    try:
        evaluation, sheet = evaluate(translator, simulator, clips, segmenter, device=options.device, progress=progress)
        if options.drift:
            clip = Clip(views[-1], weather, options.drift, options.every, options.look)
            drift, along = measure_drift(translator, simulator, clip, device=options.device, progress=progress)
            evaluation = dataclasses.replace(evaluation, drift=drift, drift_frames=options.drift)
    finally:
        simulator.close()
    return evaluation, sheet, along


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,4})[x×](\d{1,4})", text)
    if not found or not all(16 <= int(side) <= 4096 for side in found.groups()):
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 256x128")
    return int(found[1]), int(found[2])


def _viewpoints(text: str) -> tuple[str, ...]:
    from ...driving.messages import VIEWPOINTS

    names = tuple(part.strip() for part in text.split(","))
    if unknown := set(names) - set(VIEWPOINTS):
        raise argparse.ArgumentTypeError(f"unknown viewpoints {sorted(unknown)}; there are {', '.join(VIEWPOINTS)}")
    return names


def _hour(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 24:  # also refuses nan
        raise argparse.ArgumentTypeError(f"{text} is outside 0..24")
    return value


def _positive(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text} is outside 1..1000000")
    return value


def _count(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text} is outside 0..1000000")
    return value

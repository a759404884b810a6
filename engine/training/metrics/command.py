"""`neuroview evaluate eg3d|pigan|nerf MODEL`: how good a model is, as a table, as JSON and as contact sheets."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from ....models.errors import NeuroviewError

Measured = tuple[dict[str, float], list[str], dict[str, Any]]
"""Figures, notes, and what draws each contact sheet."""
HELD_OUT = 24
MEASURES = ("fidelity", "consistency", "mixes", "interpolation", "frechet")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may be typed after `neuroview evaluate eg3d` and its like."""
    parser.description = (
        "Measures a model on identities or views that no training has seen: against its procedural teacher, against "
        "pictures, or, without either, against itself (view consistency, mixes, interpolation)."
    )
    parser.add_argument("model", metavar="MODEL", help="a shipped name or a checkpoint's path")
    parser.add_argument("--teacher", metavar="NAME", help="heads or cars: what the model was taught by")
    parser.add_argument("--data", metavar="PATH", help="pictures: a transforms.json (nerf), or EG3D's folder or zip")
    parser.add_argument("--count", type=_count, default=HELD_OUT, help=f"identities or views (default {HELD_OUT})")
    parser.add_argument(
        "--frechet", type=_count, default=0, metavar="N", help="pictures for a Frechet distance (0: none)"
    )
    parser.add_argument(
        "--inception", type=Path, metavar="FILE", help="weights of FID's Inception, for --frechet on --data"
    )
    parser.add_argument(
        "--regressor", type=Path, metavar="FILE", help="other weights than the shipped parameter regressor"
    )
    parser.add_argument("--only", type=_measures, default=MEASURES, metavar="A,B", help=f"of {', '.join(MEASURES)}")
    parser.add_argument("--option", action="append", type=_pair, default=[], metavar="NAME=CHOICE", help="of the model")
    parser.add_argument("--device", default="cpu", help="cpu, cuda:0 ... (default cpu)")
    parser.add_argument("--no-compile", action="store_true", help="do not use torch.compile for the teacher")
    parser.add_argument("--out", type=Path, metavar="DIR", help="for metrics.json and contact sheets (PNG)")
    parser.add_argument("--json", action="store_true", help="print JSON only")


def main(options: argparse.Namespace) -> int:
    """Measures and prints; returns the exit code.

    Raises:
        NeuroviewError: model, teacher, data or folder cannot be used; the message says why.
    """
    from rich.console import Console
    from rich.progress import Progress

    from .report import as_json, figure_table, write_json

    generator = _opened(options)
    began = time.perf_counter()
    with Progress(transient=True, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        tasks: dict[str, Any] = {}

        def progress(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what)
            bar.update(tasks[what], completed=done, total=of)

        if generator.num_layers == 0:
            figures, notes, sheets = _scene(generator, options, progress)
        else:
            figures, notes, sheets = _identities(generator, options, progress)
    figures["seconds"] = round(time.perf_counter() - began, 1)
    settings = {
        "model": options.model,
        "fingerprint": generator.card.fingerprint,
        "teacher": options.teacher,
        "data": options.data,
        "count": options.count,
        "device": options.device,
        "notes": notes,
    }
    if options.out is not None:
        write_json(options.out / "metrics.json", figures, settings)
        _write_sheets(options.out, sheets)
    if options.json:
        print(as_json(figures, settings))
        return 0
    console = Console(highlight=False)
    beside = options.teacher or Path(options.data or "itself").name
    console.print(figure_table(figures, f"{Path(options.model).name}: {options.count} held out, beside {beside}"))
    for line in notes:
        console.print(line)
    if options.out is not None:
        console.print(f"Written: {options.out / 'metrics.json'}" + "".join(f", {name}.png" for name in sheets))
    return 0


def _opened(options: argparse.Namespace) -> Any:
    from ....models.base import Configurable
    from ....models.catalog import open_generator

    generator = open_generator(options.model)
    if options.option:
        if not isinstance(generator, Configurable):
            raise NeuroviewError(f"{options.model} offers no options; leave --option away.")
        generator = generator.configure(dict(options.option))
    family = "nerf" if generator.num_layers == 0 else generator.card.family
    if options.what != family:
        raise NeuroviewError(f"{options.model} is of family {family}; use `neuroview evaluate {family}`.")
    return generator.to(options.device)


def _scene(generator: Any, options: argparse.Namespace, progress: Any) -> Measured:
    from ..nerf_dataset import load
    from .scene_views import held_out_views
    from .sheets import stacked

    if options.data is None:
        raise NeuroviewError("a radiance field of one scene is measured against pictures: give --data transforms.json.")
    figures, shown = held_out_views(generator, load(options.data), options.count, progress)
    notes = [] if figures.pop("held_out") else ["The data holds no views out: these were trained on."]
    return figures, notes, {"held_out": lambda: stacked([[a, b] for a, b in shown[:6]])}


def _identities(generator: Any, options: argparse.Namespace, progress: Any) -> Measured:
    from ..picture_teachers import open_teacher
    from .consistency import consistency
    from .disentanglement import disentanglement
    from .fidelity import fidelity
    from .sheets import held_out_sheet, interpolation_strip, mix_matrix
    from .smoothness import smoothness
    from .views import Subject

    teacher = None if options.teacher is None else open_teacher(options.teacher, compile=not options.no_compile)
    if not hasattr(generator, "codes_of_latent"):
        raise NeuroviewError(f"a {generator.card.family} cannot be given latents yet; eg3d and pigan can be measured.")
    subject = Subject(generator, teacher)
    if teacher is not None and _width(generator) != teacher.z_dim:
        raise NeuroviewError(
            f"{options.model} takes latents of {_width(generator)} numbers, the {teacher.name} have {teacher.z_dim}: "
            "it was not taught by them."
        )
    wanted, few = options.only, max(options.count // 3, 1)
    figures: dict[str, float] = {}
    notes: list[str] = []
    if teacher is not None and "fidelity" in wanted:
        figures |= fidelity(subject, options.count, progress)
    if "consistency" in wanted:
        figures |= consistency(subject, few, progress)
    if "mixes" in wanted:
        figures |= disentanglement(subject, few, progress)
    if "interpolation" in wanted:
        figures |= smoothness(subject, progress=progress)
    if options.frechet and "frechet" in wanted:
        more, note = _frechet(subject, options, progress)
        figures, notes = figures | more, [*notes, note]
    return (
        figures,
        notes,
        {
            "held_out": lambda: held_out_sheet(subject),
            "interpolation": lambda: interpolation_strip(subject),
            "mix": lambda: mix_matrix(subject),
        },
    )


def _frechet(subject: Any, options: argparse.Namespace, progress: Any) -> tuple[dict[str, float], str]:
    from .distribution import data_distance, inception_features, teacher_distance
    from .inception import NOT_VERIFIED, load_inception
    from .regressor import NAME, load_reference

    if options.inception is None:
        if subject.teacher is None:
            raise NeuroviewError(
                "--frechet without a teacher needs features of general use: give --inception FILE, the weights of "
                "FID's Inception, and --data."
            )
        reference = load_reference(subject.teacher.name, options.regressor)
        figures = teacher_distance(subject, reference, options.frechet, progress)
        return figures, f"Frechet: {NAME}; comparable with figures over as many pictures only; no FID."
    if options.data is None:
        raise NeuroviewError("--inception measures against pictures: give --data, EG3D's folder or zip.")
    from ..image_folder import ImageFolder

    data = ImageFolder(options.data)
    figures = data_distance(
        subject, data, inception_features(load_inception(options.inception)), options.frechet, progress
    )
    return figures, f"Frechet: over Inception's features (FID). {NOT_VERIFIED}"


def _width(generator: Any) -> int:
    from .views import latent_width

    return latent_width(generator)


def _write_sheets(out: Path, sheets: dict[str, Any]) -> None:
    from .sheets import write_png

    for name, draw in sheets.items():
        write_png(out / f"{name}.png", draw(), 1152)


def _pair(text: str) -> tuple[str, str]:
    name, equals, choice = text.partition("=")
    if not (name and equals and choice):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=CHOICE")
    return name, choice


def _measures(text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(","))
    if unknown := set(names) - set(MEASURES):
        raise argparse.ArgumentTypeError(f"unknown measures {sorted(unknown)}; there are {', '.join(MEASURES)}")
    return names


def _count(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text} is outside 0..1000000")
    return value

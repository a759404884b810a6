"""An evaluation as a table for a terminal and as JSON for a program."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rich.table import Table

from ....models.errors import NeuroviewError


class Figure(NamedTuple):
    """How a figure is shown."""

    label: str
    form: str
    aim: str = ""


FIGURES: Mapping[str, Figure] = {
    "psnr": Figure("PSNR, final picture, dB", ".2f"),
    "ssim": Figure("SSIM, final picture", ".4f"),
    "foreground_psnr": Figure("PSNR on the object alone, dB", ".2f"),
    "raw_psnr": Figure("PSNR, raw rendering, dB", ".2f"),
    "raw_ssim": Figure("SSIM, raw rendering", ".4f"),
    "iou": Figure("silhouette IoU", ".4f"),
    "depth_error": Figure("depth error, scene units", ".5f"),
    "reprojection_psnr": Figure("view reprojection, final picture, dB", ".2f", ">= 28"),
    "raw_reprojection_psnr": Figure("view reprojection, raw rendering, dB", ".2f"),
    "teacher_reprojection_psnr": Figure("  of the teacher's own pictures, dB", ".2f"),
    "reprojection_share": Figure("  part of the object compared", ".3f"),
    "mix_psnr": Figure("PSNR of mixes, dB", ".2f"),
    "mix_silhouette_iou": Figure("appearance mix: silhouette IoU", ".4f", ">= .99"),
    "mix_depth_change": Figure("appearance mix: depth change, scene units", ".5f"),
    "mix_depth_relative": Figure("appearance mix: depth change, of the object", ".2%", "<= 1 %"),
    "geometry_mix_colour": Figure("geometry mix: change of mean colour", ".2%"),
    "teacher_mix_colour": Figure("  of the teacher's own mixes", ".2%"),
    "mix_colour_error": Figure("geometry mix: mean colour off the teacher's", ".2%", "<= 5 %"),
    "interpolation_pop": Figure("interpolation: largest jump / median", ".2f"),
    "teacher_pop": Figure("  of the teacher's own walks", ".2f"),
    "frechet": Figure("Frechet distance", ".3f"),
    "frechet_floor": Figure("  of the real pictures to themselves", ".3f"),
    "frechet_pictures": Figure("  pictures of each", ".0f"),
    "views": Figure("views", ".0f"),
    "seconds": Figure("measured in, s", ".0f"),
}
"""All that may be measured, in the order of the table."""


def figure_table(figures: Mapping[str, float], title: str) -> Table:
    """Two columns: what, and how much; a third where there is an aim."""
    table = Table(title=title, box=None, pad_edge=False, header_style="bold")
    table.add_column("measure", no_wrap=True)
    table.add_column("value", justify="right")
    table.add_column("aim", justify="right")
    for name, figure in FIGURES.items():
        value = figures.get(name)
        if value is not None and not math.isnan(value):
            table.add_row(figure.label, format(value, figure.form), figure.aim)
    return table


def write_json(path: Path, figures: Mapping[str, float], settings: Mapping[str, Any]) -> str:
    """Writes settings and figures; returns the text. Numbers that do not exist are null.

    Raises:
        NeuroviewError: it cannot be written.
    """
    text = as_json(figures, settings)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", "utf-8")
    except OSError as error:
        raise NeuroviewError(f"{path} cannot be written: {error.strerror or error}.") from error
    return text


def as_json(figures: Mapping[str, float], settings: Mapping[str, Any]) -> str:
    """Settings and figures as JSON."""
    plain = {name: None if math.isnan(value) else value for name, value in figures.items()}
    return json.dumps({**settings, "metrics": plain}, indent=1)

"""An evaluation as a table for a terminal, as JSON for a program, and as contact sheets for eyes."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.table import Table

from .evaluate import YOUNG_EVERY, Evaluation, Sheet
from .frechet import NAME as FRECHET
from .similarity import MeasureError, Picture

_COLUMNS = (
    ("psnr", "PSNR", ".2f"),
    ("ssim", "SSIM", ".3f"),
    ("sharpness", "sharp", ".2f"),
    ("warping_error", "warp", ".2f"),
    ("warping_ratio", "ratio", ".2f"),
    ("miou", "mIoU", ".3f"),
    ("accuracy", "acc.", ".3f"),
    ("frechet", "FD", ".2f"),
)
NOTES = (
    "PSNR in dB. SSIM: Gaussian window 11 x 11, sigma 1.5, on Rec. 601 luma. Sharp: mean |Laplacian| of luma, ratio to "
    "the teacher's. Warp: error to the previous picture under the engine's exact motion, levels of 255, where depths "
    "and surfaces agree; its ratio to the teacher's own. mIoU, accuracy: labels read back from the pictures by the "
    "town's segmenter; the teacher's row is what it reads from the photos themselves. "
    f"FD: {FRECHET}; comparable with other figures of this table only."
)


def result_table(evaluation: Evaluation, title: str) -> Table:
    """All ways of painting beside the teacher."""
    table = Table(title=title)
    table.add_column("", no_wrap=True)
    for _, head, _ in _COLUMNS:
        table.add_column(head, justify="right")
    for name, scores in evaluation.scores.items():
        cells = []
        for column, _, form in _COLUMNS:
            value = getattr(scores, column)
            trivial = name == "teacher" and column in ("psnr", "ssim", "frechet")
            cells.append("-" if trivial or math.isnan(value) else format(value, form))
        table.add_row(name, *cells)
    return table


def drift_lines(evaluation: Evaluation) -> list[str]:
    """What a long drive showed, in words; empty without one."""
    drift = evaluation.drift
    if drift is None:
        return []
    lines = [
        f"Drift over {evaluation.drift_frames} frames, against the teacher: mean colour moves by at most "
        f"{drift.colour:.1%} and contrast by {drift.contrast:.1%} in any stretch of the drive, places included; the "
        f"trend from start to end is {drift.colour_trend:+.1%} and {drift.contrast_trend:+.1%}."
    ]
    if not math.isnan(drift.memory_colour):
        lines.append(
            f"Against the same weights with a memory of {YOUNG_EVERY // 2} frames: colour {drift.memory_colour:.1%}, "
            f"contrast {drift.memory_contrast:.1%} at most in any stretch."
        )
    return lines


def as_json(evaluation: Evaluation, settings: dict[str, Any]) -> str:
    """All figures, with the settings that they were measured at; numbers that do not exist are null."""
    return json.dumps(_plain({**settings, **dataclasses.asdict(evaluation)}), indent=1)


def contact_sheet(rows: Sequence[Sequence[Picture]]) -> Picture:
    """Pictures of one size in rows, thin lines between them.

    Raises:
        MeasureError: there is nothing to show.
    """
    if not rows:
        raise MeasureError("no pictures to show: the clips were too short")
    gap = 2
    lines = []
    for row in rows:
        padded = [np.pad(picture, ((0, gap), (0, gap), (0, 0)), constant_values=255) for picture in row]
        lines.append(np.concatenate(padded, 1))
    return np.ascontiguousarray(np.concatenate(lines)[:-gap, :-gap])


def write_pictures(folder: Path, sheet: Sheet, drive: Sequence[tuple[Picture, Picture]] = ()) -> list[Path]:
    """Writes the contact sheets as PNG: labels, painted, teacher; and painted, teacher along the long drive.

    Raises:
        MeasureError: a file cannot be written.
    """
    written = []
    for name, rows in (("consecutive", sheet.consecutive), ("places", sheet.places), ("drift", drive)):
        if rows:
            path = folder / f"{name}.png"
            ok, data = cv2.imencode(".png", contact_sheet(rows)[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
            try:
                folder.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data.tobytes() if ok else b"")
            except OSError as error:
                raise MeasureError(f"{path} cannot be written: {error.strerror or error}") from error
            written.append(path)
    return written


def _plain(value: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, float):
        return round(value, 5) if math.isfinite(value) else None
    return value

"""What a run says of itself: a line on the terminal, lines of JSON, and TensorBoard's event files."""

from __future__ import annotations

import contextlib
import json
import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from .event_file import EventFile
from .task import TrainingError

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

METRICS = "metrics.jsonl"
EVENTS = "tensorboard"
_REDRAW = 0.5
"""Seconds between two drawings of the terminal's line."""
_MOST_SHOWN = 4
"""Figures in it."""


class Journal:
    """Collects the figures of updates and writes their means.

    Args:
        folder: where `metrics.jsonl` and `tensorboard/` grow; None: nothing is written.
        quiet: whether nothing is printed.
    """

    def __init__(self, folder: Path | None, *, quiet: bool = False) -> None:
        self.folder, self.quiet = folder, quiet
        self._values: dict[str, list[Tensor | float]] = {}
        self._steps, self._since = 0, time.perf_counter()
        self._shown_at = 0.0
        self._pace = _Pace()
        self._latest: dict[str, float] = {}
        self.stage = ""
        """Of the figures that were noted last."""
        self._live: Live | None = None
        self._events: EventFile | None = None

    def open(self, step: int) -> None:
        """Begins, or goes on, at a step: lines of later steps, of a run that was killed after its last checkpoint,
        are removed.

        Raises:
            TrainingError: the folder cannot be written to.
        """
        self._steps, self._since, self._pace = 0, time.perf_counter(), _Pace()
        if self.folder is not None:
            try:
                _cut(self.folder / METRICS, step)
                with contextlib.suppress(ImportError):
                    self._events = EventFile(self.folder / EVENTS, step)
            except (OSError, ValueError) as error:
                raise self._refusal(error) from error
        if not self.quiet and sys.stdout.isatty():
            from rich.live import Live

            self._live = Live(auto_refresh=False)
            self._live.start()

    def close(self) -> None:
        """Leaves the terminal and the files in order."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        if self._events is not None:
            self._events.close()
            self._events = None

    def note(self, figures: Mapping[str, Tensor | float], stage: str = "") -> None:
        """One update's figures; not every update has all of them. Tensors are read only when a line is written, so
        that a GPU need not be waited for.

        Args:
            stage: of the task; figures of the stage before that no line was written of are forgotten.
        """
        if stage != self.stage:
            self._values, self._steps, self.stage, self._since = {}, 0, stage, time.perf_counter()
        for name, value in figures.items():
            self._values.setdefault(name, []).append(value.detach() if isinstance(value, Tensor) else value)
        self._steps += 1

    def show(self, step: int, progress: float, elapsed: float) -> None:
        """Redraws the terminal's line, now and then."""
        now = time.perf_counter()
        if self._live is None or now - self._shown_at < _REDRAW:
            return
        self._shown_at = now
        self._pace.note(progress, elapsed)
        self._live.update(
            _bar(progress, _line(step, progress, self._pace.left, self.stage, self._latest)), refresh=True
        )

    def write(self, step: int, progress: float, elapsed: float) -> None:
        """A line of the means of what was noted since the last one; figures that were never finite are null.

        Raises:
            TrainingError: it cannot be written.
        """
        if not self._steps:
            return
        now = time.perf_counter()
        means = {name: _mean(values) for name, values in self._values.items()}
        pace = self._steps / max(now - self._since, 1e-9)
        self._values, self._steps, self._since = {}, 0, now
        self._latest = {name: value for name, value in means.items() if value is not None}
        self._pace.note(progress, elapsed)
        head: dict[str, Any] = {"step": step, "progress": round(progress, 5), "elapsed_s": round(elapsed, 1)}
        if self.stage:
            head["stage"] = self.stage
        self._append({**head, "steps_per_s": round(pace, 3), **_short(means)}, step, {**means, "steps_per_s": pace})
        if self._live is None and not self.quiet:
            print(_line(step, progress, self._pace.left, self.stage, self._latest), flush=True)

    def tell(self, step: int, figures: Mapping[str, float]) -> None:
        """A preview's figures, a line of their own.

        Raises:
            TrainingError: it cannot be written.
        """
        charts = {f"preview/{name}": value for name, value in figures.items()}
        self._append({"step": step, "preview": _short(figures)}, step, charts)
        told = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
        self.say(f"preview at step {step:,}: {told}")

    def say(self, text: str) -> None:
        """A line of words."""
        if self.quiet:
            return
        if self._live is not None:
            self._live.console.print(text, highlight=False, markup=False)
        else:
            print(text, flush=True)

    def _append(self, record: Mapping[str, Any], step: int, figures: Mapping[str, float | None]) -> None:
        if self.folder is None:
            return
        try:
            with (self.folder / METRICS).open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
            if self._events is not None:
                self._events.add(step, {name: value for name, value in figures.items() if value is not None})
        except OSError as error:
            raise self._refusal(error) from error

    def _refusal(self, error: Exception) -> TrainingError:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return TrainingError(
            f"The figures cannot be written to {self.folder} ({why}); the last checkpoint is kept. Make room there, "
            "then go on with --resume."
        )


class _Pace:
    """Guesses the time that is left from the progress of the last while."""

    def __init__(self) -> None:
        self._seen: list[tuple[float, float]] = []
        self.left: float | None = None

    def note(self, progress: float, elapsed: float) -> None:
        self._seen = [*self._seen[-60:], (progress, elapsed)]
        (p0, t0), (p1, t1) = self._seen[0], self._seen[-1]
        self.left = (1 - p1) * (t1 - t0) / (p1 - p0) if p1 > p0 else None


def _cut(path: Path, step: int) -> None:
    """Removes lines of later steps."""
    if not path.exists():
        return
    lines = path.read_text("utf-8").splitlines(keepends=True)
    kept = [line for line in lines if _step_of(line) <= step]
    if kept != lines:
        path.write_text("".join(kept), "utf-8")


def _step_of(line: str) -> float:
    """Infinite for a line that a full disk has cut off."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf


def _mean(values: list[Tensor | float]) -> float | None:
    finite = [v for v in (float(value) for value in values) if math.isfinite(v)]
    return sum(finite) / len(finite) if finite else None


def _short(figures: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: None if value is None else float(f"{value:.6g}") for name, value in figures.items()}


def _line(step: int, progress: float, left: float | None, stage: str, figures: Mapping[str, float]) -> str:
    parts = [f"{100 * min(progress, 1):.1f} %", *([stage] if stage else []), f"step {step:,}"]
    if left is not None and progress < 1:
        parts.append(f"{duration(left)} left")
    parts += [f"{name} {value:.4g}" for name, value in list(figures.items())[:_MOST_SHOWN]]
    return " · ".join(parts)


def _bar(progress: float, line: str) -> Table:
    """A line for the terminal, with a bar in front; cut where the terminal ends."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    row = Table.grid(padding=(0, 2))
    row.add_column()
    row.add_column(no_wrap=True, overflow="ellipsis")
    row.add_row(ProgressBar(total=1.0, completed=min(progress, 1.0), width=24), Text(line))
    return row


def duration(seconds: float) -> str:
    """As a person would say it: '45 s', '12 min', '3 h 20 min'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"

"""`Trainer`: the clock, files and signals of a run; what is trained stands in a `Task`.

    trainer = Trainer(task, Path("run"), minutes=30, team=launch("auto", workers=2))
    trainer.resume()        # to go on with what is in the folder
    trainer.run()

One loop serves one process and many: after every update all processes agree on the clock and on whether somebody asked
to stop, so that stages, pauses and the end come at the same step everywhere.
"""

from __future__ import annotations

import io
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from . import checkpoint
from .descent import Descent, follow
from .journal import Journal
from .live import LiveModel
from .task import Moment, Task, TrainingError
from .team import Solo, hardware

__all__ = ["Descent", "Trainer", "follow"]


class Trainer:
    """A run of a task.

    Args:
        task: what to train; it is moved to the team's device.
        out: folder for `checkpoint.pt`, `metrics.jsonl`, TensorBoard's events and the live model; None: nothing is
            written.
        minutes: length of the whole run, time before a resumption included.
        steps: length in updates; either of the two.
        seed: of everything random, with the step and the process.
        team: the processes; None: this one alone, on the CPU.
        save_every, log_every, preview_every: seconds between checkpoints, lines of the journal and previews.
        live_every: seconds, at least, between two writings of the live model; None: it is not written.
        quiet: whether nothing is printed.

    Raises:
        TrainingError: the length makes no sense.
    """

    def __init__(
        self,
        task: Task,
        out: Path | None = None,
        *,
        minutes: float | None = None,
        steps: int | None = None,
        seed: int = 0,
        team: Solo | None = None,
        save_every: float = 120.0,
        log_every: float = 10.0,
        preview_every: float = 240.0,
        live_every: float | None = None,
        quiet: bool = False,
    ) -> None:
        if (minutes is None) == (steps is None):
            raise TrainingError(f"minutes {minutes}, steps {steps}: give one of both")
        if (minutes is not None and not minutes > 0) or (steps is not None and steps < 1):
            raise TrainingError(f"A run of {minutes} minutes or {steps} steps; expected more than none")
        self.task, self.out, self.seed = task, out, seed
        self.team = Solo() if team is None else team
        self.minutes, self.steps = minutes, steps
        self.step, self.elapsed = 0, 0.0
        self.figures: dict[str, float] = {}
        """Of the last preview."""
        self.interrupted = False
        """Whether the last `run` was ended by SIGINT or SIGTERM."""
        first = self.team.rank == 0
        self.journal = Journal(out if first else None, quiet=quiet or not first)
        self._live = LiveModel(out, live_every) if first and out is not None and live_every is not None else None
        self._jobs = [_Job(log_every, self._report), _Job(preview_every, self._preview)]
        if out is not None:
            self._jobs.append(_Job(save_every, self.save))
        self._trouble: TrainingError | None = None
        task.to(self.team.device)

    @property
    def progress(self) -> float:
        """Share of the run that is done."""
        if self.steps is not None:
            return self.step / self.steps
        assert self.minutes is not None
        return self.elapsed / (60 * self.minutes)

    def resume(self, changed: Collection[str] = ()) -> None:
        """Goes on from the checkpoint in the run's folder, with the seed that the run began with.

        Args:
            changed: fields of the recipe in which the task may differ from the run's.

        Raises:
            TrainingError: there is none, or it is of another task, recipe or shape.
        """
        if self.out is None:
            raise TrainingError("a run without a folder has no checkpoint")
        found = checkpoint.load(self.out)
        checkpoint.check_same_run(found, self.task.name, self.task.recipe, changed)
        try:
            self.task.load(found["state"])
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            why = str(error).strip().splitlines()[-1].strip()[:200]
            raise TrainingError(
                f"The checkpoint in {self.out} does not fit this {self.task.name} ({why}); it is of other sizes: give "
                "the options that it began with, or another --out"
            ) from error
        self.step, self.elapsed, self.seed = found["step"], found["elapsed"], found["seed"]
        self.figures = dict(found.get("figures", {}))

    def run(self, stop_at: int | None = None) -> bool:
        """Trains until the end, until step `stop_at`, or until SIGINT or SIGTERM; then saves.

        Returns:
            Whether the run is finished.

        Raises:
            TrainingError: a file cannot be written, the losses are not finite any more, or another process died.
        """
        self._share_beginning()
        if self.team.rank == 0:
            self._try(lambda: self.journal.open(self.step))
        began = time.perf_counter() - self.elapsed
        for job in self._jobs:
            job.start()
        self.interrupted = False
        try:
            with _signals() as asked:
                while True:
                    now = time.perf_counter() - began if self.team.rank == 0 else 0.0
                    self.elapsed, stop, failed = self.team.greatest([now, float(asked()), float(bool(self._trouble))])
                    self.interrupted = bool(stop)
                    if stop or failed or self.progress >= 1 or (stop_at is not None and self.step >= stop_at):
                        break
                    self.one_step()
                    if self.team.rank == 0:
                        for job in self._jobs:
                            self._try(job.run_if_due)
                        if self._live is not None:
                            self._live.write_if_due(self)
                if self.team.rank == 0 and self._trouble is None:
                    self._finish(stop_at is None and not self.interrupted)
        finally:
            self.journal.close()
        if self._trouble is not None:
            raise self._trouble
        return self.progress >= 1

    def one_step(self) -> None:
        """One update, whose random numbers depend on seed, step and process alone.

        Raises:
            TrainingError: it cannot be done, or the GPU is full.
        """
        torch.manual_seed(random_seed(self.seed, self.step, self.team.rank))
        try:
            figures = self.task.update(Moment(self.step, self.progress, self.team))
        except torch.OutOfMemoryError as error:
            raise TrainingError(
                f"{self.team.device} has not enough memory for this {self.task.name} (step {self.step}); the last "
                "checkpoint is kept. Make batch or networks smaller, or close what else uses the GPU."
            ) from error
        stage = getattr(self.task, "stage", "")
        if stage != self.journal.stage:
            self._try(self._report)
        self.step += 1
        self.journal.note(figures, stage)
        self.journal.show(self.step, self.progress, self.elapsed)

    def save(self) -> None:
        """Writes the checkpoint.

        Raises:
            TrainingError: it cannot be written; the earlier one is kept.
        """
        assert self.out is not None
        checkpoint.save(
            self.out,
            {
                "task": self.task.name,
                "recipe": checkpoint.plain_recipe(self.task.recipe),
                "step": self.step,
                "elapsed": self.elapsed,
                "seed": self.seed,
                "processes": self.team.size,
                "device": str(self.team.device),
                "figures": dict(self.figures),
                "state": self.task.state(),
            },
        )

    def write_live(self) -> None:
        """Writes the live model now."""
        if self._live is not None:
            self._live.write(self)

    def facts(self) -> dict[str, Any]:
        """How the model came to be what it is now, for its card."""
        return {
            "task": self.task.name,
            "recipe": checkpoint.plain_recipe(self.task.recipe),
            "steps": self.step,
            "minutes": round(self.elapsed / 60, 1),
            "seed": self.seed,
            "processes": self.team.size,
            "hardware": hardware(self.team.device),
            **({"metrics": dict(self.figures)} if self.figures else {}),
        }

    def _share_beginning(self) -> None:
        """All begin with what process 0 has: a task need not draw the same weights in every process."""
        if self.team.size == 1:
            return
        buffer = io.BytesIO()
        if self.team.rank == 0:
            torch.save(self.task.state(), buffer)
        self.step, self.elapsed, self.seed, raw = self.team.share(
            (self.step, self.elapsed, self.seed, buffer.getvalue())
        )
        if self.team.rank > 0:
            self.task.load(torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True))

    def _finish(self, whole: bool) -> None:
        if whole:
            self._try(self._preview)
        self._try(self._report)
        if self.out is not None:
            self._try(self.save)
        if self._live is not None and self._trouble is None:
            self._live.write(self)

    def _report(self) -> None:
        self.journal.write(self.step, self.progress, self.elapsed)

    def _preview(self) -> None:
        with torch.no_grad():
            self.figures = {name: float(value) for name, value in self.task.preview().items()}
        if self.figures:
            self.journal.tell(self.step, self.figures)

    def _try(self, do: Callable[[], None]) -> None:
        """What goes wrong in one process alone waits for the next time that all meet, or the others would hang."""
        try:
            do()
        except TrainingError as error:
            self._trouble = self._trouble or error


class _Job:
    """Something to do every so many seconds."""

    def __init__(self, every: float, do: Callable[[], None]) -> None:
        self._every, self._do, self._last = every, do, 0.0

    def start(self) -> None:
        self._last = time.perf_counter()

    def run_if_due(self) -> None:
        if time.perf_counter() - self._last >= self._every:
            self._do()
            self._last = time.perf_counter()


def random_seed(seed: int, step: int, rank: int) -> int:
    """A seed of 63 bits for one update of one process; streams of neighbours have nothing in common."""
    return int(np.random.SeedSequence((seed, step, rank)).generate_state(1, np.uint64)[0] >> np.uint64(1))


@contextmanager
def _signals() -> Iterator[Callable[[], bool]]:
    """While open, the first SIGINT or SIGTERM is only remembered; a second SIGINT interrupts at once."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    asked = False

    def ask(number: int, _: Any) -> None:
        nonlocal asked
        if asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

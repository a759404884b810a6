"""`--follow`: looks at a model while it trains, by reading its file again whenever that has been written."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from ..models.base import ModelCard
from ..models.errors import CheckpointError

LIVE = "live.safetensors"
"""What a training run keeps writing into its folder."""
EVERY = 0.5
"""Seconds between two looks at the file."""

Stamp = tuple[int, int, int]


def followed_file(reference: str) -> Path:
    """The file to follow: a run's live model where a folder is given.

    Raises:
        CheckpointError: there is none.
    """
    path = Path(reference).expanduser()
    file = path / LIVE if path.is_dir() else path
    if file.is_file():
        return file
    if path.is_dir():
        raise CheckpointError(
            f"{reference} holds no {LIVE} yet. A run of `neuroview train` writes it when it begins: start it, or give "
            "the folder that its --out names."
        )
    raise CheckpointError(f"There is no {reference} to follow: expected a model's file or a training run's folder.")


def training_line(card: ModelCard) -> str:
    """How far the training is, as its model's card tells; empty where it does not."""
    step, progress = card.training.get("steps"), card.training.get("progress")
    if not isinstance(step, int):
        return ""
    if isinstance(progress, float | int) and progress >= 1:
        return f"Trained: {step:,} steps"
    percent = f" · {100 * progress:.0f} %" if isinstance(progress, float | int) else ""
    return f"Training: step {step:,}{percent}"


class Follower:
    """Calls back, on a thread of its own, whenever a file has been replaced.

    Args:
        file: to look at; it may be gone for a while.
        changed: called after each change.
        every: seconds between two looks.
    """

    def __init__(self, file: Path, changed: Callable[[], None], every: float = EVERY) -> None:
        self._file, self._changed, self._every = file, changed, every
        self._seen = _stamp(file)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="neuroview-follow", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def look(self) -> None:
        """One look at the file."""
        now = _stamp(self._file)
        if now is not None and now != self._seen:
            self._seen = now
            self._changed()

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            self.look()


def _stamp(file: Path) -> Stamp | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino

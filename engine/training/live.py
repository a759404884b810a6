"""The model as it stands while it trains, written for others to look at: `live.safetensors` and its .json."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError

from ...models.base import Generator
from ...models.errors import CheckpointError, NeuroviewError
from ...models.formats import native
from .task import TrainingError

if TYPE_CHECKING:
    from .trainer import Trainer

LIVE = "live.safetensors"
_SHARE = 40
"""Writing takes at most one part in so many of the time."""


def write_model(generator: Generator, path: Path, training: Mapping[str, Any]) -> None:
    """Writes a generator in half precision as `path` (.safetensors) and its .json, each whole or not at all.

    Args:
        generator: as `Task.generator` gives it.
        path: of the .safetensors file; its folder is made if missing.
        training: facts for its card, beside those that it has.

    Raises:
        TrainingError: they cannot be written.
    """
    path = path.with_suffix(".safetensors")
    generator.card = replace(generator.card, training={**generator.card.training, **training})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as folder:
            made = Path(folder) / path.name
            native.convert(generator, made, dtype=torch.float16)
            for part in (made.with_suffix(".json"), made):  # who waits for the tensors finds their words there
                part.chmod(0o644)
                os.replace(part, path.with_suffix(part.suffix))
    except (CheckpointError, OSError, SafetensorError) as error:
        raise TrainingError(f"{path} cannot be written: {error}") from error


class LiveModel:
    """Writes the model into the run's folder now and then.

    Args:
        folder: of the run.
        every: seconds, at least, between two writings; more where writing takes long.
    """

    def __init__(self, folder: Path, every: float) -> None:
        self.path, self._every = folder / LIVE, every
        self._next = 0.0
        self._said = ""

    def write_if_due(self, trainer: Trainer) -> None:
        """Writes it, if it is time to."""
        if time.perf_counter() >= self._next:
            self.write(trainer)

    def write(self, trainer: Trainer) -> None:
        """Writes it; that it cannot be is said and does not end a run."""
        begin = time.perf_counter()
        facts = {**trainer.facts(), "progress": round(min(trainer.progress, 1.0), 4)}
        try:
            with torch.no_grad():
                write_model(trainer.task.generator(), self.path, facts)
        except (NeuroviewError, RuntimeError, MemoryError) as error:  # such as a GPU without room for a copy
            if str(error) != self._said:
                trainer.journal.say(f"The live model was not written: {error}")
            self._said = str(error)
        now = time.perf_counter()
        self._next = now + max(self._every, _SHARE * (now - begin))

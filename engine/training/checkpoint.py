"""A run's checkpoint: one file of tensors and plain values, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import pickle
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from .task import TrainingError

NAME = "checkpoint.pt"
FORMAT = "neuroview-run-1"
_KEYS = {"format", "task", "recipe", "step", "elapsed", "seed", "state"}


def save(folder: Path, checkpoint: Mapping[str, Any]) -> None:
    """Writes `checkpoint.pt`; what stood there stays until the new one is complete.

    Raises:
        TrainingError: it cannot be written; the earlier one is still there.
    """
    path = folder / NAME
    part = path.with_name(f"{NAME}.part")
    try:
        with open(part, "wb") as file:
            torch.save({"format": FORMAT, **checkpoint}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except (OSError, RuntimeError) as error:  # torch's writer reports a full disk as a RuntimeError
        with contextlib.suppress(OSError):
            part.unlink()
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error).splitlines()[0][:150]
        kept = "the one before it is kept" if path.exists() else "there is none yet"
        raise TrainingError(
            f"The checkpoint of step {checkpoint.get('step')} cannot be written to {folder} ({why}); {kept}. "
            "Make room there, then go on with --resume."
        ) from error


def load(path: Path) -> dict[str, Any]:
    """What `save` wrote in a folder; nothing in it is executed.

    Raises:
        TrainingError: there is none, it is damaged, or no run's.
    """
    path = path / NAME if path.is_dir() else path
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError) as error:
        why = str(error).splitlines()[0][:150] if str(error) else type(error).__name__
        raise TrainingError(f"{path} is no checkpoint of a training run ({why})") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT or not set(found) >= _KEYS:
        raise TrainingError(f"{path} is no checkpoint of a training run; expected what `neuroview train` writes")
    return found


def plain_recipe(recipe: Any) -> dict[str, Any]:
    """A recipe's fields as plain values: tuples become lists, nested dataclasses dictionaries."""
    return {name: _plain(value) for name, value in asdict(recipe).items()}


def check_same_run(found: Mapping[str, Any], name: str, recipe: Any, changed: Collection[str] = ()) -> None:
    """Whether a checkpoint can be gone on with.

    Args:
        found: what `load` gave.
        name: of the task.
        recipe: of the task.
        changed: fields of the recipe that may differ, because a person asked for it.

    Raises:
        TrainingError: it is of another task, or of another recipe.
    """
    if found["task"] != name:
        raise TrainingError(f"The run there trains {found['task']}, not {name}; give the folder of a {name} run")
    theirs, ours = found["recipe"], plain_recipe(recipe)
    names = sorted(theirs.keys() | ours.keys(), key=str)
    differing = [
        f"{field} was {theirs.get(field, 'not there')}, now {ours.get(field, 'not there')}"
        for field in names
        if theirs.get(field) != ours.get(field) and field not in changed
    ]
    if differing:
        told = "; ".join(differing[:4]) + ("; ..." if len(differing) > 4 else "")
        raise TrainingError(
            f"The run there has another recipe ({told}); give the options that it began with, or another --out"
        )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)

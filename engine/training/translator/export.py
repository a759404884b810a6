"""From a training run's checkpoint to the painter's own files, and back as a start for another run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ....models.base import ModelCard
from ....models.errors import NeuroviewError
from ....models.formats import painter_native
from ....models.formats.plain_json import from_plain, to_plain
from ....models.painter import Painter, PainterConfig
from .. import checkpoint
from ..task import TrainingError
from .task import NAME


def load_checkpoint(path: Path) -> dict[str, Any]:
    """What a painter's run saved in a folder; tensors and plain values only, nothing is executed.

    Raises:
        TrainingError: there is none, it is damaged, or of another task.
    """
    found = checkpoint.load(path)
    if found["task"] != NAME:
        raise TrainingError(f"{path} is of a run that trains {found['task']}; expected one of `train {NAME}`")
    return found


def config_of(state: Mapping[str, Any]) -> PainterConfig:
    """The painter that a task's state is of."""
    config: PainterConfig = from_plain(PainterConfig, _listed(state["config"]), "config")
    return config


def blended(found: Mapping[str, Any], other: Mapping[str, Any], share: float) -> dict[str, Any]:
    """A checkpoint whose averaged weights are `share` those of `other`: between a sharp run and a steady one that was
    begun from it lie painters that are both (Wortsman et al. 2022, model soups).

    Raises:
        TrainingError: `share` is outside 0..1, or the two are not of one layout.
    """
    if not 0 <= share <= 1:
        raise TrainingError(f"a share of {share:g}; expected 0..1")
    mine, others = found["state"]["ema"], other["state"]["ema"]
    if {n: t.shape for n, t in mine.items()} != {n: t.shape for n, t in others.items()}:
        raise TrainingError("the two runs are of different layouts; blend a run with one that was begun from it")
    soup = {name: torch.lerp(tensor.float(), others[name].float(), share) for name, tensor in mine.items()}
    their = {**other["recipe"], "share": share, "frames": other["state"]["frames"]}
    recipe = {**found["recipe"], "blended_with": their}
    return {**found, "state": {**found["state"], "ema": soup}, "recipe": recipe, "figures": {}}


def painter_of(found: Mapping[str, Any], name: str = "town", title: str = "", summary: str = "") -> Painter:
    """The averaged weights of a checkpoint as a painter, with how it was trained on its card."""
    state = found["state"]
    config = config_of(state)
    network = config.network()
    network.load_state_dict(state["ema"])
    training = {
        "recipe": _listed(found["recipe"]),
        "frames": state["frames"],
        "minutes": round(found["elapsed"] / 60, 1),
        "data": _listed(state["notes"]),
        "metrics": dict(found.get("figures", {})),
    }
    height, width = (int(n) for n in state["size"])
    card = ModelCard(
        name=name,
        family=painter_native.FAMILY,
        title=title or f"Town painter {width} x {height}",
        summary=summary,
        licence="MIT",
        training=training,
    )
    return Painter(network, config, card, None, (height, width))


def export(found: Mapping[str, Any], path: Path, title: str = "", summary: str = "") -> None:
    """Writes a checkpoint's painter as `path` (.safetensors) and the .json beside it.

    Raises:
        CheckpointError: the files cannot be written.
    """
    path = path.with_suffix(".safetensors")
    path.parent.mkdir(parents=True, exist_ok=True)
    painter_native.save(path, painter_of(found, path.stem, title, summary))


def beginning(path: Path) -> dict[str, Any]:
    """Weights to start another run from: a checkpoint's folder or file, or a painter's .safetensors.

    Returns:
        "config" (plain), "ema" and, from a checkpoint, the rest of the task's state.

    Raises:
        TrainingError: it is neither.
    """
    if path.suffix != ".safetensors":
        return load_checkpoint(path)["state"]
    try:
        painter = painter_native.open_translator(path)
    except NeuroviewError as error:
        raise TrainingError(f"{path} cannot be started from: {error}") from error
    return {"config": to_plain(painter.config), "ema": painter.network.state_dict()}


def _listed(value: Any) -> Any:
    """Tuples as lists: what JSON makes of them."""
    if isinstance(value, Mapping):
        return {key: _listed(item) for key, item in value.items()}
    return [_listed(item) for item in value] if isinstance(value, (list, tuple)) else value

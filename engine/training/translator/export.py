"""From a training run's checkpoint to the painter's own files, and back as a start for another run."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ....models.base import ModelCard
from ....models.errors import NeuroviewError
from ....models.formats import painter_native
from ....models.formats.plain_json import from_plain, to_plain
from ....models.painter import Painter, PainterConfig
from .run import CHECKPOINT
from .schedule import TrainingError


def load_checkpoint(path: Path) -> dict[str, Any]:
    """The state that a run saved in a folder; tensors and plain values only, nothing is executed.

    Raises:
        TrainingError: there is none, or it is damaged.
    """
    path = path / CHECKPOINT if path.is_dir() else path
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError) as error:
        raise TrainingError(f"{path} is no checkpoint of a training run ({str(error)[:150]})") from error
    if not isinstance(state, dict) or not {"recipe", "config", "ema", "step", "size"} <= set(state):
        raise TrainingError(f"{path} is no checkpoint of a painter's training; expected what `train translator` writes")
    return state


def config_of(state: Mapping[str, Any]) -> PainterConfig:
    """The painter that a checkpoint is of."""
    config: PainterConfig = from_plain(PainterConfig, _listed(state["config"]), "config")
    return config


def blended(state: Mapping[str, Any], other: Mapping[str, Any], share: float) -> dict[str, Any]:
    """A checkpoint whose averaged weights are `share` those of `other`: between a sharp run and a steady one that was
    begun from it lie painters that are both (Wortsman et al. 2022, model soups).

    Raises:
        TrainingError: `share` is outside 0..1, or the two are not of one layout.
    """
    if not 0 <= share <= 1:
        raise TrainingError(f"a share of {share:g}; expected 0..1")
    mine, others = state["ema"], other["ema"]
    if {n: t.shape for n, t in mine.items()} != {n: t.shape for n, t in others.items()}:
        raise TrainingError("the two runs are of different layouts; blend a run with one that was begun from it")
    soup = {name: torch.lerp(tensor.float(), others[name].float(), share) for name, tensor in mine.items()}
    recipe = {**state["recipe"], "blended_with": {**other["recipe"], "share": share, "frames": other["step"]}}
    return {**state, "ema": soup, "recipe": recipe, "figures": {}}


def painter_of(state: Mapping[str, Any], name: str = "town", title: str = "", summary: str = "") -> Painter:
    """The averaged weights of a checkpoint as a painter, with how it was trained on its card."""
    config = config_of(state)
    network = config.network()
    network.load_state_dict(state["ema"])
    training = {
        "recipe": _listed(state["recipe"]),
        "frames": state["step"],
        "minutes": round(state.get("elapsed", 0.0) / 60, 1),
        "data": _listed(state.get("notes", [])),
        "metrics": dict(state.get("figures", {})),
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


def export(state: Mapping[str, Any], path: Path, title: str = "", summary: str = "") -> None:
    """Writes a checkpoint's painter as `path` (.safetensors) and the .json beside it.

    Raises:
        CheckpointError: the files cannot be written.
    """
    path = path.with_suffix(".safetensors")
    path.parent.mkdir(parents=True, exist_ok=True)
    painter_native.save(path, painter_of(state, path.stem, title, summary))


def beginning(path: Path) -> dict[str, Any]:
    """Weights to start another run from: a checkpoint's folder or file, or a painter's .safetensors.

    Returns:
        "config" (plain), "ema" and, from a checkpoint, the rest of its networks.

    Raises:
        TrainingError: it is neither.
    """
    if path.suffix != ".safetensors":
        return load_checkpoint(path)
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

"""Reads nerfstudio's `config.yml` inertly: its `!!python/...` tags name classes to build, and none is built.

A tagged mapping becomes a dict, a tagged sequence a list, a tagged scalar its text. Nothing is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ..errors import CheckpointError
from .cameras import run_folders

CONFIG = "config.yml"
LARGEST_FILE = 256 << 10  # nerfstudio's have about 10 kB, and PyYAML is slow


class _InertLoader(yaml.SafeLoader):
    """PyYAML's safe loader, to which tags of Python objects are plain data."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Leaves merge keys (`<<`) alone, so that they are refused: nested ones double a mapping time after time."""


def _plain(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    # `!!python/name:module.Class ''` says everything in its tag.
    assert isinstance(node, yaml.ScalarNode)
    return loader.construct_scalar(node) or suffix


_InertLoader.add_multi_constructor("tag:yaml.org,2002:python/", _plain)


def read_config(path: Path) -> dict[str, Any]:
    """The settings in a run's `config.yml`, as plain data.

    Raises:
        CheckpointError: it is damaged, too large, or holds a tag of neither YAML nor Python.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise CheckpointError(f"{path.name} has more than {LARGEST_FILE} bytes; refused.")
        found = _parsed(path.read_text("utf-8"))
    except OSError as error:
        raise CheckpointError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError, AttributeError, OverflowError) as error:
        reason = str(error).split("\n")[0][:120]
        raise CheckpointError(f"{path.name} is not readable YAML ({reason}); repair or remove it.") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{path.name} holds a {type(found).__name__}; expected a mapping of settings.")
    return found


def _parsed(text: str) -> Any:
    loader = _InertLoader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def config_beside(checkpoint: Path) -> dict[str, Any]:
    """The run's settings, empty when its `config.yml` does not lie beside the checkpoint or one folder above."""
    for folder in run_folders(checkpoint):
        if (folder / CONFIG).is_file():
            return read_config(folder / CONFIG)
    return {}


def model_settings(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The section `pipeline.model`; empty when there is none."""
    pipeline = config.get("pipeline")
    model = pipeline.get("model") if isinstance(pipeline, Mapping) else None
    return model if isinstance(model, Mapping) else {}


def number(settings: Mapping[str, Any], key: str, default: float, low: float, high: float) -> float:
    """A setting between two bounds.

    Raises:
        CheckpointError: it is none.
    """
    found = settings.get(key, default)
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not low <= found <= high:
        raise CheckpointError(f"{CONFIG}: {key} is {str(found)[:80]!r}, expected a number from {low:g} to {high:g}.")
    return float(found)

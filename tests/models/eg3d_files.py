"""Writes EG3D pickles through the real pickle module, by classes that only look official."""

from __future__ import annotations

import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import torch
from neuroview.models.eg3d import EG3DConfig
from neuroview.models.eg3d_official import official_rendering_kwargs


class Persistent:
    """Pickles as an object of the official persistence does; its source text is a few words."""

    def __init__(self, name: str, state: dict) -> None:
        self.meta = {"type": "class", "version": 6, "module_src": "never read", "class_name": name, "state": state}

    def __reduce__(self):
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (self.meta,)


@contextmanager
def official_names() -> Iterator[None]:
    """Lets pickle write the official globals without the official code."""
    module = types.ModuleType("torch_utils.persistence")

    def _reconstruct_persistent_obj(meta):
        raise AssertionError("a file's code was run")

    _reconstruct_persistent_obj.__module__ = module.__name__
    _reconstruct_persistent_obj.__qualname__ = "_reconstruct_persistent_obj"
    module._reconstruct_persistent_obj = _reconstruct_persistent_obj
    names = {"torch_utils": types.ModuleType("torch_utils"), "torch_utils.persistence": module}
    with mock.patch.dict(sys.modules, names):
        yield


def tree_of(tensors: dict[str, torch.Tensor], name: str, attributes: dict[str, dict], path: str = "") -> Persistent:
    """Named tensors as the nested modules that official files hold."""
    own = OrderedDict((key, value) for key, value in tensors.items() if "." not in key)
    below: dict[str, dict] = {}
    for key, value in tensors.items():
        head, dot, rest = key.partition(".")
        if dot:
            below.setdefault(head, {})[rest] = value
    children = OrderedDict(
        (head, tree_of(inner, head, attributes, f"{path}.{head}".strip("."))) for head, inner in below.items()
    )
    state = {"_parameters": own, "_buffers": OrderedDict(), "_modules": children, **attributes.get(path, {})}
    return Persistent(name, state)


def write_official(
    path: Path, config: EG3DConfig, tensors: dict[str, torch.Tensor], kwargs: dict | None = None, **content
) -> Path:
    """An official file with these tensors as `G_ema`."""
    attributes = {
        "": {
            "rendering_kwargs": official_rendering_kwargs(config) if kwargs is None else kwargs,
            "neural_rendering_resolution": config.neural_rendering_resolution,
        },
        "superresolution": {"input_resolution": config.sr_input_resolution, "sr_antialias": config.sr_antialias},
    }
    tree = tree_of(tensors, "TriPlaneGenerator", attributes)
    with official_names(), open(path, "wb") as file:
        pickle.dump({"training_set_kwargs": {}, "G": None, "D": None, "G_ema": tree, **content}, file, 4)
    return path

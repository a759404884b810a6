"""OmegaConf's objects in a pickle: read as plain settings, without the library, whatever they refer to."""

from __future__ import annotations

import collections
import pickle
import sys
import types

import pytest
from neuroview.models.errors import CheckpointError, UnsafePickle
from neuroview.models.pickled_configs import CONFIGS, plain_settings
from neuroview.models.unpickle import Stub, unpickle


@pytest.fixture
def library(monkeypatch):
    """Classes that pickle as the library's do, in its layout of attributes."""

    def made(module, name):
        kind = type(name, (), {"__module__": module})
        found = sys.modules.get(module) or types.ModuleType(module)
        setattr(found, name, kind)
        monkeypatch.setitem(sys.modules, module, found)
        return kind

    monkeypatch.setitem(sys.modules, "omegaconf", types.ModuleType("omegaconf"))
    kinds = {
        "dict": made("omegaconf.dictconfig", "DictConfig"),
        "list": made("omegaconf.listconfig", "ListConfig"),
        "leaf": made("omegaconf.nodes", "AnyNode"),
        "metadata": made("omegaconf.base", "ContainerMetadata"),
    }

    def node(value, parent=None):
        kind = "dict" if isinstance(value, dict) else "list" if isinstance(value, list) else "leaf"
        new = kinds[kind]()
        metadata = kinds["metadata"]()
        metadata.__dict__.update(object_type=dict, ref_type=int, resolver_cache=collections.defaultdict(dict))
        new.__dict__.update(_metadata=metadata, _parent=parent)
        if kind == "dict":
            new.__dict__["_content"] = {key: node(part, new) for key, part in value.items()}
        elif kind == "list":
            new.__dict__["_content"] = [node(part, new) for part in value]
        else:
            new.__dict__["_val"] = value
        return new

    return node


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_tree_of_nodes_becomes_plain_settings(library, tmp_path, protocol):
    tree = library({"fov": 12, "range": [-0.3, 0.3], "inner": {"name": "x", "none": None}, "map": "${spec.map}"})
    (tmp_path / "x.pkl").write_bytes(pickle.dumps({"plain": 1, "tree": tree}, protocol))
    found = plain_settings(unpickle(tmp_path / "x.pkl", CONFIGS))
    assert found == {"plain": 1, "tree": {"fov": 12, "range": [-0.3, 0.3], "inner": {"name": "x", "none": None}}}


def test_types_in_the_metadata_are_never_called(tmp_path):
    class Call:
        def __reduce__(self):
            return dict, ([("a", 1)],)

    (tmp_path / "x.pkl").write_bytes(pickle.dumps(Call()))
    with pytest.raises(CheckpointError, match="only stands as an argument"):
        unpickle(tmp_path / "x.pkl", CONFIGS)
    (tmp_path / "y.pkl").write_bytes(pickle.dumps(eval))
    with pytest.raises(UnsafePickle):
        unpickle(tmp_path / "y.pkl", CONFIGS)


def test_a_tree_that_unfolds_without_end_is_refused():
    loop = Stub("omegaconf.dictconfig.DictConfig")
    loop.state = {"_content": {"again": loop}}
    with pytest.raises(CheckpointError, match="deeper or larger"):
        plain_settings(loop)
    wide: list = []
    for _ in range(6):
        wide = [wide] * 100
    with pytest.raises(CheckpointError, match="deeper or larger"):
        plain_settings(wide)

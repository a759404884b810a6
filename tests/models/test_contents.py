"""What `inspect` tells of a file: its kind, its settings, every tensor, and no network is ever built."""

from __future__ import annotations

import json
import os
import pickle

import numpy as np
import pytest
import torch
from neuroview.models.contents import inspect
from neuroview.models.errors import CheckpointError, UnsafePickle
from neuroview.models.formats import native
from neuroview.models.graf import GRAFLayout, GRAFNetwork
from safetensors.torch import save_file

SMALL = GRAFLayout(shape_code=4, appearance_code=4, width=8, view_width=4)


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(0)
    state = GRAFNetwork(SMALL).state_dict()
    path = tmp_path / "model.pt"
    torch.save({"it": 12, "note": "x" * 999, "sizes": [1, 2, 3], "generator": state}, path)
    return path


def test_a_checkpoint_tells_its_kind_its_settings_and_every_tensor(checkpoint):
    contents = inspect(str(checkpoint))
    assert contents.family == "GRAF checkpoint"
    assert contents.container == "zip archive"
    assert contents.configuration["it"] == 12
    assert contents.configuration["sizes"] == [1, 2, 3]
    assert len(contents.configuration["note"]) == 200
    shapes = {entry.name: (entry.shape, entry.dtype) for entry in contents.tensors}
    assert shapes["generator.alpha_linear.weight"] == ((1, 8), "float32")
    assert contents.numbers == sum(tensor.numel() for tensor in GRAFNetwork(SMALL).state_dict().values())


def test_values_are_read_only_when_asked_for(checkpoint):
    assert all(entry.low is None for entry in inspect(str(checkpoint)).tensors)
    limits = {entry.name: (entry.low, entry.high) for entry in inspect(str(checkpoint), values=True).tensors}
    weight = GRAFNetwork(SMALL).state_dict()
    assert limits.keys() == {f"generator.{name}" for name in weight}
    assert all(low <= high for low, high in limits.values())


@pytest.mark.parametrize(
    ("file", "family", "tensors", "setting"),
    [
        ("eg3d/small512.pkl", "EG3D pickle", 177, ("neural_rendering_resolution", 64)),
        ("nerf/lego-lowres/checkpoint199999.ckpt", "NeRF checkpoint (krrish94)", 97, ("iter", 199999)),
        ("pigan/celeba_spatialsirenbaseline/generator.pth", "pi-GAN checkpoint", 32, ("step", 200000)),
        (
            "stylenerf/small_ffhq_r128_pixelshuffle/network-snapshot-000000.pkl",
            "StyleNeRF pickle",
            134,
            ("growth", "pixelshuffle"),
        ),
    ],
)
def test_official_files_are_told_apart(oracles, file, family, tensors, setting):
    contents = inspect(str(oracles / file))
    assert contents.family == family
    assert len(contents.tensors) == tensors
    assert contents.configuration[setting[0]] == setting[1]


def test_no_network_is_built(checkpoint, monkeypatch):
    def build(*_, **__):
        raise AssertionError("a network was built")

    monkeypatch.setattr(torch.nn.Module, "__init__", build)
    assert inspect(str(checkpoint)).tensors


def test_files_that_no_family_claims_are_still_told(tmp_path):
    save_file({"a": torch.zeros(2, 3)}, str(tmp_path / "plain.safetensors"), metadata={"made": "by hand"})
    contents = inspect(str(tmp_path / "plain.safetensors"))
    assert (contents.family, contents.container) == (None, "safetensors")
    assert contents.configuration == {"made": "by hand"}
    np.savez(tmp_path / "two.npz", a=np.zeros(4), b=np.ones((2, 2), np.int8))
    assert {(entry.name, entry.dtype) for entry in inspect(str(tmp_path / "two.npz")).tensors} == {
        ("a", "float64"),
        ("b", "int8"),
    }
    (tmp_path / "two.npz").rename(tmp_path / "two.bin")
    assert inspect(str(tmp_path / "two.bin"), values=True).tensors[1].high == 1
    np.save(tmp_path / "one.npy", np.zeros((3, 1), np.float16))
    assert inspect(str(tmp_path / "one.npy")).tensors[0].shape == (3, 1)


def test_our_own_form_tells_the_description_beside_it(checkpoint, tmp_path):
    from neuroview.models.catalog import open_generator

    native.convert(open_generator(str(checkpoint)), tmp_path / "mine.safetensors")
    contents = inspect(str(tmp_path / "mine.safetensors"))
    assert contents.family == "neuroview safetensors"
    assert contents.configuration["family"] == "graf"
    assert contents.configuration["config.layout.width"] == 8


def test_code_in_a_file_is_refused_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "trapped"),)

    (tmp_path / "bad.pkl").write_bytes(pickle.dumps({"a": Trap()}))
    with pytest.raises(UnsafePickle, match="mkdir"):
        inspect(str(tmp_path / "bad.pkl"))
    np.save(tmp_path / "bad.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(CheckpointError):
        inspect(str(tmp_path / "bad.npy"))
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize(("data", "reason"), [(b"", "is empty"), (b"hello", "no checkpoint"), (b"PK\x03\x04", "zip")])
def test_other_files_are_refused_in_a_sentence(tmp_path, data, reason):
    (tmp_path / "x.bin").write_bytes(data)
    with pytest.raises(CheckpointError, match=reason):
        inspect(str(tmp_path / "x.bin"))


def test_everything_survives_json(checkpoint):
    told = json.loads(json.dumps(inspect(str(checkpoint), values=True).to_dict()))
    assert told["family"] == "GRAF checkpoint"
    assert told["tensors"][0].keys() == {"name", "shape", "dtype", "low", "high"}


def test_a_pickle_that_unfolds_without_end_is_refused(tmp_path):
    wide: list = [0] * 20
    for _ in range(8):
        wide = [wide] * 50
    path = tmp_path / "bomb.pkl"
    path.write_bytes(pickle.dumps(wide))
    assert path.stat().st_size < 2000
    with pytest.raises(CheckpointError, match="nests more than"):
        inspect(str(path))

"""Hash-grid scenes in our own form: they come back the same, and what is damaged is refused in a sentence."""

import json
import math

import pytest
import torch
from neuroview.models.base import CameraDefaults, ModelCard, Pose, VolumeSettings
from neuroview.models.catalog import open_generator
from neuroview.models.errors import CheckpointError
from neuroview.models.formats import native
from neuroview.models.hashgrid import HashGrid, HashGridLayout
from neuroview.models.hashgrid_field import AffineWarp, ColourHead, ContractedWarp, Dense, DensityGrid, HashGridField
from neuroview.models.scene_generator import SceneGenerator
from safetensors.torch import load_file, save_file
from snapshots import snapshot, written

LAYOUT = HashGridLayout(levels=3, log2_size=8, base_resolution=4, growth=1.6)
BOX = AffineWarp(((0.5, 0.0, 0.0), (0.0, 0.5, 0.0), (0.0, 0.0, 0.5)), (0.5, 0.5, 0.5))
EYE = tuple(tuple(float(i == j) for j in range(4)) for i in range(4))
LENS = ((1.0, 0.0, 0.5), (0.0, 1.0, 0.5), (0.0, 0.0, 1.0))


def dense(inputs, outputs, bias=True):
    return Dense(torch.randn(inputs, outputs), torch.randn(outputs) if bias else None)


def scene(bias=True, occupied=True, warp=BOX):
    torch.manual_seed(0)
    field = HashGridField(
        HashGrid.from_flat(LAYOUT, torch.randn(LAYOUT.parameters)),
        (dense(6, 8, bias), dense(8, 5, bias)),
        ColourHead(dense(4, 8, bias), dense(16, 8, False), (dense(8, 8, bias), dense(8, 3, bias))),
        warp,
        ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)),
        bias=-0.7,
        first_feature=1,
        occupancy=DensityGrid(torch.rand(2, 16, 16, 16) > 0.4, BOX) if occupied else None,
    )
    volume = VolumeSettings(None, None, 16, 8, "exp", "left", "nerf", last_interval=0.0)
    camera = CameraDefaults(radius=3.0, fov=0.7, up="z")
    poses = (Pose("a.png", EYE, LENS),)
    return SceneGenerator(field, None, volume, ModelCard("s", "hashgrid", "S"), camera, poses, 64)


def answers(generator):
    torch.manual_seed(1)
    points, directions = torch.rand(400, 3) * 2.4 - 1.2, torch.nn.functional.normalize(torch.randn(400, 3), dim=-1)
    return generator.scene(torch.zeros(0, 0)).field(points, directions)


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "scene.safetensors"
    native.convert(scene(), path)
    return path


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("occupied", [True, False])
def test_a_scene_comes_back_with_every_number(tmp_path, bias, occupied):
    before = scene(bias, occupied)
    native.convert(before, tmp_path / "scene.safetensors")
    after = open_generator(str(tmp_path / "scene.safetensors"))
    assert isinstance(after, SceneGenerator)
    for mine, theirs in zip(answers(before), answers(after), strict=True):
        assert torch.equal(mine, theirs)
    assert (after.camera, after.volume, after.poses, after.resolution) == (
        before.camera,
        before.volume,
        before.poses,
        before.resolution,
    )


def test_a_snapshot_of_instant_ngp_converts_to_the_same_scene(tmp_path):
    before = open_generator(str(written(tmp_path / "fox.msgpack", snapshot())))
    native.convert(before, tmp_path / "fox.safetensors")
    after = open_generator(str(tmp_path / "fox.safetensors"))
    for mine, theirs in zip(answers(before), answers(after), strict=True):
        assert torch.equal(mine, theirs)


def test_cells_are_stored_as_bits(stored):
    assert tuple(load_file(stored)["occupied"].shape) == (2, 16, 16, 2)


def test_contracted_space_has_no_native_form(tmp_path):
    with pytest.raises(CheckpointError, match="only those with an affine box"):
        native.convert(scene(warp=ContractedWarp()), tmp_path / "x.safetensors")
    assert not list(tmp_path.iterdir())


CONFIG = {
    "colour": ([8, 8, 4], "make no density and colour network"),
    "density": ([8, 100000], "expected 1 to 1024"),
    "first_feature": (9, "first_feature is 9"),
    "bias": (math.inf, "config.bias"),
    "layout": ({"levels": 1000}, "no hash grid has such sizes"),
    "warp": ({"matrix": [[1.0]], "offset": [0.0]}, "no 3 x 3 matrix"),
    "poses": ([{"name": "a", "cam2world": [[1.0]], "intrinsics": [[1.0]]}], "is no 4 x 4 and 3 x 3 matrix"),
}


@pytest.mark.parametrize("key", CONFIG)
def test_an_impossible_configuration_is_refused(stored, key):
    value, said = CONFIG[key]
    description = json.loads(stored.with_suffix(".json").read_text())
    description["config"][key] = value
    stored.with_suffix(".json").write_text(json.dumps(description))
    with pytest.raises(CheckpointError, match=said):
        open_generator(str(stored))


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("occupied", lambda t: None, "tensor 'occupied' has shape"),
        ("occupied", lambda t: t[:, :4], "tensor 'occupied' has shape"),
        ("table", lambda t: t[:-8], "tensor 'table' has shape"),
        ("rest.1.weight", lambda t: None, "'rest.1.weight' of shape .* is missing"),
        ("density.0.weight", lambda t: t * math.nan, "NaN or infinite"),
    ],
)
def test_damaged_tensors_are_refused(stored, name, change, said):
    tensors = load_file(stored)
    changed = change(tensors.pop(name))
    if changed is not None:
        tensors[name] = changed.contiguous()
    save_file(tensors, stored)
    with pytest.raises(CheckpointError, match=said):
        open_generator(str(stored))

"""NeRF checkpoints are recognised and measured by their tensors, and refused with a reason when they are unfit."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from neuroview.models.errors import CheckpointError, UnsafePickle
from neuroview.models.formats import nerf_checkpoint
from neuroview.models.formats.nerf_checkpoint import COARSE, FINE, load, open_generator, sniff
from neuroview.models.nerf import Encoding, NeRFField
from torch import Tensor

WIDTH, POINT, VIEW = 8, 15, 9  # two octaves, one octave


def tensors(depth: int = 4, skips: tuple[int, ...] = (), point: int = POINT, seed: int = 0) -> dict[str, Tensor]:
    """A state dict as krrish94's network would have it."""
    random = torch.Generator().manual_seed(seed)
    shapes = {"layer1": (WIDTH, point), "fc_alpha": (1, WIDTH), "fc_rgb": (3, 4), "fc_feat": (WIDTH, WIDTH)}
    shapes |= {f"layers_xyz.{i - 1}": (WIDTH, WIDTH + point * (i in skips)) for i in range(1, depth)}
    shapes |= {"layers_dir.0": (4, WIDTH + VIEW)}
    state = {}
    for name, shape in shapes.items():
        state[f"{name}.weight"] = torch.randn(shape, generator=random)
        state[f"{name}.bias"] = torch.randn(shape[:1], generator=random)
    return state


def saved(path: Path, coarse: object, fine: object = None, *, legacy: bool = False, **more: object) -> Path:
    contents = {"iter": 10, COARSE: coarse, FINE: fine, "optimizer_state_dict": {}, "psnr": 20.5, **more}
    torch.save(contents, path, _use_new_zipfile_serialization=not legacy)
    return path


def test_the_published_file_is_recognised_and_measured_by_its_tensors(oracles: Path):
    file = oracles / "nerf" / "lego-lowres" / "checkpoint199999.ckpt"
    assert sniff(file)
    checkpoint = load(file)
    assert checkpoint.fine is not None
    layout = checkpoint.fine.layout
    assert (layout.depth, layout.width, layout.view_width) == (4, 128, 64)  # config.yml says 8 and 256
    assert (layout.points, layout.directions) == (Encoding(10), Encoding(4))
    assert checkpoint.iteration == 199999
    assert checkpoint.psnr == pytest.approx(21.4001, abs=1e-3)
    assert checkpoint.fingerprint == "7fa3524062222f4727fad06b2fea1fde5e912ade4984a2510971b8c8401cff8b"


def test_opening_the_published_file_gives_a_generator_with_a_card(oracles: Path):
    generator = open_generator(oracles / "nerf" / "lego-lowres" / "checkpoint199999.ckpt")
    assert (generator.card.name, generator.card.family) == ("lego-lowres", "nerf")
    assert generator.card.configuration["width"] == 128
    assert generator.card.training["iterations"] == 199999


def test_other_oracles_are_not_taken_for_nerfs(oracles: Path):
    assert not sniff(oracles / "eg3d" / "small512.pkl")
    assert not sniff(oracles / "nerf" / "lego-lowres" / "config.yml")
    assert not sniff(oracles / "nerf" / "lego_gt_100x100.npz")


@pytest.mark.parametrize("legacy", [True, False])
def test_both_of_torchs_file_formats_are_read(tmp_path, legacy):
    file = saved(tmp_path / "anything.bin", tensors(seed=1), tensors(seed=2), legacy=legacy)
    assert sniff(file)
    checkpoint = load(file)
    assert checkpoint.fine is not None
    torch.testing.assert_close(checkpoint.coarse.trunk[0].weight, tensors(seed=1)["layer1.weight"])
    torch.testing.assert_close(checkpoint.fine.colour.bias, tensors(seed=2)["fc_rgb.bias"])


def test_depth_skips_and_encodings_are_inferred_from_shapes(tmp_path):
    checkpoint = load(saved(tmp_path / "a", tensors(depth=6, skips=(3,), point=12)))
    layout = checkpoint.coarse.layout
    assert (layout.depth, layout.skips) == (6, (3,))
    assert (layout.points, layout.directions) == (Encoding(2, include_input=False), Encoding(1))
    assert checkpoint.fine is None


def test_a_network_trained_without_directions_is_read(tmp_path):
    state = {k: v for k, v in tensors().items() if k.startswith(("layer1", "layers_xyz"))}
    state |= {"fc_out.weight": torch.randn(4, WIDTH), "fc_out.bias": torch.tensor([0.0, 0.0, 0.0, 7.0])}
    checkpoint = load(saved(tmp_path / "a", state))
    assert checkpoint.coarse.density.bias.tolist() == [7.0]
    assert not NeRFField(checkpoint.coarse, ((-1, -1, -1), (1, 1, 1))).view_dependent


def without(name: str) -> dict[str, Tensor]:
    return {key: value for key, value in tensors().items() if key != name}


NOT_FINITE = torch.full((8,), float("nan"))


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (without("fc_alpha.weight"), r"lacks the tensor 'fc_alpha.weight' of shape \[1, 8\]"),
        (without("layer1.weight"), "lacks the tensor 'layer1.weight'"),
        (without("layers_xyz.1.weight"), "lacks the tensor 'layers_xyz.1.weight'"),
        (tensors() | {"fc_feat.bias": NOT_FINITE}, "'fc_feat.bias' holds numbers that are not finite"),
        (tensors() | {"fc_feat.bias": torch.zeros(9)}, r"'fc_feat.bias' has shape \[9\], expected \[8\]"),
        (tensors() | {"fc_feat.weight": torch.zeros(8)}, r"'fc_feat.weight' has shape \[8\], expected \[8, 8\]"),
        (tensors() | {"layer1.weight": torch.zeros(8)}, r"'layer1.weight' has shape \[8\], expected a matrix"),
        (tensors() | {"layer1.weight": torch.zeros(8, 14)}, "leaves 14 inputs for an encoding"),
        (tensors() | {"layers_dir.0.weight": torch.zeros(4, 8)}, "leaves 0 inputs for an encoding"),
        (tensors() | {"layers_xyz.1.weight": torch.zeros(8, 10)}, r"has shape \[8, 10\], expected \[8, 23\]"),
        (tensors() | {"hash.weight": torch.zeros(1)}, "'hash.weight' that this kind of network does not know"),
        (tensors() | {"layer1.scale": torch.zeros(1)}, "'trunk.0.scale' that this kind of network does not know"),
        (tensors() | {"fc_rgb.bias": torch.zeros(3, dtype=torch.int32)}, "not a tensor of floating-point numbers"),
        (tensors() | {"fc_rgb.bias": torch.zeros(1).expand(1 << 40)}, "needs 1099511627776 numbers"),
        ({}, "expected names with tensors"),
        ([1, 2], "expected names with tensors"),
    ],
)
def test_unfit_tensors_are_refused_with_their_name(tmp_path, state, reason):
    with pytest.raises(CheckpointError, match=reason):
        load(saved(tmp_path / "a", state))


def test_a_broken_fine_network_is_told_from_the_coarse_one(tmp_path):
    with pytest.raises(CheckpointError, match=f"^{FINE} lacks"):
        load(saved(tmp_path / "a", tensors(), without("fc_rgb.bias")))


@pytest.mark.parametrize(
    ("contents", "reason"),
    [(b"", "the file is empty"), (b"neither", "damaged|expected"), (b"PK\x03\x04junk", "damaged zip container")],
)
def test_other_files_are_refused(tmp_path, contents, reason):
    file = tmp_path / "a.ckpt"
    file.write_bytes(contents)
    assert not sniff(file)
    with pytest.raises(CheckpointError, match=reason):
        load(file)


def test_a_checkpoint_of_something_else_says_what_was_found(tmp_path):
    torch.save({"state_dict": {}, "epoch": 3}, tmp_path / "a")
    assert not sniff(tmp_path / "a")
    with pytest.raises(CheckpointError, match=r"holds \['epoch', 'state_dict'\], expected 'model_coarse_state_dict'"):
        load(tmp_path / "a")


def test_a_missing_file_is_an_error_of_ours(tmp_path):
    with pytest.raises(CheckpointError, match="cannot read .*nowhere"):
        load(tmp_path / "nowhere")


def test_an_enormous_file_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(nerf_checkpoint, "LARGEST_FILE", 100)
    with pytest.raises(CheckpointError, match="more than 100 are refused"):
        load(saved(tmp_path / "a", tensors()))


def test_nothing_in_a_file_is_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "trapped"),)

    for name, legacy in (("new", False), ("old", True)):
        with pytest.raises(UnsafePickle, match="mkdir.*nothing was run"):
            load(saved(tmp_path / name, tensors(), surprise=Trap(), legacy=legacy))
    (tmp_path / "bare").write_bytes(pickle.dumps({COARSE: Trap()}, protocol=2))
    with pytest.raises(CheckpointError):
        load(tmp_path / "bare")
    assert not (tmp_path / "trapped").exists()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.floats(0, 1), byte=st.integers(0, 255), cut=st.booleans(), legacy=st.booleans())
def test_a_damaged_file_is_read_or_refused_but_never_anything_else(tmp_path, where, byte, cut, legacy):
    file = saved(tmp_path / "a", tensors(), legacy=legacy)
    data = bytearray(file.read_bytes())
    position = min(int(where * len(data)), len(data) - 1)
    data[position] = byte
    file.write_bytes(data[:position] if cut else data)
    sniff(file)
    with contextlib.suppress(CheckpointError):
        load(file)


def test_cameras_beside_the_file_are_the_first_view_and_a_list_to_fly_through(oracles, tmp_path):
    file = tmp_path / "checkpoint.ckpt"
    file.write_bytes((oracles / "nerf/lego-lowres/checkpoint199999.ckpt").read_bytes())
    matrix = [[1.0, 0, 0, 0], [0, 0.0, -1, -4.0], [0, 1, 0.0, 0], [0, 0, 0, 1]]
    frames = [{"file_path": f"./train/r_{i}", "transform_matrix": matrix} for i in range(3)]
    (tmp_path / "transforms.json").write_text(json.dumps({"camera_angle_x": 0.69, "frames": frames}))
    generator = open_generator(file)
    assert [pose.name for pose in generator.poses] == ["r_0", "r_1", "r_2"]
    assert generator.camera.radius == pytest.approx(4.0, rel=0.1)
    assert generator.volume.fine == 64

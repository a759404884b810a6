"""EG3D checkpoints, official and ours: recognised by content, loaded exactly, and refused with the tensor's name."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import struct
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from eg3d_files import Persistent, write_official
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from neuroview.models.base import CameraDefaults, FirstIdentity
from neuroview.models.eg3d import EG3DConfig, TriPlaneGenerator
from neuroview.models.eg3d_generator import EG3DGenerator
from neuroview.models.eg3d_official import official_rendering_kwargs
from neuroview.models.errors import CheckpointError, UnsafePickle
from neuroview.models.formats import eg3d_pickle, native
from safetensors.torch import load_file, save_file

ORACLE = Path(__file__).resolve().parents[3] / "shared" / "oracles" / "eg3d" / "small512.pkl"
needs_oracle = pytest.mark.skipif(not ORACLE.is_file(), reason="the EG3D oracle is not beside the repository")

CONFIG = EG3DConfig(
    z_dim=8,
    c_dim=25,
    w_dim=12,
    plane_resolution=8,
    plane_channels=4,
    channel_base=64,
    channel_max=16,
    decoder_hidden=8,
    decoder_features=4,
    neural_rendering_resolution=8,
    image_resolution=32,
    superresolution="8X",
    sr_input_resolution=8,
    sr_channels=(6, 5),
)


def network() -> TriPlaneGenerator:
    torch.manual_seed(0)
    return TriPlaneGenerator(CONFIG).eval()


@pytest.fixture
def tensors() -> dict[str, torch.Tensor]:
    return dict(network().state_dict())


@pytest.fixture
def write(tmp_path):
    return lambda tensors, kwargs=None, **k: write_official(tmp_path / "model.pkl", CONFIG, tensors, kwargs, **k)


# Official files


@needs_oracle
def test_an_official_file_is_recognised_and_its_configuration_read() -> None:
    assert eg3d_pickle.sniff(ORACLE)
    config = eg3d_pickle.load(ORACLE).config
    told = json.loads(ORACLE.with_suffix(".json").read_text())
    assert (config.z_dim, config.c_dim, config.w_dim, config.mapping_layers, config.num_ws) == (512, 25, 512, 2, 14)
    assert (config.channel_base, config.channel_max) == (4096, 16)
    assert (config.superresolution, config.sr_channels, config.image_resolution) == ("8XDC", (256, 128), 512)
    assert config.neural_rendering_resolution == told["neural_rendering_resolution"]
    assert config.rendering.ray_end == told["rendering_kwargs"]["ray_end"]


@needs_oracle
def test_an_official_generator_says_what_it_is() -> None:
    generator = eg3d_pickle.open_generator(ORACLE)
    assert generator.card.fingerprint == hashlib.sha256(ORACLE.read_bytes()).hexdigest()
    assert generator.geometry_layers == tuple(range(7))
    assert generator.camera.radius == pytest.approx(2.7)
    assert generator.camera.aim == (0.0, 0.0, 0.2)


def test_a_file_written_in_the_official_way_comes_back_equal(write, tensors) -> None:
    path = write(tensors)
    assert eg3d_pickle.sniff(path)
    loaded = eg3d_pickle.load(path)
    assert loaded.config == CONFIG
    assert all(torch.equal(value, tensors[name]) for name, value in loaded.state_dict().items())


def test_missing_settings_take_the_official_defaults(write, tensors) -> None:
    kwargs = official_rendering_kwargs(CONFIG)
    for key in ("c_scale", "decoder_lr_mul", "white_back", "superresolution_noise_mode", "sr_antialias"):
        del kwargs[key]
    config = eg3d_pickle.load(write(tensors, kwargs)).config
    assert (config.rendering.c_scale, config.decoder_lr_mul, config.rendering.white_back) == (0.0, 1.0, False)


def test_half_precision_is_widened(write, tensors) -> None:
    halved = {name: value.half() for name, value in tensors.items()}
    loaded = eg3d_pickle.load(write(halved)).state_dict()
    assert all(value.dtype == torch.float32 for value in loaded.values())
    assert torch.equal(loaded["decoder.net.0.weight"], tensors["decoder.net.0.weight"].half().float())


@pytest.mark.parametrize(
    "name", ["backbone.mapping.fc1.weight", "decoder.net.2.bias", "backbone.synthesis.b8.conv0.bias"]
)
def test_a_missing_tensor_is_named(write, tensors, name) -> None:
    if name == "backbone.mapping.fc1.weight":
        tensors["backbone.mapping.fc2.weight"] = tensors[name]
    del tensors[name]
    with pytest.raises(CheckpointError, match=r"fc1|fc2" if "fc1" in name else name):
        eg3d_pickle.load(write(tensors))


def test_a_wrong_shape_is_named_with_what_was_expected(write, tensors) -> None:
    tensors["backbone.synthesis.b8.conv1.affine.weight"] = torch.zeros(3, 12)
    with pytest.raises(CheckpointError, match=r"b8\.conv1\.affine\.weight.*\(3, 12\), expected \(8, 12\)"):
        eg3d_pickle.load(write(tensors))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused(write, tensors, bad) -> None:
    tensors["decoder.net.0.weight"] = tensors["decoder.net.0.weight"].clone()
    tensors["decoder.net.0.weight"][1, 2] = bad
    with pytest.raises(CheckpointError, match=r"decoder\.net\.0\.weight.*NaN or infinite"):
        eg3d_pickle.load(write(tensors))


def test_whole_numbers_in_place_of_weights_are_refused(write, tensors) -> None:
    tensors["decoder.net.0.weight"] = torch.zeros(8, 4, dtype=torch.int64)
    with pytest.raises(CheckpointError, match="floating-point"):
        eg3d_pickle.load(write(tensors))


def test_absurd_sizes_are_refused_before_they_are_allocated(write, tensors) -> None:
    tensors["superresolution.block1.conv1.noise_const"] = torch.zeros(1).expand(200, 200)
    with pytest.raises(CheckpointError, match="image_resolution"):
        eg3d_pickle.load(write(tensors))
    many = {**tensors, **{f"backbone.synthesis.b{4 << k}.torgb.weight": torch.zeros(1) for k in range(1, 12)}}
    with pytest.raises(CheckpointError):
        eg3d_pickle.load(write(many))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("superresolution_module", "os.system"),
        ("depth_resolution", 1 << 30),
        ("box_warp", "wide"),
        ("avg_camera_pivot", [0, 0]),
        ("white_back", {"deep": []}),
    ],
)
def test_impossible_settings_are_refused(write, tensors, key, value) -> None:
    with pytest.raises(CheckpointError, match=value if key == "superresolution_module" else key):
        eg3d_pickle.load(write(tensors, {**official_rendering_kwargs(CONFIG), key: value}))


def test_a_file_without_a_generator_says_so(write, tensors) -> None:
    with pytest.raises(CheckpointError, match="G_ema"):
        eg3d_pickle.load(write(tensors, G_ema=None))
    with pytest.raises(CheckpointError, match="StyleGAN"):
        eg3d_pickle.load(write(tensors, G_ema=Persistent("StyleGAN", {})))


def test_code_beside_the_generator_is_refused(write, tensors) -> None:
    with pytest.raises(UnsafePickle, match=r"builtins\.print"):
        eg3d_pickle.load(write(tensors, augment_pipe=print))


def test_other_files_are_not_taken_for_eg3d(tmp_path) -> None:
    for name, data in {
        "a": b"",
        "b": b"\x80",
        "c": b"\x80\x04N.",
        "d": b"PK\x03\x04",
        "e": b"G_ema TriPlaneGenerator",
    }.items():
        path = tmp_path / name
        path.write_bytes(data)
        assert not eg3d_pickle.sniff(path)


CHANGES = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=12)


def damaged(data: bytes, changes: list[tuple[float, int]], kept: float) -> bytes:
    """`data` with some bytes replaced; half of the time cut as well."""
    changed = bytearray(data)
    for place, value in changes:
        changed[int(place * (len(changed) - 1))] = value
    return bytes(changed if kept > 0.5 else changed[: int(2 * kept * len(changed))])


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(changes=CHANGES, kept=st.floats(0, 1))
def test_a_damaged_small_file_gives_a_model_or_a_clear_error(write, changes, kept) -> None:
    path = write(dict(network().state_dict()))
    path.write_bytes(damaged(path.read_bytes(), changes, kept))
    with contextlib.suppress(CheckpointError):
        eg3d_pickle.load(path)


@needs_oracle
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(changes=CHANGES, kept=st.floats(0, 1))
def test_a_damaged_official_file_gives_a_model_or_a_clear_error(tmp_path, changes, kept) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(damaged(ORACLE.read_bytes(), changes, kept))
    with contextlib.suppress(CheckpointError):
        eg3d_pickle.load(path)


@needs_oracle
def test_an_official_file_cut_anywhere_gives_a_clear_error(tmp_path) -> None:
    whole, path = ORACLE.read_bytes(), tmp_path / "model.pkl"
    for end in [*range(1, 2000, 97), *range(5000, len(whole), len(whole) // 15), len(whole) - 1]:
        path.write_bytes(whole[:end])
        with pytest.raises(CheckpointError, match=r"model\.pkl"):
            eg3d_pickle.load(path)


# Our files


def saved(tmp_path: Path, **changes) -> Path:
    path = tmp_path / "small.safetensors"
    card = {"title": "Small", "licence": "MIT", "training": {"steps": 3}}
    native.save(path, network(), name="small", **{"card": card, **changes})
    return path


def rewrite(path: Path, **changes) -> None:
    beside = path.with_suffix(".json")
    beside.write_text(json.dumps({**json.loads(beside.read_text()), **changes}))


def test_our_file_comes_back_equal_but_for_what_is_not_used(tmp_path) -> None:
    path = saved(tmp_path)
    assert native.sniff(path)
    loaded, original = native.load(path), network().state_dict()
    assert loaded.config == CONFIG
    for name, value in loaded.state_dict().items():
        if name.endswith("noise_const"):
            assert not value.any()
        else:
            assert torch.equal(value, original[name])


def test_noise_with_strength_is_kept(tmp_path) -> None:
    source = network()
    with torch.no_grad():
        source.backbone.synthesis.b8.conv0.noise_strength.fill_(0.5)
    native.save(tmp_path / "n.safetensors", source, name="n")
    loaded = native.load(tmp_path / "n.safetensors")
    expected = source.backbone.synthesis.b8.conv0.noise_const
    assert torch.equal(loaded.backbone.synthesis.b8.conv0.noise_const, expected)


def test_half_precision_halves_our_file_and_is_widened_on_load(tmp_path) -> None:
    whole, half = tmp_path / "whole.safetensors", tmp_path / "half.safetensors"
    native.save(whole, network(), name="n")
    native.save(half, network(), name="n", dtype=torch.float16)
    assert half.stat().st_size < 0.7 * whole.stat().st_size
    assert native.load(half).decoder.net[0].weight.dtype == torch.float32


def test_our_generator_carries_card_camera_and_layers(tmp_path) -> None:
    camera = CameraDefaults(radius=2.7, fov=0.3, up="z", aim=(0.0, 0.1, 0.2), yaw_range=(-1.0, 1.0))
    generator = native.open_generator(saved(tmp_path, camera=camera, geometry_layers=[0, 1], appearance_layers=[2, 3]))
    assert isinstance(generator, EG3DGenerator)
    assert (generator.card.name, generator.card.title, generator.card.licence) == ("small", "Small", "MIT")
    assert generator.card.training == {"steps": 3}
    assert asdict(generator.camera) == {key: pytest.approx(value) for key, value in asdict(camera).items()}
    assert (generator.geometry_layers, generator.appearance_layers) == ((0, 1), (2, 3))


def test_a_camera_may_be_told_by_its_diagonal_field_of_view(tmp_path) -> None:
    path = saved(tmp_path)
    rewrite(path, camera={"fov_degrees": 18.8285, "pitch_range_degrees": [-30, 45]})
    camera = native.open_generator(path).camera
    assert 0.5 / math.tan(camera.fov / 2) == pytest.approx(4.2647, abs=1e-4)
    assert camera.pitch_range == pytest.approx((-math.pi / 6, math.pi / 4))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"format": "neuroview-9"}, "neuroview-9"),
        ({"family": "hologram"}, "family"),
        ({"config": []}, "configuration"),
        ({"config": {"w_dim": 1e9}}, "w_dim"),
        ({"geometry_layers": [99]}, "geometry_layers"),
        ({"camera": {"radius": "far"}}, "radius"),
        ({"camera": {"radius": 0}}, "radius"),
        ({"camera": {"lens": 2}}, "lens"),
        ({"camera": {"aim": [1, 2]}}, "aim"),
        ({"camera": {"up": "x"}}, "up"),
        ({"camera": {"fov_degrees": 200}}, "fov_degrees"),
        ({"camera": {"yaw_range_degrees": [1, -1]}}, "yaw_range"),
        ({"camera": 3}, "camera"),
        ({"card": 3}, "card"),
    ],
)
def test_a_wrong_description_is_named(tmp_path, change, named) -> None:
    path = saved(tmp_path)
    rewrite(path, **change)
    with pytest.raises(CheckpointError, match=named):
        native.open_generator(path)


def test_tensors_that_do_not_fit_the_configuration_are_named(tmp_path) -> None:
    path = saved(tmp_path)
    rewrite(path, config={**CONFIG.to_dict(), "decoder_hidden": 9})
    with pytest.raises(CheckpointError, match=r"decoder\.net\.0\.weight.*\(8, 4\), expected \(9, 4\)"):
        native.load(path)


def test_an_unknown_tensor_is_named(tmp_path) -> None:
    path = saved(tmp_path)
    save_file({**load_file(path), "extra.weight": torch.zeros(2)}, str(path))
    with pytest.raises(CheckpointError, match=r"extra\.weight"):
        native.load(path)


def test_a_missing_description_is_named(tmp_path) -> None:
    path = saved(tmp_path)
    path.with_suffix(".json").unlink()
    assert not native.sniff(path)
    with pytest.raises(CheckpointError, match=r"small\.json"):
        native.load(path)


@pytest.mark.parametrize("text", ["", "{", "[" * 200_000, '"text"', "[]"])
def test_a_description_that_is_no_json_object_is_refused(tmp_path, text) -> None:
    path = saved(tmp_path)
    path.with_suffix(".json").write_text(text)
    with pytest.raises(CheckpointError, match=r"small\.json"):
        native.load(path)


def test_cut_and_garbled_tensor_files_are_refused(tmp_path) -> None:
    path = saved(tmp_path)
    whole = path.read_bytes()
    size = struct.unpack("<Q", whole[:8])[0]
    for data in (whole[:100], whole[:-10], b"", struct.pack("<Q", 1 << 60) + whole[8:], whole[: size + 8]):
        path.write_bytes(data)
        with pytest.raises(CheckpointError, match=r"small\.safetensors"):
            native.load(path)


def test_a_model_may_say_what_it_opens_with(tmp_path) -> None:
    path = saved(tmp_path)
    assert native.open_generator(path).first_identity is None
    rewrite(path, first_identity={"seeds": [22, 11], "truncation": 0.85})
    assert native.open_generator(path).first_identity == FirstIdentity((22, 11), 0.85)
    for wrong in ("22", {"seeds": [1]}, {"seeds": [1, -2], "truncation": 1}, {"seeds": [1, 2], "truncation": "x"}):
        rewrite(path, first_identity=wrong)
        with pytest.raises(CheckpointError, match="first_identity"):
            native.open_generator(path)

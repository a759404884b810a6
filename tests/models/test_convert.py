"""Our own form of foreign checkpoints: opened again, each renders bit for bit the same, and its card says whence."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import pytest
import torch
from neuroview.engine.pipeline import Pipeline
from neuroview.engine.state import first_state
from neuroview.models.base import ModelCard, VolumeSettings
from neuroview.models.catalog import open_generator
from neuroview.models.errors import CheckpointError
from neuroview.models.formats import native
from neuroview.models.formats.plain_json import from_plain, to_plain
from neuroview.models.graf import GRAFLayout, GRAFNetwork
from neuroview.models.nerf_generator import BLENDER_VOLUME
from spheres import SphereGenerator

OFFICIAL = (
    "eg3d/small512.pkl",
    "nerf/lego-lowres/checkpoint199999.ckpt",
    "pigan/celeba_spatialsirenbaseline/generator.pth",
    "stylenerf/small_ffhq_r128_pixelshuffle/network-snapshot-000000.pkl",
)


def picture(generator):
    state = first_state("x", generator.camera, None)
    state = replace(state, quality=replace(state.quality, resolution=16))
    return Pipeline(generator).frame(state, "exact").rgb


def small_graf(tmp_path):
    torch.manual_seed(0)
    network = GRAFNetwork(GRAFLayout(shape_code=4, appearance_code=4, width=8, view_width=4))
    path = tmp_path / "carla_64.pt"
    torch.save({"generator": network.state_dict()}, path)
    return open_generator(str(path))


@pytest.mark.parametrize("file", OFFICIAL)
def test_a_converted_checkpoint_renders_identically(oracles, tmp_path, file):
    before = open_generator(str(oracles / file))
    native.convert(before, tmp_path / "mine.safetensors")
    after = open_generator(str(tmp_path / "mine.safetensors"))
    assert isinstance(after, type(before))
    assert torch.equal(picture(before), picture(after))


def test_a_converted_graf_renders_identically_and_keeps_its_camera(tmp_path):
    before = small_graf(tmp_path)
    native.convert(before, tmp_path / "mine.safetensors")
    after = open_generator(str(tmp_path / "mine.safetensors"))
    assert after.setting == before.setting
    assert torch.equal(picture(before), picture(after))


def test_the_card_says_whence_it_came_and_under_which_terms(tmp_path):
    before = small_graf(tmp_path)
    native.convert(before, tmp_path / "mine.safetensors")
    card = open_generator(str(tmp_path / "mine.safetensors")).card
    assert (card.family, card.licence, card.title) == ("graf", before.card.licence, before.card.title)
    assert card.training["converted from"] == "carla_64"
    assert card.training["fingerprint of that file"] == before.card.fingerprint
    assert card.fingerprint != before.card.fingerprint


def test_a_family_without_a_native_form_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(CheckpointError, match="cannot be converted: there is no native form for family"):
        native.convert(SphereGenerator("sphere"), tmp_path / "x.safetensors")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"family": "hologram"}, "hologram"),
        ({"config": 3}, "config is a int"),
        ({"config": {"layout": {"width": -3}}}, "config"),
        ({"camera": {"radius": "far"}}, "camera.radius is 'far'"),
        ({"card": []}, "card is a list"),
    ],
)
def test_a_wrong_description_is_named(tmp_path, change, named):
    path = tmp_path / "mine.safetensors"
    native.convert(small_graf(tmp_path), path)
    beside = path.with_suffix(".json")
    beside.write_text(json.dumps({**json.loads(beside.read_text()), **change}))
    with pytest.raises(CheckpointError, match=named):
        open_generator(str(path))


def test_sizes_of_a_description_are_checked_before_memory_is_taken(tmp_path):
    path = tmp_path / "mine.safetensors"
    native.convert(small_graf(tmp_path), path)
    beside = path.with_suffix(".json")
    told = json.loads(beside.read_text())
    told["config"]["layout"]["width"] = 10**6
    beside.write_text(json.dumps(told))
    with pytest.raises(CheckpointError, match="numbers; more than"):
        open_generator(str(path))


def test_dataclasses_survive_plain_json():
    assert from_plain(VolumeSettings, json.loads(json.dumps(to_plain(BLENDER_VOLUME))), "volume") == BLENDER_VOLUME


@dataclass(frozen=True)
class Inner:
    count: int = 1
    pair: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True)
class Outer:
    inner: Inner | None = None
    rows: tuple[tuple[float, ...], ...] = ()


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"inner": {"count": 1.5}}, "outer.inner.count is '1.5'; expected a usable int"),
        ({"inner": {"count": True}}, "outer.inner.count"),
        ({"inner": {"pair": [1]}}, "outer.inner.pair has 1 values; expected 2"),
        ({"inner": {"pair": [1, float("nan")]}}, "outer.inner.pair is 'nan'"),
        ({"rows": [[1], "x"]}, "outer.rows is a str"),
        ({"more": 1}, "unknown key 'more'"),
        (3, "outer is a int"),
    ],
)
def test_plain_json_is_checked_by_the_dataclass_own_types(given, named):
    assert from_plain(Outer, to_plain(Outer(Inner(2, (1, 2)), ((1.0,),))), "outer") == Outer(
        Inner(2, (1, 2)), ((1.0,),)
    )
    with pytest.raises(CheckpointError, match=named):
        from_plain(Outer, given, "outer")


def test_foreign_cards_say_family_camera_licence_and_fingerprint(oracles):
    for file in OFFICIAL:
        card: ModelCard = open_generator(str(oracles / file)).card
        assert card.family in ("eg3d", "nerf", "pigan", "stylenerf")
        assert card.licence != "unknown"
        assert len(card.fingerprint) == 64
        assert card.configuration
        assert "camera distance" in card.training

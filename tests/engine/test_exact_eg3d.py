"""The exact renderer makes EG3D's official pictures: every resolution, number of samples and setting of the oracle.

Differences that remain come from importance sampling, which amplifies rounding: a mean of about 1e-6.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from neuroview.engine.rendering.exact import render_exact
from neuroview.engine.rendering.image import Rendered
from neuroview.engine.rendering.triplane_quick import QuickTriPlane
from neuroview.models.base import Scene
from neuroview.models.eg3d import TriPlaneField, TriPlaneGenerator
from neuroview.models.eg3d_generator import volume_settings
from neuroview.models.formats.eg3d_pickle import load

Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def oracle(oracles: Path) -> Arrays:
    arrays: Arrays = {}
    for name in ("small512.npz", "small512.extras.npz"):
        with np.load(oracles / "eg3d" / name) as values:
            arrays |= {key: values[key] for key in values if "batch2" not in key and not key.endswith("_image")}
    return arrays


@pytest.fixture(scope="module")
def network(oracles: Path) -> TriPlaneGenerator:
    return load(oracles / "eg3d" / "small512.pkl").requires_grad_(False)


@pytest.fixture(scope="module")
def scene(network: TriPlaneGenerator, oracle: Arrays) -> Scene:
    planes = network.planes(torch.from_numpy(oracle["ws_psi0.7"]))
    field = TriPlaneField(planes, network.decoder, network.config.rendering.box_warp)
    return Scene(field=field, volume=volume_settings(network.config), resolution=64, image_resolution=512)


def camera(oracle: Arrays, pose: str) -> tuple[np.ndarray, np.ndarray]:
    label = oracle[f"c_{pose}"].reshape(-1)
    return label[:16].reshape(4, 4), label[16:].reshape(3, 3)


def assert_is_official(oracle: Arrays, key: str, scene: Scene, pose: str = "pose0", **settings) -> None:
    with torch.inference_mode():
        assert_official(oracle, key, render_exact(scene, *camera(oracle, pose), **settings))


def assert_official(oracle: Arrays, key: str, picture: Rendered) -> None:
    raw = (picture.features[:3] * 2 - 1 - torch.from_numpy(oracle[f"{key}_image_raw"][0])).abs()
    depth = (picture.depth - torch.from_numpy(oracle[f"{key}_image_depth"][0, 0])).abs()
    assert raw.mean() < 2e-5
    assert raw.max() < 1e-3
    assert depth.mean() < 2e-5
    assert depth.max() < 1e-3


@pytest.mark.parametrize("pose", ["pose0", "pose1"])
def test_a_picture_is_the_official_one(oracle, scene, pose):
    assert_is_official(oracle, f"{pose}_psi0.7_det", scene, pose)


@pytest.mark.parametrize("resolution", [32, 96])
def test_so_is_one_at_another_neural_resolution(oracle, scene, resolution):
    assert_is_official(oracle, f"nrr{resolution}", scene, resolution=resolution)


@pytest.mark.parametrize("chunk", [100, 5000])
def test_depth_is_clamped_to_the_whole_picture_whatever_the_chunks(oracle, scene, chunk):
    assert_is_official(oracle, "nrr32", scene, resolution=32, chunk=chunk)


def test_so_is_one_with_more_samples(oracle, scene):
    assert_is_official(oracle, "depth2x2", scene, samples=2.0)


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("depth0.5x1", {"coarse": 24}),
        ("depth1x0", {"fine": 0}),
        ("auto", {"near": None, "far": None}),
        ("whiteback_toggled", {"white_background": True}),
        ("disparity", {"disparity": True}),
    ],
)
def test_so_is_one_with_any_other_setting(oracle, scene, key, changes):
    assert_is_official(oracle, key, replace(scene, volume=replace(scene.volume, **changes)))


def test_merging_two_of_the_three_planes_changes_nothing(oracle, scene, network):
    merged = TriPlaneField(scene.field.planes, network.decoder, scene.field.box_warp, merged=True)
    assert_is_official(oracle, "nrr32", replace(scene, field=merged), resolution=32)


def test_all_features_and_the_opacity_are_the_official_ones(oracle, scene):
    with torch.inference_mode():
        picture = render_exact(scene, *camera(oracle, "pose0"), resolution=32)
    features = picture.features.flatten(1).T * 2 - 1
    torch.testing.assert_close(features, torch.from_numpy(oracle["stage_feature_samples"][0]), atol=1e-3, rtol=0)
    opacity = torch.from_numpy(oracle["stage_weights_total"][0, :, 0])
    torch.testing.assert_close(picture.alpha.flatten(), opacity, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("key", "settings"),
    [("pose0_psi0.7_det", {}), ("pose1_psi0.7_det", {}), ("nrr96", {"size": 96}), ("depth2x2", {"samples": 2.0})],
)
def test_the_compiled_loops_make_the_official_picture_too(oracle, scene, network, key, settings):
    merged = TriPlaneField(scene.field.planes, network.decoder, scene.field.box_warp, merged=True)
    view, size = camera(oracle, "pose1" if key.startswith("pose1") else "pose0"), settings.pop("size", 64)
    made = QuickTriPlane(merged).render_exact(replace(scene, field=merged), *view, size, size, **settings)
    assert_official(oracle, key, made)

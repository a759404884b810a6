"""The exact renderer makes nerf-pytorch's official pictures of trained weights, and they look like the photographs."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from neuroview.engine.camera import camera_matrices
from neuroview.engine.rendering.exact import RayValues, render_rays
from neuroview.engine.rendering.rays import camera_rays, ray_limits
from neuroview.engine.state import Camera
from neuroview.models.base import Scene
from neuroview.models.formats.nerf_checkpoint import open_generator
from neuroview.models.nerf_generator import BLENDER_CAMERA, NeRFGenerator

FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
ROWS = range(2, 100, 5)  # every fifth row of 100: a fifth of the time


@pytest.fixture(scope="module")
def generator(oracles: Path) -> NeRFGenerator:
    return open_generator(oracles / "nerf" / "lego-lowres" / "checkpoint199999.ckpt")


@pytest.fixture(scope="module")
def oracle(oracles: Path) -> dict[str, np.ndarray]:
    with np.load(oracles / "nerf" / "lego-lowres" / "oracle.npz") as values:
        return dict(values)


def camera(**changes) -> Camera:
    radius, fov = math.sqrt(4 * 4 + 0.5**2), BLENDER_CAMERA.fov  # only to be overridden or near enough
    return Camera(**{"radius": radius, "fov": fov, "pitch": BLENDER_CAMERA.pitch, **changes})


def rows_seen(scene: Scene, pose: np.ndarray) -> RayValues:
    _, intrinsics = camera_matrices(camera(), BLENDER_CAMERA)
    origins, directions = camera_rays(pose @ FROM_OPENGL, intrinsics, 100, 100, scene.volume)
    near, far = ray_limits(origins, directions, scene.volume, scene.field.bounds)
    chosen = torch.arange(10_000).view(100, 100)[list(ROWS)].flatten()
    with torch.inference_mode():
        return render_rays(scene, scene.volume, *(values[chosen] for values in (origins, directions, near, far)))


def expected(oracle: dict[str, np.ndarray], key: str) -> torch.Tensor:
    values = torch.from_numpy(oracle[key])[list(ROWS)]
    return values.flatten(0, 1)


@pytest.mark.parametrize("pose", ["p0", "p1", "p2"])
def test_a_picture_is_the_official_one(generator, oracle, pose):
    seen = rows_seen(generator.scene(generator.codes(0)), oracle[f"{pose}_c2w"])
    colour = (seen.features - expected(oracle, f"{pose}_rgb_fine")).abs()
    opacity = (seen.alpha - expected(oracle, f"{pose}_acc_fine")).abs()
    assert colour.mean() < 1e-5
    assert colour.max() < 1e-2
    assert opacity.mean() < 1e-5
    disparity = expected(oracle, f"{pose}_disp_fine")
    solid = ~disparity.isnan()  # the official code divides by nothing where it met nothing
    assert solid.sum() > 400
    assert (1 / seen.depth - disparity)[solid].abs().mean() < 1e-5


def test_so_is_the_coarse_network_s(generator, oracle):
    scene = generator.scene(generator.codes(0))
    coarse = replace(scene, field=scene.proposal, proposal=None, volume=replace(scene.volume, fine=0))
    seen = rows_seen(coarse, oracle["p0_c2w"])
    torch.testing.assert_close(seen.features, expected(oracle, "p0_rgb_coarse"), atol=5e-4, rtol=0)
    assert (seen.features - expected(oracle, "p0_rgb_coarse")).abs().mean() < 1e-5


def test_a_picture_looks_like_the_photograph(generator, oracles):
    with np.load(oracles / "nerf" / "lego_gt_100x100.npz") as values:
        photograph, pose = values["images_u8"][7], values["poses_c2w"][7]
    seen = rows_seen(generator.scene(generator.codes(0)), pose)
    truth = torch.from_numpy(photograph[list(ROWS)].reshape(-1, 3) / 255.0)
    assert -10 * math.log10((seen.features - truth).square().mean()) > 21


def test_the_orbit_camera_stands_where_the_official_pose_does(oracle):
    official = oracle["p0_c2w"] @ FROM_OPENGL
    orbit, intrinsics = camera_matrices(camera(yaw=math.pi, radius=4.0), BLENDER_CAMERA)
    np.testing.assert_allclose(orbit, official, atol=1e-5)
    assert intrinsics[0, 0] * 100 == pytest.approx(138.88888, abs=1e-3)

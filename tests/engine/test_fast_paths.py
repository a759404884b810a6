"""The fast paths on real weights, against the exact renderer: the figures that the documentation promises."""

from __future__ import annotations

import pytest
import torch
from balls import psnr
from neuroview.engine.camera import camera_matrices
from neuroview.engine.rendering.bake import bake
from neuroview.engine.rendering.exact import render_exact, render_image
from neuroview.engine.rendering.march import render_baked
from neuroview.engine.rendering.occupancy import build_occupancy
from neuroview.engine.rendering.occupancy_march import render_occupancy
from neuroview.engine.state import Camera
from neuroview.models.catalog import open_generator
from neuroview.models.errors import CheckpointError


def matrices(generator, yaw: float):
    camera = Camera(**{name: getattr(generator.camera, name) for name in ("pitch", "radius", "fov")}, yaw=yaw)
    return tuple(torch.from_numpy(m).float() for m in camera_matrices(camera, generator.camera))


@pytest.fixture(scope="module")
def lego(request):
    path = request.getfixturevalue("oracles") / "nerf/lego-lowres/checkpoint199999.ckpt"
    generator = open_generator(str(path))
    scene = generator.scene(generator.codes(0))
    with torch.inference_mode():
        camera = matrices(generator, generator.camera.yaw)
        grid = build_occupancy(scene.field, scene.volume, thin=True, refinements=0)
        return scene, camera, grid, render_exact(scene, *camera, resolution=32)


@pytest.fixture(scope="module")
def heads():
    try:
        generator = open_generator("heads")
    except CheckpointError as error:
        pytest.skip(f"the shipped heads are not in this checkout: {error}")
    scene = generator.scene(generator.codes(3))
    with torch.inference_mode():
        camera = matrices(generator, 0.4)
        grid = build_occupancy(scene.field, scene.volume)
        return scene, camera, grid, render_exact(scene, *camera)


@torch.inference_mode()
def test_lego_through_the_occupancy_grid(lego):
    scene, camera, grid, exact = lego
    # The exact picture itself is 41.5 dB from the one with three times its samples.
    picture = render_occupancy(scene, grid, *camera, resolution=32, samples=512)
    assert psnr(picture.features, exact.features) > 36
    assert psnr(picture.alpha, exact.alpha) > 34


@torch.inference_mode()
def test_lego_baked(lego):
    scene, camera, grid, exact = lego
    picture = render_baked(bake(scene.field, scene.volume, 96, occupancy=grid), scene.volume, *camera, 32, 32)
    assert psnr(picture.features, exact.features) > 23


@torch.inference_mode()
def test_heads_through_the_occupancy_grid(heads):
    scene, camera, grid, exact = heads
    picture = render_occupancy(scene, grid, *camera)
    assert psnr(render_image(scene, picture), render_image(scene, exact)) > 40
    assert psnr(picture.features, exact.features) > 40


@torch.inference_mode()
@pytest.mark.parametrize(("resolution", "decibels"), [(64, 31), (96, 35), (128, 38)])
def test_heads_baked(heads, resolution, decibels):
    scene, camera, grid, exact = heads
    baked = bake(scene.field, scene.volume, resolution, occupancy=grid)
    picture = render_baked(baked, scene.volume, *camera, scene.resolution, scene.resolution)
    assert psnr(render_image(scene, picture), render_image(scene, exact)) > decibels


@torch.inference_mode()
def test_a_camera_from_the_side_needs_no_other_grid(heads):
    scene, _, grid, _ = heads
    pose, lens = matrices(open_generator("heads"), -0.6)
    exact = render_exact(scene, pose, lens)
    picture = render_occupancy(scene, grid, pose, lens)
    assert psnr(picture.features, exact.features) > 40

"""The fast paths on real weights, against the exact renderer: the figures that the documentation promises."""

from __future__ import annotations

import statistics
from dataclasses import replace

import pytest
import torch
from balls import psnr
from neuroview.engine.camera import camera_matrices
from neuroview.engine.rendering.bake import LEVELS_THIN, bake, bake_levels
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
    """The trained excavator from two sides, 48 pixels high: scene, cameras, occupancy, exact pictures."""
    path = request.getfixturevalue("oracles") / "nerf/lego-lowres/checkpoint199999.ckpt"
    generator = open_generator(str(path))
    scene = generator.scene(generator.codes(0))
    with torch.inference_mode():
        cameras = [matrices(generator, generator.camera.yaw + turn) for turn in (0.0, 2.4)]
        grid = build_occupancy(scene.field, scene.volume, thin=True)
        return scene, cameras, grid, [render_exact(scene, *camera, resolution=48) for camera in cameras]


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


class Counting:
    """A field that counts the points for which it is asked."""

    def __init__(self, field) -> None:
        self.field, self.asked = field, 0
        self.features, self.view_dependent, self.bounds = field.features, field.view_dependent, field.bounds

    def __call__(self, points, directions=None):
        self.asked += len(points)
        return self.field(points, directions)

    def density(self, points):
        self.asked += len(points)
        return self.field.density(points)


def fidelity(pictures, exact) -> float:
    """Mean over views, dB."""
    return statistics.mean(psnr(p.features, e.features) for p, e in zip(pictures, exact, strict=True))


@torch.inference_mode()
def test_lego_through_the_occupancy_grid_is_the_exact_picture_for_a_sixth_of_the_questions(lego):
    scene, cameras, grid, exact = lego
    field, proposal = Counting(scene.field), Counting(scene.proposal)
    counted = replace(scene, field=field, proposal=proposal)
    pictures = [render_occupancy(counted, grid, *camera, resolution=48) for camera in cameras]
    assert fidelity(pictures, exact) > 45
    volume = scene.volume
    whole = len(cameras) * 48 * 48 * (volume.coarse + volume.coarse + volume.fine)
    assert field.asked + proposal.asked < whole / 6


@torch.inference_mode()
def test_a_quick_lego_is_nearly_as_good(lego):
    scene, cameras, grid, exact = lego
    pictures = [render_occupancy(scene, grid, *camera, resolution=48, quick=True) for camera in cameras]
    # The exact picture itself is 41.5 dB from the one with three times its samples.
    assert fidelity(pictures, exact) > 38


@torch.inference_mode()
def test_lego_baked(lego):
    scene, cameras, grid, exact = lego
    quality = {}
    for baked in bake_levels(scene.field, scene.volume, LEVELS_THIN, occupancy=grid):
        pictures = [render_baked(baked, scene.volume, *camera, 48, 48) for camera in cameras]
        quality[baked.resolution] = fidelity(pictures, exact)
        assert baked.bytes < 100e6
    assert quality[64] > 22
    assert quality[128] > 28
    assert quality[256] > 33


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

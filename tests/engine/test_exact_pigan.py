"""The exact renderer makes pi-GAN's official pictures, and the baked one a likeness of them."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from neuroview.engine.camera import camera_matrices
from neuroview.engine.rendering.bake import bake
from neuroview.engine.rendering.exact import RayValues, render_exact, render_rays
from neuroview.engine.rendering.march import render_baked
from neuroview.engine.rendering.rays import camera_rays, ray_limits
from neuroview.engine.rendering.sampling import importance, stratified
from neuroview.engine.state import Camera
from neuroview.models.base import ModelCard, Scene
from neuroview.models.formats.pigan_pickle import open_generator
from neuroview.models.pigan import PiGANLayout, PiGANNetwork
from neuroview.models.pigan_generator import PiGANGenerator

FOLDER = "celeba_spatialsirenbaseline"
TO_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
ROWS = (3, 19, 33, 44, 60)  # of 64: a thirteenth of the time


@pytest.fixture(scope="module")
def generator(oracles: Path) -> PiGANGenerator:
    return open_generator(oracles / "pigan" / FOLDER / "generator.pth")


@pytest.fixture(scope="module")
def oracle(oracles: Path) -> dict[str, torch.Tensor]:
    with np.load(oracles / "pigan" / FOLDER / "oracle.npz") as values:
        return {name: torch.from_numpy(values[name]) for name in values}


@pytest.fixture(scope="module")
def poses(oracles: Path) -> dict[str, tuple[float, float]]:
    return json.loads((oracles / "pigan" / "oracle.json").read_text())["nodes"][FOLDER]["poses_yaw_pitch"]


def camera(generator: PiGANGenerator, pose: tuple[float, float], fov: float = 12.0) -> tuple[np.ndarray, np.ndarray]:
    """The official angles are measured from +x to +z and from the pole, ours from the front and the equator."""
    orbit = Camera(yaw=math.pi / 2 - pose[0], pitch=math.pi / 2 - pose[1], radius=1.0, fov=math.radians(fov))
    return camera_matrices(orbit, generator.camera)


def rows_seen(scene: Scene, matrices: tuple[np.ndarray, np.ndarray]) -> RayValues:
    origins, directions = camera_rays(*matrices, 64, 64, scene.volume)
    near, far = ray_limits(origins, directions, scene.volume, scene.field.bounds)
    chosen = torch.arange(4096).view(64, 64)[list(ROWS)].flatten()
    with torch.inference_mode():
        return render_rays(scene, scene.volume, *(values[chosen] for values in (origins, directions, near, far)))


def assert_official(seen: RayValues, image: torch.Tensor) -> None:
    """The README's tolerance: a mean of 1e-5, rare pixels 3e-3."""
    expected = image[0, :, list(ROWS)].flatten(1).T * 0.5 + 0.5
    error = (seen.features - expected).abs()
    assert error.mean() < 1e-5
    assert error.max() < 3e-3


@pytest.mark.parametrize("psi", ["0.7", "1.0"])
@pytest.mark.parametrize("pose", ["p0", "p1", "p2"])
def test_a_picture_is_the_official_one(generator, oracle, poses, pose, psi):
    scene = generator.scene(generator.codes(0, truncation=float(psi)))
    seen = rows_seen(scene, camera(generator, poses[pose]))
    assert_official(seen, oracle[f"{pose}_psi{psi}_img"])
    expected = oracle[f"{pose}_psi{psi}_depth"][0, list(ROWS)].flatten()
    assert (seen.depth - expected).abs().mean() < 1e-5


def test_a_whole_picture_is_the_official_one(generator, oracle, poses):
    with torch.inference_mode():
        scene = generator.scene(generator.codes(0, truncation=0.7))
        seen = render_exact(scene, *camera(generator, poses["p2"]), resolution=64)
    error = (seen.features - (oracle["p2_psi0.7_img"][0] * 0.5 + 0.5)).abs()
    assert error.mean() < 1e-5
    assert error.max() < 3e-3
    torch.testing.assert_close(seen.alpha, torch.ones(64, 64))


def test_so_are_pictures_without_hierarchy_through_another_lens_and_of_mixed_seeds(generator, oracle, poses):
    codes, other = generator.codes(0, truncation=0.7), generator.codes(1, truncation=0.7)
    scene, front = generator.scene(codes), camera(generator, poses["p1"])
    assert_official(
        rows_seen(replace(scene, volume=replace(scene.volume, fine=0)), front), oracle["p1_psi0.7_nohier_img"]
    )
    wide = camera(generator, poses["p1"], fov=17.0)
    assert_official(rows_seen(scene, wide), oracle["p1_psi0.7_fovplus5_img"])
    mixed = generator.scene(0.5 * codes + 0.5 * other)
    assert_official(rows_seen(mixed, camera(generator, poses["p0"])), oracle["p0_psi0.7_mix0.5_seed0_seed1_img"])


def test_so_is_a_picture_with_locked_view_dependence(generator, oracle, poses):
    locked = generator.with_options(lock_view_dependence=True)
    scene = locked.scene(locked.codes(0, truncation=0.7))
    assert_official(rows_seen(scene, camera(generator, poses["p1"])), oracle["p1_psi0.7_lockview_img"])


def test_the_sampler_s_steps_are_the_official_ones(generator, oracle, poses):
    pose, intrinsics = camera(generator, poses["p2"])
    np.testing.assert_allclose(pose @ TO_OPENGL, oracle["trace8_cam2world"][0], atol=1e-6)
    volume = generator.preset.volume
    _, directions = camera_rays(TO_OPENGL @ TO_OPENGL, intrinsics, 8, 8, volume)
    torch.testing.assert_close(directions * torch.tensor([1.0, -1.0, -1.0]), oracle["trace8_rays_d_cam"][0])
    near, far = torch.full((64,), volume.near), torch.full((64,), volume.far)
    depths = stratified(near, far, 12, "pigan")
    torch.testing.assert_close(depths[0], oracle["trace8_z_vals"])
    weights = torch.nn.functional.pad(oracle["trace8_pdf_weights"] - 1e-5, (1, 1))  # theirs have their floor already
    torch.testing.assert_close(importance(depths, weights, 12, "pigan"), oracle["trace8_fine_z"], atol=1e-6, rtol=0)


def test_training_jitters_by_up_to_half_a_step():
    near, far = torch.zeros(500), torch.ones(500)
    moved = stratified(near, far, 5, "pigan", generator=torch.Generator().manual_seed(0))
    away = moved - torch.linspace(0, 1, 5)
    assert away.abs().max() <= 0.125
    assert away[:, 0].min() < -0.12
    assert away[:, -1].max() > 0.12


@pytest.mark.parametrize(("model", "white"), [("TALLSIREN", True), ("SPATIALSIRENBASELINE", False)])
def test_empty_space_is_white_behind_cars_and_the_last_colour_behind_faces(model, white):
    network = PiGANNetwork(PiGANLayout(model, width=8, depth=2, z_dim=4, mapping_width=4)).requires_grad_(False)
    network.final_layer.bias.fill_(-1e3)
    small = PiGANGenerator({"raw": network}, ModelCard(name="small", family="pigan", title="small"))
    scene = small.scene(small.codes(0))
    origins, directions = torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([[0.0, 0.0, -1.0]])
    near, far = torch.tensor([scene.volume.near]), torch.tensor([scene.volume.far])
    seen = render_rays(scene, scene.volume, origins, directions, near, far)
    last = torch.ones(1, 3) if white else scene.field(origins + far * directions, directions)[1]
    torch.testing.assert_close(seen.features, last)
    assert seen.alpha == pytest.approx(0.0 if white else 1.0)


def test_a_baked_picture_is_a_likeness_of_the_exact_one(generator):
    scene = generator.scene(generator.codes(0, truncation=0.7))
    scene.field.bounds = ((-0.13, -0.13, -0.13), (0.13, 0.13, 0.13))  # the front view needs no more
    front = camera(generator, (math.pi / 2, math.pi / 2))
    with torch.inference_mode():
        grid = bake(scene.field, scene.volume, 32, channels=3)
        baked = render_baked(grid, scene.volume, *front, 24, 24)
        exact = render_exact(scene, *front, resolution=24)
    assert -10 * math.log10((baked.features - exact.features).square().mean()) > 28
    assert grid.degree == 0
    torch.testing.assert_close(baked.alpha, torch.ones(24, 24), atol=0.01, rtol=0)

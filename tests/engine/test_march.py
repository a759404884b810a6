"""The compiled march through a baked grid."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest
import torch
from balls import Balls, dense, look, psnr, volume
from neuroview.engine.rendering.bake import bake
from neuroview.engine.rendering.march import render_baked, warm_up
from neuroview.engine.rendering.numba_setup import cache_folder, kernel_threads

SIZE = 48


@pytest.fixture(scope="module")
def baked():
    return bake(Balls(), volume(), 96)


@pytest.mark.parametrize("activation", ["softplus_shifted", "softplus", "relu", "exp"])
@pytest.mark.parametrize("quadrature", ["midpoint", "left"])
def test_the_picture_agrees_with_a_dense_march(activation, quadrature):
    field, settings = Balls(activation=activation), volume(activation=activation, quadrature=quadrature)
    picture = render_baked(bake(field, settings, 96), settings, *look(), SIZE, SIZE)
    truth = dense(field, settings, *look(), SIZE, SIZE)
    assert psnr(picture.features, truth.features) > 36
    assert psnr(picture.alpha, truth.alpha) > 34
    solid = (truth.alpha > 0.95) & (picture.alpha > 0.95)
    assert (picture.depth - truth.depth)[solid].abs().mean() < 0.01


def test_finer_grids_give_better_pictures():
    field, settings = Balls(), volume()
    truth = dense(field, settings, *look(), SIZE, SIZE)
    quality = [
        psnr(render_baked(bake(field, settings, n), settings, *look(), SIZE, SIZE).features, truth.features)
        for n in (32, 64, 128)
    ]
    assert quality[0] < quality[1] < quality[2]
    assert quality[2] > 38


@pytest.mark.parametrize("pixels", ["centre", "corner"])
@pytest.mark.parametrize("unit_rays", [True, False])
def test_rays_and_depth_follow_the_familys_conventions(pixels, unit_rays, baked):
    settings = volume(pixels=pixels, unit_rays=unit_rays)
    pose, lens = look(focal=0.8)
    lens[0, 2], lens[1, 1] = 0.4, 0.9
    picture = render_baked(baked, settings, pose, lens, 30, 50)
    truth = dense(Balls(), settings, pose, lens, 30, 50)
    assert psnr(picture.alpha, truth.alpha) > 32
    solid = (truth.alpha > 0.95) & (picture.alpha > 0.95)
    assert (picture.depth - truth.depth)[solid].abs().mean() < 0.01


def test_features_of_an_upsampler_are_all_there():
    field, settings = Balls(channels=16), volume()
    picture = render_baked(bake(field, settings, 96), settings, *look(), SIZE, SIZE)
    assert picture.features.shape == (16, SIZE, SIZE)
    assert psnr(picture.features, dense(field, settings, *look(), SIZE, SIZE).features) > 36


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("thin", [False, True])
def test_colour_that_turns_with_the_view_is_kept(degree, thin):
    from neuroview.engine.rendering.occupancy import build_occupancy

    field, settings = Balls(shine=0.3), volume(unit_rays=False)
    occupancy = build_occupancy(field, settings, thin=thin, resolution=32)
    grid = bake(field, settings, 96, occupancy=occupancy, degree=degree)
    for yaw in (0.3, 2.5):
        picture = render_baked(grid, settings, *look(yaw), SIZE, SIZE)
        assert psnr(picture.features, dense(field, settings, *look(yaw), SIZE, SIZE).features) > 33


@pytest.mark.parametrize("activation", ["softplus_shifted", "softplus", "relu", "exp"])
def test_densities_may_be_stored_compressed(activation):
    from neuroview.engine.rendering.occupancy import build_occupancy

    field, settings = Balls(activation=activation), volume(activation=activation)
    occupancy = build_occupancy(field, settings, thin=True, resolution=32)
    grid = bake(field, settings, 96, occupancy=occupancy)
    assert grid.knee > 0
    assert grid.density.max() < 6
    picture = render_baked(grid, settings, *look(), SIZE, SIZE)
    assert psnr(picture.features, dense(field, settings, *look(), SIZE, SIZE).features) > 32


def test_a_rendered_picture_leaves_torch_its_threads(baked):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        render_baked(baked, volume(), *look(), 8, 8)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_a_gap_between_two_balls_is_not_bridged():
    field, settings = Balls(((0.0, 0.0, 0.6, 0.15), (0.0, 0.0, -0.6, 0.15))), volume()
    pose, lens = look(1.5708, 0.0)
    picture = render_baked(bake(field, settings, 64), settings, pose, lens, SIZE, SIZE)
    assert picture.alpha[SIZE // 2, SIZE // 2] == 0
    assert picture.alpha.max() > 0.95


@pytest.mark.parametrize("radius", [0.9, 0.05])
def test_the_camera_may_stand_inside_the_box(radius):
    field = Balls(((0.0, 0.0, -0.7, 0.25), (0.0, 0.0, 0.9, 0.05)))
    settings = volume(near=None, far=None)
    pose, lens = look(0.0, 0.0, radius)
    grid = bake(field, settings, 96)
    assert grid.bounds[0][2] < radius < grid.bounds[1][2]
    picture = render_baked(grid, settings, pose, lens, SIZE, SIZE)
    truth = dense(field, settings, pose, lens, SIZE, SIZE, samples=2048)
    assert psnr(picture.alpha, truth.alpha) > 30
    assert truth.alpha.max() > 0.99


def test_rays_that_miss_the_box_are_background(baked):
    pose, lens = look()
    pose[:3, 2] = -pose[:3, 2]
    picture = render_baked(baked, volume(near=None, far=None), pose, lens, 8, 8)
    assert (picture.features == 1).all()
    assert (picture.alpha == 0).all()
    assert picture.depth.isfinite().all()


def test_near_and_far_cut_what_lies_outside(baked):
    whole = render_baked(baked, volume(), *look(), SIZE, SIZE)
    cut = render_baked(baked, volume(near=3.0), *look(), SIZE, SIZE)
    assert (cut.depth[cut.alpha > 0.5] >= 3.0).all()
    assert whole.depth[whole.alpha > 0.5].min() < 2.9


def test_black_backgrounds_stay_black(baked):
    picture = render_baked(baked, volume(white_background=False), *look(), SIZE, SIZE)
    assert (picture.features[:, picture.alpha == 0] == 0).all()


def test_an_axis_parallel_ray_divides_by_nothing():
    settings = volume()
    grid = bake(Balls(((0.0, 0.0, 0.0, 0.4),)), settings, 48)
    pose, lens = look(0.0, 0.0)
    picture = render_baked(grid, settings, pose, lens, 7, 7)
    assert picture.features.isfinite().all()
    assert picture.alpha[3, 3] > 0.99
    truth = dense(Balls(((0.0, 0.0, 0.0, 0.4),)), settings, pose, lens, 7, 7)
    assert abs(picture.depth[3, 3] - truth.depth[3, 3]) < 0.01


def test_the_number_of_threads_does_not_change_the_picture(baked):
    one = render_baked(baked, volume(), *look(), 33, 31, threads=1)
    many = render_baked(baked, volume(), *look(), 33, 31, threads=None)
    assert torch.equal(one.features, many.features)
    with kernel_threads(1) as count:
        assert count == 1


def test_two_threads_may_render_at_once(baked):
    pictures: list = []

    def work() -> None:
        for _ in range(5):
            pictures.append(render_baked(baked, volume(), *look(), 32, 32).features)

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(pictures) == 15
    assert all(torch.equal(p, pictures[0]) for p in pictures)


def test_impossible_arguments_are_refused(baked):
    pose, lens = look()
    with pytest.raises(ValueError, match="cam2world has shape"):
        render_baked(baked, volume(), pose[:3], lens, 8, 8)
    with pytest.raises(ValueError, match="0 x 8 pixels"):
        render_baked(baked, volume(), pose, lens, 0, 8)
    with pytest.raises(ValueError, match="step"):
        render_baked(baked, volume(), pose, lens, 8, 8, step=0.0)


def test_warming_up_compiles_what_rendering_needs(baked):
    from neuroview.engine.rendering.march_kernel import march

    warm_up()
    compiled = len(march.signatures)
    render_baked(baked, volume(), *look(), 8, 8)
    assert len(march.signatures) == compiled


def test_compiled_code_goes_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert cache_folder() == tmp_path


def test_a_cache_folder_that_cannot_be_written_is_replaced_by_one_that_can(tmp_path):
    # A file where the cache folder should be cannot be written into by anyone, root included.
    (tmp_path / "cache").write_text("in the way")
    (tmp_path / "tmp").mkdir()
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    environment |= {"XDG_CACHE_HOME": str(tmp_path / "cache"), "TMPDIR": str(tmp_path / "tmp")}
    environment |= {"HOME": str(tmp_path / "cache")}
    code = "from neuroview.engine.rendering.numba_setup import cache_folder; print(cache_folder())"
    printed = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert printed.stdout.strip().startswith(str(tmp_path / "tmp"))

"""The march's CUDA kernel against the march on the CPU, compiled for the CPU; and for every GPU that we name."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from host_kernels import ARCHITECTURES, compiler_report, host_kernel, launch_bytes, psnr
from neuroview.engine.camera import camera_matrices
from neuroview.engine.pipeline import Pipeline
from neuroview.engine.rendering.backdrop import Backdrop
from neuroview.engine.rendering.bake import bake
from neuroview.engine.rendering.kernels import baked
from neuroview.engine.rendering.kernels.launch import FusedRenderer
from neuroview.engine.rendering.march import render_baked
from neuroview.engine.state import first_state
from neuroview.models.base import VolumeSettings
from neuroview.models.catalog import open_generator

HEADS = {"CHANNELS": 16, "DEGREE": 0, "VALUES": 16, "BLOCK": 4}
RADIANCE = {"CHANNELS": 3, "DEGREE": 1, "VALUES": 16, "BLOCK": 4}
FINE = {"CHANNELS": 3, "DEGREE": 2, "VALUES": 32, "BLOCK": 4}
OFFICIAL = {"CHANNELS": 32, "DEGREE": 0, "VALUES": 32, "BLOCK": 4}


class Lamp:
    """A ball whose colour depends on where it is seen from."""

    features, view_dependent = 3, True
    bounds = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))

    def __call__(self, points, directions=None):
        assert directions is not None
        density = 60 * (0.7 - points.norm(dim=-1))
        return density, torch.sigmoid(torch.stack([directions[:, 0], points[:, 1], directions[:, 2]], -1) * 2)


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    generator = open_generator("heads")
    state = first_state("heads", generator.camera)
    with torch.no_grad():
        scene = generator.scene(generator.codes(22))
        grid = bake(scene.field, scene.volume, 48).bricks
    packed = baked.pack(grid, "cpu")
    run = host_kernel(baked.NAME, packed.sizes, tmp_path_factory.mktemp("kernel"))
    return generator, state, scene.volume, packed, run


def both(heads, size=(40, 56), *, volume=None, **camera):
    generator, state, own, packed, run = heads
    volume = own if volume is None else volume
    matrices = tuple(
        torch.from_numpy(m).float() for m in camera_matrices(replace(state.camera, **camera), generator.camera)
    )
    return render_baked(packed.grid, volume, *matrices, *size), baked.march_bricks(
        packed, volume, *matrices, *size, run
    )


@pytest.mark.parametrize("yaw", [0.0, 0.7, 3.0])
def test_it_marches_what_its_twin_marches(heads, yaw):
    twin, kernel = both(heads, yaw=yaw, pitch=0.1)
    assert psnr(kernel.features, twin.features) > 55
    assert psnr(kernel.alpha, twin.alpha) > 55
    seen = twin.alpha > 0.5
    assert seen.any()
    assert (kernel.depth - twin.depth)[seen].abs().max() < 5e-3


def test_a_camera_inside_and_one_that_misses_agree_too(heads):
    twin, kernel = both(heads, radius=0.3)
    assert psnr(kernel.features, twin.features) > 50
    twin, kernel = both(heads, pivot=(5.0, 0.0, 0.0))
    assert float(kernel.alpha.max()) == 0
    assert torch.equal(kernel.features, twin.features)
    assert torch.equal(kernel.depth, twin.depth)


def test_black_backgrounds_and_rays_of_depth_1_agree(heads):
    volume = replace(heads[2], white_background=not heads[2].white_background, unit_rays=not heads[2].unit_rays)
    twin, kernel = both(heads, volume=volume, yaw=0.3)
    assert psnr(kernel.features, twin.features) > 55


@pytest.mark.parametrize("degree", [0, 1, 2])
@pytest.mark.parametrize("activation", ["relu", "softplus"])
def test_compressed_densities_and_harmonics_agree(degree, activation, tmp_path):
    volume = VolumeSettings(0.5, 5.0, 32, 32, activation, "left", "nerf", white_background=True, unit_rays=False)
    grid = replace(bake(Lamp(), volume, 24, degree=degree).bricks, thin=True)
    packed = baked.pack(grid, "cpu")
    run = host_kernel(baked.NAME, packed.sizes, tmp_path)
    pose = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0]))
    pose[2, 3] = 2.5
    lens = torch.tensor([[1.2, 0.0, 0.5], [0.0, 1.2, 0.5], [0.0, 0.0, 1.0]])
    twin = render_baked(grid, volume, pose, lens, 33, 27)
    kernel = baked.march_bricks(packed, volume, pose, lens, 33, 27, run)
    assert float(twin.alpha.max()) > 0.9
    assert psnr(kernel.features, twin.features) > 50
    assert psnr(kernel.depth, twin.depth) > 50


def test_the_pipeline_marches_by_the_kernel_where_it_agrees(heads):
    generator, state, *_, run = heads
    pipeline, asked = Pipeline(generator), []
    for _ in zip(range(1), pipeline.bake(state), strict=False):
        pass
    twin = pipeline.frame(state, "baked")
    pipeline.fast = FusedRenderer("cpu", lambda name, _: lambda *tensors: (asked.append(name), run(*tensors))[1])
    turned = replace(state, camera=replace(state.camera, yaw=state.camera.yaw + 1e-9))  # what is kept is not asked for
    assert psnr(pipeline.frame(turned, "baked").rgb, twin.rgb) > 50
    assert asked == [baked.NAME] * 2, "the trial and the frame"


def test_a_kernel_that_disagrees_is_not_used(heads):
    _, state, volume, packed, _ = heads
    wrong = FusedRenderer("cpu", lambda *_: lambda *tensors: tensors[7].fill_(0.5))
    matrices = tuple(torch.from_numpy(m).float() for m in camera_matrices(state.camera, heads[0].camera))
    found = wrong.march(packed.grid, volume, *matrices, 24)
    assert torch.equal(found.features, render_baked(packed.grid, volume, *matrices, 24, 24).features)
    assert "baked.cu agrees with torch to" in wrong.trouble


def test_grids_with_too_many_features_or_a_backdrop_do_not_fit(heads):
    volume, grid = heads[2], heads[3].grid
    assert baked.fits(grid, volume)
    assert not baked.fits(replace(grid, rows=grid.rows.repeat(5, 1)), volume)
    closed = replace(grid, backdrop=Backdrop(grid.bounds, torch.zeros(1, 3, 2, 2, 2)))
    assert baked.fits(closed, volume)
    assert not baked.fits(closed, replace(volume, opaque_end=True))


def test_the_launch_is_laid_out_as_the_kernel_reads_it():
    assert launch_bytes(baked.NAME) == baked._LAUNCH.size


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("sizes", [HEADS, RADIANCE, FINE, OFFICIAL], ids=["heads", "radiance", "fine", "official"])
def test_it_compiles_for_every_gpu_without_spilling_registers(arch, sizes):
    figures = compiler_report(baked.NAME, sizes, arch)
    print(f"{arch}: {figures.registers} registers, {figures.spilled} bytes spilled")
    assert figures.spilled == 0
    assert figures.registers <= 168, "fewer than three blocks of 128 threads share a multiprocessor"
    assert math.isfinite(figures.registers)

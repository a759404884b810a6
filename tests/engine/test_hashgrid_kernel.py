"""The hash grid's CUDA kernel against torch, compiled for the CPU; and for every GPU that we name."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from host_kernels import ARCHITECTURES, compiler_report, host_kernel, launch_bytes, psnr
from neuroview.engine.rendering.kernels import hashgrid
from neuroview.engine.rendering.kernels.launch import FusedRenderer
from neuroview.engine.rendering.occupancy import OccupancyGrid
from neuroview.engine.rendering.occupancy_march import render_occupancy
from neuroview.models.base import Scene, VolumeSettings
from neuroview.models.hashgrid import HashGrid, HashGridLayout
from neuroview.models.hashgrid_field import AffineWarp, ColourHead, Dense, DensityGrid, HashGridField

LAYOUT = HashGridLayout(levels=4, features=2, log2_size=10, base_resolution=4, growth=1.7)
UNIT = AffineWarp(((0.4, 0.0, 0.0), (0.0, 0.0, 0.4), (0.0, 0.4, 0.0)), (0.5, 0.5, 0.5))
BOX = ((-1.2, -1.2, -1.2), (1.2, 1.2, 1.2))
OFFICIAL = {"LEVELS": 16, "PAIRS": 1, "HIDDEN": 64, "SAID": 16, "FIRST": 0, "READ": 16, "WIDE_A": 64, "WIDE_B": 64}
WIDE = {**OFFICIAL, "LEVELS": 8, "PAIRS": 2}


def dense(inputs: int, outputs: int, seed: int, bias: bool = False) -> Dense:
    random = torch.Generator().manual_seed(seed)
    weight = torch.randn(inputs, outputs, generator=random) * 1.5 / math.sqrt(inputs)
    return Dense(weight, torch.randn(outputs, generator=random) * 0.2 if bias else None)


def field(layout: HashGridLayout = LAYOUT, *, first: int = 0, bias: bool = False, **more) -> HashGridField:
    random = torch.Generator().manual_seed(1)
    table = (torch.randn(layout.parameters, generator=random) * 1.5).half().float()
    said, head_more = 8, {name: more.pop(name) for name in ("halved", "turn") if name in more}
    head = ColourHead(
        dense(said - first, 12, 3, bias), dense(16, 12, 4), (dense(12, 8, 5, bias), dense(8, 3, 6, bias)), **head_more
    )
    layers = (dense(layout.width, 16, 7, bias), dense(16, said, 8, bias))
    return HashGridField(HashGrid.from_flat(layout, table), layers, head, UNIT, BOX, first_feature=first, **more)


def scene_of(found: HashGridField, **changes) -> tuple[Scene, OccupancyGrid]:
    volume = VolumeSettings(1.0, 5.0, 24, 0, "exp", "left", "nerf", white_background=True, unit_rays=False)
    cells = torch.rand(6, 7, 8, generator=torch.Generator().manual_seed(2)) > 0.3
    grid = OccupancyGrid(BOX, cells, cells, ((-1.0, -1.1, -0.9), (1.0, 1.1, 0.9)))
    return Scene(found, replace(volume, **changes), 16, 16), grid


POSE = torch.tensor([[1.0, 0, 0, 0.1], [0, -1, 0, 0.2], [0, 0, -1, 2.8], [0, 0, 0, 1]])
LENS = torch.tensor([[1.3, 0.0, 0.5], [0.0, 1.3, 0.5], [0.0, 0.0, 1.0]])


def both(tmp_path, found: HashGridField, size=(19, 23), **changes):
    scene, grid = scene_of(found, **changes)
    assert hashgrid.fits(scene)
    packed = hashgrid.pack(found, grid)
    run = host_kernel(hashgrid.NAME, packed.sizes, tmp_path)
    twin = render_occupancy(scene, grid, POSE, LENS, resolution=size, samples=40)
    return twin, hashgrid.render_hashgrid(packed, scene.volume, POSE, LENS, *size, run, samples=40)


VARIANTS = {
    "instant-ngp": {},
    "a smooth grid of wide vertices": {"layout": replace(LAYOUT, features=4, smooth=True)},
    "nerfstudio's levels and biases": {
        "layout": replace(LAYOUT, dialect="nerfstudio"), "first": 1, "bias": True, "halved": True,
        "turn": ((0.0, 1.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
    },
}  # fmt: skip


@pytest.mark.parametrize("name", VARIANTS)
def test_it_renders_what_its_twin_renders(name, tmp_path):
    twin, kernel = both(tmp_path, field(**VARIANTS[name]))
    assert 0.2 < float(twin.alpha.mean()) < 0.98
    print(f"{name}: {psnr(kernel.features, twin.features):.1f} dB")
    assert psnr(kernel.features, twin.features) > 45
    assert psnr(kernel.alpha, twin.alpha) > 45
    seen = twin.alpha > 0.5
    assert (kernel.depth - twin.depth)[seen].abs().max() < 0.02


def test_rays_of_length_1_a_black_background_and_a_density_of_other_units_agree(tmp_path):
    twin, kernel = both(tmp_path, field(bias=True), white_background=False, unit_rays=True)
    assert psnr(kernel.features, twin.features) > 45


def test_what_training_found_empty_stays_empty(tmp_path):
    kept = torch.rand(2, 8, 8, 8, generator=torch.Generator().manual_seed(3)) > 0.4
    half = AffineWarp(((0.7, 0.0, 0.0), (0.0, 0.7, 0.0), (0.0, 0.0, 0.7)), (0.5, 0.5, 0.5))
    twin, kernel = both(tmp_path, field(occupancy=DensityGrid(kept, half)))
    whole, _ = both(tmp_path, field())
    assert float((whole.alpha - twin.alpha).max()) > 0.1
    assert psnr(kernel.features, twin.features) > 45


def test_limits_where_the_rays_meet_the_box_are_found_by_the_kernel_itself(tmp_path):
    found = field()
    scene, grid = scene_of(found, near=None, far=None)
    packed = hashgrid.pack(found, grid)
    run = host_kernel(hashgrid.NAME, packed.sizes, tmp_path)
    twin = render_occupancy(scene, grid, POSE, LENS, resolution=16, samples=60)
    kernel = hashgrid.render_hashgrid(packed, scene.volume, POSE, LENS, 16, 16, run, samples=60)
    assert psnr(kernel.features, twin.features) > 45


def test_only_scenes_on_a_lattice_with_such_networks_fit():
    found = field()
    scene, _ = scene_of(found)
    assert not hashgrid.fits(replace(scene, proposal=found))
    assert not hashgrid.fits(replace(scene, volume=replace(scene.volume, quadrature="midpoint")))
    deep = HashGridField(found.grid, (*found.layers, found.layers[1]), found.head, UNIT, BOX)
    assert not hashgrid.fits(replace(scene, field=deep))
    wide = HashGridField(found.grid, (dense(8, 1024, 1), dense(1024, 8, 2)), found.head, UNIT, BOX)
    assert not hashgrid.fits(replace(scene, field=wide)), "its weights do not fit into shared memory"


def test_the_renderer_uses_the_kernel_once_it_has_agreed(tmp_path):
    scene, grid = scene_of(field())
    asked = []

    def maker(name, sizes):
        run = host_kernel(name, sizes, tmp_path)
        return lambda *tensors: (asked.append(name), run(*tensors))[1]

    rendered = FusedRenderer("cpu", maker).render(scene, grid, POSE, LENS, 20)
    twin = render_occupancy(scene, grid, POSE, LENS, resolution=20)
    assert rendered is not None
    assert asked == [hashgrid.NAME] * 2, "the trial and the frame"
    assert psnr(rendered.features, twin.features) > 45


def test_the_launch_is_laid_out_as_the_kernel_reads_it():
    assert launch_bytes(hashgrid.NAME) == hashgrid._LAUNCH.size


# Sixteen levels take the compiler three seconds.
@pytest.mark.parametrize(("arch", "sizes"), [*((arch, WIDE) for arch in ARCHITECTURES), (ARCHITECTURES[-1], OFFICIAL)])
def test_it_compiles_for_every_gpu_without_spilling_registers(arch, sizes):
    figures = compiler_report(hashgrid.NAME, {**sizes, "SMOOTH": 0}, arch)
    print(f"{arch}: {figures.registers} registers, {figures.spilled} bytes spilled")
    assert figures.spilled == 0
    assert figures.registers <= 168, "fewer than three blocks of 128 threads share a multiprocessor"

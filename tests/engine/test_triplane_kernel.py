"""The fused tri-plane kernel against its readable twin, compiled for the CPU; and for every GPU that we name."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from host_kernels import host_kernel
from neuroview.engine.camera import camera_matrices
from neuroview.engine.pipeline import Pipeline
from neuroview.engine.rendering.kernels import program, triplane
from neuroview.engine.rendering.kernels.launch import FusedRenderer
from neuroview.engine.rendering.occupancy import build_occupancy
from neuroview.engine.rendering.occupancy_march import render_occupancy
from neuroview.engine.state import first_state
from neuroview.models.base import Scene, VolumeSettings
from neuroview.models.catalog import open_generator
from neuroview.models.eg3d import OSGDecoder, TriPlaneField

ARCHITECTURES = ("sm_75", "sm_80", "sm_86", "sm_89", "sm_90")
OFFICIAL = {"CHANNELS": 32, "HIDDEN": 64, "FEATURES": 32}


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(-10 * torch.log10((a - b).square().mean() + 1e-12))


@pytest.fixture(scope="module")
def heads():
    generator = open_generator("heads")
    state = first_state("heads", generator.camera)
    with torch.no_grad():
        scene = generator.scene(generator.codes(22))
        grid = build_occupancy(scene.field, scene.volume)
    return generator, state, scene, grid


@pytest.fixture(scope="module")
def run(heads, tmp_path_factory):
    packed = triplane.pack(heads[2].field, heads[3])
    return host_kernel(triplane.NAME, packed.sizes, tmp_path_factory.mktemp("kernel"))


def both(heads, run, size=(48, 40), *, scene=None, grid=None, **camera):
    generator, state, own, cells = heads
    scene, grid = scene or own, grid or cells
    view = replace(state.camera, **camera)
    matrices = tuple(torch.from_numpy(m).float() for m in camera_matrices(view, generator.camera))
    twin = render_occupancy(scene, grid, *matrices, resolution=size)
    packed = triplane.pack(scene.field, grid)
    return twin, triplane.render_triplane(packed, scene.volume, *matrices, *size, run)


@pytest.mark.parametrize("yaw", [0.0, 0.7, 3.0])
def test_it_renders_what_its_twin_renders(heads, run, yaw):
    twin, kernel = both(heads, run, yaw=yaw, pitch=0.1)
    assert psnr(kernel.features[:3], twin.features[:3]) > 50
    assert psnr(kernel.features, twin.features) > 50
    assert psnr(kernel.alpha, twin.alpha) > 50
    seen = twin.alpha > 0.5
    assert (kernel.depth - twin.depth)[seen].abs().max() < 2e-3


def test_a_camera_inside_the_head_and_one_that_misses_it_agree_too(heads, run):
    twin, kernel = both(heads, run, radius=0.3)
    assert psnr(kernel.features[:3], twin.features[:3]) > 45
    twin, kernel = both(heads, run, pivot=(5.0, 0.0, 0.0))
    assert float(kernel.alpha.max()) == 0
    assert torch.equal(kernel.features, twin.features)


def test_limits_where_the_rays_meet_the_box_are_found_by_the_kernel_itself(heads, run):
    scene = replace(heads[2], volume=replace(heads[2].volume, near=None, far=None))
    twin, kernel = both(heads, run, scene=scene, yaw=0.4)
    # The lattices differ: one is as fine as the longest ray wants, the other as the box's diagonal wants.
    assert psnr(kernel.features[:3], twin.features[:3]) > 40


def test_nothing_occupied_is_the_background(heads, run):
    grid = heads[3]
    centre = ((0.0, 0.0, 0.0),) * 2
    nothing = replace(grid, occupied=torch.zeros_like(grid.occupied), tight=centre)
    _, kernel = both(heads, run, grid=nothing)
    assert float(kernel.alpha.abs().max()) == 0
    assert torch.equal(kernel.features, torch.ones_like(kernel.features))


def test_other_sizes_of_planes_and_decoder_agree(tmp_path):
    torch.manual_seed(0)
    decoder = OSGDecoder(8, hidden=12, features=5)
    field = TriPlaneField(2 * torch.randn(1, 3, 8, 24, 24), decoder, 1.5, merged=True)
    volume = VolumeSettings(1.0, 4.0, 24, 24, "softplus_shifted", "midpoint", "eg3d")
    scene = Scene(field, volume, 16, 16)
    grid = build_occupancy(field, volume, resolution=9)
    pose = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0]))
    pose[2, 3] = 2.5
    lens = torch.tensor([[1.2, 0.0, 0.5], [0.0, 1.2, 0.5], [0.0, 0.0, 1.0]])
    twin = render_occupancy(scene, grid, pose, lens, resolution=(17, 13))
    packed = triplane.pack(field, grid)
    run = host_kernel(triplane.NAME, packed.sizes, tmp_path)
    kernel = triplane.render_triplane(packed, volume, pose, lens, 17, 13, run)
    assert psnr(kernel.features, twin.features) > 50
    assert psnr(kernel.depth, twin.depth) > 50


def test_only_scenes_with_egs_own_marcher_fit(heads):
    scene = heads[2]
    assert triplane.fits(scene)
    assert not triplane.fits(replace(scene, volume=replace(scene.volume, quadrature="left")))
    assert not triplane.fits(replace(scene, volume=replace(scene.volume, disparity=True)))
    unmerged = TriPlaneField(torch.zeros(1, 3, 8, 4, 4), OSGDecoder(8), 1.0)
    assert not triplane.fits(replace(scene, field=unmerged))


def test_cells_are_packed_bit_by_bit():
    torch.manual_seed(1)
    occupied = torch.rand(5, 7, 3) > 0.5
    words = triplane.packed_bits(occupied).tolist()
    flat = occupied.reshape(-1).tolist()
    assert [bool(words[i >> 5] >> (i & 31) & 1) for i in range(len(flat))] == flat


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_it_compiles_for_every_gpu_without_spilling_registers(arch):
    pytest.importorskip("cuda.core", reason="cuda-python is not installed")
    try:
        text = program.report(triplane.NAME, OFFICIAL, arch)
    except program.KernelError as error:
        if "libnvrtc" in str(error):
            pytest.skip("NVRTC is not installed")
        raise
    assert "0 bytes spill stores, 0 bytes spill loads" in text


def test_a_compiled_kernel_is_kept_and_read_again(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(program, "_compile", lambda *given, **_: calls.append(given) or b"code")
    for _ in range(2):
        assert program.compiled(triplane.NAME, OFFICIAL, "sm_90", folder=tmp_path) == b"code"
    assert len(calls) == 1
    program.compiled(triplane.NAME, {**OFFICIAL, "HIDDEN": 32}, "sm_90", folder=tmp_path)
    assert len(calls) == 2


def test_a_kernel_that_cannot_be_compiled_says_so():
    pytest.importorskip("cuda.core", reason="cuda-python is not installed")
    with pytest.raises(program.KernelError, match=r"triplane\.cu does not compile for sm_1"):
        program.compiled(triplane.NAME, OFFICIAL, "sm_1")


def test_the_launch_is_laid_out_as_the_kernel_reads_it(heads):
    text = program.source(triplane.NAME)
    struct = text[text.index("struct Launch {") : text.index("};", text.index("struct Launch {"))]
    names = [part for line in struct.splitlines()[1:] for part in line.split("//")[0].strip(" ;").split(",") if part]
    sizes = [math.prod(int(n.split("]")[0]) for n in name.split("[")[1:]) for name in names]
    assert sum(sizes) * 4 == triplane._LAUNCH.size


def test_the_pipeline_renders_by_the_kernel_where_it_agrees(heads, run):
    generator, state, *_ = heads
    pipeline = Pipeline(generator)
    twin = pipeline.frame(state, "occupancy")
    asked = []

    def counted(*tensors):
        asked.append(tensors)
        run(*tensors)

    by_kernel = Pipeline(generator)
    by_kernel.fast = FusedRenderer("cpu", lambda *_: counted)
    frame = by_kernel.frame(state, "occupancy")
    assert len(asked) == 2, "the trial and the frame"
    assert psnr(frame.rgb, twin.rgb) > 45


def test_a_kernel_that_disagrees_with_torch_is_not_used(heads):
    generator, state, *_ = heads
    pipeline = Pipeline(generator)
    twin = pipeline.frame(state, "occupancy")
    wrong = Pipeline(generator)
    wrong.fast = FusedRenderer("cpu", lambda *_: lambda *tensors: tensors[4].fill_(0.5))
    assert psnr(wrong.frame(state, "occupancy").rgb, twin.rgb) > 45
    assert "agrees with torch to" in wrong.fast.trouble


def test_a_kernel_that_does_not_compile_is_not_used(heads):
    generator, state, *_ = heads

    def broken(*_):
        raise program.KernelError("no compiler")

    pipeline = Pipeline(generator)
    pipeline.fast = FusedRenderer("cpu", broken)
    assert pipeline.frame(state, "occupancy").rung == "occupancy"
    assert pipeline.fast.trouble == "no compiler"

"""Training of both kinds of NeRF on a painted ball, from the first update to the exported model."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from nerf_balls import ball_data, psnr
from neuroview.engine.rendering.exact import render_exact
from neuroview.engine.rendering.occupancy import build_occupancy
from neuroview.engine.rendering.occupancy_march import render_occupancy
from neuroview.engine.training.nerf_poses import PoseOffsets, aligned, pose_errors, rotations
from neuroview.engine.training.nerf_recipe import HashGridSizes, NerfRecipe, VanillaSizes, recipe_of
from neuroview.engine.training.nerf_task import NerfTask, centred
from neuroview.engine.training.task import Moment
from neuroview.engine.training.team import Solo
from neuroview.models.base import Posed
from neuroview.models.catalog import open_generator
from neuroview.models.formats import native

GRID = HashGridSizes(levels=4, log2_size=12, base_resolution=8, finest=32, hidden=24, steps=56, samples=4096)
SMALL = NerfRecipe(GRID, rate=2e-2, final=0.3, warm_up=5)
VANILLA = NerfRecipe(VanillaSizes(32, 3, 6, steps=56, samples=2048), rate=1e-2, warm_up=5, by_depth=0.5)
KINDS = {"hashgrid": SMALL, "vanilla": VANILLA}


def train(task, steps, start=0, total=None):
    """Updates as a trainer makes them; the losses."""
    losses = []
    for step in range(start, start + steps):
        torch.manual_seed(1000 + step)
        figures = task.update(Moment(step, step / (total or start + steps), Solo(bf16=False)))
        losses.append(float(figures["loss"]))
    return losses


def fresh(recipe, data=None):
    torch.manual_seed(0)
    return NerfTask(recipe, data or ball_data())


@pytest.fixture(scope="module")
def trained():
    task = fresh(SMALL)
    train(task, 240)
    return task


@pytest.mark.parametrize("kind", KINDS)
def test_a_few_updates_lower_the_loss(kind):
    losses = train(fresh(KINDS[kind]), 60)
    print(kind, [round(loss, 4) for loss in losses[::10]])
    assert np.mean(losses[-10:]) < 0.75 * np.mean(losses[:10])


def test_held_out_views_of_a_ball_come_out_right(trained):
    value = trained.preview()["held-out PSNR"]
    print(f"held-out PSNR {value:.1f} dB")
    assert value > 17.5


def test_pictures_with_depth_teach_the_field_before_the_pictures_do():
    task = fresh(VANILLA, ball_data(depth=True))
    stages = []
    for step in range(8):
        task.update(Moment(step, step / 8, Solo(bf16=False)))
        stages.append(task.stage)
    assert stages == ["depth"] * 4 + ["pictures"] * 4


def test_depth_brings_a_perceptron_further_than_pictures_alone():
    tasks = {depth: fresh(VANILLA, ball_data(depth=depth)) for depth in (False, True)}
    for task in tasks.values():
        train(task, 60)
    found = {depth: task.preview()["held-out PSNR"] for depth, task in tasks.items()}
    print(f"held-out PSNR after 60 updates: {found[False]:.1f} dB by pictures, {found[True]:.1f} dB with depth")
    assert found[True] > found[False] + 1.0


def test_a_run_that_learns_from_depth_is_resumed_exactly():
    data = ball_data(depth=True)
    whole = fresh(VANILLA, data)
    train(whole, 3, total=12)
    state = torch.load(_stored(whole.state()), weights_only=True)
    rest = train(whole, 6, 3, 12)
    other = fresh(VANILLA, data)
    other.load(state)
    assert train(other, 6, 3, 12) == rest


def test_nothing_is_learned_of_where_silhouettes_show_nothing_but_that_it_is_empty():
    task = fresh(VANILLA)
    train(task, 60)
    points = task.model.occupancy.impossible(2000)
    assert len(points) == 2000
    with torch.no_grad():
        raw, _ = task.model.network.trunk(points)
    stopped = -torch.expm1(-task.model.network.density(raw) * task.model.step)
    assert float(stopped.mean()) < 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_a_resumed_run_goes_on_exactly_as_an_unbroken_one(kind):
    whole = fresh(KINDS[kind])
    train(whole, 8, total=12)
    state = dict(whole.state().items())
    state = torch.load(_stored(state), weights_only=True)
    rest = train(whole, 4, 8, 12)
    other = fresh(KINDS[kind])
    other.load(state)
    assert train(other, 4, 8, 12) == rest


def _stored(state):
    import io

    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return file


@pytest.mark.parametrize("kind", KINDS)
def test_an_exported_scene_opens_again_and_looks_as_it_trained(kind, tmp_path, trained):
    task = trained if kind == "hashgrid" else fresh(VANILLA, ball_data(depth=True))
    if kind == "vanilla":
        train(task, 60)
    native.convert(task.generator(), tmp_path / "ball.safetensors")
    opened = open_generator(str(tmp_path / "ball.safetensors"))
    held_out = task.data.held_out
    with torch.inference_mode():
        scene = opened.scene(opened.codes(0))
        shown = render_exact(scene, held_out.cam2world[1], held_out.intrinsics[1], resolution=32).features
    ours, _ = task.picture(held_out, 1)
    value = psnr(shown.permute(1, 2, 0), ours)
    print(f"{kind}: exact renderer beside the trainer's own {value:.1f} dB")
    assert value > 30


def test_a_perceptron_shows_nothing_outside_of_its_box():
    scene = fresh(VANILLA).generator().scene(torch.zeros(0, 0))
    beside = torch.tensor(scene.field.bounds[1]) + torch.tensor([[-0.1, -0.1, -0.1], [0.1, -0.1, -0.1]])
    with torch.inference_mode():
        raws = [scene.field(beside, beside)[0], scene.field.density(beside), scene.field.trunk(beside)[0]]
    for inside, outside in raws:
        assert float(inside.exp()) > 0
        assert float(outside.exp()) == 0


def test_half_precision_is_visibly_the_same(trained, tmp_path):
    native.convert(trained.generator(), tmp_path / "half.safetensors", dtype=torch.float16)
    native.convert(trained.generator(), tmp_path / "full.safetensors")
    camera = trained.data.held_out
    made = []
    for name in ("half", "full"):
        opened = open_generator(str(tmp_path / f"{name}.safetensors"))
        with torch.inference_mode():
            scene = opened.scene(opened.codes(0))
            made.append(render_exact(scene, camera.cam2world[0], camera.intrinsics[0], resolution=32).features)
    assert psnr(*made) > 45
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("half", "full")]
    cells = 64**3 // 8  # bytes that do not become smaller
    assert sizes[0] - cells < 0.6 * (sizes[1] - cells)


def test_the_exported_scene_flies_past_its_training_cameras(trained):
    made = trained.generator()
    assert isinstance(made, Posed)
    assert len(made.poses) == len(trained.data.train)
    np.testing.assert_allclose(np.array(made.poses[3].cam2world), trained.data.train.cam2world[3].numpy(), atol=1e-6)
    assert made.camera.up == "z"
    assert made.camera.radius == pytest.approx(3.6, abs=0.05)


def test_cells_taken_for_empty_hide_nothing_in_the_viewer(trained):
    scene = trained.generator().scene(torch.zeros(0, 0))
    held_out = trained.data.held_out
    with torch.inference_mode():
        grid = build_occupancy(scene.field, scene.volume, thin=True)
        quick = render_occupancy(scene, grid, held_out.cam2world[0], held_out.intrinsics[0], resolution=32).features
        exact = render_exact(scene, held_out.cam2world[0], held_out.intrinsics[0], resolution=32).features
    value = psnr(quick, exact)
    print(f"occupancy beside exact {value:.1f} dB; {float(grid.occupied.float().mean()):.3f} of the cells occupied")
    assert value > 30


def test_pixels_that_do_not_count_are_not_learned_from():
    data = ball_data()
    spoilt = data.train.pictures.clone()
    spoilt[:, :12] = 255
    counted = torch.ones(spoilt.shape[:3], dtype=torch.bool)
    counted[:, :12] = False
    clean = replace(data, train=replace(data.train, counted=counted))
    dirty = replace(data, train=replace(data.train, pictures=spoilt, counted=counted))
    assert train(fresh(SMALL, clean), 4) == train(fresh(SMALL, dirty), 4)


def test_pixels_of_nan_leave_the_weights_alone():
    task = fresh(SMALL)
    train(task, 2)
    with torch.no_grad():
        task.model.network.colour_out.bias[0] = torch.nan
    before = task.model.network.table.clone()
    train(task, 1, 2)
    assert torch.equal(task.model.network.table, before)


def test_a_scene_far_from_the_origin_is_moved_for_the_perceptrons():
    data = ball_data(depth=True)
    far = data.train.cam2world.clone()
    far[:, :3, 3] = 20 * far[:, :3, 3] + 100
    away = replace(data.train, cam2world=far, depth=20 * data.train.depth)
    moved = centred(replace(data, train=away, held_out=None, cube=_cube(data.cube)))
    assert moved.cube.side == 3.0
    factor = 3.0 / data.cube.side
    torch.testing.assert_close(
        moved.train.cam2world[:, :3, 3].norm(dim=-1),
        factor * data.train.cam2world[:, :3, 3].norm(dim=-1),
        rtol=0.02,
        atol=0,
    )
    torch.testing.assert_close(moved.train.depth, data.train.depth * factor)


def _cube(cube):
    return type(cube)(tuple(20 * value + 100 for value in cube.low), 20 * cube.side)


def test_rotations_are_those_of_the_matrix_exponential():
    torch.manual_seed(0)
    vectors = torch.randn(20, 3) * torch.logspace(-5, 0, 20)[:, None]
    x, y, z = vectors.double().unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).view(-1, 3, 3)
    torch.testing.assert_close(rotations(vectors).double(), torch.matrix_exp(cross), atol=2e-6, rtol=0)


def test_corrections_that_are_nothing_have_a_gradient():
    offsets = PoseOffsets(2, 3.0)
    offsets(torch.eye(4).repeat(2, 1, 1)).sum().backward()
    assert offsets.values.grad is not None
    assert bool(torch.isfinite(offsets.values.grad).all())
    assert bool((offsets.values.grad[:, 3:] == 3.0).all())


def test_a_common_motion_of_all_cameras_is_no_error():
    data = ball_data()
    turn = torch.eye(4)
    turn[:3, :3] = rotations(torch.tensor([[0.3, -0.2, 0.5]]))[0]
    moved = turn @ data.train.cam2world
    moved[:, :3, 3] = 1.2 * moved[:, :3, 3] + 0.4
    assert max(pose_errors(moved, data.train.cam2world)) < 1e-4


def test_refinement_brings_cameras_back_that_were_noted_down_wrongly():
    data = ball_data(24, 40)
    true = data.train.cam2world
    torch.manual_seed(3)
    noise = PoseOffsets(len(true), data.cube.side)
    with torch.no_grad():
        noise.values.normal_(0, 0.05)
        noise.values[:, 3:] *= 0.5
        wrong = noise(true)
    recipe = replace(SMALL, rate=1e-2, refine_poses=True, unfold=0.3, pose_rate=2e-3)
    task = fresh(recipe, replace(data, train=replace(data.train, cam2world=wrong)))
    train(task, 240)
    found = task.cameras.detach()
    turns = [pose_errors(cameras, true)[0] for cameras in (wrong, found)]
    shifts = [_displacement(cameras, true) for cameras in (wrong, found)]
    print(
        f"turned by {turns[0]:.3f} -> {turns[1]:.3f} rad, the ball displaced by {shifts[0]:.2f} -> {shifts[1]:.2f} px"
    )
    # What a camera's shift does to a small thing far away its turn can undo, so the picture tells sooner.
    assert turns[1] < 0.85 * turns[0]
    assert shifts[1] < 0.45 * shifts[0]
    assert np.array(task.generator().poses[0].cam2world) == pytest.approx(found[0].numpy(), abs=1e-5)


def _displacement(found, true):
    """Pixels by which points of the ball appear elsewhere, on average, after the best common alignment."""
    points = torch.nn.functional.normalize(torch.randn(200, 3, generator=torch.Generator().manual_seed(0)), dim=-1)

    def seen(cameras):
        local = (0.8 * points.double() - cameras[:, None, :3, 3]) @ cameras[:, :3, :3]
        return 40 * 1.37 * local[..., :2] / local[..., 2:]

    return float((seen(aligned(found, true)) - seen(true.double())).norm(dim=-1).mean())


def test_the_two_kinds_have_recipes_and_others_are_refused():
    assert isinstance(recipe_of("hashgrid").sizes, HashGridSizes)
    assert recipe_of("vanilla", refine_poses=True).refine_poses
    with pytest.raises(ValueError, match="expected 'hashgrid' or 'vanilla'"):
        recipe_of("voxels")

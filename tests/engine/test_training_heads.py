"""The heads teacher, its student and their training."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from neuroview.engine.training import export_heads, heads_losses, heads_march, heads_sdf, heads_student, sphere_trace
from neuroview.engine.training.heads_parameters import (
    APPEARANCE_NAMES,
    GEOMETRY_DIMS,
    GEOMETRY_NAMES,
    SWITCHES,
    Z_DIM,
    heads_from_latents,
    uniform_from_latent,
    wearing,
)
from neuroview.engine.training.heads_probe import mapping_latents
from neuroview.engine.training.heads_task import HeadsRecipe, HeadsTask
from neuroview.engine.training.trainer import Trainer
from neuroview.models.eg3d import EG3DConfig, merge_planes, sample_planes
from torch.nn import functional as F

TINY = HeadsRecipe(
    mapping_end=0.25,
    coarse_end=0.5,
    field_end=0.75,
    mapping_batch=16,
    field_batch=2,
    image_batch=1,
    rays=96,
    fine_rays=96,
    uniform=64,
)


def training(recipe: HeadsRecipe = TINY, out: Path | None = None, steps: int = 16) -> Trainer:
    return Trainer(HeadsTask(recipe, compile=False), out, steps=steps, preview_every=math.inf, quiet=True)


def latents(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, Z_DIM, generator=torch.Generator().manual_seed(seed))


def cameras(count: int) -> torch.Tensor:
    return sphere_trace.look_at_origin(torch.linspace(-0.5, 0.5, count), torch.full((count,), 0.1))


def picture(z_geometry: torch.Tensor, z_appearance: torch.Tensor) -> tuple[torch.Tensor, ...]:
    head = heads_from_latents(z_geometry, z_appearance)
    return sphere_trace.render(sphere_trace.Teacher(), head, cameras(len(z_geometry)), 32)


@pytest.fixture(scope="module")
def student():
    torch.manual_seed(0)
    made = heads_student.new_student().requires_grad_(False)
    for name, pattern in made.named_parameters():
        if name.endswith("noise_const"):
            pattern.normal_()
    return made


def test_the_names_fit_into_the_latent():
    assert len(GEOMETRY_NAMES) <= GEOMETRY_DIMS
    assert len(APPEARANCE_NAMES) <= Z_DIM - GEOMETRY_DIMS


def test_the_scale_of_a_latent_does_not_matter():
    torch.testing.assert_close(uniform_from_latent(latents(3)), uniform_from_latent(latents(3) * 7.0))


def test_the_teacher_draws_the_same_picture_twice():
    first, second = picture(latents(2), latents(2)), picture(latents(2), latents(2))
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b)


def test_another_appearance_changes_colours_and_not_the_shape():
    rgb, coverage, depth = picture(latents(2), latents(2))
    other_rgb, other_coverage, other_depth = picture(latents(2), latents(2, seed=1))
    assert torch.equal(coverage, other_coverage)
    assert torch.equal(depth, other_depth)
    assert (rgb - other_rgb).abs().max() > 0.1


def test_a_window_is_a_piece_of_the_whole_picture():
    head, views = heads_from_latents(latents(2)), cameras(2)
    teacher = sphere_trace.Teacher()
    corner = torch.tensor([[8, 6], [10, 12]])
    whole, *_ = sphere_trace.render(teacher, head, views, 32)
    window, *_ = sphere_trace.render(teacher, head, views, 32, corner, 16)
    for i, (row, column) in enumerate(corner.tolist()):
        torch.testing.assert_close(window[i], whole[i, :, row : row + 16, column : column + 16], atol=2e-3, rtol=0.0)


def test_a_smooth_picture_has_four_rays_where_it_has_edges():
    head, views, teacher = heads_from_latents(latents(2)), cameras(2), sphere_trace.Teacher()
    corner = torch.tensor([[8, 6], [10, 12]])
    rgb, coverage, _ = sphere_trace.render_smooth(teacher, head, views, 64, corner, 32)
    fine, covered, _ = sphere_trace.render(teacher, head, views, 128, 2 * corner, 64)
    stairs, *_ = sphere_trace.render(teacher, head, views, 64, corner, 32)
    truth = F.avg_pool2d(fine, 2)
    assert (rgb - truth).square().mean() < 0.05 * (stairs - truth).square().mean()
    assert (coverage - F.avg_pool2d(covered[:, None], 2)[:, 0]).abs().mean() < 1e-3


def test_a_smooth_picture_of_nothing_is_white():
    head, views = heads_from_latents(latents(1)), cameras(1)
    nowhere = torch.zeros(1, 2, dtype=torch.long)
    rgb, coverage, _ = sphere_trace.render_smooth(sphere_trace.Teacher(), head, views, 64, nowhere, 4)
    assert (rgb == 1).all()
    assert not coverage.any()


def test_locks_stand_still_while_the_part_moves():
    head = heads_from_latents(latents(1))
    other = {**head, "pt": -head["pt"]}
    # Behind, where the part itself does not reach: 3 cm out from the axis, all around.
    angle = torch.linspace(2.2, 4.0, 200)
    points = (0.19 * angle.sin()[None], torch.full((1, 200), 0.05), 0.19 * angle.cos()[None] - 0.04)
    first, second = (heads_sdf.hair_distance(one, *points) for one in (head, other))
    torch.testing.assert_close(first, second)
    assert (first[0].diff().sign().diff() != 0).sum() >= 6  # ridges and grooves


def test_every_head_lies_inside_the_bounding_ball():
    head = heads_from_latents(latents(16, seed=3))
    directions = F.normalize(torch.randn(16, 512, 3, generator=torch.Generator().manual_seed(4)), dim=-1)
    shell = directions * sphere_trace.heads_sdf.BOUND
    assert sphere_trace.heads_sdf.distance(head, *shell.unbind(-1)).min() > 0


def test_training_latents_crowd_at_the_switches_and_stay_normal_elsewhere():
    torch.manual_seed(0)
    crowded, plain = uniform_from_latent(mapping_latents(4000)), uniform_from_latent(torch.randn(4000, Z_DIM))
    entry, (threshold, ramp) = GEOMETRY_NAMES.index("hat"), SWITCHES["hat"]
    near = [((u[:, entry] - threshold - ramp / 2).abs() < 0.06).float().mean() for u in (crowded, plain)]
    assert near[0] > 1.3 * near[1]
    assert abs(float(crowded[:, GEOMETRY_DIMS:].mean()) - 0.5) < 0.01


def test_a_quarter_of_the_surface_points_lies_on_hair_where_there_is_hair():
    torch.manual_seed(0)
    head = heads_from_latents(latents(1))
    head["bald"], head["hat_on"] = torch.zeros(1, 1), torch.zeros(1, 1)
    points, distance, _ = sphere_trace.surface_samples(sphere_trace.Teacher(), head, 400, 0)
    materials = torch.stack(heads_sdf.material_distances(head, *points[:, :400].unbind(-1)), -1)
    nearest = materials.argmin(-1)[distance[:, :400].abs() < 0.01]
    assert (nearest == 3).float().mean() > 0.25


def test_temples_of_glasses_are_aimed_at():
    torch.manual_seed(0)
    head = heads_from_latents(latents(1))
    head["gl"], head["long"], head["bald"] = torch.ones(1, 1), torch.zeros(1, 1), torch.ones(1, 1)
    points = sphere_trace.surface_samples(sphere_trace.Teacher(), head, 800, 0)[0][:, :800]
    on_glasses = heads_sdf.glasses_distance(head, *points.unbind(-1)).abs() < 0.006
    assert (on_glasses & (points[..., 2] < 0.1)).float().mean() > 0.03


def test_rims_of_glasses_are_aimed_at():
    torch.manual_seed(0)
    head = heads_from_latents(latents(1))
    head["gl"] = torch.ones(1, 1)
    points = sphere_trace.surface_samples(sphere_trace.Teacher(), head, 800, 0)[0][:, :800]
    on_glasses = heads_sdf.glasses_distance(head, *points.unbind(-1)).abs() < 0.006
    assert (on_glasses & (points[..., 2] > 0.1)).float().mean() > 0.1


def test_glasses_are_put_on_a_share_of_heads_and_nothing_else_is_changed():
    z = latents(2000)
    torch.manual_seed(0)
    worn = wearing(z, 0.25)
    entry, (begins, ramp) = GEOMETRY_NAMES.index("glasses"), SWITCHES["glasses"]
    others = torch.arange(Z_DIM) != entry
    assert torch.equal(worn[:, others], z[:, others])
    changed = worn[:, entry] != z[:, entry]
    assert float(changed.float().mean()) == pytest.approx(0.25, abs=0.04)
    before, after = (heads_from_latents(each)["gl"][:, 0] > 0.9 for each in (z, worn))
    assert bool(after[changed].float().mean() > 0.97)
    assert float(before.float().mean()) == pytest.approx(1 - begins - ramp, abs=0.04)
    assert torch.equal(wearing(z, 0.0), z)


def test_each_layer_reads_one_block_of_w_only(student):
    ws = student.mapping(latents(1)).clone()
    disturbed = ws.clone()
    disturbed[:, list(heads_student.GEOMETRY_LAYERS), heads_student.W_GEOMETRY :] += 3
    disturbed[:, list(heads_student.APPEARANCE_LAYERS), : heads_student.W_GEOMETRY] += 3
    assert torch.equal(student.planes(ws, "none"), student.planes(disturbed, "none"))


def test_geometry_entries_of_z_reach_the_geometry_block_only(student):
    z = latents(1)
    swapped = z.clone()
    swapped[:, GEOMETRY_DIMS:] = swapped[:, GEOMETRY_DIMS:].flip(1)  # the same second moment
    a, b = student.backbone.mapping.single(z), student.backbone.mapping.single(swapped)
    block = slice(0, heads_student.W_GEOMETRY)
    torch.testing.assert_close(a[:, block], b[:, block])
    assert (a - b).abs().max() > 0.1


def test_growing_planes_agree_with_the_whole_backbone(student):
    ws = student.mapping(latents(2))
    grown, whole = heads_student.draw_planes(student, ws, 128), merge_planes(student.planes(ws, "const"))
    assert (grown - whole).abs().mean() < 0.02 * whole.abs().mean()  # bf16 inside


def test_doubling_by_products_is_stylegans_upsampling():
    from neuroview.models.layers.stylegan2 import upsample2

    image = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(heads_student.double(image), upsample2(image))


def test_training_lowers_the_loss():
    run = training(replace(TINY, mapping_end=0.1, coarse_end=1.0), steps=60)
    task = run.task
    assert isinstance(task, HeadsTask)

    def loss() -> float:
        torch.manual_seed(99)
        z = latents(2, seed=5)
        planes = heads_student.draw_planes(task.student, task.student.mapping(z), 64)
        occupancy, colour, _ = heads_losses.field_loss(
            task.student, planes, task.teacher, heads_from_latents(z), 256, 128
        )
        return float((occupancy + 4 * colour).detach())

    run.run(stop_at=7)
    before = loss()
    run.run(stop_at=40)
    assert loss() < 0.97 * before


def test_patterns_are_learned_in_every_fine_layer():
    run = training(replace(TINY, mapping_end=0.1, coarse_end=0.2), steps=30)
    run.run(stop_at=8)
    assert isinstance(run.task, HeadsTask)
    learned = {n: p for n, p in run.task.student.named_parameters() if n.endswith("noise_const")}
    assert len(learned) == 2 * len(heads_student.PATTERNED)
    assert all(pattern.any() for pattern in learned.values())


def test_a_resumed_run_goes_on_exactly(tmp_path: Path):
    unbroken = training()
    unbroken.run(stop_at=14)
    training(out=tmp_path).run(stop_at=9)
    second = training(out=tmp_path)
    second.resume()
    second.run(stop_at=14)
    whole, resumed = unbroken.task, second.task
    assert isinstance(whole, HeadsTask)
    assert isinstance(resumed, HeadsTask)
    assert whole.stage == resumed.stage == "image"
    for (name, a), b in zip(whole.ema.state_dict().items(), resumed.ema.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


def test_weights_stay_block_diagonal_while_training():
    run = training()
    run.run(stop_at=6)
    assert isinstance(run.task, HeadsTask)
    for weight, mask in heads_student.block_masks(run.task.student).items():
        assert torch.equal(weight * mask, weight)


def test_the_adversarial_stage_asks_whoever_is_plugged_in():
    class Critic:
        asked = told = 0

        def loss(self, task, head, ws, planes, moment):
            self.asked += 1
            return planes.square().mean()

        def update(self, moment):
            self.told += 1
            return {"told_apart": 0.5}

        def to(self, device):
            pass

        def state(self):
            return {"asked": self.asked}

        def load(self, state):
            self.asked = state["asked"]

    critic = Critic()
    recipe = replace(TINY, mapping_end=0.0, coarse_end=0.0, field_end=0.0, image_end=0.5)
    task = HeadsTask(recipe, compile=False, adversary=critic)
    run = Trainer(task, steps=4, preview_every=math.inf, quiet=True)
    run.run(stop_at=3)
    assert task.stage == "gan"
    assert critic.asked == critic.told == 1
    assert task.state()["adversary"] == {"asked": 1}


def test_the_export_is_what_was_trained(student, tmp_path: Path):
    export_heads.export(student.state_dict(), tmp_path, {"title": "test"})
    loaded = export_heads.load_exported(tmp_path)
    z = latents(2)
    points = torch.rand(2, 64, 3, generator=torch.Generator().manual_seed(1)) * 0.5 - 0.25
    planes = student.planes(student.mapping(z), "const")
    y, features = heads_student.query_scaled(student, merge_planes(planes), points)
    loaded_planes = loaded.planes(loaded.mapping(z), "const")
    raw, loaded_features = loaded.decoder(sample_planes(loaded_planes, points, loaded.config.rendering.box_warp))
    torch.testing.assert_close(raw, 1 + heads_student.DENSITY_GAIN * y, atol=2.0, rtol=0.02)  # fp16 weights
    torch.testing.assert_close(loaded_features, features, atol=0.01, rtol=0.0)
    feature_image = torch.rand(1, 16, 64, 64, generator=torch.Generator().manual_seed(2))
    ws = student.mapping(z[:1])
    torch.testing.assert_close(
        loaded.upsample(feature_image, ws),
        heads_student.upsample_window(student, feature_image, ws),
        atol=0.02,
        rtol=0.0,
    )


def test_the_export_describes_itself(student, tmp_path: Path):
    export_heads.export(student.state_dict(), tmp_path, {"title": "test", "licence": "MIT"})
    described = json.loads((tmp_path / "heads.json").read_text())
    config = EG3DConfig.from_dict(described["config"])
    assert described["format"] == "neuroview-1"
    assert described["family"] == "eg3d"
    assert sorted(described["geometry_layers"] + described["appearance_layers"]) == list(range(config.num_ws))
    assert config.rendering.white_back
    assert described["rendering_kwargs"]["box_warp"] == config.rendering.box_warp
    assert described["camera"]["radius"] == config.rendering.avg_camera_radius
    assert described["card"]["licence"] == "MIT"


def test_the_marcher_returns_white_where_nothing_is():
    t = torch.linspace(2.4, 3.0, 16)[None]
    image, total = heads_march.march(torch.full((1, 16), -6.0), torch.zeros(1, 16, 16), t)
    assert total.max() < 1e-3
    assert image.min() > 0.999


def test_rays_beside_a_silhouette_are_given_their_neighbour_s_depth():
    picture = torch.full((1, 16, 16), heads_march.NOTHING)
    picture[0, 8:10, 8:10] = 2.7
    spread = heads_march._about(picture, 2).view(8, 8)
    assert (spread > 0).sum() == (2 * heads_march.MARGIN + 1) ** 2
    assert spread.max() == spread[spread > 0].min() == pytest.approx(2.7)

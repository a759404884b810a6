"""The cars' teacher, their student, and a run of their training."""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from neuroview.engine.rendering.exact import render_exact
from neuroview.engine.rendering.rays import box_limits, camera_rays
from neuroview.engine.training import cars_command, cars_export, cars_losses, cars_sdf, cars_student
from neuroview.engine.training.cars_parameters import (
    GEOMETRY_DIMS,
    GEOMETRY_NAMES,
    Z_DIM,
    cars_from_latents,
    is_appearance,
    one,
)
from neuroview.engine.training.cars_task import CarsRecipe, CarsTask
from neuroview.engine.training.cars_teacher import CarTeacher, random_cameras, surface_samples
from neuroview.engine.training.live import write_model
from neuroview.engine.training.metrics.disentanglement import disentanglement
from neuroview.engine.training.metrics.views import Subject, look
from neuroview.engine.training.picture_teachers import open_teacher
from neuroview.engine.training.sphere_trace import render
from neuroview.engine.training.task import Moment, TrainingError
from neuroview.engine.training.team import Solo
from neuroview.engine.training.trainer import Trainer
from neuroview.models.formats import native

TINY = CarsRecipe(
    width=16,
    mapping_end=0.25,
    field_end=0.75,
    pictures_at=(0.75, 0.85, 0.95),
    mapping_batch=16,
    field_batch=2,
    rays=64,
    uniform=32,
    picture_batch=1,
    picture_rays=16,
    picture_uniform=16,
)
TEAM = Solo(bf16=False)


def latents(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, Z_DIM, generator=torch.Generator().manual_seed(seed))


def points(count: int, batch: int = 1) -> torch.Tensor:
    low, high = (torch.tensor(corner) for corner in cars_sdf.BOX)
    return low + (high - low) * torch.rand(batch, count, 3, generator=torch.Generator().manual_seed(3))


def training(recipe: CarsRecipe = TINY, out: Path | None = None, steps: int = 12) -> Trainer:
    return Trainer(CarsTask(recipe, compile=False), out, steps=steps, preview_every=math.inf, quiet=True)


@pytest.fixture(scope="module")
def student():
    torch.manual_seed(0)
    return cars_student.new_student(16).requires_grad_(False)


def test_another_appearance_repaints_a_car_and_keeps_its_shape():
    teacher, cameras = CarTeacher(), random_cameras(2)
    first = render(teacher, cars_from_latents(latents(2)), cameras, 24)
    other = render(teacher, cars_from_latents(latents(2), latents(2, seed=1)), cameras, 24)
    assert torch.equal(first[1], other[1])
    assert torch.equal(first[2], other[2])
    assert (first[0] - other[0]).abs().max() > 0.05


def test_every_parameter_belongs_to_geometry_or_appearance_alone():
    z = latents(4)
    for half, keeps in ((slice(0, GEOMETRY_DIMS), False), (slice(GEOMETRY_DIMS, None), True)):
        moved = z.clone()
        moved[:, half] = latents(4, seed=5)[:, half]
        before, after = cars_from_latents(z), cars_from_latents(moved)
        assert all(torch.equal(before[name], after[name]) for name in before if is_appearance(name) != keeps)


def test_parameters_are_smooth_functions_of_the_latent():
    """Along a line through latent space no parameter jumps: halving the step halves the change."""
    a, b = latents(1), latents(1, seed=1)

    def changes(steps: int) -> dict[str, torch.Tensor]:
        car = cars_from_latents(torch.lerp(a, b, torch.linspace(0, 1, steps + 1)[:, None]))
        return {name: (value[1:] - value[:-1]).abs().max() for name, value in car.items()}

    coarse, fine = changes(100), changes(400)
    assert all(fine[name] < 0.4 * coarse[name] + 1e-6 for name in coarse)


def test_every_car_stands_on_the_road_inside_its_box():
    car = cars_from_latents(latents(64))
    cube = 0.68 * torch.rand(64, 2000, 3, generator=torch.Generator().manual_seed(1)) - 0.34
    inside = cube[CarTeacher().distance(car, *cube.unbind(-1)) < 0]
    low, high = (torch.tensor(corner) for corner in cars_sdf.BOX)
    assert bool(((inside > low) & (inside < high)).all())
    foot = torch.stack([0.97 * car["W"][:, 0], torch.full((64,), 0.002 - cars_sdf.GROUND), car["zx"][:, 0]], -1)
    assert bool((CarTeacher().distance(car, *foot[:, None].unbind(-1)) < 0).all())


def test_tyres_stay_below_hood_deck_and_bed():
    """Right above each axle, a wheel's top is covered by the body."""
    car = cars_from_latents(latents(64))
    for end in (1.0, -1.0):
        x, z = car["W"] - 0.008, end * car["zx"]
        top = 2 * car["wr"] - cars_sdf.GROUND
        assert bool((cars_sdf.wheel_distance(car, x, top - 0.002, z) < 0).all())
        assert bool((cars_sdf.distance(car, x, top + 0.012, z) < 0).all())


def test_a_rack_rises_out_of_the_roof():
    z = latents(1).repeat(3, 1)
    z[:, GEOMETRY_NAMES.index("rack")] = torch.tensor([-3.0, 0.35, 3.0])
    car = cars_from_latents(z)
    heights = torch.linspace(0, 0.25, 500).expand(3, -1) - cars_sdf.GROUND
    rail = car["rail_x"].expand(-1, 500), heights, (0.5 * (car["roof_front"] + car["roof_back"])).expand(-1, 500)
    highest = torch.where(cars_sdf.distance(car, *rail) < 0, heights, -1.0).amax(1)
    assert float(highest[0]) < float(highest[1]) < float(highest[2])
    assert float(highest[2] - highest[0]) > 0.006


def test_surface_samples_lie_about_the_surface():
    torch.manual_seed(0)
    car = cars_from_latents(latents(2))
    where, distance, rgb = surface_samples(CarTeacher(), car, 80, 30)
    assert where.shape == (2, 190, 3)
    assert rgb.shape == (2, 160, 3)
    assert float(distance[:, :80].abs().median()) < 0.006
    assert 0 <= float(rgb.min()) <= float(rgb.max()) <= 1
    torch.testing.assert_close(distance, CarTeacher().distance(car, *where.unbind(-1)))


def test_the_student_s_density_ignores_the_appearance_and_its_waves_the_other_half(student):
    codes = student.codes(latents(2))
    depth = student.layout.depth
    repainted, reshaped = latents(2), latents(2)
    repainted[:, GEOMETRY_DIMS:] += 1
    reshaped[:, :GEOMETRY_DIMS] += 1
    assert torch.equal(student.codes(repainted)[:, :depth], codes[:, :depth])
    assert not torch.equal(student.codes(repainted)[:, depth:], codes[:, depth:])
    assert torch.equal(student.codes(reshaped)[:, depth:], codes[:, depth:])
    assert not torch.equal(student.codes(reshaped)[:, :depth], codes[:, :depth])
    assert not student.view_dependent


def test_folding_the_waves_into_the_weights_changes_nothing(student):
    z, where = latents(2), points(50, 2)
    y, hidden = cars_student.density(student, cars_student.fold(student, z), where)
    rgb = cars_student.colour(student, cars_student.fold(student, z), hidden)
    for i, codes in enumerate(student.codes(z)):
        features = student.trunk_features(where[i], codes)
        torch.testing.assert_close(y[i], student.final_layer(features)[:, 0], atol=1e-4, rtol=1e-4)
        expected = torch.sigmoid(student.colour_logits(features, torch.zeros(50, 3), codes))
        torch.testing.assert_close(rgb[i], expected, atol=1e-4, rtol=0)


def test_training_keeps_the_blocks_apart():
    run = training()
    run.run()
    masks = cars_student.block_masks(run.task.student)
    assert all(bool((weight[mask == 0] == 0).all()) for weight, mask in masks.items())


def test_updates_on_the_same_cars_lower_the_loss():
    task = CarsTask(replace(TINY, rate=2e-3), compile=False)
    z, car = latents(2), cars_from_latents(latents(2))
    task.update(Moment(0, 0.3, TEAM))  # leaves the first stage
    losses = []
    for _ in range(12):
        torch.manual_seed(0)
        folded = cars_student.fold(task.student, z)
        occupancy, shade, _ = cars_losses.field_loss(task.student, folded, task.teacher, car, 64, 32, TEAM)
        task.descent.descend(occupancy + 4 * shade, TEAM, 2e-3)
        losses.append(float((occupancy + 4 * shade).detach()))
    assert losses[-1] < losses[0]


def test_a_window_of_a_picture_shows_a_part_of_its_car():
    torch.manual_seed(0)
    car, cameras = cars_from_latents(latents(6)), random_cameras(6)
    corner = cars_losses.window_corner(car, cameras, 128)
    assert 0 <= int(corner.min()) <= int(corner.max()) <= 96
    _, coverage, _ = render(CarTeacher(), car, cameras, 128, corner, 32, 24)
    assert float(coverage.flatten(1).mean(1).min()) > 0.03


def test_the_marcher_is_opaque_inside_and_white_outside():
    t = torch.linspace(0, 0.06, 16).expand(2, 16)
    rgb = torch.full((2, 16, 3), 0.2)
    colour, weight = cars_losses.march(torch.stack([torch.full((16,), 5.0), torch.full((16,), -5.0)]), rgb, t)
    torch.testing.assert_close(colour, torch.tensor([[0.2] * 3, [1.0] * 3]), atol=1e-3, rtol=0)
    torch.testing.assert_close(weight, torch.tensor([1.0, 0.0]), atol=1e-3, rtol=0)


def test_a_resumed_run_goes_on_exactly_as_an_unbroken_one(tmp_path):
    whole = training()
    whole.run()
    broken = training(out=tmp_path)
    broken.run(stop_at=7)
    resumed = training(out=tmp_path)
    resumed.resume()
    resumed.run()
    expected, found = whole.task.average.state_dict(), resumed.task.average.state_dict()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_a_network_that_blows_up_returns_to_its_best_state():
    task = CarsTask(replace(TINY, watch_every=2), compile=False)
    for step in range(3):
        task.update(Moment(step, 0.3, TEAM))
    good = {name: value.clone() for name, value in task._kept["student"].items()}
    with torch.no_grad():
        task.student.final_layer.weight.add_(50.0)
    rate = float(task.update(Moment(3, 0.3, TEAM))["rate"])
    assert all(torch.equal(value, good[name]) for name, value in task.student.state_dict().items())
    assert float(task.update(Moment(4, 0.3, TEAM))["rate"]) == pytest.approx(rate / 2)


def test_what_is_trained_opens_as_a_pi_gan_of_cars(tmp_path):
    task = CarsTask(TINY, compile=False)
    write_model(task.generator(), tmp_path / "cars.safetensors", {"steps": 0})
    made = native.open_generator(tmp_path / "cars.safetensors")
    assert made.first_identity == task.generator().first_identity
    assert made.card.family == "pigan"
    where = points(200)[0]
    raw, rgb = made.scene(made.codes(4)).field(where)
    expected_raw, expected_rgb = task.generator().scene(task.generator().codes(4)).field(where)
    torch.testing.assert_close(raw, expected_raw, atol=0.5, rtol=0.02)  # 150 times what training sees, in fp16
    torch.testing.assert_close(rgb, expected_rgb, atol=0.01, rtol=0)


def untrained(width: int = TINY.width):
    task = CarsTask(replace(TINY, width=width), compile=False)
    task.average.final_layer.bias.fill_(0.2)  # else a network that has learned nothing is empty
    return task.generator()


def test_a_mix_measured_keeps_silhouette_and_depth_whatever_the_weights():
    found = disentanglement(Subject(untrained()), 1)
    assert found["mix_silhouette_iou"] == 1
    assert found["mix_depth_relative"] == 0


def test_a_measured_car_is_the_exact_picture_with_white_where_no_ray_meets_its_box():
    subject = Subject(untrained(), open_teacher("cars"))
    scene, pose = subject.generator.scene(subject.codes(latents(1))), subject.pose(0.7)
    seen = look(scene, pose, 24)
    with torch.inference_mode():
        exact = render_exact(scene, pose.cam2world, pose.intrinsics, resolution=24)
        hit = box_limits(*camera_rays(pose.cam2world, pose.intrinsics, 24, 24, scene.volume), scene.field.bounds)[2]
    hit = hit.view(24, 24)
    assert 0.1 < hit.float().mean() < 0.9
    torch.testing.assert_close(seen.picture[:, hit], exact.features[:3, hit].clamp(0, 1), atol=1e-5, rtol=0)
    assert (seen.picture[:, ~hit] == 1).all()


def test_one_car_of_a_batch_is_that_car():
    car = cars_from_latents(latents(3))
    alone = cars_from_latents(latents(3)[1:2])
    assert all(torch.equal(value, alone[name]) for name, value in one(car, 1).items())


def asked(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    cars_command.add_arguments(parser)
    return parser.parse_args([*words, "--device", "cpu", "--no-compile"])


def test_an_impossible_width_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="--width 4; expected 8 to 1024 neurons"):
        cars_command.main(asked("--data", "cars", "--width", "4", "--out", str(tmp_path)))


def test_a_run_s_average_is_exported_and_no_other_run_s(tmp_path):
    run = training(out=tmp_path, steps=4)
    run.run()
    cars_export.export(tmp_path, tmp_path / "cars.safetensors", {"hardware": "a test"})
    made = native.open_generator(tmp_path / "cars.safetensors")
    assert (made.card.training["steps"], made.card.training["hardware"]) == (4, "a test")
    stored, trained = made.networks["ema"].state_dict(), run.task.average.state_dict()
    name = "mapping_network.network.0.weight"
    torch.testing.assert_close(stored[name], trained[name], atol=1e-3, rtol=1e-3)
    run.task.name = "boats"
    run.save()
    with pytest.raises(TrainingError, match="trains boats; expected a run of cars"):
        cars_export.export(tmp_path, tmp_path / "boats.safetensors", {})

"""Adversarial training of EG3D and pi-GAN from pictures: the four steps, poses, schedules, resumption."""

from __future__ import annotations

import argparse
import math
from dataclasses import replace

import pytest
import torch
from neuroview.engine.training.camera_labels import joined_label, lens_of, split_label
from neuroview.engine.training.gan_command import add_gan_options, gan_task
from neuroview.engine.training.gan_eg3d import EG3DGan
from neuroview.engine.training.gan_pigan import PiGANGan
from neuroview.engine.training.gan_poses import PosePrior, camera_of
from neuroview.engine.training.gan_recipe import eg3d_recipe, pigan_recipe
from neuroview.engine.training.gan_task import GanTask
from neuroview.engine.training.image_folder import DataError, ImageFolder, PictureWriter
from neuroview.engine.training.sphere_trace import look_at_origin
from neuroview.engine.training.task import Moment, TrainingError
from neuroview.engine.training.team import Solo
from neuroview.models.catalog import open_generator
from neuroview.models.formats import native
from torch import nn

SIDE = 32


def labels(count: int = 6) -> torch.Tensor:
    yaw = torch.linspace(-0.6, 0.6, count)
    return joined_label(look_at_origin(yaw, 0.1 + 0.2 * yaw), lens_of(4.2647))


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> ImageFolder:
    path = tmp_path_factory.mktemp("gan") / "dots.zip"
    with PictureWriter(path) as writer:
        for index, label in enumerate(labels()):
            picture = torch.ones(3, SIDE, SIDE)
            picture[index % 3, 8:24, 8:24] = 0.2
            writer.add(picture, label)
    return ImageFolder(path)


def eg3d(data: ImageFolder, **changes) -> GanTask:
    camera = camera_of(data.labels)
    recipe = eg3d_recipe("tiny", SIDE, camera, white=True)
    config = recipe.config
    small = replace(
        config,
        plane_resolution=16,
        channel_base=64,
        channel_max=8,
        plane_channels=4,
        sr_channels=(4, 4),
        z_dim=8,
        w_dim=8,
    )
    small = small.with_rendering(depth_resolution=6, depth_resolution_importance=4)
    given = {"config": small, "batch": 2, "discriminator_base": 128, "discriminator_max": 8, "blur": 1.0}
    recipe = replace(recipe, **{**given, **changes})
    torch.manual_seed(0)
    return GanTask(recipe, data, EG3DGan(recipe, camera))


def pigan(data: ImageFolder) -> GanTask:
    camera = camera_of(data.labels)
    recipe = pigan_recipe("tiny", SIDE, camera, white=True)
    layout = replace(recipe.layout, width=8, depth=2, z_dim=4, mapping_width=8)
    recipe = replace(recipe, layout=layout, batch=2, samples=4, discriminator_base=64, discriminator_max=8)
    torch.manual_seed(0)
    return GanTask(recipe, data, PiGANGan(recipe, camera))


def stepped(task: GanTask, steps: int, first: int = 0, progress: float = 0.02) -> list[dict]:
    logs = []
    for step in range(first, first + steps):
        torch.manual_seed(step)
        logs.append(dict(task.update(Moment(step, progress, Solo("cpu", False)))))
    return logs


@pytest.mark.parametrize("make", [eg3d, pigan])
def test_a_step_moves_generator_discriminator_and_average(data, make):
    task = make(data)
    family = task.family
    networks = (family.network, family.average, family.discriminator)
    before = [nn.utils.parameters_to_vector(network.parameters()).clone() for network in networks]
    logs = stepped(task, 2)
    after = [nn.utils.parameters_to_vector(network.parameters()) for network in networks]
    assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert all(math.isfinite(float(value)) for log in logs for value in log.values())
    assert task.seen == 4


@pytest.mark.parametrize("make", [eg3d, pigan])
def test_the_discriminators_loss_falls_in_a_few_steps(data, make):
    task = make(data)
    logs = stepped(task, 14)
    first, last = (sum(float(log["discriminator"]) for log in part) / 4 for part in (logs[:4], logs[-4:]))
    assert last < first


@pytest.mark.parametrize("make", [eg3d, pigan])
def test_a_resumed_task_goes_on_exactly(data, make):
    whole, broken = make(data), make(data)
    stepped(whole, 4)
    stepped(broken, 2)
    resumed = make(data)
    resumed.load(broken.state())
    stepped(resumed, 2, first=2)
    for (name, a), (_, b) in zip(
        whole.family.average.state_dict().items(), resumed.family.average.state_dict().items(), strict=True
    ):
        assert torch.equal(a, b), name


@pytest.mark.parametrize("make", [eg3d, pigan])
def test_what_was_trained_is_written_and_opened_again(data, make, tmp_path):
    task = make(data)
    stepped(task, 1)
    made = task.generator()
    native.convert(made, tmp_path / "m.safetensors")
    opened = open_generator(str(tmp_path / "m.safetensors"))
    assert torch.equal(opened.codes(3), made.codes(3))
    assert opened.camera.fov == pytest.approx(made.camera.fov)
    assert opened.scene(opened.codes(3)).volume == made.scene(made.codes(3)).volume


def test_gradients_come_from_scores_through_the_renderer_to_the_mapping_network(data):
    task = eg3d(data)
    moment = Moment(1, 0.3, Solo("cpu", False))
    family = task.family
    codes = family.scenes(torch.randn(2, 8), data.labels[:2], moment)
    fake, _ = family.pictures(codes, data.labels[:2], moment)
    task.adversary.loss(fake[:, 3:].repeat(1, 2, 1, 1), data.labels[:2], moment.team).backward()  # the raw half alone
    assert float(family.network.backbone.mapping.fc0.weight.grad.abs().max()) > 0


def test_the_raw_rendering_grows_over_the_run(data):
    family = eg3d(data, neural_start=8, neural_from=0.4, neural_until=0.6).family
    assert [family.raw_side(p) for p in (0.0, 0.4, 0.5, 0.6, 1.0)] == [8, 8, 12, 16, 16]


def test_the_blur_ends(data):
    family = eg3d(data, blur=4.0, blur_until=0.1).family
    assert [round(family.blur(p), 3) for p in (0.0, 0.05, 0.1, 0.9)] == [4.0, 2.0, 0.0, 0.0]


def test_the_generator_is_told_other_cameras_first_and_then_half_of_the_time(data):
    family = eg3d(data, swap=0.0, swap_fade=0.5).family
    poses = data.labels
    assert torch.equal(family._told(poses, 0.0), poses.roll(1, 0))
    assert torch.equal(family._told(poses, 0.6), poses)
    torch.manual_seed(0)
    told = eg3d(data, swap=0.5, swap_fade=0.1).family._told(poses.repeat(100, 1), 0.5)
    kept = (told == poses.repeat(100, 1)).all(1).float().mean()
    assert 0.4 < float(kept) < 0.6


def test_style_mixing_changes_later_layers_only(data):
    family = eg3d(data, style_mixing=1.0).family
    moment = Moment(0, 0.3, Solo("cpu", False))
    torch.manual_seed(0)
    ws = family.scenes(torch.randn(16, 8), data.labels[:1].expand(16, -1), moment)
    same = (ws == ws[:, :1]).all(-1)  # [N, layers]: as the first layer
    assert bool(same[:, 0].all())
    assert bool((~same[:, -1]).all())
    assert bool((same[:, :-1] >= same[:, 1:]).all())  # once another's, always another's


def test_the_density_is_smoothed_every_so_many_steps(data):
    logs = stepped(eg3d(data, density_every=2), 4)
    assert ["density" in log for log in logs] == [True, False, True, False]


def test_pi_gan_sees_the_datas_cameras_at_distance_one(data):
    family = pigan(data).family
    cam2world, _ = split_label(family.placed(data.labels))
    torch.testing.assert_close(cam2world[:, :3, 3].norm(dim=1), torch.ones(len(data)), atol=1e-4, rtol=0)


def test_pi_gans_pictures_grow_and_fade_in(data):
    family = pigan(data).family
    family.recipe = replace(family.recipe, sides=(16, 32), ends=(0.5,), fade=0.1)
    shown = [(side, round(faded, 6)) for side, faded in map(family.side, (0.0, 0.49, 0.5, 0.55, 0.7))]
    assert shown == [(16, 1.0), (16, 1.0), (32, 0.0), (32, 0.5), (32, 1.0)]


def test_the_camera_of_a_set_looks_where_all_of_them_look():
    camera = camera_of(labels())
    assert camera.radius == pytest.approx(2.7, abs=1e-3)
    assert max(map(abs, camera.pivot)) < 1e-3
    assert camera.fov == pytest.approx(2 * math.atan(0.5 / 4.2647), abs=1e-5)
    assert camera.yaw_range[1] < 1.0


def test_cameras_that_look_elsewhere_are_refused():
    away = labels()
    away[:, [3, 7, 11]] += torch.tensor([4.0, 0.0, 0.0])
    with pytest.raises(DataError, match=r"look at \(4, "):
        camera_of(away)


def test_a_prior_draws_cameras_that_look_at_the_origin():
    torch.manual_seed(0)
    for spread in ("gaussian", "uniform", "sphere"):
        cam2world, _ = split_label(PosePrior(radius=2.0, spread=spread).draw(64))
        torch.testing.assert_close(cam2world[:, :3, 3], -2 * cam2world[:, :3, 2], atol=1e-5, rtol=0)


def options(data: ImageFolder, *more: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_gan_options(parser)
    return parser.parse_args(list(more), argparse.Namespace(data=str(data.path), seed=0))


def test_a_command_line_makes_a_task(data):
    task = gan_task(options(data, "--batch", "3", "--r1", "0.7", "--mirror"), "eg3d")
    assert task.recipe.batch == 3
    assert task.recipe.adversary.r1 == 0.7
    assert task.recipe.config.rendering.white_back
    assert len(task.data) == 12


def test_pictures_without_cameras_need_a_prior(tmp_path, data):
    import zipfile

    bare = tmp_path / "bare.zip"
    with zipfile.ZipFile(data.path) as full, zipfile.ZipFile(bare, "w") as file:
        for name in full.namelist():
            if name != "dataset.json":
                file.writestr(name, full.read(name))
    with pytest.raises(TrainingError, match="has no cameras"):
        gan_task(options(ImageFolder(bare)), "eg3d")
    task = gan_task(options(ImageFolder(bare), "--prior", "gaussian:20,10"), "eg3d")
    assert not task.recipe.told_pose
    assert float(stepped(task, 1)[0]["generator"]) > 0

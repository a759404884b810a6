"""`neuroview evaluate eg3d|nerf`: a small model is measured from the command line to the files that are written."""

from __future__ import annotations

import argparse
import json

import pytest
import torch
from neuroview.engine.training.gan_recipe import eg3d_recipe
from neuroview.engine.training.metrics import command
from neuroview.engine.training.metrics.consistency import consistency
from neuroview.engine.training.metrics.disentanglement import disentanglement
from neuroview.engine.training.metrics.distribution import data_distance, teacher_distance
from neuroview.engine.training.metrics.regressor import load_reference
from neuroview.engine.training.metrics.scene_views import held_out_views
from neuroview.engine.training.metrics.smoothness import smoothness
from neuroview.engine.training.metrics.views import Subject
from neuroview.engine.training.nerf_views import Cube, NerfData, Views
from neuroview.engine.training.picture_teachers import HeadsTeacher
from neuroview.models.base import CameraDefaults, Scene, VolumeSettings
from neuroview.models.eg3d import TriPlaneGenerator
from neuroview.models.eg3d_generator import EG3DGenerator
from neuroview.models.errors import NeuroviewError
from neuroview.models.formats import native
from spheres import SphereField


def tiny() -> TriPlaneGenerator:
    from dataclasses import replace

    config = eg3d_recipe("tiny", 32, CameraDefaults(radius=2.7, fov=0.2334), white=True).config
    small = replace(config, plane_resolution=16, channel_base=64, channel_max=8, plane_channels=4, sr_channels=(4, 4))
    torch.manual_seed(0)
    network = TriPlaneGenerator(small).eval().requires_grad_(False)
    network.decoder.net[2].bias[0] = 4.0  # dense enough to have a silhouette
    return network


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    native.save(path, tiny(), name="tiny")
    return str(path)


def evaluated(*line: str, what: str = "eg3d") -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.main(parser.parse_args(line, argparse.Namespace(what=what)))


def test_a_student_is_measured_beside_its_teacher_and_written(model, tmp_path, capsys, monkeypatch):
    from neuroview.engine.training.metrics import sheets

    monkeypatch.setattr(sheets, "held_out_sheet", lambda subject: torch.rand(3, 8, 8))
    monkeypatch.setattr(sheets, "interpolation_strip", lambda subject: torch.rand(3, 8, 8))
    monkeypatch.setattr(sheets, "mix_matrix", lambda subject: torch.rand(3, 8, 8))
    line = (model, "--teacher", "heads", "--count", "1", "--only", "fidelity", "--no-compile", "--out", str(tmp_path))
    assert evaluated(*line) == 0
    told = json.loads((tmp_path / "metrics.json").read_text())
    assert {"psnr", "raw_ssim", "iou", "seconds"} <= told["metrics"].keys()
    assert {path.name for path in tmp_path.glob("*.png")} == {"held_out.png", "interpolation.png", "mix.png"}
    assert "PSNR, final picture" in capsys.readouterr().out


def test_a_model_of_another_family_is_refused(model):
    with pytest.raises(NeuroviewError, match="use `neuroview evaluate eg3d`"):
        evaluated(model, what="pigan")


def test_a_model_that_another_teacher_taught_is_refused(model):
    with pytest.raises(NeuroviewError, match="was not taught by them"):
        evaluated(model, "--teacher", "cars", "--no-compile")


def test_a_frechet_distance_without_teacher_or_inception_is_refused(model):
    with pytest.raises(NeuroviewError, match="--inception"):
        evaluated(model, "--only", "frechet", "--frechet", "4")


class Spheres:
    """A generator of soft spheres with latents: the first number is the size, the second the colour."""

    num_layers, geometry_layers, appearance_layers, z_dim = 2, (0,), (1,), 2
    camera = CameraDefaults(radius=4.0, fov=0.7)

    class layout:  # noqa: N801 - stands for a network's
        z_dim = 2

    network = type("Network", (), {"layout": layout})()

    def __init__(self, entangled: bool = False) -> None:
        self.entangled = entangled

    def codes_of_latent(self, z, truncation=1.0, cutoff=None):
        return z[:, :, None].repeat(1, 1, 3)

    def scene(self, codes, *, noise="const", noise_seed=0):
        size = torch.sigmoid(codes[0, 0] + (codes[1, 0] if self.entangled else 0.0))
        volume = VolumeSettings(2.5, 5.5, 48, 48, "softplus_shifted", "midpoint", "eg3d", white_background=True)
        field = SphereField(0.5 + 0.3 * size, 0.5 + 0.4 * torch.tanh(codes[1]), [])
        return Scene(field, volume, 32, 32)


def test_a_generator_whose_layers_are_apart_keeps_its_shape_in_an_appearance_mix():
    apart, entangled = (disentanglement(Subject(Spheres(e)), 2) for e in (False, True))  # type: ignore[arg-type]
    assert apart["mix_silhouette_iou"] == 1.0
    assert apart["mix_depth_change"] == 0.0
    assert entangled["mix_silhouette_iou"] < 0.97
    assert entangled["mix_depth_relative"] > 0.01


def test_a_field_is_consistent_with_itself():
    found = consistency(Subject(Spheres()), 1)  # type: ignore[arg-type]
    assert found["reprojection_psnr"] > 28
    assert found["reprojection_share"] > 0.3


def test_a_smooth_generator_has_no_pops():
    assert smoothness(Subject(Spheres()), frames=6)["interpolation_pop"] < 2.5  # type: ignore[arg-type]


def test_pictures_of_the_teacher_are_nearer_to_it_than_those_of_an_untrained_model():
    subject = Subject(EG3DGenerator(tiny(), native_card()), HeadsTeacher())
    found = teacher_distance(subject, load_reference("heads"), 4)
    assert found["frechet_floor"] < found["frechet"]
    assert found["frechet_pictures"] == 4


def native_card():
    from neuroview.models.base import ModelCard

    return ModelCard("tiny", "eg3d", "Tiny")


def test_a_distance_to_pictures_is_measured_over_any_features(tmp_path):
    from neuroview.engine.training.image_folder import ImageFolder
    from neuroview.engine.training.teacher_pictures import write_pictures

    list(write_pictures(HeadsTeacher(), tmp_path / "a.zip", 8, 16))
    subject = Subject(EG3DGenerator(tiny(), native_card()))
    found = data_distance(subject, ImageFolder(tmp_path / "a.zip"), lambda p: p.mean((2, 3)).numpy(), 8)
    assert found["frechet"] > found["frechet_floor"] >= 0


def test_a_scene_is_measured_on_the_views_that_were_held_out():
    scene = Spheres().scene(torch.tensor([[0.2] * 3, [0.1] * 3]))

    class One:
        num_layers = 0

        def scene(self, codes, *, noise="const", noise_seed=0):
            return scene

    from neuroview.engine.training.camera_labels import lens_of
    from neuroview.engine.training.metrics.views import Pose, look
    from neuroview.engine.training.sphere_trace import look_at_origin

    cameras = look_at_origin(torch.tensor([0.0, 0.2, 0.4]), torch.tensor([0.1, 0.1, 0.1]), 4.0)
    lenses = lens_of(1.4).expand(3, 3, 3)
    photos = torch.stack([look(scene, Pose(c, k), 24).picture for c, k in zip(cameras, lenses, strict=True)])
    pixels = (photos * 255).round().byte().permute(0, 2, 3, 1)
    views = Views(("a", "b", "c"), pixels, cameras, lenses)
    data = NerfData("s", views, views, Cube((0.0, 0.0, 0.0), 1.0), "one colour")  # type: ignore[arg-type]
    found, shown = held_out_views(One(), data, 3)  # type: ignore[arg-type]
    assert found["psnr"] > 45
    assert found["views"] == 3
    assert found["reprojection_psnr"] > 25
    assert len(shown) == 3

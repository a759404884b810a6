"""The first guess: codes and camera read off a small picture, for the generator that it was trained with."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from neuroview.engine.camera import camera_matrices
from neuroview.engine.editing.camera_fit import Start, shifted, views_about
from neuroview.engine.editing.errors import EditError
from neuroview.engine.editing.first_guess import SIDE, FirstGuess, guess_of
from neuroview.engine.editing.photo import Box, Photo
from neuroview.engine.rendering.exact import render_exact
from neuroview.engine.state import Camera
from neuroview.engine.training.heads_guess import FOCAL, fitted, looked_at
from neuroview.engine.training.heads_parameters import Z_DIM, heads_from_latents
from neuroview.engine.training.sphere_trace import Teacher, look_at_origin, render
from neuroview.models.catalog import open_generator
from neuroview.models.eg3d_generator import EG3DGenerator
from spheres import SphereGenerator


def trained(count: int = 400) -> tuple[FirstGuess, torch.Tensor, torch.Tensor, torch.Tensor]:
    """A guess for discs whose colour is their code and whose place across is their yaw."""
    source = torch.Generator().manual_seed(0)
    codes = torch.rand(count, 3, generator=source)
    sides = torch.stack([torch.rand(count, generator=source) * 2 - 1, torch.zeros(count)], 1)
    x = torch.linspace(-1, 1, SIDE)
    inside = (x - 0.6 * sides[:, :1]).abs()[:, None, :] + x.abs()[:, None] < 0.4  # [N, S, S]
    drawn = torch.where(inside[:, None], codes[:, :, None, None], 1.0)
    return fitted(drawn, codes, sides, "abc", epochs=8), drawn, codes, sides[:, 0]


def test_a_guess_reads_codes_and_side_off_the_picture(tmp_path) -> None:
    guess, drawn, codes, yaw = trained()
    guess.write(tmp_path / "discs.safetensors")
    read = FirstGuess.read(tmp_path / "discs.safetensors")
    assert read.fingerprint == "abc"
    usual = SphereGenerator().camera
    errors = []
    for index in range(10):
        start = read(Photo(drawn[index], None, Box(0, 0, SIDE)), replace(usual, yaw_range=(-3.2, 3.2)), layers=4)
        assert start.codes.shape == (4, 3)
        errors.append([abs(start.camera.yaw - float(yaw[index])), float((start.codes[0] - codes[index]).abs().mean())])
    print(f"median errors of yaw and code: {torch.tensor(errors).median(0).values.tolist()}")
    assert torch.tensor(errors).median(0).values.max() < 0.25


def test_a_rolled_zoomed_and_shifted_picture_is_what_such_a_camera_sees() -> None:
    generator = SphereGenerator()
    usual = generator.camera
    straight = Camera(yaw=0.4, pitch=0.1, radius=usual.radius, fov=2 * math.atan(0.5 / FOCAL), pivot=usual.pivot)
    scene = generator.scene(generator.codes(3))

    def seen(camera: Camera) -> torch.Tensor:
        matrices = [torch.from_numpy(m).float() for m in camera_matrices(camera, usual)]
        return render_exact(scene, *matrices, resolution=SIDE).features[:3].clamp(0, 1)

    plain = seen(straight)
    moved, poses = looked_at(plain[None], torch.tensor([[0.4, 0.1]]), torch.Generator().manual_seed(3))
    _, _, _, roll, zoom, across, down = poses[0].tolist()
    fov = 2 * math.atan(0.5 / FOCAL / math.exp(zoom))
    camera = shifted(replace(straight, roll=roll, fov=fov), usual, across, down)
    inner = slice(SIDE // 4, -SIDE // 4)
    off, before = ((picture - seen(camera))[:, inner, inner].abs().mean() for picture in (moved[0], plain))
    print(f"moved picture off by {float(off):.4f}, unmoved by {float(before):.4f}")
    assert off < 0.03
    assert off < 0.5 * before


def test_a_guess_stays_within_the_familys_range() -> None:
    guess, drawn, *_ = trained(count=140)
    usual = replace(SphereGenerator().camera, yaw_range=(-0.05, 0.05), pitch_range=(0.0, 0.1))
    for index in range(5):
        camera = guess(Photo(drawn[index], None, Box(0, 0, SIDE)), usual, layers=1).camera
        assert -0.05 <= camera.yaw <= 0.05
        assert 0.0 <= camera.pitch <= 0.1


def test_a_file_that_is_no_guess_is_refused_and_passed_over(tmp_path) -> None:
    (tmp_path / "broken.safetensors").write_bytes(b"no tensors")
    with pytest.raises(EditError, match="holds no first guess"):
        FirstGuess.read(tmp_path / "broken.safetensors")
    assert guess_of(SphereGenerator(), tmp_path) is None


def test_only_the_weights_it_was_trained_with_get_a_guess(tmp_path) -> None:
    heads = open_generator("heads")
    shipped = guess_of(heads)
    assert shipped is not None, "the shipped heads have a guess for exactly these weights"
    other = FirstGuess(shipped.tensors, "of other weights")
    other.write(tmp_path / "heads.safetensors")
    assert guess_of(heads, tmp_path) is None


def test_the_shipped_guess_finds_side_and_codes_of_heads_that_nobody_has_seen() -> None:
    heads = open_generator("heads")
    assert isinstance(heads, EG3DGenerator)
    guess = guess_of(heads)
    assert guess is not None
    z = torch.randn(4, Z_DIM, generator=torch.Generator().manual_seed(99))
    yaw, pitch = torch.tensor([0.3, -0.5, 0.0, 0.8]), torch.tensor([0.1, 0.0, 0.2, -0.1])
    drawn = render(Teacher(), heads_from_latents(z), look_at_origin(yaw, pitch), SIDE)[0]
    average, offs = heads.codes(0, truncation=0.0), []
    for picture, codes, y, p in zip(drawn, heads.codes_of_latent(z), yaw, pitch, strict=True):
        start = guess(Photo(picture, None, Box(0, 0, SIDE)), heads.camera, heads.num_layers)
        offs.append([abs(start.camera.yaw - float(y)), abs(start.camera.pitch - float(p))])
        assert (start.codes - codes).square().sum() < 0.8 * (average - codes).square().sum()
    assert torch.tensor(offs).mean(0).max() < math.radians(8)


def photographed(side: int = 32, samples: float = 1.0) -> tuple[SphereGenerator, Photo, Start]:
    """A sphere seen from its right: generator, photo, and where it was taken."""
    generator = SphereGenerator()
    usual, codes = generator.camera, generator.codes(3)
    camera = Camera(yaw=0.6, pitch=0.08, radius=usual.radius, fov=usual.fov, pivot=usual.pivot)
    matrices = [torch.from_numpy(m).float() for m in camera_matrices(camera, usual)]
    seen = render_exact(generator.scene(codes), *matrices, resolution=side, samples=samples)
    photo = Photo(seen.features[:3].clamp(0, 1), None, Box(0, 0, side))
    return generator, photo, Start(camera, codes, math.nan)


def test_a_back_taken_for_a_front_is_noticed() -> None:
    generator, photo, taken = photographed()  # its left is darker than its right
    wrong = replace(taken, camera=replace(taken.camera, yaw=-0.6))
    *_, found = views_about(generator, photo, wrong)
    assert found[0] == replace(wrong, distance=found[0].distance)  # still raced: small pictures do not decide
    assert found[1].camera.yaw == pytest.approx(0.6, abs=0.3)
    assert found[1].distance < found[0].distance


def test_a_guess_is_not_given_up_for_a_view_beside_it() -> None:
    generator, photo, taken = photographed()
    *_, found = views_about(generator, photo, replace(taken, camera=replace(taken.camera, yaw=0.3)))
    assert found[0].camera.yaw == 0.3
    assert all(abs(start.camera.yaw - 0.3) > math.radians(30) for start in found[1:])


def test_sides_much_farther_from_a_photo_than_the_guess_are_not_raced() -> None:
    generator, photo, taken = photographed(side=16, samples=0.5)  # as it is compared
    *_, found = views_about(generator, photo, taken)
    assert [start.camera for start in found] == [taken.camera]

"""The first guess: codes and camera read off a tiny picture, for the generator that it was trained with."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from neuroview.engine.editing.camera_fit import Start, views_about
from neuroview.engine.editing.errors import EditError
from neuroview.engine.editing.first_guess import POSE, SIDE, FirstGuess, guess_of
from neuroview.engine.editing.photo import Box, Photo
from neuroview.engine.training.heads_guess import fitted, pictures
from neuroview.models.catalog import open_generator
from spheres import SphereGenerator


def trained(count: int = 400) -> tuple[FirstGuess, torch.Tensor, torch.Tensor, torch.Tensor]:
    """A guess for discs whose brightness is their code and whose place across is the sine of their yaw."""
    source = torch.Generator().manual_seed(0)
    codes = torch.rand(count, 1, 3, generator=source)
    yaw = torch.rand(count, generator=source) * 2 - 1
    x = torch.linspace(-1, 1, SIDE)
    inside = (x - yaw[:, None]).abs()[:, None, :] + x.abs()[:, None] < 0.6  # [N, S, S]
    drawn = inside[:, None] * codes[:, 0, :, None, None]
    rest = torch.zeros(count, POSE - 2)
    poses = torch.cat([yaw.sin()[:, None], yaw.cos()[:, None], rest + 0.01], 1)
    return fitted(drawn, codes, poses, "abc", epochs=20), drawn, codes, yaw


def test_a_guess_reads_codes_and_side_off_the_picture(tmp_path, capsys) -> None:
    guess, drawn, codes, yaw = trained()
    guess.write(tmp_path / "discs.safetensors")
    read = FirstGuess.read(tmp_path / "discs.safetensors")
    assert read.fingerprint == "abc"
    usual = SphereGenerator().camera
    errors = []
    for index in range(10):
        start = read(Photo(drawn[index], None, Box(0, 0, SIDE)), replace(usual, yaw_range=(-3.2, 3.2)), layers=4)
        assert start.codes.shape == (4, 3)
        errors.append(
            [abs(start.camera.yaw - float(yaw[index])), float((start.codes[0] - codes[index, 0]).abs().mean())]
        )
    assert torch.tensor(errors).median(0).values.max() < 0.15


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


def test_the_shipped_guess_finds_side_and_codes_of_a_generators_own_picture() -> None:
    heads = open_generator("heads")
    guess = guess_of(heads)
    assert guess is not None
    offs = []
    for drawn, codes, pose in list(pictures(heads, 2, views=2)):
        start = guess(Photo(drawn, None, Box(0, 0, SIDE)), heads.camera, heads.num_layers)
        yaw = math.atan2(float(pose[0]), float(pose[1]))
        turn = math.remainder(start.camera.yaw - yaw, 2 * math.pi)
        offs.append([abs(turn), abs(start.camera.pitch - float(pose[2]))])
        average = heads.codes(0, truncation=0.0)
        assert (start.codes - codes).square().sum() < (average - codes).square().sum()
    assert torch.tensor(offs).median(0).values.max() < 0.2


def test_a_back_taken_for_a_front_is_noticed() -> None:
    generator = SphereGenerator()  # its left is darker than its right
    usual = generator.camera
    from neuroview.engine.camera import camera_matrices
    from neuroview.engine.rendering.exact import render_exact
    from neuroview.engine.state import Camera

    taken = Camera(yaw=0.6, pitch=0.08, radius=usual.radius, fov=usual.fov, pivot=usual.pivot)
    codes = generator.codes(3)
    matrices = [torch.from_numpy(m).float() for m in camera_matrices(taken, usual)]
    drawn = render_exact(generator.scene(codes), *matrices, resolution=32).features[:3].clamp(0, 1)
    wrong = Start(replace(taken, yaw=-0.6), codes, math.nan)
    *_, found = views_about(generator, Photo(drawn, None, Box(0, 0, 32)), wrong)
    assert found[0].camera.yaw == pytest.approx(0.6, abs=0.3)

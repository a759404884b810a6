"""The exact renderer on a field whose picture is known: what may change it, and what may not."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from neuroview.engine.rendering.cancel import Cancelled
from neuroview.engine.rendering.exact import render_exact, render_image, render_rays, with_samples
from neuroview.engine.rendering.rays import camera_rays, ray_limits
from neuroview.models.base import RadianceField, Scene, VolumeSettings
from torch import Tensor

INTRINSICS = np.array([[1.2, 0, 0.5], [0, 1.2, 0.5], [0, 0, 1.0]])
POSE = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, -2.5], [0, 0, 0, 1.0]])


@dataclass
class Ball:
    """A dense ball of radius 0.5 whose colour is its position; optionally tinted by the viewing direction."""

    view_dependent: bool = False
    hardness: float | Tensor = 30.0
    features: int = 4
    bounds: tuple = ((-0.6, -0.6, -0.6), (0.6, 0.6, 0.6))
    calls: int = 0

    def __call__(self, points: Tensor, directions: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.calls += 1
        raw = self.hardness * (0.5 - points.norm(dim=-1)) * 4
        colours = torch.cat([points + 0.5, points[:, :1] * 0 + 0.25], dim=-1)
        return raw, colours if directions is None else colours + 0.1 * directions[:, :1]


def scene(**changes) -> Scene:
    volume = VolumeSettings(
        near=1.5, far=3.5, coarse=16, fine=16, activation="softplus", quadrature="midpoint", sampler="eg3d"
    )
    parts = {key: changes.pop(key) for key in ("field", "proposal", "upsampler") if key in changes}
    return Scene(
        **{"field": Ball(), "resolution": 12, "image_resolution": 12, **parts}, volume=replace(volume, **changes)
    )


LIKE_NERF = {"quadrature": "left", "sampler": "nerf", "activation": "relu", "unit_rays": False, "pixels": "corner"}


def test_the_field_of_this_test_keeps_the_contract():
    assert isinstance(Ball(), RadianceField)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"near": None, "far": None},
        {"fine": 0},
        {"white_background": True},
        {"field": Ball(view_dependent=True), **LIKE_NERF},
        {"proposal": Ball(hardness=10.0), **LIKE_NERF},
        {"opaque_end": True, "quadrature": "left"},
    ],
)
@pytest.mark.parametrize("chunk", [1, 7, 100])
def test_chunks_change_nothing(changes, chunk):
    whole = render_exact(scene(**changes), POSE, INTRINSICS, chunk=10_000)
    parts = render_exact(scene(**changes), POSE, INTRINSICS, chunk=chunk)
    torch.testing.assert_close(parts.features, whole.features, atol=2e-6, rtol=0)
    torch.testing.assert_close(parts.depth, whole.depth, atol=1e-5, rtol=0)
    torch.testing.assert_close(parts.alpha, whole.alpha, atol=2e-6, rtol=0)


@pytest.mark.parametrize("changes", [{}, LIKE_NERF, {"near": None, "far": None}])
def test_a_ball_is_seen_where_it_is(changes):
    picture = render_exact(scene(**changes, white_background=True), POSE, INTRINSICS, resolution=33, samples=4)
    # Density grows as 120 s behind the surface at 2, so the light goes on for the integral of exp(-60 s^2).
    beyond = math.sqrt(math.pi / 60) / 2
    assert picture.depth[16, 16].item() == pytest.approx(2 + beyond, abs=5e-3)
    assert picture.alpha[16, 16].item() == pytest.approx(1, abs=1e-3)
    assert picture.alpha[0, 0].item() == pytest.approx(0, abs=1e-2)
    assert picture.features[:, 0, 0].tolist() == pytest.approx([1] * 4, abs=2e-2)
    assert picture.features[:, 16, 16].tolist() == pytest.approx([0.5, 0.5, beyond, 0.25], abs=0.03)


def test_x_grows_to_the_right_and_y_downwards():
    picture = render_exact(scene(), POSE, INTRINSICS, resolution=32)
    assert picture.features[0, 16, 20] > picture.features[0, 16, 12]
    assert picture.features[1, 20, 16] > picture.features[1, 12, 16]


def test_a_picture_may_be_wider_than_high():
    picture = render_exact(scene(), POSE, INTRINSICS, resolution=(6, 10))
    assert picture.features.shape == (4, 6, 10)
    assert picture.depth.shape == picture.alpha.shape == (6, 10)


def test_where_nothing_is_met_depth_is_the_farthest_sample():
    empty = scene(field=Ball(hardness=-30.0, bounds=((-1, -1, -1), (1, 1, 1))), **LIKE_NERF)
    away = POSE.copy()
    away[2, 3] = 0.0  # in the middle of a hollow ball, whose wall starts at 0.5
    nothing = replace(empty, volume=replace(empty.volume, near=0.05, far=0.2))
    picture = render_exact(nothing, away, INTRINSICS)
    assert picture.alpha.max() == 0
    assert picture.depth.unique().tolist() == pytest.approx([0.2])


def test_the_checkpoint_runs_before_every_chunk_and_can_give_up():
    seen = []
    render_exact(scene(), POSE, INTRINSICS, chunk=50, checkpoint=lambda: seen.append(1))
    assert len(seen) == math.ceil(144 / 50)

    field = Ball()

    def give_up() -> None:
        if field.calls:
            raise Cancelled

    with pytest.raises(Cancelled):
        render_exact(scene(field=field), POSE, INTRINSICS, chunk=50, checkpoint=give_up)
    assert field.calls == 2  # one chunk, coarse and fine


def test_a_proposal_places_samples_but_adds_no_colour():
    tinted = Ball(hardness=30.0)
    field = Ball(hardness=30.0)
    alone = render_exact(scene(**LIKE_NERF), POSE, INTRINSICS)
    proposed = render_exact(scene(field=field, proposal=tinted, **LIKE_NERF), POSE, INTRINSICS)
    torch.testing.assert_close(proposed.features, alone.features, atol=1e-5, rtol=0)
    assert (tinted.calls, field.calls) == (1, 1)


def test_a_proposal_that_can_is_asked_for_density_alone():
    class DensityOnly(Ball):
        def __call__(self, points, directions=None):
            raise AssertionError("colour was asked for")

        def density(self, points):
            return Ball()(points)[0]

    quick = render_exact(scene(proposal=DensityOnly(), **LIKE_NERF), POSE, INTRINSICS)
    slow = render_exact(scene(proposal=Ball(), **LIKE_NERF), POSE, INTRINSICS)
    assert torch.equal(quick.features, slow.features)


def test_the_same_state_gives_the_same_frame():
    assert torch.equal(
        render_exact(scene(), POSE, INTRINSICS).features, render_exact(scene(), POSE, INTRINSICS).features
    )


def test_more_samples_come_nearer_to_the_truth():
    truth = render_exact(scene(), POSE, INTRINSICS, samples=16).features
    few, many = (render_exact(scene(), POSE, INTRINSICS, samples=s).features for s in (0.5, 2))
    assert (many - truth).abs().mean() < (few - truth).abs().mean()


def test_the_factor_on_samples_never_leaves_too_few_to_work():
    volume = with_samples(scene().volume, 0.01)
    assert (volume.coarse, volume.fine) == (4, 1)
    assert with_samples(scene(fine=0).volume, 2).fine == 0
    with pytest.raises(ValueError, match="more than 0"):
        with_samples(volume, 0.0)


def test_gradients_reach_the_field_and_agree_with_finite_differences():
    def brightness(hardness: Tensor) -> Tensor:
        return render_exact(scene(field=Ball(hardness=hardness), fine=0), POSE, INTRINSICS, resolution=4).features.sum()

    hardness = torch.tensor(3.0, requires_grad=True)
    (gradient,) = torch.autograd.grad(brightness(hardness), hardness)
    step = 0.05
    difference = (brightness(hardness + step) - brightness(hardness - step)).item() / (2 * step)
    assert gradient.item() == pytest.approx(difference, rel=1e-2)


def test_gradients_reach_the_camera():
    pose = torch.tensor(POSE, dtype=torch.float32, requires_grad=True)
    render_exact(scene(), pose, INTRINSICS).features[0].sum().backward()
    assert pose.grad is not None
    assert pose.grad[:3, 3].abs().sum() > 0


def test_jitter_for_training_changes_samples_and_repeats_with_its_seed():
    there = scene()
    origins, directions = camera_rays(POSE, INTRINSICS, 5, 5, there.volume)
    near, far = ray_limits(origins, directions, there.volume, there.field.bounds)

    def values(seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return render_rays(there, there.volume, origins, directions, near, far, generator=generator).features

    assert torch.equal(values(1), values(1))
    assert not torch.equal(values(1), values(2))


def test_the_final_picture_goes_through_the_upsampler_when_there_is_one():
    rendered = render_exact(scene(), POSE, INTRINSICS, resolution=4)
    assert torch.equal(render_image(scene(), rendered), rendered.features[:3])
    doubled = scene(upsampler=lambda features: features[:, :3].repeat_interleave(2, 2).repeat_interleave(2, 3))
    assert render_image(doubled, rendered).shape == (3, 8, 8)

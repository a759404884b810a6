"""Losses and discriminators of adversarial training."""

from __future__ import annotations

import copy

import pytest
import torch
from neuroview.engine.training.gan_adversary import Adversary, AdversaryRecipe
from neuroview.engine.training.gan_discriminator import Discriminator, blurred, dual, dual_of_real, spread
from neuroview.engine.training.gan_losses import density_variation, gradient_penalty
from neuroview.engine.training.gan_progressive import ProgressiveDiscriminator
from neuroview.engine.training.task import Moment
from neuroview.engine.training.team import Solo
from torch import nn


def small(label_width: int = 25, channels: int = 6) -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(16, channels=channels, label_width=label_width, channel_base=128, channel_max=16)


def moment(step: int = 0, progress: float = 0.5) -> Moment:
    return Moment(step, progress, Solo("cpu", False))


def test_the_gradient_penalty_of_a_linear_score_is_its_weights_squared():
    weight, pictures = torch.randn(3, 4, 4), torch.randn(5, 3, 4, 4, requires_grad=True)
    scores = (pictures * weight).sum((1, 2, 3))
    torch.testing.assert_close(gradient_penalty(scores, pictures), weight.square().sum())


def test_the_gradient_penalty_is_the_explicit_gradient_of_the_discriminator():
    network = small().double()
    labels, pictures = torch.randn(2, 25).double(), torch.randn(2, 6, 16, 16, dtype=torch.double, requires_grad=True)
    penalty = gradient_penalty(network(pictures, labels), pictures)
    direction, step = torch.randn_like(pictures), 1e-3
    with torch.no_grad():
        ahead, behind = (network(pictures + s * step * direction, labels).sum() for s in (1, -1))
    (gradient,) = torch.autograd.grad(network(pictures, labels).sum(), pictures)
    # The score ends in fp32, hence the tolerance of a difference quotient.
    assert float((gradient * direction).sum()) == pytest.approx(float(ahead - behind) / (2 * step), rel=2e-2, abs=1e-2)
    torch.testing.assert_close(penalty, gradient.square().sum((1, 2, 3)).mean())


def test_the_gradient_penalty_teaches_the_discriminator():
    network = small()
    pictures = torch.randn(2, 6, 16, 16, requires_grad=True)
    gradient_penalty(network(pictures, torch.randn(2, 25)), pictures).backward()
    assert network.from_picture.weight.grad is not None
    assert float(network.from_picture.weight.grad.abs().max()) > 0


def test_the_discriminator_sees_the_picture_over_the_enlarged_raw_rendering():
    picture, raw = torch.randn(2, 3, 16, 16), torch.full((2, 3, 4, 4), 0.25)
    seen = dual(picture, raw)
    assert seen.shape == (2, 6, 16, 16)
    assert torch.equal(seen[:, :3], picture)
    torch.testing.assert_close(seen[:, 3:], torch.full((2, 3, 16, 16), 0.25))


def test_a_real_picture_is_shown_over_its_own_reduced_self():
    picture = torch.randn(2, 3, 16, 16)
    seen = dual_of_real(picture, 4)
    assert torch.equal(seen[:, :3], picture)
    assert float(seen[:, 3:].var()) < 0.3 * float(picture.var())
    torch.testing.assert_close(dual_of_real(picture, 16)[:, 3:], picture)


def test_both_halves_of_the_dual_picture_count():
    network = small()
    picture, labels = torch.randn(2, 6, 16, 16, requires_grad=True), torch.randn(2, 25)
    network(picture, labels).sum().backward()
    assert picture.grad is not None
    assert float(picture.grad[:, :3].abs().mean()) > 0
    assert float(picture.grad[:, 3:].abs().mean()) > 0


def test_the_score_depends_on_the_camera_that_is_told():
    network, pictures = small(), torch.randn(2, 6, 16, 16)
    labels = torch.randn(2, 25)
    assert not torch.allclose(network(pictures, labels), network(pictures, labels.flip(0)))


def test_a_discriminator_that_is_told_cameras_asks_for_them():
    with pytest.raises(ValueError, match="told cameras"):
        small()(torch.randn(2, 6, 16, 16))


def test_pictures_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"expected \[N, \*\[6, 16, 16\]\]"):
        small()(torch.randn(2, 3, 16, 16), torch.randn(2, 25))


def test_the_spread_of_equal_pictures_is_nothing():
    x = torch.randn(1, 5, 4, 4).repeat(4, 1, 1, 1)
    assert float(spread(x).max()) < 1e-3
    assert float(spread(torch.randn(4, 5, 4, 4)).min()) > 0.3


def test_a_blur_keeps_the_mean_and_lowers_the_contrast():
    picture = torch.rand(1, 6, 32, 32)
    soft = blurred(picture, 3.0)
    assert float((soft.mean() - picture.mean()).abs()) < 0.02
    assert float(soft.var()) < 0.1 * float(picture.var())
    assert torch.equal(blurred(picture, 0.1), picture)


def test_a_constant_density_does_not_vary_and_a_steep_one_does():
    points = torch.randn(2, 50, 3)
    assert float(density_variation(lambda p: 0 * p[..., 0], points, 0.1)) == 0
    torch.manual_seed(0)
    # E |10 e| of e ~ N(0, .1^2) is 10 * .1 * sqrt(2 / pi).
    steep = density_variation(lambda p: 10 * p[..., 0], torch.randn(2, 20_000, 3), 0.1)
    assert float(steep) == pytest.approx(0.798, abs=0.02)


def test_a_growing_discriminator_fades_the_new_size_in():
    torch.manual_seed(0)
    network, pictures = ProgressiveDiscriminator(32, 128, 16), torch.randn(2, 3, 32, 32)
    whole = network(pictures)
    network.faded = 0.0
    old = network(pictures)
    network.faded = 0.5
    assert not torch.allclose(whole, old)
    assert torch.equal(old, network_of_half(network, pictures))
    assert network(pictures).shape == (2,)


def network_of_half(network: ProgressiveDiscriminator, pictures: torch.Tensor) -> torch.Tensor:
    """What it says of the pictures at half size, when that size is wholly there."""
    before, network.faded = network.faded, 1.0
    scores = network(nn.functional.avg_pool2d(pictures, 2))
    network.faded = before
    return scores


def test_a_generator_is_told_without_moving_the_discriminator():
    adversary = Adversary(small(label_width=0), AdversaryRecipe())
    fake = torch.randn(2, 6, 16, 16, requires_grad=True)
    adversary.loss(fake, None, Solo("cpu", False)).backward()
    assert fake.grad is not None
    assert all(p.grad is None for p in adversary.discriminator.parameters())
    assert all(p.requires_grad for p in adversary.discriminator.parameters())


def test_a_discriminator_learns_to_tell_bright_from_dark():
    adversary = Adversary(small(label_width=0), AdversaryRecipe(rate=5e-3, r1=0.1, r1_every=4))
    torch.manual_seed(1)
    losses = []
    for step in range(12):
        real, fake = 0.5 + 0.2 * torch.randn(4, 6, 16, 16), -0.5 + 0.2 * torch.randn(4, 6, 16, 16)
        losses.append(float(adversary.update(real, fake, None, None, moment(step))["discriminator"]))
    assert losses[-1] < 0.5 * losses[0]


def test_the_penalty_comes_every_so_many_steps():
    adversary = Adversary(small(label_width=0), AdversaryRecipe(r1_every=3))
    real, fake = torch.randn(2, 6, 16, 16), torch.randn(2, 6, 16, 16)
    penalised = ["r1" in adversary.update(real, fake, None, None, moment(step)) for step in range(6)]
    assert penalised == [True, False, False, True, False, False]


def test_an_adversary_goes_on_from_its_state():
    first, second = (Adversary(small(label_width=0), AdversaryRecipe()) for _ in range(2))
    real, fake = torch.randn(2, 6, 16, 16), torch.randn(2, 6, 16, 16)
    first.update(real, fake, None, None, moment(0))
    second.load(copy.deepcopy(first.state()))
    a, b = (one.update(real, fake, None, None, moment(1)) for one in (first, second))
    assert float(a["discriminator"]) == float(b["discriminator"])
    for p, q in zip(first.discriminator.parameters(), second.discriminator.parameters(), strict=True):
        assert torch.equal(p, q)

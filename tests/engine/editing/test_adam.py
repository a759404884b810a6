"""Adam without torch.optim: the same steps, at a pace."""

from __future__ import annotations

import torch
from neuroview.engine.editing.adam import BETAS, Adam, falling


def test_its_steps_are_those_of_torch() -> None:
    mine = torch.tensor([1.0, -2.0, 0.5], requires_grad=True)
    theirs = mine.detach().clone().requires_grad_(True)
    ours, official = Adam([(mine, 0.1)]), torch.optim.Adam([theirs], lr=0.1, betas=BETAS)
    for _ in range(20):
        for adam, x in ((ours, mine), (official, theirs)):
            x.grad = None
            (x.square().sum() + x[0] * x[1]).backward()
            adam.step()
    assert torch.allclose(mine, theirs, atol=1e-6)


def test_a_tensor_without_a_gradient_stays() -> None:
    moved, still = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    adam = Adam([(moved, 0.1), (still, 0.1)])
    moved.sum().backward()
    adam.step()
    assert torch.equal(still, torch.ones(2))
    assert (moved < 1).all()
    adam.forget()
    assert moved.grad is None


def test_the_pace_rises_shortly_and_falls_to_a_twentieth() -> None:
    paces = [falling(step, 50) for step in range(50)]
    assert paces[0] < 0.3
    assert max(paces) > 0.95
    assert abs(paces[-1] - 0.05) < 1e-6

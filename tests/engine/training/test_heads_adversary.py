"""The heads' adversarial stage: the student is judged beside the teacher's pictures of the same heads."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from neuroview.engine.training.heads_adversary import HeadsAdversary, HeadsAdversaryRecipe
from neuroview.engine.training.heads_parameters import Z_DIM, heads_from_latents
from neuroview.engine.training.heads_student import draw_planes, new_student
from neuroview.engine.training.sphere_trace import Teacher
from neuroview.engine.training.task import Moment
from neuroview.engine.training.team import Solo


@pytest.fixture(scope="module")
def judged():
    torch.manual_seed(0)
    student = new_student()
    task = SimpleNamespace(student=student, teacher=Teacher())
    adversary = HeadsAdversary(HeadsAdversaryRecipe(samples=6, channel_base=512, channel_max=16))
    moment = Moment(1, 0.9, Solo("cpu", False))
    z = torch.randn(1, Z_DIM)
    ws = student.mapping(z)
    planes = draw_planes(student, ws, 64)
    loss = adversary.loss(task, heads_from_latents(z), ws, planes, moment)  # type: ignore[arg-type]
    return student, adversary, moment, loss


def test_its_loss_reaches_planes_decoder_and_super_resolution(judged):
    student, adversary, moment, loss = judged
    loss.backward()
    moved = (student.decoder.net[2].weight, student.backbone.synthesis.b8.conv1.weight, student.superresolution.block1)
    assert float(moved[0].grad.abs().max()) > 0
    assert float(moved[1].grad.abs().max()) > 0
    assert float(moved[2].torgb.weight.grad.abs().max()) > 0
    before = adversary.adversary.discriminator.from_picture.weight.clone()
    logs = adversary.update(moment)
    assert {"discriminator", "told_apart"} <= logs.keys()
    assert not torch.equal(before, adversary.adversary.discriminator.from_picture.weight)
    assert adversary.update(moment) == {}  # each pair of pictures is learned from once

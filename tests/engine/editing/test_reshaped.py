"""What edits of the shape brought or revealed has the looks of what it is, under all codes."""

from __future__ import annotations

import pytest
import torch
from neuroview.engine.editing.grid import Grid
from neuroview.engine.editing.reshaped import codes_at, reshaped
from neuroview.engine.editing.result import EditResult, Patch
from parts_model import PartsGenerator

ON_HAT, ON_BODY = torch.tensor([[0.0, 0.6, 0.1], [0.05, 0.65, 0.0]]), torch.tensor([[0.0, -0.5, 0.3]])
ABOVE = ((-0.5, 0.3, -0.5), (0.5, 0.9, 0.5))


@pytest.fixture
def generator():
    return PartsGenerator()


@pytest.fixture
def bare(generator):
    """Codes of somebody without a hat."""
    return generator.codes(5)


@pytest.fixture
def hat(bare):
    """The patch that brings one."""
    delta = torch.zeros_like(bare)
    delta[0, 0] = 1.0
    return Patch(Grid(torch.ones(1, 4, 4, 4), ABOVE), codes=delta, shape=True)


def test_a_part_that_was_brought_has_its_own_colour_under_other_appearances(generator, bare, hat):
    other = bare.clone()
    other[1] = generator.codes(8)[1]
    raw, colours = reshaped(generator, EditResult((hat,))).scene(other).field(ON_HAT)
    wanted_raw, wanted = generator.scene(other + hat.codes).field(ON_HAT)
    assert torch.allclose(raw, wanted_raw)
    assert torch.allclose(colours, wanted)
    assert not torch.allclose(generator.scene(other).field(ON_HAT)[1], wanted, atol=0.05)


def test_what_edits_did_to_colours_is_left_out(generator, bare, hat):
    painted = Patch(hat.mask, recolour=torch.tensor([[0.0, 0.0, 0.0, 1.0]] * 3))
    both = reshaped(generator, EditResult((hat, painted))).scene(bare)
    shape = reshaped(generator, EditResult((hat,))).scene(bare)
    assert torch.equal(both.field(ON_HAT)[1], shape.field(ON_HAT)[1])


def test_a_part_is_of_the_codes_from_which_an_edit_took_it(bare, hat):
    assert torch.equal(codes_at(ON_HAT, bare, EditResult((hat,))), bare + hat.codes)
    assert torch.equal(codes_at(ON_BODY, bare, EditResult((hat,))), bare)
    assert torch.equal(codes_at(ON_HAT, bare, EditResult()), bare)


def test_everything_else_is_the_generators_own(generator, bare, hat):
    bearing = reshaped(generator, EditResult((hat,)))
    assert bearing.num_layers == generator.num_layers
    assert torch.equal(bearing.codes(5), bare)

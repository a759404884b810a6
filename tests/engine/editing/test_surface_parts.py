"""The surface of a scene, and the appearance that tells its parts apart best."""

from __future__ import annotations

import pytest
import torch
from neuroview.engine.editing.parts import Surface

CODES = torch.arange(3.0)[:, None, None].expand(3, 2, 4)
POINTS = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
BOUNDS = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def surface(colours: torch.Tensor | None) -> Surface:
    appearances = None if colours is None else (CODES, colours)
    return Surface(BOUNDS, (2, 2, 2), torch.tensor([0, 4]), POINTS, torch.eye(2), appearances)


def test_the_most_telling_appearance_is_the_one_in_which_parts_differ_most():
    brown, white = torch.full((3,), 0.3), torch.full((3,), 0.9)
    # Two nodes under three appearances: alike, apart, a little apart.
    colours = torch.stack([torch.stack([brown, white, brown]), torch.stack([brown, brown, brown + 0.1])])
    found = surface(colours)
    assert torch.equal(found.telling(CODES[0]), CODES[1])
    near = torch.tensor([[0.9, 0.1, 0.0], [0.1, 0.0, 0.0]])
    torch.testing.assert_close(found.telling_colours(near), torch.stack([brown, white]))


def test_without_appearances_the_codes_themselves_tell():
    own = torch.zeros(2, 4)
    assert surface(None).telling(own) is own
    with pytest.raises(ValueError, match="without appearances"):
        surface(None).telling_colours(POINTS)

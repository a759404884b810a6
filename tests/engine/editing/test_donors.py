"""How far a removal goes along a named direction."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from neuroview.engine.editing.donors import Found, _Answer, _removed

DELTA = torch.ones(1, 1)


def farthest(presence: Callable[[float], float], shown: Callable[[float], float]) -> Found | None:
    """What `_removed` ends with, of a part whose presence and whose place's looks follow the amount."""

    def ask(codes: torch.Tensor) -> _Answer:
        amount = float(codes)
        return _Answer(presence(amount), torch.full((4, 4), shown(amount)), torch.zeros(1))

    found = None
    for step in _removed(DELTA, torch.zeros(1, 1), ask):
        found = step
    return found


def test_a_part_is_removed_until_what_it_hid_is_back():
    found = farthest(lambda a: float(a < 0.7), lambda a: min(a, 1.1))
    assert found is not None
    assert float(found.delta) == pytest.approx(1.25), "gone at .75, still changing until 1.1"


def test_hair_that_passes_for_a_third_of_the_hat_above_it_does_not_keep_the_hat():
    found = farthest(lambda a: 1.0 if a < 0.7 else 0.3, lambda a: min(a, 0.8))
    assert found is not None
    assert float(found.delta) == pytest.approx(1.0)
    assert found.presence == pytest.approx(0.3)


def test_what_changes_with_everything_else_is_gone_at_the_directions_limit():
    found = farthest(lambda a: 1 - min(a, 1.0), lambda a: a)
    assert found is not None
    assert float(found.delta) == pytest.approx(1.0)


def test_a_direction_that_moves_the_part_and_leaves_it_there_does_not_remove_it():
    assert farthest(lambda a: 0.8, lambda a: 0.0) is None
    assert farthest(lambda a: 0.4, lambda a: a) is None

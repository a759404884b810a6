"""A saved drive of another world, or one that makes no sense, is refused in words."""

from __future__ import annotations

import pytest
from neuroview.engine.driving.saved_state import check_saved, reading_saved
from neuroview.engine.driving.simulator import EngineError

WANTED = {"engine": "town", "seed": 7}


def test_a_state_of_this_world_may_say_more_than_is_asked():
    check_saved({**WANTED, "car": [1, 2]}, dict(WANTED), "is the town of seed 7", "start the engine with that seed")


@pytest.mark.parametrize("state", [{"engine": "town", "seed": 8}, {}, [], None])
def test_another_world_is_named_beside_what_was_expected(state):
    with pytest.raises(
        EngineError, match=r"this is the town of seed 7 and expects.*'seed': 7.*but got.*with that seed"
    ):
        check_saved(state, dict(WANTED), "is the town of seed 7", "start the engine with that seed")


@pytest.mark.parametrize(
    "mistake", [KeyError("car"), ValueError("nan"), TypeError(), OverflowError(), AttributeError()]
)
def test_what_a_reader_trips_over_is_an_error_of_the_engine(mistake):
    with pytest.raises(EngineError, match="cannot be read"), reading_saved():
        raise mistake

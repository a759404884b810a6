"""The governor keeps the frame rate with the best picture that fits, and does not dither."""

from __future__ import annotations

import pytest
from neuroview.engine.governor import Governor, Plan

PIXELS = 64 * 64


def governor(**milliseconds):
    g = Governor()
    for rung, cost in milliseconds.items():
        g.observe(rung, PIXELS, cost)
    return g


@pytest.mark.parametrize(
    ("costs", "plan"),
    [
        ({"exact": 5, "occupancy": 3, "baked": 1}, Plan("exact", 1.0)),
        ({"exact": 300, "occupancy": 20, "baked": 2}, Plan("occupancy", 1.0)),
        ({"exact": 300, "occupancy": 60, "baked": 2}, Plan("baked", 1.0)),
        ({"exact": 900, "occupancy": 600, "baked": 40}, Plan("baked", 0.75)),
    ],
)
def test_the_best_rung_within_the_budget_is_chosen(costs, plan):
    assert governor(**costs).choose(["exact", "occupancy", "baked"], PIXELS, 30) == plan


def test_without_a_grid_the_picture_gets_coarser():
    plan = governor(exact=900, occupancy=120).choose(["exact", "occupancy"], PIXELS, 30)
    assert plan == Plan("occupancy", 0.375)


def test_a_first_try_is_careful():
    assert Governor().choose(["exact", "occupancy"], PIXELS, 30) == Plan("occupancy", 0.5)
    assert Governor().choose(["exact", "occupancy", "baked"], PIXELS, 30) == Plan("baked", 1.0)


def test_a_hopeless_budget_gets_the_quickest_there_is():
    assert governor(occupancy=9000).choose(["exact", "occupancy"], PIXELS, 60) == Plan("occupancy", 0.25)


def test_noise_about_the_limit_does_not_change_the_plan():
    g = governor(occupancy=20, baked=2)
    chosen = set()
    for cost in (24, 30, 33, 27, 35, 31, 26, 34):
        g.observe("occupancy", PIXELS, cost)
        chosen.add(g.choose(["occupancy", "baked"], PIXELS, 30))
    assert chosen == {Plan("occupancy", 1.0)}


def test_overhead_takes_at_most_half_of_the_budget():
    g = governor(occupancy=15)
    assert g.choose(["occupancy"], PIXELS, 30, overhead=500) == g.choose(["occupancy"], PIXELS, 60)


def test_a_slower_machine_is_noticed_within_a_few_frames():
    g = governor(occupancy=10, baked=2)
    for _ in range(4):
        g.observe("occupancy", PIXELS, 80)
    assert g.choose(["occupancy", "baked"], PIXELS, 30).rung == "baked"


def test_in_fog_the_exact_rung_is_made_coarser():
    assert governor(exact=100).choose(["exact"], PIXELS, 30) == Plan("exact", 0.5)
    assert Governor().choose(["exact"], PIXELS, 30) == Plan("exact", 0.5)

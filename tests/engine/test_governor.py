"""The governor keeps the frame rate with the best picture that fits, and does not dither."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import pairwise

import pytest
from neuroview.engine.frame import FrameRung
from neuroview.engine.governor import SCALES, Governor, Plan

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


def test_a_first_try_of_a_large_picture_casts_a_thousand_rays():
    assert Governor().choose(["exact", "occupancy"], 128 * 128, 30) == Plan("occupancy", 0.25)


def test_a_size_that_was_tried_is_known_better_than_by_its_neighbours():
    g = Governor()
    g.observe("occupancy", 64 * 64, 40)
    g.observe("occupancy", 32 * 32, 4)
    assert g.predict("occupancy", 64 * 64) == 40
    assert g.predict("occupancy", 32 * 32) == 4
    assert g.predict("occupancy", 30 * 30) == pytest.approx(4 * 900 / 1024)


def test_what_slows_one_size_slows_all():
    g = Governor()
    for _ in range(12):
        g.observe("occupancy", 64 * 64, 40)
        g.observe("occupancy", 32 * 32, 4)
    for _ in range(12):
        g.observe("occupancy", 32 * 32, 8)
    assert g.predict("occupancy", 64 * 64) == pytest.approx(80, rel=0.02)


# ---- a hand that moves on a machine whose every frame costs what `cost` says; the clock is the sum of the costs


Cost = Callable[[Plan, float], float]
"""Milliseconds of a plan's frame, at so many seconds since the hand began to move."""


def moved(cost: Cost, rungs: list[FrameRung], seconds: float, pixels: int = 128 * 128, fps: float = 30, seed: int = 0):
    """What a governor that knows nothing chooses: (seconds, plan, milliseconds) of each frame."""
    g, clock, frames, noise = Governor(), 0.0, [], random.Random(seed)
    while clock < seconds:
        plan = g.choose(rungs, pixels, fps)
        took = cost(plan, clock) * noise.uniform(0.85, 1.15)
        g.observe(plan.rung, round(math.sqrt(pixels) * plan.scale) ** 2, took)
        clock += took / 1000
        frames.append((clock, plan, took))
    return frames


def curve(rung: FrameRung, fixed: float, whole: float, power: float = 1.0) -> Cost:
    """`fixed` ms for every frame, and `whole` ms more for one of full size; `power` 1: in proportion to its rays."""
    return lambda plan, _: fixed + whole * plan.scale ** (2 * power) if plan.rung == rung else math.inf


def ladder(*costs: Cost) -> Cost:
    return lambda plan, clock: min(cost(plan, clock) for cost in costs)


MACHINES: dict[str, tuple[Cost, list[FrameRung]]] = {
    "plenty": (curve("occupancy", 0.5, 5), ["exact", "occupancy"]),
    "in proportion": (curve("occupancy", 0, 120), ["exact", "occupancy"]),
    "mostly fixed": (curve("occupancy", 15, 30), ["exact", "occupancy"]),
    "outgrows its caches": (curve("occupancy", 0, 60, 1.6), ["exact", "occupancy"]),
    "at the very edge": (curve("occupancy", 0, 33), ["exact", "occupancy"]),
    "fog, exact alone": (curve("exact", 0, 3000), ["exact"]),
    "hopeless": (curve("occupancy", 20, 4000), ["exact", "occupancy"]),
    "baked too": (ladder(curve("occupancy", 2, 200), curve("baked", 1, 6)), ["exact", "occupancy", "baked"]),
    "baked and slow": (ladder(curve("occupancy", 2, 900), curve("baked", 1, 90)), ["exact", "occupancy", "baked"]),
}


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("seed", range(12))
def test_it_settles_within_half_a_second_and_stays(machine, seed):
    cost, rungs = MACHINES[machine]
    frames = moved(cost, rungs, 6.0, seed=seed)
    plans = [plan for end, plan, took in frames if end - took / 1000 >= 0.5]
    changes = sum(a != b for a, b in pairwise(plans))
    # Noise of 15 % may take an undecided plan one step down, once; it never comes back to leave again.
    assert changes <= 1
    assert len(set(plans)) == changes + 1


@pytest.mark.parametrize("machine", [name for name in MACHINES if name not in ("hopeless", "fog, exact alone")])
def test_where_it_settles_the_rate_is_held_and_no_step_up_would_hold_it(machine):
    cost, rungs = MACHINES[machine]
    frames = moved(cost, rungs, 6.0)
    settled = [took for end, _, took in frames if end > 1.0]
    assert sum(settled) / len(settled) <= 1000 / 30 * Governor.MARGIN_KEEP
    last = frames[-1][1]
    finer = [scale for scale in SCALES if scale > last.scale]
    if finer:
        assert cost(Plan(last.rung, min(finer)), 0.0) > 1000 / 30 * Governor.MARGIN_UP * 0.85


def test_a_machine_that_is_free_again_gets_its_better_picture_back():
    plain = curve("occupancy", 0, 20)

    def busy_at_first(plan: Plan, clock: float) -> float:
        return plain(plan, clock) * (4.0 if clock < 2.0 else 1.0)

    frames = moved(busy_at_first, ["exact", "occupancy"], 4.0)
    assert {plan.scale for end, plan, _ in frames if 1.0 < end < 2.0} == {0.5}
    assert {plan.scale for end, plan, _ in frames if end > 2.5} == {1.0}


def test_a_first_frame_that_paid_for_preparations_is_soon_forgotten():
    plain = curve("occupancy", 0, 20)
    frames = moved(lambda plan, clock: plain(plan, clock) + (200 if clock == 0 else 0), ["exact", "occupancy"], 2.0)
    assert {plan.scale for end, plan, took in frames if end - took / 1000 > 0.5} == {1.0}

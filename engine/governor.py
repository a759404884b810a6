"""Chooses how much work a moving frame is worth, so that the picture keeps up with the hand."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .frame import FrameRung

SCALES = (1.0, 0.75, 0.5, 0.375, 0.25)
"""Fractions of the volume-rendered side that a moving frame may fall back to."""
QUALITY = {"exact": 2, "occupancy": 1, "baked": 0}
FIRST_RAYS = 1024
"""Rays of a first try, where a quarter of the side allows so few: of what costs 0.3 ms a ray it takes a third of a
second, and it tells what more would cost."""


@dataclass(frozen=True)
class Plan:
    """What to render: a rung, and the side of the volume-rendered image as a fraction of what was asked."""

    rung: FrameRung
    scale: float


@dataclass
class _Rate:
    """Milliseconds a ray, for one number of rays."""

    value: float
    seen: int = 1


class Governor:
    """Keeps a running estimate of each rung's cost and picks the best plan that fits the frame's budget.

    Milliseconds a ray are learned for each rung and number of rays, as exponential averages: a frame has costs that do
    not grow with its rays, and caches that it outgrows, so what one size costs says little about another once that has
    been tried. What changes all sizes alike, a camera that comes closer or another program on the same cores, moves
    the estimates of all together. So a size that has proved too slow is not tried again until the machine is quicker,
    and a better plan than the last one must fit with a margin, while the same one may overrun by a little: plans
    settle. The next finer size is tried once on a weaker promise: what costs are fixed shows only then.
    """

    MARGIN_UP = 0.75
    MARGIN_KEEP = 1.1
    MARGIN_TRY = 1.25
    TRIES = 5
    """Frames after which a size counts as settled."""
    SHARE = 0.4
    """Weight of a new measurement; of the second one twice as much, as a first frame often pays for preparations."""
    MOST_SIZES = 8
    """Sizes remembered for each rung."""

    def __init__(self) -> None:
        self._rates: dict[FrameRung, dict[int, _Rate]] = {}
        self._last: Plan | None = None

    def observe(self, rung: FrameRung, pixels: int, milliseconds: float) -> None:
        """One frame's render took this long for so many rays."""
        pixels = max(pixels, 1)
        measured = max(milliseconds, 1e-6) / pixels
        known = self._rates.setdefault(rung, {})
        if pixels not in known:
            known[pixels] = _Rate(measured)
            if len(known) > self.MOST_SIZES:
                del known[next(iter(known))]
            return
        rate = known.pop(pixels)
        share = self.SHARE if rate.seen > 1 else 2 * self.SHARE
        change = 1.0 + share * (measured / rate.value - 1.0)
        for other in known.values():
            other.value *= change
        known[pixels] = _Rate(rate.value * change, rate.seen + 1)  # last: the first is forgotten first

    def forget(self) -> None:
        """A new model: nothing known holds any more."""
        self._rates.clear()
        self._last = None

    def predict(self, rung: FrameRung, pixels: int) -> float | None:
        """Expected milliseconds for `pixels` rays, by the size nearest to it; None when the rung was never tried."""
        known = self._rates.get(rung)
        if not known:
            return None
        nearest = min(known, key=lambda size: abs(math.log(size / max(pixels, 1))))
        return known[nearest].value * pixels

    def choose(self, available: list[FrameRung], pixels: int, target_fps: float, overhead: float = 0.0) -> Plan:
        """The best plan for a moving frame.

        Args:
            available: rungs that could serve this state now.
            pixels: rays of a frame at scale 1.
            target_fps: frames a second to hold.
            overhead: milliseconds that any plan costs before a ray is cast. At most half of the budget is given up
                for it: a picture of nothing but the coarsest pixels would not be worth its speed.
        """
        budget = 1000.0 / max(target_fps, 1.0)
        budget = max(budget - overhead, 0.5 * budget)
        # Full size on a cheaper rung beats a coarser picture on a dearer one.
        plans = [Plan(rung, scale) for scale in SCALES for rung in sorted(available, key=lambda r: -QUALITY[r])]
        # The exact rung is made coarser only where nothing else casts rays.
        plans = [p for p in plans if p.rung != "exact" or p.scale == 1.0 or "occupancy" not in available]
        for plan in plans:
            cost = self.predict(plan.rung, _rays(pixels, plan))
            if cost is None:
                if plan.rung == "baked":  # never tried, and always quick
                    return self._keep(plan)
                continue
            if cost <= budget * self._limit(plan, pixels):
                return self._keep(plan)
        careful: FrameRung = "occupancy" if "occupancy" in available else "exact"
        if careful not in self._rates:
            few = [scale for scale in SCALES if scale <= 0.5 and _rays(pixels, Plan(careful, scale)) <= FIRST_RAYS]
            return self._keep(Plan(careful, max(few, default=SCALES[-1])))
        return self._keep(min(plans, key=lambda p: self.predict(p.rung, _rays(pixels, p)) or math.inf))

    def _limit(self, plan: Plan, pixels: int) -> float:
        """The part of the budget that a plan's expected cost may take."""
        last = self._last
        if plan == last:
            return self.MARGIN_KEEP
        known = self._rates.get(plan.rung, {})
        tried = _rays(pixels, plan) in known
        if last is None or tried or plan.rung != last.rung or plan.scale <= last.scale:
            return self.MARGIN_UP
        present = known.get(_rays(pixels, last))
        if present is None or present.seen > self.TRIES:  # settled: nothing is tried out any more
            return self.MARGIN_UP
        next_finer = SCALES[SCALES.index(last.scale) - 1]
        return self.MARGIN_TRY if plan.scale == next_finer else self.MARGIN_UP

    def _keep(self, plan: Plan) -> Plan:
        self._last = plan
        return plan


def _rays(pixels: int, plan: Plan) -> int:
    """Of a plan's frame, its side rounded to whole pixels and never under eight, as the pipeline's."""
    return max(8, round(math.sqrt(pixels) * plan.scale)) ** 2

"""Chooses how much work a moving frame is worth, so that the picture keeps up with the hand."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .frame import FrameRung

SCALES = (1.0, 0.75, 0.5, 0.375, 0.25)
"""Fractions of the volume-rendered side that a moving frame may fall back to."""
QUALITY = {"exact": 2, "occupancy": 1, "baked": 0}


@dataclass(frozen=True)
class Plan:
    """What to render: a rung, and the side of the volume-rendered image as a fraction of what was asked."""

    rung: FrameRung
    scale: float


class Governor:
    """Keeps a running estimate of each rung's cost and picks the best plan that fits the frame's budget.

    Model: milliseconds = overhead + rate * pixels, `rate` learned for each rung (an exponential average), the
    overhead (codes, scene, occupancy) given by the caller. To settle instead of oscillating, a better plan than the
    last one must fit with a margin, the same one may overrun by a little.
    """

    MARGIN_UP = 0.75
    MARGIN_KEEP = 1.1

    def __init__(self) -> None:
        self._rate: dict[FrameRung, float] = {}
        self._last: Plan | None = None

    def observe(self, rung: FrameRung, pixels: int, milliseconds: float) -> None:
        """One frame's render took this long for so many rays."""
        rate = milliseconds / max(pixels, 1)
        known = self._rate.get(rung)
        self._rate[rung] = rate if known is None else known + 0.4 * (rate - known)

    def forget(self) -> None:
        """A new model: nothing known holds any more."""
        self._rate.clear()
        self._last = None

    def predict(self, rung: FrameRung, pixels: int) -> float | None:
        """Expected milliseconds for `pixels` rays, None when the rung was never tried."""
        rate = self._rate.get(rung)
        return None if rate is None else rate * pixels

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
            cost = self.predict(plan.rung, round(pixels * plan.scale**2))
            if cost is None:
                if plan.rung == "baked":  # never tried, and always quick
                    return self._keep(plan)
                continue
            limit = self.MARGIN_KEEP if plan == self._last else self.MARGIN_UP
            if cost <= budget * limit:
                return self._keep(plan)
        careful: FrameRung = "occupancy" if "occupancy" in available else "exact"
        if careful not in self._rate:
            return self._keep(Plan(careful, 0.5))  # a first try
        return self._keep(min(plans, key=lambda p: self.predict(p.rung, round(pixels * p.scale**2)) or math.inf))

    def _keep(self, plan: Plan) -> Plan:
        self._last = plan
        return plan

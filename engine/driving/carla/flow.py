"""`FlowScale`: finds out what the numbers of an optical-flow camera mean, by what stands still and so is known exactly.

CARLA's documentation gives neither sign nor direction, and users have found half the picture's size where it says the
whole (issue 4795). So each axis' factor from the camera's numbers to pixels of motion is fitted to the exact motion of
everything static in the first frames that move, and the camera is trusted only where that fit holds.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Verdict = Literal["undecided", "trusted", "refused"]
FRAMES = 4
"""Fits that have to agree."""
ATTEMPTS = 24
"""Frames with motion after which it is given up."""
STRONG = 0.7
"""Pixels of motion that a frame needs, at its upper decile and on each axis, to say anything."""
TOLERANCE = 0.35, 0.06
"""Pixels, and part of the motion, by which a pixel may miss."""
INLIERS = 0.85
"""Part of the static pixels that has to hold."""
AGREEMENT = 0.05
"""Part by which two frames' factors may differ."""


class FlowScale:
    """Learns the factors, then applies them."""

    def __init__(self) -> None:
        self.verdict: Verdict = "undecided"
        self.factors: tuple[float, float] = (0.0, 0.0)
        """Pixels of motion (right, down) for 1 of the camera's x and y."""
        self._found: list[tuple[float, float]] = []
        self._tried = 0

    def learn(self, flow: NDArray[np.float32], motion: NDArray[np.float32], still: NDArray[np.bool_]) -> None:
        """Compare one frame with what is known of it.

        Args:
            flow: [H, W, 2], as the camera gives it.
            motion: [H, W, 2], exact where `still`, since the previous step.
            still: [H, W]: which pixels show something static that the previous frame can have shown.
        """
        if self.verdict != "undecided":
            return
        given, wanted = flow[still].astype(np.float64), motion[still].astype(np.float64)
        if len(given) < 64 or (np.quantile(np.abs(wanted), 0.9, axis=0) < STRONG).any():
            return
        self._tried += 1
        factors = fit(given, wanted)
        if factors is None:
            self._found.clear()
        else:
            if self._found and not np.allclose(factors, self._found[0], rtol=AGREEMENT):
                self._found.clear()
            self._found.append(factors)
        if len(self._found) >= FRAMES:
            x, y = np.mean(self._found, 0)
            self.factors, self.verdict = (float(x), float(y)), "trusted"
        elif self._tried >= ATTEMPTS:
            self.verdict = "refused"

    def motion(self, flow: NDArray[np.float32]) -> NDArray[np.float32]:
        """[H, W, 2] in pixels, as `DriveFrame.motion`; NaN where the camera gave nothing finite."""
        made = flow * np.array(self.factors, np.float32)
        made[~np.isfinite(made).all(-1)] = np.nan
        return made


def fit(given: NDArray[np.float64], wanted: NDArray[np.float64]) -> tuple[float, float] | None:
    """The two factors from `given` to `wanted`, [n, 2] each; None where no two factors hold for most of them."""
    keep = np.isfinite(given).all(1) & np.isfinite(wanted).all(1)
    given, wanted = given[keep], wanted[keep]
    allowed = TOLERANCE[0] + TOLERANCE[1] * np.abs(wanted).max(1, initial=0)
    factors = np.zeros(2)
    holds = np.ones(len(given), bool)
    for _ in range(4):
        if holds.sum() < 32:
            return None
        square = (given[holds] ** 2).sum(0)
        if (square < 1e-12).any():
            return None  # all zeros: the camera does not see what stands still
        factors = (given[holds] * wanted[holds]).sum(0) / square
        miss = np.abs(given * factors - wanted).max(1)
        # At first whatever is better than most, in the end what is good.
        holds = miss <= np.maximum(allowed, np.median(miss) * 1.5)
    good = np.abs(given * factors - wanted).max(1) <= allowed
    return (float(factors[0]), float(factors[1])) if good.mean() >= INLIERS else None

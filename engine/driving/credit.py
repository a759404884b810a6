"""When the painter lets the engine draw its next frame: late enough to be fresh, early enough not to be waited for.

The engine draws one frame ahead. Drawn as soon as the last one was taken up, it would lie about until a slow painter
comes for it; a painter of 90 ms would paint a world that is 80 ms old. So the credit is held back by what the painter
is going to need anyway, less the longest that a frame took lately from credit to arrival. A painter that is done
before a frame can have come would wait instead, and the engine for it; so it gives credit for the frame after the next
one too, as late as that one can be, and one is drawn while another is painted.
"""

from __future__ import annotations

MARGIN = 0.005
"""Seconds in hand."""
LONGEST = 0.5
"""Seconds that a credit is held back at most: a painter that was hidden for a minute comes back at once."""
MEMORY = 0.2
"""Weight of the newest measurement."""


class Credit:
    """The last frame taken up, and when to tell the engine. Times are seconds of one monotonic clock.

    Args:
        period: of the engine's steps, seconds.
    """

    def __init__(self, period: float) -> None:
        self._delivery = 0
        self._credit = 0
        self._arrived = 0
        self._due: float | None = None
        self._given: float | None = None
        self._taken: float | None = None
        self._interval = 0.0
        self._busy: float | None = None
        self._asked = False
        self._slowest = 2 * period
        self._turn = period

    def taken(self, delivery: int, now: float) -> None:
        """The painter took up frame `delivery`."""
        if self._taken is not None:
            self._interval += MEMORY * (min(now - self._taken, LONGEST) - self._interval)
        self._taken, self._delivery, self._asked = now, delivery, False
        # Of the frame after the next one, it is what this frame and the next one need.
        needed = self._interval if not self.ahead else 2 * (self._busy or 0.0)
        self._due = now + min(max(0.0, needed - self._slowest - MARGIN), LONGEST)

    def waiting(self, now: float) -> None:
        """The painter is done and asks for a frame; asking again changes nothing."""
        if self._taken is not None and not self._asked:
            self._asked = True
            busy = min(now - self._taken, LONGEST)
            self._busy = busy if self._busy is None else self._busy + MEMORY * (busy - self._busy)

    @property
    def ahead(self) -> int:
        """Frames that are given credit for before they are drawn: 1 for a painter that would wait for them, else 0."""
        return int(self._busy is not None and self._busy + MARGIN < self._turn)

    def due_in(self, now: float) -> float | None:
        """Seconds until the credit is to be given; None: there is none to give."""
        return None if self._due is None else self._due - now

    def give(self, now: float) -> int:
        """The credit goes out; returns the last frame that it is for."""
        # While a frame is still on its way the engine cannot begin another: how long that one takes says nothing.
        self._given = now if self._arrived > self._credit else None
        self._due, self._credit = None, self._delivery + self.ahead
        return self._credit

    def arrived(self, delivery: int, now: float) -> None:
        """Frame `delivery` came."""
        self._arrived = delivery
        if self._given is not None:
            turn = min(now - self._given, LONGEST)
            self._turn += MEMORY * (turn - self._turn)
            # Its worst phase against the engine's clock, slowly forgotten.
            self._slowest = max(turn, self._slowest + MEMORY * (turn - self._slowest))
        self._given = None

"""`Toolbox`: what is in the person's hand: which brush, how wide, which colour. No part of the picture's state."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from .brushes import PALETTE, BrushName

Part = Literal["colour", "geometry", "both"]


@dataclass(frozen=True)
class Tools:
    """The tools as they lie now; an immutable value that window and panel share."""

    on: bool = False
    """Whether the hand paints; else it moves the camera."""
    brush: BrushName = "colour"
    width: float = 0.05
    """Diameter of the brush; the picture's height is 1."""
    colour: tuple[float, float, float] = PALETTE[0]
    """sRGB, 0..1."""
    picking: bool = False
    """Whether the next click takes its colour from the picture."""
    donor: int = 1
    """Seed that a transfer takes from."""
    part: Part = "colour"
    """What a transfer takes: 'colour', 'geometry' or 'both'."""


class Toolbox:
    """Thread-safe holder of the newest `Tools`. Listeners are called on the thread that made the change."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = Tools()
        self._listeners: list[Callable[[], None]] = []

    @property
    def now(self) -> Tools:
        """The newest tools."""
        return self._now

    def take(self, **changes: Any) -> Tools:
        """Change some of them; equal values change nothing."""
        with self._lock:
            new = replace(self._now, **changes)
            if new == self._now:
                return new
            self._now = new
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener()
        return new

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` after every change; returns the function that ends this."""
        with self._lock:
            self._listeners.append(listener)

        def stop() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return stop

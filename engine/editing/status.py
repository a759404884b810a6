"""`EditStatus`: what the window and the panel say about a running edit; an immutable value, newest wins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EditKind = Literal["Colour", "Shape", "Transfer", "Photo"]


@dataclass(frozen=True)
class EditStatus:
    """How far an edit or an inversion is."""

    what: EditKind
    step: int = 0
    steps: int = 0
    loss: float = 0.0
    losses: tuple[float, ...] = ()
    """Of the last steps, oldest first, at most 200."""
    seconds_left: float | None = None
    live: bool = False
    """Whether a first result is on the screen."""
    text: str = ""
    """What it does just now, in a person's words: 'Fitting the camera', 'Tuning the generator'."""
    target: str = ""
    """Path of the photo that is being inverted, for the comparison; '' otherwise."""

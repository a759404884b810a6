"""What a key, a slider or a file changes in `ViewState.drive`; a state without a drive stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ...engine.state import Drive, DriveView, PhotoLook, Viewpoint, ViewState

VIEWS: tuple[DriveView, ...] = ("painted", "semantic", "photo", "split", "motion", "depth")
VIEWPOINTS: tuple[Viewpoint, ...] = ("chase", "hood", "top")
LOOKS: tuple[PhotoLook, ...] = ("photo", "drawn")
DAY = 24.0
"""Hours."""

Apply = Callable[[ViewState, int], ViewState]


def with_drive(state: ViewState, **changes: Any) -> ViewState:
    """The state with entries of its drive changed."""
    return state if state.drive is None else replace(state, drive=replace(state.drive, **changes))


def next_view(by: int = 1) -> Apply:
    """Walk through what is looked at."""
    return lambda state, _: _walked(state, "view", VIEWS, by)


def next_viewpoint(state: ViewState, _: int = 0) -> ViewState:
    """Walk through the cameras: behind the car, on its hood, from above."""
    return _walked(state, "viewpoint", VIEWPOINTS, 1)


def next_look(state: ViewState, _: int = 0) -> ViewState:
    """The engine's own picture as a photo or drawn."""
    return _walked(state, "photo_look", LOOKS, 1)


def later(hours: float) -> Apply:
    """Move the sun; midnight follows 24 o'clock."""

    def apply(state: ViewState, _: int) -> ViewState:
        return state if state.drive is None else with_drive(state, hour=round((state.drive.hour + hours) % DAY, 3))

    return apply


def split_at(state: ViewState, part: float) -> ViewState:
    """Put the divider at `part` (0 left .. 1 right) of the picture's width."""
    return with_drive(state, split=min(max(part, 0.0), 1.0))


def _walked(state: ViewState, name: str, choices: tuple[Any, ...], by: int) -> ViewState:
    drive: Drive | None = state.drive
    if drive is None:
        return state
    return with_drive(state, **{name: choices[(choices.index(getattr(drive, name)) + by) % len(choices)]})

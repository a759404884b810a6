"""What an engine makes sure of before it goes on from a saved drive."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .simulator import EngineError


def check_saved(state: object, wanted: dict[str, object], here: str, remedy: str) -> None:
    """Raises EngineError unless a saved drive is one of this very world.

    Args:
        state: what `Simulator.restore` was given.
        wanted: what it has to say of its engine.
        here: what this engine is, in words that go on with "and expects".
        remedy: what to do about it, but for a new drive.
    """
    given = {key: state.get(key) for key in wanted} if isinstance(state, dict) else state
    if given != wanted:
        raise EngineError(
            f"this {here} and expects the state of a drive through it ({wanted}), but got "
            f"{str(given)[:120]}: {remedy}, or begin a new drive."
        )


@contextmanager
def reading_saved() -> Iterator[None]:
    """Turns what the block trips over in a saved drive into an EngineError."""
    mistakes: tuple[type[Exception], ...] = (KeyError, TypeError, ValueError, OverflowError, AttributeError)
    try:
        yield
    except mistakes as error:
        raise EngineError(f"the state of this drive cannot be read ({error!r}): begin a new drive.") from error

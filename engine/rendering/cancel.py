"""How a frame that nobody waits for any more is given up between two chunks of rays."""

from __future__ import annotations

from collections.abc import Callable

Checkpoint = Callable[[], None]
"""Called between chunks of work; raises `Cancelled` when a newer state has arrived."""


class Cancelled(Exception):  # noqa: N818 - not an error: nobody did anything wrong
    """The work in hand has been overtaken by a newer state."""


def never() -> None:
    """The checkpoint of work that is always finished."""

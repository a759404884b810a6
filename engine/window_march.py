"""`WindowMarch`: what the render thread leaves to a window that marches baked scenes by itself.

The render thread offers a `BakedView`; the window tries it and says which one it takes. From then on a camera that
moves over that scene costs the render thread nothing: the finer grids are baked meanwhile, and when the hand rests the
picture is rendered here again and refined. A scene that changes in any other way is rendered here as ever.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .baked_view import BakedView, offered_view
from .broadcast import Broadcast
from .state import ViewState

if TYPE_CHECKING:
    from .pipeline import Pipeline


class WindowMarch:
    """Belongs to the render thread but for `wanted` and `taken`, which the window sets.

    Args:
        out: where views are offered, and which frame is shown.
        rest: seconds without a change after which the hand counts as still.
    """

    def __init__(self, out: Broadcast, rest: float) -> None:
        self._out, self._rest = out, rest
        self.wanted = False
        """Whether there is a window that could march."""
        self.taken: BakedView | None = None
        """The view that it marches."""
        self._left: tuple[int, float] = (-1, 0.0)  # version of the last state that was left to it, and when

    def offer(self, pipeline: Pipeline, state: ViewState, stored: ViewState, *, ready: bool = True) -> None:
        """Offer what can be marched of `state`.

        Args:
            pipeline: of the open model.
            state: the newest, as it is looked at.
            stored: the store's own. Where an edit puts another one in its place, nothing is offered: the window would
                not know it.
            ready: whether the processor can march, too, and say what the window's picture has to look like.
        """
        last = self._out.baked_view
        if last is None and not self.wanted:
            return
        view = offered_view(pipeline, state, last) if self.wanted and ready and state == stored else None
        if view is not last:
            self._out.offer(view)

    def withdraw(self) -> None:
        """What was offered is of a model that is gone."""
        if self._out.baked_view is not None:
            self._out.offer(None)

    def takes(self, version: int, state: ViewState) -> float:
        """Seconds for which the window is left to show the store's `state` alone; 0: it is to be rendered here."""
        view, shown = self.taken, self._out.frame
        if view is None or view is not self._out.baked_view or shown is None or not view.moves(state, shown):
            return 0.0
        now = time.perf_counter()
        if version != self._left[0]:
            self._left = version, now
        return max(0.0, self._rest - (now - self._left[1]))

    def since(self, version: int) -> float | None:
        """When the window first showed a state's version, by `time.perf_counter`; None: it has not."""
        return self._left[1] if version == self._left[0] else None

"""`Moving`: pictures of a camera that moves through a baked scene, which the window marches by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..models.errors import NeuroviewError

if TYPE_CHECKING:
    from ..engine.baked_view import BakedView
    from ..engine.frame import Frame
    from ..engine.store import Store
    from .canvas import Canvas


class Marching(Protocol):
    """What the render loop is to a window that marches; see `RenderLoop`."""

    @property
    def baked_view(self) -> BakedView | None: ...

    def offer_views(self, wanted: bool) -> None: ...

    def take_view(self, view: BakedView | None) -> None: ...

    def marched(self, seconds: float, detail: str) -> None: ...


class Moving:
    """Decides, with every round of the window's loop, whether the newest picture is marched here or comes as a frame.

    Args:
        canvas: draws, and has the shader.
        store: whose newest state is shown.
        loop: offers views, and is told which one is taken and what was shown.
    """

    def __init__(self, canvas: Canvas, store: Store, loop: Marching) -> None:
        self._canvas, self._store, self._loop = canvas, store, loop
        self._view: BakedView | None = None
        self._marched: tuple[int, BakedView] | None = None
        self.leads = False
        """Whether what was marched is newer than the newest frame."""
        loop.offer_views(canvas.shader.usable)

    def step(self, frame: Frame) -> bool:
        """March the newest state if the camera has moved since the newest `frame`; True: there is a new picture."""
        view = self._loop.baked_view
        if view is not self._view:
            self._view = view
            self._loop.take_view(view if self._canvas.shader.takes(view) else None)
        version, state = self._store.snapshot
        may = view is not None and frame.stamp != version and self._canvas.shader.takes(view)
        if view is None or not may or not view.moves(state, frame):
            self.leads, self._marched = False, None
            return False
        if self._marched == (version, view):
            return False
        try:
            picture = self._canvas.march(view, state)
        except NeuroviewError:  # such a camera the render thread refuses in words
            picture = None
        if picture is None:
            self.leads, self._marched = False, None
            self._loop.take_view(None)
            self._loop.offer_views(self._canvas.shader.usable)
            return False
        self.leads, self._marched = True, (version, view)
        self._loop.marched(picture.seconds, picture.detail)
        return True

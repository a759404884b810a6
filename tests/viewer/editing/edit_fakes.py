"""A desk for editing without a window: store, verbs, overlay and hand, and a loop that writes down what it is told."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from neuroview.engine.state import ViewState
from neuroview.engine.status import LoopStatus
from neuroview.engine.store import Store
from neuroview.viewer.editing.hand import EditHand
from neuroview.viewer.editing.overlay import EditOverlay
from neuroview.viewer.editing.verbs import EditActions
from neuroview.viewer.letterbox import Rect
from neuroview.viewer.theme import shipped_theme
from neuroview.viewer.verbs import Modifiers

PICTURE = Rect(100, 50, 400, 400)
NONE, ALT, CTRL = Modifiers(), Modifiers(alt=True), Modifiers(ctrl=True)
GREEN = (0.1, 0.8, 0.2)


class FakeLoop:
    """Keeps what it is asked for."""

    def __init__(self) -> None:
        self.status, self.asked, self.told = LoopStatus(activity="Ready"), [], []

    def tell(self, text: str, level: str = "info") -> None:
        self.told.append(text)

    def edit(self, what: str, **named: Any) -> None:
        self.asked.append((what, named))

    def invert(self, photo: Any, **named: Any) -> None:
        self.asked.append(("invert", photo, named))

    def frame_photo(self, photo: Any) -> Future:
        self.framing: Future = Future()
        return self.framing

    def stop_edit(self, keep: bool) -> None:
        self.asked.append("keep" if keep else "drop")


class Bench:
    """What an editing hand works with."""

    def __init__(self) -> None:
        self.store, self.loop = Store(ViewState()), FakeLoop()
        self.do = EditActions(self.store, self.loop)  # type: ignore[arg-type]
        self.overlay = EditOverlay(shipped_theme())
        self.overlay.attach(self.do)
        self.hand = EditHand(self.store, self.do, self.overlay, lambda x, y: GREEN)
        self.look()

    def look(self) -> None:
        """What the window does before it draws."""
        self.overlay.update(self.store.state, self.loop.status.edit)

    def drag(self, *points: tuple[float, float], held: Modifiers = NONE, photo: Rect | None = None) -> bool:
        """A drag with the left button; whether the hand took it."""
        self.look()
        taken = self.hand.press(*points[0], held, PICTURE, photo)
        for point in points[1:]:
            self.hand.move(*point, PICTURE, photo)
        self.hand.release()
        self.look()
        return taken

    @property
    def strokes(self):
        return self.store.state.edits.strokes

"""What a panel is to the rest of the program: a host that shows it, and the few things it talks to.

The panel lives on its own thread today (`host.ThreadedPanel`). On macOS every window has to be on the main thread, so
another host, in a process of its own, can take its place behind the same `PanelHost`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ...engine.state import OutputKind
from ...engine.status import LoopStatus
from ...engine.store import Store
from ..settings import Place

if TYPE_CHECKING:
    import numpy as np

    from ..driving.verbs import DriveActions
    from ..editing.sessions import Sessions
    from ..editing.verbs import EditActions

Stop = Callable[[], None]


class PanelHost(Protocol):
    """A window of controls that runs beside the view window; every member may be used from any thread."""

    @property
    def place(self) -> Place:
        """Where the panel stands now (or stood last)."""
        ...

    @property
    def visible(self) -> bool: ...

    def start(self) -> None:
        """Show the panel; returns at once. A failure to open is logged and reported as `failure`."""
        ...

    def move(self, place: Place) -> None: ...

    def show(self, visible: bool = True) -> None:
        """Show or hide it; hidden, it costs nothing and keeps its values."""
        ...

    def stop(self, timeout: float = 1.0) -> bool:
        """Close it and wait; True when it is gone. May be called twice, and while it is minimised."""
        ...


class PanelLoop(Protocol):
    """What the panel needs of the render loop."""

    @property
    def status(self) -> LoopStatus: ...

    def listen(self, listener: Callable[[], None]) -> Stop: ...

    def tell(self, text: str, level: str = "info") -> None:
        """Show a message to the person."""
        ...

    def thumbnail(self, seed: int, *, identity: str = "") -> Future[np.ndarray]:
        """`[96, 96, 3]` uint8 of a seed, or of the photo's identity that stands in for it."""
        ...


class PanelActions(Protocol):
    """What buttons do; the view window's keys do the same."""

    @property
    def drive(self) -> DriveActions: ...

    @property
    def edit(self) -> EditActions: ...

    @property
    def sessions(self) -> Sessions: ...

    @property
    def animating(self) -> bool: ...

    @property
    def flying(self) -> bool: ...

    def reset_camera(self) -> object: ...

    def reset_all(self) -> object: ...

    def undo(self) -> object: ...

    def redo(self) -> object: ...

    def random_seeds(self) -> object: ...

    def toggle_animation(self) -> object: ...

    def go_to_pose(self, index: int) -> object: ...

    def previous_pose(self) -> object: ...

    def next_pose(self) -> object: ...

    def toggle_flight(self) -> object: ...

    def screenshot(self, path: str | None = None) -> object: ...

    def open_path(self, path: str) -> object:
        """Open a shipped name, a checkpoint, a saved state or a screenshot."""
        ...

    def set_output(self, kind: OutputKind) -> object: ...


@dataclass(frozen=True)
class PanelContext:
    """Everything the panel may touch."""

    store: Store
    loop: PanelLoop
    actions: PanelActions
    models: Callable[[], Sequence[tuple[str, str]]]
    """(name, title) of each shipped model."""
    recent: Callable[[], Sequence[str]]
    """Paths of the models opened last, newest first."""
    translators: Callable[[], Sequence[tuple[str, str]]] = tuple
    """(name, title) of each shipped painter."""

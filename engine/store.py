"""`Store`: the one place where the current `ViewState` lives; every input hands it a new one, undo walks back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from .state import ViewState

Change = Callable[[ViewState], ViewState]


@dataclass(frozen=True)
class HistoryEntry:
    """A state that undo can return to, and what the person did to leave it."""

    label: str
    state: ViewState


@dataclass(frozen=True)
class History:
    """What was done, as a list that a person can walk along."""

    labels: tuple[str, ...] = ()
    """Of every step, oldest first; those from `position` on have been undone."""
    position: int = 0
    """How many of them are in effect, 0..len(labels)."""


class Store:
    """Thread-safe holder of the newest state with undo and redo.

    A gesture (a drag on the picture, a slider held down) is many updates and one undo step: updates that share a
    `gesture` token collapse. Listeners are called outside the lock, on the thread that made the change, and must
    return at once (set an event, post a message).
    """

    def __init__(self, state: ViewState, *, depth: int = 500) -> None:
        self._lock = threading.Lock()
        self._state = state
        self._version = 0
        self._depth = depth
        self._past: list[HistoryEntry] = []
        self._future: list[HistoryEntry] = []
        self._gestures: set[str] = set()
        self._listeners: list[Callable[[], None]] = []

    @property
    def state(self) -> ViewState:
        """The newest state."""
        with self._lock:
            return self._state

    @property
    def snapshot(self) -> tuple[int, ViewState]:
        """(version, state): the version grows by one with every change."""
        with self._lock:
            return self._version, self._state

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` after every change; returns the function that ends this."""
        with self._lock:
            self._listeners.append(listener)

        def stop() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return stop

    def update(self, change: Change, *, label: str, gesture: str | None = None, undoable: bool = True) -> ViewState:
        """Replace the state by `change(state)`; an equal state changes nothing.

        Args:
            change: a pure function, called under the lock.
            label: what the person did, as the history shows it.
            gesture: updates with the same token are one undo step until `end_gesture`. Several may be open at once:
                an animation runs on while a slider is dragged.
            undoable: False for what nobody would take back (an animation's tick, a first camera).
        """
        with self._lock:
            new = change(self._state)
            if new == self._state:
                return new
            if undoable and (gesture is None or gesture not in self._gestures):
                self._past.append(HistoryEntry(label, self._state))
                del self._past[: -self._depth]
                self._future.clear()
                if gesture is not None:
                    self._gestures.add(gesture)
            self._set(new)
        self._notify()
        return new

    def end_gesture(self) -> None:
        """The mouse button is up: the next update starts a step of its own."""
        with self._lock:
            self._gestures.clear()

    def undo(self) -> str | None:
        """Back by one step; returns its label, or None when there is nothing to undo."""
        return self._walk(self._past, self._future)

    def redo(self) -> str | None:
        """Forward by one undone step; returns its label, or None."""
        return self._walk(self._future, self._past)

    @property
    def can_undo(self) -> str | None:
        """Label of the step that `undo` would take back."""
        with self._lock:
            return self._past[-1].label if self._past else None

    @property
    def can_redo(self) -> str | None:
        """Label of the step that `redo` would bring back."""
        with self._lock:
            return self._future[-1].label if self._future else None

    @property
    def history(self) -> History:
        """Every step that can be undone or redone, and where in between the state stands."""
        with self._lock:
            labels = [entry.label for entry in self._past] + [entry.label for entry in reversed(self._future)]
            return History(tuple(labels), len(self._past))

    def go_to(self, position: int) -> bool:
        """Undo or redo until `position` steps are in effect; one change for listeners. False: it stands there already.

        Args:
            position: 0 (before the oldest step) to len(history.labels); beyond either end means that end.
        """
        with self._lock:
            position = min(max(position, 0), len(self._past) + len(self._future))
            if position == len(self._past):
                return False
            state = self._state
            while position != len(self._past):
                back = position < len(self._past)
                source, target = (self._past, self._future) if back else (self._future, self._past)
                entry = source.pop()
                target.append(HistoryEntry(entry.label, state))
                state = entry.state
            self._gestures.clear()
            self._set(state)
        self._notify()
        return True

    def _walk(self, source: list[HistoryEntry], target: list[HistoryEntry]) -> str | None:
        with self._lock:
            if not source:
                return None
            entry = source.pop()
            target.append(HistoryEntry(entry.label, self._state))
            self._gestures.clear()
            self._set(entry.state)
        self._notify()
        return entry.label

    def _set(self, state: ViewState) -> None:
        self._state = state
        self._version += 1

    def _notify(self) -> None:
        with self._lock:
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener()

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


@dataclass(frozen=True)
class Timeline:
    """Everything that undo and redo can reach, as values: what a session file carries."""

    states: tuple[ViewState, ...]
    """Oldest first; one more than there are labels."""
    labels: tuple[str, ...] = ()
    """`labels[n]` led from `states[n]` to `states[n + 1]`."""
    position: int = 0
    """Which of the states is the present one."""

    def __post_init__(self) -> None:
        if len(self.states) != len(self.labels) + 1 or not 0 <= self.position < len(self.states):
            raise ValueError(
                f"{len(self.states)} states, {len(self.labels)} labels and position {self.position} do not fit; "
                "expected a label between any two states, and one of them to be the present."
            )

    @property
    def state(self) -> ViewState:
        """The present one."""
        return self.states[self.position]

    def between(self, first: int, last: int) -> Timeline:
        """Only the states `first` to `last`, both included; the present one has to be among them."""
        return Timeline(self.states[first : last + 1], self.labels[first:last], self.position - first)

    def nearest(self, steps: int) -> Timeline:
        """At most `steps` steps, those around the present; undone ones give way first."""
        back = min(self.position, steps)
        ahead = min(len(self.labels) - self.position, steps - back)
        return self.between(self.position - back, self.position + ahead)


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

    @property
    def timeline(self) -> Timeline:
        """The same with the states."""
        with self._lock:
            future = self._future[::-1]
            states = [entry.state for entry in self._past] + [self._state] + [entry.state for entry in future]
            labels = [entry.label for entry in (*self._past, *future)]
            return Timeline(tuple(states), tuple(labels), len(self._past))

    def resume(self, timeline: Timeline, *, label: str, undoable: bool = True) -> None:
        """Go on where another run was: its steps can be undone, and before them the step that leads to them.

        Args:
            label: of that step.
            undoable: False: it is none, and what was here before is forgotten.
        """
        with self._lock:
            states, labels, position = timeline.states, timeline.labels, timeline.position
            before = HistoryEntry(label, self._state)
            if not undoable:
                self._past.clear()
            elif states[0] != self._state:
                self._past.append(before)
            self._past += [HistoryEntry(labels[n], states[n]) for n in range(position)]
            del self._past[: -self._depth]
            self._future = [HistoryEntry(labels[n - 1], states[n]) for n in range(len(labels), position, -1)]
            self._gestures.clear()
            self._set(timeline.state)
        self._notify()

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

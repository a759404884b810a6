"""`EditRunner`: an edit or an inversion in the render loop: made piece by piece between frames, seen while it grows.

The optimisers of `engine/editing` are iterators, so nothing here waits: a piece takes some tens of milliseconds, and
between any two the camera is served and the edit can be kept or dropped. What there is so far is looked at through the
state that it would become; the store learns of it once, at the end, as one step to undo.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..models.errors import NeuroviewError
from .broadcast import Broadcast
from .edit_tasks import Part, Task, What, photo_task, stroke_task
from .editing.status import EditKind, EditStatus
from .failures import explain
from .state import Camera, Stroke, StrokeKind, ViewState
from .store import Store

if TYPE_CHECKING:
    from .pipeline import Pipeline

log = logging.getLogger(__name__)

LIVE = 0.2
"""Seconds at least between two results that are shown while an edit runs."""
LIVE_SHARE = 0.4
"""Part of the time, at most, that showing them takes."""
TOLD = 0.1
"""Seconds between two reports of how far it is."""
REMEMBERED = 200
"""Losses kept for the plot."""

_USES: dict[EditKind, tuple[StrokeKind, ...]] = {
    "Colour": ("colour", "keep"),
    "Shape": ("remove", "add", "keep"),
    "Transfer": ("region", "keep"),
}
"""Strokes that become part of the result."""


@dataclass(eq=False)
class _Run:
    """An edit under way."""

    task: Task
    basis: Hashable
    strokes: frozenset[Stroke]
    work: Iterator[Any] | None
    """None: it has ended, and a person decides."""
    status: EditStatus
    newest: Any = None
    """`EditResult` or `Identity`; None: there is none yet."""
    stored: Any = None
    """The one that `name` stands for."""
    name: str = ""
    """Of the result on the screen; '': the scene as it was."""
    show_from: float = 0.0
    told: float = 0.0
    losses: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))


class EditRunner:
    """Runs one edit at a time.

    `edit`, `invert` and `stop` may be called from any thread and return at once; the rest belongs to the render thread.

    Args:
        store: of the state that is edited.
        out: where progress and messages go.
    """

    def __init__(self, store: Store, out: Broadcast) -> None:
        self._store, self._out = store, out
        self._lock = threading.Lock()
        self._orders: deque[Callable[[Pipeline], None]] = deque()
        self._run: _Run | None = None

    # ---- from any thread

    def edit(self, what: What, donor_seed: int | None = None, part: Part | None = None) -> None:
        """Make of the state's strokes what they ask for; see `RenderLoop.edit`."""
        task = stroke_task(what, donor_seed, part)
        self._order(lambda pipeline: self._begin(task, pipeline))

    def invert(
        self, photo: Path, box: tuple[float, float, float, float] | None = None, camera: Camera | None = None
    ) -> None:
        """Find who is in a photo; see `RenderLoop.invert`."""
        task = photo_task(photo, box, camera)
        self._order(lambda pipeline: self._begin(task, pipeline))

    def stop(self, keep: bool) -> None:
        """End the edit: with its newest result, or with the scene as it was."""
        self._order(self._keep if keep else lambda _: self.drop())

    @property
    def ordered(self) -> bool:
        """Whether something was asked for that `obey` has not yet done."""
        return bool(self._orders)

    # ---- the render thread

    @property
    def running(self) -> bool:
        """Whether there is an edit, if only one that waits to be kept."""
        return self._run is not None

    @property
    def working(self) -> bool:
        """Whether `advance` has something to do."""
        return self._run is not None and self._run.work is not None

    def obey(self, pipeline: Pipeline) -> None:
        """Do what was asked for."""
        while True:
            with self._lock:
                if not self._orders:
                    break
                order = self._orders.popleft()
            order(pipeline)
        if self._run is not None and _basis(self._store.state) != self._run.basis:
            self.drop(f"{self._run.task.label} was dropped: what it was made for is not shown any more.")

    def view(self, state: ViewState) -> ViewState:
        """The state with what there is so far."""
        run = self._run
        if run is None or not run.name or _basis(state) != run.basis:
            return state
        return _with(state, run.stored, run.name)

    def plain(self, state: ViewState) -> ViewState:
        """What `view` has been given."""
        run = self._run
        if run is None or not run.name:
            return state
        _, _, latents, result = run.basis  # type: ignore[misc]
        if run.name not in (state.edits.result, state.latents.identity):
            return state
        return replace(state, latents=latents, edits=replace(state.edits, result=result))

    def advance(self, pipeline: Pipeline) -> bool:
        """One piece of work; whether there is something new to look at."""
        import torch

        run = self._run
        assert run is not None
        assert run.work is not None
        try:
            # The loop's own scenes are made without gradients; an optimiser says itself where it wants none.
            with torch.inference_mode(False), torch.enable_grad():
                progress = next(run.work, None)
        except Exception as error:
            self._failed(error)
            return True
        if progress is None:  # it has nothing more to say: what it said last counts
            run.work = None
            self._keep(pipeline)
            return True
        self._note(run, progress)
        if progress.done:
            run.work = None
            if not getattr(progress, "poor", False):
                self._keep(pipeline)
                return True
            self._out.tell(progress.says, "warning")
        now = time.perf_counter()
        if run.newest is not run.stored and (now >= run.show_from or progress.done):
            return self._show(run, pipeline)
        return False

    def shown(self, seconds: float) -> None:
        """The newest result was put on the screen, which took so long."""
        run = self._run
        if run is not None:
            run.show_from = time.perf_counter() + max(LIVE, seconds * (1 - LIVE_SHARE) / LIVE_SHARE)

    def drop(self, text: str = "", level: str = "warning") -> None:
        """The scene as it was; `text` says why, where nobody has asked for it. Without an edit nothing happens."""
        if self._run is None:
            return
        self._run = None
        self._out.publish(edit=None, activity="Ready")
        if text:
            self._out.tell(text, level)

    # ---- inside

    def _order(self, order: Callable[[Pipeline], None]) -> None:
        with self._lock:
            self._orders.append(order)

    def _begin(self, task: Task, pipeline: Pipeline) -> None:
        if self._run is not None:
            self._out.tell(f"{self._run.task.label} is still running: keep or drop it first.", "warning")
            return
        state = self._store.state
        uses = _USES.get(task.kind, ())
        strokes = frozenset(s for s in state.edits.strokes if s.on and s.kind in uses)
        status = EditStatus(task.kind, text="Beginning", target=task.target)
        self._run = _Run(task, _basis(state), strokes, _work(task, pipeline, state), status)
        self._out.publish(edit=status, activity="Editing", progress=None)

    def _note(self, run: _Run, progress: Any) -> None:
        result = getattr(progress, "identity", None) if run.task.kind == "Photo" else progress.result
        if result is not None:
            run.newest = result
        if math.isfinite(progress.loss) and (not run.losses or run.losses[-1] != progress.loss):
            run.losses.append(progress.loss)
        left = progress.seconds_left
        run.status = replace(
            run.status,
            step=progress.step,
            steps=progress.steps,
            loss=run.losses[-1] if run.losses else 0.0,
            losses=tuple(run.losses),
            seconds_left=left if math.isfinite(left) else None,
            text=progress.says,
        )
        now = time.perf_counter()
        if now - run.told >= TOLD or progress.done:
            self._tell(run)

    def _tell(self, run: _Run) -> None:
        run.told = time.perf_counter()
        done = run.status.step / run.status.steps if run.status.steps else None
        self._out.publish(edit=run.status, activity="Editing", progress=done)

    def _show(self, run: _Run, pipeline: Pipeline) -> bool:
        """The newest result under a name of its own, in memory only."""
        try:
            run.name = run.newest.store(pipeline.side_files, write=False)
        except Exception as error:
            self._failed(error)
            return True
        run.stored = run.newest
        run.status = replace(run.status, live=True)
        self._tell(run)
        return True

    def _keep(self, pipeline: Pipeline) -> None:
        """The newest result becomes the state's, as one step to undo."""
        run = self._run
        if run is None:
            return
        result, task = run.newest, run.task
        if result is None and run.work is not None:
            self._out.tell(f"{task.label} has no result yet that could be kept; it goes on.")
            return
        if result is None:
            self.drop(f"{task.label} has made nothing; the scene is as before.", "info")
            return
        try:
            name = result.store(pipeline.side_files)
        except NeuroviewError as error:  # a full disk: what was made is kept until there is room, or it is dropped
            run.work = None
            run.status = replace(run.status, text="It could not be stored: keep it again, or drop it.")
            self._tell(run)
            self._out.tell(str(error), "error")
            return

        def changed(state: ViewState) -> ViewState:
            if _basis(state) != run.basis:
                return state
            strokes = tuple(s for s in state.edits.strokes if s not in run.strokes)
            state = replace(state, edits=replace(state.edits, strokes=strokes))
            camera = getattr(result, "camera", None)
            return _with(state if camera is None else replace(state, camera=camera), result, name)

        self._run = None
        self._store.update(changed, label=task.label)
        self._out.publish(edit=None, activity="Ready", progress=None)
        self._out.tell(f"{task.label}: done. Undo takes it back")

    def _failed(self, error: Exception) -> None:
        run = self._run
        assert run is not None
        if isinstance(error, NeuroviewError):
            text = str(error)
        elif isinstance(error, MemoryError):
            text = f"{run.task.label} needs more memory than there is. The scene is as before."
        else:
            log.error("%s failed.", run.task.label, exc_info=error)
            why = explain(error) if isinstance(error, RuntimeError) else f"{type(error).__name__}: {error}."
            text = f"{run.task.label} failed: {why} The scene is as before."
        self.drop(text, "error")


def _work(task: Task, pipeline: Pipeline, state: ViewState) -> Iterator[Any]:
    """The optimiser, begun with the first piece of work: reading a photo takes its time, too."""
    yield from task.begin(pipeline, state)


def _basis(state: ViewState) -> tuple[Hashable, ...]:
    """What an edit was made for: with any other of these its result would mean something else."""
    return (state.model, state.options, state.latents, state.edits.result)


def _with(state: ViewState, result: Any, name: str) -> ViewState:
    """The state whose scene is what `name` holds: an `Identity` has codes of its own, an `EditResult` patches."""
    from .editing.identity import Identity

    if isinstance(result, Identity):
        return replace(state, latents=replace(state.latents, identity=name))
    return replace(state, edits=replace(state.edits, result=name))

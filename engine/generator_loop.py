"""`GeneratorRunner`: the render thread's part of a generator: opens models, shows the newest state, refines and bakes.

Its work is cooperative: what takes long (a bake, an exact frame, a thumbnail) calls back between chunks. If only the
camera has moved meanwhile, a quick frame is rendered right there and the bake goes on; if the scene has changed the
work is given up. So nothing competes for the cores, nothing stale is shown, and a hand on the mouse never waits
longer than one chunk.
"""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..models.errors import NeuroviewError
from . import jobs
from .bake_schedule import SETTLE, SHARE, BakeSchedule
from .broadcast import Broadcast
from .direction_names import DirectionNames
from .edit_loop import EditRunner
from .editing.errors import EditError
from .failures import explain, gpu_failure
from .followed import FollowedModel
from .frame import Frame, FrameRung
from .opening import CannotOpenError, OpenModel
from .pacing import Pacing
from .rendering.cancel import Cancelled
from .state import ViewState
from .store import Store
from .warmup import WarmUp
from .window_march import WindowMarch

if TYPE_CHECKING:
    from .model import Model
    from .pipeline import Pipeline

RESULTS = 4.0
"""Results of a running edit that are enough in a second: what they lack in number they have in pixels."""


class GeneratorRunner:
    """Shows what the store's state says of its model.

    `open`, `add_job` and `stop` may be called from any thread; the rest belongs to the render thread.

    Args:
        store: of the state.
        out: where frames, status and messages go.
        wake: set by whoever has work for the render thread, cleared before each `step`.
        warm_up: says when baked grids can be marched.
    """

    def __init__(self, store: Store, out: Broadcast, wake: threading.Event, warm_up: WarmUp) -> None:
        self.store = store
        self._out, self._wake, self._warm_up = out, wake, warm_up
        self._stopping = False
        self._opened = OpenModel(store, out, wake)
        self._jobs = jobs.JobQueue()
        self.edits = EditRunner(store, out)
        """Callers of its `edit`, `invert` and `stop` set `wake`."""
        self._names: DirectionNames | None = None
        self._pacing = Pacing()
        self._seen = -1  # version of the last state that was rendered
        self._failed = -2  # version of a state that cannot be
        self._moved = time.perf_counter()
        self._live: tuple[float, float] = (0.0, 0.0)  # when the last live frame ended, seconds it took
        self._options: tuple[tuple[str, str], ...] = ()
        self._bakes = BakeSchedule()
        self.window = WindowMarch(out, SETTLE)
        """What is left to the window; callers that change it set `wake`."""

    # ---- from any thread

    def open(self, reference: str) -> None:
        """Open a model at the next step; see `RenderLoop.open`."""
        self._opened.ask(reference)

    def add_job(self, run: jobs.Run, *, patient: bool) -> Future:
        """A picture aside; see `JobQueue.add`."""
        future = self._jobs.add(run, patient=patient)
        self._wake.set()
        return future

    def stop(self) -> None:
        """Give up the work in hand at its next chunk."""
        self._stopping = True

    def close(self) -> None:
        """Nobody will call `step` again: tell those who wait for a picture."""
        self._jobs.close(NeuroviewError("neuroview was closed before this picture was finished."))
        if self._names is not None:
            self._names.close()

    @property
    def followed(self) -> FollowedModel:
        """Callers of its `rewritten` set `wake`."""
        return self._opened.followed

    # ---- the render thread

    @property
    def device(self) -> str:
        """Where models are opened."""
        return self._opened.device

    @device.setter
    def device(self, device: str) -> None:
        self._opened.device = device

    def leave(self) -> None:
        """Something else is shown from now on."""
        self.edits.drop("The edit was dropped: a drive has begun.")

    def show_again(self) -> None:
        """Something else was on the screen meanwhile."""
        self._seen = -1

    def step(self) -> None:
        """The next piece of work; sleeps when there is none."""
        try:
            if self._opened.waiting:
                self._open_model()
            elif self._model is None:
                self._wake.wait()
            elif self.store.state.model != self._model.reference:
                self.open(self.store.state.model)  # an undone step, a restored screenshot
            elif self.followed.waiting and not self.edits.running:
                self._take_newer()
            else:
                self._work()
        except Cancelled:
            pass
        except CannotOpenError as error:
            self._out.publish(activity="No model" if self._model is None else "Ready", progress=None)
            self._out.tell(str(error), "error")
        except NeuroviewError as error:
            if isinstance(error, EditError) and self.edits.running:
                self._show_unedited()
            else:
                self._failed = self._seen
            self._say_failed(str(error))
        except MemoryError:
            self._fail("Out of memory. The view was kept; choose a smaller resolution or fewer samples.")
        except RuntimeError as error:
            self._recover(error)

    def _work(self) -> None:
        """The most urgent piece of work, and only that."""
        pipeline, edits = self._model_pipeline, self.edits
        was_running = edits.running
        edits.obey(pipeline)
        if was_running and not edits.running:
            self._seen = -1  # what was on the screen of an edit that was dropped is not the state's picture
        version, state = self.store.snapshot
        if edits.working:
            self._edit(version)
            return
        state = edits.view(state)
        if version != self._seen:
            rest = self.window.takes(version, state)
            if not rest:
                self._render_live()
            if not self._bake_due(state):
                if rest and not self._serve_urgent():
                    self._wake.wait(rest)
                return  # else the bake goes on, even under a restless hand
        if self._serve_urgent():
            return
        if self._failed == self._seen:
            self._wait_ready()  # trying this state again would fail again; another one may not
            return
        now = time.perf_counter()
        if self._bake_due(state):
            quick = now - self._moved > SETTLE and self._pacing.expects_quick_exact(pipeline, state)
            if quick and self._refine(state, version):
                return
            self._bake_next(state)
        elif now - self._moved < SETTLE:
            self._wake.wait(SETTLE - (now - self._moved))
        elif self._refine(state, version) or self._serve(patient=True):
            return
        elif not self.followed.on and (self._names is None or self._names.key != (self._model, state.options)):
            assert self._model is not None
            self._names = DirectionNames(self._model, state, self._out)
        else:
            self._wait_ready()

    def _edit(self, version: int) -> None:
        """A piece of the running edit; frames of a moving camera come first, and every new result is shown."""
        ended, took = self._live
        if version != self._seen and time.perf_counter() - ended >= took * SHARE / (1 - SHARE):
            self._render_live()
        if self._serve_urgent():
            return
        if self.edits.advance(self._model_pipeline):
            begin = time.perf_counter()
            self._render_live(fps=RESULTS)
            self.edits.shown(time.perf_counter() - begin)

    @property
    def _model(self) -> Model | None:
        return self._opened.model

    @property
    def _model_pipeline(self) -> Pipeline:
        assert self._model is not None
        return self._model.pipeline

    def _wait_ready(self) -> None:
        if not self._wake.is_set():
            self._out.publish(activity="Ready", progress=None)
            self._wake.wait()

    def _render_live(self, fps: float = math.inf) -> None:
        """One frame of the newest state, as good as its time allows; `fps`: where fewer than the state's will do."""
        pipeline = self._model_pipeline
        version, stored = self.store.snapshot
        state = self.edits.view(stored)
        shown = self._out.frame
        if shown is not None and state == stored and _differ_in_strokes_alone(shown.state, state):
            self._seen = version  # strokes are drawn over the picture, which stays as good as it is
            self._out.show(replace(shown, state=state, stamp=version))
            return
        begin = time.perf_counter()
        left = self.window.since(version)
        if version != self._seen:
            self._seen, self._moved = version, begin if left is None else left
        key = pipeline.scene_key(state)
        if state.options != self._options:
            assert self._model is not None
            self._out.publish(model=self._model.describe(state))
            self._options = state.options
        new_scene = self._pacing.enters(key)
        if new_scene:
            self._bakes.scene_changed(begin)
        ready = self._warm_up.ready
        plan = self._pacing.live(pipeline, state, baked=ready, fps=fps, new_scene=new_scene, marched=left is not None)

        def checkpoint() -> None:
            # What the governor picked is quick and is finished; an exact frame asked for by name may be overtaken.
            if self._stopping or (plan.rung == "exact" and self.store.snapshot[0] != version):
                raise Cancelled

        frame = pipeline.frame(
            state, plan.rung, scale=plan.scale, checkpoint=checkpoint, live=True, stamp=version, final=False
        )
        self._pacing.account(frame, live=True)
        self._live = (time.perf_counter(), time.perf_counter() - begin)
        self._show(frame, live_seconds=self._live[1])
        self.window.offer(pipeline, state, stored, ready=self._warm_up.ready)

    def _show(self, frame: Frame, live_seconds: float | None = None) -> None:
        self._out.show(replace(frame, state=self.edits.plain(frame.state)), live_seconds)

    def _refine(self, state: ViewState, version: int) -> bool:
        """Render the next better picture of a state that stands still; False when it is as good as it gets."""
        frame = self._out.frame
        if frame is None or frame.stamp != version or frame.final:
            return False
        pipeline = self._model_pipeline
        goal: FrameRung = "exact" if state.quality.rung == "auto" else state.quality.rung
        full = frame.raw.shape[0] == pipeline.volume_size(state)
        step = goal
        quick = self._pacing.expects_quick_exact(pipeline, state)
        if goal == "exact" and not quick and not (full and frame.rung == "occupancy"):
            step = "occupancy"  # full size soon; the exact picture may take seconds
        self._out.publish(activity="Refining", progress=None)

        def checkpoint() -> None:
            if self._stopping or self._opened.waiting or self.store.snapshot[0] != version or self.edits.ordered:
                raise Cancelled
            self._serve_urgent()

        better = pipeline.frame(state, step, checkpoint=checkpoint, stamp=version, final=False)
        # What was rendered may be more than what was asked for: nothing can be skipped in fog.
        better = replace(better, final=better.rung == goal or step == goal)
        self._pacing.account(better, live=False)
        self._show(better)
        return True

    def _bake_due(self, state: ViewState) -> bool:
        """Whether a finer grid is wanted."""
        rests = self.followed.rests(self.store.snapshot[0])
        return not rests and self._bakes.due(self._model_pipeline, state, self.device)

    def _bake_next(self, state: ViewState) -> None:
        """Bake the next finer grid; live frames are rendered in between while the camera moves."""
        pipeline = self._model_pipeline
        key = pipeline.scene_key(state)

        def checkpoint() -> None:
            version, newest = self.store.snapshot
            newest = self.edits.view(newest)
            if self._stopping or self._opened.waiting or self.edits.ordered or pipeline.scene_key(newest) != key:
                raise Cancelled
            if newest.model != state.model or newest.drive is not None:
                raise Cancelled
            self._serve_urgent()
            ended, took = self._live
            due = version != self._seen and time.perf_counter() - ended >= took * SHARE / (1 - SHARE)
            if due and not self.window.takes(version, newest):
                self._render_live()

        if self._bakes.begins(pipeline, state):
            self._out.publish(activity="Baking a preview", progress=None)
        grid = self._bakes.bake(pipeline, state, checkpoint)
        if grid is None:
            return
        self._out.publish(activity=f"Baked {grid.resolution}³")
        version, stored = self.store.snapshot
        self.window.offer(pipeline, self.edits.view(stored), stored, ready=self._warm_up.ready)
        if self._out.frame is not None and self._out.frame.rung != "exact" and not self.window.takes(version, stored):
            self._render_live()  # the finer grid is seen at once

    def _serve_urgent(self) -> bool:
        return self._serve(patient=False)

    def _serve(self, *, patient: bool) -> bool:
        """A picture aside, if one of that kind waits; whether there was one."""
        assert self._model is not None
        version = self.store.snapshot[0]

        def checkpoint() -> None:
            if self._stopping or (patient and self.store.snapshot[0] != version):
                raise Cancelled

        return self._jobs.serve(self._model, checkpoint, patient=patient)

    def _open_model(self) -> None:
        first = self._opened.open()
        self.edits.drop("The edit was dropped: another model has been opened.")
        self._pacing.forget()
        model = self._forget_pictures()
        self._out.publish(model=model.info, activity="Rendering the first picture")
        if self.store.state.model != model.reference:
            label = f"Open {Path(model.reference).name}"
            self.store.update(model.first_state, label=label, undoable=not first)
        self.followed.came(self.store.snapshot[0])

    def _take_newer(self) -> None:
        """The followed model as its file has it now, under the same state."""
        if self._opened.take_newer():
            self._pacing.forget_scene()
            self._out.publish(model=self._forget_pictures().info)
            self.followed.came(self.store.snapshot[0])

    def _forget_pictures(self) -> Model:
        """What was rendered is of a model before the one that is open now, which is returned."""
        assert self._model is not None
        self._options = ()
        self._bakes.forget()
        self.window.withdraw()
        self._seen, self._failed = -1, -2
        return self._model

    # ---- when something goes wrong

    def _recover(self, error: RuntimeError) -> None:
        """A GPU that ran out of memory or died: go on with the CPU, and say so."""
        why = gpu_failure(error, self.device)
        if why is not None:
            self._move_to_cpu(why)
        else:
            self._fail(explain(error))

    def _move_to_cpu(self, why: str) -> None:
        self.edits.drop("The edit was dropped with what the GPU knew of it. Start it again.")
        self._opened.reopen_on_cpu()
        self._out.publish(device="cpu")
        self._out.tell(f"{why}; neuroview goes on with the CPU, more slowly.", "warning")

    def _fail(self, text: str) -> None:
        """This state cannot be rendered; what was shown stays."""
        self._failed = self._seen
        self._say_failed(text)

    def _say_failed(self, text: str) -> None:
        self._out.publish(activity="Ready", progress=None)
        self._out.tell(text, "error")

    def _show_unedited(self) -> None:
        """The edit's result cannot be shown: it is dropped, and the state has its own picture."""
        self.edits.drop()
        self._seen = -1


def _differ_in_strokes_alone(one: ViewState, other: ViewState) -> bool:
    strokes = other.edits.strokes
    return one.edits.strokes != strokes and replace(one, edits=replace(one.edits, strokes=strokes)) == other

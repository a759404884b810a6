"""`RenderLoop`: one thread that turns the newest state into frames, and refines, bakes and loads in between.

The thread is cooperative: long work (a bake, an exact frame, a thumbnail) calls back between chunks. If only the
camera has moved meanwhile, a quick frame is rendered right there and the bake goes on; if the scene has changed the
work is given up. So nothing competes for the cores, nothing stale is shown, and a hand on the mouse never waits
longer than one chunk.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..models.errors import NeuroviewError
from . import jobs
from .broadcast import Broadcast
from .failures import explain, gpu_failure
from .frame import Frame, FrameRung
from .governor import Governor, Plan
from .rendering.cancel import Cancelled
from .state import ViewState
from .status import LoopStatus
from .store import Store
from .warmup import WarmUp

if TYPE_CHECKING:
    from .model import Model
    from .pipeline import Pipeline
    from .rendering.bake import BakedGrid

SETTLE = 0.12
"""Seconds without a change after which the picture counts as still and is refined."""
SHARE = 0.35
"""Part of the time that baking keeps while the camera moves."""
QUICK = 0.4
"""An exact frame expected within so many seconds is rendered before the finer baked grids."""


class CannotOpenError(NeuroviewError):
    """A model could not be opened; unlike other errors it says nothing against the state that is shown."""


class RenderLoop:
    """Renders `store`'s newest state until stopped.

    `frame` and `status` are immutable values that any thread may read at any time; listeners are called on the
    render thread after either has changed and must return at once.
    """

    def __init__(self, store: Store, *, device: str = "auto", threads: int | None = None) -> None:
        self.store = store
        self._device, self._threads = device, threads
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._stopping = False
        self._out = Broadcast()
        self._jobs = jobs.JobQueue()
        self._to_open: str | None = None
        self._model: Model | None = None
        self._governor = Governor()
        self._seen = -1  # version of the last state that was rendered
        self._failed = -2  # version of a state that cannot be
        self._moved = self._scene_moved = time.perf_counter()
        self._live: tuple[float, float] = (0.0, 0.0)  # when the last live frame ended, seconds it took
        self._options: tuple[tuple[str, str], ...] = ()
        self._scene_key: Hashable = None
        self._scene_ms = 0.0
        self._levels: Iterator[BakedGrid] | None = None
        self._bake_key: Hashable = None
        self._baked_all = False
        self._warm_up = WarmUp()
        self._stop_listening: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name="neuroview-render", daemon=True)

    # ---- from any thread

    @property
    def frame(self) -> Frame | None:
        """The newest finished frame."""
        return self._out.frame

    @property
    def status(self) -> LoopStatus:
        """What the loop is doing."""
        return self._out.status

    def start(self, reference: str) -> None:
        """Start the thread: it imports torch and opens `reference`."""
        self._stop_listening = self.store.listen(self._wake.set)
        self.open(reference)
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """End the thread; work in hand is given up at its next chunk."""
        self._stop_listening()
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout)
        self._warm_up.stop()
        self._jobs.close(NeuroviewError("neuroview was closed before this picture was finished."))

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` after every new frame or status; returns the function that ends this."""
        return self._out.listen(listener)

    def open(self, reference: str) -> None:
        """Open a model. The old one keeps running until the new one is ready, and for good if it never is.

        When the state already names `reference` (a restored state, an undone step) its camera is kept; otherwise
        the state moves to the model's first view.
        """
        with self._lock:
            self._to_open = reference
        self._wake.set()

    def render(self, state: ViewState) -> Future[Frame]:
        """Render `state` aside at its own quality ('auto' means exact): what a screenshot holds."""
        return self._add_job(jobs.picture(state), patient=False)

    def thumbnail(self, seed: int, side: int = 96) -> Future:
        """A small picture uint8 `[side, side, 3]` of one seed, made when nothing else is to do."""
        return self._add_job(jobs.thumbnail(self.store.state, seed, side), patient=True)

    def tell(self, text: str, level: str = "info") -> None:
        """Show a message ('error', 'warning' or 'info') to the person."""
        self._out.tell(text, level)

    def set_presenter(self, name: str) -> None:
        """The window says how frames reach the screen."""
        self._out.publish(presenter=name)

    # ---- the thread

    def _run(self) -> None:
        try:
            self._out.publish(activity="Starting torch")
            from .model import choose_device
            from .process import prepare_process

            prepare_process(self._threads)
            try:
                self._device = choose_device(self._device)
            except NeuroviewError as error:
                self._device = "cpu"
                self.tell(f"{error} Going on with the CPU.", "warning")
            self._out.publish(device=self._device)
            if self._device == "cpu":
                self._warm_up.start()
            while not self._stopping:
                self._step()
        except BaseException as error:  # the last line of defence: say it, do not vanish
            traceback.print_exc()
            self.tell(f"The render loop has stopped: {error}. Please restart neuroview.", "error")

    def _step(self) -> None:
        self._wake.clear()
        try:
            if self._to_open is not None:
                self._open_model()
            elif self._model is None:
                self._wake.wait()
            elif self.store.state.model != self._model.reference:
                self.open(self.store.state.model)  # an undone step, a restored screenshot
            else:
                self._work()
        except Cancelled:
            pass
        except CannotOpenError as error:
            self._out.publish(activity="No model" if self._model is None else "Ready", progress=None)
            self.tell(str(error), "error")
        except NeuroviewError as error:
            self._fail(str(error))
        except MemoryError:
            self._fail("Out of memory. The view was kept; choose a smaller resolution or fewer samples.")
        except RuntimeError as error:
            self._recover(error)

    def _work(self) -> None:
        """The most urgent piece of work, and only that."""
        version, state = self.store.snapshot
        if version != self._seen:
            self._render_live()
            if not self._bake_due(state):
                return  # else the bake goes on, even under a restless hand
        if self._serve_urgent():
            return
        if self._failed == self._seen:
            self._wait_ready()  # trying this state again would fail again; another one may not
            return
        now = time.perf_counter()
        if self._bake_due(state):
            if now - self._moved > SETTLE and self._expect_quick_exact(state) and self._refine(state, version):
                return
            self._bake_next(state)
        elif now - self._moved < SETTLE:
            self._wake.wait(SETTLE - (now - self._moved))
        elif self._refine(state, version):
            return
        elif (job := self._jobs.take(patient=True)) is not None:
            self._do(job)
        else:
            self._wait_ready()

    @property
    def _model_pipeline(self) -> Pipeline:
        assert self._model is not None
        return self._model.pipeline

    def _wait_ready(self) -> None:
        if not self._wake.is_set():
            self._out.publish(activity="Ready", progress=None)
            self._wake.wait()

    def _render_live(self) -> None:
        """One frame of the newest state, as good as its time allows."""
        pipeline = self._model_pipeline
        version, state = self.store.snapshot
        begin = time.perf_counter()
        if version != self._seen:
            self._seen, self._moved = version, begin
        key = pipeline.scene_key(state)
        if state.options != self._options:
            assert self._model is not None
            self._out.publish(model=self._model.describe(state))
            self._options = state.options
        overhead = 0.0
        if key != self._scene_key:
            self._scene_key, self._scene_moved, overhead = key, begin, self._scene_ms
            self._levels, self._baked_all = None, False
        if state.quality.rung == "auto":
            side = pipeline.volume_size(state)
            rungs: list[FrameRung] = [r for r in pipeline.rungs(state) if r != "baked" or self._warm_up.ready]
            plan = self._governor.choose(rungs, side * side, state.quality.target_fps, overhead)
        else:
            plan = Plan(state.quality.rung, 1.0)

        def checkpoint() -> None:
            # What the governor picked is quick and is finished; an exact frame asked for by name may be overtaken.
            if self._stopping or (plan.rung == "exact" and self.store.snapshot[0] != version):
                raise Cancelled

        frame = pipeline.frame(state, plan.rung, scale=plan.scale, checkpoint=checkpoint, stamp=version, final=False)
        self._account(frame)
        self._live = (time.perf_counter(), time.perf_counter() - begin)
        self._out.show(frame, live_seconds=self._live[1])

    def _refine(self, state: ViewState, version: int) -> bool:
        """Render the next better picture of a state that stands still; False when it is as good as it gets."""
        frame = self.frame
        if frame is None or frame.stamp != version or frame.final:
            return False
        pipeline = self._model_pipeline
        goal: FrameRung = "exact" if state.quality.rung == "auto" else state.quality.rung
        full = frame.raw.shape[0] == pipeline.volume_size(state)
        step = goal
        if goal == "exact" and not (full and frame.rung == "occupancy") and not self._expect_quick_exact(state):
            step = "occupancy"  # full size soon; the exact picture may take seconds
        self._out.publish(activity="Refining", progress=None)

        def checkpoint() -> None:
            if self._stopping or self._to_open is not None or self.store.snapshot[0] != version:
                raise Cancelled
            self._serve_urgent()

        better = pipeline.frame(state, step, checkpoint=checkpoint, stamp=version, final=False)
        # What was rendered may be more than what was asked for: nothing can be skipped in fog.
        better = replace(better, final=better.rung == goal or step == goal)
        self._account(better)
        self._out.show(better)
        return True

    def _expect_quick_exact(self, state: ViewState) -> bool:
        cost = self._governor.predict("exact", self._model_pipeline.volume_size(state) ** 2)
        return cost is not None and cost < 1000 * QUICK

    def _bake_due(self, state: ViewState) -> bool:
        """Whether a finer grid is wanted now: not on a GPU, where the other rungs are quick; not for another rung
        chosen by name; not while the scene itself changes."""
        if self._device != "cpu" or state.quality.rung not in ("auto", "baked"):
            return False
        if self._baked_all and self._bake_key == self._model_pipeline.scene_key(state):
            return False
        return time.perf_counter() - self._scene_moved > SETTLE / 2

    def _bake_next(self, state: ViewState) -> None:
        """Bake the next finer grid; live frames are rendered in between while the camera moves."""
        pipeline = self._model_pipeline
        key = pipeline.scene_key(state)

        def checkpoint() -> None:
            version, newest = self.store.snapshot
            if self._stopping or self._to_open is not None or pipeline.scene_key(newest) != key:
                raise Cancelled
            if newest.model != state.model:
                raise Cancelled
            self._serve_urgent()
            ended, took = self._live
            if version != self._seen and time.perf_counter() - ended >= took * SHARE / (1 - SHARE):
                self._render_live()

        try:
            if self._levels is None or self._bake_key != key:
                self._levels = pipeline.bake(state, checkpoint)
                self._bake_key, self._baked_all = key, False
                self._out.publish(activity="Baking a preview", progress=None)
            grid = next(self._levels, None)
        except BaseException:
            self._levels = None
            raise
        if grid is None:
            self._levels, self._baked_all = None, True
            return
        self._out.publish(activity=f"Baked {grid.resolution}³")
        if self.frame is not None and self.frame.rung != "exact":
            self._render_live()  # the finer grid is seen at once

    def _serve_urgent(self) -> bool:
        job = self._jobs.take(patient=False)
        if job is not None:
            self._do(job)
        return job is not None

    def _do(self, job: jobs.Job) -> None:
        assert self._model is not None
        version = self.store.snapshot[0]

        def checkpoint() -> None:
            if self._stopping or (job.patient and self.store.snapshot[0] != version):
                raise Cancelled

        try:
            job.future.set_result(job.run(self._model, checkpoint))
        except Cancelled:
            self._jobs.put_back(job)
        except Exception as error:
            job.future.set_exception(error)

    def _open_model(self) -> None:
        from .model import open_model

        with self._lock:
            reference, self._to_open = self._to_open, None
        assert reference is not None
        name = Path(reference).name
        self._out.publish(activity=f"Loading {name}", progress=None)
        try:
            model = open_model(reference, self._device)
        except (NeuroviewError, MemoryError) as error:
            self._keep_old_model(reference)
            raise CannotOpenError(str(error) or f"{name} needs more memory than there is.") from error
        first, self._model = self._model is None, model
        self._governor.forget()
        self._options = ()
        self._levels, self._bake_key, self._scene_key = None, None, None
        self._out.publish(model=model.info, activity="Rendering the first picture")
        if self.store.state.model != reference:
            self.store.update(model.first_state, label=f"Open {name}", undoable=not first)
        self._seen, self._failed = -1, -2

    # ---- when something goes wrong

    def _keep_old_model(self, reference: str) -> None:
        if self._model is not None and self.frame is not None and self.store.state.model == reference:
            shown = self.frame.state
            self.store.update(lambda _: shown, label="Back to the open model", undoable=False)

    def _recover(self, error: RuntimeError) -> None:
        """A GPU that ran out of memory or died: go on with the CPU, and say so."""
        why = gpu_failure(error, self._device)
        if why is not None:
            self._move_to_cpu(why)
        else:
            self._fail(explain(error))

    def _move_to_cpu(self, why: str) -> None:
        self._device, self._model = "cpu", None
        self._out.publish(device="cpu")
        self.tell(f"{why}; neuroview goes on with the CPU, more slowly.", "warning")
        self.open(self.store.state.model)

    def _fail(self, text: str) -> None:
        """This state cannot be rendered; what was shown stays."""
        self._failed = self._seen
        self._out.publish(activity="Ready", progress=None)
        self.tell(text, "error")

    # ---- bookkeeping

    def _account(self, frame: Frame) -> None:
        drawn = frame.stages.get("volume image")
        if drawn is not None:
            self._governor.observe(frame.rung, frame.raw.shape[0] ** 2, drawn + frame.stages.get("picture", 0.0))
        if "scene" in frame.stages:
            self._scene_ms = sum(frame.stages.get(name, 0.0) for name in ("codes a", "codes b", "scene", "occupancy"))

    def _add_job(self, run: jobs.Run, *, patient: bool) -> Future:
        future = self._jobs.add(run, patient=patient)
        self._wake.set()
        return future

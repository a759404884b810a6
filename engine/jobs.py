"""Pictures rendered aside from the live view: screenshots at once, thumbnails when nothing else is to do."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .frame import Frame, FrameRung
from .rendering.cancel import Cancelled, Checkpoint
from .state import Edits, ViewState

if TYPE_CHECKING:
    from .editing.photo import Picture
    from .model import Model

Run = Callable[["Model", Checkpoint], Any]


@dataclass(frozen=True)
class Job:
    """A function of the open model, and the future that receives its value."""

    run: Run
    future: Future
    patient: bool
    """True: waits until the picture is still, and makes way again when it is not."""
    started: bool = False


class JobQueue:
    """Jobs in order of arrival; any thread may add, the render thread takes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: deque[Job] = deque()

    def add(self, run: Run, *, patient: bool) -> Future:
        """Queue a job; its future may be cancelled as long as it has not begun."""
        job = Job(run, Future(), patient)
        with self._lock:
            self._jobs.append(job)
        return job.future

    def take(self, *, patient: bool) -> Job | None:
        """The oldest job of that kind that still has somebody waiting, already marked as running."""
        with self._lock:
            for job in [j for j in self._jobs if j.patient == patient]:
                self._jobs.remove(job)
                if job.started or job.future.set_running_or_notify_cancel():
                    return replace(job, started=True)
        return None

    def serve(self, model: Model, checkpoint: Checkpoint, *, patient: bool) -> bool:
        """Does the oldest job of that kind; whether there was one. Given up by `checkpoint`, it comes first again."""
        job = self.take(patient=patient)
        if job is None:
            return False
        try:
            job.future.set_result(job.run(model, checkpoint))
        except Cancelled:
            self.put_back(job)
        except Exception as error:  # told to whoever waits for the picture
            job.future.set_exception(error)
        return True

    def put_back(self, job: Job) -> None:
        """A job that had to make way comes first again."""
        with self._lock:
            self._jobs.appendleft(job)

    def close(self, error: Exception) -> None:
        """Nobody will work on the rest: cancel what has not begun, fail what has."""
        with self._lock:
            jobs, self._jobs = list(self._jobs), deque()
        for job in jobs:
            if job.started:
                job.future.set_exception(error)
            else:
                job.future.cancel()


def picture(state: ViewState) -> Run:
    """Render `state` at its own quality; 'auto' means exact."""

    def run(model: Model, checkpoint: Checkpoint) -> Frame:
        rung: FrameRung = "exact" if state.quality.rung == "auto" else state.quality.rung
        return model.pipeline.frame(state, rung, checkpoint=checkpoint)

    return run


def thumbnail(state: ViewState, seed: int, side: int, identity: str = "") -> Run:
    """uint8 `[side, side, 3]`: one seed, or whom `identity` names in its place, unmixed and unedited, from the model's
    first view, under the state's psi."""

    def run(model: Model, checkpoint: Checkpoint) -> Any:
        view = model.first_state(state)
        view = replace(
            view,
            latents=replace(
                view.latents,
                seed_a=seed,
                mix_geometry=0.0,
                mix_appearance=0.0,
                layer_mix=(),
                directions=(),
                identity=identity,
            ),
            edits=Edits(),
            output=replace(view.output, kind="rgb", size=side),
            quality=replace(view.quality, resolution=None, samples=1.0),
        )
        frame = model.aside.frame(view, "occupancy", scale=0.75, checkpoint=checkpoint)
        return frame.pixels[..., :3].cpu().numpy()

    return run


def framing(state: ViewState, photo: Picture) -> Run:
    """Left, top, right, bottom of the square in a photo that shows its subject as the model's own pictures show theirs.

    In 0..1 of the photo's width and height; it may reach over the edge.
    """

    def run(model: Model, _: Checkpoint) -> tuple[float, float, float, float]:
        from .editing.framing import usual_frame

        height, width = photo.rgb.shape[1:]
        frame = usual_frame(model.pipeline.generator_for(state))
        box = photo.cut().box if frame is None else photo.framed(frame)
        right, bottom = box.left + box.side, box.top + box.side
        return (box.left / width, box.top / height, right / width, bottom / height)

    return run


def photo_read(photo: Path, then: Callable[[Picture], Future]) -> Future:
    """Reads a photo on a thread of its own, as some take seconds, and passes on what `then` makes of it."""
    result: Future = Future()

    def pass_on(done: Future) -> None:
        if done.cancelled():
            result.cancel()
        elif (error := done.exception()) is not None:
            result.set_exception(error)
        else:
            result.set_result(done.result())

    def read() -> None:
        from .editing.photo import read_picture

        try:
            then(read_picture(photo)).add_done_callback(pass_on)
        except Exception as error:  # told to whoever waits for the result
            result.set_exception(error)

    threading.Thread(target=read, name="neuroview-photo", daemon=True).start()
    return result

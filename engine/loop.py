"""`RenderLoop`: one thread that turns the newest state into frames, of a generator or of a drive.

What it does for either stands in `generator_loop.py` and `drive_loop.py`; it does one or the other, as the state says.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

from ..models.errors import NeuroviewError
from . import jobs
from .broadcast import Broadcast
from .drive_loop import DriveRunner
from .frame import Frame
from .generator_loop import GeneratorRunner
from .state import ViewState
from .status import LoopStatus
from .store import Store
from .warmup import WarmUp

if TYPE_CHECKING:
    from .baked_view import BakedView
    from .driving.messages import Control
    from .edit_tasks import Part, What
    from .editing.photo import Picture
    from .state import Camera


class RenderLoop:
    """Renders `store`'s newest state until stopped.

    `frame` and `status` are immutable values that any thread may read at any time; listeners are called on the
    render thread after either has changed and must return at once.

    Args:
        store: of the state.
        device: 'auto', 'cpu', 'cuda:0'.
        threads: cores to use; None: all but what the UI needs.
        follows: whether `reload` will be called again and again, for a model that trains.
    """

    def __init__(
        self, store: Store, *, device: str = "auto", threads: int | None = None, follows: bool = False
    ) -> None:
        self.store = store
        self._device, self._threads = device, threads
        self._wake = threading.Event()
        self._stopping = False
        self._out = Broadcast()
        self._warm_up = WarmUp(lambda: store.state.drive is not None, lambda text: self._out.publish(preparing=text))
        self._generator = GeneratorRunner(store, self._out, self._wake, self._warm_up)
        self._generator.followed.on = follows
        self._drive = DriveRunner(store, self._out, self._wake.set)
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
        self._generator.stop()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout)
        self._drive.stop()  # where the thread had no time to
        self._warm_up.stop()
        self._generator.close()

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` after every new frame or status; returns the function that ends this."""
        return self._out.listen(listener)

    def open(self, reference: str) -> None:
        """Open a model. The old one keeps running until the new one is ready, and for good if it never is.

        When the state already names `reference` (a restored state, an undone step) its camera is kept; otherwise
        the state moves to the model's first view.
        """
        self._generator.open(reference)

    def reload(self, reference: str) -> None:
        """The file of `reference` has been written anew: if that model is open, show what it is now, quietly and
        from where the person stands. A file that cannot be read changes nothing."""
        self._generator.followed.rewritten(reference)
        self._wake.set()

    def render(self, state: ViewState) -> Future[Frame]:
        """Render `state` aside at its own quality ('auto' means exact): what a screenshot holds.

        Of a drive it is the frame that is shown: what has been driven is no function of the state.
        """
        if state.drive is not None and self.frame is not None and self.frame.state.drive is not None:
            shown: Future[Frame] = Future()
            shown.set_result(self.frame)
            return shown
        return self._generator.add_job(jobs.picture(state), patient=False)

    def thumbnail(self, seed: int, side: int = 96, *, identity: str = "") -> Future:
        """A small picture uint8 `[side, side, 3]` of one seed, made when nothing else is to do.

        Args:
            identity: a photo's identity that takes the seed's place, as in `Latents.identity`.
        """
        return self._generator.add_job(jobs.thumbnail(self.store.state, seed, side, identity), patient=True)

    def tell(self, text: str, level: str = "info") -> None:
        """Show a message ('error', 'warning' or 'info') to the person."""
        self._out.tell(text, level)

    def set_presenter(self, name: str) -> None:
        """The window says how frames reach the screen."""
        self._out.publish(presenter=name)

    # ---- the window that marches baked scenes by itself, from its thread; see `WindowMarch`

    @property
    def baked_view(self) -> BakedView | None:
        """What such a window may show of a moving camera; None: nothing, or none has asked with `offer_views`."""
        return self._out.baked_view

    def offer_views(self, wanted: bool) -> None:
        """Whether there is such a window."""
        self._generator.window.wanted = wanted

    def take_view(self, view: BakedView | None) -> None:
        """The window marches `view` from now on, and the loop leaves it to do so; None: nothing any more."""
        self._generator.window.taken = view
        self._wake.set()

    def marched(self, seconds: float, detail: str) -> None:
        """It has shown another picture, `detail` in a person's words."""
        self._out.marched(seconds, detail)

    # ---- edits, from any thread; see `EditRunner`

    def edit(self, what: What, *, donor_seed: int | None = None, part: Part | None = None) -> None:
        """Make of the scene what the state's strokes ask for; `status.edit` tells how far it is.

        The newest result is shown from wherever the camera stands. At the end it is one step to undo, and the strokes
        that it was made of are part of it.

        Args:
            what: which optimiser.
            donor_seed: whose part a transfer takes; None: seed B's.
            part: what a transfer takes; None: both.
        """
        self._generator.edits.edit(what, donor_seed, part)
        self._wake.set()

    def invert(
        self, photo: Path, *, box: tuple[float, float, float, float] | None = None, camera: Camera | None = None
    ) -> None:
        """Find who is in `photo`: at the end `latents.identity` and the camera are that photo's, as one step to undo.

        Args:
            photo: a picture file.
            box: left, top, right, bottom of a square in it, 0..1 of its width and height; None: it is found.
            camera: from where the photo was taken, roughly; None: it is found.
        """
        self._generator.edits.invert(photo, box, camera)
        self._wake.set()

    def frame_photo(self, photo: Path) -> Future:
        """The square in `photo` that `invert` would find: left, top, right, bottom, 0..1 of its width and height."""

        def frame(picture: Picture) -> Future:
            return self._generator.add_job(jobs.framing(self.store.state, picture), patient=False)

        return jobs.photo_read(photo, frame)

    def stop_edit(self, keep: bool) -> None:
        """End the edit: with its newest result as if it were done, or with the scene as it was."""
        self._generator.edits.stop(keep)
        self._wake.set()

    # ---- the drive, from any thread; see `DriveRunner`

    def steer(self, control: Control) -> None:
        """CONTROL to the engine at once; weather, viewpoint, photo and serial are filled in from the state."""
        self._drive.steer(control)

    def pause(self, paused: bool) -> None:
        """Stop the driven world or let it go on; an engine that was lost is started again."""
        self._drive.pause(paused)

    def single_step(self) -> None:
        """One step of the paused world."""
        self._drive.single_step()

    def record(self, path: Path | None) -> None:
        """Write the drive's CONTROL to `path`, from the drive's first step on; None: stop."""
        self._drive.record(path)

    def replay(self, path: Path) -> None:
        """Drive what was recorded in `path`: its seed, its CONTROL, step by step."""
        self._drive.replay(path)

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
            self._generator.device = self._drive.device = self._device
            if self._device == "cpu":
                self._warm_up.start()
            while not self._stopping:
                self._step()
            self._drive.stop()
        except BaseException as error:  # the last line of defence: say it, do not vanish
            traceback.print_exc()
            self.tell(f"The render loop has stopped: {error}. Please restart neuroview.", "error")

    def _step(self) -> None:
        self._wake.clear()
        if self._stopping:  # it may have been said just before
            return
        if self.store.state.drive is not None:
            self._generator.leave()
            if not self._drive.step():
                self._wake.wait()
        elif self._drive.running:
            self._drive.stop()
            self._generator.show_again()
        else:
            self._generator.step()

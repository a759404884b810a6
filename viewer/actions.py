"""`Actions`: the verbs that keys, buttons and dropped files share. Any thread may call any of them."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..engine.export.paths import free_name
from ..engine.state import Camera, Latents, Output, OutputKind, ViewState, first_state
from ..engine.store import Store
from ..models.errors import NeuroviewError

if TYPE_CHECKING:
    from ..engine.loop import RenderLoop

OUTPUTS: tuple[OutputKind, ...] = ("rgb", "raw", "depth", "normals", "alpha")
SEEDS = 1_000_000
"""Random seeds are drawn below this: short enough to read out and type again."""


class Actions:
    """What a person can do besides dragging a slider; results and failures are told through the loop's messages."""

    def __init__(self, store: Store, loop: RenderLoop, *, screenshots: Path, on_quit: Callable[[], None]) -> None:
        self.store, self.loop = store, loop
        self._folder, self._on_quit = screenshots, on_quit
        self._animation: _Animation | None = None

    # ---- history

    def undo(self) -> None:
        """Take the last step back."""
        label = self.store.undo()
        self.loop.tell(f"Undone: {label}" if label else "Nothing to undo")

    def redo(self) -> None:
        """Bring an undone step back."""
        label = self.store.redo()
        self.loop.tell(f"Redone: {label}" if label else "Nothing to redo")

    # ---- camera, seeds, output

    def reset_camera(self) -> None:
        """The model's first view."""
        self.store.update(lambda s: replace(s, camera=self._first(s).camera), label="Reset camera")

    def reset_all(self) -> None:
        """Camera, latents and output as they were when the model was opened."""

        def change(state: ViewState) -> ViewState:
            return replace(state, camera=self._first(state).camera, latents=Latents(), output=Output())

        self.store.update(change, label="Reset everything")

    def random_seeds(self, which: str = "ab") -> None:
        """A random seed A, B or both."""
        drawn = {f"seed_{name}": random.randrange(SEEDS) for name in which}
        label = "Random seeds" if len(which) > 1 else f"Random seed {which.upper()}"
        self.store.update(lambda s: replace(s, latents=replace(s.latents, **drawn)), label=label)

    def set_output(self, kind: OutputKind) -> None:
        """Look at another output."""
        self.store.update(lambda s: replace(s, output=replace(s.output, kind=kind)), label=f"Show {kind}")

    def cycle_output(self) -> None:
        """The next output."""
        kind = self.store.state.output.kind
        self.set_output(OUTPUTS[(OUTPUTS.index(kind) + 1) % len(OUTPUTS)])

    # ---- animation

    @property
    def animating(self) -> bool:
        """Whether the camera swings by itself."""
        return self._animation is not None and self._animation.running

    def toggle_animation(self) -> None:
        """Let the camera swing about the subject, or stop it where it is."""
        if self.animating:
            self.close()
        else:
            info = self.loop.status.model
            limits = info.camera.yaw_range if info else (-0.6, 0.6)
            self._animation = _Animation(self.store, limits)

    # ---- files

    def open_path(self, path: str) -> None:
        """Open a checkpoint or a shipped model, restore a screenshot's view (.png), or a saved state (.json)."""
        file = Path(path)
        is_card = file.with_suffix(".safetensors").exists()  # then the .json is that model's card
        try:
            if file.suffix.lower() == ".png" or (file.suffix.lower() == ".json" and not is_card):
                self._restore(file)
            else:
                self.loop.open(path)
        except NeuroviewError as error:
            self.loop.tell(str(error), "error")

    def screenshot(self, path: str | None = None, size: int | None = None) -> Future:
        """Render the newest state exactly and save it as PNG with its state; tells where it went."""
        state = self.store.state
        state = replace(state, quality=replace(state.quality, rung="exact"))
        if size is not None:
            state = replace(state, output=replace(state.output, size=size))
        name = f"{Path(state.model).stem}_{state.latents.seed_a}"
        target = Path(path) if path else free_name(self._folder, name, ".png")
        info = self.loop.status.model
        fingerprint = info.card.fingerprint if info else ""
        future = self.loop.render(state)

        def save(done: Future) -> None:
            from ..engine.export.image import save_png

            if done.cancelled():
                return
            try:
                self.loop.tell(f"Saved {save_png(target, done.result(), fingerprint)}")
            except Exception as error:  # told, not raised: this runs on the render thread
                self.loop.tell(f"The screenshot was not saved: {error}", "error")

        future.add_done_callback(save)
        return future

    # ---- leaving

    def quit(self) -> None:
        """Close window and panel."""
        self.close()
        self._on_quit()

    def close(self) -> None:
        """Stop what runs by itself."""
        if self._animation is not None:
            self._animation.stop()
            self._animation = None

    def _first(self, state: ViewState) -> ViewState:
        info = self.loop.status.model
        return first_state(state.model, info.camera, state) if info else replace(state, camera=Camera())

    def _restore(self, file: Path) -> None:
        from ..engine.statefile import read_state

        state, fingerprint = read_state(file)
        self.store.update(lambda _: state, label=f"Restore {file.name}")
        info = self.loop.status.model
        if info and info.reference == state.model and fingerprint not in ("", info.card.fingerprint):
            self.loop.tell("Restored, but the model's file has changed since: the picture may differ.", "warning")


class _Animation:
    """A slow swing through the trusted yaw range, or round and round where all of it is trusted.

    Time-based, so that it is as fast on every machine; one undo step for the whole of it. It ends by itself when
    somebody else turns the camera.
    """

    PERIOD = 8.0
    RATE = 60.0

    def __init__(self, store: Store, limits: tuple[float, float]) -> None:
        self._store = store
        self._low, self._span = limits[0], limits[1] - limits[0]
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="neuroview-animation", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        begin = time.perf_counter()
        gesture = f"animation {begin}"
        yaw = start = self._store.state.camera.yaw
        middle, reach = self._low + self._span / 2, self._span / 2
        phase = math.asin(max(-1.0, min(1.0, (start - middle) / max(reach, 1e-6))))
        while not self._stopped.wait(1 / self.RATE):
            if self._store.state.camera.yaw != yaw:
                return  # a hand took over
            turn = 2 * math.pi * (time.perf_counter() - begin) / self.PERIOD
            if self._span > 6.0:
                yaw = math.remainder(start + turn, 2 * math.pi)
            else:
                yaw = middle + reach * math.sin(phase + turn)
            self._store.update(partial(_turn_to, yaw), label="Animate", gesture=gesture)


def _turn_to(yaw: float, state: ViewState) -> ViewState:
    return replace(state, camera=replace(state.camera, yaw=yaw, cam2world=None))

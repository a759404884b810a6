"""`Actions`: the verbs that keys, buttons and dropped files share. Any thread may call any of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..engine.camera import nearest_pose, pose_at, posed
from ..engine.export.paths import free_name
from ..engine.state import Camera, Output, OutputKind, ViewState, first_state
from ..engine.store import Store
from ..models.base import CameraDefaults, Pose
from ..models.errors import NeuroviewError
from .animation import Animation, Flight, Motion, Swing
from .driving.files import kind_of
from .driving.screenshot import save_shown
from .driving.verbs import DriveActions
from .editing.photo import is_photo
from .editing.sessions import SUFFIX, Sessions
from .editing.verbs import EditActions
from .input import as_orbit

if TYPE_CHECKING:
    from ..engine.loop import RenderLoop

OUTPUTS: tuple[OutputKind, ...] = ("rgb", "raw", "depth", "normals", "alpha")
SEEDS = 1_000_000
"""Random seeds are drawn below this: short enough to read out and type again."""
NO_POSES = "This model has no training cameras"
_NO_MODEL = CameraDefaults(radius=Camera.radius, fov=Camera.fov, yaw_range=(-0.6, 0.6))


class Actions:
    """What a person can do besides dragging a slider; results and failures are told through the loop's messages."""

    def __init__(self, store: Store, loop: RenderLoop, *, screenshots: Path, on_quit: Callable[[], None]) -> None:
        self.store, self.loop = store, loop
        self._folder, self._on_quit = screenshots, on_quit
        self._animation: Animation | None = None
        self.drive = DriveActions(store, loop, screenshots)
        """The verbs of driving."""
        self.edit = EditActions(store, loop)
        """The verbs of editing."""
        self.sessions = Sessions(store, loop, screenshots)
        """Saving, opening and recovering what was done."""

    # ---- history

    def undo(self) -> None:
        """Take the last step back; while an edit runs, that is the newest thing, and it is dropped."""
        if self.edit.status is not None:
            self.edit.drop()
            self.loop.tell("The running edit was dropped")
            return
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
        info = self.loop.status.model
        opened = (
            first_state(info.reference, info.camera, demo=info.demo or info.first_identity) if info else ViewState()
        )
        latents = opened.latents

        def change(state: ViewState) -> ViewState:
            return replace(state, camera=self._first(state).camera, latents=latents, output=Output())

        self.store.update(change, label="Reset everything")

    def random_seeds(self, which: str = "ab") -> None:
        """A random seed A, B or both; seed A takes the place of a photo's identity."""
        drawn: dict[str, Any] = {f"seed_{name}": random.randrange(SEEDS) for name in which}
        if "a" in which:
            drawn["identity"] = ""
        label = "Random seeds" if len(which) > 1 else f"Random seed {which.upper()}"
        self.store.update(lambda s: replace(s, latents=replace(s.latents, **drawn)), label=label)

    def set_output(self, kind: OutputKind) -> None:
        """Look at another output."""
        self.store.update(lambda s: replace(s, output=replace(s.output, kind=kind)), label=f"Show {kind}")

    def cycle_output(self) -> None:
        """The next output."""
        kind = self.store.state.output.kind
        self.set_output(OUTPUTS[(OUTPUTS.index(kind) + 1) % len(OUTPUTS)])

    # ---- training cameras

    def go_to_pose(self, index: int) -> None:
        """Look through a training camera, exactly as its picture was taken."""
        poses = self._poses()
        if poses:
            pose = poses[index]
            self.store.update(lambda s: replace(s, camera=posed(s.camera, pose)), label=f"Training camera {pose.name}")

    def next_pose(self) -> None:
        """The next training camera, after the last one the first; from anywhere else the nearest one."""
        self._step_pose(1)

    def previous_pose(self) -> None:
        """The training camera before, before the first one the last; from anywhere else the nearest one."""
        self._step_pose(-1)

    def _step_pose(self, by: int) -> None:
        poses, state, info = self._poses(), self.store.state, self.loop.status.model
        if poses and info:
            at = pose_at(state.camera, poses)
            if at is None:
                self.go_to_pose(nearest_pose(as_orbit(state, info.camera), info.camera, poses))
            else:
                self.go_to_pose((at + by) % len(poses))

    def _poses(self) -> tuple[Pose, ...]:
        info = self.loop.status.model
        poses = info.poses if info else ()
        if not poses:
            self.loop.tell(NO_POSES)
        return poses

    # ---- animation

    @property
    def animating(self) -> bool:
        """Whether the camera moves by itself."""
        return self._animation is not None and self._animation.running

    @property
    def flying(self) -> bool:
        """Whether it does so from training camera to training camera."""
        return self._animation is not None and self._animation.running and isinstance(self._animation.motion, Flight)

    def toggle_animation(self) -> None:
        """Let the camera swing about the subject, or stop it where it is."""
        if self.animating:
            self.close()
        else:
            info = self.loop.status.model
            self._start(Swing(self.store.state, info.camera if info else _NO_MODEL))

    def toggle_flight(self) -> None:
        """Fly through the training cameras, from the one where the camera stands or else the first, or stop."""
        if self.flying:
            self.close()
            return
        poses = self._poses()
        if poses:
            at = pose_at(self.store.state.camera, poses)
            self._start(Flight(poses, 0 if at is None or at == len(poses) - 1 else at))

    def _start(self, motion: Motion) -> None:
        self.close()
        self._animation = Animation(self.store, motion)

    # ---- files

    def open_path(self, path: str) -> None:
        """Open a checkpoint or a shipped model, restore a screenshot's view (.png), or a saved state (.json).

        A drive's recording (.jsonl) is replayed, a folder of label maps played, a painter's checkpoint put to work, a
        session (.nvsession) brought back, any other picture laid beside the view as a photo.
        """
        file = Path(path)
        is_card = file.with_suffix(".safetensors").exists()  # then the .json is that model's card
        try:
            if file.suffix.lower() == SUFFIX:
                self.sessions.open(file)
            elif is_photo(file.expanduser()):
                self.edit.open_photo(file)
            elif file.suffix.lower() == ".png" or (file.suffix.lower() == ".json" and not is_card):
                self._restore(file)
            elif (kind := kind_of(file.expanduser())) is not None:
                self.drive.open(file.expanduser(), kind)
            else:
                self.drive.leave_for(path)
                self.loop.open(path)
        except NeuroviewError as error:
            self.loop.tell(str(error), "error")

    def screenshot(self, path: str | None = None, size: int | None = None) -> Future:
        """Render the newest state exactly and save it as PNG with its state; tells where it went.

        Of a drive, the picture is saved as it is shown.
        """
        state = self.store.state
        if state.drive is not None:
            return save_shown(self.loop, state, Path(path) if path else None, self._folder)
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

"""Stand-ins for the render loop and the actions, so that the panel can be tried without a model."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import dearpygui.dearpygui as dpg
import numpy as np
from neuroview.engine.state import ViewState, first_state
from neuroview.engine.status import LoopStatus, ModelInfo
from neuroview.engine.store import Store
from neuroview.models.base import CameraDefaults, CameraSlider, DemoControls, ModelCard, Option
from neuroview.viewer.driving.verbs import DriveActions
from neuroview.viewer.editing.sessions import Sessions
from neuroview.viewer.editing.verbs import EditActions
from neuroview.viewer.panel.base import PanelContext
from rings import ring

LAYERS = tuple(f"{4 * 2**i}×{4 * 2**i} conv{j}" for i in range(5) for j in (0, 1))
HEADS = ModelInfo(
    reference="heads",
    card=ModelCard(
        name="heads",
        family="eg3d",
        title="Stylised heads",
        summary="Heads of clay and paint, learned from a procedural teacher.",
        licence="CC0-1.0",
        fingerprint="3f9ac0d2e8b14f6a" * 4,
    ),
    camera=CameraDefaults(radius=2.7, fov=0.2333, yaw_range=(-1.2, 1.2), pitch_range=(-0.7, 0.7), fov_range=(0.1, 0.8)),
    layer_names=LAYERS,
    geometry_layers=tuple(range(6)),
    appearance_layers=tuple(range(6, 10)),
    has_noise=True,
    has_conditioning=True,
    has_upsampler=True,
)
LEGO = ModelInfo(
    reference="/models/lego.ckpt",
    card=ModelCard(name="lego", family="nerf", title="lego", licence="unknown", fingerprint="77" * 32),
    camera=CameraDefaults(radius=4.0, fov=0.69, up="z", pitch=0.5),
)
CHOOSY = replace(
    HEADS,
    reference="/models/choosy.pth",
    options=(
        Option("weights", "Weights", ("ema", "raw"), "ema", "ema: the moving average. raw: the last step's."),
        Option("preset", "Trained on", ("CelebA", "CATS", "CARLA"), "CelebA"),
    ),
)
"""With choices of its own."""
POSED = replace(LEGO, poses=(*ring(3), ring(5)[3]._replace(name="r_0")))
"""With training cameras, two of which have the same name."""
DEMONSTRATED = replace(
    HEADS,
    reference="/models/demonstrated.pkl",
    camera=replace(HEADS.camera, yaw=1.5, fov=0.2, up="z"),
    demo=DemoControls(
        yaw=CameraSlider(-1, 1, 0, origin=1.5, scale=0.5),
        pitch=CameraSlider(-1, 1, 0, origin=0.0, scale=-0.3),
        roll=CameraSlider(-1, 1, 0, origin=0.0, scale=-3.14159265),
        fov=CameraSlider(9, 15, 12, origin=0.0, scale=0.0174532925),
        seeds=(9, 1),
        truncation=0.6,
    ),
)
"""With the sliders of a demonstration of its own."""


class FakeLoop:
    """Reports what it is told to."""

    def __init__(self, model: ModelInfo | None = HEADS) -> None:
        self.status = LoopStatus(
            activity="Ready", model=model, presenter="host upload", rung="baked 96³", fps=58.0,
            frame_times=tuple(14 + 4 * np.sin(i / 9) + (22 if i % 61 == 7 else 0) for i in range(240)),
        )  # fmt: skip
        self.listeners: list[Callable[[], None]] = []
        self.asked: list[int | str] = []
        self.told: list[str] = []

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def tell(self, text: str = "", level: str = "info", **changes: object) -> None:
        self.told += [text] if text else []
        self.status = replace(self.status, **changes)  # type: ignore[arg-type]
        for listener in tuple(self.listeners):
            listener()

    def thumbnail(self, seed: int, *, identity: str = "") -> Future[np.ndarray]:
        self.asked.append(identity or seed)
        future: Future[np.ndarray] = Future()
        y, x = np.mgrid[:96, :96] / 95.0 - 0.5
        ball = np.clip(1 - 4 * (x * x + y * y), 0, 1)[..., None]
        tint = np.random.RandomState(seed).rand(3) * 0.6 + 0.4
        future.set_result((255 * np.sqrt(ball) * tint * 0.9 + 20).clip(0, 255).astype(np.uint8))
        return future


class FakeWheel:
    """What a real `DriveActions` asks of the render loop, written down."""

    def __init__(self, loop: FakeLoop, pressed: list[object]) -> None:
        self.loop, self.pressed = loop, pressed

    @property
    def status(self) -> LoopStatus:
        return self.loop.status

    def frame_photo(self, photo: Path) -> Future:
        return Future()

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments, **named: self.pressed.append((name, *arguments, *named.items()))


class FakeActions:
    """Notes what was pressed; undo, redo and what concerns a drive's state are real."""

    def __init__(self, store: Store, loop: FakeLoop, folder: Path) -> None:
        self.store = store
        self.pressed: list[object] = []
        self.drive = DriveActions(store, FakeWheel(loop, self.pressed), folder)  # type: ignore[arg-type]
        self.edit = EditActions(store, FakeWheel(loop, self.pressed))  # type: ignore[arg-type]
        self.sessions = Sessions(store, FakeWheel(loop, self.pressed), folder, folder)  # type: ignore[arg-type]
        self.animating = False
        self.flying = False

    def undo(self) -> None:
        self.store.undo()

    def redo(self) -> None:
        self.store.redo()

    def toggle_animation(self) -> None:
        self.animating = not self.animating

    def toggle_flight(self) -> None:
        self.flying = not self.flying

    def go_to_pose(self, index: int) -> None:
        self.pressed.append(("pose", index))

    def next_pose(self) -> None:
        self.pressed.append("next_pose")

    def previous_pose(self) -> None:
        self.pressed.append("previous_pose")

    def set_output(self, kind: str) -> None:
        self.store.update(lambda s: replace(s, output=replace(s.output, kind=kind)), label="Output")  # type: ignore[arg-type]

    def screenshot(self, path: str | None = None) -> None:
        self.pressed.append("screenshot")

    def open_path(self, path: str) -> None:
        self.pressed.append(("open", path))

    def reset_camera(self) -> None:
        self.pressed.append("reset_camera")

    def reset_all(self) -> None:
        self.pressed.append("reset_all")

    def random_seeds(self) -> None:
        self.pressed.append("random_seeds")


def fake_context(model: ModelInfo | None = HEADS, folder: Path = Path("no such folder")) -> PanelContext:
    """A panel's surroundings with `model` open; recordings are looked for in `folder`."""
    store, loop = Store(first_state(model.reference, model.camera) if model else ViewState()), FakeLoop(model)
    return PanelContext(
        store,
        loop,
        FakeActions(store, loop, folder),
        models=lambda: [("heads", "Stylised heads"), ("cars", "Toy cars")],
        recent=lambda: ["/models/lego.ckpt", "/data/nerf/fern.tar"],
        translators=lambda: [("town", "Town by day"), ("dusk", "Town at dusk")],
    )


def move(tag: str, value: object) -> None:
    """What Dear PyGui does when a person moves a control."""
    dpg.set_value(tag, value)
    dpg.get_item_callback(tag)(tag, value, dpg.get_item_user_data(tag))


def press(tag: str) -> None:
    """What Dear PyGui does when a person presses a button."""
    dpg.get_item_callback(tag)(tag, None, dpg.get_item_user_data(tag))

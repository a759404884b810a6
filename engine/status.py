"""What the loop tells the window and the panel about itself: immutable values, never live objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..models.base import CameraDefaults, DemoControls, FirstIdentity, ModelCard, Option, Pose

if TYPE_CHECKING:
    from .driving.status import DriveStatus
    from .editing.status import EditStatus


@dataclass(frozen=True)
class ModelInfo:
    """The open model, as far as sliders and labels need it."""

    reference: str
    """What `ViewState.model` holds for it: a shipped name or a path."""
    card: ModelCard
    camera: CameraDefaults
    layer_names: tuple[str, ...] = ()
    """One name a layer; empty: the model has no latent, and seeds and mixing are greyed out."""
    geometry_layers: tuple[int, ...] = ()
    appearance_layers: tuple[int, ...] = ()
    has_noise: bool = False
    has_conditioning: bool = False
    has_upsampler: bool = False
    resolution: int = 64
    """Side of the volume-rendered image, pixels."""
    image_resolution: int = 256
    """Side of the native picture, pixels."""
    options: tuple[Option, ...] = ()
    """Choices of the family's own."""
    poses: tuple[Pose, ...] = ()
    """Cameras of the training pictures, where they are known."""
    demo: DemoControls | None = None
    """Sliders of the family's own demonstration."""
    first_identity: FirstIdentity | None = None
    """Seeds and truncation to open with, where somebody chose them."""
    directions: tuple[str, ...] = ()
    """Names of the directions that `Latents.directions` can move along."""
    direction_limits: tuple[float, ...] = ()
    """Amount to either side up to which pictures stay good, for each of them."""


@dataclass(frozen=True)
class Message:
    """Something a person should read: drawn in the view and printed on the terminal."""

    text: str
    level: str = "error"
    """'error', 'warning' or 'info'."""
    serial: int = 0
    """Grows with every message, so that a viewer notices a repeated one."""


@dataclass(frozen=True)
class LoopStatus:
    """A snapshot of the render loop."""

    activity: str = "Starting"
    """What it is doing, two or three words: 'Ready', 'Loading heads', 'Baking 96³', 'Refining'."""
    progress: float | None = None
    """0..1 where it is known."""
    preparing: str = ""
    """What is compiled beside it, the first time on a machine; '': nothing."""
    model: ModelInfo | None = None
    message: Message | None = None
    """The newest message; a viewer shows it until it is dismissed or some seconds have passed."""
    device: str = "cpu"
    presenter: str = ""
    """'CUDA texture', 'host upload' ...; set by the window."""
    frame_times: tuple[float, ...] = ()
    """Milliseconds of the last frames, oldest first, at most 240."""
    fps: float = 0.0
    """Frames finished a second, over the last second in which something moved."""
    rung: str = ""
    """Detail of the newest frame's rung, e.g. 'baked 96³'."""
    drive: DriveStatus | None = None
    """The running drive; None: there is none."""
    edit: EditStatus | None = None
    """The running edit or inversion; None: there is none."""

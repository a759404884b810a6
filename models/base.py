"""The contracts every model family fulfils: a radiance field, the scene around it, and the generator of scenes.

Rendering, meshing, occupancy, baking and editing are written once, against these. A family brings one
file in `models/formats` (how its checkpoints are read) and one model file that satisfies `Generator`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:  # the window opens before torch is imported, and the state needs the settings below
    from torch import Tensor, dtype

Activation = Literal["softplus_shifted", "softplus", "relu", "exp"]
Quadrature = Literal["midpoint", "left"]
Sampler = Literal["eg3d", "nerf", "pigan"]
PixelConvention = Literal["centre", "corner", "inclusive"]
NoiseMode = Literal["none", "const", "random"]
Axis = Literal["y", "z"]
LabelSet = Literal["carla", "carla_before_0_9_14", "cityscapes_ids", "cityscapes_train_ids"]


@runtime_checkable
class RadianceField(Protocol):
    """What is where in space: the function that every family reduces to (NeRF, eq. 1).

    Called with points `[N, 3]` (and unit viewing directions `[N, 3]`, or None when `view_dependent` is False)
    it returns the *raw* density `[N]` and features `[N, C]`; the first three features are RGB in 0..1
    (EG3D's reach -0.001..1.001). The raw density becomes a density through `VolumeSettings.activation`:
    EG3D averages raw values of neighbouring samples before it activates them, so the field may not do it.

    It may offer more, which is used where it is there: `density(points)`, the raw density alone; `trunk` and `colour`
    (`SplitField` in engine/rendering); and `preview`, a cheaper field that is baked in its place.
    """

    features: int
    """C, the number of features; at least 3."""
    view_dependent: bool
    """Whether the features depend on the direction."""
    bounds: tuple[tuple[float, float, float], tuple[float, float, float]]
    """Axis-aligned box (lowest, highest corner) outside of which nothing is worth sampling."""

    def __call__(self, points: Tensor, directions: Tensor | None = None) -> tuple[Tensor, Tensor]: ...


@dataclass(frozen=True)
class VolumeSettings:
    """How a family's official code turns a field into pixels; the exact renderer honours every choice."""

    near: float | None
    """Distance along the ray at which sampling starts; None: where the ray meets `bounds` (EG3D's 'auto')."""
    far: float | None
    coarse: int
    """Stratified samples a ray (`depth_resolution` in EG3D, `N_samples` in NeRF)."""
    fine: int
    """Importance samples a ray, added to the coarse ones; 0: none."""
    activation: Activation
    """raw density -> density: softplus(x - 1) (EG3D), softplus(x), relu(x) (NeRF, pi-GAN), exp(x)."""
    quadrature: Quadrature
    """'midpoint': EG3D's marcher, which averages neighbouring samples; 'left': NeRF, eq. 3."""
    sampler: Sampler
    """Whose deterministic sample placement is reproduced."""
    unit_rays: bool = True
    """True: ray directions have length 1 and depth is a distance; False: NeRF's, whose depth is measured along
    the optical axis and whose step lengths are multiplied by the direction's norm."""
    pixels: PixelConvention = "centre"
    """Where in a pixel its ray passes: 'centre' (i + .5) / size, 'corner' i / size, 'inclusive' i / (size - 1)."""
    pixel_stretch: float = 1.0
    """Factor on those positions. StyleNeRF takes every n-th pixel of a larger 'inclusive' picture of side R: that is
    'corner' times R / (R - 1)."""
    white_background: bool = False
    last_interval: float = 1e10
    """Length given to the interval behind the last sample by quadrature 'left'."""
    opaque_end: bool = False
    """Whether the last sample takes all light that is left (pi-GAN's `last_back`)."""
    disparity: bool = False
    """Whether coarse samples are uniform in 1 / depth (EG3D's `disparity_space_sampling`, NeRF's `lindisp`)."""


@runtime_checkable
class Upsampler(Protocol):
    """Super-resolution bound to its codes: composited features `[1, C, h, w]` in 0..1 -> RGB `[1, 3, H, W]` in 0..1."""

    def __call__(self, features: Tensor) -> Tensor: ...


@runtime_checkable
class Refiner(Protocol):
    """Makes a picture `[1, 3, H, W]` in 0..1 agree with each of the rays `[1, C, h, w]` that it was made from."""

    def __call__(self, picture: Tensor, rays: Tensor) -> Tensor: ...


@runtime_checkable
class Background(Protocol):
    """What lies behind the field, where light is left over: NeRF++'s second network, a panorama, a plate.

    Called with the camera (cam2world `[4, 4]`, OpenCV axes; intrinsics `[3, 3]`, normalised) and positions in the
    picture `[N, 2]` (across and down, 0..1), it returns features `[N, C]` as the field's. It is given the camera and
    not rays, because a background may stand still while the camera moves (StyleNeRF's 'freeze_bg').
    """

    def __call__(self, cam2world: Tensor, intrinsics: Tensor, pixels: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Scene:
    """One identity, ready to be seen from anywhere."""

    field: RadianceField
    volume: VolumeSettings
    resolution: int
    """Side in pixels of the image that the volume renderer makes (`neural_rendering_resolution` in EG3D)."""
    image_resolution: int
    """Side in pixels of the native picture, after the upsampler when there is one."""
    proposal: RadianceField | None = None
    """NeRF's coarse network: places the fine samples and adds nothing else. None: the field serves both passes,
    and its coarse samples are composited too."""
    upsampler: Upsampler | None = None
    background: Background | None = None
    """Composited behind the field with the light that is left, by every renderer; None: black, or white where
    `volume.white_background` says so."""
    supersampling: int = 1
    """Rays along each side of a pixel, whose mean the pixel is, in pictures that are worth it: one ray a pixel leaves a
    saw's edge along every silhouette, which super-resolution keeps. Official models were trained on one."""
    refiner: Refiner | None = None
    """Behind the upsampler, where a picture has `supersampling` rays along the side of each of its own pixels."""


@dataclass(frozen=True)
class Conditioning:
    """The camera that the mapping network is told about (EG3D's pose conditioning); not the camera that renders.

    Kept apart on purpose: fed with the rendering camera, a zoom would change the identity.
    """

    yaw: float = 0.0
    """radians"""
    pitch: float = 0.0
    """radians, positive above"""


@dataclass(frozen=True)
class CameraDefaults:
    """Where a family's training cameras stood: first view, and the range in which its pictures can be trusted."""

    radius: float
    """Distance from the pivot, world units."""
    fov: float
    """Angle across the image's height, radians."""
    pivot: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Point that the camera orbits."""
    aim: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Offset from the pivot of the point that it looks at (EG3D orbits the origin but looks at its 'pivot')."""
    up: Axis = "y"
    """World axis that points up."""
    yaw: float = 0.0
    """First yaw, radians."""
    pitch: float = 0.0
    """First pitch, radians, positive above."""
    yaw_range: tuple[float, float] = (-3.14159265, 3.14159265)
    pitch_range: tuple[float, float] = (-1.5, 1.5)
    fov_range: tuple[float, float] = (0.05, 1.6)
    radius_range: tuple[float, float] = (0.1, 10.0)


class Pose(NamedTuple):
    """One camera that took a training picture: a place to fly to."""

    name: str
    """Of the picture, without its folder."""
    cam2world: tuple[tuple[float, ...], ...]
    """[4][4], OpenCV axes, in the scene's own units."""
    intrinsics: tuple[tuple[float, ...], ...]
    """[3][3], normalised by the picture's width and height."""


@runtime_checkable
class Posed(Protocol):
    """What a generator also is when the cameras of its training pictures are known; ask with `isinstance`.

    They are views worth trusting: `camera` is the first of them, and the list is there to fly through.
    """

    poses: Sequence[Pose]


@dataclass(frozen=True)
class Option:
    """A choice that a family's official scripts offer and no checkpoint holds: which weights, which preset."""

    name: str
    """Key in `ViewState.options`."""
    label: str
    """What a panel calls it."""
    choices: tuple[str, ...]
    default: str
    help: str = ""
    cameras: tuple[CameraDefaults, ...] = ()
    """Where the camera goes with each choice (a preset's training camera); empty: it stays."""


@runtime_checkable
class Configurable(Protocol):
    """What a generator also is when it can be opened in several ways; ask with `isinstance`."""

    offered: Sequence[Option]

    def configure(self, choices: Mapping[str, str]) -> Generator:
        """The same networks under other choices (name -> choice); what is not named takes its default.

        Raises:
            CheckpointError: an unknown name or choice, or one that this checkpoint does not allow.
        """
        ...


@dataclass(frozen=True)
class FirstIdentity:
    """What a model opens with, chosen by eye; read from a generator's optional attribute `first_identity`."""

    seeds: tuple[int, int]
    truncation: float = 0.7


@dataclass(frozen=True)
class CameraSlider:
    """A slider of a family's own demonstration: the state's value is `origin` + `scale` * slider, in radians."""

    low: float
    high: float
    start: float
    """Where it stands at first."""
    origin: float
    scale: float

    def value(self, slider: float) -> float:
        """The state's value, radians, for a slider's position."""
        return self.origin + self.scale * slider

    def position(self, value: float) -> float:
        """The slider's position for a state's value in radians; may lie outside low..high."""
        return (value - self.origin) / self.scale


@dataclass(frozen=True)
class DemoControls:
    """How a family's own demonstration is operated, so that a panel can offer the same sliders.

    Read from a generator's optional attribute `demo`.
    """

    yaw: CameraSlider
    pitch: CameraSlider
    roll: CameraSlider
    fov: CameraSlider
    seeds: tuple[int, int] = (0, 1)
    """Seeds A and B at first."""
    truncation: float = 0.7
    mix_shows_a: bool = False
    """Whether the demonstration's mixing ratio 1 means seed A: then it is 1 - our `mix_geometry` (or appearance)."""


@dataclass(frozen=True)
class ModelCard:
    """What a model is, in words and numbers that a person can check."""

    name: str
    family: str
    title: str
    summary: str = ""
    licence: str = "unknown"
    fingerprint: str = ""
    """sha256 of the file's bytes, hexadecimal."""
    configuration: dict[str, Any] = field(default_factory=dict)
    """Sizes and settings read from the file."""
    training: dict[str, Any] = field(default_factory=dict)
    """Data, recipe, command, steps, time, metrics: only where known."""


@runtime_checkable
class Generator(Protocol):
    """Codes in, scene out. A NeRF of one scene is a generator without latents: `num_layers` 0, `codes` `[0, 0]`."""

    card: ModelCard
    camera: CameraDefaults
    num_layers: int
    """Number of per-layer codes (EG3D's `num_ws`); 0: no latent, seeds and mixing do nothing."""
    geometry_layers: Sequence[int]
    appearance_layers: Sequence[int]
    layer_names: Sequence[str]
    """A short name for each code, e.g. '16x16 conv1'."""
    has_noise: bool
    """Whether `noise` in `scene` changes anything."""
    has_conditioning: bool
    """Whether `conditioning` in `codes` changes anything."""

    def codes(
        self,
        seed: int,
        *,
        truncation: float = 1.0,
        cutoff: int | None = None,
        conditioning: Conditioning = Conditioning(),
    ) -> Tensor:
        """One seed's codes `[num_layers, width]`, as the family's official scripts understand the seed.

        w = w_avg + truncation (w - w_avg) on the first `cutoff` layers (None: on all).
        """
        ...

    def scene(self, codes: Tensor, *, noise: NoiseMode = "const", noise_seed: int = 0) -> Scene:
        """The scene that `codes` `[num_layers, width]` describe."""
        ...

    def to(self, device: str) -> Generator:
        """Move every tensor to `device` ('cpu', 'cuda:0'); returns self."""
        ...


@dataclass(frozen=True)
class GBuffer:
    """What a graphics engine knows of a frame beyond labels and motion; each part is None where it does not say.

    Maps are `[H, W]` unless another shape stands there. Where a part means nothing (the depth of the sky, the storey of
    a road) it holds NaN.
    """

    depth: Tensor | None = None
    """Along the optical axis, metres."""
    expected_depth: Tensor | None = None
    """Metres from the *previous* camera to the point seen here: beside the previous frame's depth it tells whether
    that frame showed the point. At most 0: it was behind the camera."""
    height: Tensor | None = None
    """Above the ground, metres."""
    storey: Tensor | None = None
    """On a facade, storeys above its foot; the fraction is the phase."""
    bay: Tensor | None = None
    """On a facade, bays from its corner; the fraction is the phase."""
    normals: Tensor | None = None
    """`[3, H, W]`, unit vectors in the camera's frame (right, down, forward)."""
    shadow: Tensor | None = None
    """1 where the sun does not reach, 0 where it does."""
    ground: Tensor | None = None
    """`[2, H, W]`: the point's east and north in the world, metres; what is painted on the ground stays there."""
    sun: Tensor | None = None
    """`[3]`: unit vector towards the sun in the car's frame (forward, left, up)."""


@runtime_checkable
class Translator(Protocol):
    """Paints frames that exist as maps: what the engine knows in, picture out, and what to remember for the next.

    A frame is a function of its arguments alone. `memory` is what the previous call returned and is never changed in
    place, so a drive can be paused, stepped and replayed from any frame. None starts a sequence; SPADE and pix2pixHD
    return None always, as they remember nothing.
    """

    card: ModelCard
    label_set: LabelSet
    """The numbering in which labels are expected; `labels.convert` makes it."""
    multiple: int
    """Height and width must be multiples of this."""
    resolution: tuple[int, int] | None
    """(height, width) that it was trained for, where known; others work, less well."""
    has_memory: bool
    """Whether a frame depends on those before it."""

    def __call__(
        self,
        labels: Tensor,
        instances: Tensor,
        motion: Tensor | None,
        memory: Any = None,
        gbuffer: GBuffer | None = None,
    ) -> tuple[Tensor, Any]:
        """The picture `[3, H, W]`, RGB in 0..1, fp32, and the memory to give with the next frame.

        Args:
            labels: `[H, W]`, integers in `label_set`.
            instances: `[H, W]`, integers; which ids does not matter to official networks, only where they differ.
            motion: `[H, W, 2]`, pixels right and down from here to where the previous frame showed the same point;
                None: unknown. vid2vid estimates its own.
            memory: what the call for the previous frame returned; None at the start of a sequence.
            gbuffer: what more the engine knows; None, or parts of it None: nothing.

        Raises:
            FrameError: maps of different sizes, of a size that the network does not take, or labels out of range.
        """
        ...

    def to(self, device: str) -> Translator:
        """Move every tensor to `device` ('cpu', 'cuda:0'); returns self."""
        ...

    def prepare(self, kind: dtype) -> Translator:
        """Compute in `kind` (float32, bfloat16, float16); returns self. Those that cannot bear less stay in float32."""
        ...

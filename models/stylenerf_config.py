"""What shapes a StyleNeRF generator and how it is rendered: frozen and checked, sizes as the tensors have them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from .errors import CheckpointError
from .layers.learned_upsampling import Growth

MOST_SAMPLES = 1024
LARGEST_SIDE = 4096


@dataclass(frozen=True)
class PointMLP:
    """The perceptron of the foreground or the background."""

    coordinates: int
    """3: a position; 4: a direction and an inverse distance (NeRF++, section 4)."""
    octaves: int
    """Of the encoding sin(2^k pi p), cos(2^k pi p)."""
    width: int
    layers: int
    """Hidden layers, the first included."""
    features: int
    """What the up-sampler reads, beside RGB."""
    latent: int = 0
    """Width of a random code appended to the encoding; 0: none."""
    styled: bool = True
    """Whether codes modulate the layers."""
    magnitude: bool = False
    """Whether hidden layers divide by a tracked magnitude."""
    rgb_layer: bool = True
    """Whether RGB is read off the features; else it is their first three channels."""
    downscale: float = 1.0
    """Divides the coordinates before they are encoded."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("coordinates", 3, 4),
            ("octaves", 1, 24),
            ("width", 1, 8192),
            ("layers", 1, 64),
            ("features", 1, 8192),
            ("latent", 0, 8192),
        ):
            _whole(getattr(self, name), f"perceptron's {name}", low, high)
        _number(self.downscale, "perceptron's downscale", 1e-6, 1e6)

    @property
    def codes(self) -> int:
        """Codes that it takes: one a layer and one for each of density and features; none without style."""
        return self.layers + 2 if self.styled else 0

    @property
    def inputs(self) -> int:
        """Width of the first layer's input."""
        return 2 * self.coordinates * self.octaves + self.latent


@dataclass(frozen=True)
class StyleNeRFConfig:
    """Everything about a StyleNeRF generator but its numbers; angles in radians, lengths in scene units."""

    z_dim: int
    w_dim: int
    mapping_layers: int
    image_resolution: int
    volume_resolution: int
    foreground: PointMLP
    background: PointMLP | None
    channels: tuple[int, ...]
    """Of the up-sampling blocks, from low to high resolution; empty: no up-sampler."""
    kernel: int = 1
    growth: Growth = "nn_cat"
    blur: bool = True
    magnitude: bool = True
    noise: bool = False
    clamp: float | None = 256.0
    residual_image: bool = True
    """Whether each block's image is added to the one before."""
    shared_rgb: bool = False
    """Whether all ToRGB layers take the last code."""
    alpha: float = -1.0
    """How far progressive growing has come, 0..1; -1: not grown progressively."""
    samples: int = 14
    """Coarse samples a ray, and as many fine ones."""
    background_samples: int = 4
    hierarchical: bool = True
    activation: Literal["relu", "softplus_shifted"] = "relu"
    unit_intervals: bool = False
    """Whether intervals count as parts of near..far in place of lengths (`dists_normalized`)."""
    near: float = 0.88
    far: float = 1.12
    fov: float = math.radians(12.0)
    """Across the picture's height."""
    radius: tuple[float, float] = (1.0, 1.0)
    yaw_range: tuple[float, float] = (-0.3, 0.3)
    """Mean minus and plus one standard deviation with `gaussian_camera`, else the ends."""
    polar_range: tuple[float, float] = (math.pi / 2 - 0.155, math.pi / 2 + 0.155)
    """Angle from the upward axis."""
    aligned_corners: bool = False
    """Whether the volume's pixels are every n-th of a full picture whose outermost pixels lie on its edges."""
    background_start: float = 0.5
    """Inverse distance at which the background begins."""
    crop: tuple[int, int] | None = None
    """(height, width) of the pictures it was trained on, when they were letter-boxed."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("z_dim", 1, 8192),
            ("w_dim", 1, 8192),
            ("mapping_layers", 1, 64),
            ("image_resolution", 4, LARGEST_SIDE),
            ("volume_resolution", 4, LARGEST_SIDE),
            ("samples", 3, MOST_SAMPLES),
            ("background_samples", 2, MOST_SAMPLES),
        ):
            _whole(getattr(self, name), name, low, high)
        if self.kernel not in (1, 3):
            raise CheckpointError(f"the up-sampler's kernels are {self.kernel} wide; expected 1 or 3")
        if self.growth not in get_args(Growth):
            known = ", ".join(get_args(Growth))
            raise CheckpointError(f"upsample_mode is {str(self.growth)[:80]!r}; known are {known}")
        if self.growth == "default" and self.kernel != 3 and self.channels:
            raise CheckpointError("upsample_mode 'default' needs kernels 3 wide, the file's are 1 wide")
        if self.volume_resolution << len(self.channels) != self.image_resolution:
            raise CheckpointError(
                f"{len(self.channels)} up-sampling blocks make {self.volume_resolution} pixels "
                f"{self.volume_resolution << len(self.channels)}; the file says {self.image_resolution}"
            )
        for index, width in enumerate(self.channels):
            _whole(width, f"channels of block {index}", 4, 8192)
        for name in ("near", "far", "fov", "background_start", *(() if self.clamp is None else ("clamp",))):
            _number(getattr(self, name), name, 1e-6, 1e6)
        for name in ("radius", "yaw_range", "polar_range"):
            for value in getattr(self, name):
                _number(value, name, -1e4, 1e4)
        if not self.near < self.far or not self.fov < math.pi or not min(self.radius) > 0:
            raise CheckpointError(
                f"the camera sees from {self.near} to {self.far} with {self.fov} radians at {self.radius}; "
                "expected a near before the far end, an angle under pi and a radius over 0"
            )
        if self.unit_intervals and self.activation != "relu":
            raise CheckpointError("dists_normalized together with a density other than relu is not supported")
        _number(self.alpha, "alpha", -1.0, 1.0)

    @property
    def num_ws(self) -> int:
        """Codes: foreground, background, two a block, and one for the last ToRGB."""
        inner = self.foreground.codes + (self.background.codes if self.background else 0)
        return inner + 2 * len(self.channels) + bool(self.channels)

    @property
    def block_resolutions(self) -> tuple[int, ...]:
        """Side of each block's output, pixels."""
        return tuple(self.volume_resolution << (index + 1) for index in range(len(self.channels)))

    @property
    def levels(self) -> tuple[int, float]:
        """Blocks in use, and how much of the last one's image is taken (the rest is the one before, enlarged)."""
        count = len(self.channels)
        if not 0.0 <= self.alpha < 1.0:
            return count, 1.0
        part, whole = math.modf(self.alpha * count)
        return (0, 1.0) if self.alpha == 0.0 else (int(whole) + 1, part)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, given: Any) -> StyleNeRFConfig:
        """The configuration that `to_dict` wrote.

        Raises:
            CheckpointError: a key is unknown or missing, or its value impossible.
        """
        if not isinstance(given, Mapping):
            raise CheckpointError(f"config is a {type(given).__name__}; expected an object")
        values = dict(given)
        try:
            for name in ("foreground", "background"):
                if values.get(name) is not None:
                    values[name] = PointMLP(**values[name])
            for item in fields(cls):
                if isinstance(values.get(item.name), list):
                    values[item.name] = tuple(values[item.name])
            return cls(**values)
        except (TypeError, AttributeError, ValueError, OverflowError) as error:
            raise CheckpointError(f"config is not a StyleNeRF's: {str(error)[:200]}") from error


def _whole(value: Any, name: str, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise CheckpointError(f"{name} is {str(value)[:80]}; expected a whole number from {low} to {high}")


def _number(value: Any, name: str, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise CheckpointError(f"{name} is {str(value)[:80]}; expected a number from {low:g} to {high:g}")

"""What shapes an EG3D generator and how it is rendered: frozen, checked on construction, loss-free to and from JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, get_args

from .errors import CheckpointError

SuperResolutionKind = Literal["2X", "4X", "8X", "8XDC"]

# Channels of the two super-resolution blocks in the official modules.
OFFICIAL_SR_CHANNELS: dict[str, tuple[int, int]] = {
    "2X": (128, 64),
    "4X": (128, 64),
    "8X": (128, 64),
    "8XDC": (256, 128),
}
# How much each module enlarges its input: 2X and 4X keep the resolution in their first block.
SR_FACTOR: dict[str, int] = {"2X": 2, "4X": 2, "8X": 4, "8XDC": 4}


@dataclass(frozen=True)
class EG3DRendering:
    """Volume rendering settings as EG3D's `rendering_kwargs` name them; lengths in scene units."""

    ray_start: float | Literal["auto"] = 2.25
    """Distance of the first sample from the camera; 'auto' takes the rays' entry into the box."""
    ray_end: float | Literal["auto"] = 3.3
    """Distance of the last sample; 'auto' takes the rays' exit from the box."""
    box_warp: float = 1.0
    """Side of the cube the planes span, centred on the origin."""
    depth_resolution: int = 48
    """Coarse samples a ray."""
    depth_resolution_importance: int = 48
    """Fine samples a ray; 0 turns importance sampling off."""
    white_back: bool = False
    """White behind the volume, else black."""
    disparity_space_sampling: bool = False
    """Coarse samples uniform in 1 / depth, else in depth."""
    clamp_mode: Literal["softplus"] = "softplus"
    """Density activation: softplus(raw - 1)."""
    density_noise: float = 0.0
    """Standard deviation of noise added to the raw density while training."""
    avg_camera_radius: float = 2.7
    """Distance of the usual camera from the world origin."""
    avg_camera_pivot: tuple[float, float, float] = (0.0, 0.0, 0.2)
    """The point the usual camera looks at."""
    c_gen_conditioning_zero: bool = False
    """Feed zeros to the mapping network in place of the conditioning camera."""
    c_scale: float = 1.0
    """Factor on the conditioning camera before the mapping network."""
    supersampling: int = 1
    """Rays along each side of a pixel of a picture that stands still; not among the official settings."""

    def __post_init__(self) -> None:
        for name in ("ray_start", "ray_end"):
            value = getattr(self, name)
            if value != "auto" and not (_is_number(value) and value >= 0):
                raise CheckpointError(f"rendering.{name} is {value!r}; expected a distance of at least 0, or 'auto'")
        if (self.ray_start == "auto") != (self.ray_end == "auto"):
            raise CheckpointError("rendering.ray_start and ray_end must either both be 'auto' or both be distances")
        if self.ray_start != "auto" and not self.ray_start < self.ray_end:  # type: ignore[operator]
            raise CheckpointError(f"rendering.ray_end {self.ray_end} must lie beyond ray_start {self.ray_start}")
        _check(self.box_warp, "rendering.box_warp", 1e-6, 1e6)
        _check(self.avg_camera_radius, "rendering.avg_camera_radius", 1e-6, 1e6)
        _check(self.density_noise, "rendering.density_noise", 0.0, 1e6)
        _check(self.c_scale, "rendering.c_scale", -1e6, 1e6)
        for name in ("white_back", "disparity_space_sampling", "c_gen_conditioning_zero"):
            if not isinstance(getattr(self, name), bool):
                raise CheckpointError(f"rendering.{name} is {getattr(self, name)!r}; expected true or false")
        _check(self.depth_resolution, "rendering.depth_resolution", 1, 4096, whole=True)
        _check(self.depth_resolution_importance, "rendering.depth_resolution_importance", 0, 4096, whole=True)
        _check(self.supersampling, "rendering.supersampling", 1, 8, whole=True)
        if self.clamp_mode != "softplus":
            raise CheckpointError(f"rendering.clamp_mode is {self.clamp_mode!r}; only 'softplus' is known")
        pivot = self.avg_camera_pivot
        if not isinstance(pivot, (tuple, list)) or len(pivot) != 3 or not all(map(_is_number, pivot)):
            raise CheckpointError(f"rendering.avg_camera_pivot is {pivot!r}; expected three numbers")
        object.__setattr__(self, "avg_camera_pivot", tuple(float(v) for v in pivot))


@dataclass(frozen=True)
class EG3DConfig:
    """Everything that decides the shape of an EG3D generator; defaults are the released FFHQ 512-128 model's."""

    z_dim: int = 512
    c_dim: int = 25
    """Width of the conditioning camera label: 25 (4 x 4 cam2world, 3 x 3 intrinsics) or 0 for none."""
    w_dim: int = 512
    mapping_layers: int = 2
    mapping_lr_multiplier: float = 0.01
    plane_resolution: int = 256
    """Side of each of the three planes; a power of two of at least 4."""
    plane_channels: int = 32
    """Channels of each plane; also what the decoder reads."""
    channel_base: int = 32768
    """The backbone has min(channel_base / resolution, channel_max) channels at each resolution."""
    channel_max: int = 512
    conv_clamp: float | None = None
    """Limit on backbone activations; None for none."""
    learned_noise: bool = False
    """Whether the constant noise was learned, as a picture of what stands in one place: no other can replace it."""
    decoder_hidden: int = 64
    decoder_features: int = 32
    """Features a ray gathers, the first three of which are its colour; the super-resolution's input."""
    decoder_lr_mul: float = 1.0
    neural_rendering_resolution: int = 128
    image_resolution: int = 512
    superresolution: SuperResolutionKind = "8XDC"
    sr_input_resolution: int = 128
    """Feature images of another size are resized to this before super-resolution."""
    sr_channels: tuple[int, int] | None = None
    """Channels of the two super-resolution blocks; None takes the official ones, filled in on construction."""
    sr_antialias: bool = True
    sr_noise_mode: Literal["const", "none", "random"] = "none"
    sr_conv_clamp: float | None = 256.0
    """Limit on super-resolution activations, there for fp16; None for none."""
    refiner_channels: int = 0
    """Width of the `RayRefiner` behind the super-resolution; 0 for none, as in official models."""
    rendering: EG3DRendering = field(default_factory=EG3DRendering)

    def __post_init__(self) -> None:
        _check(self.z_dim, "z_dim", 1, 8192, whole=True)
        _check(self.c_dim, "c_dim", 0, 1024, whole=True)
        _check(self.w_dim, "w_dim", 1, 8192, whole=True)
        _check(self.mapping_layers, "mapping_layers", 1, 64, whole=True)
        _check(self.mapping_lr_multiplier, "mapping_lr_multiplier", 1e-8, 1e4)
        _check(self.plane_resolution, "plane_resolution", 4, 2048, whole=True)
        if self.plane_resolution & (self.plane_resolution - 1):
            raise CheckpointError(f"plane_resolution is {self.plane_resolution}; expected a power of two")
        for name in ("plane_channels", "channel_max", "decoder_hidden"):
            _check(getattr(self, name), name, 1, 4096, whole=True)
        _check(self.channel_base, "channel_base", self.plane_resolution, 1 << 24, whole=True)
        _check(self.decoder_features, "decoder_features", 3, 4096, whole=True)
        _check(self.decoder_lr_mul, "decoder_lr_mul", 1e-8, 1e4)
        for name in ("neural_rendering_resolution", "sr_input_resolution"):
            _check(getattr(self, name), name, 4, 2048, whole=True)
        _check(self.image_resolution, "image_resolution", 4, 4096, whole=True)
        for name in ("conv_clamp", "sr_conv_clamp"):
            if getattr(self, name) is not None:
                _check(getattr(self, name), name, 1e-6, 1e30)
        if self.superresolution not in get_args(SuperResolutionKind):
            known = ", ".join(get_args(SuperResolutionKind))
            raise CheckpointError(f"superresolution is {self.superresolution!r}; expected one of {known}")
        for name in ("learned_noise", "sr_antialias"):
            if not isinstance(getattr(self, name), bool):
                raise CheckpointError(f"{name} is {getattr(self, name)!r}; expected true or false")
        if self.sr_noise_mode not in ("const", "none", "random"):
            raise CheckpointError(f"sr_noise_mode is {self.sr_noise_mode!r}; expected const, none or random")
        channels = OFFICIAL_SR_CHANNELS[self.superresolution] if self.sr_channels is None else self.sr_channels
        if not isinstance(channels, (tuple, list)) or len(channels) != 2:
            raise CheckpointError(f"sr_channels is {channels!r}; expected two numbers of channels")
        for value in channels:
            _check(value, "sr_channels", 1, 4096, whole=True)
        object.__setattr__(self, "sr_channels", tuple(channels))
        expected = self.sr_input_resolution * SR_FACTOR[self.superresolution]
        if self.image_resolution != expected:
            raise CheckpointError(
                f"image_resolution is {self.image_resolution}, but super-resolution {self.superresolution} turns "
                f"{self.sr_input_resolution} into {expected}; change sr_input_resolution or image_resolution"
            )
        if not isinstance(self.rendering, EG3DRendering):
            raise CheckpointError(f"rendering is a {type(self.rendering).__name__}; expected EG3DRendering")
        _check(self.refiner_channels, "refiner_channels", 0, 4096, whole=True)
        if self.refiner_channels and self.image_resolution % self.rays_across:
            raise CheckpointError(
                f"refiner_channels is {self.refiner_channels}, but pictures of {self.image_resolution} pixels are no "
                f"multiple of their {self.rays_across} rays; change rendering.supersampling"
            )

    @property
    def rays_across(self) -> int:
        """Rays along a side of a picture that stands still."""
        return self.neural_rendering_resolution * self.rendering.supersampling

    @property
    def num_ws(self) -> int:
        """Style vectors the backbone reads: two for each resolution from 4 on (14 at 256)."""
        return 2 * self.plane_resolution.bit_length() - 4

    @property
    def block_resolutions(self) -> tuple[int, ...]:
        """4, 8, ... up to the planes' resolution."""
        return tuple(1 << power for power in range(2, self.plane_resolution.bit_length()))

    def channels_at(self, resolution: int) -> int:
        """Backbone channels at one resolution."""
        return min(self.channel_base // resolution, self.channel_max)

    def to_dict(self) -> dict[str, Any]:
        """Plain values only, ready for JSON; `from_dict` reads them back."""
        plain = asdict(self)
        plain["sr_channels"] = list(self.sr_channels or ())
        plain["rendering"]["avg_camera_pivot"] = list(self.rendering.avg_camera_pivot)
        return plain

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> EG3DConfig:
        """Reads what `to_dict` wrote; missing fields take their defaults.

        Raises:
            CheckpointError: a field is unknown, of the wrong type, or out of range.
        """
        given = dict(_known(values, cls, "EG3D configuration"))
        rendering = given.get("rendering", {})
        if isinstance(rendering, EG3DRendering):
            return cls(**given)
        given["rendering"] = EG3DRendering(**_known(rendering, EG3DRendering, "EG3D rendering"))
        return cls(**given)

    def with_rendering(self, **changes: Any) -> EG3DConfig:
        """A copy with some rendering settings replaced."""
        return replace(self, rendering=replace(self.rendering, **changes))


def _known(values: Any, cls: type, what: str) -> Mapping[str, Any]:
    if not isinstance(values, Mapping):
        raise CheckpointError(f"{what} is a {type(values).__name__}; expected an object of named values")
    names = [f.name for f in fields(cls)]
    unknown = [str(key) for key in values if key not in names]
    if unknown:
        raise CheckpointError(f"{what} has unknown field {unknown[0]!r}; known are {', '.join(names)}")
    return values


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _check(value: Any, name: str, low: float, high: float, *, whole: bool = False) -> None:
    right_type = isinstance(value, int) and not isinstance(value, bool) if whole else _is_number(value)
    if not right_type or not low <= value <= high:
        kind = "a whole number" if whole else "a number"
        raise CheckpointError(f"{name} is {value!r}; expected {kind} between {low:g} and {high:g}")

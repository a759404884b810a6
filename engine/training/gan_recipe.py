"""How GANs are trained from pictures alone: rates, regularisers and schedules; a size for a CPU and official ones."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from ...models.base import CameraDefaults
from ...models.eg3d_config import EG3DConfig, EG3DRendering
from ...models.pigan import PiGANLayout
from .gan_adversary import AdversaryRecipe

Preset = Literal["tiny", "small", "official"]


@dataclass(frozen=True)
class EG3DRecipe:
    """Everything that decides an EG3D run. Schedules are fractions of the run, so that they fit any length of it."""

    config: EG3DConfig
    """Sizes of the generator, and how it renders."""
    batch: int = 4
    """Pictures a step of each process; officially 32 over all."""
    rate: float = 2.5e-3
    adversary: AdversaryRecipe = field(default_factory=AdversaryRecipe)
    discriminator_base: int = 32768
    discriminator_max: int = 512
    neural_start: int = 64
    """Side of the raw rendering at first; from `neural_from` to `neural_until` it grows to the generator's own."""
    neural_from: float = 0.4
    neural_until: float = 0.5
    blur: float = 10.0
    """Standard deviation, pixels, of what both kinds of pictures are blurred by at first."""
    blur_until: float = 0.02
    told_pose: bool = True
    """Whether the discriminator is told the camera."""
    swap: float = 0.5
    """Probability that the generator is told another camera than renders: how much of a face may depend on its pose."""
    swap_fade: float = 0.04
    """It begins at 1 and falls to `swap` over this part of the run."""
    style_mixing: float = 0.0
    """Probability that the later layers take another latent's w (Karras et al. 2019, section 3.1)."""
    density_weight: float = 0.25
    density_every: int = 4
    density_distance: float = 0.004
    """In half boxes."""
    noise: bool = True
    """Whether StyleGAN2's noise is drawn in training."""
    average: float = 10.0
    """Half-life of the averaged weights, thousands of pictures; at most a twentieth of those seen."""
    clip: float | None = None
    """Greatest norm of the generator's gradient."""
    seed: int = 0


@dataclass(frozen=True)
class PiGANRecipe:
    """Everything that decides a pi-GAN run; lengths are in distances of the camera."""

    layout: PiGANLayout
    """Sizes of the generator."""
    sides: tuple[int, ...] = (32, 64, 128)
    """Of the pictures, one after another."""
    ends: tuple[float, ...] = (0.4, 0.75)
    """Where in the run each but the last of them ends."""
    fade: float = 0.05
    """Part of the run over which a new size is faded in."""
    samples: int = 12
    """Coarse samples a ray, and as many fine ones."""
    box: float = 0.24
    """Side of the cube that is seen."""
    white: bool = False
    view_dependent: bool = True
    noise: float = 1.0
    """Standard deviation of what is added to raw densities at first: a rectifier that starts out below zero everywhere
    would never learn (NeRF, appendix A)."""
    noise_until: float = 0.05
    """Part of the run by which it has faded."""
    batch: int = 8
    rate: float = 6e-5
    adversary: AdversaryRecipe = field(default_factory=lambda: AdversaryRecipe(2e-4, 0.2, 1, 0.9))
    discriminator_base: int = 4096
    discriminator_max: int = 400
    average: float = 5.0
    """Half-life of the averaged weights, thousands of pictures."""
    clip: float | None = 10.0
    seed: int = 0

    def __post_init__(self) -> None:
        if len(self.ends) != len(self.sides) - 1 or list(self.ends) != sorted(self.ends):
            raise ValueError(f"{len(self.sides)} sizes and {len(self.ends)} ends; expected one less, increasing")


def eg3d_recipe(
    preset: Preset,
    size: int,
    camera: CameraDefaults,
    *,
    white: bool,
    box: float | None = None,
    posed: bool = True,
    seed: int = 0,
) -> EG3DRecipe:
    """A recipe for pictures of `size` pixels taken by cameras such as `camera`.

    Args:
        preset: 'tiny' trains on a CPU, 'small' on a small GPU, 'official' has EG3D's sizes.
        size: of the pictures: a power of two of at least 32.
        camera: what the data's cameras look at, and from where.
        white: whether the pictures stand on white.
        box: side of the cube that holds the scene; None: a tenth more than the picture shows at its distance.
        posed: whether the pictures have cameras; without, neither network is told one.
        seed: of the first weights.
    """
    focal = 0.5 / math.tan(0.5 * camera.fov)
    box = 1.1 * camera.radius / focal if box is None else box
    depth = {"tiny": 14, "small": 32, "official": 48}[preset]
    rendering = EG3DRendering(
        ray_start=max(camera.radius - 0.5 * box, 0.05 * camera.radius),
        ray_end=camera.radius + 0.5 * box,
        box_warp=box,
        depth_resolution=depth,
        depth_resolution_importance=depth,
        white_back=white,
        avg_camera_radius=camera.radius,
        avg_camera_pivot=camera.pivot,
        c_gen_conditioning_zero=preset != "official",
        c_scale=1.0 if preset == "official" else 0.0,
    )
    neural = {"tiny": 32, "small": 64, "official": 128}[preset]
    neural = min(neural, size // 2)
    # The super-resolution enlarges by 2 or 4; what lies between it and the raw rendering is interpolated.
    kind, factor = ("2X", 2) if size // neural < 4 else ("8XDC", 4)
    common = {
        "rendering": rendering,
        "neural_rendering_resolution": neural,
        "image_resolution": size,
        "superresolution": kind,
        "sr_input_resolution": size // factor,
        "c_dim": 25 if preset == "official" and posed else 0,
    }
    if preset == "official":
        return EG3DRecipe(
            EG3DConfig(**common), told_pose=posed, adversary=AdversaryRecipe(r1=size * size / 2**18), seed=seed
        )
    small = preset == "small"
    config = EG3DConfig(
        z_dim=256 if small else 64,
        w_dim=256 if small else 96,
        plane_resolution=128 if small else 64,
        plane_channels=32 if small else 12,
        channel_base=8192 if small else 1024,
        channel_max=256 if small else 64,
        decoder_hidden=64 if small else 32,
        decoder_features=16 if small else 8,
        sr_channels=(64, 32) if small else (24, 16),
        sr_conv_clamp=256.0 if small else None,
        **common,
    )
    return EG3DRecipe(
        config,
        batch=8 if small else 12,
        discriminator_base=8192 if small else 1024,
        discriminator_max=256 if small else 64,
        neural_start=max(neural // 2, 8),
        told_pose=posed,
        adversary=AdversaryRecipe(r1=size * size / 2**15 if small else size * size / 2**14),
        blur=0.1 * size,
        blur_until=0.05,
        neural_from=0.5,
        neural_until=0.6,
        noise=small,
        average=5.0 if small else 1.0,
        seed=seed,
    )


def pigan_recipe(
    preset: Preset, size: int, camera: CameraDefaults, *, white: bool, box: float | None = None, seed: int = 0
) -> PiGANRecipe:
    """A recipe for pictures of `size` pixels taken by cameras such as `camera`; arguments as for `eg3d_recipe`."""
    box = (1.1 * math.tan(0.5 * camera.fov) * 2) if box is None else box / camera.radius
    smallest = {"tiny": 16, "small": 32, "official": 32}[preset]
    sides = (*(side for side in (smallest, 2 * smallest, 4 * smallest) if side < size), size)
    ends = tuple(round(0.8 * (index + 1) / len(sides), 3) for index in range(len(sides) - 1))
    width, depth = {"tiny": (64, 4), "small": (128, 6), "official": (256, 8)}[preset]
    layout = PiGANLayout(width=width, depth=depth, z_dim=width, mapping_width=width, mapping_depth=3, scale=2 / box)
    common = {"sides": sides, "ends": ends, "box": box, "white": white, "seed": seed}
    if preset == "official":
        return PiGANRecipe(layout, **common)
    tiny = preset == "tiny"
    return PiGANRecipe(
        layout,
        samples=8 if tiny else 12,
        rate=4e-4 if tiny else 1e-4,
        adversary=AdversaryRecipe(2e-4, 2.0 if tiny else 0.5, 4, 0.9),
        discriminator_base=1024 if tiny else 2048,
        discriminator_max=64 if tiny else 256,
        average=1.0,
        **common,
    )

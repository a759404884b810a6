"""A trained NeRF as a generator without latents: one scene, and the camera that its training pictures suggest."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .base import CameraDefaults, Conditioning, ModelCard, NoiseMode, Scene, VolumeSettings
from .nerf import Bounds, NeRFField, NeRFNetwork

# Blender's synthetic scenes (NeRF, section 6.1). No checkpoint holds any of this; all eight scenes share it.
BLENDER_BOUNDS: Bounds = ((-1.5, -1.5, -1.5), (1.5, 1.5, 1.5))
BLENDER_CAMERA = CameraDefaults(
    radius=4.0311,
    fov=0.6911112,  # camera_angle_x of the data set: a focal length of 138.889 pixels in a picture 100 wide
    up="z",
    yaw=math.radians(45.0),  # the excavator from its cab's side, bucket in front
    pitch=math.radians(30.0),
    pitch_range=(math.radians(-5.0), math.radians(89.0)),  # the training cameras stood on the upper half of a sphere
    fov_range=(0.1, 1.4),
    radius_range=(1.0, 6.0),
)
BLENDER_VOLUME = VolumeSettings(
    near=2.0,
    far=6.0,
    coarse=64,
    fine=64,
    activation="relu",
    quadrature="left",
    sampler="nerf",
    unit_rays=False,
    pixels="corner",
    white_background=True,
)


class NeRFGenerator:
    """One NeRF, in the `Generator` contract: `num_layers` is 0, seeds and mixing do nothing.

    Args:
        coarse: places the fine samples; with `fine` None it is the scene itself.
        fine: the scene; None: trained without importance sampling.
        card: what the model is.
        camera: first view and its ranges; the default suits Blender's synthetic scenes.
        volume: how it is rendered; the default is nerf-pytorch's for those scenes.
        bounds: box outside of which nothing is worth sampling.
        resolution: side of the native picture in pixels (the published low-resolution weights were trained at 400).
    """

    num_layers = 0
    geometry_layers: Sequence[int] = ()
    appearance_layers: Sequence[int] = ()
    layer_names: Sequence[str] = ()
    has_noise = False
    has_conditioning = False

    def __init__(
        self,
        coarse: NeRFNetwork,
        fine: NeRFNetwork | None,
        card: ModelCard,
        *,
        camera: CameraDefaults = BLENDER_CAMERA,
        volume: VolumeSettings = BLENDER_VOLUME,
        bounds: Bounds = BLENDER_BOUNDS,
        resolution: int = 400,
    ) -> None:
        self.coarse = coarse
        self.fine = fine
        self.card = card
        self.camera = camera
        self.volume = volume
        self.bounds = bounds
        self.resolution = resolution

    @property
    def device(self) -> torch.device:
        """Where the networks' tensors are."""
        return self.coarse.density.bias.device

    @property
    def network(self) -> NeRFNetwork:
        """The network that is the scene, the one that edits change: the fine one, where there is one."""
        return self.coarse if self.fine is None else self.fine

    def codes(
        self,
        seed: int,
        *,
        truncation: float = 1.0,
        cutoff: int | None = None,
        conditioning: Conditioning = Conditioning(),  # noqa: B008
    ) -> Tensor:
        """No codes: [0, 0], whatever is asked."""
        return torch.zeros(0, 0, device=self.device)

    def scene(self, codes: Tensor, *, noise: NoiseMode = "const", noise_seed: int = 0) -> Scene:
        """The scene, made from the networks' present weights: ask again after editing them."""
        # Where rays end at the box, those that miss it are sampled all the same (`ray_limits`): they see nothing.
        clipped = self.volume.near is None and self.volume.far is None
        return Scene(
            field=NeRFField(self.network, self.bounds, clipped=clipped),
            volume=self.volume,
            resolution=self.resolution,
            image_resolution=self.resolution,
            proposal=None if self.fine is None else NeRFField(self.coarse, self.bounds, clipped=clipped),
        )

    def to(self, device: str) -> NeRFGenerator:
        """Moves the networks; scenes made before stay where they were."""
        self.coarse.to(device)
        if self.fine is not None:
            self.fine.to(device)
        return self

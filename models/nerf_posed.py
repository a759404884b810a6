"""A NeRF whose training cameras are known, and that may live in normalised device coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from .base import CameraDefaults, ModelCard, NoiseMode, Pose, Scene, VolumeSettings
from .nerf import Bounds, NeRFField, NeRFNetwork
from .nerf_generator import BLENDER_BOUNDS, BLENDER_CAMERA, BLENDER_VOLUME, NeRFGenerator
from .nerf_ndc import NDC, NDCField


@dataclass(frozen=True)
class Setting:
    """What no NeRF checkpoint holds: where its scene lies and how it is looked at. The defaults are Blender's."""

    camera: CameraDefaults = BLENDER_CAMERA
    volume: VolumeSettings = BLENDER_VOLUME
    bounds: Bounds = BLENDER_BOUNDS
    ndc: NDC | None = None
    """Not None: the network was trained in NDC; `bounds` is in world coordinates all the same."""
    poses: tuple[Pose, ...] = ()


class PosedNeRF(NeRFGenerator):
    """`NeRFGenerator` in a `Setting` of its own; also `Posed`, with an empty list when no camera is known."""

    def __init__(self, coarse: NeRFNetwork, fine: NeRFNetwork | None, card: ModelCard, setting: Setting) -> None:
        super().__init__(
            coarse, fine, card, camera=setting.camera, volume=setting.volume, bounds=setting.bounds, resolution=400
        )
        self.ndc = setting.ndc
        self.poses: Sequence[Pose] = setting.poses

    def scene(self, codes: Tensor, *, noise: NoiseMode = "const", noise_seed: int = 0) -> Scene:
        """As `NeRFGenerator.scene`, wrapped for NDC where the networks want it."""
        scene = super().scene(codes, noise=noise, noise_seed=noise_seed)
        if self.ndc is None:
            return scene
        field, proposal = scene.field, scene.proposal
        assert isinstance(field, NeRFField)
        return replace(
            scene,
            field=NDCField(field, self.ndc, self.bounds),
            proposal=NDCField(proposal, self.ndc, self.bounds) if isinstance(proposal, NeRFField) else None,
        )

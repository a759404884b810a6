"""A whole generator in a few lines: a soft sphere whose size is its geometry and whose colour its appearance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from neuroview.models.base import CameraDefaults, Conditioning, ModelCard, Option, Pose, Scene, VolumeSettings
from neuroview.models.errors import CheckpointError
from torch import Tensor


class SphereField:
    """Raw density is a distance in disguise; the colour has a gradient, so that left and right differ."""

    features = 3
    view_dependent = False
    bounds = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))

    def __init__(self, radius: Tensor, colour: Tensor, calls: list[int]) -> None:
        self.radius, self.colour, self.calls = radius, colour, calls

    def __call__(self, points: Tensor, directions: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.calls.append(len(points))
        raw = 120 * (self.radius - points.norm(dim=-1))
        shade = 0.5 + 0.4 * points[:, :1]
        return raw, (self.colour * shade).clamp(0, 1)


class SphereGenerator:
    """Two layers: layer 0 is the radius, layer 1 the colour."""

    num_layers = 2
    geometry_layers = (0,)
    appearance_layers = (1,)
    layer_names = ("radius", "colour")
    has_noise = False
    has_conditioning = False
    camera = CameraDefaults(radius=4.0, fov=0.7, yaw_range=(-0.8, 0.8))

    offered = (Option("size", "Size", ("as trained", "half"), "as trained"),)

    def __init__(self, name: str = "sphere", size: float = 1.0, poses: Sequence[Pose] = ()) -> None:
        self.card = ModelCard(name=name, family="sphere", title="A sphere", fingerprint="abc")
        self.size = size
        self.poses = poses
        self.calls: list[int] = []
        self.scenes = 0

    def codes(
        self,
        seed: int,
        *,
        truncation: float = 1.0,
        cutoff: int | None = None,
        conditioning: Conditioning = Conditioning(),  # noqa: B008
    ) -> Tensor:
        source = torch.Generator().manual_seed(seed)
        return 0.3 + 0.5 * torch.rand(2, 3, generator=source)

    def scene(self, codes: Tensor, *, noise: str = "const", noise_seed: int = 0) -> Scene:
        self.scenes += 1
        volume = VolumeSettings(
            near=2.5,
            far=5.5,
            coarse=24,
            fine=0,
            activation="relu",
            quadrature="midpoint",
            sampler="eg3d",
            white_background=True,
        )
        return Scene(
            SphereField(self.size * codes[0, 0], codes[1], self.calls), volume, resolution=32, image_resolution=32
        )

    def configure(self, choices: Mapping[str, str]) -> SphereGenerator:
        if dict(choices) not in ({"size": "half"}, {"size": "as trained"}):
            raise CheckpointError(f"{dict(choices)} is no option of a sphere.")
        return SphereGenerator(self.card.name, 0.5 if choices["size"] == "half" else 1.0, self.poses)

    def to(self, device: str) -> SphereGenerator:
        return self

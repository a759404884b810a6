"""A generator whose identities have two parts, a body and a hat, each of one colour; and strokes on them."""

from __future__ import annotations

from dataclasses import replace

import torch
from neuroview.engine.editing.side_files import SideFiles
from neuroview.engine.pipeline import Pipeline
from neuroview.engine.state import Edits, Stroke, ViewState, first_state
from neuroview.models.base import CameraDefaults, Conditioning, ModelCard, Scene, VolumeSettings
from torch import Tensor

BODY, HAT = (0.0, -0.25, 0.0, 0.5), (0.0, 0.45, 0.0, 0.3)


class PartsField:
    """Two balls, brighter towards +x; the hat is there as far as `worn` says."""

    features = 3
    view_dependent = False
    bounds = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))

    def __init__(self, worn: Tensor, colours: Tensor) -> None:
        self.worn, self.colours = worn, colours

    def __call__(self, points: Tensor, directions: Tensor | None = None) -> tuple[Tensor, Tensor]:
        body = BODY[3] - (points - points.new_tensor(BODY[:3])).norm(dim=-1)
        hat = HAT[3] * self.worn.clamp(0, 1) - 0.3 * (1 - self.worn).clamp(0, 1)
        hat = hat - (points - points.new_tensor(HAT[:3])).norm(dim=-1)
        share = torch.sigmoid((hat - body) / 0.01)[:, None]
        colour = (1 - share) * self.colours[0] + share * self.colours[1]
        return 150 * torch.maximum(body, hat), (colour * (0.8 + 0.3 * points[:, :1])).clamp(0, 1)


class PartsGenerator:
    """Layer 0: whether the hat is worn. Layer 1: the colours of body and hat."""

    geometry_layers, appearance_layers = (0,), (1,)
    layer_names = ("hat", "colours")
    has_noise = has_conditioning = False
    camera = CameraDefaults(radius=4.0, fov=0.7)

    def __init__(self, latents: bool = True) -> None:
        self.card = ModelCard(name="parts", family="parts", title="Two parts")
        self.num_layers = 2 if latents else 0
        if not latents:
            self.geometry_layers = self.appearance_layers = ()

    def codes(
        self,
        seed: int,
        *,
        truncation: float = 1.0,
        cutoff: int | None = None,
        conditioning: Conditioning = Conditioning(),  # noqa: B008
    ) -> Tensor:
        source = torch.Generator().manual_seed(seed)
        codes = 0.15 + 0.7 * torch.rand(2, 6, generator=source)
        codes[0, 0] = float(seed % 2 == 0)
        return codes

    def scene(self, codes: Tensor, *, noise: str = "const", noise_seed: int = 0) -> Scene:
        if not self.num_layers:
            codes = torch.tensor([[1.0] + 5 * [0.0], [0.7, 0.5, 0.3, 0.3, 0.3, 0.8]])
        volume = VolumeSettings(
            near=2.8,
            far=5.2,
            coarse=48,
            fine=0,
            activation="softplus_shifted",
            quadrature="midpoint",
            sampler="eg3d",
            white_background=True,
        )
        return Scene(PartsField(codes[0, 0], codes[1].view(2, 3)), volume, resolution=48, image_resolution=48)

    def to(self, device: str) -> PartsGenerator:
        return self


def pipeline_of(folder, latents: bool = True) -> Pipeline:
    """A pipeline over the two parts that keeps its side files in `folder`."""
    return Pipeline(PartsGenerator(latents), side_files=SideFiles(folder))  # type: ignore[arg-type]


def state_of(pipeline: Pipeline, *strokes: Stroke, seed: int = 0) -> ViewState:
    """The front view of a seed (even ones wear the hat) with strokes drawn."""
    state = first_state("parts", pipeline.generator.camera)
    return replace(state, latents=replace(state.latents, seed_a=seed, truncation=1.0), edits=Edits(strokes))


def stroke(state: ViewState, kind: str, *points: tuple[float, float], **changes) -> Stroke:
    """A stroke in the state's view."""
    return Stroke(kind, points, state.camera, **changes)  # type: ignore[arg-type]


def on_hat(state: ViewState, kind: str, **changes) -> Stroke:
    """A stroke across the hat."""
    return stroke(state, kind, (0.45, 0.33), (0.5, 0.3), (0.55, 0.33), **changes)


def on_body(state: ViewState, kind: str, **changes) -> Stroke:
    """A stroke across the body."""
    return stroke(state, kind, (0.42, 0.6), (0.58, 0.6), **changes)


def finished(steps):
    """The result of an edit, run to its end."""
    *_, last = steps
    assert last.done
    return last.result


def seen(pipeline: Pipeline, state: ViewState, yaw: float = 0.0, rung: str = "occupancy"):
    """A frame of the state from the side."""
    return pipeline.frame(replace(state, camera=replace(state.camera, yaw=yaw)), rung)  # type: ignore[arg-type]

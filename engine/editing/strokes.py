"""From strokes to pixels: what each covers in its view, what lies under it, and whether they make sense together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...models.base import CameraDefaults, Scene, VolumeSettings
from ..camera import camera_matrices
from ..rendering.image import Rendered
from ..rendering.rays import camera_rays, picture_positions, volume_from
from ..state import Camera, Stroke
from .errors import EditError
from .looking import looking

if TYPE_CHECKING:
    from ..pipeline import Pipeline
    from ..state import ViewState

HIT = 0.5
"""Opacity from which a pixel shows the object and not what is behind it."""
OVERLAP = 0.8
"""Two strokes that share so much of both mean the same pixels."""
ALIKE = 0.1
"""Distance between colours (sRGB, 0..1 a channel) under which two strokes ask for the same."""


@dataclass(frozen=True)
class StrokePixels:
    """One stroke on the pixels of its view."""

    number: int
    """As a person counts them: 1 is the first of the state's strokes."""
    stroke: Stroke
    coverage: Tensor
    """[h * w] in 0..1, anti-aliased."""


@dataclass(frozen=True)
class StrokeView:
    """A view that carries strokes, and what is seen in it before the edit."""

    camera: Camera
    cam2world: Tensor
    intrinsics: Tensor
    volume: VolumeSettings
    """The scene's, for a camera at that distance."""
    size: int
    strokes: tuple[StrokePixels, ...]
    rendered: Rendered
    """At `size`, of the scene that is edited."""
    rays: tuple[Tensor, Tensor]
    """Origins and directions [size * size, 3]."""

    @property
    def alpha(self) -> Tensor:
        """[size * size] opacity."""
        return self.rendered.alpha.reshape(-1)

    def surface_points(self, coverage: Tensor) -> Tensor:
        """Positions [N, 3] on the object under the pixels that are more than half covered [size * size]."""
        hit = (coverage > 0.5) & (self.alpha > HIT)
        if not bool(hit.any()):
            hit = (coverage > 0) & (self.alpha > HIT)
        # Where a ray grazes two surfaces its expected depth lies on neither.
        sure = hit & (self.alpha > 0.97)
        hit = sure if int(sure.sum()) >= 3 else hit
        origins, directions = self.rays
        return (origins + self.rendered.depth.reshape(-1, 1) * directions)[hit]


def cover(points: Sequence[tuple[float, float]], width: float, positions: Tensor, pixel: float) -> Tensor:
    """How much of each pixel a brush of that diameter covers, 0..1.

    Args:
        points: of the brush's path, across and down, 0..1.
        width: diameter; the picture's height is 1.
        positions: [N, 2] of the pixels, 0..1.
        pixel: side of a pixel; a thinner brush counts as that wide.
    """
    path = positions.new_tensor(points).view(-1, 2)
    starts, ends = (path, path) if len(path) == 1 else (path[:-1], path[1:])
    along = ends - starts  # [S, 2]
    length = (along * along).sum(-1).clamp(min=1e-12)
    best = positions.new_full((len(positions),), float("inf"))
    for start, step, square in zip(starts, along, length, strict=True):
        away = positions - start
        t = ((away @ step) / square).clamp(0, 1)
        best = torch.minimum(best, (away - t[:, None] * step).norm(dim=-1))
    radius = max(width, pixel) / 2
    return ((radius - best) / pixel + 0.5).clamp(0, 1)


def stroke_views(pipeline: Pipeline, state: ViewState, size: int) -> list[StrokeView]:
    """`reading_strokes` without a pause.

    Raises:
        EditError: nothing is drawn, a stroke lies on nothing, or two contradict each other.
    """
    *_, views = reading_strokes(pipeline, state, size)
    assert views is not None
    return views


def reading_strokes(pipeline: Pipeline, state: ViewState, size: int) -> Iterator[list[StrokeView] | None]:
    """The views of all strokes that are switched on, each rendered once at `size`; None after each piece of work.

    Raises:
        EditError: as `stroke_views`.
    """
    cameras, usual = by_camera(state), pipeline.generator_for(state).camera
    scene, occupancy = pipeline.scene(state), pipeline.occupancy(state)
    views = []
    for camera, strokes in cameras.items():
        volume, cam2world, intrinsics = place(camera, usual, scene)
        origins, directions = camera_rays(cam2world, intrinsics, size, size, volume, pipeline.device)
        positions = picture_positions(size, size, volume, pipeline.device)
        pixels = tuple(StrokePixels(n, s, cover(s.points, s.width, positions, 1 / size)) for n, s in strokes)
        rendered = None
        for made in looking(scene, occupancy, volume, cam2world, intrinsics, size):
            rendered = made
            yield None
        assert rendered is not None
        view = StrokeView(camera, cam2world, intrinsics, volume, size, pixels, rendered, (origins, directions))
        check(view)
        views.append(view)
    yield views


def by_camera(state: ViewState) -> dict[Camera, list[tuple[int, Stroke]]]:
    """The strokes that are switched on, each with its number, by the view in which they were made.

    Raises:
        EditError: there are none.
    """
    drawn = [(i + 1, s) for i, s in enumerate(state.edits.strokes) if s.on and s.points]
    if not drawn:
        raise EditError(
            "Nothing is drawn. Choose a brush, draw over the part that is to change, and start the edit again."
            if not state.edits.strokes
            else "Every stroke is switched off. Switch one on in the list, or draw a new one, and start again."
        )
    cameras: dict[Camera, list[tuple[int, Stroke]]] = {}
    for number, stroke in drawn:
        cameras.setdefault(stroke.camera, []).append((number, stroke))
    return cameras


def place(camera: Camera, usual: CameraDefaults, scene: Scene) -> tuple[VolumeSettings, Tensor, Tensor]:
    """How a camera sees the scene: volume settings at its distance, cam2world [4, 4], intrinsics [3, 3]."""
    matrices = camera_matrices(camera, usual)
    volume = scene.volume if camera.cam2world is not None else volume_from(scene.volume, matrices[0], usual)
    cam2world, intrinsics = (torch.from_numpy(m).float() for m in matrices)
    return volume, cam2world, intrinsics


def named(pixels: StrokePixels) -> str:
    """A stroke in a person's words: 'stroke 3 (keep)'."""
    return f"stroke {pixels.number} ({pixels.stroke.kind})"


def check(view: StrokeView, hit: float = HIT) -> None:
    """Whether the strokes of a view make sense; a pixel of opacity `hit` shows something.

    Raises:
        EditError: one lies on nothing, or two contradict each other.
    """
    _check_hits(view, hit)
    _check_contradictions(view)


def _check_hits(view: StrokeView, hit: float) -> None:
    for pixels in view.strokes:
        on_object = (pixels.coverage > 0.25) & (view.alpha > hit)
        if not bool((pixels.coverage > 0).any()):
            raise EditError(f"{named(pixels).capitalize()} lies outside of the picture. Draw it again, or delete it.")
        if bool(on_object.any()) or pixels.stroke.kind == "keep":
            continue
        if pixels.stroke.kind == "add":
            _check_reach(view, pixels, hit)
            continue
        raise EditError(
            f"{named(pixels).capitalize()} lies on empty space: there is nothing under it in its view. Draw on the "
            "object itself, or use the add brush next to it to make it grow."
        )


def _check_reach(view: StrokeView, pixels: StrokePixels, hit: float) -> None:
    """An add stroke beside the object must come within its own width of it, or nothing would hold what it adds."""
    alpha = view.rendered.alpha[None, None]
    reach = max(2, round(1.5 * pixels.stroke.width * view.size))
    near = torch.nn.functional.max_pool2d(alpha, 2 * reach + 1, 1, reach).reshape(-1) > hit
    if not bool((near & (pixels.coverage > 0.25)).any()):
        raise EditError(
            f"{named(pixels).capitalize()} touches nothing: what it adds would float in empty space at no known "
            "distance. Begin it on the object, or right beside it."
        )


def _check_contradictions(view: StrokeView) -> None:
    strokes = [pixels for pixels in view.strokes if pixels.stroke.kind != "region"]
    for index, first in enumerate(strokes):
        for second in strokes[index + 1 :]:
            a, b = first.coverage > 0.5, second.coverage > 0.5
            shared = float((a & b).sum())
            if shared == 0 or shared < OVERLAP * max(float(a.sum()), float(b.sum())):
                continue  # painting over a part of another stroke corrects it: the later one wins there
            if first.stroke.kind == second.stroke.kind:
                apart = max(abs(p - q) for p, q in zip(first.stroke.colour, second.stroke.colour, strict=True))
                if first.stroke.kind in ("keep", "remove") or apart < ALIKE:
                    continue
                what = "ask for two colours on the same pixels"
            else:
                what = "ask for different things on the same pixels"
            raise EditError(
                f"{named(first).capitalize()} and {named(second)} {what}. Switch one of them off, or delete it."
            )


def effective(view: StrokeView) -> list[tuple[StrokePixels, Tensor]]:
    """Each stroke with what later ones leave of it: coverage [size * size]."""
    left: list[tuple[StrokePixels, Tensor]] = []
    over = torch.zeros_like(view.alpha)
    for pixels in reversed(view.strokes):
        left.append((pixels, pixels.coverage * (1 - over)))
        over = torch.maximum(over, pixels.coverage)
    return left[::-1]

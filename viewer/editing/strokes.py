"""What happens to a state's strokes: drawn, rubbed out, switched, taken away; and in which view each lives. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ...engine.state import Camera, Stroke, ViewState

Point = tuple[float, float]

MOST_POINTS = 400
"""Of one stroke; a hand that scribbles on is thinned."""
STRAIGHT = 0.0012
"""Picture heights that a stroke may leave its drawn path when it is thinned: less than a pixel of any model here."""
SAME_ANGLE = math.radians(0.2)
NEAR = math.radians(9.0)
"""How far the camera may turn until a stroke of the view that it left is faded out."""


@dataclass(frozen=True)
class StrokeView:
    """One camera that carries strokes."""

    camera: Camera
    numbers: tuple[int, ...]
    """Indices of its strokes."""


def with_strokes(state: ViewState, strokes: Sequence[Stroke]) -> ViewState:
    """The state with other strokes."""
    return replace(state, edits=replace(state.edits, strokes=tuple(strokes)))


def with_stroke(state: ViewState, stroke: Stroke) -> ViewState:
    """The state with one stroke more."""
    return with_strokes(state, (*state.edits.strokes, stroke))


def switched(state: ViewState, number: int, on: bool) -> ViewState:
    """The state with one stroke counting or not; a number that is not there changes nothing."""
    return with_strokes(state, [replace(s, on=on) if i == number else s for i, s in enumerate(state.edits.strokes)])


def without(state: ViewState, number: int) -> ViewState:
    """The state without one stroke."""
    return with_strokes(state, [s for i, s in enumerate(state.edits.strokes) if i != number])


def thinned(points: Sequence[Point], tolerance: float = STRAIGHT) -> tuple[Point, ...]:
    """A path with only the points that it needs (Ramer, Douglas and Peucker), rounded to 1/10000 of the picture."""
    path = [(round(x, 4), round(y, 4)) for x, y in points]
    while True:
        keep = _needed(path, tolerance)
        if len(keep) <= MOST_POINTS:
            return tuple(path[i] for i in keep)
        tolerance *= 2


def _needed(path: list[Point], tolerance: float) -> list[int]:
    if len(path) < 3:
        return list(range(len(path)))
    keep, spans = {0, len(path) - 1}, [(0, len(path) - 1)]
    while spans:
        first, last = spans.pop()
        apart = [(distance(path[i], path[first], path[last]), i) for i in range(first + 1, last)]
        if apart and max(apart)[0] > tolerance:
            middle = max(apart)[1]
            keep.add(middle)
            spans += [(first, middle), (middle, last)]
    return sorted(keep)


def distance(point: Point, start: Point, end: Point) -> float:
    """From a point to the line between two others."""
    (px, py), (ax, ay), (bx, by) = point, start, end
    dx, dy = bx - ax, by - ay
    square = dx * dx + dy * dy
    t = min(max(((px - ax) * dx + (py - ay) * dy) / square, 0.0), 1.0) if square else 0.0
    return math.hypot(px - ax - t * dx, py - ay - t * dy)


def same_view(a: Camera, b: Camera) -> bool:
    """Whether a stroke made at `a` lies where it was drawn when it is looked at from `b`."""
    return a == b or apart(a, b) <= SAME_ANGLE


def apart(a: Camera, b: Camera) -> float:
    """How differently two cameras see, as an angle in radians; matrices differ altogether or not at all."""
    if a.cam2world is not None or b.cam2world is not None:
        return 0.0 if (a.cam2world, a.intrinsics) == (b.cam2world, b.intrinsics) else math.inf
    turned = math.hypot(math.remainder(a.yaw - b.yaw, 2 * math.pi), a.pitch - b.pitch, a.roll - b.roll)
    moved = math.dist(a.pivot, b.pivot) / max(a.radius, 1e-6)
    scaled = abs(math.log(max(a.radius * math.tan(a.fov / 2), 1e-9) / max(b.radius * math.tan(b.fov / 2), 1e-9)))
    return math.hypot(turned, moved, scaled)


def visibility(stroke: Stroke, camera: Camera) -> float:
    """How clearly a stroke shows from `camera`: 1 in its own view, fainter as soon as that is left, then 0."""
    if same_view(stroke.camera, camera):
        return 1.0
    return 0.3 * max(0.0, 1.0 - apart(stroke.camera, camera) / NEAR)


def views(strokes: Sequence[Stroke]) -> tuple[StrokeView, ...]:
    """The views that carry strokes, in the order of their first ones."""
    found: list[tuple[Camera, list[int]]] = []
    for number, stroke in enumerate(strokes):
        for camera, numbers in found:
            if same_view(camera, stroke.camera):
                numbers.append(number)
                break
        else:
            found.append((stroke.camera, [number]))
    return tuple(StrokeView(camera, tuple(numbers)) for camera, numbers in found)


def erased(strokes: Sequence[Stroke], camera: Camera, path: Sequence[Point], width: float) -> tuple[Stroke, ...]:
    """What an eraser of diameter `width` that went along `path` leaves of the strokes of this view."""
    left: list[Stroke] = []
    for stroke in strokes:
        if same_view(stroke.camera, camera):
            left += _pieces(stroke, path, (width + stroke.width) / 2)
        else:
            left.append(stroke)
    return tuple(left)


def _pieces(stroke: Stroke, path: Sequence[Point], reach: float) -> list[Stroke]:
    """The parts of one stroke whose middle the eraser's path stays farther away from than `reach`."""
    legs = list(pairwise(path)) or [(path[0], path[0])]

    def hit(point: Point) -> bool:
        return any(distance(point, a, b) < reach for a, b in legs)

    points = _dense(stroke.points, max(stroke.width / 6, 0.004))
    gone = [hit(point) for point in points]
    if not any(gone):
        return [stroke]
    pieces: list[list[Point]] = [[]]
    for point, away in zip(points, gone, strict=True):
        if not away:
            pieces[-1].append(point)
        elif pieces[-1]:
            pieces.append([])
    return [replace(stroke, points=thinned(piece)) for piece in pieces if piece]


def _dense(points: Sequence[Point], step: float) -> list[Point]:
    """The path with a point at least every `step`."""
    found = [points[0]]
    for (ax, ay), (bx, by) in pairwise(points):
        count = max(1, math.ceil(math.hypot(bx - ax, by - ay) / step))
        found += [(ax + (bx - ax) * i / count, ay + (by - ay) * i / count) for i in range(1, count + 1)]
    return found


def view_name(camera: Camera) -> str:
    """A view in a few words: 'front', '24° right', '12° left, 8° above'."""
    if camera.cam2world is not None:
        return "exact camera"
    yaw = round(math.degrees(math.remainder(camera.yaw, 2 * math.pi)))
    pitch = round(math.degrees(camera.pitch))
    across = f"{abs(yaw)}° {'right' if yaw > 0 else 'left'}" if abs(yaw) > 2 else ""
    up = f"{abs(pitch)}° {'above' if pitch > 0 else 'below'}" if abs(pitch) > 2 else ""
    return ", ".join(part for part in (across, up) if part) or "front"

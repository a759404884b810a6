"""Where a photo was taken from: a coarse search over views and seeds, then a pose that is refined by gradients.

Nothing is assumed to be known about the subject (no landmarks): many small pictures of many seeds are compared with
the small photo, and the best few views are handed on. The pose itself is six numbers about an orbit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.base import CameraDefaults, Generator, Scene
from ..camera import camera_matrices, orbit_frame
from ..rendering.exact import render_exact
from ..state import Camera
from .guided_render import affordable
from .photo import Photo

SIDE = 16
"""Of the pictures that are compared, pixels."""
SEARCH_SAMPLES = 0.5
"""Of the usual samples a ray."""
FRONTAL = math.radians(80)
"""Most photos show a front; views beyond this are tried sparsely."""
SILHOUETTE = 2.0
"""Weight of a pixel's opacity beside its colour."""
APART = 0.2
"""Radians between views that are handed on: nearer ones would find each other by gradients."""
TRUSTED = math.radians(30)
"""How near to a guess it is trusted: it has looked closer than small pictures of guessed codes can be compared."""
CLOSE = 1.5
"""How many times farther from the photo than a guess another side may be to be raced against it."""
FIRST_SEED = 2_000_000
TRUNCATION = 0.8


@dataclass(frozen=True)
class Start:
    """A view and a seed to begin with."""

    camera: Camera
    codes: Tensor
    """[L, W]"""
    distance: float
    """Mean squared difference of the small pictures."""


class Pose:
    """A camera with gradients: yaw, pitch, roll, zoom and a shift across and down, about where it started.

    Args:
        camera: an orbit; one given as a matrix must be turned into one before (`orbit_from_matrix`).
        defaults: the family's.
        device: where the matrices are wanted.
    """

    RATES = (0.012, 0.012, 0.006, 0.008, 0.0015, 0.0015)
    """Learning rates: radians, radians, radians, logarithm of the zoom, parts of the radius."""

    def __init__(self, camera: Camera, defaults: CameraDefaults, device: torch.device | str = "cpu") -> None:
        self._start, self._defaults = camera, defaults
        self.offsets = torch.zeros(6, device=device, requires_grad=True)
        """In units of `RATES`: an optimiser's rate of 1 suits all six."""
        self._rates = torch.tensor(self.RATES, device=device)

    def matrices(self) -> tuple[Tensor, Tensor]:
        """cam2world [4, 4] and intrinsics [3, 3], float32, with gradients."""
        yaw, pitch, roll, zoom, across, down = (self.offsets * self._rates).unbind()
        start, defaults = self._start, self._defaults
        yaw, pitch = start.yaw + yaw, start.pitch + pitch
        out = torch.stack([yaw.sin() * pitch.cos(), pitch.sin(), yaw.cos() * pitch.cos()])
        if defaults.up == "z":
            out = torch.stack([out[0], -out[2], out[1]])
        up = out.new_tensor(orbit_frame(0.0, 0.0, defaults.up)[1])
        pivot, aim = out.new_tensor(start.pivot), out.new_tensor(defaults.aim)
        forward = F.normalize(aim - start.radius * out, dim=0)
        right = F.normalize(torch.linalg.cross(forward, up), dim=0)
        below = torch.linalg.cross(forward, right)
        turn = start.roll + roll
        right, below = turn.cos() * right + turn.sin() * below, turn.cos() * below - turn.sin() * right
        position = pivot + start.radius * (out + across * right + down * below)
        rows = torch.cat([torch.stack([right, below, forward, position], 1), out.new_tensor([[0.0, 0.0, 0.0, 1.0]])])
        focal = 0.5 / math.tan(0.5 * start.fov) * zoom.exp()
        zero, one, half = torch.zeros_like(focal), torch.ones_like(focal), torch.full_like(focal, 0.5)
        lens = torch.stack([focal, zero, half, zero, focal, half, zero, zero, one]).view(3, 3)
        return rows, lens

    def camera(self) -> Camera:
        """The orbit that has been reached."""
        yaw, pitch, roll, zoom, across, down = (self.offsets.detach() * self._rates).tolist()
        start = self._start
        cam2world = self.matrices()[0].detach()
        shift = start.radius * (across * cam2world[:3, 0] + down * cam2world[:3, 1])
        px, py, pz = (p + s for p, s in zip(start.pivot, shift.tolist(), strict=True))
        fov = 2 * math.atan(math.tan(0.5 * start.fov) / math.exp(zoom))
        return replace(
            start, yaw=start.yaw + yaw, pitch=start.pitch + pitch, roll=start.roll + roll, fov=fov, pivot=(px, py, pz)
        )


def shifted(camera: Camera, defaults: CameraDefaults, across: float, down: float) -> Camera:
    """The camera moved in its picture's plane, by parts of its radius to the right and down; it looks as it did."""
    cam2world = camera_matrices(camera, defaults)[0]
    shift = camera.radius * (across * cam2world[:3, 0] + down * cam2world[:3, 1])
    px, py, pz = (p + s for p, s in zip(camera.pivot, shift.tolist(), strict=True))
    return replace(camera, pivot=(px, py, pz))


def views(defaults: CameraDefaults) -> list[Camera]:
    """The views that are tried, all within the family's own range."""
    low, high = defaults.yaw_range
    wide = high - low > math.pi
    frontal = (max(low, -FRONTAL), min(high, FRONTAL))
    first, last, count = (*frontal, 9) if wide else (low, high, 7)
    # Not torch.linspace: its float32 ends would lie a rounding outside of the range.
    yaws = [first + (last - first) * i / (count - 1) for i in range(count - 1)] + [last]
    down, up = defaults.pitch_range
    middle = min(max(0.08, down), up)
    pitches = (middle - min(0.3, 0.7 * (middle - down)), middle, middle + min(0.3, 0.7 * (up - middle)))
    found = [(yaw, pitch) for yaw in yaws for pitch in pitches]
    if wide:
        found += [(math.radians(a), middle) for a in (-145, -110, 110, 145, 180)]
    return [Camera(yaw=y, pitch=p, radius=defaults.radius, fov=defaults.fov, pivot=defaults.pivot) for y, p in found]


def find_view(
    generator: Generator, photo: Photo, *, seeds: int, marked: Camera | None = None, keep: int = 4
) -> Iterator[list[Start]]:
    """Compares small pictures of many seeds from many sides with the small photo; yields after each picture or so.

    Args:
        generator: with latents.
        photo: before the generator's own plain backdrop, where it has one.
        seeds: how many are tried, the average among them.
        marked: the view that a person marked; None: all are tried.
        keep: how many of the best views are handed on, each with its best seed.

    Yields:
        The best so far, best first; the last list is the answer.
    """
    small, subject = photo.resized(SIDE), photo.subject_at(SIDE)
    cameras = [marked] if marked is not None else views(generator.camera)
    matrices = [
        tuple(torch.from_numpy(m).float().to(small.device) for m in camera_matrices(camera, generator.camera))
        for camera in cameras
    ]
    best: dict[int, Start] = {}
    at_once = 1
    for index in range(seeds):
        # The average first, then seeds nearer and nearer to the edge of what the generator knows.
        codes = generator.codes(FIRST_SEED + index, truncation=0.0 if index == 0 else TRUNCATION).detach().clone()
        with torch.no_grad():
            scene = generator.scene(codes)
            at_once = pictures_at_once(scene)
        yield _best(best, keep)
        for number, (cam2world, intrinsics) in enumerate(matrices):
            distance = _distance(scene, cam2world, intrinsics, small, subject)
            if number not in best or distance < best[number].distance:
                best[number] = Start(cameras[number], codes, distance)
            if number % at_once == at_once - 1:
                yield _best(best, keep)
    yield _best(best, keep)


def views_about(generator: Generator, photo: Photo, guess: Start) -> Iterator[list[Start]]:
    """Compares a guess with the same codes from quite other sides: a guess can take a back for a front.

    Args:
        generator: with latents.
        photo: before the generator's own plain backdrop, where it has one.
        guess: codes and camera.

    Yields:
        The guess, and the best of the other sides so far, where it is not much farther from the photo. Small pictures
        of guessed codes cannot decide more: a back in the hair's colour may lie nearer to a face than that face in
        slightly wrong colours does.
    """
    device = guess.codes.device
    small, subject = photo.resized(SIDE), photo.subject_at(SIDE)
    with torch.no_grad():
        scene = generator.scene(guess.codes)
        at_once = pictures_at_once(scene)

    def seen_from(camera: Camera) -> Start:
        cam2world, intrinsics = (
            torch.from_numpy(m).float().to(device) for m in camera_matrices(camera, generator.camera)
        )
        return Start(camera, guess.codes, _distance(scene, cam2world, intrinsics, small, subject))

    first, best = seen_from(guess.camera), None
    for number, view in enumerate(view for view in views(generator.camera) if _apart(view, guess.camera, TRUSTED)):
        other = seen_from(view)
        if other.distance <= CLOSE * first.distance and (best is None or other.distance < best.distance):
            best = other
        if number % at_once == at_once - 1:
            yield [first, best] if best else [first]
    yield [first, best] if best else [first]


@torch.no_grad()
def _distance(scene: Scene, cam2world: Tensor, intrinsics: Tensor, photo: Tensor, subject: Tensor | None) -> float:
    rendered = render_exact(scene, cam2world, intrinsics, resolution=SIDE, samples=SEARCH_SAMPLES)
    distance = (rendered.features[:3].clamp(0, 1) - photo).square().mean()
    if subject is not None and scene.volume.white_background:
        distance = distance + SILHOUETTE * (rendered.alpha - subject).square().mean() / 3
    return float(distance)


def pictures_at_once(scene: Scene) -> int:
    """Small pictures in a piece of work."""
    questions = SIDE * SIDE * SEARCH_SAMPLES * (scene.volume.coarse + scene.volume.fine)
    return max(1, int(2 * affordable(scene.field) / questions))


def _best(found: dict[int, Start], keep: int) -> list[Start]:
    """The best views, no two of them neighbours."""
    chosen: list[Start] = []
    for start in sorted(found.values(), key=lambda s: s.distance):
        here = start.camera
        if all(_apart(here, other.camera, APART) for other in chosen):
            chosen.append(start)
        if len(chosen) == keep:
            break
    return chosen


def _apart(a: Camera, b: Camera, angle: float) -> bool:
    """Whether two views differ by more than an angle, radians."""
    around = abs(math.remainder(a.yaw - b.yaw, 2 * math.pi))
    return around > angle or abs(a.pitch - b.pitch) > angle

"""What a movement of the hand does to a `ViewState`: pure functions, from the state that was to the state that is.

Angles are radians. A camera that stands as a matrix becomes the nearest orbit with the first of these movements.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from ..engine.camera import look_from_orbit, orbit_from_matrix
from ..engine.state import Camera, Latents, Rung, StateError, ViewState, first_state
from ..models.base import CameraDefaults, NoiseMode

STEEPEST = math.radians(89.0)
"""Beyond this pitch the orbit would tip over and left become right."""
ORBIT_PER_WIDTH = math.pi
"""A drag across the picture turns half way round."""
ZOOM_STEP = 0.92
"""Factor of one scroll notch, on distance or on the picture's visible height."""
ORBIT_SPEED, ROLL_SPEED = math.radians(75), math.radians(60)
"""Radians a second while a key is held."""
FLY_SPEED = 0.6
"""Visible picture heights a second, and radii a second along the viewing axis."""
ZOOM_SPEED = 7.0
"""Scroll notches a second while a key is held."""
SEEDS = 2**32
"""Seeds that numpy's RandomState accepts: 0 to 2**32 - 1."""

Edit = Callable[[ViewState, int], ViewState]
"""(state, number of the model's layers) -> state: what one press of a key changes."""


def orbit(state: ViewState, defaults: CameraDefaults, dx: float, dy: float) -> ViewState:
    """Turn the object with the hand: `dx`, `dy` picture widths to the right and down."""
    camera = as_orbit(state, defaults)
    yaw = _wrapped(camera.yaw - dx * ORBIT_PER_WIDTH)
    pitch = min(max(camera.pitch + dy * ORBIT_PER_WIDTH, -STEEPEST), STEEPEST)
    return replace(state, camera=replace(camera, yaw=yaw, pitch=pitch))


def roll(state: ViewState, defaults: CameraDefaults, angle: float) -> ViewState:
    """Turn the picture clockwise by `angle`."""
    camera = as_orbit(state, defaults)
    return replace(state, camera=replace(camera, roll=_wrapped(camera.roll - angle)))


def pan(state: ViewState, defaults: CameraDefaults, dx: float, dy: float) -> ViewState:
    """Move the pivot in the image plane, so that what lies at its depth follows the hand.

    Args:
        dx, dy: picture heights to the right and down.
    """
    camera = as_orbit(state, defaults)
    matrix = look_from_orbit(camera, defaults)
    height = _visible_height(camera, defaults, matrix)
    return _shifted(state, camera, -height * (dx * matrix[:3, 0] + dy * matrix[:3, 1]))


def zoom(state: ViewState, defaults: CameraDefaults, notches: float) -> ViewState:
    """Narrow the field of view (positive `notches`) or widen it; the camera stays where it is."""
    camera = as_orbit(state, defaults)
    low, high = defaults.fov_range
    fov = 2 * math.atan(math.tan(camera.fov / 2) * ZOOM_STEP**notches)
    return replace(state, camera=replace(camera, fov=_kept(fov, camera.fov, low, high)))


def dolly(state: ViewState, defaults: CameraDefaults, notches: float) -> ViewState:
    """Go nearer to the pivot (positive `notches`) or away from it; the field of view stays."""
    camera = as_orbit(state, defaults)
    low, high = defaults.radius_range
    radius = camera.radius * ZOOM_STEP**notches
    return replace(state, camera=replace(camera, radius=_kept(radius, camera.radius, max(low, 1e-3), high)))


def fly(state: ViewState, defaults: CameraDefaults, right: float, up: float, forward: float) -> ViewState:
    """Carry camera and pivot along the camera's own axes.

    Args:
        right, up: in visible picture heights.
        forward: in radii.
    """
    camera = as_orbit(state, defaults)
    matrix = look_from_orbit(camera, defaults)
    height = _visible_height(camera, defaults, matrix)
    step = height * (right * matrix[:3, 0] - up * matrix[:3, 1]) + camera.radius * forward * matrix[:3, 2]
    return _shifted(state, camera, step)


def reset(state: ViewState, defaults: CameraDefaults) -> ViewState:
    """The model's first view."""
    return first_state(state.model, defaults, state)


_MOTIONS: dict[str, Callable[[ViewState, CameraDefaults, float], ViewState]] = {
    "orbit left": lambda s, d, t: orbit(s, d, t * ORBIT_SPEED / ORBIT_PER_WIDTH, 0),
    "orbit right": lambda s, d, t: orbit(s, d, -t * ORBIT_SPEED / ORBIT_PER_WIDTH, 0),
    "orbit up": lambda s, d, t: orbit(s, d, 0, t * ORBIT_SPEED / ORBIT_PER_WIDTH),
    "orbit down": lambda s, d, t: orbit(s, d, 0, -t * ORBIT_SPEED / ORBIT_PER_WIDTH),
    "forward": lambda s, d, t: fly(s, d, 0, 0, t * FLY_SPEED),
    "back": lambda s, d, t: fly(s, d, 0, 0, -t * FLY_SPEED),
    "left": lambda s, d, t: fly(s, d, -t * FLY_SPEED, 0, 0),
    "right": lambda s, d, t: fly(s, d, t * FLY_SPEED, 0, 0),
    "up": lambda s, d, t: fly(s, d, 0, t * FLY_SPEED, 0),
    "down": lambda s, d, t: fly(s, d, 0, -t * FLY_SPEED, 0),
    "roll left": lambda s, d, t: roll(s, d, -t * ROLL_SPEED),
    "roll right": lambda s, d, t: roll(s, d, t * ROLL_SPEED),
    "zoom in": lambda s, d, t: zoom(s, d, t * ZOOM_SPEED),
    "zoom out": lambda s, d, t: zoom(s, d, -t * ZOOM_SPEED),
    "nearer": lambda s, d, t: dolly(s, d, t * ZOOM_SPEED),
    "farther": lambda s, d, t: dolly(s, d, -t * ZOOM_SPEED),
}
MOTIONS = frozenset(_MOTIONS)
"""Names of the movements that go on while a key is held."""


def move(state: ViewState, defaults: CameraDefaults, held: Iterable[str], seconds: float) -> ViewState:
    """The state after the movements `held` (names out of `MOTIONS`) went on for `seconds`."""
    for name in sorted(held):
        state = _MOTIONS[name](state, defaults, seconds)
    return state


def seeds(a: int = 0, b: int = 0) -> Edit:
    """Go on to the next or previous seeds."""
    return lambda state, _: _latents(
        state, seed_a=(state.latents.seed_a + a) % SEEDS, seed_b=(state.latents.seed_b + b) % SEEDS
    )


def mix(geometry: float = 0.0, appearance: float = 0.0) -> Edit:
    """Lean towards seed B (positive) or A."""
    return lambda state, _: _latents(
        state,
        mix_geometry=_stepped(state.latents.mix_geometry, geometry, 0.0, 1.0),
        mix_appearance=_stepped(state.latents.mix_appearance, appearance, 0.0, 1.0),
    )


def truncation(by: float) -> Edit:
    """Towards the average (negative) or away from it."""
    return lambda state, _: _latents(state, truncation=_stepped(state.latents.truncation, by, 0.0, 1.5))


def cutoff(by: int) -> Edit:
    """Truncate one layer more or fewer; all of them is written None."""

    def apply(state: ViewState, layers: int) -> ViewState:
        now = layers if state.latents.cutoff is None else state.latents.cutoff
        new = min(max(now + by, 0), layers)
        return _latents(state, cutoff=None if new == layers else new)

    return apply


def next_noise(state: ViewState, _: int) -> ViewState:
    """Walk through none, const and random."""
    modes: tuple[NoiseMode, ...] = ("none", "const", "random")
    return _latents(state, noise=modes[(modes.index(state.latents.noise) + 1) % len(modes)])


def next_rung(state: ViewState, _: int) -> ViewState:
    """Walk through the quality rungs, the governor's choice first."""
    rungs: tuple[Rung, ...] = ("auto", "baked", "occupancy", "exact")
    rung = rungs[(rungs.index(state.quality.rung) + 1) % len(rungs)]
    return replace(state, quality=replace(state.quality, rung=rung))


def _latents(state: ViewState, **changes: object) -> ViewState:
    latents: Latents = replace(state.latents, **changes)  # type: ignore[arg-type]
    return replace(state, latents=latents)


def as_orbit(state: ViewState, defaults: CameraDefaults) -> Camera:
    """The state's camera as the nearest orbit, which can be turned."""
    try:
        return orbit_from_matrix(state.camera, defaults)
    except StateError:  # a matrix that shows nothing anyway: the hand starts over from the first view
        return first_state(state.model, defaults).camera


def _visible_height(camera: Camera, defaults: CameraDefaults, matrix: np.ndarray) -> float:
    """World units across the picture's height at the depth of the point that the camera looks at."""
    target = np.array(camera.pivot) + np.array(defaults.aim)
    depth = float((target - matrix[:3, 3]) @ matrix[:3, 2])
    return 2 * depth * math.tan(camera.fov / 2)


def _shifted(state: ViewState, camera: Camera, by: np.ndarray) -> ViewState:
    x, y, z = (float(p + s) for p, s in zip(camera.pivot, by, strict=True))
    return replace(state, camera=replace(camera, pivot=(x, y, z)))


def _wrapped(angle: float) -> float:
    """`angle` in -pi..pi, where the panel's sliders live; angles already there keep every bit."""
    return angle if -math.pi <= angle <= math.pi else (angle + math.pi) % (2 * math.pi) - math.pi


def _kept(new: float, old: float, low: float, high: float) -> float:
    """`new` within the range; a value that stands outside of it may come back in but not go farther out."""
    return min(max(new, min(low, old)), max(high, old))


def _stepped(value: float, by: float, low: float, high: float) -> float:
    # Rounded, so that twenty steps of .05 end at 1 and not beside it.
    return _kept(round(value + by, 6), value, low, high) if by else value

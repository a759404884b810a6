"""People as meshes: a man, a woman and a child, standing, x forward; how legs are marked says `scene.TownScene`."""

from __future__ import annotations

import numpy as np

from .meshes import BACK, BOTTOM, FRONT, LEFT, RIGHT, TOP, Floats, MeshBuilder, Surface
from .scene import Material, Mesh

CLOTH = Surface(Material.CLOTH, 12)
SKIN = Surface(Material.SKIN, 12)
HAIR = Surface(Material.TRUNK, 12)
LEGS = Surface(Material.LEGS, 12)


class _Body(MeshBuilder):
    """A walker; `far`: as simple as one sees it from 50 metres, without hands and shoes."""

    def __init__(self, far: bool) -> None:
        super().__init__()
        self.far = far


def walker_meshes(far: bool = False) -> tuple[Mesh, ...]:
    """The kinds of walkers: man (1.78 m), woman (1.68 m), child (1.28 m); `far`: as seen from 50 metres."""
    return _man(far), _woman(far), _child(far)


def _still(points: Floats) -> Floats:
    """`uv` of everything that does not swing: u is 0, v the height."""
    return np.stack([np.zeros(len(points)), points[:, 2]], 1)


def _legs(body: _Body, hip: float, apart: float, thick: float, surface: Surface = LEGS) -> None:
    for side in (1.0, -1.0):

        def leg(points: Floats, side: float = side) -> Floats:
            return np.stack([np.full(len(points), side), points[:, 2]], 1)

        y = side * apart
        if body.far:
            body.tube((0.03, y), (0.0, hip), (0.75 * thick, thick), surface, sides=4, uv=leg)
            continue
        heights = (0.05, 0.08 * hip, 0.52 * hip, hip)
        body.tube((0.0, y), heights, (0.6 * thick, 0.62 * thick, 0.8 * thick, thick), surface, sides=6, uv=leg)
        low, high = (-0.09, y - 0.05, 0.0), (0.17, y + 0.05, 0.09)
        start = MeshBuilder()
        start.box(low, high, surface, (FRONT, BACK, LEFT, RIGHT, TOP, BOTTOM))
        shoe = start.prefab()
        shoe.rows[:, 6:8] = leg(shoe.rows[:, :3])
        body.place(shoe, 0.0, 0.0, 0.0, 0)


def _figure(body: _Body, torso: tuple[tuple[float, float, float], ...]) -> None:
    """A body through rings of (height, reach forward, reach sideways)."""
    heights = [z for z, _, _ in torso]
    body.tube(
        (0.0, 0.0), heights, [(x, y) for _, x, y in torso], CLOTH, sides=5 if body.far else 8, cap=True, uv=_still
    )


def _arms(body: _Body, shoulder: float, hand: float, out: float, thick: float) -> None:
    for side in (1.0, -1.0):
        if body.far:
            body.tube((0.0, side * out), (hand, shoulder), (0.7 * thick, thick), CLOTH, sides=3, uv=_still)
            continue
        heights = (hand + 0.12, shoulder - 0.05, shoulder)
        radii = (0.75 * thick, thick, 0.6 * thick)
        body.tube((0.0, side * out), heights, radii, CLOTH, sides=6, cap=True, uv=_still)
        _ball(body, (0.02, side * out, hand + 0.06), (0.05, 0.04, 0.075), SKIN)


def _ball(body: _Body, centre: tuple[float, float, float], radii: tuple[float, ...], surface: Surface) -> None:
    start = MeshBuilder()
    start.blob(centre, radii, surface, coarse=body.far)
    ball = start.prefab()
    ball.rows[:, 6:8] = _still(ball.rows[:, :3])
    body.place(ball, 0.0, 0.0, 0.0, 0)


def _head(body: _Body, chin: float, size: float, long_hair: bool) -> None:
    body.tube((0.0, 0.0), (chin - 0.10, chin + 0.04), (0.055, 0.05), SKIN, sides=6, uv=_still)
    middle = chin + 0.5 * size
    _ball(body, (0.015, 0.0, middle), (0.42 * size, 0.36 * size, 0.53 * size), SKIN)
    _ball(body, (-0.03, 0.0, middle + 0.1 * size), (0.43 * size, 0.40 * size, 0.5 * size), HAIR)
    if long_hair:
        _ball(body, (-0.085, 0.0, middle - 0.3 * size), (0.24 * size, 0.37 * size, 0.62 * size), HAIR)


def _man(far: bool) -> Mesh:
    body = _Body(far)
    _legs(body, 0.92, 0.095, 0.10)
    _figure(
        body, ((0.80, 0.14, 0.18), (0.95, 0.135, 0.18), (1.30, 0.15, 0.215), (1.43, 0.12, 0.20), (1.51, 0.05, 0.07))
    )
    _arms(body, 1.45, 0.76, 0.235, 0.068)
    _head(body, 1.54, 0.24, long_hair=False)
    return body.mesh()


def _woman(far: bool) -> Mesh:
    body = _Body(far)
    _legs(body, 0.90, 0.085, 0.085)
    # A coat that widens below the waist.
    _figure(
        body,
        (
            (0.52, 0.19, 0.23),
            (0.85, 0.15, 0.19),
            (1.04, 0.115, 0.145),
            (1.24, 0.14, 0.175),
            (1.36, 0.105, 0.17),
            (1.43, 0.05, 0.06),
        ),
    )
    _arms(body, 1.38, 0.72, 0.198, 0.057)
    _head(body, 1.455, 0.225, long_hair=True)
    return body.mesh()


def _child(far: bool) -> Mesh:
    body = _Body(far)
    _legs(body, 0.62, 0.075, 0.075)
    # The jacket reaches low: the shaders swing legs about a grown-up's hip.
    _figure(body, ((0.50, 0.125, 0.155), (0.66, 0.12, 0.15), (0.90, 0.125, 0.16), (1.0, 0.045, 0.055)))
    _arms(body, 0.96, 0.50, 0.172, 0.052)
    _head(body, 1.03, 0.215, long_hair=False)
    # A school bag.
    _ball(body, (-0.17, 0.0, 0.80), (0.10, 0.13, 0.17), Surface(Material.AWNING, 12))
    return body.mesh()

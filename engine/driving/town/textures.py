"""Textures that the shaders share: a tile of smooth noise, and the pools of light under the street lamps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .plan import SIZE
from .scene import Material, Mesh

NOISE_SIDE = 256
LAMP_SIDE = 512
_LAMP_REACH = 24.0


def noise_tile() -> NDArray[np.float16]:
    """[NOISE_SIDE, NOISE_SIDE, 4] in 0..1 about 0.5, seamless: grain, fine and coarse blotches, clouds.

    The same in every town: what is learned of one holds for all.
    """
    rng = np.random.default_rng(20)
    frequency = np.hypot(*np.meshgrid(*[np.fft.fftfreq(NOISE_SIDE)] * 2))
    made = np.empty((NOISE_SIDE, NOISE_SIDE, 4), np.float16)
    # Texels: the size of the smallest feature of each channel; clouds have several.
    for channel, sizes in enumerate(((1.2,), (7.0,), (30.0,), (60.0, 24.0))):
        total = np.zeros((NOISE_SIDE, NOISE_SIDE))
        for weight, size in zip((1.0, 0.45), sizes, strict=False):
            spectrum = np.fft.fft2(rng.standard_normal(frequency.shape)) * np.exp(-((frequency * size * 2) ** 2))
            spectrum[0, 0] = 0
            layer = np.fft.ifft2(spectrum).real
            total += weight * layer / layer.std()
        made[..., channel] = np.clip(0.5 + 0.2 * total / total.std(), 0, 1)
    return made


def lamp_pools(still: Mesh) -> NDArray[np.float16]:
    """[LAMP_SIDE, LAMP_SIDE] over the whole torus, row is north: light on the ground, 1 right below a street lamp."""
    lit = still.vertices[still.vertices["material"] == Material.STREET_LAMP]
    made = np.zeros((LAMP_SIDE, LAMP_SIDE), np.float32)
    if not len(lit):
        return made.astype(np.float16)
    ids, which = np.unique(lit["instance"], return_inverse=True)
    count = np.bincount(which)[:, None]
    places = np.stack([np.bincount(which, lit["position"][:, axis]) for axis in range(3)], 1) / count
    metres = SIZE / LAMP_SIDE
    reach = int(_LAMP_REACH / metres)
    span = np.arange(-reach, reach + 1)
    for x, y, z in places[: len(ids)]:
        column, row = x / metres - 0.5, y / metres - 0.5
        columns, rows = span + round(column), span + round(row)
        r = np.hypot((columns - column)[None], (rows - row)[:, None]) * metres
        light = (z * z / (z * z + r * r)) ** 1.5 * np.clip((_LAMP_REACH - r) / 6, 0, 1)
        made[np.ix_(rows % LAMP_SIDE, columns % LAMP_SIDE)] += light
    return np.minimum(made, 1.5).astype(np.float16)

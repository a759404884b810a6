"""Writes instant-ngp snapshots from random numbers, in the layout that its published code writes and reads."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import msgpack
import numpy as np

SIDE = 16
CASCADES = 1
LEVELS, FEATURES, LOG2_SIZE, BASE, GROWTH = 4, 2, 9, 4, 1.5
WIDTH = 16
AABB = {"min": [0.0, 0.0, 0.0], "max": [1.0, 1.0, 1.0]}
SCALE, OFFSET = 0.33, [0.5, 0.5, 0.5]


def level_sizes() -> list[int]:
    """Vectors of each level of the grid below; resolutions 4, 6, 9, 13: two dense levels, two hashed."""
    return [64, 216, 512, 512]


def shapes() -> dict[str, tuple[int, int]]:
    """Matrices (out, in) in the order in which they are stored; inputs and outputs padded to multiples of 16."""
    return {
        "density 0": (WIDTH, 16),  # 8 features padded to 16
        "density out": (16, WIDTH),
        "colour 0": (WIDTH, 32),  # 16 density outputs, 16 harmonics
        "colour 1": (WIDTH, WIDTH),
        "colour out": (16, WIDTH),
    }


def parameters(seed: int = 0) -> np.ndarray:
    """All trained numbers: density network, colour network, grid."""
    random = np.random.default_rng(seed)
    count = sum(a * b for a, b in shapes().values())
    layers = random.normal(0, 0.35, count)
    grid = random.normal(0, 1.0, FEATURES * sum(level_sizes()))
    return np.concatenate([layers, grid]).astype(np.float16)


def morton(x: int, y: int, z: int) -> int:
    """The index of a cell, bit by bit."""
    return sum(((x >> b & 1) << 3 * b) | ((y >> b & 1) << 3 * b + 1) | ((z >> b & 1) << 3 * b + 2) for b in range(8))


def density_grid(occupied: set[tuple[int, int, int]] | None, cascades: int = CASCADES) -> bytes:
    """fp16 values by cascade, in Morton order; None: something everywhere."""
    values = np.full((cascades, SIDE**3), 1.0 if occupied is None else -1.0, dtype="<f2")
    for x, y, z in occupied or ():
        values[:, morton(x, y, z)] = 1.0
    return values.tobytes()


def camera_matrix(index: int = 0) -> list[list[float]]:
    """3 x 4, instant-ngp's coordinates: in front of the cube's centre, turned a little from camera to camera."""
    angle = 0.3 * index
    c, s = float(np.cos(angle)), float(np.sin(angle))
    forward, right = [-s, 0.0, -c], [c, 0.0, -s]
    position = [0.5 + 1.2 * s, 0.5, 0.5 + 1.2 * c]
    down = [0.0, -1.0, 0.0]
    return [[right[i], down[i], forward[i], position[i]] for i in range(3)]


def snapshot(**changes: Any) -> dict[str, Any]:
    """A whole document; `changes` go into its `snapshot`, None removes a key."""
    inner: dict[str, Any] = {
        "aabb": AABB,
        "background_color": [1.0, 1.0, 1.0, 1.0],
        "bounding_radius": 1.0,
        "camera": {"matrix": camera_matrix(), "fov_axis": 1, "relative_focal_length": [1.0, 1.0], "scale": 1.2},
        "density_grid_binary": density_grid(None),
        "density_grid_size": SIDE,
        "loss": 0.001,
        "mode": "nerf",
        "n_params": len(parameters()),
        "nerf": {
            "aabb_scale": 1,
            "dataset": {
                "aabb_scale": 1,
                "from_mitsuba": False,
                "is_hdr": False,
                "metadata": [
                    {"focal_length": [400.0, 400.0], "principal_point": [0.5, 0.5], "resolution": [320, 200]}
                    for _ in range(3)
                ],
                "n_images": 3,
                "offset": OFFSET,
                "paths": [f"./train/r_{i}.png" for i in range(3)],
                "render_aabb": AABB,
                "scale": SCALE,
                "xforms": [{"start": camera_matrix(i), "end": camera_matrix(i)} for i in range(3)],
            },
            "rgb": {"rays_per_batch": 4096},
        },
        "params_binary": parameters().tobytes(),
        "params_type": "__half",
        "render_aabb": AABB,
        "training_step": 1234,
        "up_dir": [0.0, 1.0, 0.0],
        "version": 1,
    }
    inner = {key: value for key, value in {**inner, **changes}.items() if value is not None}
    network = {"activation": "ReLU", "n_neurons": WIDTH, "otype": "FullyFusedMLP", "output_activation": "None"}
    harmonics = {"degree": 4, "n_dims_to_encode": 3, "otype": "SphericalHarmonics"}
    return {
        "dir_encoding": {"nested": [harmonics, {"degree": 4, "otype": "Identity"}], "otype": "Composite"},
        "encoding": {
            "base_resolution": BASE,
            "log2_hashmap_size": LOG2_SIZE,
            "n_features_per_level": FEATURES,
            "n_levels": LEVELS,
            "otype": "HashGrid",
            "per_level_scale": GROWTH,
        },
        "network": {**network, "n_hidden_layers": 1},
        "optimizer": {"otype": "Adam"},
        "rgb_network": {**network, "n_hidden_layers": 2},
        "snapshot": inner,
    }


def written(path: Path, document: Any) -> Path:
    """A document on disk: compressed when the name ends in .ingp (gzip) or .zlib, else plain."""
    packed = msgpack.packb(document)
    pack = {".ingp": gzip.compress, ".zlib": zlib.compress}.get(path.suffix, bytes)
    path.write_bytes(pack(packed))
    return path

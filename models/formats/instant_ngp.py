"""Reads NeRF snapshots of NVlabs/instant-ngp: `.msgpack`, and `.ingp`, which is the same compressed.

A snapshot is the network's configuration and `snapshot`: all trained numbers in one byte string (density network,
colour network, hash grid), the density grid, the box, and the cameras of the data set. Everything is read into the
coordinates of the data set's `transforms.json`; instant-ngp's own are scaled, shifted and cycled.

No snapshot written by instant-ngp itself was at hand when this was made: it follows the published code, and the tests
write their own files.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..base import Generator, ModelCard, VolumeSettings
from ..cards import camera_facts
from ..errors import CheckpointError
from ..hashgrid import HashGrid, HashGridLayout
from ..hashgrid_field import AffineWarp, ColourHead, Dense, DensityGrid, HashGridField
from ..scene_generator import SceneGenerator
from . import instant_ngp_config as config
from .cameras import find_cameras
from .instant_ngp_space import Space, camera_of, poses_of, space_of
from .msgpack_reader import beginning, document, sections, value

_CONFIGURATION = ("encoding", "dir_encoding", "network", "rgb_network")
_METADATA = ("version", "mode", "params_type", "n_params", "density_grid_size", "aabb", "render_aabb", "up_dir")
_MORE_METADATA = ("background_color", "camera", "nerf", "training_step", "loss")
_BINARY = ("params_binary", "density_grid_binary")
_PRECISIONS = {"__half": np.dtype("<f2"), "half": np.dtype("<f2"), "float": np.dtype("<f4")}
_INVISIBLE = 0.01  # NERF_MIN_OPTICAL_THICKNESS: cells that stop less light than this are empty
_MOST_CASCADES = 8


def sniff(path: Path | str) -> bool:
    """Whether a file looks like a snapshot, by its bytes and never by its name.

    Keys are sorted, and what comes before `snapshot` is short.
    """
    head = beginning(path, 1 << 16)
    is_map = bool(head) and (0x80 <= head[0] <= 0x8F or head[0] in (0xDE, 0xDF))
    return is_map and b"\xa8snapshot" in head and b"\xa8encoding" in head


def open_generator(path: Path | str) -> Generator:
    """Opens a snapshot for viewing.

    Raises:
        CheckpointError: no such file, damaged, not of a NeRF, or with a network that is not supported; the message
            names what was found and what was expected.
    """
    path = Path(path)
    data = document(path)
    settings, snapshot = _read(data, path.name)
    mode = str(snapshot.get("mode", "nerf")).lower()
    if mode != "nerf" or "nerf" not in snapshot:
        raise CheckpointError(f"{path.name} is a snapshot of instant-ngp's mode '{mode[:40]}'; only 'nerf' is shown.")
    space = space_of(snapshot, path.name)
    field, layout = _field(settings, snapshot, space, path.name)
    poses = poses_of(snapshot, space)
    if not poses and (cameras := find_cameras(path)) is not None and cameras.ndc is None:
        poses = cameras.poses  # a snapshot saved without its data set, put beside the transforms.json of it
    step = snapshot.get("training_step")
    name, camera = path.stem, camera_of(snapshot, space, poses)
    card = ModelCard(
        name=name,
        family="instant-ngp",
        title=f"{name} (instant-ngp)",
        summary=f"One scene in a hash grid of {layout.levels} levels, {len(poses) or 'no'} training cameras known.",
        fingerprint=hashlib.sha256(path.read_bytes()).hexdigest(),
        configuration={"grid": asdict(layout), "aabb_scale": space.aabb_scale},
        training={**({"iterations": step} if isinstance(step, int) else {}), **camera_facts(camera)},
    )
    return SceneGenerator(field, None, _volume(snapshot, space), card, camera, poses)


def _read(data: bytes, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The configuration and the snapshot proper, each with the keys that are wanted."""
    settings: dict[str, Any] = {}
    snapshot: dict[str, Any] = {}
    for key, packed in sections(data, name):
        if key in _CONFIGURATION:
            settings[key] = value(packed, f"{name}: {key}")
        elif key == "snapshot":
            for inner, part in sections(packed, f"{name}: snapshot"):
                if inner in _METADATA + _MORE_METADATA + _BINARY:
                    snapshot[inner] = value(part, f"{name}: snapshot.{inner}")
    for key in _CONFIGURATION:
        if not isinstance(settings.get(key), Mapping):
            raise CheckpointError(f"{name} lacks the configuration '{key}'; expected a snapshot of instant-ngp.")
    version = snapshot.get("version")
    if not isinstance(version, int) or version < 1:
        raise CheckpointError(f"{name}: snapshot.version is {str(version)[:40]!r}, expected 1 or more.")
    return settings, snapshot


def _field(
    settings: Mapping[str, Any], snapshot: Mapping[str, Any], space: Space, name: str
) -> tuple[HashGridField, HashGridLayout]:
    layout = config.grid_layout(settings["encoding"], space.aabb_scale, name)
    config.check_directions(settings["dir_encoding"], name)
    alignment = config.alignment(settings["network"], name)
    inputs = config.padded(layout.width, alignment)
    density = config.perceptron_shapes(settings["network"], inputs, 16, "network", name)
    features = density[-1][0]
    harmonics = 16
    inputs = config.padded(features + harmonics, config.alignment(settings["rgb_network"], name))
    colour = config.perceptron_shapes(settings["rgb_network"], inputs, 3, "rgb_network", name)
    numbers = _parameters(snapshot, name)
    counts = [sum(rows * columns for rows, columns in shapes) for shapes in (density, colour)] + [layout.parameters]
    if len(numbers) != sum(counts):
        raise CheckpointError(
            f"{name}: snapshot.params_binary holds {len(numbers)} numbers, expected {sum(counts)}: "
            f"{counts[0]} for 'network', {counts[1]} for 'rgb_network', {counts[2]} for the hash grid."
        )
    density_numbers, colour_numbers, grid_numbers = numbers.split(counts)
    density_layers = _layers(density_numbers, density)
    first, *rest = _layers(colour_numbers, colour)
    head = ColourHead(
        Dense(first.weight[:features]),
        Dense(first.weight[features : features + harmonics]),
        (*rest[:-1], Dense(rest[-1].weight[:, :3].contiguous())),
        turn=space.turn,
    )
    grid = HashGrid.from_flat(layout, grid_numbers)
    # What the padding of the encoding would multiply is 0, so these columns are left out.
    density_layers[0] = Dense(density_layers[0].weight[: layout.width].contiguous())
    occupancy = _occupancy(snapshot, space, name)
    bounds = space.bounds if occupancy is None else space.occupied_bounds(occupancy)
    field = HashGridField(
        grid, density_layers, head, space.to_box, bounds, bias=math.log(space.scale), occupancy=occupancy
    )
    return field, layout


def _parameters(snapshot: Mapping[str, Any], name: str) -> Tensor:
    packed = snapshot.get("params_binary")
    kind = str(snapshot.get("params_type", "__half"))
    if not isinstance(packed, bytes) or not packed:
        raise CheckpointError(f"{name} lacks snapshot.params_binary; it was saved without its trained numbers.")
    if kind not in _PRECISIONS:
        raise CheckpointError(f"{name}: snapshot.params_type is {kind[:40]!r}, expected one of {list(_PRECISIONS)}.")
    dtype = _PRECISIONS[kind]
    if len(packed) % dtype.itemsize:
        raise CheckpointError(f"{name}: snapshot.params_binary has {len(packed)} bytes, no whole number of {kind}.")
    numbers = torch.from_numpy(np.frombuffer(packed, dtype).astype(np.float32))
    if not bool(torch.isfinite(numbers).all()):
        raise CheckpointError(f"{name}: snapshot.params_binary holds numbers that are not finite.")
    return numbers


def _layers(numbers: Tensor, shapes: list[tuple[int, int]]) -> list[Dense]:
    """Bias-free layers from their matrices [out, in], row by row, one after another."""
    parts = numbers.split([rows * columns for rows, columns in shapes])
    return [Dense(part.view(shape).T.contiguous()) for part, shape in zip(parts, shapes, strict=True)]


def _occupancy(snapshot: Mapping[str, Any], space: Space, name: str) -> DensityGrid | None:
    """The density grid as cells that may hold something; None for a snapshot of an untrained network."""
    packed, side = snapshot.get("density_grid_binary"), snapshot.get("density_grid_size", 128)
    if not packed:
        return None
    if not isinstance(packed, bytes) or side not in (8, 16, 32, 64, 128, 256):
        raise CheckpointError(f"{name}: snapshot.density_grid_size is {str(side)[:40]}, expected 128.")
    cascades = len(packed) // (2 * side**3)
    if len(packed) % (2 * side**3) or not 1 <= cascades <= _MOST_CASCADES:
        raise CheckpointError(
            f"{name}: snapshot.density_grid_binary has {len(packed)} bytes, expected {2 * side**3} for each of 1 to "
            f"{_MOST_CASCADES} cascades."
        )
    values = np.frombuffer(packed, "<f2").reshape(cascades, -1).astype(np.float32)
    threshold = min(_INVISIBLE, float(np.maximum(values[0], 0.0).mean()))
    occupied = torch.from_numpy(from_morton(values > threshold, side))
    return DensityGrid(occupied, AffineWarp(space.to_unit.matrix, space.to_unit.offset))


def from_morton(values: np.ndarray, side: int) -> np.ndarray:
    """Values of cells in Morton order [K, side^3] by position: [K, side, side, side].

    An index has the bits ... z1 y1 x1 z0 y0 x0. As an array with an axis for each bit, they only change places.
    """
    bits = side.bit_length() - 1
    by_axis = [[1 + 3 * place + axis for place in range(bits)] for axis in (2, 1, 0)]  # x, y, z; highest bit first
    split = values.reshape(len(values), *[2] * (3 * bits))
    return np.ascontiguousarray(split.transpose(0, *by_axis[0], *by_axis[1], *by_axis[2])).reshape(
        len(values), side, side, side
    )


def _volume(snapshot: Mapping[str, Any], space: Space) -> VolumeSettings:
    """Close to instant-ngp's march, which takes steps of sqrt(3) / 1024 of the unit cube through occupied cells.

    Here half of a ray's samples look for the surface and half refine it; between them they are as dense there.
    """
    colour = snapshot.get("background_color")
    white = (
        isinstance(colour, list)
        and len(colour) >= 3
        and all(isinstance(c, (int, float)) and c > 0.5 for c in colour[:3])
    )
    samples = 256 if space.aabb_scale <= 1 else 512
    return VolumeSettings(
        near=None,
        far=None,
        coarse=samples,
        fine=samples // 2,
        activation="exp",
        quadrature="left",
        sampler="nerf",
        white_background=white,
        last_interval=0.0,  # the box ends here, and with it the scene
    )

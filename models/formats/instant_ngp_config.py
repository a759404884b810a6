"""instant-ngp's network configuration, as sizes: what tiny-cuda-nn would have built from it, or why we do not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..errors import CheckpointError
from ..hashgrid import HashGridLayout

# `desired_resolution` of the finest level across the unit cube, where a configuration leaves the growth open.
_FINEST = 2048.0
_WIDEST, _DEEPEST = 1024, 32


def grid_layout(encoding: Mapping[str, Any], aabb_scale: int, name: str) -> HashGridLayout:
    """The hash grid that `encoding` describes.

    Args:
        encoding: the configuration's section.
        aabb_scale: side of the scene's box in unit cubes; a larger one gets finer levels.
        name: of the file, for errors.

    Raises:
        CheckpointError: another encoding, or sizes that cannot be.
    """
    kind = str(encoding.get("otype", "OneBlob")).lower()
    storage = str(encoding.get("type", "Hash")).lower()
    if kind not in ("hashgrid", "grid") or storage != "hash":
        raise CheckpointError(f"{name}: encoding is '{kind[:40]}' ('{storage[:40]}'); only HashGrid is supported.")
    _one_of(encoding, "hash", ("coherentprime",), "encoding", name)
    interpolation = _one_of(encoding, "interpolation", ("linear", "smoothstep"), "encoding", name)
    features = _size(encoding, "n_features_per_level", 2, 16, "encoding", name)
    levels = _size(encoding, "n_levels", 16, 64, "encoding", name)
    if encoding.get("n_features"):
        levels = _size(encoding, "n_features", 0, 1024, "encoding", name) // features
    log2_size = _size(encoding, "log2_hashmap_size", 15, 26, "encoding", name)
    base = encoding.get("base_resolution") or 1 << (log2_size // 3)
    growth = encoding.get("per_level_scale")
    if not isinstance(base, int) or base < 1:
        raise CheckpointError(f"{name}: encoding.base_resolution is {str(base)[:40]!r}, expected a positive integer.")
    if not isinstance(growth, (int, float)) or growth <= 0:
        growth = math.exp(math.log(_FINEST * aabb_scale / base) / (levels - 1)) if levels > 1 else 1.0
    try:
        return HashGridLayout(levels, features, log2_size, base, float(growth), smooth=interpolation == "smoothstep")
    except ValueError as error:
        raise CheckpointError(f"{name}: encoding has impossible sizes: {error}") from error


def check_directions(encoding: Mapping[str, Any], name: str) -> None:
    """Directions must be encoded by spherical harmonics of degree 4, alone or inside of a 'Composite'.

    Raises:
        CheckpointError: they are not.
    """
    nested = encoding.get("nested")
    first = encoding
    if str(encoding.get("otype", "")).lower() == "composite" and isinstance(nested, list) and nested:
        # The second part encodes per-image dimensions, of which there are none unless they were asked for.
        first = nested[0] if isinstance(nested[0], Mapping) else {}
    kind, degree = str(first.get("otype", "")).lower(), first.get("degree", 4)
    if kind != "sphericalharmonics" or degree != 4:
        found = f"'{kind[:40]}' of degree {str(degree)[:20]}"
        raise CheckpointError(f"{name}: dir_encoding is {found}; only SphericalHarmonics of degree 4 is supported.")


def alignment(network: Mapping[str, Any], name: str) -> int:
    """To what multiple a network's inputs and outputs are padded.

    Raises:
        CheckpointError: an unknown kind of network.
    """
    kind = str(network.get("otype", "FullyFusedMLP")).lower()
    if kind in ("fullyfusedmlp", "megakernelmlp"):
        return 16
    if kind in ("cutlassmlp", "mlp"):
        return 8
    raise CheckpointError(f"{name}: a network is of kind '{kind[:40]}'; expected FullyFusedMLP or CutlassMLP.")


def padded(width: int, multiple: int) -> int:
    """The next multiple."""
    return -(-width // multiple) * multiple


def perceptron_shapes(
    network: Mapping[str, Any], inputs: int, outputs: int, what: str, name: str
) -> list[tuple[int, int]]:
    """Shapes (out, in) of a network's matrices: into the first hidden layer, between hidden layers, out of the last.

    Raises:
        CheckpointError: an activation other than ReLU, or sizes that cannot be.
    """
    _one_of(network, "activation", ("relu",), what, name)
    _one_of({"output_activation": "None", **network}, "output_activation", ("none",), what, name)
    width = _size(network, "n_neurons", 128, _WIDEST, what, name)
    hidden = _size(network, "n_hidden_layers", 5, _DEEPEST, what, name)
    outputs = _size(network, "n_output_dims", outputs, _WIDEST, what, name) if what == "network" else outputs
    last = padded(outputs, alignment(network, name))
    return [(width, inputs), *((width, width) for _ in range(hidden - 1)), (last, width)]


def _size(section: Mapping[str, Any], key: str, default: int, most: int, what: str, name: str) -> int:
    found = section.get(key, default)
    if not isinstance(found, int) or isinstance(found, bool) or not 1 <= found <= most:
        raise CheckpointError(f"{name}: {what}.{key} is {str(found)[:40]!r}, expected an integer from 1 to {most}.")
    return found


def _one_of(section: Mapping[str, Any], key: str, known: tuple[str, ...], what: str, name: str) -> str:
    """A setting in lower case; the first known one where it is missing."""
    found = str(section.get(key, known[0])).lower()
    if found not in known:
        raise CheckpointError(f"{name}: {what}.{key} is '{found[:40]}'; supported: {', '.join(known)}.")
    return found

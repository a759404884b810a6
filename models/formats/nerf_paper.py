"""The network as the NeRF paper draws it (figure 7), from the layers of its two public implementations' files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from ..errors import CheckpointError
from ..nerf import Encoding, NeRFLayout, NeRFNetwork
from .nerf_checkpoint import build
from .state_dicts import layer_count, wanted


class LayerNames(NamedTuple):
    """What a dialect calls its layers; 'points' and 'views' are numbered from 0."""

    points: str
    feature: str
    views: str
    colour: str
    density: str
    output: str
    """Colour and density at once, of a network trained without directions."""


def paper_network(state: Mapping[str, Tensor], names: LayerNames, where: str) -> NeRFNetwork:
    """A network whose sizes are those of its tensors.

    A trunk layer that is wider than the one before it reads the encoded point again, point first. ReLU follows every
    trunk layer and none follows the feature layer.

    Args:
        state: `<layer>.weight` [out, in] and `<layer>.bias` [out].
        names: of the layers.
        where: what to call the file in errors.

    Raises:
        CheckpointError: tensors are missing, left over, or do not fit each other; names them, and both shapes.
    """
    state = dict(state)
    width, point = wanted(state, f"{names.points}.0.weight", (None, None), where).shape
    depth = layer_count(state, names.points)
    skips = []
    for index in range(1, depth):
        inputs = wanted(state, f"{names.points}.{index}.weight", (None, None), where).shape[1]
        if inputs > width:
            skips.append(index)
    points = encoding_of(point, f"{where}: {names.points}.0.weight")
    ours = {f"{names.points}.{index}": f"trunk.{index}" for index in range(depth)}
    ours |= {names.density: "density", names.colour: "colour"}
    if f"{names.output}.weight" in state:
        layout = NeRFLayout(width, depth, points, None, skips=tuple(skips))
        _split_output(state, names, width, where)
    else:
        view_width, inputs = wanted(state, f"{names.views}.0.weight", (None, None), where).shape
        beside = f"{where}: {names.views}.0.weight beside {width} features"
        view_depth = layer_count(state, names.views)
        layout = NeRFLayout(
            width, depth, points, encoding_of(inputs - width, beside), view_width, view_depth, tuple(skips)
        )
        ours |= {f"{names.views}.{index}": f"view.{index}" for index in range(view_depth)}
        ours[names.feature] = "feature"
    return build(layout, state, ours, where)


def encoding_of(width: int, what: str) -> Encoding:
    """The encoding that turns three coordinates into `width` numbers: 6 an octave, and 3 more with the input itself.

    Raises:
        CheckpointError: there is none; `what` is said to have led there.
    """
    if width < 3 or width % 3:
        raise CheckpointError(
            f"{what} leaves {width} inputs for an encoding; expected 6 an octave, and 3 more or none."
        )
    return Encoding(octaves=width // 6, include_input=bool(width % 6))


def _split_output(state: dict[str, Tensor], names: LayerNames, width: int, where: str) -> None:
    """Replaces the joint last layer by a colour and a density layer.

    It has a fifth row when the run also trained a fine network; nothing reads it. Without directions the official
    network still creates its unused views layer, which is dropped.
    """
    weight = wanted(state, f"{names.output}.weight", (None, width), where)
    if len(weight) not in (4, 5):
        shape = list(weight.shape)
        raise CheckpointError(
            f"{where}: '{names.output}.weight' has shape {shape}, expected [4, {width}] or [5, {width}]."
        )
    bias = wanted(state, f"{names.output}.bias", (len(weight),), where)
    for key in [key for key in state if key.startswith((f"{names.output}.", f"{names.views}."))]:
        del state[key]
    for kind, tensor in (("weight", weight), ("bias", bias)):
        state[f"{names.colour}.{kind}"], state[f"{names.density}.{kind}"] = tensor[:3], tensor[3:4]

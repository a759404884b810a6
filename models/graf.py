"""GRAF's conditioned NeRF: a perceptron that also reads a code of the shape and a code of the appearance.

Follows Schwarz, Liao, Niemeyer and Geiger, "GRAF: Generative Radiance Fields for 3D-Aware Image Synthesis" (2020),
section 3.2. Both codes are the same for all points of a picture, so for one identity they are part of the biases, and
what remains is a plain NeRF: `condition` makes that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .errors import CheckpointError
from .nerf import Encoding, NeRFLayout, NeRFNetwork

POINTS, DIRECTIONS = Encoding(10), Encoding(4)
"""Of all published models; a file does not tell octaves and code apart."""


@dataclass(frozen=True)
class GRAFLayout:
    """Sizes of a network; the defaults are the published models'."""

    shape_code: int = 128
    appearance_code: int = 128
    width: int = 256
    depth: int = 8
    view_width: int = 128
    skips: tuple[int, ...] = (5,)
    """Trunk layers that read the encoded point and the shape code again."""
    view_dependent: bool = True
    """Whether colour depends on the direction (not for birds, whose training pictures have no poses)."""

    @property
    def code_width(self) -> int:
        """Width of one layer of codes: the wider of the two."""
        return max(self.shape_code, self.appearance_code)

    @property
    def plain(self) -> NeRFLayout:
        """What it is for one identity. Without directions the view layer still stands, and reads zeros for them."""
        return NeRFLayout(
            width=self.width,
            depth=self.depth,
            points=POINTS,
            directions=DIRECTIONS,
            view_width=self.view_width,
            skips=self.skips,
        )


class GRAFNetwork(nn.Module):
    """The official tensors; `condition` turns them into a NeRF."""

    def __init__(self, layout: GRAFLayout) -> None:
        super().__init__()
        self.layout = layout
        inputs, width = POINTS.width + layout.shape_code, layout.width
        self.pts_linears = nn.ModuleList(
            nn.Linear(inputs if index == 0 else width + inputs * (index in layout.skips), width)
            for index in range(layout.depth)
        )
        seen = layout.appearance_code + DIRECTIONS.width * layout.view_dependent
        self.views_linears = nn.ModuleList([nn.Linear(width + seen, layout.view_width)])
        self.feature_linear = nn.Linear(width, width)
        self.alpha_linear = nn.Linear(width, 1)
        self.rgb_linear = nn.Linear(layout.view_width, 3)

    @torch.no_grad()
    def condition(self, shape: Tensor, appearance: Tensor) -> NeRFNetwork:
        """The NeRF of a shape code [shape_code] and an appearance code [appearance_code]."""
        layout = self.layout
        point, code = POINTS.width, layout.shape_code
        state = {}
        for index, layer in enumerate(self.pts_linears):
            weight, bias = _tensors(layer)
            if index == 0 or index in layout.skips:  # reads (point, shape code, hidden)
                bias = bias + weight[:, point : point + code] @ shape
                weight = torch.cat([weight[:, :point], weight[:, point + code :]], dim=1)
            state[f"trunk.{index}.weight"], state[f"trunk.{index}.bias"] = weight, bias
        seen, bias = _tensors(self.views_linears[0])  # reads (feature, direction, appearance code)
        split = seen.shape[1] - layout.appearance_code
        weight = seen[:, :split]
        if not layout.view_dependent:
            weight = torch.cat([weight, weight.new_zeros(layout.view_width, DIRECTIONS.width)], dim=1)
        state["view.0.weight"] = weight
        state["view.0.bias"] = bias + seen[:, split:] @ appearance
        for ours, theirs in (
            ("feature", self.feature_linear),
            ("density", self.alpha_linear),
            ("colour", self.rgb_linear),
        ):
            state[f"{ours}.weight"], state[f"{ours}.bias"] = theirs.weight, theirs.bias
        network = NeRFNetwork(layout.plain).to(self.alpha_linear.bias.device)
        network.load_state_dict(state)
        return network.eval().requires_grad_(False)


def _tensors(layer: nn.Module) -> tuple[Tensor, Tensor]:
    assert isinstance(layer, nn.Linear)
    return layer.weight, layer.bias


def layout_of(tensors: Mapping[str, Tensor], where: str) -> GRAFLayout:
    """The sizes that tensors of the official names have.

    Args:
        tensors: `pts_linears.0.weight` and so on.
        where: what to call them in errors.

    Raises:
        CheckpointError: a tensor that tells a size is missing or has another number of dimensions.
    """

    def shape(name: str) -> tuple[int, int]:
        found = tensors.get(name)
        if found is None:
            raise CheckpointError(f"{where} lacks the tensor '{name}'; expected the layers of GRAF's NeRF.")
        if found.ndim != 2 or 0 in found.shape:
            raise CheckpointError(f"{where}: '{name}' has shape {list(found.shape)}, expected a matrix.")
        return int(found.shape[0]), int(found.shape[1])

    width, inputs = shape("pts_linears.0.weight")
    code = inputs - POINTS.width
    if code < 1:
        raise CheckpointError(
            f"{where}: 'pts_linears.0.weight' reads {inputs} numbers, expected {POINTS.width} of a point and a code."
        )
    depth = 1
    while f"pts_linears.{depth}.weight" in tensors:
        depth += 1
    view_width, seen = shape("views_linears.0.weight")
    beside = seen - width
    # Without directions the layer reads the appearance code alone, which has the shape code's width in all models.
    directions = beside != code and beside > DIRECTIONS.width
    appearance = beside - DIRECTIONS.width * directions
    if appearance < 1:
        raise CheckpointError(
            f"{where}: 'views_linears.0.weight' reads {seen} numbers, expected {width} features and a code."
        )
    return GRAFLayout(
        shape_code=code,
        appearance_code=appearance,
        width=width,
        depth=depth,
        view_width=view_width,
        skips=tuple(i for i in range(1, depth) if shape(f"pts_linears.{i}.weight")[1] > width),
        view_dependent=directions,
    )

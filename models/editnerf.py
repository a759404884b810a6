"""EditNeRF's conditional radiance field: one network for a whole category, told of an instance's shape and colour.

Follows Liu, Zhang, Zhang, Zhang, Zhu and Russell, "Editing Conditional Radiance Fields" (2021), section 3.1. A branch
that all instances share and a branch that reads the shape code are added up and fused to a density and a few numbers;
colour is made of those, the direction and the colour code. So an edit needs to train few layers: the paper's section
3.2, and `colour_parameters` and `shape_parameters` here.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .nerf import Encoding

POINTS, DIRECTIONS = Encoding(10), Encoding(4)
"""Of the published models."""
COLOUR_LAYERS = ("rgb_linear.", "style_linears.2.")
SHAPE_LAYERS = ("fusion_network.", "sigma_linear.")


@dataclass(frozen=True)
class EditNeRFLayout:
    """Sizes of a network; the defaults are the published models'. Depths count as the official options do."""

    points: Encoding = POINTS
    directions: Encoding = DIRECTIONS
    code: int = 32
    """Width of the shape code, and of the colour code."""
    embedding: int = 128
    """What a code becomes before a branch reads it."""
    embedding_depth: int = 1
    shared_depth: int = 4
    """Layers of the branch that knows no instance; 0: there is none."""
    shared_width: int = 256
    instance_depth: int = 4
    instance_width: int = 256
    fusion_depth: int = 4
    """Layers after both branches, the one that adds them up included."""
    fusion_width: int = 256
    density_depth: int = 1
    density_width: int = 256
    """Of the layers before the last; means nothing with one layer."""
    bottleneck: int = 8
    """How many numbers colour is told of a point."""
    colour_depth: int = 2
    """Layers that make colour, the last included."""
    colour_width: int = 128


class CodeEmbedding(nn.Module):
    """A code as one branch reads it: linear layers, each with a ReLU."""

    def __init__(self, code: int, width: int, depth: int) -> None:
        super().__init__()
        self.mlp = nn.ModuleList(nn.Linear(width if layer else code, width) for layer in range(depth))

    def forward(self, code: Tensor) -> Tensor:
        """[code] -> [width]."""
        for layer in self.mlp:
            code = torch.relu(layer(code))
        return code


class EditNeRFNetwork(nn.Module):
    """F: (x, d, shape code, colour code) -> (c, sigma), before its last activations, under the official names."""

    def __init__(self, layout: EditNeRFLayout) -> None:
        super().__init__()
        self.layout = layout
        seen, width = layout.points.width + layout.embedding, layout.instance_width
        if layout.shared_depth:
            shared = layout.shared_width
            self.mean_network = nn.Sequential(
                nn.Linear(layout.points.width, shared),
                *(_after_relu(shared, shared) for _ in range(layout.shared_depth - 2)),
            )
            self.mean_output = _after_relu(shared, layout.fusion_width)
        self.instance_network = _with_relu(seen, width, layout.instance_depth)
        self.instance_to_fusion = nn.Linear(seen + width, layout.fusion_width)
        fused = layout.fusion_width
        self.fusion_network = _with_relu(fused, fused, layout.fusion_depth - 1)
        if layout.density_depth == 1:
            self.sigma_linear: nn.Module = nn.Linear(fused, 1)
        else:
            before = _with_relu(fused, layout.density_width, layout.density_depth - 1)
            self.sigma_linear = nn.Sequential(*before, nn.Linear(layout.density_width, 1))
        self.bottleneck_linear = nn.Linear(fused, layout.bottleneck)
        told = layout.bottleneck + layout.directions.width + layout.embedding
        self.rgb_network = _with_relu(told, layout.colour_width, layout.colour_depth - 1)
        self.rgb_linear = nn.Linear(layout.colour_width, 3)
        # Of the shape code for the instance's branch and for the fusion, and of the colour code.
        self.style_linears = nn.ModuleList(
            CodeEmbedding(layout.code, layout.embedding, layout.embedding_depth) for _ in range(3)
        )

    def forward(self, points: Tensor, directions: Tensor, shape: Tensor, colour: Tensor) -> tuple[Tensor, Tensor]:
        """Raw density [N] and colour logits [N, 3] of one instance.

        Args:
            points: [N, 3]
            directions: [N, 3], of length 1.
            shape: [code] the instance's shape code.
            colour: [code] the instance's colour code.
        """
        raw, told = self.fuse(self.shape_features(points, shape))
        return raw, self.colour_logits(told, directions, colour)

    def shape_features(self, points: Tensor, shape: Tensor) -> Tensor:
        """The sum of both branches [N, fusion width] at points [N, 3]: all that a shape edit leaves as it was."""
        encoded = self.layout.points(points)
        first, second = (self.style_linears[i](shape).expand(len(points), -1) for i in (0, 1))
        hidden = self.instance_network(torch.cat([encoded, first], dim=-1))
        features = self.instance_to_fusion(torch.cat([encoded, second, hidden], dim=-1))
        return features + self.mean_output(self.mean_network(encoded)) if self.layout.shared_depth else features

    def fuse(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Shape features [N, fusion width] -> raw density [N] and what colour is told [N, bottleneck]."""
        fused = self.fusion_network(torch.relu(features))
        return self.sigma_linear(fused)[:, 0], self.bottleneck_linear(fused)

    def colour_logits(self, told: Tensor, directions: Tensor, colour: Tensor) -> Tensor:
        """Logits [N, 3] of what `fuse` told [N, bottleneck], seen along unit directions [N, 3]."""
        embedded = self.style_linears[2](colour).expand(len(told), -1)
        hidden = torch.cat([told, self.layout.directions(directions), embedded], dim=-1)
        return self.rgb_linear(self.rgb_network(hidden))

    def colour_parameters(self) -> dict[str, nn.Parameter]:
        """What a colour edit trains, by official name: the last colour layer and the colour code's embedding.

        Density cannot change with them, nor `fuse`, so both may be computed once and kept.
        """
        return self._parameters_of(COLOUR_LAYERS)

    def shape_parameters(self) -> dict[str, nn.Parameter]:
        """What a shape edit trains, by official name: the layers behind the sum of both branches, and the density's.

        `shape_features` cannot change with them, so it may be computed once and kept.
        """
        return self._parameters_of(SHAPE_LAYERS)

    def _parameters_of(self, layers: tuple[str, ...]) -> dict[str, nn.Parameter]:
        return {name: parameter for name, parameter in self.named_parameters() if name.startswith(layers)}


def _with_relu(inputs: int, width: int, depth: int) -> nn.Sequential:
    return nn.Sequential(*(nn.Sequential(nn.Linear(width if i else inputs, width), nn.ReLU()) for i in range(depth)))


def _after_relu(inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.ReLU(), nn.Linear(inputs, width))

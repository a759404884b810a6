"""NeRF's multilayer perceptron, of any depth and width: a readable, trainable network and a fast field made from it.

Follows Mildenhall et al., "NeRF: Representing Scenes as Neural Radiance Fields for View Synthesis" (2020), sections 3
and 5.1 and figure 7. Implementations differ in small ways, which `NeRFLayout` names; the file formats that they write
are read in `formats/nerf_checkpoint.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .nerf_folded import FoldedNeRF

Bounds = tuple[tuple[float, float, float], tuple[float, float, float]]
_NOTHING = -1e4
"""Raw density of empty space, under every activation."""


@dataclass(frozen=True)
class Encoding:
    """Positional encoding (section 5.1): (p, sin(p), cos(p), sin(2 p), cos(2 p), ... up to 2^(octaves - 1) p).

    The paper's formula has a factor pi in every frequency; the published implementations do not.
    """

    octaves: int
    """L: 10 for points, 4 for directions in the paper."""
    include_input: bool = True
    """Whether p itself comes first."""

    @property
    def width(self) -> int:
        """Numbers that three coordinates become."""
        return 6 * self.octaves + 3 * self.include_input

    def __call__(self, values: Tensor) -> Tensor:
        """[N, 3] -> [N, width]."""
        frequencies = 2.0 ** torch.arange(self.octaves, dtype=values.dtype, device=values.device)  # [L]
        angles = values[:, None] * frequencies[:, None]  # [N, L, 3]
        waves = torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)  # [N, 6 L]: sin xyz, cos xyz, next octave
        return torch.cat([values, waves], dim=-1) if self.include_input else waves


@dataclass(frozen=True)
class NeRFLayout:
    """What distinguishes one NeRF network from another; the defaults are the paper's."""

    width: int = 256
    """Neurons of each trunk layer."""
    depth: int = 8
    """Trunk layers, the first included."""
    points: Encoding = Encoding(10)
    directions: Encoding | None = Encoding(4)
    """None: colour does not depend on the direction and comes straight from the trunk."""
    view_width: int = 128
    """Neurons of each layer after the direction has come in."""
    view_depth: int = 1
    skips: tuple[int, ...] = (5,)
    """Trunk layers that read the encoded point again beside the layer before."""
    point_first: bool = True
    """Whether those layers read (point, hidden), else (hidden, point)."""
    first_activated: bool = True
    """Whether ReLU follows the trunk's first layer."""
    feature_activated: bool = False
    """Whether ReLU follows the feature layer."""

    def __post_init__(self) -> None:
        if min(self.width, self.depth) < 1 or (self.directions and min(self.view_width, self.view_depth) < 1):
            raise ValueError(f"a NeRF needs at least one layer of at least one neuron, found {self}")
        if any(not 0 < layer < self.depth for layer in self.skips):
            raise ValueError(f"skips are {self.skips}; expected trunk layers between 1 and {self.depth - 1}")


class NeRFNetwork(nn.Module):
    """F: (x, d) -> (c, sigma) (section 3), before its last activations.

    Density comes from the trunk alone, so that it cannot depend on the direction; colour from the feature layer, to
    which the encoded direction is appended.
    """

    def __init__(self, layout: NeRFLayout) -> None:
        super().__init__()
        self.layout = layout
        width, point = layout.width, layout.points.width
        self.trunk = nn.ModuleList(
            nn.Linear(point if layer == 0 else width + point * (layer in layout.skips), width)
            for layer in range(layout.depth)
        )
        self.density = nn.Linear(width, 1)
        if layout.directions is None:
            self.feature, self.view, colour = None, nn.ModuleList(), width
        else:
            self.feature = nn.Linear(width, width)
            first, colour = width + layout.directions.width, layout.view_width
            self.view = nn.ModuleList(nn.Linear(first if i == 0 else colour, colour) for i in range(layout.view_depth))
        self.colour = nn.Linear(colour, 3)

    def forward(self, points: Tensor, directions: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Raw density [N] and colour logits [N, 3] at points [N, 3] seen along unit directions [N, 3]."""
        hidden = self.trunk_features(points)
        return self.density(hidden)[:, 0], self.colour_logits(hidden, directions)

    def trunk_features(self, points: Tensor) -> Tensor:
        """What the network knows of points [N, 3] from every side: [N, width]."""
        layout, encoded = self.layout, self.layout.points(points)
        hidden = encoded
        for index, layer in enumerate(self.trunk):
            if index in layout.skips:
                hidden = torch.cat([encoded, hidden] if layout.point_first else [hidden, encoded], dim=-1)
            hidden = layer(hidden)
            if index > 0 or layout.first_activated:
                hidden = torch.relu(hidden)
        return hidden

    def colour_logits(self, hidden: Tensor, directions: Tensor | None) -> Tensor:
        """Logits [N, 3] of the colour that trunk features [N, width] show to unit directions [N, 3]."""
        if self.layout.directions is None or self.feature is None:
            return self.colour(hidden)
        if directions is None:
            raise ValueError("directions are None, but this network's colour depends on them: pass unit vectors [N, 3]")
        feature = self.feature(hidden)
        if self.layout.feature_activated:
            feature = torch.relu(feature)
        hidden = torch.cat([feature, self.layout.directions(directions)], dim=-1)
        for layer in self.view:
            hidden = torch.relu(layer(hidden))
        return self.colour(hidden)

    def colour_parameters(self) -> dict[str, nn.Parameter]:
        """What a colour edit trains, by name: the layers behind the direction. Density cannot change with them."""
        return {n: p for n, p in self.named_parameters() if n.startswith(("view.", "colour."))}


class NeRFField:
    """A trained network as a radiance field (the `RadianceField` contract).

    Without gradients it answers from folded weights (`FoldedNeRF`), a copy made now: make a new field after the
    network has changed. With gradients, for editing and training, it asks the network itself.

    Args:
        network: the network; not copied.
        bounds: box outside of which nothing is worth sampling; no checkpoint holds one.
        clipped: whether the scene is empty outside of the box, whatever the network says there.
    """

    features = 3

    def __init__(self, network: NeRFNetwork, bounds: Bounds, *, clipped: bool = False) -> None:
        self.network = network
        self.bounds = bounds
        self.clipped = clipped
        self.view_dependent = network.layout.directions is not None
        self._folded = FoldedNeRF(network)

    def __call__(self, points: Tensor, directions: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Raw density [N] and RGB in 0..1 [N, 3] at points [N, 3] seen along unit directions [N, 3]."""
        if self._needs_gradients(points, directions):
            raw, logits = self.network(points, directions)
            return self._within(raw, points), torch.sigmoid(logits)
        raw, rgb = self._folded(points, directions)
        return self._within(raw, points), rgb

    @property
    def device(self) -> torch.device:
        """Where the network's tensors are."""
        return self.network.density.bias.device

    def density(self, points: Tensor) -> Tensor:
        """Raw density [N] alone, at about two thirds of the price."""
        if self._needs_gradients(points):
            return self._within(self.network.density(self.network.trunk_features(points))[:, 0], points)
        return self._within(self._folded.density(points), points)

    def trunk(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Raw density [N] and what `colour` needs of points [N, 3].

        With gradients that is the trunk's features [N, width]; else all of the colour that no direction enters, so that
        one point is cheaply seen from many sides. Ask `colour` in the same mode.
        """
        if self._needs_gradients(points):
            hidden = self.network.trunk_features(points)
            return self._within(self.network.density(hidden)[:, 0], points), hidden
        raw, sums = self._folded.trunk(points)
        return self._within(raw, points), sums

    def colour(self, trunk: Tensor, directions: Tensor | None) -> Tensor:
        """RGB in 0..1 [N, 3] of what `trunk` gave [N, H], seen along unit directions [N, 3]."""
        if self._needs_gradients(trunk, directions):
            return torch.sigmoid(self.network.colour_logits(trunk, directions))
        return self._folded.colour(trunk, directions)

    def colour_parameters(self) -> dict[str, nn.Parameter]:
        """The last colour layers, which a colour edit trains: see `NeRFNetwork.colour_parameters`."""
        return self.network.colour_parameters()

    def _within(self, raw: Tensor, points: Tensor) -> Tensor:
        """Raw density [N], but nothing outside of the box if that is empty."""
        if not self.clipped:
            return raw
        low, high = (points.new_tensor(corner) for corner in self.bounds)
        return torch.where(((points >= low) & (points <= high)).all(-1), raw, raw.new_tensor(_NOTHING))

    def _needs_gradients(self, *inputs: Tensor | None) -> bool:
        if not torch.is_grad_enabled():
            return False
        return any(t is not None and t.requires_grad for t in (*inputs, *self.network.parameters()))

"""pi-GAN's FiLM-conditioned SIREN, of any depth and width: a readable, differentiable network and a fast field.

Follows Chan et al., "pi-GAN: Periodic Implicit Generative Adversarial Networks for 3D-Aware Image Synthesis" (2021),
section 3. Layers carry the official code's tensor names, and stand in its order, on which its averages rely.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import torch
from torch import Tensor, nn

from .pigan_bound import BoundPiGAN
from .pigan_preview import PiGANPreview

Bounds = tuple[tuple[float, float, float], tuple[float, float, float]]

FREQUENCY_SCALE, FREQUENCY_OFFSET = 15.0, 30.0
"""gamma = 15 f + 30: where the mapping network says nothing, a layer is a plain SIREN with omega_0 = 30."""

LEAKY_SLOPE = 0.2

EMPTY = -1.0
"""Raw density outside of a closed field's bounds; any number below zero says that nothing is there."""

LOCKED_DIRECTION = (0.0, 0.0, -1.0)
"""What every ray is said to look along with locked view dependence: from the front of the training cameras."""


@dataclass(frozen=True)
class PiGANLayout:
    """Sizes of a pi-GAN; the defaults are those of all published ones."""

    model: str = "SPATIALSIRENBASELINE"
    """The official class."""
    width: int = 256
    """Neurons of each FiLM layer."""
    depth: int = 8
    """FiLM layers of the trunk; those for colour follow."""
    z_dim: int = 256
    mapping_width: int = 256
    mapping_depth: int = 3
    """Hidden layers of the mapping network."""
    scale: float = 2 / 0.24
    """What points are multiplied by: SPATIALSIRENBASELINE's box of side 0.24 becomes -1..1. TALLSIREN: 1."""
    colour_depth: int = 1
    """FiLM layers for colour. Officially one; with more of them the appearance can change more."""

    def __post_init__(self) -> None:
        sizes = (self.width, self.depth, self.z_dim, self.mapping_width, self.mapping_depth, self.colour_depth)
        if min(sizes) < 1:
            raise ValueError(f"a pi-GAN needs at least one layer of at least one neuron, found {self}")

    @property
    def layers(self) -> int:
        """FiLM layers, colour included: the number of codes."""
        return self.depth + self.colour_depth


class FiLMLayer(nn.Module):
    """phi(x) = sin(gamma (W x + b) + beta): a SIREN layer whose waves the latent stretches and shifts (section 3)."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.layer = nn.Linear(inputs, width)

    def forward(self, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        """[N, inputs], [width] and [width] -> [N, width] in -1..1."""
        return torch.sin(gamma * self.layer(x) + beta)


class MappingNetwork(nn.Module):
    """z [N, z_dim] -> frequencies and phases of all FiLM layers, side by side: [N, 2 layers width]."""

    def __init__(self, layout: PiGANLayout) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        for index in range(layout.mapping_depth):
            stages.append(nn.Linear(layout.mapping_width if index else layout.z_dim, layout.mapping_width))
            stages.append(nn.LeakyReLU(LEAKY_SLOPE))
        stages.append(nn.Linear(layout.mapping_width, 2 * layout.layers * layout.width))
        self.network = nn.Sequential(*stages)

    def forward(self, z: Tensor) -> Tensor:
        return self.network(z)


class PiGANNetwork(nn.Module):
    """G(z): (x, d) -> (c, sigma), before its last activations (section 3).

    With Phi = phi_7 o ... o phi_0 the density is sigma(x) = W Phi(x) + b, which no direction enters, and the colour
    c(x, d) = W phi_c([d, Phi(x)]) + b.
    """

    def __init__(self, layout: PiGANLayout) -> None:
        super().__init__()
        self.layout = layout
        self.network = nn.ModuleList(FiLMLayer(layout.width if i else 3, layout.width) for i in range(layout.depth))
        self.final_layer = nn.Linear(layout.width, 1)
        self.color_layer_sine = FiLMLayer(layout.width + 3, layout.width)
        self.color_layer_linear = nn.Sequential(nn.Linear(layout.width, 3))
        self.mapping_network = MappingNetwork(layout)
        self.color_layers_more = nn.ModuleList(
            FiLMLayer(layout.width, layout.width) for _ in range(layout.colour_depth - 1)
        )

    @property
    def films(self) -> list[FiLMLayer]:
        """All FiLM layers: the trunk's, then the colour's, of which the first reads the direction."""
        more = cast("Iterable[FiLMLayer]", self.color_layers_more)
        return [*cast("Iterable[FiLMLayer]", self.network), self.color_layer_sine, *more]

    @property
    def view_dependent(self) -> bool:
        """Whether any direction's weight differs from zero; ours are trained without."""
        return bool(self.color_layer_sine.layer.weight[:, :3].any())

    @property
    def colour_head(self) -> nn.Linear:
        """What turns the last wave into logits."""
        return cast("nn.Linear", self.color_layer_linear[0])

    def codes(self, z: Tensor) -> Tensor:
        """Codes [N, layers, 2 width] of latents z [N, z_dim]: a layer's frequencies f, then its phases beta."""
        mapped = self.mapping_network(z).view(len(z), 2, self.layout.layers, self.layout.width)
        return mapped.transpose(1, 2).flatten(2)

    def waves(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """gamma [layers, width] and beta [layers, width] of codes [layers, 2 width]."""
        frequencies, phases = codes.split(self.layout.width, dim=-1)
        return frequencies * FREQUENCY_SCALE + FREQUENCY_OFFSET, phases

    def forward(self, points: Tensor, directions: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Raw density [N] and colour logits [N, 3] at points [N, 3] seen along unit directions [N, 3]."""
        hidden = self.trunk_features(points, codes)
        return self.final_layer(hidden)[:, 0], self.colour_logits(hidden, directions, codes)

    def trunk_features(self, points: Tensor, codes: Tensor) -> Tensor:
        """Phi(x): what the network knows of points [N, 3] from every side, [N, width]."""
        gamma, beta = self.waves(codes)
        hidden = points * self.layout.scale
        for layer, g, b in zip(self.films[: self.layout.depth], gamma, beta, strict=False):
            hidden = layer(hidden, g, b)
        return hidden

    def colour_logits(self, hidden: Tensor, directions: Tensor, codes: Tensor) -> Tensor:
        """Logits [N, 3] of the colour that trunk features [N, width] show to unit directions [N, 3]."""
        gamma, beta = self.waves(codes)
        hidden, depth = torch.cat([directions, hidden], -1), self.layout.depth
        for layer, g, b in zip(self.films[depth:], gamma[depth:], beta[depth:], strict=True):
            hidden = layer(hidden, g, b)
        return self.color_layer_linear(hidden)


class PiGANField:
    """One identity of a pi-GAN as a radiance field (the `RadianceField` contract).

    Without gradients it is answered by `BoundPiGAN`, which copies the weights at the first such call. With
    gradients in network, codes or points, for inversion and editing, it asks the network itself.

    Args:
        network: the network; not copied.
        codes: [layers, 2 width], as from `PiGANNetwork.codes`.
        bounds: box outside of which nothing is worth sampling.
        locked: show every side as `LOCKED_DIRECTION` sees it (the official `lock_view_dependence`).
        around: whether cameras stand on all sides, and not in front only; `preview` wants to know.
        closed: whether the bounds hold all there is: whatever the network says, outside of them it is empty.
    """

    features = 3

    def __init__(
        self,
        network: PiGANNetwork,
        codes: Tensor,
        bounds: Bounds,
        *,
        locked: bool = False,
        around: bool = False,
        closed: bool = False,
    ) -> None:
        self.network = network
        self.codes = codes
        self.bounds = bounds
        self.locked = locked
        self.view_dependent = not locked
        self._around = around and not locked
        self.closed = closed
        self._bound: BoundPiGAN | None = None

    def __call__(self, points: Tensor, directions: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Raw density [N] and RGB in 0..1 [N, 3] at points [N, 3] seen along unit directions [N, 3]."""
        if self._needs_gradients(points, directions):
            raw, hidden = self.trunk(points)
            return raw, self.colour(hidden, directions)
        raw, rgb = self._bind()(points, self._seen_along(directions))
        return self._within(points, raw), rgb

    @property
    def device(self) -> torch.device:
        """Where the network's tensors are."""
        return self.network.final_layer.bias.device

    @cached_property
    def preview(self) -> PiGANPreview:
        """What is baked in this field's place: made at the first use, cheaper, without view dependence."""
        return PiGANPreview(self.network, self.codes, self.bounds, around=self._around)

    def density(self, points: Tensor) -> Tensor:
        """Raw density [N] alone, at about seven eighths of the price."""
        if self._needs_gradients(points):
            return self.trunk(points)[0]
        return self._within(points, self._bind().density(points))

    def trunk(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Raw density [N] and what `colour` needs of points [N, 3].

        With gradients that is Phi(x) [N, width]; else the colour layer's angles but for the direction's share, so
        that each further direction costs little. Give both calls the same gradient mode.
        """
        if self._needs_gradients(points):
            hidden = self.network.trunk_features(points, self.codes)
            return self._within(points, self.network.final_layer(hidden)[:, 0]), hidden
        raw, angles = self._bind().trunk(points)
        return self._within(points, raw), angles

    def colour(self, trunk: Tensor, directions: Tensor | None) -> Tensor:
        """RGB in 0..1 [N, 3] of what `trunk` gave [N, width], seen along unit directions [N, 3]."""
        if self._needs_gradients(trunk, directions):
            along = self._seen_along(directions)
            if along is None:
                along = trunk.new_tensor(LOCKED_DIRECTION).expand(len(trunk), 3)
            return torch.sigmoid(self.network.colour_logits(trunk, along, self.codes))
        return self._bind().colour(trunk, self._seen_along(directions))

    def _within(self, points: Tensor, raw: Tensor) -> Tensor:
        """Raw density [N], emptied outside of the bounds of a closed field."""
        if not self.closed:
            return raw
        low, high = (points.new_tensor(corner) for corner in self.bounds)
        return torch.where(((points >= low) & (points <= high)).all(-1), raw, EMPTY)

    def _seen_along(self, directions: Tensor | None) -> Tensor | None:
        if self.locked:
            return None
        if directions is None:
            raise ValueError("directions are None, but this field's colour depends on them: pass unit vectors [N, 3]")
        return directions

    def _bind(self) -> BoundPiGAN:
        if self._bound is None:
            with torch.no_grad():
                self._bound = BoundPiGAN(self.network, self.codes, LOCKED_DIRECTION if self.locked else None)
        return self._bound

    def _needs_gradients(self, *inputs: Tensor | None) -> bool:
        if not torch.is_grad_enabled():
            return False
        return any(t is not None and t.requires_grad for t in (*inputs, self.codes, *self.network.parameters()))

"""The generator that learns the cars: pi-GAN's official layers, small, geometry and appearance apart by construction.

The mapping network's weights are block-diagonal: z's geometry entries reach one block of its neurons and, in its last
layer, the waves of the trunk; the appearance entries reach the other block and the waves of the colour layers. So
density never sees the appearance, two latents mix with plain official weights, and nothing is masked in use. The
direction's weights are zero: the teacher's colour does not depend on the view.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ...models.pigan import LEAKY_SLOPE, PiGANLayout, PiGANNetwork
from .cars_parameters import GEOMETRY_DIMS, Z_DIM

MAPPING_GEOMETRY, MAPPING_APPEARANCE = 256, 128
"""Width of the two blocks of the mapping network."""
DENSITY_GAIN = 150.0
"""Raw density is 150 y, y being what training sees; folded into the density layer on export."""
SCALE = 1 / 0.27
"""What points are multiplied by: a car's length becomes about -0.9..0.9."""

Folded = list[tuple[Tensor, Tensor]]
"""Weights [B, in, width] and biases [B, 1, width] of all FiLM layers, the latent's waves multiplied in."""


def cars_layout(width: int = 128) -> PiGANLayout:
    """Sizes of the shipped model: five layers of trunk, two of colour."""
    return PiGANLayout(
        width=width,
        depth=5,
        z_dim=Z_DIM,
        mapping_width=MAPPING_GEOMETRY + MAPPING_APPEARANCE,
        mapping_depth=3,
        scale=SCALE,
        colour_depth=2,
    )


def block_masks(network: PiGANNetwork) -> dict[Tensor, Tensor]:
    """For each weight that must stay zero somewhere, a 0/1 mask of its shape: mapping layers and view direction."""
    layout = network.layout
    source = torch.arange(Z_DIM) < GEOMETRY_DIMS
    block = torch.arange(layout.mapping_width) < MAPPING_GEOMETRY
    layer = torch.arange(layout.layers) < layout.depth
    waves = layer.repeat_interleave(layout.width).repeat(2)  # all frequencies, then all phases
    masks: dict[Tensor, Tensor] = {}
    linears = [m for m in network.mapping_network.network if isinstance(m, nn.Linear)]
    for index, linear in enumerate(linears):
        target = waves if index == len(linears) - 1 else block
        masks[linear.weight] = (target[:, None] == source[None]).float()
        source = block
    first = network.color_layer_sine.layer.weight
    masks[first] = torch.ones_like(first)
    masks[first][:, :3] = 0
    return masks


def new_student(width: int = 128) -> PiGANNetwork:
    """A network ready to train: SIREN's initialisation, blocks masked (weights and gradients).

    Layers of the trunk start uniform within sqrt(6 / in) / 25, the first within 1 / in, and the mapping network's last
    one is a quarter of Kaiming's, as published.
    """
    network = PiGANNetwork(cars_layout(width))
    with torch.no_grad():
        for index, film in enumerate(network.films):
            fan = film.layer.in_features
            bound = math.sqrt(6 / fan) / 25 if index else 1 / fan
            film.layer.weight.uniform_(-bound, bound)
        for head in (network.final_layer, network.colour_head):
            bound = math.sqrt(6 / head.in_features) / 25
            head.weight.uniform_(-bound, bound)
        masks = block_masks(network)
        for weight, mask in masks.items():
            if weight is not network.color_layer_sine.layer.weight:
                gain = math.sqrt(2 / (1 + LEAKY_SLOPE**2))
                weight.normal_().mul_(gain * mask.sum(1, keepdim=True).rsqrt())  # of its own block's inputs
            weight.mul_(mask)
        last = network.mapping_network.network[-1]
        assert isinstance(last, nn.Linear)
        last.weight.mul_(0.25)
    keep_apart(network)
    return network


def keep_apart(network: PiGANNetwork) -> None:
    """Lets no gradient reach the weights that must stay zero, on whatever device they are when it comes."""
    for weight, mask in block_masks(network).items():
        weight.register_hook(lambda gradient, mask=mask: gradient * mask.to(gradient.device))


def fold(network: PiGANNetwork, z: Tensor) -> Folded:
    """All FiLM layers under latents z [B, 44]: sin(gamma (W x + b) + beta) = sin((gamma W) x + (gamma b + beta))."""
    gamma, beta = network.waves(network.codes(z))  # [B, layers, width]
    folded: Folded = []
    for index, film in enumerate(network.films):
        g, weight = gamma[:, index], film.layer.weight
        if film is network.color_layer_sine:
            weight = weight[:, 3:]  # the direction's are zero
        scaled = (g[:, :, None] * weight).transpose(1, 2)
        folded.append((scaled, (g * film.layer.bias + beta[:, index])[:, None]))
    return folded


def density(network: PiGANNetwork, folded: Folded, points: Tensor) -> tuple[Tensor, Tensor]:
    """y [B, N] (raw density is 150 y) and trunk features [B, N, width] of points [B, N, 3].

    Call it under `Team.autocast`: the first layer stays in float32, since positions do not survive bfloat16.
    """
    weight, bias = folded[0]
    with torch.autocast(points.device.type, enabled=False):
        hidden = torch.sin(torch.baddbmm(bias, points * network.layout.scale, weight))
    for weight, bias in folded[1 : network.layout.depth]:
        hidden = torch.sin(torch.baddbmm(bias, hidden, weight))
    return network.final_layer(hidden)[..., 0].float(), hidden


def colour(network: PiGANNetwork, folded: Folded, hidden: Tensor) -> Tensor:
    """RGB [B, N, 3] in 0..1 of trunk features [B, N, width]."""
    for weight, bias in folded[network.layout.depth :]:
        hidden = torch.sin(torch.baddbmm(bias, hidden, weight))
    return torch.sigmoid(network.colour_head(hidden).float())


@torch.no_grad()
def shipped_network(network: PiGANNetwork) -> PiGANNetwork:
    """A copy whose density layer gives the raw density 150 y itself, as the official quadrature expects."""
    made = PiGANNetwork(network.layout)
    made.load_state_dict(network.state_dict())
    made.final_layer.weight.mul_(DENSITY_GAIN)
    made.final_layer.bias.mul_(DENSITY_GAIN)
    return made.eval().requires_grad_(False)

"""Critics of the painter: of one picture beside its maps at two scales, and of three pictures in a row.

Patches (Isola et al. 2017), spectral norm on weights and instance norm on activations, as in SPADE. The first critic
is also shown the past picture, warped, so that it judges small flicker where it is sharpest; the second one sees two
past pictures, brought to the present by exact motion, one or two frames apart (vid2vid's two temporal scales).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ....models.painter_conditions import PARTS, ConditionLayout, Part


class Judgement(NamedTuple):
    """What one critic says at one scale."""

    features: list[Tensor]
    """Of each layer."""
    score: Tensor
    """[N, 1, h, w]: above 0 real, below 0 painted."""


class PatchCritic(nn.Module):
    """Four convolutions and a score for each patch: maps [N, C, H, W], pictures [K N, P, H, W] -> [K N, 1, H/8, W/8].

    K sets of pictures (real, painted) share the maps, whose part of the first layer is computed once.
    """

    def __init__(self, maps: int, pictures: int, width: int) -> None:
        super().__init__()
        self.maps = spectral_norm(nn.Conv2d(maps, width, 4, 2, 1))
        self.pictures = spectral_norm(nn.Conv2d(pictures, width, 4, 2, 1, bias=False))
        sizes = [(width, 2 * width, 2), (2 * width, 4 * width, 2), (4 * width, 4 * width, 1)]
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(before, after, 4 if step == 2 else 3, step, 1, bias=False))
            for before, after, step in sizes
        )
        self.score = nn.Conv2d(4 * width, 1, 3, padding=1)

    def forward(self, maps: Tensor, pictures: Tensor) -> Judgement:
        shared, own = self.maps(maps), self.pictures(pictures)
        x = F.leaky_relu(own + shared.repeat(len(own) // len(shared), 1, 1, 1), 0.2)
        features = [x]
        for layer in self.layers:
            x = layer(x)
            x = F.leaky_relu(F.instance_norm(x) if x[0, 0].numel() > 1 else x, 0.2)
            features.append(x)
        return Judgement(features, self.score(x))


class PictureCritic(nn.Module):
    """Judges pictures beside their maps and their warped past, at full and at half size.

    Args:
        maps: channels of the maps, see `shown`.
        width: of the first layer.
    """

    def __init__(self, maps: int, width: int = 24) -> None:
        super().__init__()
        self.scales = nn.ModuleList(PatchCritic(maps + 1, 6, width) for _ in range(2))

    def forward(self, maps: Tensor, valid: Tensor, warped: Tensor, pictures: Tensor) -> list[Judgement]:
        """`maps` [N, C, H, W], `valid` [N, 1, H, W]; `warped` [K N, 3, H, W], the past seen from here, and `pictures`
        [K N, 3, H, W] of K sets."""
        maps, x = torch.cat([maps, valid], 1), torch.cat([warped, pictures], 1)
        return [self.scales[0](maps, x), self.scales[1](F.avg_pool2d(maps, 2), F.avg_pool2d(x, 2))]


class VideoCritic(nn.Module):
    """Judges three pictures in a row at half size, for each of two distances between them.

    Args:
        maps: channels of the maps.
        width: of the first layer.
    """

    def __init__(self, maps: int, width: int = 24) -> None:
        super().__init__()
        self.distances = nn.ModuleList(PatchCritic(maps + 2, 9, width) for _ in range(2))

    def forward(self, distance: int, maps: Tensor, valid: Tensor, pictures: Tensor) -> list[Judgement]:
        """`distance` 1 or 2 frames; `maps` [N, C, h, w]; `valid` [N, 2, h, w] of both past pictures; `pictures`
        [K N, 9, h, w] of K sets: the present one and both past ones, seen from here. All at half size."""
        return [self.distances[distance - 1](torch.cat([maps, valid], 1), pictures)]


# Of each part's channels, those that tell a critic where things must be; colours of the ground are not its business.
_SHOWN: dict[Part, slice] = {
    "depth": slice(0, 1),
    "storey": slice(0, 2),
    "bay": slice(4, 7),
    "normals": slice(0, 3),
    "shadow": slice(1, 2),
}


def shown(layout: ConditionLayout) -> list[int]:
    """Which channels of the conditions critics see: classes, edges, tints, and the most telling of each part."""
    found = list(range(layout.plain))
    for part in layout.parts:
        first = layout.first(part)
        found += list(range(first, first + PARTS[part]))[_SHOWN.get(part, slice(0))]
    return found

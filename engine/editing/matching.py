"""A part in the colour that was asked for: in the finished picture, and with its own light and dark.

A generator paints its pictures from features (and an up-sampler over them), so the colour that a field is given is not
the one that is seen. What is seen is measured where it was asked for, and the difference is asked for once more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.base import Scene
from ..rendering.exact import render_image
from ..rendering.image import Rendered
from ..rendering.occupancy import OccupancyGrid
from .errors import EditError
from .grid import Grid
from .looking import looking
from .result import Patch
from .strokes import StrokeView

MATCHES = 2
"""Corrections of the colour by what the finished picture shows of it."""
CLOSE = 0.012
"""Mean difference of colours (0..1) that nobody sees: three steps of 8-bit output."""
SURE = 0.97
"""Opacity of a pixel that shows nothing of the background."""
DEAF = 0.05
"""Share of a change of colour under which the picture shows nothing of it."""
REACH = 3
"""Pixels about the asked ones that are rendered anew, since an up-sampler looks at them."""
LUMINANCE = (0.2126, 0.7152, 0.0722)


@dataclass(frozen=True)
class Target:
    """A colour, and the pixels that are to show it."""

    colour: Tensor
    """[3] in 0..1."""
    seen: tuple[tuple[StrokeView, Tensor], ...]
    """Views, each with the weight [size * size] of its pixels."""


def on_part(view: StrokeView, coverage: Tensor, mask: Grid) -> Tensor:
    """What of a stroke [size * size] lies on a part, since no hand is exact; all of it where none does."""
    origins, directions = view.rays
    points = origins + view.rendered.depth.reshape(-1, 1) * directions
    sure = coverage * (view.alpha > SURE)
    meant = sure * (mask.sample(points)[:, 0] > 0.8)
    return meant if float(meant.sum()) > 1 else sure if float(sure.sum()) > 1 else coverage * view.alpha


def recolouring(mean: Tensor, wanted: Tensor, colours: Tensor) -> Tensor:
    """The affine map [3, 4] that takes the part's mean colour to the wanted one and keeps its light and dark.

    Near colours are scaled channel by channel, so that a pattern stays a pattern. Where that would blow a dark channel
    up, luminance alone is kept: c' = wanted (1 + s (L - mean L)).

    Args:
        mean: [3] under the stroke.
        wanted: [3]
        colours: [N, 3] under the stroke, whose spread bounds the contrast.
    """
    gain = (wanted.clamp(min=0.0) + 0.02) / (mean + 0.02)
    scaled = torch.diag(gain)
    weights = mean.new_tensor(LUMINANCE)
    light = float(mean @ weights)
    # Dark things have a relative contrast that nothing bright has.
    spread = float((colours @ weights).std()) if len(colours) > 1 else 0.0
    contrast = min(1 / max(light, 1e-3), 0.25 / max(spread, 1e-3), 2.5)
    shaded = contrast * wanted[:, None] * weights[None]
    stretch = float(gain.log().abs().max())
    far = min(max((stretch - math.log(1.6)) / math.log(2.0), 0.0), 1.0)
    matrix = (1 - far) * scaled + far * shaded
    return torch.cat([matrix, (wanted - matrix @ mean)[:, None]], dim=1)


@torch.no_grad()
def matching(
    edited: Callable[[Patch], Scene], patch: Patch, occupancy: OccupancyGrid, target: Target
) -> Iterator[tuple[Patch, float] | None]:
    """Gives a patch the recolouring with which the target is met; yields None after short pieces of work, and now and
    then the patch so far with its mean squared error, the last of them the best.

    Args:
        edited: the scene with a patch.
        patch: of one part; what it says of recolouring is replaced.
        occupancy: of that scene.
        target: what is asked for.

    Raises:
        EditError: the picture does not change with the volume's colours.
    """
    plain = replace(patch, recolour=None)
    features, weights, shown = [], [], target.colour
    for made in _shown(edited(plain), occupancy, target):
        if made is None:
            yield None
        else:
            features, weights, shown = made
    colours, share = torch.cat(features), torch.cat(weights)
    if not float(share.sum()):
        yield plain, float("nan")
        return
    mean = (colours * share[:, None]).sum(0) / share.sum()
    spread = colours[share > 0.5] if bool((share > 0.5).any()) else colours
    best, least, first = plain, float((target.colour - shown).square().mean()), shown
    wanted = target.colour + (mean - shown).clamp(-0.1, 0.1)
    for _ in range(MATCHES + 1):
        tried = replace(plain, recolour=recolouring(mean, wanted, spread))
        for made in _shown(edited(tried), occupancy, target):
            if made is None:
                yield None
            else:
                _, _, shown = made
        error = target.colour - shown
        if float(error.square().mean()) < least or best is plain:
            best, least = tried, float(error.square().mean())
        yield best, least
        if float(error.abs().max()) < CLOSE:
            break
        if float((shown - first).norm()) < DEAF * float((target.colour - first).norm()):
            raise EditError(
                "The picture does not follow the colours of the model's volume: its up-sampler paints them by itself, "
                "or it has not been trained. Change the colours by mixing seeds or by directions instead."
            )
        wanted = (wanted + error.clamp(-0.2, 0.2)).clamp(-0.1, 1.15)
    yield best, least


_Shown = tuple[list[Tensor], list[Tensor], Tensor]


def _shown(scene: Scene, occupancy: OccupancyGrid, target: Target) -> Iterator[_Shown | None]:
    """Of the target's pixels: features' colours [N, 3] and weights [N] a view, and the picture's mean colour [3]."""
    colours, weights = [], []
    total, amount = torch.zeros_like(target.colour), 0.0
    for view, weight in target.seen:
        size = view.size
        near = F.max_pool2d(weight.view(1, 1, size, size), 2 * REACH + 1, 1, REACH).view(-1) > 0
        rendered: Rendered | None = None
        steps = looking(
            scene, occupancy, view.volume, view.cam2world, view.intrinsics, size, onto=view.rendered, only=near
        )
        for made in steps:
            rendered = made
            yield None
        assert rendered is not None
        asked = weight > 0
        colours.append(rendered.features[:3].flatten(1).T[asked].clamp(0, 1))
        weights.append(weight[asked])
        picture = render_image(scene, rendered).clamp(0, 1)
        side = picture.shape[-2:]
        fine = F.interpolate(weight.view(1, 1, size, size), size=side, mode="bilinear", align_corners=False).view(-1)
        total = total + picture.flatten(1) @ fine
        amount += float(fine.sum())
        yield None
    yield colours, weights, total / amount if amount else target.colour


def target_of(colour: Tensor, seen: Sequence[tuple[StrokeView, Tensor]], mask: Grid) -> Target:
    """A stroke's colour on the pixels [size * size] it covers of a part in each view."""
    return Target(colour, tuple((view, on_part(view, coverage, mask)) for view, coverage in seen))

"""The visual hull: where a scene can be at all, from the silhouettes of its pictures, before anything is learned."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .nerf_march import Cube
from .nerf_views import Views


@torch.no_grad()
def visual_hull(views: Views, cube: Cube, side: int) -> Tensor:
    """Cells [side, side, side] bool that no picture shows to be empty.

    A cell is empty if, in some picture, all pixels that it may touch are wholly transparent. What lies outside of a
    picture, or nearer to a camera than a cell's diagonal, that picture says nothing about.

    Args:
        views: pictures with coverage.
        cube: what the cells divide.
        side: cells along each side of the cube.
    """
    device = views.cam2world.device
    index = (torch.arange(side, device=device) + 0.5) / side
    unit = torch.stack(torch.meshgrid(index, index, index, indexing="ij"), -1).reshape(-1, 3)
    points = unit * cube.side + unit.new_tensor(cube.low)  # [side^3, 3]
    reach = 0.5 * 3**0.5 * cube.side / side  # half a cell's diagonal
    possible = torch.ones(len(points), dtype=torch.bool, device=device)
    height, width = views.size
    for picture, matrix, lens in zip(views.pictures, views.cam2world, views.intrinsics, strict=True):
        live = possible.nonzero()[:, 0]
        local = (points[live] - matrix[:3, 3]) @ matrix[:3, :3]
        depth = local[:, 2]
        ahead = depth > 2 * reach
        seen = local @ lens.T / depth.clamp_min(reach)[:, None]
        column, row = seen[:, 0] * width, seen[:, 1] * height
        across, down = float(lens[0, 0]), float(lens[1, 1])
        stretch = 1 + (0.5 / across) ** 2 + (0.5 / down) ** 2  # of what stands in a picture's corner
        pixels = reach * stretch * max(across * width, down * height)
        nearest = float(depth[ahead].min()) if bool(ahead.any()) else 2 * reach
        grow = int(pixels / max(nearest - reach, reach)) + 1
        covered = (picture[..., 3] > 0)[None, None].float()
        covered = F.max_pool2d(covered, 2 * grow + 1, 1, grow)[0, 0] > 0.5
        within = ahead & (row >= 0) & (row < height) & (column >= 0) & (column < width)
        at = (row.long().clamp(0, height - 1), column.long().clamp(0, width - 1))
        possible[live] = ~within | covered[at]
    return possible.view(side, side, side)

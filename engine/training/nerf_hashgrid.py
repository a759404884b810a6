"""The hash-grid radiance field as it trains: tables, two small perceptrons, and where space is known to be empty.

h = MLP(encode(x)),  sigma = exp(h_0),  c = sigmoid(MLP(h, SH(d)))                  (Mueller et al. 2022, section 5.4)
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ...models.base import Generator
from ...models.hashgrid import HashGrid, spherical_harmonics
from ...models.hashgrid_field import AffineWarp, ColourHead, Dense, DensityGrid, HashGridField
from ...models.scene_generator import SceneGenerator
from .nerf_encoding import encode
from .nerf_march import Cube
from .nerf_model import RenderedRays, SceneModel, Shown, box_volume
from .nerf_occupancy import EVERY, LiveOccupancy, occupied_bounds
from .nerf_packed import rays_that_fill, render_packed
from .nerf_recipe import HashGridSizes

HARMONICS = 16
_CELLS = 64
"""Along each side of the occupancy grid."""
_NEAR = 0.02
"""Parts of the cube right before a camera that stay empty: what one camera alone sees there could be anything."""
GREATEST_RAW = 12.0
"""Raw density at which exp is cut off: exp(12) is opaque in any cell."""


class HashGridNetwork(nn.Module):
    """A trainable field in a cube; raw densities are logarithms of densities in 1 / cube sides.

    Args:
        sizes: of tables and layers.
        cube: the part of space that it describes.
    """

    def __init__(self, sizes: HashGridSizes, cube: Cube) -> None:
        super().__init__()
        self.sizes, self.cube, self.layout = sizes, cube, sizes.layout
        vectors = sum(level.size for level in self.layout.build())
        self.table = nn.Parameter(torch.empty(vectors, self.layout.features).uniform_(-1e-4, 1e-4))
        self.density_in = nn.Linear(self.layout.width, sizes.hidden)
        self.density_out = nn.Linear(sizes.hidden, 1 + sizes.features)
        self.colour_in = nn.Linear(sizes.features + HARMONICS, sizes.hidden)
        self.colour_mid = nn.ModuleList(nn.Linear(sizes.hidden, sizes.hidden) for _ in range(sizes.colour_layers - 1))
        self.colour_out = nn.Linear(sizes.hidden, 3)

    def trunk(self, points: Tensor, window: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Raw density [N] and features [N, G] at world points [N, 3].

        Args:
            window: [L F] factors on the encoding (coarse to fine, as in BARF); None: all 1.
        """
        encoded = encode(self.layout, self.table, self.cube.unit(points))
        if window is not None:
            encoded = encoded * window
        out = self.density_out(torch.relu(self.density_in(encoded))).float()
        return out[:, 0].clamp(max=GREATEST_RAW), out[:, 1:]

    def density(self, raw: Tensor) -> Tensor:
        """Raw density [N] -> density [N], 1 / world unit."""
        return raw.exp() / self.cube.side

    def colour(self, features: Tensor, directions: Tensor) -> Tensor:
        """RGB in 0..1 [N, 3] of features [N, G] seen along unit directions [N, 3]."""
        hidden = torch.relu(self.colour_in(torch.cat([features, spherical_harmonics(directions)], -1)))
        for layer in self.colour_mid:
            hidden = torch.relu(layer(hidden))
        return torch.sigmoid(self.colour_out(hidden).float())

    @torch.no_grad()
    def frozen(self, occupied: Tensor) -> HashGridField:
        """A copy for viewing, asked only in occupied cells [S, S, S]."""
        side, low = self.cube.side, self.cube.low
        rows = tuple(tuple(float(i == j) / side for j in range(3)) for i in range(3))
        warp = AffineWarp(rows, tuple(-value / side for value in low))
        first = _dense(self.colour_in)
        split = self.sizes.features
        head = ColourHead(
            Dense(first.weight[:split].contiguous(), first.bias),
            Dense(first.weight[split:].contiguous()),
            (*(_dense(layer) for layer in self.colour_mid if isinstance(layer, nn.Linear)), _dense(self.colour_out)),
        )
        return HashGridField(
            HashGrid.from_flat(self.layout, self.table.detach().clone().reshape(-1)),
            (_dense(self.density_in), _dense(self.density_out)),
            head,
            warp,
            occupied_bounds(occupied, self.cube),
            bias=-math.log(side),
            first_feature=1,
            occupancy=DensityGrid(occupied[None].clone(), warp),
        )


def _dense(layer: nn.Linear) -> Dense:
    return Dense(layer.weight.detach().T.contiguous().clone(), layer.bias.detach().clone())


class HashGridScene(SceneModel):
    """A hash grid in its cube, with the cells that are known to be empty.

    Args:
        sizes: of the model.
        cube: what is learned.
        unfold: share of a run over which fine levels come in, coarse to fine; 0: all are there from the start.
    """

    first_rays = 512

    def __init__(self, sizes: HashGridSizes, cube: Cube, unfold: float = 0.0) -> None:
        super().__init__()
        self.sizes, self.cube, self.unfold = sizes, cube, unfold
        self.network: HashGridNetwork = HashGridNetwork(sizes, cube)
        self.occupancy = LiveOccupancy(_CELLS, cube)
        self.step = cube.side / sizes.steps

    def render(self, origins: Tensor, directions: Tensor, *, jitter: bool, progress: float = 1.0) -> RenderedRays:
        """See `SceneModel.render`."""
        offsets = torch.rand_like(origins[:, 0]) if jitter else torch.full_like(origins[:, 0], 0.5)
        window = self._window(progress)
        occupied = self.occupancy.occupied
        near = _NEAR * self.cube.side
        return render_packed(self.network, occupied, origins, directions, self.step, offsets, near=near, window=window)

    def learn_space(self, step: int, progress: float) -> None:
        """See `SceneModel.learn_space`; at first, while everything changes, all cells are asked."""
        if step % EVERY == 0:
            window = self._window(progress)

            def density(points: Tensor) -> Tensor:
                return self.network.density(self.network.trunk(points, window)[0])

            self.occupancy.update(density, 1.0 if step < 4 * EVERY else 0.125, self.step)

    def rays_for(self, rendered: RenderedRays, rays: int) -> int:
        """As many as fill a batch of `sizes.samples`."""
        return rays_that_fill(self.sizes.samples, rendered, rays)

    def generator(self, shown: Shown) -> Generator:
        """See `SceneModel.generator`."""
        field = self.network.frozen(self.occupancy.grown())
        low, high = field.bounds
        across = math.dist(low, high) / math.sqrt(3)
        samples = max(64, 8 * round(across / self.step / 16))
        volume = box_volume(samples, shown.white)
        return SceneGenerator(field, None, volume, shown.card, shown.camera, shown.poses, shown.resolution)

    def _window(self, progress: float) -> Tensor | None:
        """BARF's eq. 14, by levels in place of octaves: [L F] factors."""
        if not self.unfold or progress >= self.unfold:
            return None
        levels = self.network.layout.levels
        first = 0.3 * levels
        reached = first + (levels - first) * progress / self.unfold
        part = (reached - torch.arange(levels, device=self.network.table.device)).clamp(0.0, 1.0)
        return ((1 - (math.pi * part).cos()) / 2).repeat_interleave(self.network.layout.features)

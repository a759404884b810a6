"""NeRF's perceptron of encoded positions, as it trains: one network, asked only where something may be.

    (c, sigma) = F(gamma(x), gamma(d)),  loss = |C - C*|^2                                       (NeRF, eq. 4)

The network is the paper's. What places its samples is not a second, coarse network but the space that is known to be
empty: at first the silhouettes' (`nerf_hull`), then what the network itself has learned (`nerf_occupancy`).
"""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn

from ...models.base import Generator
from ...models.nerf import NeRFNetwork
from ...models.nerf_posed import PosedNeRF, Setting
from .nerf_march import Cube
from .nerf_model import RenderedRays, SceneModel, Shown, box_volume
from .nerf_occupancy import EVERY, LiveOccupancy, occupied_bounds
from .nerf_packed import rays_that_fill, render_packed
from .nerf_recipe import VanillaSizes

CELLS = 64
"""Along each side of the occupancy grid."""
_AT_FIRST = 256
"""Updates before more cells are taken for empty than silhouettes show: a perceptron may yet grow something there."""
_GREATEST_RAW = 9.0
"""Raw density at which exp is cut off: exp(9) is opaque within a thousandth of a world unit."""


class VanillaNetwork(nn.Module):
    """The perceptron with its last activations; raw densities are logarithms of densities in 1 / world unit.

    Args:
        sizes: of the layers.
        cube: the part of space that it describes.
    """

    def __init__(self, sizes: VanillaSizes, cube: Cube) -> None:
        super().__init__()
        self.cube = cube
        self.perceptron = NeRFNetwork(sizes.layout)

    def trunk(self, points: Tensor, window: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """See `PackedField.trunk`; there is no window."""
        hidden = self.perceptron.trunk_features(points)
        raw = self.perceptron.density(hidden)[:, 0].float()
        # The gradient passes the cut, or what is too dense by mistake would stay so.
        return raw + (raw.clamp(max=_GREATEST_RAW) - raw).detach(), hidden

    def density(self, raw: Tensor) -> Tensor:
        """See `PackedField.density`. ReLU, as in the paper, dies where nothing is at first."""
        return raw.exp()

    def colour(self, features: Tensor, directions: Tensor) -> Tensor:
        """See `PackedField.colour`."""
        return torch.sigmoid(self.perceptron.colour_logits(features, directions).float())


class VanillaScene(SceneModel):
    """The network, with the cells that are known to be empty.

    Args:
        sizes: of the network.
        cube: what is sampled; about 3 world units wide and around the origin, as the encoding expects.
        possible: [CELLS, CELLS, CELLS] bool: where something can be at all; None: anywhere.
        taught: whether the network has learned from depth before it learns from pictures.
    """

    def __init__(
        self, sizes: VanillaSizes, cube: Cube, possible: Tensor | None = None, *, taught: bool = False
    ) -> None:
        super().__init__()
        self.sizes, self.cube, self.first_rays = sizes, cube, sizes.samples // 32
        self.network: VanillaNetwork = VanillaNetwork(sizes, cube)
        self._wait = 0 if taught else _AT_FIRST
        self.occupancy = LiveOccupancy(CELLS, cube, possible)
        self.step = cube.side / sizes.steps

    def render(self, origins: Tensor, directions: Tensor, *, jitter: bool, progress: float = 1.0) -> RenderedRays:
        """See `SceneModel.render`."""
        offsets = torch.rand_like(origins[:, 0]) if jitter else torch.full_like(origins[:, 0], 0.5)
        return render_packed(self.network, self.occupancy.occupied, origins, directions, self.step, offsets)

    def learn_space(self, step: int, progress: float) -> None:
        """See `SceneModel.learn_space`."""
        if step % EVERY == 0 and step >= self._wait:

            def density(points: Tensor) -> Tensor:
                return self.network.density(self.network.trunk(points)[0])

            self.occupancy.update(density, 1.0 if step < self._wait + 4 * EVERY else 0.0625, self.step)

    def penalty(self) -> Tensor | None:
        """Density where silhouettes show that nothing can be: no ray asks there, but viewers will.

        Its logarithm, so that what is opaque there is drawn back no less than what is thin.
        """
        points = self.occupancy.impossible(self.sizes.samples // 16)
        if not len(points):
            return None
        return torch.log1p(self.network.density(self.network.trunk(points)[0]) * self.step).mean()

    def rays_for(self, rendered: RenderedRays, rays: int) -> int:
        """As many as fill a batch of `sizes.samples`, within what is worth the search for what can be seen."""
        return min(rays_that_fill(self.sizes.samples, rendered, rays), self.sizes.samples // 3)

    def generator(self, shown: Shown) -> Generator:
        """See `SceneModel.generator`."""
        bounds = occupied_bounds(self.occupancy.grown(), self.cube)
        across = math.dist(*bounds) / math.sqrt(3)
        samples = max(32, 8 * round(across / self.step / 24))
        volume = box_volume(samples, shown.white)
        network = copy.deepcopy(self.network.perceptron).eval().requires_grad_(False)
        made = PosedNeRF(network, None, shown.card, Setting(shown.camera, volume, bounds, None, shown.poses))
        made.resolution = shown.resolution
        return made

"""NeRF as it was first published, as it trains: two perceptrons of encoded positions, the coarse one placing samples.

    (c, sigma) = F(gamma(x), gamma(d)),  loss = |C_coarse - C|^2 + |C_fine - C|^2                (NeRF, eq. 4 and 6)

One thing is later: neither network is asked where the scene is known to be empty (see `nerf_occupancy`).
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor
from torch.nn import functional as F

from ...models.base import Generator, VolumeSettings
from ...models.nerf import NeRFNetwork
from ...models.nerf_posed import PosedNeRF, Setting
from ..rendering.integrate import activate, composite, compositing_weights
from ..rendering.rays import box_limits
from ..rendering.sampling import importance, stratified
from .nerf_march import Cube
from .nerf_model import RenderedRays, SceneModel, Shown
from .nerf_occupancy import EVERY, LiveOccupancy, occupied_bounds
from .nerf_recipe import VanillaSizes

_CELLS = 48
_NOTHING = -20.0
"""Raw density where no network is asked: softplus(-20) is 2e-9."""
_AT_FIRST = 256
"""Updates before any cell is taken for empty: a perceptron may yet grow something anywhere."""


class VanillaScene(SceneModel):
    """Both networks, with the cells that are known to be empty.

    Args:
        sizes: of the networks.
        cube: what is sampled; about 3 world units wide and around the origin, as the encoding expects.
    """

    def __init__(self, sizes: VanillaSizes, cube: Cube) -> None:
        super().__init__()
        self.sizes, self.cube, self.first_rays = sizes, cube, sizes.rays
        self.coarse, self.fine = NeRFNetwork(sizes.coarse), NeRFNetwork(sizes.fine)
        self.occupancy = LiveOccupancy(_CELLS, cube)
        self.volume = VolumeSettings(
            near=None,
            far=None,
            coarse=sizes.coarse_samples,
            fine=sizes.fine_samples,
            activation="softplus",  # NeRF's ReLU dies where nothing is at first
            quadrature="left",
            sampler="nerf",
            last_interval=0.0,  # the cube ends here, and with it the scene
        )

    def render(self, origins: Tensor, directions: Tensor, *, jitter: bool, progress: float = 1.0) -> RenderedRays:
        """See `SceneModel.render`."""
        near, far, hit = box_limits(origins.detach(), directions.detach(), self.cube.bounds)
        near, far = torch.where(hit, near, torch.zeros_like(near)), torch.where(hit, far, torch.full_like(far, 1e-3))
        generator = _default_generator(origins.device) if jitter else None
        depths = stratified(near, far, self.sizes.coarse_samples, "nerf", generator=generator)
        lengths = torch.ones_like(near)
        raw, rgb, _ = self._ask(self.coarse, origins, directions, depths)
        first = composite(self.volume, depths, raw, rgb, lengths)
        with torch.no_grad():
            weights = compositing_weights(self.volume, depths, raw, lengths)
            more = importance(depths, weights, self.sizes.fine_samples, "nerf", generator=generator)
            depths = torch.cat([depths, more], -1).sort(-1).values
        raw, rgb, asked = self._ask(self.fine, origins, directions, depths)
        last = composite(self.volume, depths, raw, rgb, lengths)
        return RenderedRays(last.features, last.alpha, asked, (first.features, first.alpha))

    def learn_space(self, step: int, progress: float) -> None:
        """See `SceneModel.learn_space`."""
        if step % EVERY == 0 and step >= _AT_FIRST:

            def density(points: Tensor) -> Tensor:
                raw = [net.density(net.trunk_features(points))[:, 0].float() for net in (self.coarse, self.fine)]
                return activate(torch.maximum(*raw), "softplus")

            self.occupancy.update(density, 1.0 if step < _AT_FIRST + 4 * EVERY else 0.125, self.cube.side / 128)

    def generator(self, shown: Shown) -> Generator:
        """See `SceneModel.generator`."""
        bounds = occupied_bounds(self.occupancy.grown(), self.cube)
        volume = VolumeSettings(**{**vars(self.volume), "white_background": shown.white})
        coarse, fine = (copy.deepcopy(net).eval().requires_grad_(False) for net in (self.coarse, self.fine))
        made = PosedNeRF(coarse, fine, shown.card, Setting(shown.camera, volume, bounds, None, shown.poses))
        made.resolution = shown.resolution
        return made

    def _ask(
        self, network: NeRFNetwork, origins: Tensor, directions: Tensor, depths: Tensor
    ) -> tuple[Tensor, Tensor, int]:
        """Raw density [N, S], RGB [N, S, 3] and how often the network was asked, at depths [N, S]."""
        points = origins[:, None] + depths[..., None] * directions[:, None]
        inside = self.occupancy.contains(points.detach())
        views = F.normalize(directions, dim=-1)[:, None].expand_as(points)[inside]
        dense, logits = network(points[inside], views)
        raw = torch.full_like(depths, _NOTHING).masked_scatter(inside, dense.float())
        colours = torch.sigmoid(logits.float())
        rgb = points.new_zeros(points.shape).masked_scatter(inside[..., None].expand_as(points), colours)
        return raw, rgb, len(colours)


def _default_generator(device: torch.device) -> torch.Generator:
    if device.type == "cuda":
        return torch.cuda.default_generators[torch.cuda.current_device() if device.index is None else device.index]
    return torch.default_generator

"""One instance of an EditNeRF as a radiance field: quick to look at, differentiable where it is edited."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from .editnerf import EditNeRFNetwork
from .editnerf_folded import FoldedEditNeRF
from .nerf import Bounds


class EditNeRFField:
    """A network under a shape code and a colour code (the `RadianceField` contract).

    Without gradients it answers from folded weights, a copy made now: take `refreshed` after the network has changed.
    With gradients, for editing, it asks the network itself; what is not asked to have gradients costs none.

        field = scene.field.copy()                    # the other instances keep their network
        for parameter in field.colour_parameters().values():
            parameter.requires_grad_(True)            # networks come out of a file with gradients off

    Args:
        network: the network; not copied.
        shape: [code] the instance's shape code.
        colour: [code] its colour code.
        bounds: box outside of which nothing is worth sampling; no checkpoint holds one.
    """

    features = 3
    view_dependent = True

    def __init__(self, network: EditNeRFNetwork, shape: Tensor, colour: Tensor, bounds: Bounds) -> None:
        self.network = network
        self.shape_code = shape
        self.colour_code = colour
        self.bounds = bounds
        self._folded = FoldedEditNeRF(network, shape, colour)

    def __call__(self, points: Tensor, directions: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Raw density [N] and RGB in 0..1 [N, 3] at points [N, 3] seen along unit directions [N, 3].

        Raises:
            ValueError: there are no directions.
        """
        seen = _given(directions)
        if self._needs_gradients(points, seen):
            raw, logits = self.network(points, seen, self.shape_code, self.colour_code)
            return raw, torch.sigmoid(logits)
        return self._folded(points, seen)

    @property
    def device(self) -> torch.device:
        """Where the network's tensors are."""
        return self.network.rgb_linear.bias.device

    def density(self, points: Tensor) -> Tensor:
        """Raw density [N] alone."""
        if self._needs_gradients(points):
            return self.network.fuse(self.network.shape_features(points, self.shape_code))[0]
        return self._folded.density(points)

    def trunk(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Raw density [N] and all that colour is told of points [N, 3]: [N, bottleneck], the same with gradients.

        A colour edit changes neither: computed once without gradients, they serve every step of it.
        """
        if self._needs_gradients(points):
            return self.network.fuse(self.network.shape_features(points, self.shape_code))
        return self._folded.trunk(points)

    def colour(self, trunk: Tensor, directions: Tensor | None) -> Tensor:
        """RGB in 0..1 [N, 3] of what `trunk` gave [N, bottleneck], seen along unit directions [N, 3].

        Raises:
            ValueError: there are no directions.
        """
        seen = _given(directions)
        if self._needs_gradients(trunk, seen):
            return torch.sigmoid(self.network.colour_logits(trunk, seen, self.colour_code))
        return self._folded.colour(trunk, seen)

    def shape_features(self, points: Tensor) -> Tensor:
        """What a shape edit leaves as it was at points [N, 3]: [N, fusion width], for `fuse`."""
        return self.network.shape_features(points, self.shape_code)

    def fuse(self, shape_features: Tensor) -> tuple[Tensor, Tensor]:
        """What `trunk` would give for the points of `shape_features` [N, fusion width]."""
        return self.network.fuse(shape_features)

    def colour_parameters(self) -> dict[str, nn.Parameter]:
        """The last colour layers, which a colour edit trains: see `EditNeRFNetwork.colour_parameters`."""
        return self.network.colour_parameters()

    def shape_parameters(self) -> dict[str, nn.Parameter]:
        """The fusion and density layers, which a shape edit trains: see `EditNeRFNetwork.shape_parameters`."""
        return self.network.shape_parameters()

    def copy(self) -> EditNeRFField:
        """The same field over a network of its own, which may be trained while the others stay as they are."""
        # Codes that were made for looking (in inference mode) may not enter a backward pass; clones may.
        shape, colour = self.shape_code.clone(), self.colour_code.clone()
        return EditNeRFField(copy.deepcopy(self.network), shape, colour, self.bounds)

    def refreshed(self) -> EditNeRFField:
        """A field of the same network and codes as they are now, after training steps."""
        return EditNeRFField(self.network, self.shape_code, self.colour_code, self.bounds)

    def _needs_gradients(self, *inputs: Tensor) -> bool:
        if not torch.is_grad_enabled():
            return False
        own = (self.shape_code, self.colour_code, *self.network.parameters())
        return any(tensor.requires_grad for tensor in (*inputs, *own))


def _given(directions: Tensor | None) -> Tensor:
    if directions is None:
        raise ValueError("directions are None, but this field's colour depends on them: pass unit vectors [N, 3]")
    return directions

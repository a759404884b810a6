"""StyleGAN2's mapping network, with EG3D's camera label and truncation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .equalized import FullyConnectedLayer

EPS = 1e-8  # under the reciprocal square root


class MappingNetwork(nn.Module):
    """Maps a latent z, and a label c where there is one, to the intermediate latent w (Karras et al. 2019, section 2).

    With c_dim above 0 the embedded, normalised label is appended to the normalised latent.
    """

    w_avg: Tensor

    def __init__(
        self, *, z_dim: int, c_dim: int, w_dim: int, num_ws: int, num_layers: int, lr_multiplier: float = 0.01
    ) -> None:
        super().__init__()
        self.z_dim, self.c_dim, self.w_dim = z_dim, c_dim, w_dim
        self.num_ws, self.num_layers = num_ws, num_layers
        if c_dim > 0:
            self.embed = FullyConnectedLayer(c_dim, w_dim)
        width = z_dim + (w_dim if c_dim > 0 else 0)
        for index in range(num_layers):
            layer = FullyConnectedLayer(width, w_dim, activation="lrelu", lr_multiplier=lr_multiplier)
            setattr(self, f"fc{index}", layer)
            width = w_dim
        self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(
        self, z: Tensor, c: Tensor | None = None, truncation_psi: float = 1.0, truncation_cutoff: int | None = None
    ) -> Tensor:
        """Maps z [N, z_dim] and c [N, c_dim] to ws [N, num_ws, w_dim].

        Args:
            z: latents; their scale does not matter, they are normalised.
            c: labels, not read when c_dim is 0.
            truncation_psi: 1 keeps w, 0 gives the average, below 0 the opposite (Brock et al. 2019's truncation).
            truncation_cutoff: truncates only the first so many of the num_ws; None means all.

        Raises:
            ValueError: z or c has the wrong width.
        """
        w = self.single(z, c)
        ws = w[:, None].expand(-1, self.num_ws, -1)
        if truncation_psi == 1.0:
            return ws.clone()
        cutoff = self.num_ws if truncation_cutoff is None else min(max(truncation_cutoff, 0), self.num_ws)
        head = self.w_avg.to(w.dtype).lerp(ws[:, :cutoff], truncation_psi)
        return torch.cat([head, ws[:, cutoff:]], dim=1)

    def single(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """The untruncated w [N, w_dim] of z and c."""
        if z.ndim != 2 or z.shape[1] != self.z_dim:
            raise ValueError(f"z has shape {tuple(z.shape)}, expected [N, {self.z_dim}]")
        x = normalise_second_moment(z.float())
        if self.c_dim > 0:
            if c is None or c.ndim != 2 or c.shape[1] != self.c_dim:
                given = "nothing" if c is None else tuple(c.shape)
                raise ValueError(f"label c is {given}, expected [N, {self.c_dim}]")
            label = normalise_second_moment(self.embed(c.float()))
            x = torch.cat([x, label.expand(x.shape[0], -1)], dim=1)
        for index in range(self.num_layers):
            x = getattr(self, f"fc{index}")(x)
        return x

    @torch.no_grad()
    def update_average(self, w: Tensor, beta: float = 0.998) -> None:
        """Moves the running average of w, kept for truncation, towards the batch's mean: w [N, w_dim]."""
        self.w_avg.copy_(w.detach().float().mean(dim=0).lerp(self.w_avg, beta))


def normalise_second_moment(x: Tensor) -> Tensor:
    """Scales each row of x [N, C] to unit mean square."""
    return x * (x.square().mean(dim=1, keepdim=True) + EPS).rsqrt()

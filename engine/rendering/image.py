"""What every renderer, exact or fast, returns."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Rendered:
    """One view of a field, before any upsampler."""

    features: Tensor
    """[C, h, w] composited over the family's background; the first three are RGB in 0..1, not clipped."""
    depth: Tensor
    """[h, w] expected depth in world units, in the meaning of `VolumeSettings.unit_rays`."""
    alpha: Tensor
    """[h, w] opacity 0..1, the sum of the compositing weights."""
    rays: Tensor | None = None
    """[C, h side, w side] what each ray gathered, where a pixel is the mean of side x side; None: each is of one."""

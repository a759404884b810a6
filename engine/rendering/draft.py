"""EG3D's super-resolution on CPUs: of pictures that move, and the exact one with a part of the products.

Pictures that move are made in half precision where the processor has it, and no larger than the view. Officially a
volume image of another size is brought to the network's own first; but the layers are convolutions and take what they
are given, so a coarser volume image makes a smaller picture, in a part of the time that falls with its pixels. It is
also the sharper one once it is enlarged: of the shipped heads at three quarters and a half of the size 27.0 and 22.6 dB
to the exact picture, in place of 26.4 and 22.0. Bfloat16 is 70 dB from float32.

Exact pictures stay in float32, and so do all where there is no half precision; their wide layers, nearly all of the
work, go through `winograd.py` once it is compiled: that of ffhq512-128 takes a third of oneDNN's time.
"""

from __future__ import annotations

import math
from itertools import cycle
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...models.base import Scene
from ...models.eg3d import SuperResolution
from ...models.eg3d_folded import FoldedSuperResolution
from ...models.eg3d_generator import EG3DUpsampler
from ...models.layers.equalized import LEAKY_SLOPE
from ...models.layers.stylegan2_folded import FoldedLayer
from . import compiled, winograd
from .image import Rendered
from .lanes import LANES
from .numba_setup import kernel_threads

LEAST = 64
"""Channels from which a layer's products are worth saving."""


class SuperResolutions:
    """Pictures of EG3D's scenes; keeps the weights of one identity, for either kind."""

    def __init__(self) -> None:
        self._kept: dict[bool, tuple[Any, FoldedSuperResolution]] = {}

    def picture(self, scene: Scene, rendered: Rendered, *, moving: bool) -> Tensor | None:
        """As `render_image` [3, H, W]; one that moves is as much smaller as `rendered` is than the scene's own size.

        None where the scene has no such upsampler, or one with noise, which has a size, or where nothing would be
        quicker: then the upsampler paints.
        """
        upsampler = scene.upsampler
        if not isinstance(upsampler, EG3DUpsampler) or upsampler.network.config.sr_noise_mode != "none":
            return None
        network = upsampler.network.superresolution
        fewer = compiled.ready(winograd.__name__) and max(_widths(network)) >= LEAST
        if not moving and not fewer:
            return None
        # Weights that are trained meanwhile count their versions up.
        stamp = (network, fewer, *(0 if p.is_inference() else p._version for p in network.parameters()))
        if moving not in self._kept or self._kept[moving][0] != stamp:
            dtype = half_precision() if moving else torch.float32
            exact = fewer and dtype == torch.float32
            if exact:
                made = _Minimised(network, smaller=moving)
            else:
                made = FoldedSuperResolution(network, dtype=dtype, smaller=moving)
            self._kept[moving] = stamp, made
        folded = self._kept[moving][1]
        folded.bind(upsampler.w)
        return folded(rendered.features[None] * 2 - 1)[0] * 0.5 + 0.5


class _Minimised(FoldedSuperResolution):
    """Whose wide layers multiply less. They write by turns to two pictures that stay: fresh memory for each, 400 MB at
    the official sizes, takes a third of the time."""

    def __init__(self, module: SuperResolution, *, smaller: bool) -> None:
        super().__init__(module, smaller=smaller)
        scratch, turns = _Memory(), cycle((_Memory(), _Memory()))
        for block in self._blocks:
            turned = zip(block.layers, turns, strict=False)
            layers = [_Minimal(layer, memory, scratch) if _is_wide(layer) else layer for layer, memory in turned]
            block.layers = layers  # pyright: ignore[reportAttributeAccessIssue]


class _Memory:
    """Room for one array at a time."""

    def __init__(self) -> None:
        self._all = torch.empty(0)

    def array(self, *shape: int) -> np.ndarray:
        """Of float32 and of this shape, aligned to 64 bytes; what was given before means nothing any more."""
        size = math.prod(shape)
        if len(self._all) < size:
            self._all = torch.empty(size)  # numpy's begin 16 bytes behind a page: vectors would straddle cache lines
        return self._all[:size].numpy().reshape(shape)


class _Minimal:
    """A `FoldedLayer` by Winograd's filtering; larger pictures than its own never come."""

    def __init__(self, layer: FoldedLayer, picture: _Memory, scratch: _Memory) -> None:
        self._layer, self._picture, self._scratch = layer, picture, scratch
        self._algorithm = winograd.SAME if layer.low_pass is None else winograd.DOUBLE
        self._filters: np.ndarray | None = None

    def bind(self, w: Tensor) -> None:
        """See `FoldedLayer`."""
        self._layer.bind(w)
        self._filters = None

    def draw(self, mode: Any, generator: torch.Generator | None) -> None:
        """See `FoldedLayer`."""
        self._layer.draw(mode, generator)

    def __call__(self, x: Tensor) -> Tensor:
        """See `FoldedLayer`; the picture is written over by the layer after the next one."""
        layer, (height, width), outputs = self._layer, x.shape[2:], len(self._layer.bias)
        if height % winograd.TILE or width % winograd.TILE or layer.noise is not None:
            return layer(x)
        if self._filters is None:
            self._filters = self._transformed()
        picture = x.permute(0, 2, 3, 1).contiguous()[0].numpy()
        up = 1 if layer.low_pass is None else 2
        out = self._picture.array(up * height, up * width, outputs)
        limit = winograd.UNLIMITED if layer.clamp is None else np.float32(layer.clamp)
        how = (layer.bias.numpy(), np.float32(LEAKY_SLOPE), limit)
        with kernel_threads() as threads:
            scratch = self._scratch.array(threads, winograd.room(layer.inputs, outputs, width, self._algorithm))
            if layer.low_pass is None:
                winograd.convolve(picture, self._filters, *how, scratch, out)
            else:
                low_pass = layer.low_pass[0].flatten().numpy()
                winograd.convolve_double(picture, self._filters, low_pass, *how, scratch, out)
        return torch.from_numpy(out)[None].permute(0, 3, 1, 2)

    def _transformed(self) -> np.ndarray:
        layer = self._layer
        assert layer.weight is not None
        weight = layer.weight if layer.low_pass is None else layer.weight.transpose(0, 1)
        return winograd.transformed(weight.numpy(), self._algorithm)


def _is_wide(layer: FoldedLayer) -> bool:
    outputs = len(layer.bias)
    return outputs >= LEAST and outputs % LANES == 0 and layer.inputs % LANES == 0


def _widths(network: SuperResolution) -> list[int]:
    return [block.conv1.out_channels for block in (network.block0, network.block1)]


def half_precision() -> torch.dtype:
    """bfloat16 where the processor multiplies it; elsewhere it is emulated, and slower than float32."""
    native = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return torch.bfloat16 if native is not None and native() else torch.float32

"""Writes pix2pixHD and vid2vid state dicts from random numbers, and computes them layer by layer from their names.

Both follow the published layouts and share no code with the program: what a layer is, is read from its tensor's name
and shape, and norms are means and variances spelled out.
"""

from __future__ import annotations

import re

import torch
import torch.nn.functional as F
from torch import Tensor

State = dict[str, Tensor]


class Writer:
    """Collects the tensors of one file."""

    def __init__(self, seed: int = 0, affine: bool = True) -> None:
        self.state: State = {}
        self.random = torch.Generator().manual_seed(seed)
        self.affine = affine

    def conv(self, name: str, outputs: int, inputs: int, side: int, turned: bool = False) -> None:
        shape = (inputs, outputs, side, side) if turned else (outputs, inputs, side, side)
        scale = (inputs * side * side) ** -0.5
        self.state[f"{name}.weight"] = torch.randn(shape, generator=self.random) * scale
        self.state[f"{name}.bias"] = torch.randn(outputs, generator=self.random) * 0.1

    def norm(self, name: str, channels: int) -> None:
        if self.affine:
            self.state[f"{name}.weight"] = 1 + 0.2 * torch.randn(channels, generator=self.random)
            self.state[f"{name}.bias"] = 0.2 * torch.randn(channels, generator=self.random)
        # Never read by the official programs; far off, so that whoever reads them is found out.
        self.state[f"{name}.running_mean"] = torch.full((channels,), 9.0)
        self.state[f"{name}.running_var"] = torch.full((channels,), 81.0)
        self.state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    def blocks(self, prefix: str, at: int, count: int, channels: int) -> int:
        for place in range(at, at + count):
            for conv in (1, 5):
                self.conv(f"{prefix}.{place}.conv_block.{conv}", channels, channels, 3)
                self.norm(f"{prefix}.{place}.conv_block.{conv + 1}", channels)
        return at + count

    def encoder(self, prefix: str, inputs: int, width: int, halvings: int, residuals: int = 0) -> int:
        self.conv(f"{prefix}.1", width, inputs, 7)
        self.norm(f"{prefix}.2", width)
        at = 4
        for step in range(halvings):
            self.conv(f"{prefix}.{at}", width << (step + 1), width << step, 3)
            self.norm(f"{prefix}.{at + 1}", width << (step + 1))
            at += 3
        return self.blocks(prefix, at, residuals, width << halvings)

    def decoder(self, prefix: str, width: int, halvings: int, at: int = 0) -> int:
        for step in reversed(range(halvings)):
            self.conv(f"{prefix}.{at}", width << step, width << (step + 1), 3, turned=True)
            self.norm(f"{prefix}.{at + 1}", width << step)
            at += 3
        return at


def global_generator(inputs: int, width: int, halvings: int, residuals: int, affine: bool, seed: int = 0) -> State:
    """A pix2pixHD file of one network."""
    file = Writer(seed, affine)
    at = file.encoder("model", inputs, width, halvings, residuals)
    at = file.decoder("model", width, halvings, at)
    file.conv(f"model.{at + 1}", 3, width, 7)
    return file.state


def enhanced_generator(inputs: int, width: int, halvings: int, residuals: int, local: int) -> State:
    """A pix2pixHD file with a local enhancer."""
    file = Writer(5, affine=False)
    at = file.encoder("model", inputs, 2 * width, halvings, residuals)
    file.decoder("model", 2 * width, halvings, at)
    file.encoder("model1_1", inputs, width, 1)
    at = file.blocks("model1_2", 0, local, 2 * width)
    at = file.decoder("model1_2", width, 1, at)
    file.conv(f"model1_2.{at + 1}", 3, width, 7)
    return file.state


def vid2vid_scale(
    scale: int, channels: int, width: int, halvings: int, residuals: int, foreground: int = 0, seed: int = 0
) -> State:
    """One file of a vid2vid model that reads three frames; `foreground`: width of that branch."""
    file = Writer(seed)
    first, steps = scale == 0, halvings if scale == 0 else 1
    deep, early = width << steps, residuals - residuals // 2 if first else 0
    for prefix, inputs in (("model_down_seg", 3 * channels), ("model_down_img", 6)):
        file.encoder(prefix, inputs, width, steps, early)
    for kind, outputs in (("img", 3), ("flow", 2)):
        if first:
            file.blocks(f"model_res_{kind}", 0, residuals // 2, deep)
        at = 0 if first else file.blocks(f"model_up_{kind}", 0, residuals, deep)
        file.decoder(f"model_up_{kind}", width, steps, at)
        file.conv(f"model_final_{kind}.1", outputs, width, 7)
    file.conv("model_final_w.1", 1, width, 7)
    if foreground:
        file.encoder("indv_down", 3 * channels, foreground, steps)
        if first:
            file.blocks("indv_res", 0, residuals, foreground << steps)
        at = 0 if first else file.blocks("indv_up", 0, residuals, foreground << steps)
        file.decoder("indv_up", foreground, steps, at)
        file.conv("indv_final.1", 3, foreground, 7)
    return file.state


def through(state: State, prefix: str, x: Tensor, final: int | None = None) -> Tensor:
    """`x` through the layers named `prefix.*`, in their order; the one numbered `final` has no norm and no ReLU."""
    places = sorted({int(m[1]) for m in (re.match(rf"{re.escape(prefix)}\.(\d+)\.", name) for name in state) if m})
    for place in places:
        name = f"{prefix}.{place}"
        if f"{name}.conv_block.1.weight" in state:
            inner = F.relu(_norm(state, f"{name}.conv_block.2", _padded(state, f"{name}.conv_block.1", x, 1)))
            x = x + _norm(state, f"{name}.conv_block.6", _padded(state, f"{name}.conv_block.5", inner, 1))
            continue
        weight = state.get(f"{name}.weight")
        if weight is None or weight.ndim != 4:
            continue
        if weight.shape[-1] == 7:
            x = _padded(state, name, x, 3)
        elif weight.shape[0] == x.shape[1] and weight.shape[1] < x.shape[1]:
            x = F.conv_transpose2d(x, weight, state[f"{name}.bias"], 2, 1, 1)
        else:
            x = F.conv2d(x, weight, state[f"{name}.bias"], 2, 1)
        if place != final:
            x = F.relu(_norm(state, f"{prefix}.{place + 1}", x))
    return x


def halved(x: Tensor) -> Tensor:
    """3 x 3 means at every second pixel, of those neighbours that exist."""
    ones = torch.ones(1, 1, 3, 3)
    count = F.conv2d(torch.ones(1, 1, *x.shape[-2:]), ones, stride=2, padding=1)
    return F.conv2d(x.transpose(0, 1), ones, stride=2, padding=1).transpose(0, 1) / count


def sampled(image: Tensor, flow: Tensor) -> Tensor:
    """`image` [1, C, H, W] at each pixel plus `flow` [1, 2, H, W], bilinear by hand, clamped to the border."""
    height, width = image.shape[-2:]
    x = (torch.arange(width).float() + flow[0, 0]).clamp(0, width - 1)
    y = (torch.arange(height).float()[:, None] + flow[0, 1]).clamp(0, height - 1)
    x0, y0 = x.floor().long().clamp(max=width - 2), y.floor().long().clamp(max=height - 2)
    fx, fy = x - x0, y - y0
    top = image[0, :, y0, x0] * (1 - fx) + image[0, :, y0, x0 + 1] * fx
    bottom = image[0, :, y0 + 1, x0] * (1 - fx) + image[0, :, y0 + 1, x0 + 1] * fx
    return (top * (1 - fy) + bottom * fy)[None]


def _padded(state: State, name: str, x: Tensor, pad: int) -> Tensor:
    return F.conv2d(F.pad(x, (pad, pad, pad, pad), mode="reflect"), state[f"{name}.weight"], state[f"{name}.bias"])


def _norm(state: State, name: str, x: Tensor) -> Tensor:
    mean = x.mean((2, 3), keepdim=True)
    x = (x - mean) / ((x - mean).square().mean((2, 3), keepdim=True) + 1e-5).sqrt()
    if f"{name}.weight" in state:
        x = x * state[f"{name}.weight"].view(1, -1, 1, 1) + state[f"{name}.bias"].view(1, -1, 1, 1)
    return x

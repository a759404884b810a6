"""Inception v3 as the Frechet Inception Distance is defined over it (Heusel et al. 2017), from a file of its weights.

The layers are those of Szegedy et al. 2016 ("Rethinking the Inception Architecture") under their usual names. The
weights are those of 2015-12-05, which differ from torchvision's: average pools do not count the padding, and the last
block pools by the maximum. No weights ship; a file of them is data: a state dict, or safetensors.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from ....models.errors import CheckpointError
from ....models.weights import filled

SIDE = 299
FEATURES = 2048
CLASSES = 1008
"""Of the file's last layer, which is not used; ImageNet's own 1000 tell a file of torchvision's."""
NOT_VERIFIED = (
    "The network was built from published facts and its shapes are checked against the file; it was not compared with "
    "another implementation's figures, so compare with published ones with care."
)


class ConvNorm(nn.Module):
    """Convolution without bias, batch norm with stored statistics, ReLU."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int | tuple[int, int], stride: int = 1, pad: int | tuple[int, int] = 0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, pad, bias=False)
        self.bn = StoredNorm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class StoredNorm(nn.Module):
    """Batch norm that only knows its stored statistics."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=0.001)


def _mean_pool(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


class BlockA(nn.Module):
    """35 x 35: 1 x 1, 5 x 5, two 3 x 3, and a pool."""

    def __init__(self, inputs: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = ConvNorm(inputs, 64, 1)
        self.branch5x5_1, self.branch5x5_2 = ConvNorm(inputs, 48, 1), ConvNorm(48, 64, 5, pad=2)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = ConvNorm(inputs, 64, 1), ConvNorm(64, 96, 3, pad=1)
        self.branch3x3dbl_3 = ConvNorm(96, 96, 3, pad=1)
        self.branch_pool = ConvNorm(inputs, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat(
            [self.branch1x1(x), self.branch5x5_2(self.branch5x5_1(x)), double, self.branch_pool(_mean_pool(x))], 1
        )


class BlockB(nn.Module):
    """35 x 35 -> 17 x 17."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3 = ConvNorm(inputs, 384, 3, 2)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = ConvNorm(inputs, 64, 1), ConvNorm(64, 96, 3, pad=1)
        self.branch3x3dbl_3 = ConvNorm(96, 96, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, F.max_pool2d(x, 3, 2)], 1)


class BlockC(nn.Module):
    """17 x 17: convolutions of 7 x 7 taken apart into rows and columns."""

    def __init__(self, inputs: int, middle: int) -> None:
        super().__init__()
        row, column = ((1, 7), 1, (0, 3)), ((7, 1), 1, (3, 0))  # kernel, stride, padding
        self.branch1x1 = ConvNorm(inputs, 192, 1)
        self.branch7x7_1 = ConvNorm(inputs, middle, 1)
        self.branch7x7_2, self.branch7x7_3 = ConvNorm(middle, middle, *row), ConvNorm(middle, 192, *column)
        self.branch7x7dbl_1 = ConvNorm(inputs, middle, 1)
        self.branch7x7dbl_2, self.branch7x7dbl_3 = ConvNorm(middle, middle, *column), ConvNorm(middle, middle, *row)
        self.branch7x7dbl_4, self.branch7x7dbl_5 = ConvNorm(middle, middle, *column), ConvNorm(middle, 192, *row)
        self.branch_pool = ConvNorm(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        single = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return torch.cat([self.branch1x1(x), single, double, self.branch_pool(_mean_pool(x))], 1)


class BlockD(nn.Module):
    """17 x 17 -> 8 x 8."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3_1, self.branch3x3_2 = ConvNorm(inputs, 192, 1), ConvNorm(192, 320, 3, 2)
        self.branch7x7x3_1, self.branch7x7x3_2 = ConvNorm(inputs, 192, 1), ConvNorm(192, 192, (1, 7), pad=(0, 3))
        self.branch7x7x3_3, self.branch7x7x3_4 = ConvNorm(192, 192, (7, 1), pad=(3, 0)), ConvNorm(192, 192, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        long = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return torch.cat([self.branch3x3_2(self.branch3x3_1(x)), long, F.max_pool2d(x, 3, 2)], 1)


class BlockE(nn.Module):
    """8 x 8: wide; the last of them pools by the maximum in the weights that FID is defined by."""

    def __init__(self, inputs: int, *, greatest: bool) -> None:
        super().__init__()
        row, column = ((1, 3), 1, (0, 1)), ((3, 1), 1, (1, 0))  # kernel, stride, padding
        self.greatest = greatest
        self.branch1x1 = ConvNorm(inputs, 320, 1)
        self.branch3x3_1 = ConvNorm(inputs, 384, 1)
        self.branch3x3_2a, self.branch3x3_2b = ConvNorm(384, 384, *row), ConvNorm(384, 384, *column)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = ConvNorm(inputs, 448, 1), ConvNorm(448, 384, 3, pad=1)
        self.branch3x3dbl_3a, self.branch3x3dbl_3b = ConvNorm(384, 384, *row), ConvNorm(384, 384, *column)
        self.branch_pool = ConvNorm(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        single, double = self.branch3x3_1(x), self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = F.max_pool2d(x, 3, 1, 1) if self.greatest else _mean_pool(x)
        wide = [self.branch3x3_2a(single), self.branch3x3_2b(single)]
        wide += [self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)]
        return torch.cat([self.branch1x1(x), *wide, self.branch_pool(pooled)], 1)


class Inception(nn.Module):
    """Pictures [N, 3, H, W] in 0..1 -> features [N, 2048]."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3, self.Conv2d_2a_3x3 = ConvNorm(3, 32, 3, 2), ConvNorm(32, 32, 3)
        self.Conv2d_2b_3x3 = ConvNorm(32, 64, 3, pad=1)
        self.Conv2d_3b_1x1, self.Conv2d_4a_3x3 = ConvNorm(64, 80, 1), ConvNorm(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = BlockA(192, 32), BlockA(256, 64), BlockA(288, 64)
        self.Mixed_6a = BlockB(288)
        self.Mixed_6b, self.Mixed_6c = BlockC(768, 128), BlockC(768, 160)
        self.Mixed_6d, self.Mixed_6e = BlockC(768, 160), BlockC(768, 192)
        self.Mixed_7a = BlockD(768)
        self.Mixed_7b, self.Mixed_7c = BlockE(1280, greatest=False), BlockE(2048, greatest=True)

    def forward(self, pictures: Tensor) -> Tensor:
        x = F.interpolate(pictures, size=(SIDE, SIDE), mode="bilinear", align_corners=False) * 2 - 1
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, 2)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(F.max_pool2d(x, 3, 2))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        return x.mean((2, 3))


def load_inception(path: Path) -> Inception:
    """The network with the weights of a file: a state dict (`pt_inception-2015-12-05-6726825d.pth`) or safetensors.

    Raises:
        CheckpointError: the file cannot be read as plain tensors (TorchScript and pickled modules hold code, which is
            not run), holds torchvision's own weights, or tensors are missing or of another shape.
    """
    try:
        if path.suffix == ".safetensors":
            tensors = load_file(str(path))
        else:
            tensors = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, SafetensorError, pickle.UnpicklingError) as error:
        raise CheckpointError(
            f"{path} cannot be read as plain tensors ({(str(error) or 'damaged').splitlines()[0][:120]}). "
            "TorchScript and pickled modules hold code, which is not run: give the state dict "
            "pt_inception-2015-12-05-6726825d.pth, or the same as .safetensors."
        ) from error
    if not isinstance(tensors, dict) or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise CheckpointError(f"{path} holds no state dict; expected names and tensors of Inception v3.")
    last = tensors.get("fc.weight")
    if last is not None and len(last) != CLASSES:
        raise CheckpointError(
            f"{path} has {len(last)} classes, FID's weights have {CLASSES}: these are another Inception's, over which "
            "the distance would mean something else. Give pt_inception-2015-12-05-6726825d.pth."
        )
    used = {name: value for name, value in tensors.items() if not name.startswith(("fc.", "AuxLogits."))}
    try:
        return filled(Inception, used, ignored=("num_batches_tracked",))
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error

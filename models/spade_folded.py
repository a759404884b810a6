"""The same SPADE, faster: constants folded into weights, convolutions of the same map done together.

With running statistics a norm is x a + c for constant a, c, and
(x a + c) (1 + gamma) + beta  =  x [a (1 + gamma)] + [c (1 + gamma) + beta];
both brackets are convolutions of the same hidden map, so one convolution with other weights gives them at once. The
hidden maps of a block's norms read the same conditions at the same size, so one convolution gives these too.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .base import GBuffer, LabelSet, ModelCard
from .captured import Captured
from .frames import check_frame, instance_edges, one_hot
from .spade import SPADE, SPADEBlock, SPADEConfig, SPADEGenerator, shrunk


class FoldedBlock(nn.Module):
    """`SPADEBlock` with its constants folded; see there."""

    def __init__(self, block: SPADEBlock) -> None:
        super().__init__()
        self.norms = [block.norm_0, block.norm_1, *([block.norm_s] if block.shortcut else [])]
        shared = [norm.mlp_shared[0] for norm in self.norms]
        self.shared = _convolution(
            torch.cat([_weight(layer) for layer in shared]), torch.cat([_bias(layer) for layer in shared])
        )
        self.modulations = nn.ModuleList(_modulation(norm) for norm in self.norms)
        self.running = self.norms[0].param_free_norm.running_mean is not None
        self.conv_0, self.conv_1 = block.conv_0, block.conv_1
        self.conv_s = block.conv_s if block.shortcut else None
        self.norms = []  # nothing of the readable block is kept

    def forward(self, x: Tensor, conditions: Tensor) -> Tensor:
        hidden = F.relu(self.shared(conditions)).chunk(len(self.modulations), 1)
        plain = x if self.running else F.instance_norm(x, eps=1e-5)
        straight = x
        if self.conv_s is not None:
            straight = self.conv_s(_modulated(plain, self.modulations[2](hidden[2])))
        x = self.conv_0(F.leaky_relu(_modulated(plain, self.modulations[0](hidden[0])), 0.2))
        x = x if self.running else F.instance_norm(x, eps=1e-5)
        return straight + self.conv_1(F.leaky_relu(_modulated(x, self.modulations[1](hidden[1])), 0.2))


class FoldedSPADE(nn.Module):
    """Conditions [N, labels (+ 1), H, W] -> RGB [N, 3, H, W] in -1..1, equal to `SPADEGenerator` within rounding.

    Args:
        network: the readable network, whose tensors are copied.
    """

    def __init__(self, network: SPADEGenerator) -> None:
        super().__init__()
        self.config: SPADEConfig = network.config
        self.fc, self.conv_img = network.fc, network.conv_img
        found = (network.get_submodule(name) for name in self.config.widths())
        self.blocks = nn.ModuleList(FoldedBlock(block) for block in found if isinstance(block, SPADEBlock))
        # Convolutions follow the layout of their weights, and channels-last is the faster one on CPUs.
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]  (torch omits the overload)
        self.eval().requires_grad_(False)

    def forward(self, conditions: Tensor) -> Tensor:
        config, (height, width) = self.config, conditions.shape[-2:]
        x = self.fc(shrunk(conditions, height // config.multiple, width // config.multiple))
        for name, block in zip(config.widths(), self.blocks, strict=True):
            if config.doubled(name):
                x = F.interpolate(x, scale_factor=2.0)
            x = block(x, shrunk(conditions, x.shape[-2], x.shape[-1]))
        return torch.tanh(self.conv_img(F.leaky_relu(x, 0.2)))


class SPADETranslator:
    """A SPADE network in the `Translator` contract; it remembers nothing, so its pictures flicker.

    Args:
        network: the weights.
        card: what the model is.
        label_set: the numbering that it was trained in.
        resolution: (height, width) of training, where known.
    """

    has_memory = False

    def __init__(
        self,
        network: SPADEGenerator,
        card: ModelCard,
        label_set: LabelSet = "cityscapes_ids",
        resolution: tuple[int, int] | None = None,
    ) -> None:
        self.network, self.card, self.resolution = FoldedSPADE(network), card, resolution
        self._painted = Captured(lambda conditions: (self.network(conditions),))  # on a GPU one launch
        self.label_set: LabelSet = label_set
        self.multiple = network.config.multiple

    @torch.inference_mode()
    def __call__(
        self,
        labels: Tensor,
        instances: Tensor,
        motion: Tensor | None = None,
        memory: None = None,
        gbuffer: GBuffer | None = None,
    ) -> tuple[Tensor, None]:
        """RGB [3, H, W] in 0..1 and None; see `Translator`."""
        check_frame(labels, instances, motion, self.multiple)
        config = self.network.config
        conditions = one_hot(labels, config.labels)
        if config.edges:
            conditions = torch.cat([conditions, instance_edges(instances)], 1)
        kind = self.network.conv_img.weight.dtype
        picture = self._painted(conditions.to(kind).contiguous(memory_format=torch.channels_last))[0].float()
        return picture[0].mul(0.5).add_(0.5).contiguous(), None

    def prepare(self, kind: torch.dtype) -> SPADETranslator:
        """Takes the network to a precision; bfloat16 is twice as fast where a processor multiplies it."""
        self.network.to(kind)
        self._painted.forget()
        return self

    def to(self, device: str) -> SPADETranslator:
        """Moves the network."""
        self.network.to(device)
        self._painted.forget()
        return self


def _modulated(x: Tensor, scale_and_shift: Tensor) -> Tensor:
    scale, shift = scale_and_shift.chunk(2, 1)
    return torch.addcmul(shift, x, scale)


def _modulation(norm: SPADE) -> nn.Conv2d:
    """Hidden map -> [a (1 + gamma), c (1 + gamma) + beta], where the norm is x a + c."""
    gamma, beta = norm.mlp_gamma, norm.mlp_beta
    mean, variance = norm.param_free_norm.running_mean, norm.param_free_norm.running_var
    if mean is None or variance is None:  # an instance norm is not constant and stays outside
        mean, variance = torch.zeros_like(_bias(gamma)), torch.full_like(_bias(gamma), 1 - 1e-5)
    a = (variance.double() + 1e-5).rsqrt()
    c = -mean.double() * a
    weight, plus_one = _weight(gamma).double(), _bias(gamma).double() + 1
    shift = _weight(beta).double() + c[:, None, None, None] * weight
    weights = torch.cat([a[:, None, None, None] * weight, shift])
    return _convolution(weights, torch.cat([a * plus_one, c * plus_one + _bias(beta).double()]))


def _convolution(weight: Tensor, bias: Tensor) -> nn.Conv2d:
    outputs, inputs, kernel, _ = weight.shape
    made = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, device="meta")
    made.weight, made.bias = nn.Parameter(weight.detach().float()), nn.Parameter(bias.detach().float())
    return made


def _weight(layer: nn.Module) -> Tensor:
    assert isinstance(layer, nn.Conv2d)
    return layer.weight.detach()


def _bias(layer: nn.Module) -> Tensor:
    assert isinstance(layer, nn.Conv2d)
    assert layer.bias is not None
    return layer.bias.detach()

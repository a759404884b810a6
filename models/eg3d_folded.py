"""EG3D's networks bound to one identity at a time: what depends on w is kept while it stands still.

For camera moves the super-resolution is, and for other noise the backbone, convolutions with ready weights; on a GPU
each is one CUDA graph, and so is the taking of another w (`Captured`), so that a dragged latent is three launches.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from .captured import Captured, Recorder
from .eg3d import SuperResolution, SynthesisNetwork
from .layers.stylegan2 import NoiseMode, SynthesisBlock
from .layers.stylegan2_folded import FoldedBlock

Noise = tuple[NoiseMode, int]
"""Kind, and the seed of 'random'."""


class _Bound(ABC):
    """What both networks share: blocks, the w they are bound to, and the noise they hold."""

    def __init__(self, blocks: list[SynthesisBlock], dtype: torch.dtype, recorder: Recorder | None) -> None:
        self.dtype = dtype
        self.bindings = 0
        """How often another w was taken."""
        with torch.inference_mode(False), torch.no_grad():
            self._blocks = [FoldedBlock(block, dtype) for block in blocks]
        self._w: Tensor | None = None
        self._noise: Noise | None = None
        self._binder = Captured(self._bind, recorder=recorder)
        self._runner = Captured(self._run, recorder=recorder)

    def bind(self, w: Tensor, noise: Noise = ("none", 0)) -> None:
        """Makes it the network of `w`; nothing is computed while the same tensor is given.

        A tensor is known by its identity: whoever changes one in place binds a copy.
        """
        if self._w is not w:
            first = self._w is None
            self._w = w
            self.bindings += 1
            with torch.inference_mode(False), torch.no_grad():
                if first:  # the memory that recordings write to does not exist before
                    self._bind(w.detach())
                else:
                    self._binder(w.detach())
        if self._noise != noise:
            mode, seed = self._noise = noise
            source = torch.Generator().manual_seed(seed) if mode == "random" else None
            with torch.inference_mode(False), torch.no_grad():
                for block in self._blocks:
                    block.draw(mode, source)

    @property
    def trouble(self) -> str:
        """Why there are no CUDA graphs; '': there are, or no GPU."""
        return self._runner.trouble or self._binder.trouble

    @abstractmethod
    def _bind(self, w: Tensor) -> tuple[()]: ...

    @abstractmethod
    def _run(self, *inputs: Tensor) -> tuple[Tensor, ...]: ...

    @property
    def _noisy(self) -> bool:
        """What the runner's course depends on; the noise's numbers stay in one place."""
        return self._noise is not None and self._noise[0] != "none"


class FoldedSuperResolution(_Bound):
    """A super-resolution module bound to one w: [1, F, H, W] features in, [1, 3, R, R] image out, no gradients.

    Args:
        module: the network; its weights are read when w is bound, later changes to it are not seen.
        w: the last style vector, [1, w_dim]; None: `bind` it before the first call.
        noise: 'none', 'const', or 'random' (drawn once, then held, so that a still state gives a still picture).
        dtype: of weights and activations; bfloat16 halves the time on CPUs that have it and errs by about 1 %.
        recorder: see `Captured`.
        smaller: whether images smaller than the network's own are taken as they are, and make a smaller picture.

    Raises:
        ValueError: w is not one vector.
    """

    def __init__(
        self,
        module: SuperResolution,
        w: Tensor | None = None,
        *,
        noise: Noise = ("none", 0),
        dtype: torch.dtype = torch.float32,
        recorder: Recorder | None = None,
        smaller: bool = False,
    ) -> None:
        super().__init__([module.block0, module.block1], dtype, recorder)
        self._resize, self._kept_below = module.resize, module.input_resolution if smaller else 0
        if w is not None:
            self.bind(w, noise)

    def bind(self, w: Tensor, noise: Noise = ("none", 0)) -> None:
        """See `_Bound`; w is [1, w_dim]."""
        if w.ndim != 2 or w.shape[0] != 1:
            raise ValueError(f"w has shape {tuple(w.shape)}, expected [1, w_dim]")
        super().bind(w, noise)

    def __call__(self, features: Tensor) -> Tensor:
        """Enlarges features [1, F, H, W], the first three channels of which are the colour, both in [-1, 1]."""
        return self._runner(features, variant=self._noisy)[0]

    def _bind(self, w: Tensor) -> tuple[()]:
        for block in self._blocks:
            block.bind(w.expand(3, -1))
        return ()

    def _run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        features = inputs[0] if inputs[0].shape[-1] < self._kept_below else self._resize(inputs[0])
        image = features[:, :3].float()
        x = features.to(self.dtype, memory_format=torch.channels_last)
        for block in self._blocks:
            x, image = block(x, image)
        return (image,)


class FoldedBackbone(_Bound):
    """The synthesis network bound to one identity: the image of planes [1, 3 C, R, R] out, no gradients.

    Args:
        network: its weights are read when codes are bound, later changes to it are not seen.
        dtype: of weights and activations. The official backbone is float32; half precision is for frames that move.
        recorder: see `Captured`.
    """

    def __init__(
        self, network: SynthesisNetwork, *, dtype: torch.dtype = torch.float32, recorder: Recorder | None = None
    ) -> None:
        super().__init__([getattr(network, f"b{side}") for side in network.block_resolutions], dtype, recorder)
        # A CUDA graph wants an input that says where it runs; there is none but the codes.
        self._where = torch.empty(0, device=next(network.parameters()).device)

    def __call__(self) -> Tensor:
        """The planes' image, float32 and contiguous."""
        return self._runner(self._where, variant=self._noisy)[0]

    def _bind(self, w: Tensor) -> tuple[()]:
        """w is [num_ws, w_dim]; a block's ToRGB shares its own with the next block's first layer."""
        start = 0
        for block in self._blocks:
            block.bind(w[start : start + len(block.layers) + 1])
            start += len(block.layers)
        return ()

    def _run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        x = image = None
        for block in self._blocks:
            x, image = block(x, image)
        assert image is not None
        return (image.contiguous(),)

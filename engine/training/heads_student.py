"""The generator that learns the heads: EG3D's official layers, small, geometry and appearance apart by construction.

w has two blocks, geometry and appearance. The mapping network's weights are block-diagonal (its first layer sends the
first 40 entries of z to one block, the last 24 to the other), and each layer's affine map reads one block only: its
other columns are zero. So two latents mix with plain official weights, and nothing is masked when they are used.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ...models.eg3d import EG3DConfig, EG3DRendering, TriPlaneGenerator, merge_planes, sample_planes
from ...models.layers.stylegan2 import SynthesisLayer
from .heads_parameters import GEOMETRY_DIMS, Z_DIM

W_GEOMETRY, W_APPEARANCE = 160, 96
"""Width of the two blocks of w."""
GEOMETRY_LAYERS = tuple(range(7))
"""Indices into ws that read the geometry: convolutions below 64 x 64 and ToRGB below 32 x 32."""
APPEARANCE_LAYERS = tuple(range(7, 12))
"""Indices into ws that read the appearance; the last one also styles the super-resolution."""
DENSITY_GAIN = 100.0
"""Raw density is 1 + 100 y, y being what the decoder learns; folded into its last layer on export."""
RAY_START, RAY_END = 2.36, 3.04
PATTERNED = (32, 64, 128)
"""Resolutions whose layers learn their constant noise, as pictures of what stands in one place on every head. Locks of
hair are too fine to come out of the 4 x 4 beginning."""
PATTERN_STRENGTH = 0.3


def heads_config() -> EG3DConfig:
    """Sizes of the shipped model: 256 x 256 pictures from a 64 x 64 feature image and planes of 32 x 128 x 128."""
    return EG3DConfig(
        z_dim=Z_DIM,
        c_dim=0,
        w_dim=W_GEOMETRY + W_APPEARANCE,
        mapping_layers=3,
        mapping_lr_multiplier=1.0,
        plane_resolution=128,
        plane_channels=32,
        channel_base=4096,
        channel_max=128,
        learned_noise=True,
        decoder_hidden=64,
        decoder_features=16,
        neural_rendering_resolution=64,
        image_resolution=256,
        superresolution="8X",
        sr_input_resolution=64,
        sr_channels=(24, 16),
        sr_noise_mode="none",
        sr_conv_clamp=None,
        rendering=EG3DRendering(
            ray_start=RAY_START,
            ray_end=RAY_END,
            box_warp=0.68,
            depth_resolution=48,
            depth_resolution_importance=48,
            white_back=True,
            avg_camera_radius=2.7,
            avg_camera_pivot=(0.0, 0.0, 0.0),
            c_gen_conditioning_zero=True,
            c_scale=0.0,
            supersampling=2,
        ),
        refiner_channels=24,
    )


def block_masks(generator: TriPlaneGenerator) -> dict[nn.Parameter, Tensor]:
    """For each weight that must stay zero somewhere, a 0/1 mask of its shape: mapping layers and affine maps."""
    from_geometry = torch.arange(W_GEOMETRY + W_APPEARANCE) < W_GEOMETRY
    masks: dict[nn.Parameter, Tensor] = {}
    source = torch.arange(Z_DIM) < GEOMETRY_DIMS
    for index in range(generator.config.mapping_layers):
        weight = getattr(generator.backbone.mapping, f"fc{index}").weight
        masks[weight] = (from_geometry[:, None] == source[None]).float()
        source = from_geometry
    start = 0
    for block in (getattr(generator.backbone.synthesis, f"b{r}") for r in generator.config.block_resolutions):
        layers = ([block.conv0] if hasattr(block, "conv0") else []) + [block.conv1, block.torgb]
        for offset, layer in enumerate(layers):
            reads = from_geometry if start + offset in GEOMETRY_LAYERS else ~from_geometry
            masks[layer.affine.weight] = reads.float().expand_as(layer.affine.weight).contiguous()
        start += block.num_conv
    for block in (generator.superresolution.block0, generator.superresolution.block1):
        for layer in (block.conv0, block.conv1, block.torgb):
            masks[layer.affine.weight] = (~from_geometry).float().expand_as(layer.affine.weight).contiguous()
    return masks


def new_student() -> TriPlaneGenerator:
    """A generator ready to train: blocks masked (weights and gradients), outputs of later blocks starting at zero."""
    student = TriPlaneGenerator(heads_config())
    with torch.no_grad():
        for weight, mask in block_masks(student).items():
            weight.mul_(mask)
            weight.register_hook(_Masked(mask))
        # Blocks that join late, or refine, start as the identity, so that nothing learned before is upset.
        finest = getattr(student.backbone.synthesis, f"b{student.config.plane_resolution}")
        for block in (finest, student.superresolution.block0, student.superresolution.block1):
            block.torgb.weight.zero_()
        assert student.refiner is not None
        for parameter in student.refiner.conv2.parameters():
            parameter.zero_()
        for name, buffer in student.named_buffers():
            if name.endswith("noise_const"):
                buffer.zero_()
        for layer in _patterned(student):
            layer.noise_strength.fill_(PATTERN_STRENGTH)
            pattern = layer.noise_const
            del layer.noise_const
            layer.noise_const = nn.Parameter(pattern)
    return student


def _patterned(student: TriPlaneGenerator) -> Iterator[SynthesisLayer]:
    for resolution in PATTERNED:
        block = getattr(student.backbone.synthesis, f"b{resolution}")
        yield from (block.conv0, block.conv1)


class _Masked:
    """A gradient's hook; its mask follows the gradient to its device."""

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def __call__(self, gradient: Tensor) -> Tensor:
        self.mask = self.mask.to(gradient.device)
        return gradient * self.mask


def double(image: Tensor) -> Tensor:
    """StyleGAN2's upsample2 of [B, C, R, R] as two products with a banded matrix: a third of its time under bf16."""
    n = image.shape[-1]
    i = torch.arange(n, device=image.device)
    up = torch.zeros(2 * n, n, device=image.device)
    up[2 * i, i] = up[2 * i + 1, i] = 0.75
    up[2 * i[1:], i[:-1]] = up[2 * i[:-1] + 1, i[1:]] = 0.25
    return up @ (image @ up.t())


def draw_planes(student: TriPlaneGenerator, ws: Tensor, resolution: int) -> Tensor:
    """Merged planes [B, 2, C, R, R] from the blocks up to ``resolution``, for growing; bf16 inside, fp32 out."""
    x: Tensor | None = None
    image: Tensor | None = None
    start = 0
    with torch.autocast(ws.device.type, torch.bfloat16):
        for r in student.config.block_resolutions:
            if r > resolution:
                break
            block = getattr(student.backbone.synthesis, f"b{r}")
            x, added = block(x, None, ws[:, start : start + block.num_conv + 1], "const")
            image = added if image is None else double(image) + added
            start += block.num_conv
    assert image is not None
    return merge_planes(image.float().unflatten(1, (3, student.config.plane_channels)))


def query_scaled(student: TriPlaneGenerator, planes: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """The decoder's y [B, N] (raw density is 1 + 100 y) and features [B, N, F] at points [B, N, 3]."""
    return student.decoder(sample_planes(planes, points, student.config.rendering.box_warp))


def upsample_window(student: TriPlaneGenerator, feature_image: Tensor, ws: Tensor) -> Tensor:
    """Super-resolution of a window [B, F, r, r] -> [B, 3, 4r, 4r]; the whole module would resize its input first."""
    w = ws[:, -1:].expand(-1, 3, -1)
    blocks = student.superresolution
    x, image = blocks.block0(feature_image, feature_image[:, :3], w, "none")
    return blocks.block1(x, image, w, "none")[1]


def fold_density_gain(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A copy of a trained state dict whose decoder gives the raw density 1 + 100 y itself, as official ones do."""
    state = {k: v.clone() for k, v in state.items()}
    state["decoder.net.2.weight"][0] *= DENSITY_GAIN
    state["decoder.net.2.bias"][0] = 1 + DENSITY_GAIN * state["decoder.net.2.bias"][0]
    return state

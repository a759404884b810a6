"""A small untrained generator of each family with latents, whose pictures show something all the same."""

from __future__ import annotations

import torch
from neuroview.models.base import Generator, ModelCard
from neuroview.models.eg3d import TriPlaneGenerator
from neuroview.models.eg3d_config import EG3DConfig, EG3DRendering
from neuroview.models.eg3d_generator import EG3DGenerator
from neuroview.models.pigan import PiGANLayout, PiGANNetwork
from neuroview.models.pigan_generator import PiGANGenerator
from neuroview.models.stylenerf import StyleNeRFNetwork
from neuroview.models.stylenerf_config import PointMLP, StyleNeRFConfig
from neuroview.models.stylenerf_generator import StyleNeRFGenerator


def small_eg3d() -> Generator:
    torch.manual_seed(0)
    config = EG3DConfig(
        z_dim=16,
        c_dim=0,
        w_dim=24,
        plane_resolution=16,
        plane_channels=8,
        channel_base=256,
        channel_max=16,
        decoder_hidden=16,
        decoder_features=8,
        neural_rendering_resolution=16,
        image_resolution=64,
        superresolution="8X",
        sr_input_resolution=16,
        sr_channels=(12, 8),
        rendering=EG3DRendering(
            ray_start=2.2,
            ray_end=3.2,
            box_warp=1.0,
            depth_resolution=12,
            depth_resolution_importance=12,
            white_back=True,
            avg_camera_radius=2.7,
            avg_camera_pivot=(0.0, 0.0, 0.0),
        ),
    )
    network = TriPlaneGenerator(config).eval().requires_grad_(False)
    network.decoder.net[2].weight[0] *= 10  # something solid, and something empty
    return EG3DGenerator(network, ModelCard("small", "eg3d", "A small EG3D", fingerprint="eg3d"))


def small_pigan() -> Generator:
    torch.manual_seed(0)
    layout = PiGANLayout(width=16, depth=2, z_dim=8, mapping_width=16)
    network = PiGANNetwork(layout).eval().requires_grad_(False)
    return PiGANGenerator({"raw": network}, ModelCard("small", "pigan", "A small pi-GAN", fingerprint="pigan"))


def small_stylenerf() -> Generator:
    torch.manual_seed(0)
    config = StyleNeRFConfig(
        z_dim=8,
        w_dim=8,
        mapping_layers=2,
        image_resolution=32,
        volume_resolution=8,
        foreground=PointMLP(coordinates=3, octaves=4, width=16, layers=3, features=8),
        background=PointMLP(coordinates=4, octaves=4, width=8, layers=2, features=8, latent=4, styled=False),
        channels=(8, 8),
    )
    network = StyleNeRFNetwork(config).eval().requires_grad_(False)
    return StyleNeRFGenerator(network, ModelCard("small", "stylenerf", "A small StyleNeRF", fingerprint="stylenerf"))


FAMILIES = {"eg3d": small_eg3d, "pigan": small_pigan, "stylenerf": small_stylenerf}

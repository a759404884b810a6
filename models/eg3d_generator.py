"""EG3D as the viewer sees it: seeds to codes, codes to a scene with a field, a volume and a super-resolution."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .base import CameraDefaults, Conditioning, FirstIdentity, ModelCard, NoiseMode, Scene, VolumeSettings
from .eg3d import TriPlaneField, TriPlaneGenerator
from .eg3d_config import EG3DConfig
from .eg3d_folded import FoldedBackbone, FoldedSuperResolution
from .eg3d_refiner import RayRefiner
from .layers.stylegan2 import SynthesisLayer

FRONTAL = Conditioning()
PORTRAIT_FOV = 18.837  # degrees across the diagonal: the official scripts' default
CARS_FOV = 45.0  # degrees across the diagonal: the official ShapeNet Cars demonstrations
FINEST_GEOMETRY = 64
"""Layers of blocks below this resolution decide the shape, where the file does not say otherwise."""


class EG3DGenerator:
    """A `Generator` over EG3D's networks.

    Args:
        network: in evaluation mode.
        card: what the model is.
        camera: first view and ranges; None takes the average camera of the rendering settings.
        geometry_layers: indices into the codes that decide the shape; None: those below 64 x 64.
        appearance_layers: indices that decide the colour; None: all others.
        upsampling: number type of the super-resolution; None: float16 on CUDA, as officially, else float32.
        backbone: number type of the backbone; float32 is the official one.
    """

    def __init__(
        self,
        network: TriPlaneGenerator,
        card: ModelCard,
        *,
        camera: CameraDefaults | None = None,
        geometry_layers: Sequence[int] | None = None,
        appearance_layers: Sequence[int] | None = None,
        upsampling: torch.dtype | None = None,
        backbone: torch.dtype = torch.float32,
    ) -> None:
        config = network.config
        self.network = network
        self.card = card
        self.camera = camera if camera is not None else default_camera(config)
        self.upsampling, self.backbone = upsampling, backbone
        self._kept: _Folded | None = None
        self.first_identity: FirstIdentity | None = None
        self.num_layers = config.num_ws
        self.layer_names: Sequence[str] = layer_names(config)
        self.geometry_layers: Sequence[int] = tuple(
            default_geometry(config) if geometry_layers is None else geometry_layers
        )
        self.appearance_layers: Sequence[int] = (
            tuple(index for index in range(self.num_layers) if index not in self.geometry_layers)
            if appearance_layers is None
            else tuple(appearance_layers)
        )
        # Super-resolution noise is the file's own setting ('none' in all released files), not the viewer's.
        self.has_noise = not config.learned_noise and any(
            bool(layer.noise_strength != 0)
            for layer in network.backbone.synthesis.modules()
            if isinstance(layer, SynthesisLayer)
        )
        self.has_conditioning = (
            config.c_dim == 25 and not config.rendering.c_gen_conditioning_zero and config.rendering.c_scale != 0
        )

    def codes(
        self,
        seed: int,
        *,
        truncation: float = 1.0,
        cutoff: int | None = None,
        conditioning: Conditioning = FRONTAL,
    ) -> Tensor:
        """Codes [num_layers, w_dim] of a seed, whose latent is `RandomState(seed).randn(1, z_dim)` as officially.

        Args:
            seed: taken modulo 2^32, which is all that numpy's generator distinguishes.
            truncation: psi; 1 keeps the code, 0 gives the average.
            cutoff: truncates only the first so many layers; None: all.
            conditioning: the camera told to the mapping network, frontal by default; not the one that renders.
        """
        z = np.random.RandomState(seed % (1 << 32)).randn(1, self.network.config.z_dim)
        return self.codes_of_latent(torch.from_numpy(z), truncation, cutoff, conditioning)[0]

    def codes_of_latent(
        self,
        z: Tensor,
        truncation: float = 1.0,
        cutoff: int | None = None,
        conditioning: Conditioning = FRONTAL,
    ) -> Tensor:
        """Codes [N, num_layers, w_dim] of latents z [N, z_dim]."""
        config = self.network.config
        label: Tensor | None = None
        if config.c_dim > 0:
            label = torch.zeros(1, config.c_dim)
            if config.c_dim == 25:
                label = conditioning_label(conditioning, self.camera)[None]
            label = label.to(self.device).expand(z.shape[0], -1)
        z = z.to(self.device, torch.float32)
        return self.network.mapping(z, label, truncation, cutoff)

    def scene(self, codes: Tensor, *, noise: NoiseMode = "const", noise_seed: int = 0) -> Scene:
        """The scene of codes [num_layers, w_dim]; differentiable in them where they require gradients.

        Args:
            codes: from `codes`, mixed or edited at will.
            noise: of the backbone: none, the stored one, or drawn from `noise_seed`; always the stored one if learned.
            noise_seed: seed of 'random' noise; the same on every device.

        Raises:
            ValueError: codes have another shape.
        """
        config = self.network.config
        if tuple(codes.shape) != (config.num_ws, config.w_dim):
            raise ValueError(f"codes have shape {tuple(codes.shape)}, expected ({config.num_ws}, {config.w_dim})")
        if config.learned_noise:
            noise = "const"
        ws = codes[None].to(self.device)
        learning = torch.is_grad_enabled() and (codes.requires_grad or _learns(self.network.backbone))
        if learning:
            source = torch.Generator().manual_seed(noise_seed) if noise == "random" else None
            planes = self.network.planes(ws, noise, source)
        else:
            planes = self._planes(codes, noise, noise_seed)
        return Scene(
            field=TriPlaneField(planes, self.network.decoder, config.rendering.box_warp, merged=True),
            volume=volume_settings(config),
            resolution=config.neural_rendering_resolution,
            image_resolution=config.image_resolution,
            upsampler=EG3DUpsampler(self.network, ws, lambda: self.folded()[1], noise_seed),
            supersampling=config.rendering.supersampling,
            refiner=None if self.network.refiner is None else EG3DRefiner(self.network.refiner),
        )

    def to(self, device: str) -> EG3DGenerator:
        """Moves the network; scenes made before stay where they are."""
        self.network.to(device)
        return self

    @property
    def device(self) -> torch.device:
        """Where the network's tensors are."""
        return self.network.backbone.mapping.w_avg.device

    def folded(self) -> tuple[FoldedBackbone, FoldedSuperResolution]:
        """Backbone and super-resolution for one identity at a time; made anew once weights have moved or changed."""
        kept, kind = self._kept, (self.device, self._upsampling_type(), self.backbone)
        if kept is None or kept.network is not self.network or kept.kind != kind or kept.versions != kept.now():
            kept = self._kept = _Folded(self.network, *kind)
        return kept.backbone, kept.superresolution

    def _planes(self, codes: Tensor, noise: NoiseMode, noise_seed: int) -> Tensor:
        """`TriPlaneGenerator.planes` of one identity; other noise alone leaves its weights as they are."""
        backbone = self.folded()[0]
        backbone.bind(codes if codes.device == self.device else codes.to(self.device), (noise, noise_seed))
        return backbone().unflatten(1, (3, self.network.config.plane_channels))

    def _upsampling_type(self) -> torch.dtype:
        if self.upsampling is not None:
            return self.upsampling
        return torch.float16 if self.device.type == "cuda" else torch.float32


class _Folded:
    """Both networks as they are now, and what tells whether they still are so."""

    def __init__(
        self, network: TriPlaneGenerator, device: torch.device, upsampling: torch.dtype, backbone: torch.dtype
    ) -> None:
        self.network, self.kind = network, (device, upsampling, backbone)
        # Inference tensors have no version; nobody may change them.
        self._tensors = [each for each in network.state_dict(keep_vars=True).values() if not each.is_inference()]
        self.versions = self.now()
        self.backbone = FoldedBackbone(network.backbone.synthesis, dtype=backbone)
        self.superresolution = FoldedSuperResolution(network.superresolution, dtype=upsampling)

    def now(self) -> list[int]:
        """Counted up by whatever is written to a tensor in place, as optimisers and averages do."""
        return [each._version for each in self._tensors]


class EG3DUpsampler:
    """Super-resolution bound to its codes: features [1, F, h, w] in 0..1 to RGB [1, 3, R, R], about 0..1, not clipped.

    Looking uses weights folded once for the codes; learning (gradients wanted) runs the network itself.

    Args:
        network: the whole generator.
        ws: [1, num_ws, w_dim].
        folded: its super-resolution for looking, which all scenes share.
        noise_seed: of 'random' noise.
    """

    def __init__(
        self, network: TriPlaneGenerator, ws: Tensor, folded: Callable[[], FoldedSuperResolution], noise_seed: int = 0
    ) -> None:
        self.network, self._ws, self._folded = network, ws, folded
        self.w = ws[:, -1].detach()
        """The only code that super-resolution reads, [1, w_dim]."""
        self._noise_seed = noise_seed

    def __call__(self, features: Tensor) -> Tensor:
        signed = features * 2 - 1  # the marcher's last step in the official renderer
        learning = torch.is_grad_enabled() and (features.requires_grad or self._ws.requires_grad)
        if learning:
            source = torch.Generator().manual_seed(self._noise_seed)
            image = self.network.upsample(signed, self._ws, generator=source)
        else:
            folded = self._folded()
            folded.bind(self.w, (self.network.config.sr_noise_mode, self._noise_seed))
            image = folded(signed)
        return image * 0.5 + 0.5


class EG3DRefiner:
    """A network's `RayRefiner` on numbers in 0..1, as a scene has them."""

    def __init__(self, network: RayRefiner) -> None:
        self.network = network

    def __call__(self, picture: Tensor, rays: Tensor) -> Tensor:
        return self.network(picture * 2 - 1, rays * 2 - 1) * 0.5 + 0.5


def _learns(module: torch.nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())


def volume_settings(config: EG3DConfig) -> VolumeSettings:
    """How EG3D's official renderer turns the field into pixels."""
    rendering = config.rendering
    return VolumeSettings(
        near=None if rendering.ray_start == "auto" else rendering.ray_start,
        far=None if rendering.ray_end == "auto" else rendering.ray_end,
        coarse=rendering.depth_resolution,
        fine=rendering.depth_resolution_importance,
        activation="softplus_shifted",
        quadrature="midpoint",
        sampler="eg3d",
        white_background=rendering.white_back,
        disparity=rendering.disparity_space_sampling,
    )


def default_camera(config: EG3DConfig) -> CameraDefaults:
    """The official scripts' camera: it orbits the origin at the average radius and looks at the average pivot."""
    rendering = config.rendering
    # Of the released models only the cars are trained without pose conditioning, and only they use the wide view.
    degrees = CARS_FOV if rendering.c_gen_conditioning_zero else PORTRAIT_FOV
    radius = rendering.avg_camera_radius
    return CameraDefaults(
        radius=radius,
        fov=2 * math.atan(0.5 / focal_of_diagonal(degrees)),
        pivot=(0.0, 0.0, 0.0),
        aim=rendering.avg_camera_pivot,
        up="y",
        yaw_range=(-math.pi, math.pi) if rendering.c_gen_conditioning_zero else (-0.8, 0.8),
        pitch_range=(-1.2, 1.2) if rendering.c_gen_conditioning_zero else (-0.5, 0.5),
        fov_range=(math.radians(5.0), math.radians(60.0)),
        radius_range=(0.5 * radius, 2.0 * radius),
    )


def focal_of_diagonal(degrees: float) -> float:
    """Normalised focal length of a field of view across the diagonal, with the official rounded constants."""
    return 1.0 / (math.tan(degrees * 3.14159 / 360.0) * 1.414)


def conditioning_label(conditioning: Conditioning, camera: CameraDefaults) -> Tensor:
    """The label [25] of a camera: cam2world row by row (OpenCV axes), then normalised intrinsics (section 4.4)."""
    yaw, pitch = conditioning.yaw, conditioning.pitch
    out = np.array([math.sin(yaw) * math.cos(pitch), math.sin(pitch), math.cos(yaw) * math.cos(pitch)])
    position = np.array(camera.pivot) + camera.radius * out
    forward = np.array(camera.pivot) + np.array(camera.aim) - position
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= max(float(np.linalg.norm(right)), 1e-9)
    cam2world = np.eye(4)
    cam2world[:3, 0], cam2world[:3, 1] = right, np.cross(forward, right)
    cam2world[:3, 2], cam2world[:3, 3] = forward, position
    focal = 0.5 / math.tan(0.5 * camera.fov)
    intrinsics = np.array([[focal, 0.0, 0.5], [0.0, focal, 0.5], [0.0, 0.0, 1.0]])
    return torch.from_numpy(np.concatenate([cam2world.ravel(), intrinsics.ravel()])).float()


def layer_names(config: EG3DConfig) -> tuple[str, ...]:
    """A name for each of the num_ws codes: '4x4 conv1', '8x8 conv0', ..., and the last block's 'rgb'."""
    names = ["4x4 conv1"]
    for resolution in config.block_resolutions[1:]:
        names += [f"{resolution}x{resolution} conv0", f"{resolution}x{resolution} conv1"]
    last = config.plane_resolution
    return (*names, f"{last}x{last} rgb")


def default_geometry(config: EG3DConfig) -> tuple[int, ...]:
    """Indices of the codes of blocks below 64 x 64."""
    return tuple(
        index for index, name in enumerate(layer_names(config)) if int(name.partition("x")[0]) < FINEST_GEOMETRY
    )


def fingerprint(path: Path) -> str:
    """sha256 of a file's bytes, hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()

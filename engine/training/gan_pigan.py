"""pi-GAN in adversarial training: waves of a SIREN from z, and pictures that grow together with their discriminator."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from ...models.base import CameraDefaults, Generator, ModelCard, VolumeSettings
from ...models.pigan import LEAKY_SLOPE, PiGANNetwork
from ...models.pigan_generator import PiGANGenerator, PiGANOptions
from ...models.pigan_presets import PiGANPreset
from .camera_labels import split_label
from .gan_discriminator import resized
from .gan_progressive import ProgressiveDiscriminator
from .gan_recipe import PiGANRecipe
from .gan_render import BatchField, Query, cube, render_batch
from .task import Moment


class PiGANGan:
    """pi-GAN's side of `GanTask`.

    Its world is measured in distances of the camera, so the data's cameras are moved onto a sphere of radius 1.

    Args:
        recipe: sizes and schedules.
        camera: that stands for the data's cameras.
    """

    name = "pigan"

    def __init__(self, recipe: PiGANRecipe, camera: CameraDefaults) -> None:
        self.recipe, self.camera = recipe, camera
        self.network = PiGANNetwork(recipe.layout)
        initialise(self.network)
        if not recipe.view_dependent:
            with torch.no_grad():
                self.network.color_layer_sine.layer.weight[:, :3] = 0
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self._growing = ProgressiveDiscriminator(recipe.sides[-1], recipe.discriminator_base, recipe.discriminator_max)
        self.discriminator: nn.Module = self._growing
        self.z_dim = recipe.layout.z_dim
        self.preset = preset_of(recipe, camera)

    def scenes(self, z: Tensor, labels: Tensor, moment: Moment) -> Tensor:
        """Codes [N, layers, 2 width] of latents [N, z_dim]; poses are not told."""
        return self.network.codes(z)

    def pictures(self, codes: Tensor, labels: Tensor, moment: Moment) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Scenes seen from poses [N, 25], [N, 3, R, R] in -1..1, R as far as it has grown."""
        side = self._grown(moment.progress)
        field = BatchField(
            self._query(codes, moment.progress),
            len(codes),
            3,
            self.preset.bounds,
            view_dependent=self.recipe.view_dependent,
        )
        return render_batch(field, self.preset.volume, self.placed(labels), side) * 2 - 1, {}

    def real(self, pictures: Tensor, moment: Moment) -> Tensor:
        """Real pictures [N, 3, R, R], reduced to the present side."""
        return resized(pictures, self._grown(moment.progress))

    def placed(self, labels: Tensor) -> Tensor:
        """The data's cameras [N, 25] in pi-GAN's world: about the origin, at distances of about 1."""
        cam2world, lens = split_label(labels)
        cam2world = cam2world.clone()
        cam2world[:, :3, 3] = (cam2world[:, :3, 3] - labels.new_tensor(self.camera.pivot)) / self.camera.radius
        return torch.cat([cam2world.flatten(1), lens.flatten(1)], 1)

    def side(self, progress: float) -> tuple[int, float]:
        """Side of the pictures at a fraction of the run, and how far it is faded in, 0..1."""
        sides, ends = self.recipe.sides, (*self.recipe.ends, 1.0)
        stage = next((index for index, end in enumerate(ends) if progress < end), len(sides) - 1)
        begin = ends[stage - 1] if stage else 0.0
        faded = 1.0 if stage == 0 else min((progress - begin) / max(self.recipe.fade, 1e-9), 1.0)
        return sides[stage], faded

    def model(self, training: Mapping[str, object]) -> Generator:
        """The averaged generator, to be written and viewed."""
        network = copy.deepcopy(self.average).eval()
        card = ModelCard("pigan", "pigan", "pi-GAN trained from pictures", training={**training})
        return PiGANGenerator({"ema": network}, card, PiGANOptions("own", "ema"), own=self.preset)

    def _grown(self, progress: float) -> int:
        side, self._growing.faded = self.side(progress)
        return side

    def _query(self, codes: Tensor, progress: float) -> Query:
        # Each layer's waves [N, 1, 2 width] meet that scene's points [N, M, width].
        waves = codes.transpose(0, 1)[:, :, None]
        noise = self.recipe.noise * max(1 - progress / max(self.recipe.noise_until, 1e-9), 0.0)

        def query(points: Tensor, directions: Tensor | None) -> tuple[Tensor, Tensor]:
            hidden = self.network.trunk_features(points, waves)
            along = directions if directions is not None else torch.zeros_like(points)
            density = self.network.final_layer(hidden)[..., 0]
            if noise > 0:
                density = density + noise * torch.randn_like(density)
            return density, torch.sigmoid(self.network.colour_logits(hidden, along, waves))

        return query


def preset_of(recipe: PiGANRecipe, camera: CameraDefaults) -> PiGANPreset:
    """Camera, ray and background of the data, in distances of the camera."""
    half = 0.5 * recipe.box
    return PiGANPreset(
        title="own pictures",
        model="SPATIALSIRENBASELINE",
        camera=replace(
            camera,
            radius=1.0,
            pivot=(0.0, 0.0, 0.0),
            radius_range=tuple(r / camera.radius for r in camera.radius_range),  # type: ignore[arg-type]
        ),
        volume=VolumeSettings(
            near=max(1 - half, 0.05),
            far=1 + half,
            coarse=recipe.samples,
            fine=recipe.samples,
            activation="relu",
            quadrature="left",
            sampler="pigan",
            white_background=recipe.white,
            # Officially endless, whereby the faintest density at a ray's end paints over a white background.
            last_interval=recipe.box / recipe.samples if recipe.white else 1e10,
            opaque_end=not recipe.white,
        ),
        bounds=cube(recipe.box),
    )


@torch.no_grad()
def initialise(network: PiGANNetwork) -> None:
    """As published: layers uniform within sqrt(6 / in) / 25, the first within 1 / in, so that frequencies of about 30
    make neither a constant nor noise (Sitzmann et al. 2020); the mapping's last layer a quarter of Kaiming's."""
    for index, film in enumerate(network.films):
        fan = film.layer.in_features
        bound = math.sqrt(6 / fan) / 25 if index else 1 / fan
        film.layer.weight.uniform_(-bound, bound)
    for head in (network.final_layer, network.colour_head):
        bound = math.sqrt(6 / head.in_features) / 25
        head.weight.uniform_(-bound, bound)
    linears = [layer for layer in network.mapping_network.network if isinstance(layer, nn.Linear)]
    for linear in linears:
        nn.init.kaiming_normal_(linear.weight, LEAKY_SLOPE, nonlinearity="leaky_relu")
    linears[-1].weight.mul_(0.25)

"""EG3D in adversarial training: tri-planes from z, a raw rendering and its super-resolution from a pose."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ...models.base import CameraDefaults, Generator, ModelCard
from ...models.eg3d import TriPlaneGenerator, merge_planes
from ...models.eg3d_generator import EG3DGenerator, volume_settings
from .gan_discriminator import Discriminator, blurred, dual, dual_of_real
from .gan_losses import density_variation
from .gan_recipe import EG3DRecipe
from .gan_render import BatchField, cube, render_batch
from .task import Moment


class EG3DGan:
    """EG3D's side of `GanTask`: what a scene is, how it is rendered, and what the discriminator is shown.

    Args:
        recipe: sizes and schedules.
        camera: that stands for the data's cameras; the model opens with it.
    """

    name = "eg3d"

    def __init__(self, recipe: EG3DRecipe, camera: CameraDefaults) -> None:
        self.recipe, self.camera = recipe, camera
        config = recipe.config
        self.network = TriPlaneGenerator(config)
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self.discriminator: nn.Module = Discriminator(
            config.image_resolution,
            label_width=25 if recipe.told_pose else 0,
            channel_base=recipe.discriminator_base,
            channel_max=recipe.discriminator_max,
        )
        self.z_dim = config.z_dim
        self._volume = volume_settings(config)

    def scenes(self, z: Tensor, labels: Tensor, moment: Moment) -> Tensor:
        """Codes ws [N, num_ws, w_dim] of latents [N, z_dim]; the mapping network may be told the poses [N, 25].

        Told the pose that renders, a generator learns what in the data goes with it (a smile towards the camera), and
        told another one now and then it learns not to turn the face with the camera (section 4.4).
        """
        told = self._told(labels, moment.progress) if self.recipe.config.c_dim else None
        ws = self.network.mapping(z, told)
        self.network.backbone.mapping.update_average(ws[:, 0])
        if self.recipe.style_mixing > 0:
            other = self.network.mapping(torch.randn(z.shape).to(z), told)
            mixed = torch.rand(len(z)) < self.recipe.style_mixing
            first = torch.where(mixed, torch.randint(1, ws.shape[1], (len(z),)), ws.shape[1])
            later = torch.arange(ws.shape[1]) >= first[:, None]  # [N, num_ws]
            ws = torch.where(later.to(z.device)[..., None], other, ws)
        return ws

    def pictures(self, codes: Tensor, labels: Tensor, moment: Moment) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Scenes seen from poses [N, 25] as the discriminator is shown them [N, 6, R, R] in -1..1; extra losses."""
        noise = "random" if self.recipe.noise else "none"
        with moment.team.autocast():
            planes = self.network.planes(codes, noise)
        planes = merge_planes(planes.float())
        field = self._field(planes)
        features = render_batch(field, self._volume, labels, self.raw_side(moment.progress)) * 2 - 1
        with moment.team.autocast():
            picture = self.network.upsample(features, codes)
        seen = blurred(dual(picture.float(), features[:, :3]), self.blur(moment.progress))
        if moment.step % self.recipe.density_every or self.recipe.density_weight == 0:
            return seen, {}
        half = 0.5 * self.recipe.config.rendering.box_warp
        points = (2 * torch.rand(len(codes), 1000, 3) - 1).to(codes) * half
        variation = density_variation(
            lambda p: self.network.query(planes, p)[0], points, half * self.recipe.density_distance
        )
        return seen, {"density": self.recipe.density_weight * self.recipe.density_every * variation}

    def real(self, pictures: Tensor, moment: Moment) -> Tensor:
        """Real pictures [N, 3, R, R] in -1..1, as the discriminator is shown them [N, 6, R, R]."""
        return blurred(dual_of_real(pictures, self.raw_side(moment.progress)), self.blur(moment.progress))

    def raw_side(self, progress: float) -> int:
        """Side of the raw rendering, pixels, at a fraction of the run."""
        recipe = self.recipe
        final = recipe.config.neural_rendering_resolution
        start = min(recipe.neural_start, final)
        grown = (progress - recipe.neural_from) / max(recipe.neural_until - recipe.neural_from, 1e-9)
        return start + 4 * round((final - start) * min(max(grown, 0.0), 1.0) / 4)

    def blur(self, progress: float) -> float:
        """Standard deviation of the blur, pixels, at a fraction of the run."""
        return self.recipe.blur * max(1 - progress / max(self.recipe.blur_until, 1e-9), 0.0)

    def model(self, training: Mapping[str, object]) -> Generator:
        """The averaged generator, to be written and viewed."""
        network = copy.deepcopy(self.average).eval()
        card = ModelCard(
            "eg3d",
            "eg3d",
            "EG3D trained from pictures",
            configuration=self.recipe.config.to_dict(),
            training={**training},
        )
        return EG3DGenerator(network, card, camera=self.camera)

    def _field(self, planes: Tensor) -> BatchField:
        return BatchField(
            lambda points, _: self.network.query(planes, points),
            len(planes),
            self.recipe.config.decoder_features,
            cube(self.recipe.config.rendering.box_warp),
        )

    def _told(self, labels: Tensor, progress: float) -> Tensor:
        """The poses [N, 25] that the mapping network is told: the right ones, or, with the swapping probability, those
        of the batch's next picture."""
        fade = min(progress / max(self.recipe.swap_fade, 1e-9), 1.0)
        probability = 1 + (self.recipe.swap - 1) * fade
        swapped = torch.rand(len(labels), 1).to(labels.device) < probability
        return torch.where(swapped, labels.roll(1, 0), labels)

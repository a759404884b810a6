"""The heads' last stage: a discriminator that is shown the teacher's pictures beside the student's (see `HeadsTask`).

The image stages leave what an L1 loss leaves: where a lock or a lip may lie here or there, the mean of both. A
discriminator that has seen real ones asks for either and not for the mean. Whole pictures are rendered through the
whole volume, so it also sees what floats where the image stages' samples do not reach. Those losses go on beside it
and hold the student to the right head.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ...models.eg3d_generator import volume_settings
from .camera_labels import joined_label, lens_of
from .gan_adversary import Adversary, AdversaryRecipe
from .gan_discriminator import Discriminator, dual, dual_of_real
from .gan_render import BatchField, cube, render_batch
from .heads_parameters import Head
from .heads_student import DENSITY_GAIN, heads_config, query_scaled
from .sphere_trace import FOCAL, random_cameras, render
from .task import Moment

if TYPE_CHECKING:
    from .heads_task import HeadsTask


@dataclass(frozen=True)
class HeadsAdversaryRecipe:
    """How strongly, and by whom, the student's pictures are judged."""

    weight: float = 0.1
    """Of the generator's loss beside the image stage's."""
    samples: int = 24
    """Coarse samples a ray of the judged pictures, and as many fine ones."""
    learning: AdversaryRecipe = field(default_factory=lambda: AdversaryRecipe(rate=1e-3, r1=1.0))
    channel_base: int = 4096
    channel_max: int = 128


class HeadsAdversary:
    """Fulfils `heads_task.AdversarialStage`."""

    def __init__(self, recipe: HeadsAdversaryRecipe | None = None) -> None:
        self.recipe = recipe if recipe is not None else HeadsAdversaryRecipe()
        config = heads_config()
        self.adversary = Adversary(
            Discriminator(
                config.image_resolution,
                label_width=0,
                channel_base=self.recipe.channel_base,
                channel_max=self.recipe.channel_max,
            ),
            self.recipe.learning,
        )
        self._volume = replace(volume_settings(config), coarse=self.recipe.samples, fine=self.recipe.samples)
        self._config = config
        self._shown: tuple[Tensor, Tensor] | None = None

    def loss(self, task: HeadsTask, head: Head, ws: Tensor, planes: Tensor, moment: Moment) -> Tensor:
        """What the student is to lower, times `weight`; see `AdversarialStage.loss`."""
        student, config = task.student, self._config
        cameras = random_cameras(len(ws))
        labels = joined_label(cameras, lens_of(FOCAL).to(cameras))

        def query(points: Tensor, _: Tensor | None) -> tuple[Tensor, Tensor]:
            y, features = query_scaled(student, planes, points)
            return 1 + DENSITY_GAIN * y, features

        volume_field = BatchField(query, len(ws), config.decoder_features, cube(config.rendering.box_warp))
        raw = render_batch(volume_field, self._volume, labels, config.neural_rendering_resolution) * 2 - 1
        with moment.team.autocast():
            picture = student.upsample(raw, ws).float()
        real, _, _ = render(task.teacher, head, cameras, config.image_resolution)
        fake = dual(picture, raw[:, :3])
        self._shown = dual_of_real(real * 2 - 1, config.neural_rendering_resolution), fake.detach()
        return self.recipe.weight * self.adversary.loss(fake, None, moment.team)

    def update(self, moment: Moment) -> Mapping[str, Tensor | float]:
        """One step of the discriminator on the pictures that `loss` drew."""
        if self._shown is None:
            return {}
        real, fake = self._shown
        self._shown = None
        return self.adversary.update(real, fake, None, None, moment)

    def to(self, device: torch.device) -> None:
        """Moves it."""
        self.adversary.to(device)

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return self.adversary.state()

    def load(self, state: Mapping[str, Any]) -> None:
        """Continues from what `state` gave."""
        self.adversary.load(state)

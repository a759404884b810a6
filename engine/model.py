"""The Python face: `open_model`, `render`, and what a model tells about itself."""

from __future__ import annotations

from dataclasses import replace

import torch

from ..models.base import Configurable, Generator, Posed
from ..models.catalog import open_generator
from ..models.errors import NeuroviewError
from .editing.side_files import SideFiles
from .frame import Frame, FrameRung
from .pipeline import Pipeline
from .state import Edits, ViewState, first_state
from .status import ModelInfo


class Model:
    """An open generator with its pipeline. Not thread-safe."""

    def __init__(self, reference: str, generator: Generator, device: str = "cpu") -> None:
        self.reference = reference
        self.generator = generator
        side_files = SideFiles()
        self.pipeline = Pipeline(generator, device, side_files)
        self.aside = Pipeline(generator, device, side_files)
        """For pictures beside the live view, so that a thumbnail does not push out the view's own stages."""
        self.directions: tuple[str, ...] = ()
        """Names of its directions, once they are known."""
        self.direction_limits: tuple[float, ...] = ()
        """How far each of them goes."""
        self.info = self.describe(ViewState())

    def first_state(self, base: ViewState | None = None) -> ViewState:
        """`base`, or a fresh state, looking at this model through its default camera."""
        generator = self.generator
        if base is not None and base.model == self.reference:  # then its options are this model's
            generator = self.pipeline.generator_for(base)
        if base is not None and base.model != self.reference:  # what was made of another model means nothing here
            base = replace(base, latents=replace(base.latents, directions=(), identity=""), edits=Edits())
        return first_state(self.reference, generator.camera, base, self.info.demo or self.info.first_identity)

    def render(self, state: ViewState | None = None, rung: FrameRung | None = None) -> Frame:
        """See `neuroview.engine.render`."""
        state = state or self.first_state()
        wanted = rung or ("exact" if state.quality.rung == "auto" else state.quality.rung)
        if wanted == "baked" and self.pipeline.baked(state) is None:
            for _ in self.pipeline.bake(state):
                pass
        return self.pipeline.frame(state, wanted)

    def describe(self, state: ViewState) -> ModelInfo:
        """What sliders and labels need, under the options that `state` chooses.

        Raises:
            CheckpointError: an option that this model does not have.
        """
        generator = self.pipeline.generator_for(state)
        with torch.inference_mode():
            scene = self.pipeline.scene(state)
        return ModelInfo(
            reference=self.reference,
            card=generator.card,
            camera=generator.camera,
            layer_names=tuple(generator.layer_names),
            geometry_layers=tuple(generator.geometry_layers),
            appearance_layers=tuple(generator.appearance_layers),
            has_noise=generator.has_noise,
            has_conditioning=generator.has_conditioning,
            has_upsampler=scene.upsampler is not None,
            resolution=scene.resolution,
            image_resolution=scene.image_resolution,
            options=tuple(generator.offered) if isinstance(generator, Configurable) else (),
            poses=tuple(generator.poses) if isinstance(generator, Posed) else (),
            demo=getattr(generator, "demo", None),
            first_identity=getattr(generator, "first_identity", None),
            directions=self.directions,
            direction_limits=self.direction_limits,
        )


def open_model(reference: str = "heads", device: str = "auto") -> Model:
    """Open a shipped model by name or a checkpoint by path; nothing in the file is executed.

    Args:
        reference: 'heads', or the path of an EG3D pickle, a NeRF checkpoint, or neuroview's own safetensors.
        device: 'auto' (CUDA when there is one), 'cpu' or 'cuda:0'.

    Raises:
        CheckpointError: no such model, or its file is truncated, foreign, hostile or of absurd size; the message
            says what was found, what was expected and what to do.
    """
    return Model(reference, open_generator(reference), choose_device(device))


def render(model: Model, state: ViewState | None = None) -> Frame:
    """One frame: a pure function of the model and the state.

    `state.quality.rung` 'auto' renders exactly; 'occupancy' and 'baked' take the fast paths (baking first when
    needed). Repeated calls keep every stage whose inputs did not change.

    Args:
        model: from `open_model`.
        state: what is to be seen; None: the model's first view.

    Returns:
        Frame with `rgb [H, W, 3]`, `raw`, `depth`, `alpha` as float32 tensors and `pixels` as 8-bit RGBA.

    Raises:
        StateError: the state's camera matrices make no camera.
    """
    return model.render(state)


def choose_device(wish: str = "auto") -> str:
    """'cuda:0' where CUDA works, else 'cpu'; an explicit wish is checked and returned as it is.

    Raises:
        NeuroviewError: the wish names no device of this machine.
    """
    cuda = torch.cuda.is_available()
    if wish == "auto":
        return "cuda:0" if cuda else "cpu"
    known = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count() if cuda else 0))]
    if wish == "cuda" and cuda:
        return "cuda:0"
    if wish not in known:
        why = "" if cuda else " CUDA is not available here (`neuroview info` tells more)."
        raise NeuroviewError(f"There is no device {wish!r}; expected auto or one of {', '.join(known)}.{why}")
    return wish

"""What can be asked of the render loop's editing: each `Task` begins one of the optimisers of `engine/editing`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .editing.status import EditKind
from .state import Camera, ViewState

if TYPE_CHECKING:
    from .pipeline import Pipeline

What = Literal["colour", "shape", "transfer"]
Part = Literal["geometry", "colour"]


@dataclass(frozen=True)
class Task:
    """What was asked for."""

    kind: EditKind
    label: str
    """Of the step to undo."""
    begin: Callable[[Pipeline, ViewState], Iterator[Any]]
    """Gives the optimiser's iterator, of `EditProgress` or `InversionProgress`."""
    target: str = ""
    """Path of the photo."""


def stroke_task(what: What, donor_seed: int | None, part: Part | None) -> Task:
    """The edit of that name, of `engine/editing`."""

    def colour(pipeline: Pipeline, state: ViewState) -> Iterator[Any]:
        from .editing.colour import edit_colour

        return edit_colour(pipeline, state)

    def shape(pipeline: Pipeline, state: ViewState) -> Iterator[Any]:
        from .editing.shape import edit_shape

        return edit_shape(pipeline, state)

    def transfer(pipeline: Pipeline, state: ViewState) -> Iterator[Any]:
        from .editing.transfer import transfer as transferred

        donor = state.latents.seed_b if donor_seed is None else donor_seed
        chosen = "both" if part is None else "shape" if part == "geometry" else "colour"
        return transferred(pipeline, state, donor, chosen)

    tasks: dict[What, Task] = {
        "colour": Task("Colour", "Colour edit", colour),
        "shape": Task("Shape", "Shape edit", shape),
        "transfer": Task("Transfer", "Transfer", transfer),
    }
    return tasks[what]


def photo_task(photo: Path, box: tuple[float, float, float, float] | None, camera: Camera | None) -> Task:
    """The inversion of a photo; `box` is left, top, right, bottom of a square in it, 0..1 of its width and height."""

    def begin(pipeline: Pipeline, state: ViewState) -> Iterator[Any]:
        from .editing.directions import directions_of
        from .editing.framing import framed_file
        from .editing.inversion import invert
        from .editing.inversion_progress import InversionProgress

        generator = pipeline.generator_for(state)
        framed = None
        for framed in framed_file(generator, photo, box):  # noqa: B007 - the last one is the photo
            yield InversionProgress(0, 1, math.nan, math.nan, says="Reading the photo")
        assert framed is not None
        directions = directions_of(generator, state.model, pipeline.side_files, compute=False)
        yield from invert(generator, framed, camera=camera, directions=directions, title=photo.name)

    return Task("Photo", f"Photo {photo.name}", begin, str(photo))

"""Transfers: the shape or the colours of another identity, for the part that region strokes mean.

Whole identities need no edit: `Latents.mix_geometry` and `mix_appearance` mix them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import torch

from .blobs import widened
from .colour import region_mask
from .errors import EditError
from .progress import EditProgress, Pace
from .result import EditResult, Patch

if TYPE_CHECKING:
    from ..pipeline import Pipeline
    from ..state import ViewState

What = Literal["shape", "colour", "both"]


def transfer(pipeline: Pipeline, state: ViewState, donor: int, what: What = "both") -> Iterator[EditProgress]:
    """Gives the part under the state's region strokes the shape, the colours or both of another seed.

    The part's field is that of the donor's codes, faded into the rest by a soft mask.

    Args:
        pipeline: of the state's generator; only asked, not changed.
        state: its `edits.strokes` of kind 'region' (and 'keep') are read; its latents say how a seed is understood.
        donor: seed.
        what: which layers are the donor's.

    Raises:
        EditError: the model has no latents, or the strokes say no region.
    """
    generator, latents = pipeline.tuned_for(state), state.latents
    if generator.num_layers == 0:
        raise EditError("This model is one scene and has no other identities: there is nobody to transfer from.")
    layers = sorted(
        {
            *(generator.geometry_layers if what in ("shape", "both") else ()),
            *(generator.appearance_layers if what in ("colour", "both") else ()),
        }
    )
    if not layers:
        raise EditError(f"This model does not say which of its codes decide the {what}; transfer both.")
    pace = Pace(90)
    mask = yield from pace.through("Finding the part", region_mask(pipeline, state, ("region",)))
    codes = generator.codes(
        donor, truncation=latents.truncation, cutoff=latents.cutoff, conditioning=latents.conditioning
    )
    own = torch.zeros_like(codes)
    own[layers] = codes[layers]
    shape = what != "colour"
    # Another shape may reach farther out than the one that the strokes were drawn on.
    patch = Patch(widened(mask, 2) if shape else mask, codes=own, replaced=tuple(layers), shape=shape)
    base = pipeline.edit(state) or EditResult()
    words = {"what": f"transfer {what}", "donor": str(donor)}
    yield pace.last(replace(base.with_patch(patch), about={**base.about, **words}))

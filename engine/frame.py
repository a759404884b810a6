"""`Frame`: a finished picture with everything that was computed for it, and how it came about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from .state import ViewState

if TYPE_CHECKING:
    from torch import Tensor

FrameRung = Literal["baked", "occupancy", "exact", "painted"]


@dataclass(frozen=True)
class Frame:
    """What `render` returns and what the loop hands to the presenter.

    Of a drive (rung 'painted'), `rgb` is the painter's picture, or the shown one where nothing was painted; `depth` is
    the engine's, in metres, or empty [0, 0]; `raw` and `alpha` are empty; and `pixels` are what `state.drive.view` asks
    to see.
    """

    state: ViewState
    """The state that this frame is a function of."""
    rgb: Tensor
    """[H, W, 3] float32, the model's colours mapped by (x + 1) / 2 where it works in -1..1; not clipped."""
    raw: Tensor
    """[h, w, 3] float32, the volume-rendered image before any super-resolution."""
    depth: Tensor
    """[h, w] float32, world units."""
    alpha: Tensor
    """[h, w] float32, opacity 0..1."""
    pixels: Tensor
    """[height, width, 4] uint8 RGBA, what `state.output` asks to see; row 0 is the top."""
    rung: FrameRung
    """How it was rendered."""
    detail: str = ""
    """The rung in a person's words, e.g. 'baked 96³'."""
    final: bool = True
    """False while the loop is still refining this state."""
    milliseconds: float = 0.0
    """Time that this frame took."""
    stages: dict[str, float] = field(default_factory=dict)
    """Milliseconds of each stage that ran; stages that were kept are absent."""
    stamp: int = 0
    """The store's version of `state`."""
    rays: int = 0
    """Cast for `raw`; 0 where none were."""

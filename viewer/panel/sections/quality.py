"""How much work a frame is worth: rung, target rate, resolution, samples; and how fast the last frames were."""

from __future__ import annotations

from dataclasses import replace

from ....engine.state import Rung
from ..controls import Segments, SliderRow
from ..fields import RESOLUTION, SAMPLES, TARGET_FPS
from ..kit import Kit, View
from ..plot import FrameTimePlot

CHOICES = (
    ("auto", "Auto", "Holds the target rate while something moves, then refines to exact when all is still."),
    ("baked", "Baked", "A grid baked from the scene: fastest, slightly coarse. Rebuilt when the identity changes."),
    ("occupancy", "Fast", "The real network, skipping empty space by an occupancy grid."),
    ("exact", "Exact", "Every sample of the official renderer: the reference, and the slowest."),
)


class QualitySection:
    """The ladder's rung, what the governor aims at, and the frame-time plot."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        with kit.card("Quality and speed", tag="section.quality"):
            self.rungs = Segments(kit, "quality.rung", CHOICES, self._choose)
            self.rows = [SliderRow(kit, TARGET_FPS)]
            self.plot = FrameTimePlot(kit, ruler="section.quality.fold")
            with kit.fold("Resolution and samples", "How finely the volume itself is rendered.", tag="quality.finer"):
                self.rows += [SliderRow(kit, RESOLUTION), SliderRow(kit, SAMPLES)]

    def refresh(self, view: View) -> None:
        self.rungs.show(view.state.quality.rung)
        for row in self.rows:
            row.refresh(view)
        self.plot.refresh(view)

    def _choose(self, rung: Rung) -> None:
        self.kit.publish(lambda state: replace(state, quality=replace(state.quality, rung=rung)), "Quality")

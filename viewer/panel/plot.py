"""The times of the last frames as a curve, with the line that the governor aims at.

Drawn with a drawlist rather than a plot: no axes to scroll by accident, and two draw calls.
"""

from __future__ import annotations

from collections.abc import Sequence

import dearpygui.dearpygui as dpg

from ..editing.cards import sparkline
from ..letterbox import Rect
from .kit import LABEL_WIDTH, Kit, View
from .style import Item, mixed

FRAMES = 240
HEIGHT = 64
LOSS_HEIGHT = 44


def curve(times: Sequence[float], ceiling: float, width: float, height: float) -> list[tuple[float, float]]:
    """Points of the curve, newest at the right edge; slower than `ceiling` milliseconds touches the top."""
    recent = list(times)[-FRAMES:]
    step = width / (FRAMES - 1)
    left = width - step * (len(recent) - 1)
    return [(left + i * step, height * (1 - min(max(t, 0.0) / ceiling, 1.0))) for i, t in enumerate(recent)]


def ceiling_for(times: Sequence[float], target: float) -> float:
    """Milliseconds at the top: the slowest frame but for the odd spike, and always some room above the target."""
    ordered = sorted(times)
    usual = ordered[int(0.95 * (len(ordered) - 1))] if ordered else 0.0
    return max(1.25 * usual, 1.6 * target)


class FrameTimePlot:
    """The curve, its target line and two numbers."""

    def __init__(self, kit: Kit, ruler: Item, *, tag: str = "plot") -> None:
        """`ruler`: an item as wide as the plot shall be."""
        self.kit, self.ruler = kit, ruler
        self._width = 0.0
        self._drawn: tuple[object, ...] = ()
        c = kit.style.colours
        with dpg.group(horizontal=True, xoffset=kit.px(LABEL_WIDTH)):
            label = dpg.add_text("Frame time")
            dpg.bind_item_theme(label, kit.style.hint)
            self.numbers = dpg.add_text("", tag=f"{tag}.numbers")
        with dpg.group() as group:
            with dpg.drawlist(width=kit.px(300), height=kit.px(HEIGHT), tag=tag) as self.canvas:
                self.back = dpg.draw_rectangle(
                    (0, 0),
                    (1, 1),
                    rounding=kit.px(5),
                    color=(0, 0, 0, 0),
                    fill=(*mixed(c.surface, c.background, 0.7), 255),
                )
                self.target = dpg.draw_line((0, 0), (1, 0), color=(*mixed(c.surface, c.warning, 0.7), 255), thickness=1)
                self.line = dpg.draw_polyline([(0, 0), (1, 0)], color=(*c.accent, 255), thickness=kit.px(1.5))
            kit.tip(
                group,
                "Milliseconds of each of the last 240 frames, newest at the right. The line across is the target: "
                "below it all is smooth.",
            )

    def refresh(self, view: View) -> None:
        width = float(dpg.get_item_rect_size(self.ruler)[0]) or self.kit.px(300.0)
        times = view.status.frame_times[-FRAMES:]
        target = 1000.0 / max(view.state.quality.target_fps, 1.0)
        key = (width, times, target)
        if key == self._drawn:
            return
        self._drawn = key
        height = float(self.kit.px(HEIGHT))
        if width != self._width:
            self._width = width
            dpg.configure_item(self.canvas, width=int(width))
            dpg.configure_item(self.back, pmax=(width, height))
        inset = self.kit.px(4)
        ceiling = ceiling_for(times, target)
        y = inset + (height - 2 * inset) * (1 - min(target / ceiling, 1.0))
        dpg.configure_item(self.target, p1=(0, y), p2=(width, y))
        points = [(x + inset, y + inset) for x, y in curve(times, ceiling, width - 2 * inset, height - 2 * inset)]
        dpg.configure_item(self.line, points=[[*p] for p in points] if len(points) > 1 else [[0, -9], [1, -9]])
        dpg.set_value(self.numbers, self._sentence(times, view.status.fps, target))

    @staticmethod
    def _sentence(times: Sequence[float], fps: float, target: float) -> str:
        if not times:
            return f"target {target:.0f} ms"
        rate = f"{fps:.0f} fps   ·   " if fps > 0 else ""
        return f"{times[-1]:.1f} ms   ·   {rate}target {target:.0f} ms"


class LossPlot:
    """How a loss falls, on a logarithmic scale: it falls by powers."""

    def __init__(self, kit: Kit, ruler: Item, *, tag: str) -> None:
        """`ruler`: an item as wide as the plot shall be."""
        self.kit, self.ruler = kit, ruler
        self._drawn: tuple[object, ...] = ()
        with dpg.drawlist(width=kit.px(300), height=kit.px(LOSS_HEIGHT), tag=tag) as self.canvas:
            c = kit.style.colours
            self.back = dpg.draw_rectangle(
                (0, 0), (1, 1), rounding=kit.px(5), color=(0, 0, 0, 0), fill=(*mixed(c.surface, c.background, 0.7), 255)
            )
            self.line = dpg.draw_polyline([(0, -9), (1, -9)], color=(*c.accent, 255), thickness=kit.px(1.5))

    def refresh(self, losses: Sequence[float]) -> None:
        """Show the losses of the last steps, oldest first."""
        width = float(dpg.get_item_rect_size(self.ruler)[0]) or self.kit.px(300.0)
        if (width, losses) == self._drawn:
            return
        self._drawn = (width, losses)
        height, inset = float(self.kit.px(LOSS_HEIGHT)), self.kit.px(4)
        dpg.configure_item(self.canvas, width=int(width))
        dpg.configure_item(self.back, pmax=(width, height))
        place = Rect(inset, inset, width - 2 * inset, height - 2 * inset)
        lines = sparkline(losses, place)
        points = [[x, y] for x, y, _, _ in lines] + [list(line[2:]) for line in lines[-1:]]
        dpg.configure_item(self.line, points=points or [[0, -9], [1, -9]])

"""What a newcomer is told over the picture: the way to the brushes, what the one in hand does, what Enter would do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...engine.state import ViewState
from ..letterbox import Rect
from ..theme import Theme, faded
from .brushes import BY_NAME
from .cards import card_top
from .icons import draw_icon
from .strip import Target, strip_left
from .tools import Tools

if TYPE_CHECKING:
    from ..painter import Painter
    from .verbs import EditActions

LAUNCHER_WIDTH, LAUNCHER_HEIGHT = 56.0, 60.0
LINE_HEIGHT = 30.0
CLAUSE = "   ·   "
"""Between the parts of a line, the most important one first."""


def applied(state: ViewState) -> str:
    """What Enter would do with the strokes that count: 'Recolour', 'Reshape', 'Transfer'; '': nothing."""
    kinds = {stroke.kind for stroke in state.edits.strokes if stroke.on}
    if kinds & {"remove", "add"}:
        return "Reshape"
    if "colour" in kinds:
        return "Recolour"
    return "Transfer" if "region" in kinds else ""


def guide(state: ViewState, tools: Tools) -> str:
    """One line: what to do next with the brush in hand."""
    if tools.picking:
        return "Click on the picture: the brush takes the colour that is there"
    does = applied(state)
    if not does:
        if any(stroke.on for stroke in state.edits.strokes):
            return "Nothing to do yet: paint a colour, or what shall go or grow"
        return f"{BY_NAME[tools.brush].help}   ·   Right drag turns the view"
    if does == "Transfer":
        part = "colour and geometry" if tools.part == "both" else tools.part
        return f"Enter takes over the {part} of seed {tools.donor}   ·   The panel chooses what and whose"
    return f"Enter {does.lower()}s the scene   ·   Paint more, also from other sides   ·   Ctrl Z takes a stroke back"


def waiting(state: ViewState) -> str:
    """One line for strokes that lie there while no brush is in the hand."""
    count = sum(stroke.on for stroke in state.edits.strokes)
    return f"{count} stroke{'s' * (count != 1)} not yet applied   ·   Enter {applied(state).lower()}s the scene"


def launcher_target(area: Rect, height: float, do: EditActions) -> Target:
    """The one button that stands where the strip will be."""
    x = strip_left(area, LAUNCHER_WIDTH)
    return Target(Rect(x, (height - LAUNCHER_HEIGHT) / 2, LAUNCHER_WIDTH, LAUNCHER_HEIGHT), do.toggle_brushes, "Edit")


def draw_launcher(painter: Painter, theme: Theme, target: Target, hover: tuple[float, float] | None) -> None:
    place = target.place
    over = hover is not None and place.contains(*hover)
    painter.box(place.grown(1), (0, 0, 0, 0.35), radius=15, softness=8)
    painter.box(place, faded(theme.raised if over else theme.surface, 0.97), radius=14)
    painter.box(place, faded(theme.accent if over else theme.text, 0.5 if over else 0.08), radius=14, border=1)
    x = place.x + place.width / 2
    draw_icon(painter, "colour", x, place.y + 23, 21, theme.accent if over else theme.text)
    wide = painter.measure("Edit", size=12) + painter.measure("B", size=10) + 15
    left, y = x - wide / 2, place.y + 45
    left += painter.text(left, y, "Edit", theme.text, size=12) + 5
    painter.box(Rect(left, y - 7, painter.measure("B", size=10) + 10, 14), faded(theme.text, 0.12), radius=4)
    painter.text(left + 5, y, "B", faded(theme.text, 0.8), size=10)


def draw_line(painter: Painter, theme: Theme, area: Rect, text: str, strip: Sequence[Target] = ()) -> None:
    """The guide on a plate at the picture's head, where a running edit has its card; clauses that do not fit are left
    out, and it keeps clear of the strip."""
    top = card_top(area, LINE_HEIGHT)
    left = max((t.place.right + 20 for t in strip if t.place.y < top + LINE_HEIGHT + 12), default=area.x)
    area = Rect(max(left, area.x), area.y, area.right - max(left, area.x), area.height)
    clauses = text.split(CLAUSE)
    while len(clauses) > 1 and painter.measure(CLAUSE.join(clauses), size=12.5) > area.width - 40:
        clauses.pop()
    text = CLAUSE.join(clauses)
    width = painter.measure(text, size=12.5) + 32
    plate = Rect(area.x + (area.width - width) / 2, top, width, LINE_HEIGHT)
    painter.box(plate.grown(1), (0, 0, 0, 0.3), radius=16, softness=8)
    painter.box(plate, faded(theme.surface, 0.95), radius=15)
    painter.box(plate, faded(theme.text, 0.08), radius=15, border=1)
    painter.text(plate.x + 16, plate.y + LINE_HEIGHT / 2, text, faded(theme.text, 0.9), size=12.5)

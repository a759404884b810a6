"""What stands over the picture while editing: how far an edit is, where other strokes live, the photo's box."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from ..letterbox import Rect
from ..theme import Theme, faded
from .photo import Photo
from .strip import TOP, Target

if TYPE_CHECKING:
    from ...engine.editing.status import EditStatus
    from ..painter import Painter
    from .verbs import EditActions

CARD_WIDTH, CARD_HEIGHT = 408.0, 74.0
HANDLE = 7.0
"""Points that a corner of the photo's box reaches to either side."""


def time_left(seconds: float | None) -> str:
    """'12 s left', '2 min left'; '' where it is not known."""
    if seconds is None or not math.isfinite(seconds):
        return ""
    return f"{seconds / 60:.0f} min left" if seconds >= 100 else f"{max(seconds, 0):.0f} s left"


def how_far(status: EditStatus) -> str:
    """What it does, its step and the time left: 'Matching the colour   ·   12 of 90   ·   4 s left'."""
    # An optimiser that needs more steps than it had foretold stays at its last but one: then nobody knows.
    known = 0 < status.step < status.steps - 1
    counted = (f"{status.step} of {status.steps}", time_left(status.seconds_left)) if known else ()
    return "   ·   ".join(part for part in (status.text, *counted) if part)


def sparkline(losses: Sequence[float], place: Rect) -> list[tuple[float, float, float, float]]:
    """The losses as lines in `place`, on a logarithmic scale: a loss falls by powers."""
    values = [math.log(max(v, 1e-9)) for v in losses if math.isfinite(v)]
    if len(values) < 2:
        return []
    step = max(1, len(values) // 60)
    values = values[::step] + ([values[-1]] if (len(values) - 1) % step else [])
    low, high = min(values), max(values)
    span = max(high - low, 1e-6)
    at = [
        (place.x + place.width * i / (len(values) - 1), place.bottom - place.height * (v - low) / span)
        for i, v in enumerate(values)
    ]
    return [(*a, *b) for a, b in pairwise(at)]


def card_top(area: Rect, height: float) -> float:
    """Where a card of that height stands at the picture's head: above it where there is room, else over it."""
    above = area.y - height - 10
    return above if above >= TOP else max(area.y + 12, TOP)


def progress_targets(area: Rect, do: EditActions) -> tuple[Rect, list[Target]]:
    """Where the card of a running edit stands, and its two buttons."""
    width = min(CARD_WIDTH, area.width - 24)
    card = Rect(area.x + (area.width - width) / 2, card_top(area, CARD_HEIGHT), width, CARD_HEIGHT)
    y = card.bottom - 12 - 24
    drop = Target(Rect(card.right - 12 - 76, y, 76, 24), do.drop, "Drop", "Esc")
    keep = Target(Rect(drop.place.x - 6 - 124, y, 124, 24), do.keep, "Keep", "Shift Enter")
    return card, [keep, drop]


def draw_progress(
    painter: Painter,
    theme: Theme,
    status: EditStatus,
    card: Rect,
    targets: Sequence[Target],
    hover: tuple[float, float] | None,
) -> None:
    """What runs, how far it is, how the loss falls, and what can be done about it."""
    painter.box(card.grown(2), (0, 0, 0, 0.4), radius=16, softness=10)
    painter.box(card, faded(theme.surface, 0.97), radius=14)
    painter.box(card, faded(theme.text, 0.08), radius=14, border=1)
    y = card.y + 19
    painter.disc(card.x + 19, y, 4, theme.accent)
    x = card.x + 32
    x += painter.text(x, y, status.what, theme.text, size=13, weight="semibold") + 10
    line = painter.wrap(how_far(status), card.right - 14 - x, size=12, most=1)
    painter.text(x, y, line[0] if line else "", faded(theme.text, 0.72), size=12)
    left = targets[0].place.x - 14
    plot = Rect(card.x + 14, card.bottom - 40, left - card.x - 14, 18)
    painter.strokes(sparkline(status.losses, plot), 1.5, faded(theme.accent, 0.7))
    track = Rect(plot.x, card.bottom - 15, plot.width, 3)
    painter.box(track, theme.raised, radius=1.5)
    part = min(status.step / status.steps, 1.0) if status.steps else 0.0
    painter.box(Rect(track.x, track.y, track.width * part, 3), theme.accent, radius=1.5)
    draw_buttons(painter, theme, targets, hover)


def draw_buttons(painter: Painter, theme: Theme, targets: Sequence[Target], hover: tuple[float, float] | None) -> None:
    """Buttons with words on them and the key that does the same; the first is what one would mostly do."""
    for index, target in enumerate(targets):
        place, over = target.place, hover is not None and target.place.contains(*hover)
        fill = faded(theme.accent, 0.40 if over else 0.28) if index == 0 else faded(theme.text, 0.14 if over else 0.08)
        painter.box(place, fill, radius=7)
        wide, key = painter.measure(target.title, size=12), painter.measure(target.help, size=10.5)
        x, middle = place.x + (place.width - wide - key - (6 if key else 0)) / 2, place.y + place.height / 2
        x += painter.text(x, middle, target.title, theme.text, size=12) + 6
        painter.text(x, middle, target.help, faded(theme.text, 0.6), size=10.5)


def photo_targets(painter: Painter, photo: Photo, place: Rect, height: float, do: EditActions) -> list[Target]:
    """The buttons below the photo: invert it, where its camera stood, put it away."""
    camera = "Camera: this one" if photo.here else "Camera: fit it"
    rows = (
        ("Rebuild in 3D", "Enter", do.invert),
        (camera, "", lambda: do.photo.change(here=not photo.here)),
        ("Put away", "Esc", do.close_photo),
    )
    widths = [painter.measure(text, size=12) + painter.measure(key, size=10.5) + 34 for text, key, _ in rows]
    x = place.x + (place.width - sum(widths) - 8 * (len(rows) - 1)) / 2
    y = min(place.bottom + 12, height - 42)
    found = []
    for (text, key, press), width in zip(rows, widths, strict=True):
        found.append(Target(Rect(x, y, width, 30), press, text, key))
        x += width + 8
    return found


def hint_target(painter: Painter, area: Rect, bottom: float, text: str, do: EditActions) -> Target:
    """A chip at the picture's foot that leads to the next view with strokes."""
    width = painter.measure(text, size=12) + 44
    return Target(Rect(area.x + (area.width - width) / 2, bottom - 28, width, 28), do.next_view, text)


def draw_hint(painter: Painter, theme: Theme, target: Target, hover: tuple[float, float] | None) -> None:
    place = target.place
    over = hover is not None and place.contains(*hover)
    painter.box(place, faded(theme.raised if over else theme.surface, 0.95), radius=14)
    painter.box(place, faded(theme.text, 0.10), radius=14, border=1)
    painter.disc(place.x + 17, place.y + 14, 4, theme.accent)
    painter.text(place.x + 30, place.y + 14, target.title, faded(theme.text, 0.86), size=12)


def box_place(photo: Photo, place: Rect) -> Rect:
    """The photo's box in the units of `place`, where the whole photo stands."""
    left, top, right, bottom = photo.box
    x, y = place.x + place.width * left, place.y + place.height * top
    return Rect(x, y, place.width * (right - left), place.height * (bottom - top))


def draw_box(painter: Painter, theme: Theme, photo: Photo, place: Rect, *, fixed: bool) -> None:
    """The photo outside of its box darkened, the box's frame with thirds and corners."""
    box = box_place(photo, place)
    dark = faded(theme.background, 0.66)
    for rect in (
        Rect(place.x, place.y, place.width, box.y - place.y),
        Rect(place.x, box.bottom, place.width, place.bottom - box.bottom),
        Rect(place.x, box.y, box.x - place.x, box.height),
        Rect(box.right, box.y, place.right - box.right, box.height),
    ):
        if rect.width > 0.5 and rect.height > 0.5:
            painter.box(rect, dark)
    painter.box(box, faded(theme.text, 0.35 if fixed else 0.9), border=1.5)
    if fixed:
        return
    for part in (1 / 3, 2 / 3):
        painter.box(Rect(box.x + box.width * part, box.y, 1, box.height), faded(theme.text, 0.22))
        painter.box(Rect(box.x, box.y + box.height * part, box.width, 1), faded(theme.text, 0.22))
    arm = min(18.0, box.width / 4)
    for x, sx in ((box.x, 1), (box.right, -1)):
        for y, sy in ((box.y, 1), (box.bottom, -1)):
            painter.strokes([(x, y, x + sx * arm, y), (x, y, x, y + sy * arm)], 3.5, theme.text)


def draw_caption(painter: Painter, theme: Theme, text: str, x: float, y: float, *, right: bool = False) -> None:
    """A few words on a small plate; `x` is its left edge, or its right one."""
    width = painter.measure(text, size=12) + 20
    plate = Rect(x - width if right else x, y, width, 24)
    painter.box(plate, faded(theme.background, 0.66), radius=12)
    painter.box(plate, faded(theme.text, 0.10), radius=12, border=1)
    painter.text(plate.x + 10, y + 12, text, theme.text, size=12)


def draw_compare(painter: Painter, theme: Theme, photo: Photo, picture: Rect) -> None:
    """The divider between photo and picture."""
    x, middle = picture.x + math.floor(picture.width * photo.split), picture.y + picture.height / 2
    painter.box(Rect(x - 2, picture.y, 4, picture.height), (0, 0, 0, 0.28))
    painter.box(Rect(x - 1, picture.y, 2, picture.height), faded(theme.text, 0.95))
    painter.disc(x, middle, 15, (0, 0, 0, 0.3))
    painter.disc(x, middle, 14, theme.text)
    for side in (-1, 1):
        tip = (x + 8 * side, middle)
        painter.strokes([(*tip, x + 4 * side, middle - 4), (*tip, x + 4 * side, middle + 4)], 1.8, theme.background)
    # At the foot: the head is the pill's, the guide's and a running edit's.
    y = picture.bottom - 14 - 24
    if x - picture.x > 110:
        draw_caption(painter, theme, "Photo", picture.x + 14, y)
    if picture.right - x > 110:
        draw_caption(painter, theme, "Generated", picture.right - 14, y, right=True)


def caption_place(photo: Rect) -> tuple[float, float]:
    """Where the name of a photo that stands at `photo` begins: above it, or in its corner below the window's pill."""
    above = photo.y - 34
    return (photo.x, above) if above >= TOP else (photo.x + 14, max(photo.y + 14, TOP))


def photo_caption(photo: Photo) -> str:
    """The photo's name, not too long."""
    name = Path(photo.path).name
    return name if len(name) <= 32 else name[:29] + "…"

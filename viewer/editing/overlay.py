"""`EditOverlay`: everything that editing draws over the picture, and what of it can be pressed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...engine.state import Stroke, ViewState
from ..letterbox import Rect
from ..theme import Theme, faded
from . import cards
from .brushes import BY_NAME, tint_of
from .guide import applied, draw_launcher, draw_line, guide, launcher_target, waiting
from .strip import Target, draw_strip, strip_factor, strip_targets
from .stroke_layer import Shown
from .strokes import erased, same_view, view_name, views, visibility
from .tools import Tools

if TYPE_CHECKING:
    from ...engine.editing.status import EditStatus
    from ..painter import Painter
    from .photo import Photo
    from .verbs import EditActions

OFF = 0.28
"""How clearly a stroke shows that is switched off."""


class EditOverlay:
    """Holds what is to be drawn; knows nothing of windows and events. The window's thread only."""

    def __init__(self, theme: Theme) -> None:
        self.theme = theme
        self.targets: list[Target] = []
        """What can be pressed, as it was drawn last."""
        self.card: Rect | None = None
        """Where the card of a running edit was drawn last; None: there is none."""
        self.cursor: tuple[float, float] | None = None
        """Where the hand is, points."""
        self.path: list[tuple[float, float]] = []
        """The stroke that is being drawn; across and down, 0..1 of the picture."""
        self.sample: tuple[float, float, float] | None = None
        """The colour under a pipette."""
        self._actions: EditActions | None = None
        self._state: ViewState | None = None
        self._status: EditStatus | None = None
        self._ready = False
        self._drawn: object = None
        self._erasing: tuple[tuple[Stroke, ...], int, tuple[Stroke, ...]] | None = None

    def attach(self, actions: EditActions) -> None:
        """From now on draw what these tools are."""
        self._actions = actions

    @property
    def tools(self) -> Tools:
        return self._actions.tools.now if self._actions is not None else Tools()

    @property
    def photo(self) -> Photo | None:
        """The open photo, where it is to be seen."""
        photo = self._actions.photo.now if self._actions is not None else None
        driving = self._state is not None and self._state.drive is not None
        return photo if photo is not None and photo.shown and not driving else None

    @property
    def status(self) -> EditStatus | None:
        return self._status

    @property
    def painting(self) -> bool:
        """Whether a brush is in the hand, over a generator's picture."""
        return self.tools.on and self._state is not None and self._state.drive is None and not self._framing()

    def update(self, state: ViewState | None, status: EditStatus | None) -> bool:
        """Take in what the loop says and what is looked at; True when it has to be drawn again."""
        self._state, self._status = state, status
        if self._actions is not None:
            self._actions.note_end(status is not None)
        edits = (state.edits.strokes, state.camera, state.drive is None) if state is not None else None
        looks = (self.tools, self.photo, edits, status)
        changed, self._drawn = looks != self._drawn, looks
        return changed

    def strokes(self) -> list[Shown]:
        """Every stroke that can be seen from here, the one under the hand last."""
        state = self._state
        if state is None or state.drive is not None or self._framing():
            return []
        seen = self._visible(state) if self._status is None else []  # a running edit shows what they do
        tools, path = self.tools, tuple(self.path)
        kind = BY_NAME[tools.brush].kind
        if path and kind is not None:
            seen.append(Shown(Stroke(kind, path, state.camera, tools.width, tools.colour)))
        return seen

    def _visible(self, state: ViewState) -> list[Shown]:
        strokes = state.edits.strokes
        if self.path and self.tools.brush == "eraser":
            strokes = self._rubbed(strokes, state)
        calm = 1.0 if self.tools.on else 0.55  # with no brush in the hand the picture comes first
        return [
            Shown(stroke, calm * visibility(stroke, state.camera) * (1.0 if stroke.on else OFF)) for stroke in strokes
        ]

    def _rubbed(self, strokes: tuple[Stroke, ...], state: ViewState) -> tuple[Stroke, ...]:
        """What the eraser has left so far; goes on from where it was, a path grows long."""
        left, done = strokes, 0
        if self._erasing is not None and self._erasing[0] is strokes and self._erasing[1] <= len(self.path):
            _, done, left = self._erasing
        if done < len(self.path):
            left = erased(left, state.camera, self.path[max(done - 1, 0) :], self.tools.width)
            self._erasing = (strokes, len(self.path), left)
        return left

    def draw(
        self,
        painter: Painter,
        picture: Rect,
        photo_place: Rect | None,
        *,
        launcher: bool = True,
        guided: bool = True,
    ) -> None:
        """Draw over `picture` (points).

        Args:
            photo_place: where the whole photo stands beside it.
            launcher: whether the way to the brushes is shown while none is in the hand.
            guided: whether it is said what to do next; not while something more urgent stands there.
        """
        self.targets, self.card = [], None
        state, do, photo = self._state, self._actions, self.photo
        if state is None or do is None or state.drive is not None:
            return
        busy = self._status is not None
        if photo is not None and photo_place is not None:
            cards.draw_box(painter, self.theme, photo, photo_place, fixed=busy)
            cards.draw_caption(painter, self.theme, cards.photo_caption(photo), *cards.caption_place(photo_place))
            if not busy:
                buttons = cards.photo_targets(painter, photo, photo_place, painter.height, do)
                cards.draw_buttons(painter, self.theme, buttons, self.cursor)
                self.targets += buttons
        elif photo is not None:
            cards.draw_compare(painter, self.theme, photo, picture)
        does = applied(state)
        if self.painting:
            factor = strip_factor(painter.height)
            strip = strip_targets(picture, painter.height, self.tools, do, factor, does)
            draw_strip(painter, self.theme, strip, self.tools, self.cursor, ready=bool(does) and not busy)
            self.targets += strip
        elif launcher and not self._framing():
            button = launcher_target(picture, painter.height, do)
            draw_launcher(painter, self.theme, button, self.cursor)
            self.targets.append(button)
        if self._status is not None:
            self.card, buttons = cards.progress_targets(picture, do)
            cards.draw_progress(painter, self.theme, self._status, self.card, buttons, self.cursor)
            self.targets += buttons
        elif not guided:
            pass
        elif self.painting and self.target() is None:  # else a tooltip says what is under the hand
            draw_line(painter, self.theme, picture, guide(state, self.tools), self.targets)
        elif does and not self._framing():
            draw_line(painter, self.theme, picture, waiting(state))
        if not busy and not self._framing() and (text := self._elsewhere(state)):
            hint = cards.hint_target(painter, picture, picture.bottom - 14, text, do)
            cards.draw_hint(painter, self.theme, hint, self.cursor)
            self.targets.append(hint)
        if self.painting and self.cursor is not None and self.over_picture(picture):
            self._draw_cursor(painter, picture, *self.cursor)

    def over_picture(self, picture: Rect) -> bool:
        """Whether the hand is on the picture, with nothing to be pressed under it."""
        return self.cursor is not None and picture.contains(*self.cursor) and self.target() is None

    def target(self) -> Target | None:
        """What can be pressed under the hand."""
        if self.cursor is None:
            return None
        return next((t for t in reversed(self.targets) if t.place.contains(*self.cursor)), None)

    def _framing(self) -> bool:
        photo = self.photo
        return photo is not None and photo.stage == "framing"

    def _elsewhere(self, state: ViewState) -> str:
        """What is to be said about strokes of other views."""
        others = [view for view in views(state.edits.strokes) if not same_view(view.camera, state.camera)]
        if not others:
            return ""
        count = sum(len(view.numbers) for view in others)
        where = f"another view ({view_name(others[0].camera)})" if len(others) == 1 else f"{len(others)} other views"
        return f"{count} stroke{'s' * (count != 1)} in {where}   ·   click or U goes there"

    def _draw_cursor(self, painter: Painter, picture: Rect, x: float, y: float) -> None:
        tools = self.tools
        if tools.picking:
            painter.disc(x, y, 13, (0, 0, 0, 0.5), border=7)
            painter.disc(x, y, 12, (*(self.sample or tools.colour), 1.0), border=5)
            painter.disc(x, y, 1.2, (1, 1, 1, 0.9))
            return
        radius = max(tools.width * picture.height / 2, 2.0)
        tint = tint_of(tools.brush, tools.colour)
        painter.disc(x, y, radius + 1.2, (0, 0, 0, 0.45), border=3.6)
        painter.disc(x, y, radius, (1, 1, 1, 0.95), border=1.4)
        if radius > 6:
            painter.disc(x, y, radius - 2.2, faded(tint, 0.9), border=1.4)
        painter.disc(x, y, 1.3, (1, 1, 1, 0.9))

"""What the loop says reaches the person, however rarely the window looks."""

from __future__ import annotations

from neuroview.engine.status import LoopStatus, Message
from neuroview.viewer.letterbox import Rect
from neuroview.viewer.notices import Notices
from neuroview.viewer.overlay import Overlay
from neuroview.viewer.theme import shipped_theme


def test_of_two_messages_between_two_looks_both_are_shown():
    overlay = Overlay(shipped_theme())
    overlay.hear(Message("The edit was dropped.", "warning", 1))
    overlay.hear(Message("Undone: Orbit", "info", 2))
    assert overlay.update(LoopStatus(message=Message("Undone: Orbit", "info", 2)), None, 0.0)
    assert [card.text for card in overlay.notices.cards] == ["The edit was dropped."]
    assert overlay.notices.toast is not None
    assert overlay.notices.toast.text == "Undone: Orbit"


def test_a_message_is_shown_once():
    overlay = Overlay(shipped_theme())
    status = LoopStatus(message=Message("Cannot be opened.", "error", 1))
    overlay.update(status, None, 0.0)
    overlay.notices.dismiss()
    overlay.hear(status.message)
    overlay.update(status, None, 0.1)
    assert not overlay.notices.cards


class Blind:
    """A painter of a window that nobody sees: it measures and draws nothing."""

    width, height = 900.0, 700.0

    def measure(self, text, **_):
        return 6.0 * len(text)

    def wrap(self, text, *_, **__):
        return [text]

    def __getattr__(self, name):
        return lambda *_, **__: 0.0


def test_a_card_leaves_free_what_stands_below_it_and_has_to_be_pressed():
    notices = Notices(shipped_theme())
    notices.tell("Keep it anyway?", "warning", 0.0)
    running, pill = Rect(500, 60, 380, 74), Rect(16, 16, 200, 28)
    notices.draw(Blind(), 0.0, beside=[pill])  # type: ignore[arg-type]
    assert notices.cards[0].place.y == 16
    notices.draw(Blind(), 0.0, beside=[running, pill])  # type: ignore[arg-type]
    assert notices.cards[0].place.y >= running.bottom

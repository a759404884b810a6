"""What the loop says reaches the person, however rarely the window looks."""

from __future__ import annotations

from neuroview.engine.status import LoopStatus, Message
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

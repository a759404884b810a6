"""The one table of keys."""

from __future__ import annotations

import inspect
from collections import Counter

import pytest
from neuroview.engine.state import ViewState
from neuroview.viewer.actions import Actions
from neuroview.viewer.input import MOTIONS
from neuroview.viewer.keymap import CHORDS, KEYMAP, Call, Edit, Hold, Modifiers, find_verb, readme_section


def test_no_chord_stands_for_two_things():
    counts = Counter(chord for row in KEYMAP for chord in row.keys)
    assert [chord for chord, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("verb", [verb for verb in CHORDS.values() if isinstance(verb, Call)], ids=str)
def test_every_call_is_an_action_that_takes_its_arguments(verb):
    inspect.signature(getattr(Actions, verb.name)).bind(None, *verb.arguments)


def test_every_held_movement_exists_and_has_a_key():
    assert {verb.motion for verb in CHORDS.values() if isinstance(verb, Hold)} == MOTIONS


@pytest.mark.parametrize(
    ("chord", "edit"), [(chord, verb) for chord, verb in CHORDS.items() if isinstance(verb, Edit)], ids=str
)
def test_every_edit_gives_a_state_that_survives_json(chord, edit):
    state = edit.apply(ViewState(), 14)
    assert ViewState.from_json(state.to_json()) == state


def test_a_key_is_found_by_its_label_before_its_place():
    assert find_verb(("Z", "Y"), Modifiers(ctrl=True)) == Call("undo")  # the Z of a German keyboard
    assert find_verb(("Ü", "["), Modifiers()) is CHORDS["["]


def test_shift_makes_a_movement_faster_but_is_no_other_chord():
    assert find_verb(("W",), Modifiers(shift=True)) == Hold("forward")
    assert find_verb(("R",), Modifiers(shift=True)) is None
    assert find_verb(("W",), Modifiers(alt=True)) is None


def test_the_readme_lists_every_row():
    text = readme_section()
    for row in KEYMAP:
        assert row.does in text

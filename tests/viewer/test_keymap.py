"""The one table of keys."""

from __future__ import annotations

import inspect
from collections import Counter

import pytest
from neuroview.engine.state import Drive, ViewState
from neuroview.viewer import typeset
from neuroview.viewer.actions import Actions
from neuroview.viewer.driving.seat import PEDALS
from neuroview.viewer.driving.verbs import DriveActions
from neuroview.viewer.editing.sessions import Sessions
from neuroview.viewer.editing.verbs import EditActions
from neuroview.viewer.help_screen import _CAPS, _COLUMN
from neuroview.viewer.input import MOTIONS
from neuroview.viewer.keymap import KEYMAP, chords, find_verb, help_rows, readme_section
from neuroview.viewer.verbs import MODES, Call, Edit, Hold, Modifiers, Pedal

VERBS = [(mode, chord, verb) for mode in MODES for chord, verb in chords(mode).items()]


@pytest.mark.parametrize("mode", MODES)
def test_no_chord_stands_for_two_things(mode):
    counts = Counter(chord for row in help_rows(mode) for chord in row.keys)
    assert [chord for chord, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("verb", {verb: None for _, _, verb in VERBS if isinstance(verb, Call)}, ids=str)
def test_every_call_is_an_action_that_takes_its_arguments(verb):
    owners = {"drive": DriveActions, "edit": EditActions, "sessions": Sessions}
    owner, _, name = verb.name.rpartition(".")
    inspect.signature(getattr(owners.get(owner, Actions), name)).bind(None, *verb.arguments)


def test_every_held_movement_exists_and_has_a_key():
    assert {verb.motion for verb in chords("generator").values() if isinstance(verb, Hold)} == MOTIONS


def test_every_pedal_exists_and_has_a_key_in_a_drive_and_none_elsewhere():
    assert {verb.name for verb in chords("drive").values() if isinstance(verb, Pedal)} == PEDALS
    assert not [verb for verb in chords("generator").values() if isinstance(verb, Pedal)]


@pytest.mark.parametrize(("mode", "chord", "edit"), [found for found in VERBS if isinstance(found[2], Edit)], ids=str)
def test_every_edit_gives_a_state_that_survives_json(mode, chord, edit):
    before = ViewState(drive=Drive() if mode == "drive" else None)
    state = edit.apply(before, 14)
    assert ViewState.from_json(state.to_json()) == state
    assert (state.drive is None) == (before.drive is None)


def test_one_key_leads_to_the_drive_and_back():
    assert find_verb(("F2",), Modifiers(), "generator") == find_verb(("F2",), Modifiers(), "drive")


def test_the_same_key_does_in_each_mode_what_its_help_says():
    assert find_verb(("W",), Modifiers(), "generator") == Hold("forward")
    assert find_verb(("W",), Modifiers(), "drive") == Pedal("throttle")
    assert find_verb(("P",), Modifiers(), "drive") == Call("drive.toggle_autopilot")
    assert find_verb(("Z",), Modifiers(), "drive") is None


def test_the_throttle_with_ctrl_does_not_quit_a_drive():
    assert find_verb(("W",), Modifiers(ctrl=True), "generator") == Call("quit")
    assert find_verb(("W",), Modifiers(ctrl=True), "drive") is None


def test_shift_does_not_take_the_foot_off_the_throttle():
    assert find_verb(("W",), Modifiers(shift=True), "drive") == Pedal("throttle")


@pytest.mark.parametrize("row", KEYMAP, ids=lambda row: row.does)
def test_what_a_key_does_fits_into_its_column_of_the_help(row):
    room = _COLUMN + 24 - _CAPS - 8
    assert typeset.pen_positions(row.does, "regular", 13)[1] <= room


def test_a_key_is_found_by_its_label_before_its_place():
    assert find_verb(("Z", "Y"), Modifiers(ctrl=True)) == Call("undo")  # the Z of a German keyboard
    assert find_verb(("Ü", "["), Modifiers()) is chords("generator")["["]


def test_shift_makes_a_movement_faster_but_is_no_other_chord():
    assert find_verb(("W",), Modifiers(shift=True)) == Hold("forward")
    assert find_verb(("R",), Modifiers(shift=True)) is None
    assert find_verb(("W",), Modifiers(alt=True)) is None


def test_the_readme_lists_every_row():
    text = readme_section()
    for row in KEYMAP:
        assert row.does in text

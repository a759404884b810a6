"""A history becomes JSON and comes back equal; it is compact, and bounded around the present."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from neuroview.engine.editing import session_history
from neuroview.engine.editing.session_history import MOST_STEPS, history_from, history_json
from neuroview.engine.state import Camera, Edits, StateError, Stroke, ViewState
from neuroview.engine.store import Timeline

SCRIBBLE = tuple((0.001 * i, 0.5) for i in range(100))


def drawn(steps, position=None):
    """One stroke more with every step."""
    strokes = tuple(Stroke("colour", SCRIBBLE, Camera(yaw=0.01 * n)) for n in range(steps))
    states = tuple(ViewState(edits=Edits(strokes[:n])) for n in range(steps + 1))
    return Timeline(states, tuple(f"Stroke {n}" for n in range(steps)), steps if position is None else position)


def test_what_was_written_reads_back_equal():
    orbit = ViewState(camera=Camera(yaw=1 / 3), drive=None)
    timeline = drawn(5)
    timeline = Timeline((*timeline.states, orbit), (*timeline.labels, "Orbit"), 3)
    assert history_from(history_json(timeline)) == timeline


def test_a_stroke_is_written_once_however_many_steps_show_it():
    assert len(history_json(drawn(40))) < 1.2 * 40 * len(json.dumps(SCRIBBLE)) + 40 * 2000


def test_a_long_history_keeps_the_steps_around_the_present():
    states = tuple(ViewState(camera=Camera(yaw=0.001 * n)) for n in range(501))
    found = history_from(history_json(Timeline(states, ("Orbit",) * 500, 480)))
    assert found.states == states[480 - MOST_STEPS : 481]
    assert found.state == states[480]


def test_a_heavy_history_has_fewer_steps(monkeypatch):
    monkeypatch.setattr(session_history, "MOST_BYTES", 70_000)
    timeline = drawn(40)
    data = history_json(timeline)
    assert len(data) <= 70_000
    found = history_from(data)
    assert found.states == timeline.states[-len(found.states) :]
    assert 0 < len(found.labels) < 40


@pytest.mark.parametrize("position", [-1, 3])
def test_a_present_that_is_none_of_the_states_is_refused(position):
    found = json.loads(history_json(drawn(2)))
    with pytest.raises(StateError, match="damaged"):
        history_from(json.dumps({**found, "position": position}).encode())


def test_a_history_of_a_newer_version_is_refused():
    found = json.loads(history_json(drawn(1)))
    with pytest.raises(StateError, match="Update neuroview"):
        history_from(json.dumps({**found, "version": 99}).encode())


def test_a_state_with_an_unknown_entry_is_refused():
    found = json.loads(history_json(Timeline((replace(ViewState(), model="x"),))))
    found["steps"][0]["state"]["evil"] = 1
    with pytest.raises(StateError, match="unknown entry"):
        history_from(json.dumps(found).encode())

"""Saving and opening sessions, the autosave, and what is offered after a crash."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from edit_fakes import FakeLoop
from neuroview.engine.editing.side_files import SideFiles
from neuroview.engine.state import Edits, ViewState
from neuroview.engine.store import Store
from neuroview.viewer.editing.sessions import Sessions


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Makes sessions that share one folder, as one run after another does."""
    monkeypatch.setenv("NEUROVIEW_EDITS", str(tmp_path / "edits"))

    def make():
        store = Store(ViewState())
        return store, Sessions(store, FakeLoop(), tmp_path / "saved", tmp_path / "auto")

    return make


def turn(store, yaw):
    store.update(lambda s: replace(s, camera=replace(s.camera, yaw=yaw)), label="Orbit")


def test_a_saved_session_is_listed_and_brings_its_view_back_with_its_history(made):
    store, sessions = made()
    turn(store, 0.5)
    path = sessions.save()
    assert sessions.saved() == (path,)
    turn(store, 1.0)
    sessions.open_newest()
    assert store.state.camera.yaw == 0.5
    assert store.history.labels[-2:] == (f"Open {path.name}", "Orbit")
    store.undo()
    assert store.state.camera.yaw == 0, "before what was done in the session"
    store.undo()
    assert store.state.camera.yaw == 1.0, "before it was opened"


def test_a_session_that_the_program_begins_with_has_nothing_before_it(made, tmp_path):
    store, sessions = made()
    turn(store, 0.5)
    path = sessions.save()
    begun = Store(ViewState(model=""))
    Sessions(begun, FakeLoop(), tmp_path / "saved", tmp_path / "auto").open(path)
    assert begun.history == store.history
    begun.go_to(0)
    assert begun.state == ViewState()


def test_a_run_that_ended_well_leaves_nothing_to_restore(made):
    store, first = made()
    turn(store, 0.5)
    assert first.autosave()
    first.end(well=True)
    assert made()[1]._left_behind() == ()


def test_what_a_crashed_run_showed_is_offered_and_restored(made):
    store, first = made()
    turn(store, 0.5)
    first.autosave()  # and then the power goes
    store, second = made()
    second.begin()
    second.end(well=True)
    assert second.recoverable
    assert "Ctrl+O" in second._loop.told[-1]
    second.open_newest()
    assert store.state.camera.yaw == 0.5
    assert not second.recoverable
    assert second._left_behind() == ()
    assert store.undo() == "Orbit"


def test_the_autosave_of_a_run_that_goes_on_is_left_alone(made, tmp_path):
    (tmp_path / "auto").mkdir()
    (tmp_path / "auto" / "autosave-1.nvsession").write_bytes(b"")
    assert made()[1]._left_behind(alive=lambda number: True) == ()


def test_what_nobody_wants_back_is_not_offered_again(made):
    store, first = made()
    turn(store, 0.5)
    first.autosave()
    _, second = made()
    second.begin()
    second.forget_crash()
    second.end(well=True)
    assert second._left_behind() == ()


def test_nothing_is_saved_where_nothing_was_done_or_has_changed(made):
    store, sessions = made()
    assert not sessions.autosave()
    turn(store, 0.5)
    assert sessions.autosave()
    assert not sessions.autosave()


def test_beginning_and_ending_leave_no_thread(made):
    _, sessions = made()
    sessions.begin()
    sessions.end(well=True)
    assert sessions._thread is not None
    assert not sessions._thread.is_alive()


def test_a_history_that_came_back_in_part_is_told(made):
    store, sessions = made()
    files = SideFiles()
    for number in (1.0, 2.0):
        name = files.put({"codes": torch.full((4,), number)}, "edit", {})
        store.update(lambda s, name=name: replace(s, edits=Edits(result=name)), label="Edit")
    assert sessions.autosave()
    sessions.end(well=False)
    files.path(store.timeline.states[1].edits.result).unlink()
    _, after = made()
    after.begin()
    after.recover()
    after.end(well=True)
    assert after._loop.told[-1].startswith(
        "Restored what the last run showed. 2 steps were left out of its history: the side files of their edits"
    )

"""Session files carry state and side files, and refuse what is not whole without changing anything."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace

import pytest
import torch
from neuroview.engine.editing import session as session_file
from neuroview.engine.editing.errors import EditError
from neuroview.engine.editing.session import open_session, save_session
from neuroview.engine.editing.session_history import history_json
from neuroview.engine.editing.side_files import SideFiles
from neuroview.engine.state import Camera, Edits, Stroke, ViewState
from neuroview.engine.store import Timeline

STROKE = Stroke("colour", ((0.1, 0.2), (0.3, 0.4)), Camera(yaw=0.3))


@pytest.fixture
def edited(tmp_path):
    """(state with an edit, where its side file is)."""
    files = SideFiles(tmp_path / "here")
    name = files.put({"codes": torch.arange(6.0).view(2, 3)}, "edit", {"what": "hair"})
    state = ViewState()
    return replace(state, edits=replace(state.edits, strokes=(STROKE,), result=name)), files


def test_a_session_goes_to_another_machine_with_its_side_files(edited, tmp_path):
    state, files = edited
    save_session(tmp_path / "a.nvsession", Timeline((state,)), files)
    there = SideFiles(tmp_path / "there")
    assert open_session(tmp_path / "a.nvsession", there).state == state
    tensors, about = there.get(state.edits.result, "edit")
    assert torch.equal(tensors["codes"], torch.arange(6.0).view(2, 3))
    assert about == {"what": "hair"}


def test_an_edit_that_is_only_in_memory_is_saved_too(tmp_path):
    files = SideFiles(tmp_path / "here")
    name = files.put({"codes": torch.zeros(2)}, "edit", {}, write=False)
    state = ViewState(edits=replace(ViewState().edits, result=name))
    save_session(tmp_path / "a.nvsession", Timeline((state,)), files)
    assert open_session(tmp_path / "a.nvsession", SideFiles(tmp_path / "there")).state == state


def test_a_session_whose_side_file_is_nowhere_says_which_and_where(edited, tmp_path):
    state, _ = edited
    save_session(tmp_path / "a.nvsession", Timeline((state,)), None)
    with pytest.raises(EditError, match=state.edits.result[:12]):
        open_session(tmp_path / "a.nvsession", SideFiles(tmp_path / "there"))


def test_a_side_file_that_is_gone_cannot_be_saved(edited, tmp_path):
    state, files = edited
    files.path(state.edits.result).unlink()
    with pytest.raises(EditError, match="missing"):
        save_session(tmp_path / "a.nvsession", Timeline((state,)), files)
    assert not list(tmp_path.glob("*.nvsession"))


def written(path, **parts):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name.replace("__", "."), data)
    return path


def test_a_session_of_a_newer_version_is_refused(tmp_path):
    path = written(
        tmp_path / "a.nvsession",
        session__json=json.dumps({"neuroview_session": 99}),
        state__json=ViewState().to_json(),
    )
    with pytest.raises(EditError, match="newer neuroview"):
        open_session(path, SideFiles(tmp_path / "there"))


def test_a_side_file_with_another_ones_contents_is_refused_and_not_kept(edited, tmp_path):
    state, _ = edited
    path = tmp_path / "a.nvsession"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("session.json", json.dumps({"neuroview_session": 1}))
        archive.writestr("state.json", state.to_json())
        archive.writestr(f"side/{state.edits.result}.safetensors", b"something else")
    there = SideFiles(tmp_path / "there")
    with pytest.raises(EditError, match="damaged"):
        open_session(path, there)
    assert not there.holds(state.edits.result)


@pytest.mark.parametrize("cut", [0, 10, 200, 400])
def test_half_a_file_and_no_file_are_refused_in_a_sentence(edited, tmp_path, cut):
    state, files = edited
    path = tmp_path / "a.nvsession"
    save_session(path, Timeline((state,)), files)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(EditError, match="no session"):
        open_session(path, SideFiles(tmp_path / "there"))
    with pytest.raises(EditError, match="There is no"):
        open_session(tmp_path / "nowhere.nvsession", SideFiles(tmp_path / "there"))


def test_what_the_file_calls_its_members_is_never_a_path(tmp_path):
    path = written(
        tmp_path / "a.nvsession",
        session__json=json.dumps({"neuroview_session": 1}),
        state__json=ViewState().to_json(),
    )
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../evil.safetensors", b"x")
    open_session(path, SideFiles(tmp_path / "there" / "deep"))
    assert not list(tmp_path.rglob("evil*"))


@pytest.fixture
def worked(tmp_path):
    """(timeline of three edits one after the other, one of them undone, where their side files are)."""
    files = SideFiles(tmp_path / "here")
    states = [ViewState()]
    for number in range(3):
        name = files.put({"codes": torch.full((4,), float(number))}, "edit", {})
        states.append(ViewState(edits=Edits((STROKE,) * number, name)))
    return Timeline(tuple(states), ("First", "Second", "Third"), 2), files


def test_a_session_carries_its_history_and_the_side_files_of_every_step(worked, tmp_path):
    timeline, files = worked
    save_session(tmp_path / "a.nvsession", timeline, files)
    there = SideFiles(tmp_path / "there")
    assert open_session(tmp_path / "a.nvsession", there) == timeline
    assert all(there.holds(state.edits.result) for state in timeline.states[1:])


def test_a_session_from_before_there_were_histories_still_opens(tmp_path):
    state = ViewState(camera=Camera(yaw=0.4))
    head = json.dumps({"neuroview_session": 1, "history": ["Orbit"], "position": 1})
    path = written(tmp_path / "a.nvsession", session__json=head, state__json=state.to_json())
    assert open_session(path, SideFiles(tmp_path / "there")) == Timeline((state,))


def test_steps_whose_side_file_is_lost_are_left_out_when_saving(worked, tmp_path):
    timeline, files = worked
    files.path(timeline.states[1].edits.result).unlink()
    told: list[str] = []
    save_session(tmp_path / "a.nvsession", timeline, files, tell=told.append)
    assert told == ["2 steps were left out of its history: their edits are lost, or too large together"]
    told.clear()
    there = SideFiles(tmp_path / "there")
    assert open_session(tmp_path / "a.nvsession", there, tell=told.append) == timeline.between(2, 3)
    assert told == []


def test_steps_whose_side_file_is_lost_are_left_out_when_opening(worked, tmp_path):
    timeline, files = worked
    save_session(tmp_path / "a.nvsession", timeline, None)
    files.path(timeline.states[3].edits.result).unlink()
    told: list[str] = []
    opened = open_session(tmp_path / "a.nvsession", SideFiles(tmp_path / "here"), tell=told.append)
    assert opened == timeline.between(0, 2)
    (sentence,) = told
    assert sentence.startswith("1 step was left out of its history: the side files of their edits are neither in it")
    assert str(tmp_path / "here") in sentence


def test_side_files_of_the_past_are_bounded_and_the_presents_are_not(worked, tmp_path, monkeypatch):
    timeline, files = worked
    monkeypatch.setattr(session_file, "MOST_SIDE_BYTES", 10)
    save_session(tmp_path / "a.nvsession", timeline, files)
    assert open_session(tmp_path / "a.nvsession", SideFiles(tmp_path / "there")) == timeline.between(2, 2)


@pytest.mark.parametrize("history", ["[]", "{", json.dumps({"version": 1, "strokes": [], "steps": [], "position": 0})])
def test_a_damaged_history_is_refused_in_a_sentence(tmp_path, history):
    path = written(
        tmp_path / "a.nvsession",
        session__json=json.dumps({"neuroview_session": 1}),
        state__json=ViewState().to_json(),
        history__json=history,
    )
    with pytest.raises(EditError, match="a.nvsession cannot be opened. The history is damaged"):
        open_session(path, SideFiles(tmp_path / "there"))


def test_a_history_that_leads_elsewhere_is_refused(tmp_path):
    path = written(
        tmp_path / "a.nvsession",
        session__json=json.dumps({"neuroview_session": 1}),
        state__json=ViewState(model="bodies").to_json(),
        history__json=history_json(Timeline((ViewState(),))).decode(),
    )
    with pytest.raises(EditError, match="does not lead to its state"):
        open_session(path, SideFiles(tmp_path / "there"))

"""Session files carry state and side files, and refuse what is not whole without changing anything."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace

import pytest
import torch
from neuroview.engine.editing.errors import EditError
from neuroview.engine.editing.session import open_session, save_session
from neuroview.engine.editing.side_files import SideFiles
from neuroview.engine.state import Camera, Stroke, ViewState
from neuroview.engine.store import History

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
    save_session(tmp_path / "a.nvsession", state, files, History(("Colour stroke", "Colour edit"), 1))
    there = SideFiles(tmp_path / "there")
    session = open_session(tmp_path / "a.nvsession", there)
    assert session.state == state
    assert session.history == History(("Colour stroke", "Colour edit"), 1)
    tensors, about = there.get(state.edits.result, "edit")
    assert torch.equal(tensors["codes"], torch.arange(6.0).view(2, 3))
    assert about == {"what": "hair"}


def test_an_edit_that_is_only_in_memory_is_saved_too(tmp_path):
    files = SideFiles(tmp_path / "here")
    name = files.put({"codes": torch.zeros(2)}, "edit", {}, write=False)
    state = ViewState(edits=replace(ViewState().edits, result=name))
    save_session(tmp_path / "a.nvsession", state, files)
    assert open_session(tmp_path / "a.nvsession", SideFiles(tmp_path / "there")).state == state


def test_a_session_whose_side_file_is_nowhere_says_which_and_where(edited, tmp_path):
    state, _ = edited
    save_session(tmp_path / "a.nvsession", state, None)
    with pytest.raises(EditError, match=state.edits.result[:12]):
        open_session(tmp_path / "a.nvsession", SideFiles(tmp_path / "there"))


def test_a_side_file_that_is_gone_cannot_be_saved(edited, tmp_path):
    state, files = edited
    files.path(state.edits.result).unlink()
    with pytest.raises(EditError, match="missing"):
        save_session(tmp_path / "a.nvsession", state, files)
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
    save_session(path, state, files)
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

"""What is too large for a state: stored under the hash of its bytes, and said to be missing when it is."""

from __future__ import annotations

import hashlib

import pytest
import torch
from neuroview.engine.editing.errors import EditError
from neuroview.engine.editing.side_files import SideFiles
from safetensors.torch import save


@pytest.fixture
def files(tmp_path):
    return SideFiles(tmp_path / "edits")


def test_what_was_put_comes_back_in_another_session(files):
    name = files.put({"codes": torch.arange(4.0)}, "edit", {"what": "colour"})
    tensors, about = SideFiles(files.folder).get(name, "edit")
    assert torch.equal(tensors["codes"], torch.arange(4.0))
    assert about == {"what": "colour"}


def test_equal_contents_have_one_name_and_other_contents_another(files):
    first = files.put({"a": torch.ones(3)}, "edit", {})
    assert files.put({"a": torch.ones(3)}, "edit", {}) == first
    assert files.put({"a": torch.zeros(3)}, "edit", {}) != first


def test_the_order_in_which_contents_are_given_does_not_change_their_name(files):
    tensors = {key: torch.full((3,), float(i)) for i, key in enumerate("abcd")}
    words = {f"word {i}": str(i) for i in range(12)}
    name = files.put(tensors, "edit", words)
    turned = SideFiles(files.folder).put(dict(reversed(tensors.items())), "edit", dict(reversed(words.items())))
    assert turned == name
    assert len(list(files.folder.iterdir())) == 1
    assert SideFiles(files.folder).get(name, "edit")[1] == words


def test_a_safetensors_file_of_someone_else_is_refused(files):
    data = save({"a": torch.ones(3)}, metadata={"kind": "edit"})
    name = hashlib.sha256(data).hexdigest()
    files.folder.mkdir()
    files.path(name).write_bytes(data)
    with pytest.raises(EditError, match="no side file of this version"):
        files.get(name, "edit")


def test_a_live_edit_leaves_no_file_until_it_is_kept(files):
    name = files.put({"a": torch.ones(3)}, "edit", {}, write=False)
    assert files.get(name, "edit")
    assert not files.path(name).exists()
    files.write(name)
    assert SideFiles(files.folder).holds(name)


def test_a_missing_file_is_named_with_the_place_where_it_was_looked_for(files):
    with pytest.raises(EditError, match="missing: looked for .*edits.*Copy it there"):
        files.get("ab" * 32, "edit")


def test_a_damaged_file_is_refused(files):
    name = files.put({"a": torch.ones(3)}, "edit", {})
    data = bytearray(files.path(name).read_bytes())
    data[-1] ^= 1
    files.path(name).write_bytes(bytes(data))
    with pytest.raises(EditError, match="damaged: its contents do not match its name"):
        SideFiles(files.folder).get(name, "edit")


def test_a_file_of_another_kind_is_refused(files):
    name = files.put({"a": torch.ones(3)}, "identity", {})
    with pytest.raises(EditError, match="holds 'identity', and 'edit' is wanted"):
        files.get(name, "edit")


def test_a_name_cannot_lead_out_of_the_folder(files):
    with pytest.raises(EditError, match="names no side file"):
        files.get("../../secret", "edit")


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "edits").write_text("a file where the folder should be")
    with pytest.raises(EditError, match="could not be written to .*NEUROVIEW_EDITS"):
        SideFiles(tmp_path / "edits").put({"a": torch.ones(3)}, "edit", {})

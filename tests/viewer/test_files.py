"""`neuroview inspect` and `neuroview convert` as typed: what is printed, what is written, and the exit codes."""

from __future__ import annotations

import json

import pytest
import torch
from neuroview.models.graf import GRAFLayout, GRAFNetwork
from neuroview.viewer.cli import run


@pytest.fixture
def checkpoint(tmp_path):
    network = GRAFNetwork(GRAFLayout(shape_code=4, appearance_code=4, width=8, view_width=4))
    path = tmp_path / "cats_64.pt"
    torch.save({"it": 3, "evil\x1b[2J": "\x1b[31m", "generator": network.state_dict()}, path)
    return path


def test_a_pipe_gets_one_line_for_each_fact_setting_and_tensor(checkpoint, capsys):
    assert run(["inspect", str(checkpoint)]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert ["kind", "GRAF checkpoint"] in lines
    assert ["setting", "it", "3"] in lines
    assert ["tensor", "generator.alpha_linear.weight", "1 x 8", "float32"] in lines


def test_a_terminal_gets_a_table(checkpoint, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert run(["inspect", str(checkpoint), "--values"]) == 0
    out = capsys.readouterr().out
    assert "GRAF checkpoint" in out
    assert "lowest" in out


def test_a_file_cannot_write_to_the_terminal(checkpoint, capsys):
    run(["inspect", str(checkpoint)])
    assert "\x1b" not in capsys.readouterr().out


def test_programs_get_json(checkpoint, capsys):
    assert run(["inspect", str(checkpoint), "--json", "--values"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["family"] == "GRAF checkpoint"
    assert all(entry["low"] is not None for entry in told["tensors"])


def test_json_has_no_number_that_json_does_not_know(tmp_path, capsys):
    torch.save({"loss": float("nan"), "t": torch.tensor([float("inf")])}, tmp_path / "x.pt")
    assert run(["inspect", str(tmp_path / "x.pt"), "--json", "--values"]) == 0
    told = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(name))
    assert told["configuration"]["loss"] == "nan"


def test_convert_writes_both_files_and_says_so(checkpoint, tmp_path, capsys):
    out = tmp_path / "mine.safetensors"
    assert run(["convert", str(checkpoint), str(out)]) == 0
    assert out.is_file()
    assert json.loads(out.with_suffix(".json").read_text())["family"] == "graf"
    assert "mine.json" in capsys.readouterr().out


def test_nothing_is_overwritten_without_being_told_to(checkpoint, tmp_path, capsys):
    out = tmp_path / "mine.safetensors"
    out.write_text("precious")
    assert run(["convert", str(checkpoint), str(out)]) == 1
    assert out.read_text() == "precious"
    assert "--force" in capsys.readouterr().err
    assert run(["convert", str(checkpoint), str(out), "--force"]) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["inspect", "nowhere.pkl"], 1, "There is no model"),
        (["convert", "nowhere.pkl", "x.safetensors"], 1, "There is no model"),
        (["convert", "{file}", "{folder}/x.pkl"], 1, "does not end in .safetensors"),
        (["convert", "{file}", "{folder}/none/x.safetensors"], 1, "no folder"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(checkpoint, tmp_path, capsys, arguments, code, words):
    filled = [part.format(file=checkpoint, folder=tmp_path) for part in arguments]
    assert run(filled) == code
    told = capsys.readouterr().err
    assert words in told
    assert len(told.strip().splitlines()) == 1


def test_a_wrong_command_line_is_two(checkpoint):
    with pytest.raises(SystemExit) as leaving:
        run(["convert", str(checkpoint)])
    assert leaving.value.code == 2

"""`neuroview train ...`: what all its kinds have in common."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
from pathlib import Path

import pytest
from neuroview.engine.training import checkpoint, command
from neuroview.engine.training.command import INTERRUPTED, add_run_options, run_task
from neuroview.engine.training.export_heads import generator_of
from neuroview.engine.training.heads_student import new_student
from neuroview.engine.training.live import LIVE, write_model
from neuroview.engine.training.task import TrainingError
from neuroview.engine.training.team import Solo
from neuroview.models.catalog import open_generator
from neuroview.viewer.__main__ import main
from tasks import LineRecipe, LineTask


class HeadTask(LineTask):
    """A line with a generator beside it."""

    def generator(self):
        return generator_of(new_student().state_dict())


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    monkeypatch.setattr(command, "launch", lambda device, workers, threads: Solo())


def options(out: Path, *words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_run_options(parser, minutes=5.0)
    return parser.parse_args(["--out", str(out), *words])


def test_a_run_is_trained_resumed_and_exported_as_a_model_that_opens(tmp_path: Path):
    run, file = tmp_path / "run", tmp_path / "models" / "mine.safetensors"
    assert run_task(HeadTask(), options(run, "--steps", "2")) == 0
    assert run_task(HeadTask(), options(run, "--steps", "3", "--resume", "--export", str(file))) == 0
    for written in (file, run / LIVE):
        training = open_generator(str(written)).card.training
        assert (training["task"], training["steps"], training["metrics"]) == ("line", 3, {"psnr": 20.0})


def test_weights_are_written_in_half_precision_and_whole(tmp_path: Path):
    write_model(generator_of(new_student().state_dict()), tmp_path / "m", {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.json", "m.safetensors"]
    assert (tmp_path / "m.safetensors").stat().st_size < 4.5e6


def test_a_model_that_cannot_be_written_is_said_in_words(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(TrainingError, match="cannot be written"):
        write_model(generator_of(new_student().state_dict()), tmp_path / "file" / "m", {})


def test_a_folder_that_holds_a_run_is_not_overwritten(tmp_path: Path):
    run_task(LineTask(), options(tmp_path, "--steps", "1"))
    with pytest.raises(TrainingError, match="already holds a run: go on with --resume"):
        run_task(LineTask(), options(tmp_path, "--steps", "2"))


def test_another_recipe_is_refused_unless_it_was_asked_for(tmp_path: Path):
    run_task(LineTask(), options(tmp_path, "--steps", "1"))
    slower = LineRecipe(rate=1e-3)
    with pytest.raises(TrainingError, match="rate was 0.01, now 0.001"):
        run_task(LineTask(slower), options(tmp_path, "--steps", "2", "--resume"))
    assert run_task(LineTask(slower), options(tmp_path, "--steps", "2", "--resume"), changed={"rate"}) == 0
    assert checkpoint.load(tmp_path)["step"] == 2


def test_an_interrupted_run_says_how_to_go_on(tmp_path: Path, capsys):
    task = LineTask()
    task.on_update = lambda step: os.kill(os.getpid(), signal.SIGINT) if step == 1 else None
    assert run_task(task, options(tmp_path)) == INTERRUPTED
    assert "Stopped at step 2 and saved; go on with --resume." in capsys.readouterr().out
    assert checkpoint.load(tmp_path)["step"] == 2


def test_watching_opens_the_window_on_the_live_model_and_does_not_wait_for_it(tmp_path: Path, monkeypatch):
    lines = []

    def note(line, **given):
        assert (tmp_path / LIVE).is_file()
        lines.append((line[1:], given["start_new_session"]))

    monkeypatch.setattr(subprocess, "Popen", note)
    assert run_task(HeadTask(), options(tmp_path, "--steps", "1", "--watch")) == 0
    assert lines == [(["-m", "neuroview.viewer", str(tmp_path / LIVE), "--follow"], True)]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--steps", "2", "--minutes", "1"), "give one of both"),
        (("--resume",), "is no checkpoint of a training run"),
        (("--watch",), "line trains none"),
    ],
)
def test_options_that_do_not_fit_are_refused_in_words(tmp_path: Path, words, reason):
    with pytest.raises(TrainingError, match=reason):
        run_task(LineTask(), options(tmp_path, *words), viewable=False)


@pytest.mark.parametrize("words", [("--minutes", "0"), ("--steps", "-1"), ("--workers", "0"), ("--seed", "-3")])
def test_numbers_that_make_no_sense_are_no_options(tmp_path: Path, words, capsys):
    with pytest.raises(SystemExit):
        options(tmp_path, *words)


def test_only_what_was_typed_is_imported_and_gets_its_options(capsys):
    with pytest.raises(SystemExit) as left:
        main(["train", "eg3d", "--help"])
    assert left.value.code == 0
    assert "--watch" in capsys.readouterr().out
    with pytest.raises(SystemExit) as left:
        main(["train", "--help"])
    assert left.value.code == 0
    told = capsys.readouterr().out
    assert "--watch" not in told
    assert all(kind in told for kind in ("eg3d", "pigan", "nerf", "translator", "clips", "cityscapes"))

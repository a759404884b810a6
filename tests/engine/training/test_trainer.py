"""A run's clock, files and signals, around a task that is trained in a blink."""

from __future__ import annotations

import errno
import json
import math
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from neuroview.engine.training import checkpoint, descent
from neuroview.engine.training.task import TrainingError
from neuroview.engine.training.trainer import Trainer, random_seed
from tasks import LineRecipe, LineTask


def run_of(task: LineTask, out: Path | None = None, steps: int = 12, **given) -> Trainer:
    given = {"save_every": math.inf, "log_every": 0.0, "preview_every": math.inf, **given}
    return Trainer(task, out, steps=steps, quiet=True, **given)


def records(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_run_of_steps_ends_after_them_and_tells_the_task_how_far_it_is():
    task = LineTask()
    assert run_of(task, steps=4).run()
    assert task.progress == [0.0, 0.25, 0.5, 0.75]


def test_a_run_of_minutes_ends_by_the_clock():
    task = LineTask()
    trainer = Trainer(task, minutes=0.2 / 60, quiet=True)
    assert trainer.run()
    assert 0.2 <= trainer.elapsed < 5
    assert task.progress == sorted(task.progress)
    assert task.progress[-1] < 1


@pytest.mark.parametrize("length", [{}, {"minutes": 1.0, "steps": 1}, {"minutes": -1.0}, {"steps": 0}])
def test_a_length_that_makes_no_sense_is_refused(length):
    with pytest.raises(TrainingError, match="expected more than none|give one of both"):
        Trainer(LineTask(), **length)


def test_a_resumed_run_loses_exactly_what_an_unbroken_one_does(tmp_path: Path):
    whole = LineTask()
    run_of(whole).run()
    first = LineTask()
    run_of(first, tmp_path).run(stop_at=5)
    second = LineTask()
    trainer = run_of(second, tmp_path)
    trainer.resume()
    assert trainer.run()
    assert first.losses + second.losses == whole.losses
    assert torch.equal(second.ema.weight, whole.ema.weight)


def test_a_run_goes_on_with_the_seed_that_it_began_with(tmp_path: Path):
    run_of(LineTask(), tmp_path, seed=7).run(stop_at=2)
    trainer = run_of(LineTask(), tmp_path, seed=0)
    trainer.resume()
    assert trainer.seed == 7


def test_random_streams_differ_by_seed_step_and_process():
    seeds = {random_seed(a, b, c) for a in range(3) for b in range(70) for c in range(70)}
    assert len(seeds) == 3 * 70 * 70
    assert max(seeds) < 2**63


@pytest.mark.parametrize(
    ("recipe", "name", "reason"),
    [
        (LineRecipe(width=4), "line", "another recipe .width was 3, now 4."),
        (LineRecipe(), "curve", "trains line, not curve"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused_in_words(tmp_path: Path, recipe, name, reason):
    run_of(LineTask(), tmp_path).run(stop_at=1)
    other = LineTask(recipe)
    other.name = name
    with pytest.raises(TrainingError, match=reason):
        run_of(other, tmp_path).resume()


def test_what_a_person_asked_to_change_may_differ(tmp_path: Path):
    run_of(LineTask(), tmp_path).run(stop_at=1)
    trainer = run_of(LineTask(LineRecipe(rate=1e-3)), tmp_path)
    trainer.resume(changed={"rate"})
    assert trainer.step == 1


def test_a_checkpoint_of_other_sizes_is_refused_in_words(tmp_path: Path):
    run_of(LineTask(), tmp_path).run(stop_at=1)
    other = LineTask(LineRecipe(width=4))
    other.recipe = replace(other.recipe, width=3)
    with pytest.raises(TrainingError, match="does not fit this line .*other sizes"):
        run_of(other, tmp_path).resume()


@pytest.mark.parametrize("content", [None, b"", b"no zip file", b"PK\x03\x04 and no more"])
def test_a_missing_or_damaged_checkpoint_is_refused_in_words(tmp_path: Path, content):
    if content is not None:
        (tmp_path / checkpoint.NAME).write_bytes(content)
    with pytest.raises(TrainingError, match="is no checkpoint of a training run"):
        run_of(LineTask(), tmp_path).resume()


def test_a_checkpoint_holds_tensors_and_plain_values_only(tmp_path: Path):
    run_of(LineTask(), tmp_path).run(stop_at=2)
    found = torch.load(tmp_path / checkpoint.NAME, weights_only=True)
    assert found["recipe"] == {"width": 3, "rate": 1e-2, "names": ["a", "b"]}
    assert (found["task"], found["step"], found["processes"]) == ("line", 2, 1)


def test_a_full_disk_ends_the_run_and_keeps_the_last_good_checkpoint(tmp_path: Path, monkeypatch):
    run_of(LineTask(), tmp_path).run(stop_at=3)
    trainer = run_of(LineTask(), tmp_path, save_every=0.0)
    trainer.resume()

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoint.os, "fsync", full)
    with pytest.raises(TrainingError, match=r"No space left on device.*the one before it is kept.*--resume"):
        trainer.run()
    assert trainer.step == 4
    assert checkpoint.load(tmp_path)["step"] == 3
    assert not list(tmp_path.glob("*.part"))


def test_a_journal_that_cannot_be_written_ends_the_run_in_words(tmp_path: Path):
    trainer = run_of(LineTask(), tmp_path)
    (tmp_path / "metrics.jsonl").mkdir()
    with pytest.raises(TrainingError, match="figures cannot be written to .*--resume"):
        trainer.run()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_stops_cleanly(tmp_path: Path, number):
    task = LineTask()
    task.on_update = lambda step: os.kill(os.getpid(), number) if step == 4 else None
    trainer = run_of(task, tmp_path)
    before = signal.getsignal(number)
    assert not trainer.run()
    assert trainer.interrupted
    assert checkpoint.load(tmp_path)["step"] == 5
    assert signal.getsignal(number) is before


def test_a_step_without_a_finite_gradient_leaves_the_weights_alone():
    task = LineTask(broken_from=5)
    trainer = run_of(task)
    trainer.run(stop_at=5)
    before = task.network.weight.clone()
    trainer.run(stop_at=8)
    assert torch.equal(task.network.weight, before)
    assert task.descent.skipped == 3


def test_broken_losses_end_the_run_and_keep_the_last_good_checkpoint(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(descent, "MOST_SKIPPED", 4)
    run_of(LineTask(), tmp_path).run(stop_at=3)
    trainer = run_of(LineTask(broken_from=5), tmp_path, steps=100)
    trainer.resume()
    with pytest.raises(TrainingError, match="not finite for 4 steps in a row"):
        trainer.run()
    assert checkpoint.load(tmp_path)["step"] == 3


def test_losses_are_logged_as_lines_of_json_that_any_parser_reads(tmp_path: Path):
    task = LineTask(broken_from=2)
    run_of(task, tmp_path, steps=3).run()
    lines = records(tmp_path)
    assert [line["step"] for line in lines if "loss" in line] == [1, 2, 3]
    assert lines[0]["loss"] == pytest.approx(task.losses[0], rel=1e-5)
    assert lines[2]["loss"] is None
    assert lines[-1] == {"step": 3, "preview": {"psnr": 20.0}}


def test_figures_of_different_stages_are_not_mixed(tmp_path: Path):
    task = LineTask()
    task.on_update = lambda step: setattr(task, "stage", "coarse" if step < 3 else "fine")
    run_of(task, tmp_path, steps=5, log_every=math.inf).run()
    lines = [line for line in records(tmp_path) if "loss" in line]
    assert [(line["step"], line["stage"]) for line in lines] == [(3, "coarse"), (5, "fine")]
    assert lines[0]["loss"] == pytest.approx(sum(task.losses[:3]) / 3, rel=1e-5)


def test_lines_behind_the_checkpoint_of_a_killed_run_are_written_anew(tmp_path: Path):
    trainer = run_of(LineTask(), tmp_path)
    trainer.run(stop_at=3)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "loss": 9.0}\n')
    trainer = run_of(LineTask(), tmp_path, steps=5)
    trainer.resume()
    trainer.run()
    lines = [line for line in records(tmp_path) if "loss" in line]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5]
    assert lines[3]["loss"] != 9.0


def test_figures_reach_tensorboard(tmp_path: Path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run_of(LineTask(), tmp_path, steps=3).run()
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("loss")] == [1, 2, 3]
    assert [event.value for event in events.Scalars("preview/psnr")] == [20.0]


def test_tensorboard_forgets_what_a_resumed_run_does_again(tmp_path: Path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run_of(LineTask(), tmp_path, steps=6).run(stop_at=2)
    saved = (tmp_path / checkpoint.NAME).read_bytes()
    trainer = run_of(LineTask(), tmp_path, steps=6)
    trainer.resume()
    trainer.run(stop_at=4)  # killed: its checkpoint never came to be
    (tmp_path / checkpoint.NAME).write_bytes(saved)
    trainer = run_of(LineTask(), tmp_path, steps=6)
    trainer.resume()
    trainer.run(stop_at=3)
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("loss")] == [1, 2, 3]

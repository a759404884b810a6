"""Looking at a model while it trains: which file, when it has changed, and what is said of it."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import pytest
from neuroview.engine.status import LoopStatus, ModelInfo
from neuroview.models.base import CameraDefaults, ModelCard
from neuroview.models.errors import CheckpointError
from neuroview.viewer import app
from neuroview.viewer.display import DisplayError
from neuroview.viewer.follow import LIVE, Follower, followed_file, training_line
from neuroview.viewer.overlay import Overlay
from neuroview.viewer.theme import shipped_theme


def card(**training) -> ModelCard:
    return ModelCard("live", "eg3d", "Heads", training=training)


def test_a_runs_folder_stands_for_its_live_model_and_a_file_for_itself(tmp_path: Path):
    live = tmp_path / LIVE
    live.write_bytes(b"x")
    assert followed_file(str(tmp_path)) == live
    assert followed_file(str(live)) == live


def test_a_folder_without_a_live_model_is_refused_with_what_to_do(tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"holds no live\.safetensors yet.*neuroview train"):
        followed_file(str(tmp_path))
    with pytest.raises(CheckpointError, match="There is no .*nothing to follow"):
        followed_file(str(tmp_path / "nothing"))


def test_the_trainer_writes_the_file_that_is_followed():
    from neuroview.engine.training import live

    assert live.LIVE == LIVE


@pytest.mark.parametrize(
    ("training", "line"),
    [
        ({"steps": 1250, "progress": 0.344}, "Training: step 1,250 · 34 %"),
        ({"steps": 1250}, "Training: step 1,250"),
        ({"steps": 90000, "progress": 1.0}, "Trained: 90,000 steps"),
        ({}, ""),
        ({"steps": "many"}, ""),
    ],
)
def test_the_line_says_how_far_the_training_is(training, line):
    assert training_line(card(**training)) == line


def test_every_new_version_of_the_file_is_noticed_once(tmp_path: Path):
    file, changes = tmp_path / LIVE, []
    file.write_bytes(b"one")
    follower = Follower(file, lambda: changes.append(file.read_bytes()))
    follower.look()
    assert changes == []
    for content in (b"two", b"three"):
        (tmp_path / "part").write_bytes(content)
        os.replace(tmp_path / "part", file)
        follower.look()
        follower.look()
    assert changes == [b"two", b"three"]


def test_a_file_that_is_gone_for_a_while_is_waited_for(tmp_path: Path):
    file, changes = tmp_path / LIVE, []
    file.write_bytes(b"one")
    follower = Follower(file, lambda: changes.append(1))
    file.unlink()
    follower.look()
    assert changes == []
    file.write_bytes(b"other")
    follower.look()
    assert changes == [1]


def test_the_overlay_shows_the_line_of_a_followed_model_only():
    info = ModelInfo("live", card(steps=10), CameraDefaults(radius=2.7, fov=0.2))
    overlay = Overlay(shipped_theme())
    overlay.update(LoopStatus(model=info, activity="Ready"), None, 0.0)
    assert overlay.chips() == ()
    overlay.following = True
    assert [text for text, _ in overlay.chips()] == ["Training: step 10"]


def test_following_without_a_display_is_refused_rather_than_drawn_to_files(tmp_path: Path, monkeypatch):
    (tmp_path / LIVE).write_bytes(b"x")
    monkeypatch.setattr(app, "probe_display", lambda: "There is no display.")
    options = argparse.Namespace(model=str(tmp_path), state=None, follow=True, device="cpu")
    with pytest.raises(DisplayError, match="--follow needs a window: There is no display"):
        app.run(options)

"""`neuroview drive` as it is typed."""

from __future__ import annotations

import argparse

import pytest
from neuroview.engine.state import Drive, StateError, ViewState
from neuroview.viewer import cli
from neuroview.viewer.driving.options import drive_from_options, engine_of


def typed(*words: str) -> Drive:
    return drive_from_options(cli._parser().parse_args(["drive", *words]))


def test_nothing_typed_is_the_usual_drive():
    assert typed() == Drive()


def test_what_is_typed_becomes_the_drive():
    drive = typed("--seed", "12", "--size", "512x256", "--view", "split", "--camera", "hood", "--hour", "18.5")
    assert drive == Drive(seed=12, width=512, height=256, view="split", viewpoint="hood", hour=18.5)
    assert typed("--translator", "net.pth", "--look", "drawn", "--fog", "1") == Drive(
        translator="net.pth", photo_look="drawn", fog=1.0
    )


@pytest.mark.parametrize(
    ("words", "engine"),
    [
        (["--engine", "carla"], "carla"),
        (["--engine", "carla", "--host", "gpu.local"], "carla://gpu.local:2000"),
        (["--engine", "carla", "--port", "2002"], "carla://127.0.0.1:2002"),
        (["--engine", "127.0.0.1:50051"], "127.0.0.1:50051"),
    ],
)
def test_an_engine_is_named_as_the_state_does(words, engine):
    assert typed(*words).engine == engine


def test_a_folder_is_an_engine_and_a_word_is_not(tmp_path):
    assert engine_of(str(tmp_path), None, None) == str(tmp_path)
    with pytest.raises(StateError, match="expected town, carla"):
        engine_of("unreal", None, None)
    with pytest.raises(StateError, match="a CARLA server"):
        engine_of("town", "gpu.local", None)


@pytest.mark.parametrize("size", ["256", "256x", "0x0", "250x128", "99999x8", "x", "-256x128"])
def test_a_size_that_is_none_is_refused_with_a_hint(size, capsys):
    with pytest.raises(SystemExit) as left:
        typed(f"--size={size}")
    assert left.value.code == 2
    assert "--size" in capsys.readouterr().err


def test_a_state_is_gone_on_from_and_what_is_typed_wins(tmp_path):
    file = tmp_path / "view.json"
    file.write_text(ViewState(drive=Drive(seed=3, hour=20)).to_json())
    assert typed("--state", str(file), "--hour", "6") == Drive(seed=3, hour=6)
    file.write_text(ViewState().to_json())
    with pytest.raises(StateError, match="no picture of a drive"):
        typed("--state", str(file))


def test_a_recording_that_is_not_there_is_said_before_a_window_opens(capsys):
    assert cli.run(["drive", "--replay", "nowhere.jsonl"]) == 1
    assert "no recording nowhere.jsonl" in capsys.readouterr().err


def test_without_a_display_an_autopilot_drives_to_files(tmp_path, monkeypatch, capsys):
    from neuroview.engine.driving import headless
    from neuroview.viewer import app

    asked = []

    def drive_headless(drive, frames, out, autopilot=True, *, device="cpu"):
        asked.append((drive.seed, frames, str(out), autopilot))
        return [out / "frame_00000.png"]

    monkeypatch.setattr(app, "probe_display", lambda: "There is no display.")
    monkeypatch.setattr(headless, "drive_headless", drive_headless)
    assert cli.run(["drive", "--seed", "3", "--seconds", "2", "--device", "cpu"]) == 0
    assert asked == [(3, 60, "neuroview-drive", True)]
    assert "There is no display. Rendering 2 seconds" in " ".join(capsys.readouterr().err.split())


def test_help_shows_how_to_drive(capsys):
    with pytest.raises(SystemExit):
        cli.run(["drive", "--help"])
    said = capsys.readouterr().out
    for word in ("--engine", "--replay", "Space is the hand brake", "examples:"):
        assert word in said
    assert isinstance(cli._parser(), argparse.ArgumentParser)

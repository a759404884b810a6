"""Settings are remembered, and nothing in their file can stop a start."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest
from neuroview.viewer.settings import (
    RECENT_LIMIT,
    Place,
    Settings,
    load_settings,
    save_settings,
    settings_path,
)


@pytest.fixture
def file(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("NEUROVIEW_CONFIG_DIR", str(tmp_path / "config"))
    return tmp_path / "config" / "settings.json"


def put(file: Path, text: str | bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())


def test_without_a_file_the_defaults_are_used_and_none_is_written(file):
    assert load_settings() == Settings()
    assert not file.exists()


def test_what_was_saved_is_loaded_again(file):
    settings = Settings(
        window=Place(10, 20, 800, 600), panel=Place(-300, 0, 400, 912), overlay=False, target_fps=24.0
    ).with_recent("/models/a.pkl")
    assert save_settings(settings)
    assert settings_path() == file
    assert load_settings() == settings


def test_the_platform_folder_is_used_without_the_variable(monkeypatch):
    monkeypatch.delenv("NEUROVIEW_CONFIG_DIR", raising=False)
    assert settings_path().parent.name == "neuroview"


@pytest.mark.parametrize(
    "text", ["{", "", "[1, 2]", '"hello"', "{}", '{"version": "1"}', b"\xff\xfe\x00", "[" * 100_000], ids=range(8)
)
def test_a_corrupt_file_is_set_aside_with_a_warning_and_defaults_are_used(file, text, caplog):
    put(file, text)
    with caplog.at_level(logging.WARNING):
        assert load_settings() == Settings()
    assert "could not be read" in caplog.text
    assert not file.exists()
    assert file.with_name("settings.json.broken").exists()
    assert save_settings(Settings(target_fps=60.0))
    assert load_settings().target_fps == 60.0


def test_a_huge_file_is_not_read(file):
    put(file, b" " * 2_000_000)
    assert load_settings() == Settings()


def test_a_folder_in_the_place_of_the_file_does_no_harm(file):
    file.mkdir(parents=True)
    assert load_settings() == Settings()


def test_one_wrong_entry_leaves_the_others_alone(file, caplog):
    put(file, json.dumps({"version": 1, "overlay": "yes", "target_fps": 48, "window": {"x": 1}, "recent": ["/a"]}))
    settings = load_settings()
    assert settings == Settings(target_fps=48.0, recent=("/a",))
    assert "overlay" in caplog.text
    assert "window" in caplog.text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("target_fps", 0),
        ("target_fps", True),
        ("target_fps", 1e9),
        ("panel", {"x": 0, "y": 0, "width": 1, "height": 900}),
        ("panel", {"x": 10**9, "y": 0, "width": 400, "height": 900}),
        ("panel", {"x": 0.5, "y": 0, "width": 400, "height": 900}),
        ("recent", "abc"),
        ("recent", [1]),
        ("overlay", None),
    ],
)
def test_a_value_that_makes_no_sense_takes_its_default(file, name, value):
    put(file, json.dumps({"version": 1, name: value}))
    assert load_settings() == Settings()


def test_nan_in_the_file_takes_the_default(file):
    put(file, '{"version": 1, "target_fps": NaN}')
    assert load_settings() == Settings()


def test_an_unknown_entry_is_ignored(file):
    put(file, json.dumps({"version": 1, "colour": "red"}))
    assert load_settings() == Settings()


def test_the_file_of_a_newer_version_is_neither_read_nor_replaced(file):
    text = json.dumps({"version": 99, "target_fps": 12})
    put(file, text)
    assert load_settings() == Settings()
    assert not save_settings(Settings(target_fps=60.0))
    assert file.read_text() == text


def test_recent_models_are_newest_first_and_listed_once():
    settings = Settings().with_recent("/a").with_recent("/b").with_recent("/a")
    assert settings.recent == ("/a", "/b")
    assert settings.without_recent("/a").recent == ("/b",)


def test_no_more_than_twelve_recent_models_are_kept():
    settings = Settings()
    for i in range(20):
        settings = settings.with_recent(f"/{i}")
    assert len(settings.recent) == RECENT_LIMIT == 12
    assert settings.recent[0] == "/19"


def test_a_relative_path_is_remembered_as_an_absolute_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Settings().with_recent("m.pkl").recent == (os.path.join(os.getcwd(), "m.pkl"),)


def test_a_save_that_fails_says_so_and_leaves_the_old_file(file, monkeypatch, caplog):
    assert save_settings(Settings(target_fps=50.0))

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert not save_settings(Settings(target_fps=10.0))
    monkeypatch.undo()
    assert "No space left" in caplog.text
    assert load_settings(file).target_fps == 50.0
    assert [p.name for p in file.parent.iterdir()] == ["settings.json"]

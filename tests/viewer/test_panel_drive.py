"""The panel while one drives, without a display."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

dpg = pytest.importorskip("dearpygui.dearpygui")
sys.path.insert(0, str(Path(__file__).parent / "driving"))

from drive_fakes import TOWN, running  # noqa: E402
from neuroview.engine.state import Drive  # noqa: E402
from neuroview.viewer.panel.sections.drive import facts  # noqa: E402
from panel_fakes import move, press  # noqa: E402


@pytest.fixture
def driving(panel):
    """The panel beside a drive that runs."""
    panel.context.store.update(lambda s: replace(s, drive=Drive()), label="Drive", undoable=False)
    say(panel)
    return panel


def say(panel, **changes) -> None:
    panel.context.loop.status = replace(panel.context.loop.status, drive=running(**changes))
    panel.refresh()


def drive(panel) -> Drive:
    return panel.context.store.state.drive


def test_the_sections_of_the_drive_and_of_the_generators_take_turns(driving):
    assert dpg.get_item_configuration("mode.drive.sections")["show"]
    assert not dpg.get_item_configuration("mode.generator.sections")["show"]
    press("mode.generator")
    driving.refresh()
    assert drive(driving) is None
    assert not dpg.get_item_configuration("mode.drive.sections")["show"]
    assert dpg.get_item_configuration("mode.generator.sections")["show"]


@pytest.mark.parametrize(
    ("tag", "value", "then"),
    [
        ("drive.hour", 18.0, Drive(hour=18.0)),
        ("drive.clouds", 0.9, Drive(clouds=0.9)),
        ("drive.fog", 1.0, Drive(fog=1.0)),
        ("drive.size", "512 × 256 px", Drive(width=512, height=256)),
        ("drive.engine", "CARLA server", Drive(engine="carla")),
        ("drive.painter", "Town at dusk", Drive(translator="dusk")),
        ("drive.seed", "123", Drive(seed=123)),
        ("drive.seed", "twelve", Drive()),
    ],
)
def test_moving_a_control_changes_the_drive(driving, tag, value, then):
    move(tag, value)
    got = drive(driving)
    assert replace(got, clouds=round(got.clouds, 4)) == then


@pytest.mark.parametrize(
    ("tag", "then"),
    [
        ("drive.view.depth", Drive(view="depth")),
        ("drive.viewpoint.top", Drive(viewpoint="top")),
        ("drive.look.drawn", Drive(photo_look="drawn")),
    ],
)
def test_pressing_a_segment_changes_the_drive(driving, tag, then):
    press(tag)
    assert drive(driving) == then


def test_a_change_from_elsewhere_is_shown(driving):
    changed = Drive(seed=5, width=384, height=192, translator="/data/net_G.pth", hour=6.5)
    driving.context.store.update(lambda s: replace(s, drive=changed), label="elsewhere")
    driving.refresh()
    assert dpg.get_value("drive.seed") == "5"
    assert dpg.get_value("drive.size") == "384 × 192 px"
    assert dpg.get_value("drive.painter") == "data/net_G.pth"
    assert dpg.get_value("drive.hour") == pytest.approx(6.5)


def test_the_toolbar_pauses_steps_and_puts_back_onto_the_road(driving):
    for tag in ("action.drive.toggle_pause", "action.drive.single_step"):
        press(tag)
    assert driving.context.actions.pressed == [("pause", True), ("single_step",)]


def test_a_view_that_the_engine_cannot_give_is_greyed_out(driving):
    say(driving, engine=replace(TOWN, has_photo=False, has_motion=False))
    enabled = {
        v: dpg.get_item_configuration(f"drive.view.{v}")["enabled"] for v in ("photo", "split", "motion", "depth")
    }
    assert enabled == {"photo": False, "split": False, "motion": False, "depth": True}
    say(driving)
    assert dpg.get_item_configuration("drive.view.photo")["enabled"]


def test_a_recording_is_listed_and_replayed(driving):
    folder = driving.context.actions.drive.folder
    (folder / "drive_7_0001.jsonl").touch()
    say(driving, recording="x")  # looks again when one begins or ends
    say(driving)
    assert dpg.get_value("drive.recordings") == "drive_7_0001"
    press("drive.replay")
    assert driving.context.actions.pressed == [("replay", folder / "drive_7_0001.jsonl")]


def test_the_facts_tell_rates_or_what_is_waited_for():
    assert facts(None) == "Starting the engine."
    assert facts(running(connection="lost", text="The engine is gone.")) == "The engine is gone."
    said = facts(running(engine_fps=30, painter_fps=25, painter_ms=31, latency_ms=70, distance=1234))
    for part in ("engine 30 fps", "painter 25 fps (31 ms)", "delay 70 ms", "1.23 km"):
        assert part in said

"""What the head-up display says, and when it wants to be drawn."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from drive_fakes import frame, running
from neuroview.engine.driving.messages import Event
from neuroview.engine.state import Drive
from neuroview.viewer.driving.banners import MOST, SECONDS, Chip, Happenings, banners
from neuroview.viewer.driving.hud import PERIOD, Hud
from neuroview.viewer.driving.instruments import bearing, clock_face, gear_name
from neuroview.viewer.theme import shipped_theme

POST = Event("collision", "hit a lamp post at 31 km/h")


@pytest.mark.parametrize(("hour", "face"), [(0, "00:00"), (7.09, "07:05"), (23.999, "23:59"), (24, "00:00")])
def test_the_clock_reads_as_clocks_do(hour, face):
    assert clock_face(hour) == face


@pytest.mark.parametrize(
    ("yaw", "degrees"), [(math.pi / 2, 0), (0, 90), (-math.pi / 2, 180), (math.pi, 270), (9, 294.3)]
)
def test_a_bearing_is_counted_clockwise_from_north(yaw, degrees):
    assert bearing(yaw) == pytest.approx(degrees, abs=0.1)


def test_gears_are_named_as_on_the_lever():
    assert [gear_name(gear) for gear in (-1, 0, 1, 4)] == ["R", "N", "1", "4"]


def words(happenings: Happenings, now: float) -> list[str]:
    return [chip.text for chip, _ in happenings.chips(now)]


def test_an_event_is_shown_once_for_some_seconds():
    happenings, hit = Happenings(), frame(1, POST)
    for _ in range(3):
        happenings.note(hit)
    assert happenings.update(0.0)
    assert words(happenings, 0.0) == ["Hit a lamp post at 31 km/h"]
    assert not happenings.update(1.0)
    assert happenings.update(SECONDS)
    assert words(happenings, SECONDS) == []


def test_an_event_of_a_frame_that_was_never_drawn_is_not_lost():
    happenings = Happenings()
    happenings.note(frame(1, POST))
    happenings.note(frame(2))
    happenings.update(0.0)
    assert len(words(happenings, 0.0)) == 1


def test_the_same_event_again_is_counted_and_many_events_do_not_fill_the_picture():
    happenings = Happenings()
    for number in range(3):
        happenings.note(frame(number, POST))
    for number in range(9):
        happenings.note(frame(10 + number, Event("off road", f"left the road {number}")))
    happenings.update(0.0)
    assert len(words(happenings, 0.0)) == MOST
    happenings.clear()
    happenings.note(frame(30, POST))
    happenings.note(frame(31, POST))
    happenings.update(0.0)
    assert words(happenings, 0.0) == ["Hit a lamp post at 31 km/h  ×2"]


def test_an_event_without_words_is_called_by_its_kind():
    happenings = Happenings()
    happenings.note(frame(1, Event("red light")))
    happenings.update(0.0)
    assert happenings.chips(0.0)[0][0] == Chip("Red light", "warning")


def texts(status, drive=None) -> str:
    return " | ".join(chip.text for chip in banners(status, drive or Drive()))


def test_banners_say_what_holds_for_the_whole_drive():
    assert texts(running()) == ""
    said = texts(running(recording="/tmp/drive_7_0001.jsonl", autopilot=True, connection="paused"))
    assert "Recording drive_7_0001.jsonl" in said
    assert "Paused" in said
    assert "Autopilot" in said
    assert texts(running(replaying=True)) == "Replaying"
    over = running(connection="paused", text="The replay is over. Go on to drive from here.")
    assert texts(over) == "The replay is over. Go on to drive from here."


def test_a_missing_painter_is_mentioned_only_where_a_painting_was_asked_for():
    lacking = running(translator="", painter="missing", painter_text="No painter: There is no translator 'town'.")
    assert "labels are shown" in texts(lacking)
    assert texts(lacking, Drive(view="depth")) == ""
    assert "Paused" in texts(replace(lacking, connection="paused"))


@pytest.fixture
def hud():
    hud = Hud(shipped_theme())
    hud.update(Drive(), running(), 0.0, fresh=True)
    return hud


def test_a_word_of_the_engine_alone_is_drawn_on_a_slower_clock(hud):
    assert not hud.update(Drive(), running(), PERIOD / 3)
    assert 0 < hud.next_change(PERIOD / 3) <= PERIOD
    assert hud.update(Drive(), running(), PERIOD)


def test_instruments_follow_each_new_picture(hud):
    status = running()
    assert hud.update(Drive(), status, PERIOD / 3, fresh=True)
    assert hud.status is status


@pytest.mark.parametrize("answer", [{"connection": "paused"}, {"recording": "x"}, {"autopilot": True}, {"text": "x"}])
def test_the_answer_to_a_key_is_drawn_at_once(hud, answer):
    assert hud.update(Drive(), running(**answer), PERIOD / 3)


def test_without_a_drive_there_is_nothing_to_draw_or_wait_for(hud):
    assert hud.update(None, None, 1.0)
    assert not hud.update(None, None, 2.0)
    assert hud.next_change(2.0) is None
    assert not hud.driving


def test_the_pill_tells_rates_and_delay_and_hides_the_painters_where_nothing_is_painted(hud):
    status = running(engine_fps=30.2, painter_fps=24.4, latency_ms=62.4, dropped=3)
    hud.update(Drive(), status, 1.0)
    assert [word for word, _ in hud.pill()] == ["62 ms delay", "24 fps painted", "30 fps engine", "3 dropped"]
    hud.update(Drive(view="depth"), status, 2.0)
    assert [word for word, _ in hud.pill()] == ["62 ms delay", "30 fps engine", "3 dropped"]

"""What an engine is sent: the driver's CONTROL, the state's view of the world, and each of them no more than needed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from neuroview.engine.driving.helm import HEARTBEAT, Helm
from neuroview.engine.driving.messages import Control, DriveFrame, EngineInfo
from neuroview.engine.state import Drive

DRIVE = Drive()
INFO = EngineInfo("town", "A town", has_photo=True)


@pytest.fixture
def helm():
    made = Helm()
    made.take(Control(steer=0.2))
    return made


def test_an_unchanged_control_is_sent_again_only_with_the_heartbeat(helm):
    assert helm.due(DRIVE, INFO, False, 10.0) is not None
    assert helm.due(DRIVE, INFO, False, 10.0 + 0.5 * HEARTBEAT) is None
    assert helm.due(DRIVE, INFO, False, 10.0 + 1.1 * HEARTBEAT) is not None


def test_a_turned_wheel_and_another_hour_are_sent_at_once(helm):
    helm.due(DRIVE, INFO, False, 10.0)
    helm.take(Control(steer=0.3))
    assert helm.due(DRIVE, INFO, False, 10.001).steer == 0.3
    assert helm.due(replace(DRIVE, hour=20.0), INFO, False, 10.002).weather.hour == 20.0


def test_another_engine_is_not_asked_for_resets_that_were_asked_before_it_ran(helm):
    helm.take(Control(resets=3))
    assert helm.due(DRIVE, INFO, False, 1.0).resets == 3
    helm.begin()
    assert helm.due(DRIVE, INFO, False, 2.0).resets == 0
    helm.take(Control(resets=4))
    assert helm.due(DRIVE, INFO, False, 3.0).resets == 1


def test_a_reset_during_a_replay_is_forgotten(helm):
    helm.take(Control(resets=5), obeyed=False)
    assert helm.due(DRIVE, INFO, False, 1.0).resets == 0


@pytest.mark.parametrize(("view", "paused", "has_photo", "asked"), [
    ("painted", False, True, False), ("split", False, True, True), ("painted", True, True, True),
    ("photo", False, False, False),
])  # fmt: skip
def test_the_engine_draws_its_own_picture_where_it_can_be_seen(helm, view, paused, has_photo, asked):
    info = replace(INFO, has_photo=has_photo)
    assert helm.due(replace(DRIVE, view=view), info, paused, 1.0).photo is asked


def test_a_frame_from_before_the_photo_was_wanted_is_followed_by_one_that_has_it(helm):
    helm.due(DRIVE, INFO, False, 1.0)
    sent = helm.due(replace(DRIVE, view="photo"), INFO, False, 2.0)
    frame = DriveFrame(1, 0.0, None, None, control_serial=sent.serial - 1)
    assert helm.photo_follows(frame)
    assert not helm.photo_follows(replace(frame, control_serial=sent.serial))

"""What keys change in the state of a drive."""

from __future__ import annotations

import pytest
from neuroview.engine.state import Drive, ViewState
from neuroview.viewer.driving import edits

DRIVING = ViewState(drive=Drive())


def test_the_views_go_round_in_both_directions():
    state, seen = DRIVING, []
    for _ in edits.VIEWS:
        seen.append(state.drive.view)
        state = edits.next_view()(state, 0)
    assert tuple(seen) == edits.VIEWS
    assert state == DRIVING
    assert edits.next_view(-1)(state, 0).drive.view == "depth"


@pytest.mark.parametrize(("hour", "by", "then"), [(11.0, 0.5, 11.5), (23.75, 0.5, 0.25), (0.0, -0.5, 23.5)])
def test_midnight_follows_the_evening(hour, by, then):
    assert edits.later(by)(ViewState(drive=Drive(hour=hour)), 0).drive.hour == then


@pytest.mark.parametrize(("part", "stands"), [(0.3, 0.3), (-2.0, 0.0), (1.7, 1.0)])
def test_the_divider_stays_in_the_picture(part, stands):
    assert edits.split_at(DRIVING, part).drive.split == stands


@pytest.mark.parametrize(
    "edit",
    [edits.next_view(), edits.next_viewpoint, edits.next_look, edits.later(1), lambda s, _: edits.split_at(s, 1)],
)
def test_a_state_without_a_drive_stays_as_it_is(edit):
    assert edit(ViewState(), 0) is not None
    assert edit(ViewState(), 0) == ViewState()

"""The divider of the split view."""

from __future__ import annotations

import pytest
from neuroview.engine.state import Drive, ViewState
from neuroview.engine.store import Store
from neuroview.viewer.driving.divider import Divider, line_at
from neuroview.viewer.letterbox import Rect

PICTURE = Rect(100, 50, 800, 400)


@pytest.fixture
def store():
    return Store(ViewState(drive=Drive(view="split")))


def test_the_line_stands_between_two_columns_of_the_picture():
    drive = Drive(width=256, split=0.5017)
    assert line_at(PICTURE, drive) == 100 + 800 * 128 / 256


def test_a_drag_moves_it_with_the_hand_as_one_undo_step(store):
    divider = Divider(store)
    assert divider.press(503, 200, PICTURE)
    for x in (520, 600, 703):
        divider.move(x, PICTURE)
    divider.release()
    assert store.state.drive.split == pytest.approx(0.75)
    assert store.undo() == "Split"
    assert store.state.drive.split == 0.5
    assert store.undo() is None


def test_two_drags_are_two_undo_steps(store):
    divider = Divider(store)
    for x in (600, 400):
        assert divider.press(line_at(PICTURE, store.state.drive), 200, PICTURE)
        divider.move(x, PICTURE)
        divider.release()
    store.undo()
    assert store.state.drive.split == pytest.approx(0.625)


@pytest.mark.parametrize(("x", "y"), [(540, 200), (500, 40), (500, 460)])
def test_a_press_beside_it_does_not_take_hold(store, x, y):
    divider = Divider(store)
    assert not divider.press(x, y, PICTURE)
    divider.move(700, PICTURE)
    assert store.state.drive.split == 0.5


def test_other_views_have_no_divider():
    store = Store(ViewState(drive=Drive(view="painted")))
    assert not Divider(store).press(500, 200, PICTURE)


def test_it_can_be_pulled_back_from_the_very_edge(store):
    divider = Divider(store)
    divider.press(500, 200, PICTURE)
    divider.move(2000, PICTURE)
    divider.release()
    assert store.state.drive.split == 1.0
    assert divider.press(899, 200, PICTURE)
    divider.move(699, PICTURE)
    assert store.state.drive.split == pytest.approx(0.75)

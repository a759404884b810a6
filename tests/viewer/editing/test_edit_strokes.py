"""Strokes as data: thinned, rubbed out, switched, and at home in the view that they were made in."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from neuroview.engine.state import Camera, Stroke, ViewState
from neuroview.viewer.editing.strokes import (
    MOST_POINTS,
    erased,
    same_view,
    switched,
    thinned,
    view_name,
    views,
    visibility,
    with_stroke,
    without,
)

FRONT, SIDE = Camera(), Camera(yaw=math.radians(40))
LINE = Stroke("colour", ((0.2, 0.5), (0.8, 0.5)), FRONT, 0.04)


def test_a_straight_line_needs_its_ends_only():
    assert thinned([(i / 100, 0.5) for i in range(101)]) == ((0.0, 0.5), (1.0, 0.5))


def test_a_bend_is_kept_within_less_than_a_pixel():
    bend = [(i / 100, 0.5 + 0.2 * math.sin(i / 10)) for i in range(101)]
    kept = thinned(bend)
    assert 10 < len(kept) < 60
    assert kept[0] == bend[0]


def test_a_scribble_without_end_has_a_bounded_number_of_points():
    wild = [((i * 37 % 100) / 100, (i * 61 % 97) / 97) for i in range(3000)]
    assert len(thinned(wild)) <= MOST_POINTS


def test_a_single_click_is_a_stroke_of_one_point():
    assert thinned([(0.5, 0.5)]) == ((0.5, 0.5),)


def test_an_eraser_across_a_stroke_leaves_two():
    left = erased((LINE,), FRONT, [(0.5, 0.3), (0.5, 0.7)], 0.1)
    assert len(left) == 2
    assert left[0].points[-1][0] < 0.44
    assert left[1].points[0][0] > 0.56


def test_an_eraser_leaves_strokes_of_other_views_alone():
    assert erased((LINE,), SIDE, [(0.5, 0.3), (0.5, 0.7)], 0.1) == (LINE,)


def test_an_eraser_that_touches_nothing_changes_nothing():
    assert erased((LINE,), FRONT, [(0.5, 0.9)], 0.1) == (LINE,)


def test_an_eraser_over_all_of_a_stroke_takes_it_away():
    assert erased((LINE,), FRONT, [(0.1, 0.5), (0.9, 0.5)], 0.1) == ()


def test_a_stroke_is_clear_in_its_view_faint_beside_it_and_gone_from_the_side():
    beside = Camera(yaw=math.radians(3))
    assert visibility(LINE, FRONT) == 1
    assert 0 < visibility(LINE, beside) < 0.3
    assert visibility(LINE, SIDE) == 0


@pytest.mark.parametrize("change", [{"radius": 3.5}, {"fov": 0.4}, {"pivot": (0.2, 0.0, 0.0)}, {"roll": 0.3}])
def test_a_camera_that_moved_in_any_way_is_another_view(change):
    assert not same_view(FRONT, replace(FRONT, **change))


def test_views_come_in_the_order_of_their_first_strokes():
    state = ViewState()
    for camera in (SIDE, FRONT, SIDE):
        state = with_stroke(state, replace(LINE, camera=camera))
    assert [(view.camera, view.numbers) for view in views(state.edits.strokes)] == [(SIDE, (0, 2)), (FRONT, (1,))]


def test_a_stroke_is_switched_and_taken_away_by_its_number():
    state = with_stroke(with_stroke(ViewState(), LINE), replace(LINE, kind="keep"))
    assert [stroke.on for stroke in switched(state, 1, False).edits.strokes] == [True, False]
    assert [stroke.kind for stroke in without(state, 0).edits.strokes] == ["keep"]
    assert without(state, 7) == state


def test_a_view_has_a_name_that_a_person_can_picture():
    assert view_name(FRONT) == "front"
    assert view_name(Camera(yaw=math.radians(-24), pitch=math.radians(10))) == "24° left, 10° above"

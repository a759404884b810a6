"""Strokes on pixels, and the sentences for strokes that mean nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from neuroview.engine.editing.colour import edit_colour
from neuroview.engine.editing.errors import EditError
from neuroview.engine.editing.shape import edit_shape
from neuroview.engine.editing.strokes import cover, effective, stroke_views
from neuroview.engine.rendering.rays import picture_positions
from neuroview.engine.state import Edits
from parts_model import on_body, on_hat, pipeline_of, state_of, stroke


@pytest.fixture
def pipeline(tmp_path):
    return pipeline_of(tmp_path)


def views_of(pipeline, *strokes):
    return stroke_views(pipeline, state_of(pipeline, *strokes), 48)


def test_a_dot_covers_its_area_and_a_line_its_length(pipeline):
    positions = picture_positions(64, 64, pipeline.scene(state_of(pipeline)).volume)
    dot = cover([(0.5, 0.5)], 0.25, positions, 1 / 64).sum() / 64**2
    line = cover([(0.25, 0.5), (0.75, 0.5)], 0.1, positions, 1 / 64).sum() / 64**2
    assert dot == pytest.approx(3.1416 * 0.125**2, rel=0.02)
    assert line == pytest.approx(0.5 * 0.1 + 3.1416 * 0.05**2, rel=0.02)


def test_the_finest_brush_still_covers_something(pipeline):
    positions = picture_positions(48, 48, pipeline.scene(state_of(pipeline)).volume)
    assert cover([(0.3, 0.3), (0.6, 0.5)], 1e-4, positions, 1 / 48).max() > 0.5


def test_points_under_a_stroke_lie_on_the_surface(pipeline):
    state = state_of(pipeline)
    (view,) = views_of(pipeline, on_body(state, "colour"))
    points = view.surface_points(view.strokes[0].coverage)
    assert ((points - torch.tensor([0.0, -0.25, 0.0])).norm(dim=1) - 0.5).abs().max() < 0.12


def test_a_later_stroke_wins_where_it_covers_an_earlier_one(pipeline):
    state = state_of(pipeline)
    wide = stroke(state, "colour", (0.4, 0.6), (0.6, 0.6), width=0.1)
    dot = stroke(state, "keep", (0.5, 0.6), width=0.05)
    (view,) = views_of(pipeline, wide, dot)
    (_, left), (_, kept) = effective(view)
    assert float((left * kept).max()) < 0.3
    assert left.sum() < view.strokes[0].coverage.sum()


def test_strokes_of_several_views_are_read_in_their_own(pipeline):
    state = state_of(pipeline)
    side = replace(state, camera=replace(state.camera, yaw=1.5))
    assert len(views_of(pipeline, on_body(state, "colour"), on_hat(side, "colour"))) == 2


def test_nothing_drawn_is_said(pipeline):
    with pytest.raises(EditError, match=r"Nothing is drawn\. Choose a brush"):
        next(edit_colour(pipeline, state_of(pipeline)))


def test_strokes_that_are_all_off_are_said(pipeline):
    off = on_hat(state_of(pipeline), "colour", on=False)
    with pytest.raises(EditError, match="Every stroke is switched off"):
        next(edit_colour(pipeline, state_of(pipeline, off)))


def test_a_stroke_on_empty_space_is_named_by_its_number(pipeline):
    state = state_of(pipeline)
    away = stroke(state, "colour", (0.05, 0.05), (0.1, 0.05))
    with pytest.raises(EditError, match=r"Stroke 2 \(colour\) lies on empty space"):
        views_of(pipeline, on_hat(state, "colour"), away)


def test_an_add_stroke_beside_the_object_is_fine_and_far_from_it_is_not(pipeline):
    state = state_of(pipeline)
    assert views_of(pipeline, stroke(state, "add", (0.62, 0.3), (0.7, 0.3), width=0.06))
    with pytest.raises(EditError, match=r"Stroke 1 \(add\) touches nothing"):
        views_of(pipeline, stroke(state, "add", (0.05, 0.05)))


def test_two_colours_on_the_same_pixels_contradict_each_other(pipeline):
    state = state_of(pipeline)
    red, blue = (on_hat(state, "colour", colour=c) for c in ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)))
    with pytest.raises(EditError, match=r"Stroke 1 \(colour\) and stroke 2 \(colour\) ask for two colours"):
        views_of(pipeline, red, blue)


def test_keeping_and_removing_the_same_pixels_contradict_each_other(pipeline):
    state = state_of(pipeline)
    with pytest.raises(EditError, match=r"Stroke 1 \(keep\) and stroke 2 \(remove\) ask for different things"):
        views_of(pipeline, on_hat(state, "keep"), on_hat(state, "remove"))


def test_the_wrong_brush_for_an_edit_is_said(pipeline):
    state = state_of(pipeline)
    with pytest.raises(EditError, match="No colour stroke is drawn"):
        next(edit_colour(pipeline, state_of(pipeline, on_hat(state, "keep"))))
    with pytest.raises(EditError, match="No remove or add stroke is drawn"):
        next(edit_shape(pipeline, state_of(pipeline, on_hat(state, "colour"))))


def test_keep_strokes_over_every_colour_stroke_leave_nothing_to_do_and_say_so(pipeline):
    state = state_of(pipeline)
    wide = stroke(state, "keep", (0.35, 0.6), (0.65, 0.6), width=0.2)
    with pytest.raises(EditError, match="Keep strokes cover all colour strokes"):
        list(edit_colour(pipeline, state_of(pipeline, on_body(state, "colour"), wide)))


def test_a_stroke_on_empty_space_in_any_view_stops_the_edit(pipeline):
    state = state_of(pipeline)
    side = replace(state, camera=replace(state.camera, yaw=1.5))
    away = stroke(side, "colour", (0.05, 0.05), (0.1, 0.05))
    with pytest.raises(EditError, match=r"Stroke 2 \(colour\) lies on empty space"):
        list(edit_colour(pipeline, state_of(pipeline, on_hat(state, "colour"), away)))


def test_strokes_are_read_in_pieces_that_make_the_same_picture_as_one(pipeline):
    state = state_of(pipeline, on_hat(state_of(pipeline), "colour"))
    (view,) = stroke_views(pipeline, state, 48)
    frame = pipeline.frame(replace(state, edits=Edits()), "occupancy")
    assert torch.allclose(view.rendered.features, frame.raw.permute(2, 0, 1), atol=1e-5)

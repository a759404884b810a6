"""What a newcomer is told over the picture follows what lies on it and what is in the hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from neuroview.engine.editing.status import EditStatus
from neuroview.engine.state import Camera, Edits, Stroke, ViewState
from neuroview.viewer.editing.brushes import BRUSHES
from neuroview.viewer.editing.cards import how_far
from neuroview.viewer.editing.guide import applied, guide, waiting
from neuroview.viewer.editing.tools import Tools


def painted(*kinds, on=True):
    return ViewState(edits=Edits(tuple(Stroke(kind, ((0.5, 0.5),), Camera(), on=on) for kind in kinds)))


@pytest.mark.parametrize(
    ("kinds", "does"),
    [
        ((), ""),
        (("keep",), ""),
        (("colour", "keep"), "Recolour"),
        (("colour", "remove"), "Reshape"),
        (("add",), "Reshape"),
        (("region",), "Transfer"),
        (("region", "colour"), "Recolour"),
    ],
)
def test_enter_does_what_the_strokes_ask_for(kinds, does):
    assert applied(painted(*kinds)) == does
    assert applied(painted(*kinds, on=False)) == ""


@pytest.mark.parametrize("brush", BRUSHES, ids=lambda brush: brush.name)
def test_with_nothing_drawn_it_is_said_what_the_brush_does(brush):
    assert guide(ViewState(), Tools(on=True, brush=brush.name)).startswith(brush.help)


def test_with_strokes_it_is_said_what_enter_does():
    assert guide(painted("colour"), Tools(on=True)).startswith("Enter recolours the scene")
    assert "seed 7" in guide(painted("region"), Tools(on=True, donor=7))
    assert "paint a colour" in guide(painted("keep"), Tools(on=True))


def test_a_pipette_comes_before_everything_else():
    assert "takes the colour" in guide(painted("colour"), Tools(on=True, picking=True))


def test_strokes_that_wait_without_a_brush_are_counted():
    assert waiting(painted("colour", "keep")) == "2 strokes not yet applied   ·   Enter recolours the scene"
    assert waiting(painted("remove")).startswith("1 stroke not")


def test_how_far_an_edit_is_is_said_while_it_is_known():
    status = EditStatus("Colour", 12, 90, text="Matching the colour", seconds_left=4.0)
    assert how_far(status) == "Matching the colour   ·   12 of 90   ·   4 s left"
    assert how_far(replace(status, step=89, seconds_left=0.1)) == "Matching the colour"
    assert how_far(EditStatus("Colour", text="Beginning")) == "Beginning"

"""The verbs of editing: what they ask of the loop, and what they say where there is nothing to do."""

from __future__ import annotations

from dataclasses import replace

from neuroview.engine.editing.status import EditStatus
from neuroview.engine.state import Camera, Stroke
from neuroview.viewer.actions import Actions
from neuroview.viewer.editing.brushes import LARGEST, PALETTE, SMALLEST, tint_of
from neuroview.viewer.editing.strokes import with_strokes


def give(bench, *kinds, camera=None):
    strokes = [Stroke(kind, ((0.5, 0.5),), camera or Camera()) for kind in kinds]
    bench.store.update(lambda s: with_strokes(s, strokes), label="given")


def test_enter_recolours_where_there_is_only_colour_and_reshapes_else(bench):
    give(bench, "colour", "keep")
    bench.do.apply()
    give(bench, "colour", "remove")
    bench.do.apply()
    assert bench.loop.asked == [("colour", {}), ("shape", {})]


def test_without_strokes_nothing_starts_and_a_sentence_says_what_to_do(bench):
    bench.do.apply()
    assert not bench.loop.asked
    assert "paint" in bench.loop.told[-1]


def test_strokes_of_the_wrong_kind_start_nothing(bench):
    give(bench, "keep")
    bench.do.recolour()
    bench.do.reshape()
    assert not bench.loop.asked
    assert len(bench.loop.told) == 2


def test_a_second_edit_waits_for_the_first(bench):
    give(bench, "colour")
    bench.loop.status = replace(bench.loop.status, edit=EditStatus("Colour"))
    bench.do.recolour()
    assert not bench.loop.asked
    assert "running" in bench.loop.told[-1]


def test_a_transfer_takes_the_donor_and_the_part_in_hand(bench):
    bench.do.tools.take(donor=7, part="geometry")
    bench.do.transfer()
    assert bench.loop.asked == [("transfer", {"donor_seed": 7, "part": "geometry"})]


def test_keep_and_drop_reach_a_running_edit_only(bench):
    bench.do.keep()
    bench.loop.status = replace(bench.loop.status, edit=EditStatus("Shape"))
    bench.do.keep()
    bench.do.drop()
    assert bench.loop.asked == ["keep", "drop"]


def test_the_brush_stays_within_sensible_sizes(bench):
    for _ in range(60):
        bench.do.larger()
    assert bench.do.tools.now.width == LARGEST
    for _ in range(60):
        bench.do.smaller()
    assert bench.do.tools.now.width == SMALLEST


def test_colours_and_brushes_go_round(bench):
    for _ in PALETTE:
        bench.do.next_colour()
    assert bench.do.tools.now.colour == PALETTE[0]
    seen = []
    for _ in range(6):
        bench.do.next_brush()
        seen.append(bench.do.tools.now.brush)
    assert len(set(seen)) == 6


def test_the_next_view_with_strokes_goes_round_and_can_be_undone(bench):
    side = Camera(yaw=0.6)
    give(bench, "colour", camera=side)
    before = bench.store.state.camera
    bench.do.next_view()
    assert bench.store.state.camera == side
    bench.store.undo()
    assert bench.store.state.camera == before


def test_undo_while_an_edit_runs_drops_it_and_takes_no_step_back(bench, tmp_path):
    give(bench, "colour")
    actions = Actions(bench.store, bench.loop, screenshots=tmp_path, on_quit=lambda: None)
    bench.loop.status = replace(bench.loop.status, edit=EditStatus("Colour"))
    actions.undo()
    assert bench.loop.asked == ["drop"]
    assert bench.strokes
    bench.loop.status = replace(bench.loop.status, edit=None)
    actions.undo()
    assert not bench.strokes


def test_enter_transfers_where_there_is_only_a_region(bench):
    give(bench, "region", "keep")
    bench.do.apply()
    assert [asked[0] for asked in bench.loop.asked] == ["transfer"]


def test_a_colour_is_for_the_brush_in_hand_if_that_paints_in_one(bench):
    edit = bench.do
    for brush, takes in (("add", "add"), ("keep", "colour"), ("colour", "colour")):
        edit.choose(brush)
        edit.set_colour((0.1, 0.2, 0.3))
        assert edit.tools.now.brush == takes


def test_what_is_added_is_drawn_in_the_colour_that_it_will_have(bench):
    edit = bench.do
    edit.choose("add")
    edit.set_colour((0.1, 0.2, 0.3))
    edit.draw(((0.4, 0.5), (0.6, 0.5)), Camera())
    (stroke,) = bench.store.state.edits.strokes
    assert stroke.colour == (0.1, 0.2, 0.3)
    assert tint_of("add", stroke.colour) == (0.1, 0.2, 0.3, 1.0)
    assert tint_of("keep", stroke.colour) != (0.1, 0.2, 0.3, 1.0)

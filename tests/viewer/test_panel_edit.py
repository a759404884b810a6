"""The panel's side of editing, without a display: brushes, strokes, history, photo, sessions, directions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

dpg = pytest.importorskip("dearpygui.dearpygui")

from neuroview.engine.editing.status import EditStatus  # noqa: E402
from neuroview.engine.state import Camera, Stroke  # noqa: E402
from neuroview.engine.store import History  # noqa: E402
from neuroview.viewer.editing.photo import Photo  # noqa: E402
from neuroview.viewer.editing.strokes import with_strokes  # noqa: E402
from neuroview.viewer.panel.sections.history import START, listed  # noqa: E402
from neuroview.viewer.panel.seed import PHOTO  # noqa: E402
from panel_fakes import HEADS, LEGO, move, press  # noqa: E402


def give(panel, *kinds):
    strokes = [Stroke(kind, ((0.5, 0.5),), Camera(yaw=0.4)) for kind in kinds]
    panel.context.store.update(lambda s: with_strokes(s, strokes), label="given")
    panel.refresh()


def say(panel, **changes):
    panel.context.loop.status = replace(panel.context.loop.status, **changes)
    panel.refresh()


def asked(panel, name):
    return [call for call in panel.context.actions.pressed if call[0] == name]


def test_a_brush_is_taken_and_pressed_again_put_away(panel):
    tools = panel.context.actions.edit.tools
    press("edit.brush.keep")
    panel.refresh()
    assert (tools.now.on, tools.now.brush) == (True, "keep")
    press("edit.brush.keep")
    assert not tools.now.on


def test_strokes_are_listed_switched_looked_at_and_deleted(panel):
    give(panel, "colour", "keep", "remove")
    store = panel.context.store
    assert "Keep" in dpg.get_item_label("edit.stroke.1")
    move("edit.stroke.1.on", False)
    assert [stroke.on for stroke in store.state.edits.strokes] == [True, False, True]
    press("edit.stroke.2")
    assert store.state.camera == Camera(yaw=0.4)
    panel.refresh()
    press("edit.stroke.0.delete")
    assert [stroke.kind for stroke in store.state.edits.strokes] == ["keep", "remove"]
    panel.refresh()
    press("edit.clear")
    assert store.state.edits.strokes == ()


def test_only_what_the_strokes_ask_for_can_be_started(panel):
    give(panel, "colour")
    assert dpg.is_item_enabled("edit.recolour")
    assert not dpg.is_item_enabled("edit.reshape")
    press("edit.recolour")
    assert asked(panel, "edit") == [("edit", "colour")]


def test_a_running_edit_takes_the_buttons_place_and_can_be_kept_or_dropped(panel):
    say(panel, edit=EditStatus("Shape", 3, 10, 0.1, (0.3, 0.2, 0.1), 5.0, text="Growing"))
    assert dpg.is_item_shown("edit.progress")
    assert not dpg.is_item_shown("edit.apply")
    assert dpg.get_value("edit.progress.words") == "Growing   ·   3 of 10   ·   5 s left"
    press("edit.keep")
    press("edit.drop")
    assert asked(panel, "stop_edit") == [("stop_edit", True), ("stop_edit", False)]
    say(panel, edit=None)
    assert not dpg.is_item_shown("edit.progress")


def test_a_click_in_the_history_goes_there(panel):
    give(panel, "colour")
    give(panel, "colour", "keep")
    assert dpg.get_item_label("history.0") == START
    press("history.1")
    assert len(panel.context.store.state.edits.strokes) == 1
    panel.refresh()
    press("history.2")
    assert len(panel.context.store.state.edits.strokes) == 2


def test_a_long_history_is_listed_around_the_present():
    first, lines = listed(History(tuple(map(str, range(500))), 250))
    assert first <= 250 < first + len(lines)
    assert lines[250 - first] == "249"
    assert listed(History()) == (0, [START])


def test_a_photo_is_inverted_from_where_the_camera_stands_and_compared(panel):
    edit = panel.context.actions.edit
    edit.photo._put(Photo("me.jpg", np.zeros((8, 8, 3), np.uint8), (0.0, 0.0, 1.0, 1.0), settled=True))
    panel.refresh()
    press("photo.camera.True")
    press("photo.invert")
    camera = panel.context.store.state.camera
    assert asked(panel, "invert") == [("invert", "me.jpg", ("box", (0.0, 0.0, 1.0, 1.0)), ("camera", camera))]
    edit.toggle_compare()
    panel.refresh()
    press("photo.compare")
    assert not edit.photo.now.shown
    press("photo.away")
    assert edit.photo.now is None


def test_a_scene_without_seeds_takes_no_photo_and_no_transfer(panel):
    say(panel, model=LEGO)
    assert "without seeds" in dpg.get_value("photo.reason")
    assert not dpg.is_item_shown("edit.transfer.group")


def test_directions_are_sliders_that_leave_no_zero_behind(panel):
    say(panel, model=replace(HEADS, directions=("smile", "hair length")))
    store = panel.context.store
    move("latents.directions.hair length", 1.5)
    move("latents.directions.smile", -2.0)
    assert store.state.latents.directions == (("smile", -2.0), ("hair length", 1.5))
    move("latents.directions.smile", 0.0)
    assert store.state.latents.directions == (("hair length", 1.5),)
    panel.refresh()
    press("directions.reset")
    assert store.state.latents.directions == ()


def test_a_session_is_saved_and_opened_from_the_list(panel, monkeypatch, tmp_path):
    monkeypatch.setenv("NEUROVIEW_EDITS", str(tmp_path))
    press("session.save")
    section = next(s for s in panel.sections if type(s).__name__ == "SessionSection")
    section._looked = -9.0
    panel.refresh()
    (path,) = panel.context.actions.sessions.saved()
    assert dpg.get_value("session.list") == path.stem
    press("session.open")
    assert panel.context.actions.pressed[-1] == ("open", str(path))


@pytest.fixture
def photographed(panel):
    """The panel while a photo's identity stands in for seed A."""
    store = panel.context.store
    store.update(lambda s: replace(s, latents=replace(s.latents, identity="f00d")), label="Photo me.jpg")
    for _ in range(3):
        panel.refresh()
    return panel


def test_the_portrait_and_title_of_seed_a_are_the_photos_while_its_identity_is_shown(photographed):
    assert photographed.context.loop.asked[-1] == "f00d"
    assert dpg.get_value("seed_a.title") == PHOTO
    assert dpg.get_value("latents.seed_a") == ""
    assert dpg.get_value("seed_b.title") == "Seed B"
    photographed.context.store.undo()
    photographed.refresh()
    assert dpg.get_value("seed_a.title") == "Seed A"
    assert dpg.get_value("latents.seed_a") == str(photographed.context.store.state.latents.seed_a)


def test_a_seed_that_is_chosen_takes_the_photos_place_in_one_step(photographed):
    store = photographed.context.store
    before = store.state.latents
    press("latents.seed_b.more")
    assert store.state.latents.identity == "f00d"
    press("latents.seed_a.more")
    assert (store.state.latents.seed_a, store.state.latents.identity) == (before.seed_a + 1, "")
    store.undo()
    assert store.state.latents.identity == "f00d"


def test_a_directions_slider_ends_where_its_pictures_stay_good(panel):
    say(panel, model=replace(HEADS, directions=("smile", "skin"), direction_limits=(3.0, 2.0)))
    for name, limit in (("smile", 3.0), ("skin", 2.0)):
        ends = dpg.get_item_configuration(f"latents.directions.{name}")
        assert (ends["min_value"], ends["max_value"]) == (-limit, limit)

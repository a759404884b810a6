"""The panel's numbers: shown units, defaults, limits, and what a person may type."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from neuroview.engine.camera import camera_matrices
from neuroview.engine.state import ViewState, first_state
from neuroview.viewer.panel import fields
from neuroview.viewer.panel.browser import listing
from neuroview.viewer.panel.controls import parse_number
from neuroview.viewer.panel.demo import as_in_demo
from neuroview.viewer.panel.plot import ceiling_for, curve
from neuroview.viewer.panel.sections.model import labelled
from neuroview.viewer.panel.sections.poses import distinct
from neuroview.viewer.panel.sections.statusbar import first_line
from neuroview.viewer.panel.seed import LARGEST, parse_seed, random_seed
from panel_fakes import DEMONSTRATED, HEADS, LEGO

ALL = (
    *fields.CAMERA_FIELDS,
    fields.MIX_GEOMETRY,
    fields.MIX_APPEARANCE,
    fields.TRUNCATION,
    fields.CUTOFF,
    fields.CONDITIONING_YAW,
    fields.CONDITIONING_PITCH,
    fields.TARGET_FPS,
    fields.RESOLUTION,
    fields.SAMPLES,
    fields.layer_field(3, "8×8 conv1", True),
)


@pytest.fixture
def state() -> ViewState:
    return first_state("heads", HEADS.camera)


@pytest.mark.parametrize("field", ALL, ids=lambda f: f.key)
def test_what_is_put_is_what_is_got(field, state):
    low, high = field.span(HEADS)
    middle = round((low + high) / 2) if field.whole else (low + high) / 2
    assert field.get(field.put(state, middle, HEADS), HEADS) == pytest.approx(
        middle, abs=4.01 if "res" in field.key else 1e-4
    )


@pytest.mark.parametrize("field", ALL, ids=lambda f: f.key)
def test_the_default_leaves_a_fresh_state_as_it_is(field, state):
    after = field.put(state, field.default(HEADS), HEADS)
    assert field.get(after, HEADS) == pytest.approx(field.get(state, HEADS))


@pytest.mark.parametrize("field", ALL, ids=lambda f: f.key)
def test_absurd_numbers_stay_finite_and_go_through_json(field, state):
    for value in (-1e300, 1e300, 0.0):
        after = field.put(state, value, HEADS)
        assert ViewState.from_json(after.to_json()) == after


def test_angles_are_degrees_on_the_panel_and_radians_in_the_state(state):
    assert fields.YAW.put(state, 90.0, HEADS).camera.yaw == pytest.approx(math.pi / 2)
    assert fields.FOV.get(state, HEADS) == pytest.approx(math.degrees(HEADS.camera.fov))
    assert fields.FOV.span(HEADS) == pytest.approx((5.730, 45.837))


def test_a_yaw_of_many_turns_is_shown_within_one(state):
    turned = replace(state, camera=replace(state.camera, yaw=math.radians(370)))
    assert fields.YAW.get(turned, HEADS) == pytest.approx(10.0)


def test_a_slider_takes_over_from_an_exact_matrix_without_a_jump(state):
    posed = replace(state.camera, yaw=0.3, pitch=0.2)
    matrix, _ = camera_matrices(posed, HEADS.camera)
    exact = replace(state, camera=replace(state.camera, cam2world=tuple(matrix.ravel().tolist())))
    assert fields.YAW.get(exact, HEADS) == pytest.approx(math.degrees(0.3), abs=1e-3)
    after = fields.FOV.put(exact, fields.FOV.get(exact, HEADS), HEADS)
    assert after.camera.cam2world is None
    assert np.allclose(camera_matrices(after.camera, HEADS.camera)[0], matrix, atol=1e-6)


def test_a_cutoff_of_all_layers_is_none(state):
    assert fields.CUTOFF.put(state, len(HEADS.layer_names), HEADS).latents.cutoff is None
    assert fields.CUTOFF.put(state, 4.4, HEADS).latents.cutoff == 4


def test_the_models_own_resolution_is_none_and_others_are_multiples_of_eight(state):
    assert fields.RESOLUTION.put(state, 65, HEADS).quality.resolution is None
    assert fields.RESOLUTION.put(state, 99, HEADS).quality.resolution == 96


def test_layers_that_follow_leave_no_trace(state):
    field = fields.layer_field(2, "x", True)
    mixed = field.put(state, 0.5, HEADS)
    assert mixed.latents.layer_mix == (None, None, 0.5)
    assert field.put(mixed, None, HEADS) == state


def test_a_following_layer_stands_where_its_group_stands(state):
    state = fields.MIX_GEOMETRY.put(state, 0.25, HEADS)
    assert fields.layer_field(0, "x", True).stand_in(state, HEADS) == 0.25
    assert fields.layer_field(9, "x", False).stand_in(state, HEADS) == 0.0


def test_numbers_are_written_with_a_true_minus_and_never_minus_zero():
    assert fields.number(-1.5, 1, "°") == "−1.5°"
    assert fields.number(-0.001) == "0.00"


@pytest.mark.parametrize(
    ("text", "value"),
    [("12", 12), ("−12,5°", -12.5), (" 1.5x ", 1.5), (".5", 0.5), ("30 fps", 30), ("64 px", 64)]
    + [(text, None) for text in ("", "abc", "nan", "1e99", "-", ".", "1 2", "9" * 400)],
)
def test_typed_numbers_are_read_as_people_write_them(text, value):
    assert parse_number(text) == value


@pytest.mark.parametrize(
    ("text", "seed"),
    [
        ("0", 0),
        (" 42 ", 42),
        (str(LARGEST), LARGEST),
        *[(t, None) for t in (str(LARGEST + 1), "-1", "²", "", "9" * 5000)],
    ],
    ids=range(8),
)
def test_a_seed_is_a_whole_number_of_32_bits(text, seed):
    assert parse_seed(text) == seed


def test_a_rolled_seed_is_short_enough_to_say_aloud():
    assert all(0 <= random_seed() < 100_000 for _ in range(50))


def test_the_browser_lists_folders_first_and_only_files_that_can_be_opened(tmp_path):
    for name in ("b.pkl", "A.ckpt", "notes.txt", ".hidden.pkl", "view.png"):
        (tmp_path / name).touch()
    (tmp_path / "zoo").mkdir()
    (tmp_path / "gone.pkl").symlink_to(tmp_path / "nowhere")
    entries, note = listing(tmp_path)
    assert [e.path.name for e in entries if e.path.exists()] == ["zoo", "A.ckpt", "b.pkl", "view.png"]
    assert note == ""


def test_a_folder_that_cannot_be_read_is_said(tmp_path):
    entries, note = listing(tmp_path / "missing")
    assert entries == []
    assert "cannot be read" in note


def test_models_of_the_same_name_are_told_apart_by_their_folders():
    found = labelled((("heads", "Heads"),), ("/a/x/m.pkl", "/b/x/m.pkl", "/b/y/m.pkl", "heads"), LEGO.reference)
    assert found == {
        "Heads": "heads",
        "/a/x/m.pkl": "/a/x/m.pkl",
        "/b/x/m.pkl": "/b/x/m.pkl",
        "y/m.pkl": "/b/y/m.pkl",
        "models/lego.ckpt": LEGO.reference,
    }


def test_the_curve_ends_at_the_right_edge_and_stays_inside():
    points = curve([10.0, 5000.0, 20.0], ceiling=40.0, width=239.0, height=100.0)
    assert points == [(237.0, 75.0), (238.0, 0.0), (239.0, 50.0)]


def test_one_slow_frame_does_not_flatten_the_curve():
    assert ceiling_for([10.0] * 200 + [900.0], target=33.0) == pytest.approx(52.8)


def test_a_long_message_is_cut_for_the_status_line():
    assert first_line("one\ntwo") == "one"
    assert len(first_line("x" * 500)) == 110


@pytest.fixture
def shown() -> ViewState:
    """A model with a demonstration, just opened."""
    return first_state(DEMONSTRATED.reference, DEMONSTRATED.camera, demo=DEMONSTRATED.demo)


def in_demo(field: fields.NumberField) -> fields.NumberField:
    return as_in_demo(field, DEMONSTRATED.demo)


@pytest.mark.parametrize(
    ("field", "ends", "start", "angle", "written"),
    [
        (fields.YAW, (-1, 1), 0, 1.5 + 0.5 * 0.4, "0.40"),
        (fields.PITCH, (-1, 1), 0, -0.3 * 0.4, "0.40"),
        (fields.ROLL, (-1, 1), 0, -math.pi * 0.4, "0.40"),
        (fields.FOV, (9, 15), 12, math.radians(0.4), "0.4°"),
    ],
    ids=lambda v: getattr(v, "key", ""),
)
def test_a_camera_slider_counts_as_the_models_own_demonstration_does(field, ends, start, angle, written, shown):
    field = in_demo(field)
    assert field.span(DEMONSTRATED) == ends
    assert field.default(DEMONSTRATED) == start
    assert field.text(0.4) == written
    after = field.put(shown, 0.4, DEMONSTRATED)
    if field.key == "camera.fov":  # 0.4 degrees show nothing any more
        assert after.camera.fov == pytest.approx(math.radians(0.5))
        after = field.put(shown, 12.5, DEMONSTRATED)
        assert field.get(after, DEMONSTRATED) == pytest.approx(12.5)
    else:
        assert getattr(after.camera, field.key.removeprefix("camera.")) == pytest.approx(angle)
        assert field.get(after, DEMONSTRATED) == pytest.approx(0.4)


def test_a_demonstration_of_the_front_starts_at_nought(shown):
    assert in_demo(fields.YAW).get(shown, DEMONSTRATED) == 0.0
    turned = replace(shown, camera=replace(shown.camera, yaw=shown.camera.yaw + 2 * math.pi))
    assert in_demo(fields.YAW).get(turned, DEMONSTRATED) == pytest.approx(0.0)


@pytest.mark.parametrize("field", [*fields.CAMERA_FIELDS, fields.TRUNCATION, fields.MIX_GEOMETRY], ids=lambda f: f.key)
def test_absurd_numbers_in_a_demonstrations_units_stay_finite(field, shown):
    for value in (-1e300, 1e300, 0.0):
        after = in_demo(field).put(shown, value, DEMONSTRATED)
        assert ViewState.from_json(after.to_json()) == after


def test_the_help_says_what_a_demonstrations_numbers_stand_for():
    assert "−1.00 to 1.00 (here 17.2° to −17.2°)" in in_demo(fields.PITCH).help
    assert "9.0° to 15.0°." in in_demo(fields.FOV).help


def test_the_mix_says_how_the_demonstration_counts_it():
    assert "the same way: 0 shows seed A" in in_demo(fields.MIX_GEOMETRY).help
    other = replace(DEMONSTRATED.demo, mix_shows_a=True)
    assert "1 − this, and 1 shows seed A" in as_in_demo(fields.MIX_APPEARANCE, other).help


def test_what_a_demonstration_does_not_have_stays_as_it_is():
    assert in_demo(fields.RADIUS) is fields.RADIUS
    assert as_in_demo(fields.YAW, None) is fields.YAW
    assert in_demo(fields.TRUNCATION).default(DEMONSTRATED) == 0.6


def test_pictures_of_the_same_name_are_numbered():
    assert distinct(["a", "b", "a", "a"]) == ["a", "b", "a (2)", "a (3)"]
    assert distinct(["a", "a (2)", "a", "a"]) == ["a", "a (2)", "a (3)", "a (4)"]

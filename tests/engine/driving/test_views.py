"""What is looked at: labels, photo, motion, depth and halves, as 8-bit pictures."""

from __future__ import annotations

import numpy as np
import pytest
from neuroview.engine.driving import views
from neuroview.engine.driving.messages import DriveFrame
from neuroview.models.labels import palette

H, W = 4, 6


def frame(**parts):
    labels = np.full((H, W), 1, np.uint8)
    return DriveFrame(0, 0.0, labels, np.zeros((H, W), np.uint16), **parts)


def shows(view, data, picture=None, at=0.5):
    made = views.compose(view, at, data, "carla", picture)
    assert made.shape == (H, W, 4)
    assert made.dtype == np.uint8
    assert (made[..., 3] == 255).all()
    return made[..., :3]


ROAD = palette("carla")[1]
SHADED = np.full((H, W, 3), (10, 20, 30), np.uint8)
PAINTED = np.full((3, H, W), 0.5, np.float32)


def test_labels_have_their_palettes_colours():
    data = frame()
    data.labels[2, 3] = 14
    picture = shows("semantic", data)
    assert (picture[0, 0] == ROAD).all()
    assert (picture[2, 3] == palette("carla")[14]).all()


def test_the_photo_is_the_engines_own():
    assert (shows("photo", frame(photo=SHADED)) == SHADED).all()


def test_labels_stand_in_for_a_photo_that_is_not_there():
    assert (shows("photo", frame()) == ROAD).all()


def test_a_painted_picture_is_rounded_and_clipped():
    picture = PAINTED.copy()
    picture[:, 0, 0], picture[:, 0, 1] = 1.7, -0.3
    shown = shows("painted", frame(), picture)
    assert (shown[1, 1] == 128).all()
    assert (shown[0, 0] == 255).all()
    assert (shown[0, 1] == 0).all()


def test_the_split_is_painted_on_the_left_and_photo_on_the_right():
    shown = shows("split", frame(photo=SHADED), PAINTED, at=0.5)
    assert (shown[:, :3] == 128).all()
    assert (shown[:, 3:] == SHADED[:, 3:]).all()


@pytest.mark.parametrize("at", [-1.0, 2.0])
def test_a_divider_outside_the_picture_is_at_its_edge(at):
    shown = shows("split", frame(photo=SHADED), PAINTED, at=at)
    assert (shown == (SHADED if at < 0 else 128)).all()


def test_near_is_brighter_than_far_and_the_sky_is_the_windows_colour():
    metres = np.geomspace(1, 1000, H * W, dtype=np.float32).reshape(H, W)
    metres[-1, -1] = np.inf
    brightness = shows("depth", frame(depth=metres)).astype(int).sum(-1).ravel()
    assert (np.diff(brightness[:-1]) <= 0).all()
    assert brightness[0] > brightness[-2] + 200
    assert (shows("depth", frame(depth=metres))[-1, -1] == views.nothing(1, 1)[0, 0, :3]).all()


def test_depths_that_are_none_do_no_harm():
    metres = np.array([np.nan, -3.0, 0.0, 5.0], np.float32).reshape(2, 2)
    shown = views.depth(metres)[..., :3]
    assert (shown[0, 0] == views.nothing(1, 1)[0, 0, :3]).all()
    assert (shown[0, 1] == shown[1, 0]).all()


def wheel_colour(right, down):
    return views.motion(np.array([[[right, down]]], np.float32))[0, 0, :3].astype(float)


def test_motions_hue_is_its_direction():
    assert wheel_colour(50, 0).argmax() == 0  # red to the right
    up, down = wheel_colour(0, -50), wheel_colour(0, 50)
    assert down.argmax() == 1
    assert up.argmax() == 2
    slow, fast = wheel_colour(1, 1), wheel_colour(50, 50)
    assert np.allclose(slow / slow.max(), fast / fast.max(), atol=0.1)


def test_motions_colour_grows_with_its_length_and_a_standing_point_is_black():
    assert wheel_colour(0, 0).max() < 8
    assert wheel_colour(1, 0).max() < wheel_colour(6, 0).max() < wheel_colour(60, 0).max()


def test_unknown_motion_is_grey():
    red, green, blue = wheel_colour(np.nan, 3.0)
    assert red == green == blue > 50


def test_views_of_what_an_engine_does_not_know_are_empty():
    for view in ("motion", "depth"):
        assert (shows(view, frame()) == views.nothing(H, W)[..., :3]).all()

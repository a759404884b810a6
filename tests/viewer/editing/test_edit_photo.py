"""A photo: what counts as one, and its box, which is square and stays inside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from neuroview.engine.export.image import save_png
from neuroview.engine.frame import Frame
from neuroview.engine.state import ViewState
from neuroview.viewer.editing.cards import caption_place
from neuroview.viewer.editing.photo import Photo, PhotoError, is_photo, middle_square, moved, read_photo, stretched
from neuroview.viewer.letterbox import Rect
from PIL import Image


@pytest.fixture
def portrait(tmp_path):
    path = tmp_path / "me.jpg"
    Image.fromarray(np.full((90, 60, 3), 128, np.uint8)).save(path)
    return path


def test_a_photo_is_read_upright_with_its_middle_square(portrait):
    image = Image.open(portrait)
    exif = image.getexif()
    exif[0x0112] = 6  # turned by 90 degrees
    image.save(portrait, exif=exif)
    photo = read_photo(portrait)
    assert photo.pixels.shape == (60, 90, 3)
    assert photo.cut().shape == (60, 60, 3)


@pytest.mark.parametrize("aspect", [0.5, 1.0, 1.7])
def test_the_box_is_square_in_pixels(aspect):
    left, top, right, bottom = middle_square(aspect)
    assert (right - left) * aspect == pytest.approx(bottom - top)


def test_the_box_stays_inside_of_the_photo():
    assert moved((0.2, 0.2, 0.6, 0.6), 9, -9) == pytest.approx((0.6, 0.0, 1.0, 0.4))
    left, top, right, bottom = stretched((0.2, 0.2, 0.6, 0.6), (1, 1), 9, 9, 1.0)
    assert (left, top, right, bottom) == pytest.approx((0.2, 0.2, 1.0, 1.0))


@pytest.mark.parametrize("corner", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_a_corner_that_is_pushed_through_the_other_leaves_a_small_square(corner):
    box = stretched((0.2, 0.2, 0.6, 0.6), corner, 0.4 + 9 * (0.5 - corner[0]), 0.4 + 9 * (0.5 - corner[1]), 1.5)
    assert box[2] > box[0]
    assert (box[2] - box[0]) * 1.5 == pytest.approx(box[3] - box[1])


def test_a_screenshot_of_ours_is_no_photo_and_any_other_png_is(tmp_path, portrait):
    none = torch.zeros(1, 1)
    pixels = torch.zeros(40, 40, 4, dtype=torch.uint8)
    shot = save_png(tmp_path / "shot.png", Frame(ViewState(), none, none, none, none, pixels, "exact"))
    plain = tmp_path / "plain.png"
    Image.open(portrait).save(plain)
    assert not is_photo(shot)
    assert is_photo(plain)
    assert is_photo(portrait)
    assert not is_photo(tmp_path / "model.pkl")


def test_what_is_no_picture_or_too_small_is_refused_in_a_sentence(tmp_path):
    broken, small = tmp_path / "broken.jpg", tmp_path / "small.png"
    broken.write_bytes(b"no picture")
    Image.new("RGB", (8, 8)).save(small)
    with pytest.raises(PhotoError, match="no picture"):
        read_photo(broken)
    with pytest.raises(PhotoError, match="8 × 8"):
        read_photo(small)


def test_a_box_over_the_edge_shows_the_edges_pixels_there():
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[:, 0] = 9
    cut = Photo(Path("me.png"), pixels, (-0.5, 0.0, 0.5, 1.0)).cut()
    assert cut.shape == (40, 40, 3)
    assert (cut[:, :21, 0] == 9).all()
    assert (cut[:, 21:] == 0).all()


def test_a_box_over_the_edge_can_be_pushed_back_and_no_farther_out():
    assert moved((-0.5, 0.0, 0.5, 1.0), -1.0, 0.0) == pytest.approx((-0.5, 0.0, 0.5, 1.0))
    assert moved((-0.5, 0.0, 0.5, 1.0), 0.25, 0.0) == pytest.approx((-0.25, 0.0, 0.75, 1.0))


def test_the_square_that_the_model_finds_is_taken_unless_one_was_drawn(bench, portrait):
    bench.do.open_photo(portrait)
    bench.loop.framing.set_result((-0.1, 0.2, 1.1, 1.0))
    assert bench.do.photo.now.box == (-0.1, 0.2, 1.1, 1.0)
    bench.do.invert()
    assert bench.loop.asked[-1][2]["box"] == (-0.1, 0.2, 1.1, 1.0)
    bench.do.open_photo(portrait)
    bench.do.photo.change(box=(0.0, 0.0, 0.5, 0.4), settled=True)
    bench.loop.framing.set_result((-0.1, 0.2, 1.1, 1.0))
    assert bench.do.photo.now.box == (0.0, 0.0, 0.5, 0.4)


def test_a_photo_that_nobody_has_framed_yet_is_left_to_the_inversion(bench, portrait):
    bench.do.open_photo(portrait)
    bench.do.invert()
    assert bench.loop.asked[-1][2]["box"] is None


@pytest.mark.parametrize("top", [0.0, 16.0, 60.0, 200.0])
def test_a_photos_name_keeps_clear_of_the_pill(top):
    assert caption_place(Rect(16, top, 300, 300))[1] >= 52

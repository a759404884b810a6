"""Text: how wide, where it breaks, and that a glyph is where its pen says."""

from __future__ import annotations

import pytest
from neuroview.viewer.typeset import coverage, pen_positions, wrap


def width(text: str, pixels: int = 13) -> float:
    return pen_positions(text, "regular", pixels)[1]


def test_digits_are_all_as_wide_as_each_other():
    assert width("111.1") == pytest.approx(width("888.8"))


def test_width_grows_with_the_size_exactly():
    assert width("Loading heads…", 26) == pytest.approx(2 * width("Loading heads…", 13))


def test_every_line_fits_and_no_word_is_lost():
    text = "The checkpoint cannot be opened.\nIt names os.system, which is not on the list."
    lines = wrap(text, 120.0, "regular", 13, 50)
    assert all(width(line) <= 120 for line in lines)
    assert " ".join(lines) == text.replace("\n", " ")


def test_a_word_longer_than_the_line_is_broken_inside():
    lines = wrap("x" * 100, 80.0, "regular", 13, 50)
    assert "".join(lines) == "x" * 100
    assert all(width(line) <= 80 for line in lines)


def test_more_lines_than_allowed_end_in_an_ellipsis():
    lines = wrap("one two three four five six seven", 50.0, "regular", 13, 2)
    assert len(lines) == 2
    assert lines[-1].endswith("…")
    assert width(lines[-1]) <= 50


@pytest.mark.parametrize("text", ["", "\n\n", "x" * 100_000, "模型 \U0001f600 ←", "a\x00b", "y " * 50_000])
def test_any_text_gives_a_bounded_number_of_lines(text):
    assert len(wrap(text, 100.0, "semibold", 14, 8)) <= 8


def test_a_line_too_narrow_for_a_letter_still_ends():
    assert len(wrap("words and words", 1.0, "regular", 13, 4)) == 4


def test_a_glyph_shifted_by_a_whole_pixel_of_phases_covers_as_much():
    whole, _, _ = coverage("n", "regular", 13, 0)
    shifted, _, _ = coverage("n", "regular", 13, 2)
    assert shifted.astype(int).sum() == pytest.approx(whole.astype(int).sum(), rel=0.1)
    assert shifted.shape[0] == whole.shape[0]


def test_a_blank_has_no_bitmap():
    assert coverage(" ", "regular", 13, 0)[0].size == 0

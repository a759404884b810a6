"""Where the picture stands."""

from __future__ import annotations

import pytest
from neuroview.viewer.letterbox import Rect, letterbox


@pytest.mark.parametrize(
    ("picture", "window", "margin", "rect"),
    [
        ((256, 256), (1024, 768), 0, Rect(128, 0, 768, 768)),
        ((256, 256), (1024, 768), 16, Rect(144, 16, 736, 736)),
        ((256, 256), (500, 900), 0, Rect(0, 200, 500, 500)),
        ((400, 200), (1000, 1000), 0, Rect(0, 250, 1000, 500)),
        ((256, 256), (256, 256), 0, Rect(0, 0, 256, 256)),
        ((256, 256), (101, 64), 0, Rect(18, 0, 64, 64)),
        ((256, 256), (40, 40), 16, Rect(0, 0, 40, 40)),
        ((1000, 1), (10, 10), 0, Rect(0, 4, 10, 1)),
    ],
)
def test_the_picture_is_as_large_as_it_fits_and_in_the_middle(picture, window, margin, rect):
    assert letterbox(picture, window, margin) == rect

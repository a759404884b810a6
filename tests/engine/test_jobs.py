"""A photo is read aside, and its square comes back as parts of its width and height."""

from __future__ import annotations

from concurrent.futures import CancelledError, Future
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from neuroview.engine import jobs
from neuroview.engine.editing import framing
from neuroview.engine.editing.errors import EditError
from neuroview.engine.editing.photo import Picture
from neuroview.engine.state import Latents, ViewState
from PIL import Image

MODEL = SimpleNamespace(pipeline=SimpleNamespace(generator_for=lambda state: "a generator"))


def framed(picture):
    return jobs.framing(ViewState(), picture)(MODEL, lambda: None)  # type: ignore[arg-type]


def test_the_square_follows_the_subject_and_may_reach_over_the_edge(monkeypatch):
    monkeypatch.setattr(framing, "usual_frame", lambda generator: (0.5, 0.25, 0.5))
    subject = torch.zeros(100, 200)
    subject[10:90, 20:60] = 1.0  # 80 high: the square is 160 high, its upper quarter above the subject
    left, top, right, bottom = framed(Picture(torch.zeros(3, 100, 200), subject))
    assert (right - left) * 200 == pytest.approx((bottom - top) * 100)
    assert (left + right) / 2 == pytest.approx(0.2, abs=0.02)
    assert bottom - top == pytest.approx(1.6, rel=0.1)
    assert top < 0


def test_a_model_that_fills_its_pictures_takes_the_photos_middle(monkeypatch):
    monkeypatch.setattr(framing, "usual_frame", lambda generator: None)
    assert framed(Picture(torch.zeros(3, 100, 200), None)) == pytest.approx((0.25, 0.0, 0.75, 1.0))


def test_what_is_made_of_a_photo_comes_when_it_is_made(tmp_path):
    path, made = tmp_path / "me.png", Future()
    Image.fromarray(np.full((40, 60, 3), 200, np.uint8)).save(path)
    seen: Future = Future()

    def then(picture):
        seen.set_result(tuple(picture.rgb.shape))
        return made

    result = jobs.photo_read(path, then)
    assert seen.result(20) == (3, 40, 60)
    assert not result.done()
    made.set_result("framed")
    assert result.result(20) == "framed"


def test_a_file_that_is_no_photo_is_told_to_whoever_waits(tmp_path):
    (tmp_path / "me.png").write_bytes(b"nothing")
    with pytest.raises(EditError, match="me.png"):
        jobs.photo_read(tmp_path / "me.png", lambda picture: Future()).result(20)


def test_a_program_that_ends_meanwhile_gives_the_photo_up(tmp_path):
    path, made = tmp_path / "me.png", Future()
    Image.fromarray(np.full((40, 60, 3), 200, np.uint8)).save(path)
    made.cancel()
    result = jobs.photo_read(path, lambda picture: made)
    with pytest.raises(CancelledError):
        result.result(20)


def test_a_thumbnail_shows_the_photos_identity_where_one_stands_in_for_the_seed():
    shown: list[ViewState] = []

    def frame(state, rung, **_):
        shown.append(state)
        return SimpleNamespace(pixels=torch.zeros(8, 8, 4, dtype=torch.uint8))

    model = SimpleNamespace(first_state=lambda state: state, aside=SimpleNamespace(frame=frame))
    state = ViewState(latents=Latents(seed_a=3, mix_geometry=0.5, identity="f00d"))
    for seed, identity in ((3, "f00d"), (7, "")):
        jobs.thumbnail(state, seed, 8, identity)(model, lambda: None)  # type: ignore[arg-type]
    assert [(s.latents.seed_a, s.latents.identity, s.latents.mix_geometry) for s in shown] == [
        (3, "f00d", 0.0),
        (7, "", 0.0),
    ]

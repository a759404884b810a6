"""Photos: any picture, upright, cut to a square, the subject told from the backdrop."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from neuroview.engine.editing.errors import EditError
from neuroview.engine.editing.framing import framed_file, framed_photo, usual_frame
from neuroview.engine.editing.photo import Box, extent, find_subject, picture_of, read_picture
from PIL import Image
from spheres import SphereGenerator


def disc(height=120, width=160, radius=40, ground=(0.9, 0.9, 0.9)) -> torch.Tensor:
    """A red disc in the middle of a plain picture, [3, height, width]."""
    y, x = torch.meshgrid(torch.arange(height) - height / 2, torch.arange(width) - width / 2, indexing="ij")
    inside = (x.square() + y.square()).sqrt() < radius
    red = torch.tensor([0.8, 0.1, 0.1])[:, None, None]
    return torch.where(inside, red, torch.tensor(ground)[:, None, None])


def save(path, rgb: torch.Tensor, mode="RGB", **more):
    pixels = (rgb.permute(1, 2, 0) * 255).round().byte().numpy()
    Image.fromarray(pixels).convert(mode).save(path, **more)
    return path


def test_a_picture_is_read_as_it_is(tmp_path) -> None:
    found = read_picture(save(tmp_path / "a.png", disc()))
    assert found.rgb.shape == (3, 120, 160)
    assert torch.allclose(found.rgb[:, 60, 80], torch.tensor([0.8, 0.1, 0.1]), atol=0.01)


def test_a_camera_held_sideways_is_turned_upright(tmp_path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: rotate by 90 degrees
    found = read_picture(save(tmp_path / "a.jpg", disc(), exif=exif))
    assert found.rgb.shape == (3, 160, 120)


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "1"])
def test_any_mode_is_read_as_colour(tmp_path, mode) -> None:
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    assert read_picture(save(path, disc(), mode)).rgb.shape == (3, 120, 160)


def test_transparency_says_what_the_subject_is(tmp_path) -> None:
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[16:48, 20:44] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    found = read_picture(tmp_path / "a.png")
    assert found.subject is not None
    assert found.subject[30, 30] == 1
    assert found.subject[5, 5] == 0


def test_a_file_that_is_no_picture_is_said_to_be_none(tmp_path) -> None:
    path = tmp_path / "notes.png"
    path.write_text("shopping list")
    with pytest.raises(EditError, match=r"notes\.png is not a picture"):
        read_picture(path)


def test_a_truncated_picture_is_said_to_be_damaged(tmp_path) -> None:
    path = save(tmp_path / "a.png", torch.rand(3, 200, 200))
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(EditError, match=r"a\.png"):
        read_picture(path)


def test_a_missing_file_is_said_to_be_missing(tmp_path) -> None:
    with pytest.raises(EditError, match="No such file"):
        read_picture(tmp_path / "none.png")


def test_a_tiny_picture_is_refused_with_its_size(tmp_path) -> None:
    with pytest.raises(EditError, match="20 x 10 pixels"):
        read_picture(save(tmp_path / "a.png", torch.rand(3, 10, 20)))


def test_a_large_picture_is_brought_down(tmp_path) -> None:
    found = read_picture(save(tmp_path / "a.png", torch.zeros(3, 40, 4000)))
    assert found.rgb.shape == (3, 20, 2048)


def test_the_subject_before_a_plain_wall_is_found() -> None:
    mask = find_subject(disc())
    assert mask is not None
    assert extent(mask) == pytest.approx((0.5, 20 / 120, 80 / 120), abs=0.02)


def test_the_subject_before_a_busy_wall_is_found_roughly() -> None:
    source = torch.Generator().manual_seed(0)
    noisy = disc(radius=45) * 0.3 + 0.7 * disc(radius=45, ground=(0.1, 0.6, 0.2))
    noisy = (noisy + 0.12 * torch.randn(noisy.shape, generator=source)).clamp(0, 1)
    mask = find_subject(noisy)
    assert mask is not None
    assert mask[60, 80] == 1
    assert mask[:15].mean() < 0.2


def test_a_hole_in_the_subject_belongs_to_it() -> None:
    rgb = disc()
    rgb[:, 55:65, 75:85] = 0.9  # as white as the wall
    mask = find_subject(rgb)
    assert mask is not None
    assert mask[60, 80] == 1


def test_a_picture_of_one_colour_has_no_subject() -> None:
    assert find_subject(torch.full((3, 64, 64), 0.5)) is None


def test_the_subject_is_put_before_the_generators_own_backdrop() -> None:
    photo = picture_of(disc(ground=(0.2, 0.3, 0.5))).cut().over(1.0)
    assert torch.allclose(photo.rgb[:, 3, 3], torch.ones(3), atol=0.01)
    assert photo.rgb[0, 60, 60] == pytest.approx(0.8, abs=0.01)


def test_without_a_mark_the_middle_square_is_cut() -> None:
    photo = picture_of(disc()).cut()
    assert photo.box == Box(20.0, 0.0, 120.0)
    assert photo.rgb.shape == (3, 120, 120)


def test_a_marked_square_is_cut_even_over_the_edge() -> None:
    photo = picture_of(disc()).cut(Box(-40, -40, 120))
    assert photo.rgb.shape == (3, 120, 120)
    assert torch.allclose(photo.rgb[:, 0, 0], torch.full((3,), 0.9), atol=0.01)


def test_a_marked_square_beside_the_picture_is_refused() -> None:
    with pytest.raises(EditError, match="Mark a larger one"):
        picture_of(disc()).cut(Box(150, 0, 100))


def test_a_subject_is_framed_as_the_generators_own() -> None:
    generator = SphereGenerator()
    frame = usual_frame(generator)
    assert frame is not None
    photo = framed_photo(generator, picture_of(disc(300, 400, radius=50)))
    assert photo.subject is not None
    assert extent(photo.subject) == pytest.approx(frame, abs=0.05)


def test_a_picture_framed_already_is_left_as_it_is() -> None:
    generator = SphereGenerator()
    frame = usual_frame(generator)
    assert frame is not None
    same = disc(200, 200, radius=round(100 * frame[2]))
    assert framed_photo(generator, picture_of(same)).box == Box(0.0, 0.0, 200.0)


def test_a_file_is_read_beside_the_caller_and_framed_in_the_end(tmp_path) -> None:
    generator = SphereGenerator()
    path = save(tmp_path / "a.png", disc())
    *waits, photo = framed_file(generator, path, (0.25, 0.0, 0.75, 1.0))
    assert all(wait is None for wait in waits)
    assert photo is not None
    assert photo.box == Box(40.0, 0.0, 80.0)
    direct = framed_photo(generator, path, Box(40.0, 0.0, 80.0))
    assert torch.equal(photo.rgb, direct.rgb)


def test_what_is_wrong_with_a_file_is_told_where_it_is_waited_for(tmp_path) -> None:
    (tmp_path / "notes.png").write_text("no picture")
    with pytest.raises(EditError, match=r"notes\.png is not a picture"):
        list(framed_file(SphereGenerator(), tmp_path / "notes.png"))

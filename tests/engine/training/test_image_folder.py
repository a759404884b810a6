"""Pictures with cameras in EG3D's format: what is written is read, and what cannot be learned from is named."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
import torch
from neuroview.engine.training.camera_labels import joined_label, lens_of, mirrored, split_label
from neuroview.engine.training.image_folder import DataError, ImageFolder, PictureWriter, border_is_white
from neuroview.engine.training.sphere_trace import look_at_origin
from PIL import Image


def cameras(count: int) -> torch.Tensor:
    yaw = torch.linspace(-0.5, 0.6, count)
    return joined_label(look_at_origin(yaw, 0.2 * yaw), lens_of(4.0))


def picture(value: int = 0, side: int = 16) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (side, side), (value, 100, 200)).save(data, "PNG")
    return data.getvalue()


def folder(path, pictures: dict[str, bytes], labels=None):
    path.mkdir()
    for name, data in pictures.items():
        (path / name).write_bytes(data)
    if labels is not None:
        (path / "dataset.json").write_text(json.dumps({"labels": labels}))
    return path


def labelled(count: int):
    return [[f"{i}.png", cameras(count)[i].tolist()] for i in range(count)]


def three(tmp_path, labels=None, **replaced):
    pictures = {f"{i}.png": picture(40 * i) for i in range(3)} | replaced
    return folder(tmp_path / "data", pictures, labelled(3) if labels is None else labels)


def test_what_was_written_is_read_back(tmp_path):
    wanted, labels = torch.rand(3, 3, 16, 16), cameras(3)
    with PictureWriter(tmp_path / "a.zip") as writer:
        for one, label in zip(wanted, labels, strict=True):
            writer.add(one, label)
    data = ImageFolder(tmp_path / "a.zip")
    assert len(data) == 3
    assert data.posed
    torch.testing.assert_close(data.labels, labels)
    assert float(((data.pictures([2, 0]) + 1) / 2 - wanted[[2, 0]]).abs().max()) <= 0.5 / 255 + 1e-6


def test_a_writer_that_fails_leaves_no_zip(tmp_path):
    with pytest.raises(KeyboardInterrupt), PictureWriter(tmp_path / "a.zip"):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_read_as_a_zip_is(tmp_path):
    data = ImageFolder(three(tmp_path))
    data.verify()
    assert data.native == 16
    torch.testing.assert_close(data.labels, cameras(3))
    assert data.picture(2)[:, 0, 0].tolist() == [80, 100, 200]


def test_without_labels_pictures_are_unposed(tmp_path):
    data = ImageFolder(folder(tmp_path / "data", {"a.png": picture()}))
    assert not data.posed
    with pytest.raises(DataError, match="has no cameras"):
        _ = data.labels


def test_pictures_are_reduced_to_the_size_that_is_asked_for(tmp_path):
    assert ImageFolder(three(tmp_path), size=8).pictures([0]).shape == (1, 3, 8, 8)


def test_pictures_are_not_enlarged(tmp_path):
    with pytest.raises(DataError, match="not enlarged"):
        ImageFolder(three(tmp_path), size=32)


def test_mirrored_indices_give_mirrored_pictures_and_cameras(tmp_path):
    side = io.BytesIO()
    image = Image.new("RGB", (16, 16))
    image.putpixel((0, 3), (255, 0, 0))
    image.save(side, "PNG")
    data = ImageFolder(three(tmp_path, **{"1.png": side.getvalue()}), mirror=True)
    assert len(data) == 6
    assert data.picture(4)[0, 3, 15] == 255
    torch.testing.assert_close(data.labels[4], mirrored(data.labels[1:2])[0])


def test_a_mirrored_camera_sees_the_mirrored_point_at_the_mirrored_pixel():
    labels = cameras(4)
    labels[:, 18] = 0.43  # a principal point off the middle
    point = torch.tensor([0.2, -0.1, 0.3])

    def pixel(label, p):
        cam2world, lens = split_label(label)
        seen = lens @ (cam2world[:3, :3].T @ (p - cam2world[:3, 3]))
        return seen[:2] / seen[2]

    for label, other in zip(labels, mirrored(labels), strict=True):
        a, b = pixel(label, point), pixel(other, point * torch.tensor([-1.0, 1.0, 1.0]))
        torch.testing.assert_close(torch.stack([1 - a[0], a[1]]), b, atol=1e-5, rtol=0)
        assert float(torch.linalg.det(split_label(other)[0][:3, :3])) == pytest.approx(1.0, abs=1e-5)


def test_a_picture_without_a_camera_is_named(tmp_path):
    with pytest.raises(DataError, match=r"1 of 3 pictures have no camera in dataset.json, '2.png' first"):
        ImageFolder(three(tmp_path, labels=labelled(3)[:2]))


def test_a_picture_of_another_size_is_named(tmp_path):
    data = ImageFolder(three(tmp_path, **{"1.png": picture(side=32)}))
    with pytest.raises(DataError, match="1.png is 32 x 32, but 0.png is 16 x 16"):
        data.verify()


def test_a_file_that_is_no_picture_is_named(tmp_path):
    data = ImageFolder(three(tmp_path, **{"2.png": b"GIF89a, or so it says"}))
    with pytest.raises(DataError, match="2.png is not a readable picture"):
        data.verify()


def test_a_picture_that_ends_early_is_named(tmp_path):
    noise = io.BytesIO()
    Image.effect_noise((16, 16), 90).convert("RGB").save(noise, "PNG")
    data = ImageFolder(three(tmp_path, **{"2.png": noise.getvalue()[:-80]}))
    with pytest.raises(DataError, match="2.png is damaged"):
        data.picture(2)


def test_pictures_that_are_not_square_are_refused(tmp_path):
    wide = io.BytesIO()
    Image.new("RGB", (16, 12)).save(wide, "PNG")
    with pytest.raises(DataError, match="0.png is 16 x 12; expected a square"):
        ImageFolder(three(tmp_path, **{"0.png": wide.getvalue()}))


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(DataError, match="holds no pictures"):
        ImageFolder(folder(tmp_path / "data", {"a.txt": b""}))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda label: label[:24], "expected 25 finite numbers"),
        (lambda label: [float("nan"), *label[1:]], "expected 25 finite numbers"),
        (lambda label: ["one", *label[1:]], "no list of 25 numbers"),
        (lambda label: [2 * label[0], *label[1:]], "hold no rotation"),
        (lambda label: [-label[0], *label[1:4], -label[4], *label[5:8], -label[8], *label[9:]], "mirrors the world"),
        (lambda label: [*label[:12], 0, 0, 1, 1, *label[16:]], "the last row of cam2world"),
        (lambda label: [*label[:16], 1024, *label[17:]], "divided by the picture's side"),
    ],
)
def test_an_impossible_camera_is_named(tmp_path, change, said):
    labels = labelled(3)
    labels[1][1] = change(labels[1][1])
    with pytest.raises(DataError, match=said) as error:
        ImageFolder(three(tmp_path, labels=labels))
    assert "1.png" in str(error.value)


def test_labels_of_another_shape_are_refused(tmp_path):
    with pytest.raises(DataError, match="is not"):
        ImageFolder(three(tmp_path, labels=[1, 2, 3]))


def test_json_that_is_none_is_refused(tmp_path):
    path = three(tmp_path)
    (path / "dataset.json").write_text("{")
    with pytest.raises(DataError, match="not readable JSON"):
        ImageFolder(path)


@pytest.mark.parametrize("name", ["../a.png", "/a.png", "C:/a.png"])
def test_a_zip_with_a_name_that_leaves_its_folder_is_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(name, picture())
    with pytest.raises(DataError, match="leaves its folder"):
        ImageFolder(tmp_path / "a.zip")


def test_a_damaged_zip_member_is_named(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.png", picture())
    raw = bytearray(path.read_bytes())
    raw[60:64] = b"\0\0\0\0"
    path.write_bytes(raw)
    with pytest.raises(DataError, match="a.png"):
        ImageFolder(path)


def test_pictures_on_white_are_told_from_others(tmp_path):
    white = io.BytesIO()
    Image.new("RGB", (16, 16), "white").save(white, "PNG")
    plain = ImageFolder(folder(tmp_path / "white", {"a.png": white.getvalue()}))
    assert border_is_white(plain)
    assert not border_is_white(ImageFolder(three(tmp_path)))

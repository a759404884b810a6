"""The distance between a picture and a photo, with and without learned features."""

from __future__ import annotations

import pytest
import torch
from neuroview.engine.editing.errors import EditError
from neuroview.engine.editing.perceptual import LearnedFeatures, PhotoLoss, learned_features, psnr, weights_path
from safetensors.torch import save_file

SIZES = {0: (3, 4), 2: (4, 4), 5: (4, 6), 7: (6, 6), 10: (6, 8), 12: (8, 8), 14: (8, 8), 17: (8, 8), 19: (8, 8)}
SIZES |= {21: (8, 8), 24: (8, 8), 26: (8, 8), 28: (8, 8)}


def narrow_vgg() -> dict[str, torch.Tensor]:
    """VGG-16 with a few channels only."""
    source = torch.Generator().manual_seed(0)
    found = {}
    for index, (inputs, outputs) in SIZES.items():
        found[f"features.{index}.weight"] = torch.randn(outputs, inputs, 3, 3, generator=source) * 0.3
        found[f"features.{index}.bias"] = torch.zeros(outputs)
    return found


def test_a_picture_is_no_distance_from_itself() -> None:
    photo = torch.rand(3, 32, 32)
    assert PhotoLoss(photo)(photo) == 0


def test_a_blurred_picture_is_nearer_than_another_one() -> None:
    source = torch.Generator().manual_seed(0)
    photo = torch.rand(3, 32, 32, generator=source)
    blurred = torch.nn.functional.avg_pool2d(photo[None], 3, 1, 1, count_include_pad=False)[0]
    loss = PhotoLoss(photo)
    assert loss(blurred) < loss(torch.rand(3, 32, 32, generator=source))


def test_a_moved_edge_counts_more_than_the_same_error_in_brightness() -> None:
    photo = torch.zeros(3, 32, 32)
    photo[:, :, 16:] = 1
    moved = torch.zeros(3, 32, 32)
    moved[:, :, 18:] = 1
    dimmed = photo + (moved - photo).abs().mean()
    loss = PhotoLoss(photo)
    assert loss(moved) > loss(dimmed)


def test_pixels_without_weight_do_not_count() -> None:
    photo = torch.rand(3, 32, 32)
    weight = torch.zeros(32, 32)
    weight[:, :14] = 1
    changed = photo.clone()
    changed[:, :, 28:] = 0
    loss = PhotoLoss(photo, weight)
    assert loss(changed) < 0.02 * PhotoLoss(photo)(changed)


def test_the_distance_has_gradients() -> None:
    picture = torch.rand(3, 16, 16, requires_grad=True)
    PhotoLoss(torch.rand(3, 16, 16))(picture).backward()
    assert picture.grad is not None
    assert picture.grad.abs().min() > 0


def test_without_weights_there_are_no_learned_features(tmp_path) -> None:
    assert learned_features(tmp_path / "none.safetensors") is None


def test_weights_are_looked_for_where_the_environment_says(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("NEUROVIEW_VGG16", str(tmp_path / "mine.safetensors"))
    assert weights_path() == tmp_path / "mine.safetensors"


def test_learned_features_tell_pictures_apart(tmp_path) -> None:
    save_file(narrow_vgg(), tmp_path / "vgg16.safetensors")
    learned = learned_features(tmp_path / "vgg16.safetensors")
    assert learned is not None
    photo = torch.rand(3, 64, 64)
    assert learned.distance(learned(photo), learned(photo)) == 0
    with_learned, without = PhotoLoss(photo, perceptual=learned), PhotoLoss(photo)
    other = torch.rand(3, 64, 64)
    assert with_learned(other) > without(other)


def test_incomplete_weights_are_refused_by_name() -> None:
    tensors = narrow_vgg()
    del tensors["features.12.bias"]
    with pytest.raises(EditError, match=r"features\.12"):
        LearnedFeatures(tensors)


def test_a_file_of_something_else_is_refused(tmp_path) -> None:
    (tmp_path / "vgg16.safetensors").write_bytes(b"no weights")
    with pytest.raises(EditError, match="no perceptual weights"):
        learned_features(tmp_path / "vgg16.safetensors")


def test_psnr_of_a_tenth_is_twenty() -> None:
    assert psnr(torch.zeros(3, 4, 4), torch.full((3, 4, 4), 0.1)) == pytest.approx(20, abs=0.01)

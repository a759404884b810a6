"""Labels keep their meaning from one numbering to another, and numbers without a meaning are not passed over."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from neuroview.models.labels import (
    LABEL_SETS,
    TABLE,
    LabelError,
    convert,
    known,
    look_up,
    name_of,
    number,
    paint,
    palette,
)

SETS = tuple(LABEL_SETS)

# The 19 classes that Cityscapes judges: id, train id, CARLA's tag since 0.9.14 and before.
JUDGED = {
    "road": (7, 0, 1, 7),
    "sidewalk": (8, 1, 2, 8),
    "building": (11, 2, 3, 1),
    "wall": (12, 3, 4, 11),
    "fence": (13, 4, 5, 2),
    "pole": (17, 5, 6, 5),
    "traffic light": (19, 6, 7, 18),
    "traffic sign": (20, 7, 8, 12),
    "vegetation": (21, 8, 9, 9),
    "terrain": (22, 9, 10, 22),
    "sky": (23, 10, 11, 13),
    "person": (24, 11, 12, 4),
    "car": (26, 13, 14, 10),
}


@pytest.mark.parametrize("name", JUDGED)
def test_what_all_know_has_its_number_in_each(name):
    city, train, carla, old = JUDGED[name]
    numbers = {"cityscapes_ids": city, "cityscapes_train_ids": train, "carla": carla, "carla_before_0_9_14": old}
    for source, target in itertools.product(SETS, SETS):
        assert convert(np.array([numbers[source]]), source, target)[0] == numbers[target], (source, target)
        assert name_of(numbers[source], source) == name


def test_carla_tags_1_to_19_are_train_ids_plus_one():
    tags = np.arange(1, 20)
    np.testing.assert_array_equal(convert(tags, "carla", "cityscapes_train_ids"), tags - 1)
    np.testing.assert_array_equal(convert(tags - 1, "cityscapes_train_ids", "carla"), tags)


@pytest.mark.parametrize(
    ("source", "given", "target", "wanted"),
    [
        ("carla", 24, "cityscapes_ids", 7),  # markings are road to weights that were trained on Cityscapes
        ("carla", 22, "cityscapes_ids", 0),
        ("carla", 23, "cityscapes_train_ids", 255),
        ("carla_before_0_9_14", 6, "carla", 24),
        ("carla_before_0_9_14", 10, "carla", 14),
        ("carla", 18, "carla_before_0_9_14", 10),
        ("cityscapes_ids", 29, "carla", 15),
        ("cityscapes_ids", 34, "carla", 14),
        ("cityscapes_ids", 255, "carla", 0),
        ("cityscapes_train_ids", 255, "cityscapes_ids", 0),
    ],
)
def test_what_one_numbering_lacks_becomes_what_is_nearest(source, given, target, wanted):
    assert convert(np.array([given]), source, target).tolist() == [wanted]


def test_a_numbering_into_itself_changes_nothing():
    for numbering in SETS:
        numbers = np.array(known(numbering))
        np.testing.assert_array_equal(convert(numbers, numbering, numbering), numbers)


def test_every_row_is_known_where_it_says():
    for label, numbering in itertools.product(TABLE, SETS):
        assert number(label, numbering) in known(numbering)
    assert known("carla") == tuple(range(29))
    assert known("carla_before_0_9_14") == tuple(range(23))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64])
def test_arrays_and_tensors_agree_and_keep_their_kind(dtype):
    maps = torch.from_numpy(np.random.default_rng(0).integers(0, 29, (6, 9))).to(dtype)
    made = convert(maps, "carla", "cityscapes_ids")
    assert (made.dtype, made.shape) == (torch.uint8, maps.shape)
    array = convert(maps.numpy(), "carla", "cityscapes_ids")
    assert (array.dtype, array.shape) == (np.uint8, (6, 9))
    np.testing.assert_array_equal(made.numpy(), array)


@pytest.mark.parametrize("kind", [np.array, torch.tensor])
def test_unknown_numbers_are_an_error_that_names_them_or_unlabeled_by_choice(kind):
    maps = kind([[1, 29, -3], [300, 14, 29]])
    with pytest.raises(LabelError, match=r"holds -3, 29, 300, which CARLA tags \(0.9.14 and later\).*they have 0..28"):
        convert(maps, "carla", "cityscapes_ids")
    found = convert(maps, "carla", "cityscapes_ids", unknown="unlabeled")
    assert found.tolist() == [[7, 0, 0], [0, 26, 0]]
    assert convert(maps, "carla", "cityscapes_train_ids", unknown="unlabeled").tolist()[0] == [0, 255, 255]


@pytest.mark.parametrize("maps", [np.zeros((2, 2)), torch.zeros(2, 2)])
def test_maps_that_are_no_integers_are_refused(maps):
    with pytest.raises(LabelError, match="float.*expected integers"):
        convert(maps, "carla", "cityscapes_ids")


def test_a_map_is_painted_in_cityscapes_colours():
    picture = paint(np.array([[1, 14], [11, 99]]), "carla")
    assert picture.tolist() == [[[128, 64, 128], [0, 0, 142]], [[70, 130, 180], [255, 0, 255]]]
    assert tuple(palette("carla")[24]) == (157, 234, 50)
    assert tuple(palette("cityscapes_ids")[26]) == (0, 0, 142)


def test_shared_tables_cannot_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        look_up("carla", "cityscapes_ids")[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        palette("carla")[0] = 1


def test_a_number_without_a_name_is_refused():
    with pytest.raises(LabelError, match="have no number 23; they have 0..22"):
        name_of(23, "carla_before_0_9_14")


def test_the_table_agrees_with_cityscapes_own_package():
    official = pytest.importorskip("cityscapesscripts.helpers.labels", reason="cityscapesscripts is not installed")
    own = {}
    for label in TABLE:
        own.setdefault(label.cityscapes, label)
    for label in official.labels:
        if label.id >= 0:
            mine = own[label.id]
            assert (mine.name, mine.train) == (label.name, label.trainId)
            assert mine.colour == label.color or label.name == "static"

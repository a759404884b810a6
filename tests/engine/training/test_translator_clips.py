"""Clips on disk and what training reads of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from clip_makers import HEIGHT, WIDTH, frame, write
from neuroview.engine.driving.simulator import EngineError
from neuroview.engine.training.translator.cityscapes_clips import make_clips
from neuroview.engine.training.translator.clips import GROUND_MODULO, ClipError, Clips, ClipWriter
from neuroview.engine.training.translator.examples import Chances, Draw, adapted, draw, examples, past_photos, spoilt
from neuroview.engine.training.translator.render_clips import Footage, render_town
from neuroview.models.painter_conditions import PARTS, ConditionLayout
from PIL import Image

LAYOUT = ConditionLayout(parts=tuple(PARTS))


@pytest.fixture
def clips(tmp_path: Path) -> Clips:
    return Clips(write(tmp_path / "clips", look="photo"))


def test_what_is_written_is_read_again_in_the_same_units(clips: Clips):
    given, read = frame(5, 1), clips.frame(1, 5)
    assert np.array_equal(read.labels, given["labels"])
    assert np.array_equal(read.instances, given["instances"])
    assert np.array_equal(read.photo.permute(1, 2, 0), given["photo"])
    assert read.motion is not None
    assert np.array_equal(read.motion, given["motion"])
    for name in ("depth", "expected_depth", "height", "storey", "bay", "shadow", "sun"):
        torch.testing.assert_close(
            getattr(read.gbuffer, name), torch.from_numpy(given[name]), rtol=1e-3, atol=3e-3, equal_nan=True
        )
    normals = torch.from_numpy(given["normals"]).permute(2, 0, 1)
    torch.testing.assert_close(read.gbuffer.normals, normals, rtol=0, atol=0.005, equal_nan=True)


def test_ground_is_kept_modulo_the_longest_period(clips: Clips):
    ground = clips.frame(0, 0).gbuffer.ground
    assert ground is not None
    expected = torch.from_numpy(np.mod(frame(0)["ground"], GROUND_MODULO)).permute(2, 0, 1)
    torch.testing.assert_close(ground, expected, rtol=0, atol=0.002)


def test_several_folders_are_read_as_one(tmp_path: Path):
    for name in ("a", "b"):
        write(tmp_path / name, clips=2)
    clips = Clips(tmp_path)
    assert (len(clips), clips.frames, clips.size) == (4, 32, (HEIGHT, WIDTH))


def test_planes_that_nobody_knew_are_none(tmp_path: Path):
    writer = ClipWriter(tmp_path / "bare", HEIGHT, WIDTH, 2, planes=())
    writer.add([{name: frame(0)[name] for name in ("labels", "instances", "photo")}])
    writer.close()
    read = Clips(tmp_path / "bare").frame(0, 0)
    assert read.motion is None
    assert read.gbuffer.depth is None
    example = examples(Clips(tmp_path / "bare"), LAYOUT, [Draw(0, 0, 1)], 0)
    assert example.conditions[:, -len(PARTS) :].count_nonzero() == 0


def test_a_folder_without_clips_says_how_to_make_some(tmp_path: Path):
    with pytest.raises(ClipError, match=r"holds no clips .*train clips"):
        Clips(tmp_path)


def test_clips_of_two_sizes_are_refused(tmp_path: Path):
    write(tmp_path / "a", clips=1)
    write(tmp_path / "b", clips=1, height=64)
    with pytest.raises(ClipError, match="train one size at a time"):
        Clips(tmp_path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": "clips-9"}, "is not of format"),
        ({"size": None}, "lacks its size, planes or clips"),
        ({"size": [8, 8]}, r"holds frames of \(32, 64\) uint8; expected \(8, 8\)"),
        ({"clips": [[0, 999]]}, "names clips outside of its 24 frames"),
        ({"clips": []}, "names clips outside of its 24 frames, or none"),
        ({"planes": ["labels"]}, "names planes"),
        ({"planes": ["labels", "instances", "photo", "smell"]}, "names planes"),
    ],
)
def test_a_description_that_does_not_fit_is_refused_in_words(tmp_path: Path, change: dict, reason: str):
    path = write(tmp_path / "clips") / "clips.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ClipError, match=reason):
        Clips(tmp_path / "clips")


def test_an_array_that_is_cut_short_or_pickled_is_refused(tmp_path: Path):
    folder = write(tmp_path / "clips")
    (folder / "depth.npy").write_bytes((folder / "depth.npy").read_bytes()[:500])
    with pytest.raises(ClipError, match=r"depth\.npy cannot be read"):
        Clips(folder)
    np.save(folder / "depth.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(ClipError, match=r"depth\.npy cannot be read"):
        Clips(folder)


def test_clips_are_not_written_over(tmp_path: Path):
    write(tmp_path / "clips")
    with pytest.raises(ClipError, match="already holds clips"):
        write(tmp_path / "clips")


def test_a_frame_that_lacks_a_plane_or_has_another_size_is_refused(tmp_path: Path):
    writer = ClipWriter(tmp_path / "clips", HEIGHT, WIDTH, 1)
    with pytest.raises(ClipError, match="a frame has no 'bay'"):
        writer.add([{**frame(0), "bay": None}])
    with pytest.raises(ClipError, match=r"depth is \(3, 3\); expected \(32, 64\)"):
        writer.add([{**frame(0), "depth": np.ones((3, 3))}])
    with pytest.raises(ClipError, match="there is room for 1 frames"):
        writer.add([frame(0), frame(1)])


def test_a_mirrored_sequence_moves_the_other_way(clips: Clips):
    plain, turned = (examples(clips, LAYOUT, [Draw(0, 1, 2, mirror=mirror)], 0) for mirror in (False, True))
    assert torch.equal(turned.photo, plain.photo.flip(-1))
    assert torch.equal(turned.valid, plain.valid.flip(-1))
    torch.testing.assert_close(turned.motion[..., 0], -plain.motion.flip(2)[..., 0])
    frames = clips.frame(0, 1), adapted(clips.frame(0, 1), Draw(0, 1, 1, mirror=True))
    sun, mirrored = (f.gbuffer.sun for f in frames)
    assert sun is not None
    assert mirrored is not None
    torch.testing.assert_close(mirrored, sun * torch.tensor([1.0, -1.0, 1.0]))


def test_at_half_size_every_map_is_halved_and_motion_too(clips: Clips):
    example = examples(clips, LAYOUT, [Draw(0, 1, 1, half=True)], 0)
    assert example.conditions.shape == (1, LAYOUT.channels, HEIGHT // 2, WIDTH // 2)
    assert example.photo.shape == (1, 3, HEIGHT // 2, WIDTH // 2)
    assert float(example.motion.abs().max()) == 1.0


def test_what_is_kept_from_a_sequence_is_zero_in_its_conditions(clips: Clips):
    all_of_it = examples(clips, LAYOUT, [Draw(0, 1, 1)], 0).conditions
    bare = examples(clips, LAYOUT, [Draw(0, 1, 1, without=frozenset(PARTS))], 0).conditions
    first = LAYOUT.first("depth")
    assert bare[:, first:].count_nonzero() == 0
    assert all_of_it[:, first:].count_nonzero() > 0
    assert torch.equal(bare[:, :first], all_of_it[:, :first])


def test_without_motion_nothing_is_valid(clips: Clips):
    assert examples(clips, LAYOUT, [Draw(0, 1, 1)], 0).valid.any()
    assert not examples(clips, LAYOUT, [Draw(0, 1, 1, motion=False)], 0).valid.any()
    assert not examples(clips, LAYOUT, [Draw(0, 0, 1)], 0).valid.any()


def test_drawn_sequences_lie_within_their_clips_and_leave_out_what_chance_says(clips: Clips):
    drawn = [draw(Random(n), clips, 5, 1, Chances(part=0.3, bare=0.2)) for n in range(60)]
    assert all(1 <= one.first <= 3 and one.length == 5 for one in drawn)
    assert 3 < sum(one.without == frozenset(PARTS) for one in drawn) < 30
    assert 20 < sum(one.mirror for one in drawn) < 40
    assert draw(Random(0), clips, 99, 1, Chances()).length == 8


def test_a_batch_is_its_sequences_side_by_side(clips: Clips):
    draws = [Draw(0, 1, 2), Draw(2, 3, 2, mirror=True)]
    both = examples(clips, LAYOUT, draws, 1)
    for index, one in enumerate(draws):
        assert torch.equal(both.conditions[index : index + 1], examples(clips, LAYOUT, [one], 1).conditions)
    photos = past_photos(clips, [replace(draws[0], first=0), draws[1]])
    assert photos[0].count_nonzero() == 0
    assert photos[1].count_nonzero() > 0


def test_a_still_sequence_is_one_frame_that_can_be_believed_everywhere(clips: Clips):
    still = Draw(0, 3, 4, still=True)
    first, last = (examples(clips, LAYOUT, [still], at) for at in (0, 3))
    assert torch.equal(first.photo, last.photo)
    assert torch.equal(past_photos(clips, [still]), last.photo)
    assert last.motion.count_nonzero() == 0
    assert last.valid.all()
    assert not examples(clips, LAYOUT, [replace(still, motion=False)], 1).valid.any()


def test_spoilt_pictures_differ_and_stay_in_range():
    torch.manual_seed(0)
    photos = torch.rand(3, 3, 32, 64) * 2 - 1
    made = spoilt(photos)
    assert made.abs().max() <= 1
    assert ((made - photos).abs().mean((1, 2, 3)) > 0.02).all()


# The town


def test_a_towns_clips_hold_all_that_is_known_of_it(tmp_path: Path):
    footage = Footage(height=32, width=64, clips=1, frames=3, hour=11.0, supersample=1)
    try:
        render_town(tmp_path / "town", 100, footage)
    except EngineError as error:
        pytest.skip(str(error))
    clips = Clips(tmp_path / "town")
    assert (clips.size, clips.frames) == ((32, 64), 3)
    assert clips.notes[0]["look"] == "photo"
    example = examples(clips, LAYOUT, [Draw(0, 1, 2)], 1)
    assert (example.conditions[:, -len(PARTS) :] == 1).all()
    assert torch.isfinite(example.conditions).all()
    assert example.valid.mean() > 0.3
    assert example.photo.std() > 0.1


# Cityscapes


def cityscapes(folder: Path, names: list[str]) -> Path:
    for name in names:
        labels, photo = folder / "gtFine/train/aachen", folder / "leftImg8bit/train/aachen"
        labels.mkdir(parents=True, exist_ok=True)
        photo.mkdir(parents=True, exist_ok=True)
        ids = np.full((16, 32), 7, np.uint8)
        ids[:, 20:] = 26
        told = np.where(ids == 26, 26003, 7).astype(np.uint16)
        Image.fromarray(ids).save(labels / f"{name}_gtFine_labelIds.png")
        Image.fromarray(told).save(labels / f"{name}_gtFine_instanceIds.png")
        Image.fromarray(np.full((16, 32, 3), 99, np.uint8)).save(photo / f"{name}_leftImg8bit.png")
    return folder


def test_cityscapes_pairs_become_clips_of_consecutive_frames(tmp_path: Path):
    names = ["aachen_000000_000019", "aachen_000000_000020", "aachen_000000_000030", "aachen_000001_000031"]
    made = make_clips(cityscapes(tmp_path / "city", names), tmp_path / "clips", HEIGHT, WIDTH)
    clips = Clips(tmp_path / "clips")
    assert made == 4
    assert [clips.length(n) for n in range(len(clips))] == [2, 1, 1]
    read = clips.frame(0, 0)
    assert read.labels.unique().tolist() == [1, 14]
    assert read.instances.unique().tolist() == [0, 26003]
    assert (read.photo == 99).all()


def test_a_map_without_its_picture_is_named(tmp_path: Path):
    folder = cityscapes(tmp_path / "city", ["aachen_000000_000019"])
    (folder / "leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png").unlink()
    with pytest.raises(ClipError, match=r"aachen_000000_000019_gtFine_labelIds\.png has no picture"):
        make_clips(folder, tmp_path / "clips", HEIGHT, WIDTH)
    with pytest.raises(ClipError, match=r"holds no \*_labelIds\.png"):
        make_clips(tmp_path / "clips", tmp_path / "more", HEIGHT, WIDTH)

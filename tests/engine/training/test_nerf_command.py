"""`neuroview train nerf` from its options to the exported file."""

import argparse

import pytest
from nerf_balls import ball_views, write_transforms
from neuroview.engine.training import nerf_command
from neuroview.engine.training.image_folder import DataError
from neuroview.engine.training.nerf_dataset import load
from neuroview.engine.training.nerf_recipe import HashGridSizes, recipe_of
from neuroview.engine.training.showroom_export import export
from neuroview.engine.training.task import TrainingError
from neuroview.models.base import Posed
from neuroview.models.catalog import open_generator
from PIL import Image


def typed(tmp_path, *words):
    parser = argparse.ArgumentParser()
    nerf_command.add_arguments(parser)
    return parser.parse_args(["--out", str(tmp_path / "run"), "--device", "cpu", *words])


@pytest.fixture
def folder(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    write_transforms(data, ball_views(18, 16))
    return data


def test_a_run_writes_a_model_that_opens(folder, tmp_path):
    out = tmp_path / "ball.safetensors"
    words = ("--data", str(folder), "--steps", "4", "--table", "9", "--export", str(out))
    assert nerf_command.main(typed(tmp_path, *words)) == 0
    opened = open_generator(str(out))
    assert isinstance(opened, Posed)
    assert len(opened.poses) == 15
    assert opened.card.family == "hashgrid"
    assert opened.card.training["steps"] == 4


def test_a_run_goes_on_and_refuses_another_recipe(folder, tmp_path):
    nerf_command.main(typed(tmp_path, "--data", str(folder), "--steps", "2", "--table", "9"))
    assert nerf_command.main(typed(tmp_path, "--data", str(folder), "--steps", "3", "--table", "9", "--resume")) == 0
    with pytest.raises(TrainingError, match="another recipe"):
        nerf_command.main(typed(tmp_path, "--data", str(folder), "--steps", "4", "--table", "10", "--resume"))


def test_what_cannot_be_read_ends_before_a_run_begins(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        nerf_command.main(typed(tmp_path, "--data", str(tmp_path / "nothing"), "--steps", "1"))
    assert not (tmp_path / "run").exists()


def test_options_that_make_no_sense_are_refused(folder, tmp_path):
    with pytest.raises(TrainingError, match="--room 0"):
        nerf_command.main(typed(tmp_path, "--data", str(folder), "--steps", "1", "--room", "0"))
    with pytest.raises(TrainingError, match="--table 40"):
        nerf_command.main(typed(tmp_path, "--data", str(folder), "--steps", "1", "--table", "40"))
    with pytest.raises(TrainingError, match="--kind hashgrid"):
        nerf_command.main(typed(tmp_path, "--data", str(folder), "--steps", "1", "--kind", "vanilla", "--table", "12"))


def test_larger_pictures_get_finer_levels_and_longer_tables():
    sizes = [recipe_of("hashgrid", side).sizes for side in (100, 256, 800)]
    assert all(isinstance(size, HashGridSizes) for size in sizes)
    assert [(size.finest, size.log2_size) for size in sizes] == [(256, 16), (512, 17), (2048, 19)]
    for size in sizes:
        assert size.layout.growth == pytest.approx(1.38, abs=0.04)


def test_a_run_is_exported_with_a_measured_card(folder, tmp_path):
    words = ("--data", str(folder), "--steps", "3", "--table", "9")
    nerf_command.main(typed(tmp_path, *words))
    figures = export(tmp_path / "run", load(folder), tmp_path / "made", "showroom", "a command")
    opened = open_generator(str(tmp_path / "made" / "showroom.safetensors"))
    assert opened.card.training["metrics"] == figures
    assert 0 < figures["worst view"] <= figures["held-out PSNR"]
    text = (tmp_path / "made" / "showroom.md").read_text()
    assert f"| held-out PSNR | {figures['held-out PSNR']} |" in text
    assert "`a command`: 3 updates" in text
    with Image.open(tmp_path / "made" / "showroom_held_out.png") as sheet:
        assert sheet.size == (3 * 16, 2 * 16)

"""pi-GAN's checkpoints are recognised by content, averaged as officially, and refused with a reason when unfit."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from neuroview.models import catalog
from neuroview.models.errors import CheckpointError, UnsafePickle
from neuroview.models.formats.pigan_pickle import load, open_generator, sniff
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))
from pigan_files import (
    DEPTH,
    MAPPED,
    OTHER,
    TALL,
    WIDTH,
    Z,
    average,
    generator,
    saved,
    siren,
)


def both(folder: Path, **changes: object) -> Path:
    """A generator with an average beside it, whose weights are those of seed 1."""
    saved(folder / "ema.pth", average(generator(siren(seed=1))))
    return saved(folder / "generator.pth", generator())


def test_the_official_files_are_recognised_and_opened_with_their_average(oracles: Path):
    folder = oracles / "pigan" / "celeba_spatialsirenbaseline"
    assert sniff(folder / "generator.pth")
    assert sniff(folder / "ema.pth")
    made = catalog.open_generator(str(folder / "generator.pth"))
    assert made.card.family == "pigan"
    assert made.card.name == "celeba_spatialsirenbaseline"
    assert made.card.fingerprint == "7464455b17ea8f87dd76f0adc09968289695aa34650c1ee1985f97fb74852da1"
    assert made.card.configuration["preset"] == "celeba"
    assert made.card.configuration["weights"] == "ema"
    assert (made.card.configuration["width"], made.card.configuration["depth"]) == (256, 8)
    assert made.card.training["steps"] == 200000


def test_other_oracles_are_not_taken_for_pigans(oracles: Path):
    assert not sniff(oracles / "eg3d" / "small512.pkl")
    assert not sniff(oracles / "nerf" / "lego-lowres" / "checkpoint199999.ckpt")
    assert not sniff(oracles / "pigan" / "oracle.json")


@pytest.mark.parametrize("legacy", [True, False])
def test_every_size_is_inferred_and_the_name_does_not_matter(tmp_path, legacy):
    file = saved(tmp_path / "anything.bin", generator(), legacy=legacy)
    assert sniff(file)
    checkpoint = load(file)
    layout = checkpoint.raw.layout
    assert (layout.width, layout.depth, layout.z_dim, layout.mapping_width, layout.mapping_depth) == (
        WIDTH, DEPTH, Z, MAPPED, 2,
    )  # fmt: skip
    assert layout.scale == pytest.approx(2 / 0.24)
    assert (checkpoint.step, checkpoint.epoch, checkpoint.ema) == (700, 3, None)
    torch.testing.assert_close(checkpoint.raw.final_layer.weight, siren().final_layer.weight.detach())


def test_the_tall_kind_keeps_coordinates_and_is_seen_by_the_cars_camera(tmp_path):
    made = open_generator(saved(tmp_path / "generator.pth", generator(siren(TALL))))
    assert made.layout.scale == 1
    assert made.options.preset == "carla"
    assert made.scene(made.codes(0)).volume.white_background


def test_an_average_is_applied_in_the_order_of_parameters(tmp_path):
    checkpoint = load(both(tmp_path))
    assert checkpoint.decay == 0.5
    expected = dict(siren(seed=1).named_parameters())
    found = dict(checkpoint.ema.named_parameters())
    assert list(found) == list(expected)
    for name in expected:
        torch.testing.assert_close(found[name], expected[name].detach())


def test_raw_weights_are_had_by_asking(tmp_path):
    file = both(tmp_path)
    averaged, raw = open_generator(file), open_generator(file, raw=True)
    assert (averaged.options.weights, raw.options.weights) == ("ema", "raw")
    assert not torch.equal(averaged.codes(0), raw.codes(0))
    assert torch.equal(averaged.with_options(weights="raw").codes(0), raw.codes(0))
    with pytest.raises(ValueError, match="'ema' weights are wanted; there are only raw"):
        raw.with_options(weights="ema")


def test_opening_an_average_takes_that_one(tmp_path):
    both(tmp_path)
    second = saved(tmp_path / "ema2.pth", average(generator(siren(seed=2))))
    assert sniff(second)
    made = open_generator(second)
    torch.testing.assert_close(made.network.final_layer.bias, siren(seed=2).final_layer.bias.detach())


def test_files_of_one_step_belong_together(tmp_path):
    saved(tmp_path / "ema.pth", average(generator(siren(seed=1))))
    saved(tmp_path / "900_ema.pth", average(generator(siren(seed=2))))
    made = open_generator(saved(tmp_path / "900_generator.pth", generator()))
    torch.testing.assert_close(made.network.final_layer.bias, siren(seed=2).final_layer.bias.detach())


def test_an_average_alone_is_no_checkpoint(tmp_path):
    file = saved(tmp_path / "ema.pth", average(generator()))
    assert not sniff(file)
    with pytest.raises(CheckpointError, match="put generator.pth beside it"):
        load(file)


@pytest.mark.parametrize(
    ("path", "preset"),
    [
        ("cats/generator.pth", "cats"),
        ("CelebA/generator.pth", "celeba"),
        ("my_CATS_generator.pth", "cats"),
        ("carla/generator.pth", "celeba"),  # whose class is not the cars'
        ("other/generator.pth", "celeba"),
    ],
)
def test_the_published_folders_names_choose_the_camera(tmp_path, path, preset):
    assert open_generator(saved(tmp_path / "x" / path, generator())).options.preset == preset


def test_a_chosen_camera_overrides_the_folder_s(tmp_path):
    file = saved(tmp_path / "celeba" / "generator.pth", generator())
    assert open_generator(file, preset="cats").options.preset == "cats"
    with pytest.raises(CheckpointError, match="preset is 'dogs'; expected one of celeba, cats, carla"):
        open_generator(file, preset="dogs")


def changed(**parts: object) -> object:
    field = siren()
    for name, part in parts.items():
        setattr(field, name, part)
    return generator(field)


NOT_FINITE = nn.Linear(WIDTH, 1)
NOT_FINITE.bias.data.fill_(float("nan"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (changed(final_layer=nn.Linear(9, 1)), r"'siren.final_layer.weight' has shape \[1, 9\], expected \[1, 8\]"),
        (changed(final_layer=nn.Linear(WIDTH, 1, bias=False)), r"lacks the tensor 'siren.final_layer.bias' of shape"),
        (changed(final_layer=NOT_FINITE), "'siren.final_layer.bias' holds numbers that are not finite"),
        (changed(network=nn.ModuleList()), "lacks the tensor 'siren.network.0.layer.weight'"),
        (changed(extra=nn.Linear(1, 1)), "'siren.extra.bias' that pi-GAN's SPATIALSIRENBASELINE does not know"),
        (siren(), "holds a siren.siren.SPATIALSIRENBASELINE; expected pi-GAN's ImplicitGenerator3d"),
        ({"siren": 1}, "holds a dict; expected"),
    ],
)  # fmt: skip
def test_unfit_generators_are_refused_with_the_tensor_s_name(tmp_path, content, reason):
    with pytest.raises(CheckpointError, match=reason):
        load(saved(tmp_path / "generator.pth", content))


def test_another_class_of_the_repository_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"siren.siren.EmbeddingPiGAN128"):
        load(saved(tmp_path / "generator.pth", generator(siren(OTHER))))


def test_an_average_of_another_model_is_refused(tmp_path):
    file = both(tmp_path)
    shorter = average(generator())
    shorter.shadow_params.pop()
    saved(tmp_path / "ema.pth", shorter)
    with pytest.raises(CheckpointError, match=r"ema.pth holds 17 averaged tensors, but .* has 18 parameters"):
        load(file)
    swapped = average(generator())
    swapped.shadow_params[0] = torch.zeros(WIDTH, 4)
    saved(tmp_path / "ema.pth", swapped)
    with pytest.raises(CheckpointError, match=r"ema.pth: 'siren.network.0.layer.weight' has shape \[8, 4\], expected"):
        load(file)
    assert load(file, raw=True).ema is None


def test_nothing_in_either_file_is_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "trapped"),)

    trapped = generator()
    trapped.surprise = Trap()
    file = both(tmp_path)
    saved(tmp_path / "hostile" / "generator.pth", trapped)
    with pytest.raises(UnsafePickle, match="mkdir"):
        load(tmp_path / "hostile" / "generator.pth")
    hostile = average(generator())
    hostile.collected_params = Trap()
    saved(tmp_path / "ema.pth", hostile)
    with pytest.raises(UnsafePickle, match="mkdir"):
        load(file)
    assert not (tmp_path / "trapped").exists()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.floats(0, 1), byte=st.integers(0, 255), cut=st.booleans(), legacy=st.booleans())
def test_a_damaged_file_is_read_or_refused_but_never_anything_else(tmp_path, where, byte, cut, legacy):
    file = saved(tmp_path / "generator.pth", generator(), legacy=legacy)
    data = bytearray(file.read_bytes())
    position = min(int(where * len(data)), len(data) - 1)
    data[position] = byte
    file.write_bytes(data[:position] if cut else data)
    sniff(file)
    with contextlib.suppress(CheckpointError):
        load(file)

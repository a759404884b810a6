"""pi-GAN's field, codes and preview: the paper's equations, the official numbers, and what a fast copy may lose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from neuroview.models.base import Generator, ModelCard, RadianceField
from neuroview.models.formats.pigan_pickle import open_generator
from neuroview.models.pigan import PiGANField, PiGANLayout, PiGANNetwork
from neuroview.models.pigan_generator import PiGANGenerator, PiGANOptions
from neuroview.models.pigan_presets import PRESETS, default_preset
from neuroview.models.pigan_preview import PiGANPreview

BOUNDS = ((-0.1, -0.1, -0.1), (0.1, 0.1, 0.1))
SMALL = PiGANLayout(width=8, depth=3, z_dim=5, mapping_width=6, mapping_depth=2)


@pytest.fixture(scope="module")
def official(oracles: Path) -> PiGANGenerator:
    return open_generator(oracles / "pigan" / "celeba_spatialsirenbaseline" / "generator.pth")


@pytest.fixture(scope="module")
def oracle(oracles: Path) -> dict[str, torch.Tensor]:
    with np.load(oracles / "pigan" / "celeba_spatialsirenbaseline" / "oracle.npz") as values:
        return {name: torch.from_numpy(values[name]) for name in values if "img" not in name}


def network(layout: PiGANLayout = SMALL, seed: int = 0) -> PiGANNetwork:
    """Random weights, after the first layer as small as SIREN wants them: else rounding grows from layer to layer."""
    torch.manual_seed(seed)
    made = PiGANNetwork(layout).requires_grad_(False)
    for film in (*made.network[1:], made.color_layer_sine, *made.color_layers_more):
        film.layer.weight *= 0.1
    return made


def generator(layout: PiGANLayout = SMALL, **options) -> PiGANGenerator:
    card = ModelCard(name="small", family="pigan", title="small")
    return PiGANGenerator({"raw": network(layout)}, card, PiGANOptions(weights="raw", **options))


def some(count: int = 300) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(7)
    points = 0.2 * torch.rand(count, 3, generator=random) - 0.1
    return points, torch.nn.functional.normalize(torch.randn(count, 3, generator=random), dim=-1)


@pytest.mark.parametrize(
    ("weights", "key"),
    [("ema", "field_rgb_sigma_seed0_psi1"), ("raw", "raw_weights_field_rgb_sigma_seed0_psi1")],
)
def test_a_field_is_the_official_one(official, oracle, weights, key):
    made = official.with_options(weights=weights)
    raw, colour = made.scene(made.codes(0)).field(oracle["field_pts"][0], oracle["field_dirs"][0])
    torch.testing.assert_close(colour, oracle[key][0, :, :3], atol=1e-5, rtol=0)
    torch.testing.assert_close(raw, oracle[key][0, :, 3], atol=1e-5, rtol=1e-5)  # reaches 175


def test_a_seed_s_codes_are_the_official_ones(official, oracle):
    codes = official.codes(0)
    assert codes.shape == (9, 512)
    frequencies = oracle["raw_frequencies_seed0"].view(9, 256)
    phases = oracle["raw_phase_shifts_seed0"].view(9, 256)
    torch.testing.assert_close(codes, torch.cat([frequencies, phases], 1), atol=1e-5, rtol=0)
    average = torch.cat([oracle["avg_frequencies"].view(9, 256), oracle["avg_phase_shifts"].view(9, 256)], 1)
    torch.testing.assert_close(official.codes(0, truncation=0), average)
    torch.testing.assert_close(official.codes(0, truncation=0.7), average + 0.7 * (codes - average))


def test_a_stored_average_is_not_used_by_weights_that_it_was_not_drawn_from(official):
    raw = official.with_options(weights="raw")
    assert torch.equal(official.average_codes(), official._stored_average)
    assert not torch.equal(raw.average_codes(), official._stored_average)
    torch.testing.assert_close(raw.average_codes(), official.average_codes(), atol=0.03, rtol=0)


def test_an_average_is_that_of_ten_thousand_latents():
    made = generator()
    random = torch.Generator().manual_seed(0)
    z = torch.cat([torch.randn(1000, 5, generator=random) for _ in range(10)])
    expected = made.network.codes(z).mean(0)
    torch.testing.assert_close(made.average_codes(), expected, atol=1e-5, rtol=1e-4)
    assert torch.equal(made.average_codes(), generator().average_codes())


def test_truncation_can_end_at_a_layer():
    made = generator()
    codes = made.codes(3, truncation=0.5, cutoff=2)
    assert torch.equal(codes[2:], made.codes(3)[2:])
    assert torch.equal(codes[:2], made.codes(3, truncation=0.5)[:2])


def test_a_layer_is_a_wave_that_the_code_stretches_and_shifts():
    made, codes = network(), torch.randn(4, 16)
    points, directions = some(5)
    x = points / 0.12
    for layer, code in zip([film.layer for film in made.network], codes, strict=False):
        x = torch.sin((15 * code[:8] + 30) * (x @ layer.weight.T + layer.bias) + code[8:])
    density = x @ made.final_layer.weight.T + made.final_layer.bias
    raw, _ = made(points, directions, codes)
    torch.testing.assert_close(raw, density[:, 0], atol=1e-4, rtol=0)


def test_density_ignores_the_colour_layer_s_code_and_the_direction():
    made, (points, directions) = network(), some()
    codes = made.codes(torch.randn(2, 5))
    mixed = torch.cat([codes[0, :3], codes[1, 3:]])
    one, other = PiGANField(made, codes[0], BOUNDS), PiGANField(made, mixed, BOUNDS)
    assert torch.equal(one(points, directions)[0], other(points, -directions)[0])
    assert not torch.allclose(one(points, directions)[1], other(points, directions)[1])


@pytest.mark.parametrize("locked", [False, True])
def test_looking_and_learning_see_the_same_field(locked):
    made, (points, directions) = network(), some()
    codes = made.codes(torch.randn(1, 5))[0].requires_grad_()
    learning = PiGANField(made, codes, BOUNDS, locked=locked)
    looking = PiGANField(made, codes.detach(), BOUNDS, locked=locked)
    raw, colour = learning(points, directions)
    colour.sum().backward()
    assert bool(codes.grad.abs().sum() > 0)
    torch.testing.assert_close(raw.detach(), looking(points, directions)[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(colour.detach(), looking(points, directions)[1], atol=1e-5, rtol=0)


def test_density_trunk_and_colour_add_up_to_the_field():
    made, (points, directions) = network(), some(2500)  # more than a chunk
    field = PiGANField(made, made.codes(torch.randn(1, 5))[0], BOUNDS)
    raw, colour = field(points, directions)
    again, hidden = field.trunk(points)
    kept = hidden.clone()
    torch.testing.assert_close(field.density(points), raw)
    torch.testing.assert_close(again, raw)
    torch.testing.assert_close(field.colour(hidden, directions), colour)
    assert torch.equal(hidden, kept)


def test_a_locked_view_is_the_front_s_from_every_side():
    made, (points, directions) = network(), some()
    codes = made.codes(torch.randn(1, 5))[0]
    locked = PiGANField(made, codes, BOUNDS, locked=True)
    assert not locked.view_dependent
    front = torch.tensor([0.0, 0.0, -1.0]).expand(300, 3)
    expected = PiGANField(made, codes, BOUNDS)(points, front)[1]
    torch.testing.assert_close(locked(points)[1], expected, atol=1e-5, rtol=0)
    assert torch.equal(locked(points)[1], locked(points, directions)[1])


def test_a_free_view_asks_for_directions():
    field = PiGANField(network(), torch.zeros(4, 16), BOUNDS)
    with pytest.raises(ValueError, match=r"directions are None.*pass unit vectors"):
        field(torch.zeros(1, 3))


@pytest.mark.parametrize("around", [False, True])
def test_a_preview_is_coloured_from_the_front_or_from_outside(around):
    made, (points, _) = network(), some()
    codes = made.codes(torch.randn(1, 5))[0]
    preview = PiGANPreview(made, codes, BOUNDS, around=around, half=False)
    along = torch.nn.functional.normalize(-points, dim=-1) if around else torch.tensor([0.0, 0, -1]).expand(300, 3)
    raw, colour = PiGANField(made, codes, BOUNDS)(points, along)
    torch.testing.assert_close(preview(points)[0], raw, atol=1e-4, rtol=0)
    torch.testing.assert_close(preview.density(points), raw, atol=1e-4, rtol=0)
    torch.testing.assert_close(preview(points)[1], colour, atol=1e-4, rtol=0)


def test_a_rounded_preview_keeps_density_to_a_few_percent(official):
    codes = official.codes(0)
    points = 0.24 * torch.rand(2000, 3, generator=torch.Generator().manual_seed(1)) - 0.12
    rounded = PiGANPreview(official.network, codes, BOUNDS, half=True)(points)
    exact = PiGANPreview(official.network, codes, BOUNDS, half=False)(points)
    assert (rounded[0] - exact[0]).std() < 0.03 * exact[0].std()
    assert (rounded[1] - exact[1]).abs().mean() < 0.01


def test_it_fulfils_the_contracts():
    made = generator()
    assert isinstance(made, Generator)
    scene = made.scene(made.codes(0))
    assert isinstance(scene.field, RadianceField)
    assert (scene.resolution, scene.image_resolution) == (128, 128)
    assert (made.num_layers, made.geometry_layers, made.appearance_layers) == (4, (0, 1, 2), (3,))
    assert made.layer_names == ("FiLM 0", "FiLM 1", "FiLM 2", "FiLM colour")
    with pytest.raises(ValueError, match=r"codes have shape \(4, 8\), expected \(4, 16\)"):
        made.scene(torch.zeros(4, 8))


def test_options_make_another_generator_of_the_same_networks():
    made = generator()
    cats = made.with_options(preset="cats", lock_view_dependence=True)
    assert cats.networks is made.networks
    assert (cats.card.configuration["preset"], made.card.configuration["preset"]) == ("cats", "celeba")
    volume = cats.scene(cats.codes(0)).volume
    assert (volume.near, volume.far, volume.coarse, volume.fine) == (0.8, 1.2, 24, 24)
    assert not cats.scene(cats.codes(0)).field.view_dependent
    with pytest.raises(ValueError, match="preset is 'dogs'; expected one of celeba, cats, carla"):
        made.with_options(preset="dogs")


def test_presets_are_the_official_evaluation_s():
    assert default_preset("SPATIALSIRENBASELINE") == "celeba"
    assert default_preset("TALLSIREN") == "carla"
    with pytest.raises(ValueError, match="expected one of SPATIALSIRENBASELINE, TALLSIREN"):
        default_preset("SIREN")
    for name in ("celeba", "cats", "carla"):
        volume = PRESETS[name].volume
        assert volume.opaque_end == (name != "carla")
        assert volume.white_background == (name == "carla")
        assert volume.far - 1 == pytest.approx(1 - volume.near)


def test_our_cars_are_sampled_where_rays_meet_their_box():
    made = generator(preset="cars")
    scene = made.scene(made.codes(0))
    assert (scene.volume.near, scene.volume.far) == (None, None)
    assert scene.field.bounds == PRESETS["cars"].bounds


def test_nothing_is_outside_of_the_box_of_our_cars():
    made = generator(preset="cars")
    made.network.final_layer.bias += 50.0
    field = made.scene(made.codes(0)).field
    points = torch.tensor([[0.0, 0.0, 0.0], [0.117, 0.0, 0.255], [0.12, 0.0, 0.0], [0.0, 0.14, 0.0], [0.0, 0.0, -0.3]])
    directions = torch.tensor([[0.0, 0.0, -1.0]]).expand(5, 3)
    for raw in (field(points, directions)[0], field.density(points), field.trunk(points)[0]):
        assert (raw > 0).tolist() == [True, True, False, False, False]
    with torch.enable_grad():
        assert (field.density(points.requires_grad_()) > 0).tolist() == [True, True, False, False, False]


def test_more_colour_layers_change_colours_alone_and_are_the_same_learned_looked_at_and_previewed():
    layout = replace(SMALL, colour_depth=3)
    made = generator(layout, preset="cars")
    assert list(made.appearance_layers) == [3, 4, 5]
    points, directions = some()
    codes = made.codes(0)
    field = made.scene(codes).field
    raw, colour = field(points, directions)
    hidden = made.network.trunk_features(points, codes)
    torch.testing.assert_close(raw, made.network.final_layer(hidden)[:, 0], atol=1e-5, rtol=1e-5)
    expected = torch.sigmoid(made.network.colour_logits(hidden, directions, codes))
    torch.testing.assert_close(colour, expected, atol=1e-5, rtol=0)
    for layer in made.appearance_layers:
        mixed = codes.clone()
        mixed[layer] = made.codes(1)[layer]
        other_raw, other_colour = made.scene(mixed).field(points, directions)
        assert torch.equal(other_raw, raw)
        assert (other_colour - colour).abs().max() > 1e-4
    outside = torch.nn.functional.normalize(-points, dim=-1)
    preview = PiGANPreview(made.network, codes, BOUNDS, around=True, half=False)(points)[1]
    torch.testing.assert_close(preview, field(points, outside)[1], atol=1e-5, rtol=0)


def test_a_network_whose_weights_of_the_direction_are_zero_depends_on_no_view():
    made = generator()
    made.network.color_layer_sine.layer.weight[:, :3] = 0
    points, _ = some()
    field = made.scene(made.codes(0)).field
    assert not field.view_dependent
    assert field(points, None)[1].shape == (len(points), 3)
    assert "lock_view_dependence" not in [option.name for option in made.offered]

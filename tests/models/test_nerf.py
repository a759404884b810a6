"""NeRF networks: the official outputs, and a fast field that is the same function whatever the layout."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from neuroview.models.base import Generator, ModelCard, RadianceField
from neuroview.models.formats import nerf_checkpoint
from neuroview.models.nerf import Encoding, NeRFField, NeRFLayout, NeRFNetwork
from neuroview.models.nerf_generator import NeRFGenerator

BOX = ((-1.5, -1.5, -1.5), (1.5, 1.5, 1.5))
KRRISH94 = {"point_first": False, "first_activated": False, "feature_activated": True}
SMALL = {"width": 16, "depth": 4, "points": Encoding(3), "directions": Encoding(2), "view_width": 8, "skips": (2,)}


def network(seed: int = 0, **layout) -> NeRFNetwork:
    torch.manual_seed(seed)
    return NeRFNetwork(NeRFLayout(**{**SMALL, **layout})).requires_grad_(False)


def somewhere(count: int = 50) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(5)
    directions = torch.nn.functional.normalize(torch.randn(count, 3, generator=random), dim=-1)
    return torch.rand(count, 3, generator=random) * 3 - 1.5, directions


@pytest.mark.parametrize("which", ["coarse", "fine"])
def test_a_published_network_gives_its_official_outputs(oracles: Path, which):
    folder = oracles / "nerf" / "lego-lowres"
    loaded = getattr(nerf_checkpoint.load(folder / "checkpoint199999.ckpt"), which)
    values = np.load(folder / "oracle.npz")
    points, directions = torch.from_numpy(values["net_pts"]), torch.from_numpy(values["net_dirs"])
    expected = torch.from_numpy(values[f"net_{which}_raw"])  # RGB logits, then density, in the thousands
    raw, logits = loaded(points, directions)
    torch.testing.assert_close(raw, expected[:, 3], atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(logits, expected[:, :3], atol=1e-4, rtol=1e-5)
    raw, colours = NeRFField(loaded, BOX)(points, directions)
    torch.testing.assert_close(raw, expected[:, 3], atol=2e-3, rtol=1e-4)
    torch.testing.assert_close(colours, torch.sigmoid(expected[:, :3]), atol=1e-4, rtol=0)


def test_an_encoding_is_the_point_and_then_sine_and_cosine_of_each_octave():
    encoded = Encoding(2)(torch.tensor([[0.1, 0.2, 0.3]]))[0].tolist()
    expected = [0.1, 0.2, 0.3]
    for factor in (1, 2):
        expected += [math.sin(factor * v) for v in (0.1, 0.2, 0.3)] + [math.cos(factor * v) for v in (0.1, 0.2, 0.3)]
    assert encoded == pytest.approx(expected, abs=1e-6)
    assert Encoding(2, include_input=False)(torch.tensor([[0.1, 0.2, 0.3]]))[0].tolist() == pytest.approx(expected[3:])
    assert Encoding(2).width == 15


layouts = st.builds(
    lambda depth, skips, **rest: NeRFLayout(depth=depth, skips=tuple(s for s in skips if s < depth), **rest),
    depth=st.integers(1, 6),
    skips=st.sets(st.integers(1, 5), max_size=3),
    width=st.integers(1, 20),
    points=st.builds(Encoding, st.integers(1, 5), st.booleans()),
    directions=st.none() | st.builds(Encoding, st.integers(1, 4), st.booleans()),
    view_width=st.integers(1, 12),
    view_depth=st.integers(1, 3),
    point_first=st.booleans(),
    first_activated=st.booleans(),
    feature_activated=st.booleans(),
)


@settings(max_examples=80, deadline=None)
@given(layout=layouts, seed=st.integers(0, 100))
def test_the_folded_field_is_the_same_function_as_the_network_for_any_layout(layout, seed):
    torch.manual_seed(seed)
    net = NeRFNetwork(layout).requires_grad_(False)
    points, directions = somewhere()
    raw, logits = net(points, directions)
    field = NeRFField(net, BOX)
    fast_raw, colours = field(points, directions)
    torch.testing.assert_close(fast_raw, raw, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(colours, torch.sigmoid(logits), atol=1e-5, rtol=0)
    assert field.view_dependent == (layout.directions is not None)


@pytest.mark.parametrize("wiring", [KRRISH94, {}])
def test_density_alone_and_colour_from_the_trunk_are_what_the_whole_field_says(wiring):
    field = NeRFField(network(**wiring), BOX)
    points, directions = somewhere(5000)  # more than one chunk
    raw, colours = field(points, directions)
    trunk_raw, hidden = field.trunk(points)
    assert torch.equal(field.density(points), raw)
    assert torch.equal(trunk_raw, raw)
    torch.testing.assert_close(field.colour(hidden, directions), colours, atol=1e-6, rtol=0)
    assert colours.min() >= 0
    assert colours.max() <= 1


@pytest.mark.parametrize("wiring", [KRRISH94, {}, {"directions": None}])
def test_one_direction_for_all_is_as_good_as_many_that_are_equal(wiring):
    field = NeRFField(network(**wiring), BOX)
    points, directions = somewhere(3000)
    _, hidden = field.trunk(points)
    kept, one = hidden.clone(), directions[:1]
    same = field.colour(hidden, one.expand(3000, 3))
    torch.testing.assert_close(same, field.colour(hidden, one.repeat(3000, 1)), atol=1e-6, rtol=0)
    assert torch.equal(hidden, kept)


def test_density_does_not_depend_on_the_direction_but_colour_does():
    field = NeRFField(network(), BOX)
    points, directions = somewhere()
    (raw, colours), (other_raw, other_colours) = field(points, directions), field(points, -directions)
    assert torch.equal(raw, other_raw)
    assert not torch.allclose(colours, other_colours, atol=1e-4)


def test_a_field_without_a_needed_direction_says_so():
    for net in (network(), network().requires_grad_(True)):
        with pytest.raises(ValueError, match="directions are None"):
            NeRFField(net, BOX)(somewhere()[0])


def test_no_points_give_no_values():
    raw, colours = NeRFField(network(), BOX)(torch.empty(0, 3), torch.empty(0, 3))
    assert raw.shape == (0,)
    assert colours.shape == (0, 3)


def test_gradients_reach_weights_and_points_where_they_are_wanted():
    net = network().requires_grad_(True)
    points, directions = somewhere()
    field = NeRFField(net, BOX)
    raw, colours = field(points.requires_grad_(), directions)
    (raw.sum() + colours.sum()).backward()
    assert all(parameter.grad is not None for parameter in net.parameters())
    assert points.grad is not None
    with torch.no_grad():
        fast_raw, fast_colours = field(points, directions)
    torch.testing.assert_close(fast_raw, raw.detach(), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(fast_colours, colours.detach(), atol=1e-5, rtol=0)


def test_a_scene_made_after_an_edit_shows_it():
    net = network()
    generator = NeRFGenerator(net, None, ModelCard("small", "nerf", "Small"))
    points, directions = somewhere()
    before = generator.scene(generator.codes(0)).field(points, directions)[1]
    net.colour.bias += 1.0
    after = generator.scene(generator.codes(0)).field(points, directions)[1]
    assert (after > before).all()


def test_an_impossible_layout_is_refused():
    with pytest.raises(ValueError, match="skips"):
        NeRFLayout(depth=4, skips=(4,))
    with pytest.raises(ValueError, match="at least one"):
        NeRFLayout(width=0)


def test_a_nerf_is_a_generator_without_latents():
    generator = NeRFGenerator(network(1), network(2), ModelCard("small", "nerf", "Small"), resolution=50)
    assert isinstance(generator, Generator)
    assert generator.to("cpu") is generator
    assert generator.num_layers == 0
    assert generator.codes(7).shape == (0, 0)
    scene = generator.scene(generator.codes(7))
    assert isinstance(scene.field, RadianceField)
    assert isinstance(scene.proposal, RadianceField)
    assert (scene.resolution, scene.image_resolution, scene.upsampler) == (50, 50, None)
    assert scene.field.network is generator.fine


def test_a_nerf_trained_without_importance_sampling_is_its_own_proposal():
    generator = NeRFGenerator(network(1), None, ModelCard("small", "nerf", "Small"))
    scene = generator.scene(generator.codes(0))
    assert scene.proposal is None
    assert scene.field.network is generator.coarse

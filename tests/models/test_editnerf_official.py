"""EditNeRF against the official code's outputs: renders, transfers of shape and colour, a colour edit by steps."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from neuroview.engine.rendering.exact import query_density, render_rays
from neuroview.engine.rendering.integrate import composite, compositing_weights
from neuroview.engine.rendering.rays import camera_rays, ray_limits
from neuroview.engine.rendering.sampling import importance, stratified
from neuroview.models.base import Scene
from neuroview.models.editnerf_field import EditNeRFField
from neuroview.models.editnerf_generator import EditNeRFGenerator
from neuroview.models.formats.editnerf_checkpoint import open_generator
from torch import Tensor

FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
SIDE = 32
ROWS = [2, *range(5, 32, 4)]  # a quarter of the picture: every network call counts on a shared core
# Official settings of a colour edit.
RATE, STAY = 1e-3, 10.0


@pytest.fixture(scope="module")
def generator(oracles: Path) -> EditNeRFGenerator:
    made = open_generator(oracles / "editnerf" / "model.tar")
    assert isinstance(made, EditNeRFGenerator)
    return made


@pytest.fixture(scope="module")
def oracle(oracles: Path) -> dict[str, np.ndarray]:
    with np.load(oracles / "editnerf" / "oracle.npz") as values:
        return dict(values)


class View:
    """Rays of the oracle's camera, row by row."""

    def __init__(self, oracle: dict[str, np.ndarray]) -> None:
        focal = float(oracle["focal"]) / SIDE
        lens = np.array([[focal, 0, 0.5], [0, focal, 0.5], [0, 0, 1]])
        self.oracle, self.pose, self.lens = oracle, oracle["pose"] @ FROM_OPENGL, lens

    def scene(self, generator: EditNeRFGenerator, codes: Tensor) -> Scene:
        scene, given = generator.scene(codes), self.oracle
        near, far = float(given["near"]), float(given["far"])
        coarse, fine = int(given["N_samples"]), int(given["N_importance"])
        return replace(scene, volume=replace(scene.volume, near=near, far=far, coarse=coarse, fine=fine))

    def rays(self, scene: Scene, chosen: Tensor) -> tuple[Tensor, ...]:
        origins, directions = camera_rays(self.pose, self.lens, SIDE, SIDE, scene.volume)
        near, far = ray_limits(origins, directions, scene.volume, scene.field.bounds)
        return tuple(values[chosen] for values in (origins, directions, near, far))


@pytest.fixture(scope="module")
def view(oracle) -> View:
    return View(oracle)


def rows() -> Tensor:
    return torch.arange(SIDE * SIDE).view(SIDE, SIDE)[ROWS].flatten()


def at(oracle: dict[str, np.ndarray], key: str, chosen: Tensor) -> Tensor:
    return torch.from_numpy(oracle[key]).flatten(0, 1)[chosen]


def own_field(scene: Scene) -> EditNeRFField:
    """The scene's field over a network of its own, whose colour may be trained."""
    assert isinstance(scene.field, EditNeRFField)
    field = scene.field.copy()
    for parameter in field.colour_parameters().values():
        parameter.requires_grad_(True)
    return field


def test_the_file_is_told_apart_and_its_sizes_are_those_it_was_made_with(oracles, generator):
    facts = json.loads((oracles / "editnerf" / "oracle.json").read_text())
    made, layout = facts["model_kwargs"], generator.coarse.layout
    assert sum(parameter.numel() for parameter in generator.coarse.parameters()) == facts["parameters_per_net"]
    assert (layout.points.width, layout.directions.width) == (made["input_ch"], made["input_ch_views"])
    assert (layout.shared_depth, layout.instance_depth, layout.fusion_depth) == (4, 4, 4)
    assert (layout.density_depth, layout.colour_depth, layout.bottleneck) == (1, 2, made["W_bottleneck"])
    assert (layout.code, layout.embedding) == (made["style_dim"] // 2, made["embed_dim"])


def test_the_codes_are_the_files_shape_first(generator, oracle):
    styles = torch.from_numpy(oracle["styles"])
    for seed in range(3):
        assert torch.equal(generator.codes(seed).flatten(), styles[seed])
    assert torch.equal(generator.codes(3), generator.codes(0))


def test_the_fine_network_gives_its_official_outputs(generator, oracle):
    points, directions = torch.from_numpy(oracle["net_pts"]), torch.from_numpy(oracle["net_dirs"])
    expected = torch.from_numpy(oracle["net_fine_raw_inst0"])
    codes = generator.codes(0)
    raw, logits = generator.fine(points, directions, *codes)
    torch.testing.assert_close(raw, expected[:, 3], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(logits, expected[:, :3], atol=1e-5, rtol=1e-5)
    raw, colours = generator.scene(codes).field(points, directions)
    torch.testing.assert_close(raw, expected[:, 3], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(colours, torch.sigmoid(expected[:, :3]), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("key", "shape", "colour"), [("inst0", 0, 0), ("shape0_color1", 0, 1), ("shape1_color0", 1, 0)]
)
def test_a_picture_of_an_instance_or_a_transfer_is_the_official_one(
    generator, oracle, view, key, shape, colour, capsys
):
    scene = view.scene(generator, torch.stack([generator.codes(shape)[0], generator.codes(colour)[1]]))
    with torch.inference_mode():
        seen = render_rays(scene, scene.volume, *view.rays(scene, rows()))
    error = (seen.features - at(oracle, f"rgb_{key}", rows())).abs()
    with capsys.disabled():
        print(f"\nEditNeRF {key}: mean {error.mean():.1e}, max {error.max():.1e}")
    assert error.mean() < 1e-4
    assert error.max() < 1e-2
    if key == "inst0":
        assert (seen.alpha - at(oracle, "acc_inst0", rows())).abs().mean() < 1e-4


def test_what_a_colour_edit_trains_is_what_the_official_one_changed(oracles, generator):
    facts = json.loads((oracles / "editnerf" / "oracle.json").read_text())
    assert sorted(generator.fine.colour_parameters()) == facts["trainable_changed_by_color_edit"]
    shape = {name.split(".")[0] for name in generator.fine.shape_parameters()}
    assert shape == {"fusion_network", "sigma_linear"}


def edit_rays(oracle: dict[str, np.ndarray]) -> tuple[Tensor, Tensor]:
    """The 64 strokes' rays that the official code drew, and the colours wanted of them; every step takes them all."""
    down, across = torch.from_numpy(oracle["coloredit_ray_coords_first"]).unbind(1)
    chosen = down * SIDE + across
    return chosen, at(oracle, "coloredit_target", chosen)


class ColourEdit:
    """The official colour edit: Adam on the last colour layers, mean squared error, near the old weights."""

    def __init__(self, field: EditNeRFField, wanted: Tensor) -> None:
        self.trained, self.wanted = field.colour_parameters(), wanted
        self.old = {name: p.detach().clone() for name, p in self.trained.items() if "weight" in name}
        self.adam = torch.optim.Adam(self.trained.values(), lr=RATE)

    def step(self, colours: Tensor) -> float:
        """Takes colours [N, 3] of the strokes' rays; returns the loss before the step."""
        moved = sum((self.trained[name] - old).pow(2).mean() for name, old in self.old.items())
        loss = (colours - self.wanted).pow(2).mean() + STAY * moved
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        return float(loss.detach())


def test_the_official_colour_edit_replays_through_the_exact_renderer(generator, oracle, view):
    """Its first five steps; gradients flow through `render_rays`."""
    scene = view.scene(generator, generator.codes(0))
    field, (chosen, wanted) = own_field(scene), edit_rays(oracle)
    scene, edit = replace(scene, field=field), ColourEdit(field, wanted)
    rays = view.rays(scene, chosen)
    losses = [edit.step(render_rays(scene, scene.volume, *rays).features) for _ in range(5)]
    assert losses == pytest.approx(oracle["coloredit_losses"][:5].tolist(), abs=1e-5)
    assert all(
        parameter.grad is None for name, parameter in field.network.named_parameters() if name not in edit.trained
    )


def test_the_whole_colour_edit_replays_from_what_it_cannot_change(generator, oracle, view, capsys):
    """All hundred steps from cached weights and trunk, then the picture: the colour layers are all that is asked."""
    scene = view.scene(generator, generator.codes(0))
    field, (chosen, wanted) = own_field(scene), edit_rays(oracle)
    origins, directions, near, far = view.rays(scene, chosen)
    volume, lengths = scene.volume, directions.norm(dim=-1)
    with torch.no_grad():
        assert scene.proposal is not None
        depths = stratified(near, far, volume.coarse, volume.sampler)
        raw = query_density(scene.proposal, origins, directions, depths)
        weights = compositing_weights(volume, depths, raw, lengths)
        depths = torch.cat([depths, importance(depths, weights, volume.fine, volume.sampler)], -1).sort(-1).values
        points = origins[:, None] + depths[..., None] * directions[:, None]
        raw, told = field.trunk(points.view(-1, 3))
        views = (directions / lengths[:, None])[:, None].expand_as(points).reshape(-1, 3)
    edit, losses = ColourEdit(field, wanted), []
    for _ in range(100):
        colours = field.colour(told, views).view(*depths.shape, 3)
        losses.append(edit.step(composite(volume, depths, raw.view(depths.shape), colours, lengths).features))
    # Roundings grow as the loss settles: importance weights changed by a millionth change the last losses by 2e-5 and
    # the picture by 6e-4 in the mean; the edit itself changes it by 4e-2.
    assert losses[:50] == pytest.approx(oracle["coloredit_losses"][:50].tolist(), abs=1e-5)
    assert losses == pytest.approx(oracle["coloredit_losses"].tolist(), abs=1e-4)
    edited = replace(scene, field=field.refreshed())
    with torch.inference_mode():
        seen = render_rays(edited, volume, *view.rays(edited, rows())).features
    error = (seen - at(oracle, "coloredit_rgb_after", rows())).abs()
    with capsys.disabled():
        drift = np.abs(np.array(losses) - oracle["coloredit_losses"]).max()
        print(
            f"\nEditNeRF colour edit: losses within {drift:.1e}, picture mean {error.mean():.1e}, max {error.max():.1e}"
        )
    assert error.mean() < 2e-3

"""The paper's network opens from both public repositories' files, and means what a plain forward pass says."""

from __future__ import annotations

import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from neuroview.models.base import Posed
from neuroview.models.catalog import open_generator
from neuroview.models.errors import CheckpointError, UnsafePickle
from neuroview.models.formats import nerf_bmild, nerf_yenchenlin
from neuroview.models.nerf import Encoding, NeRFField
from neuroview.models.nerf_ndc import NDCField
from torch import Tensor

WIDTH, DEPTH, SKIP = 16, 8, 5  # the point comes in again after layer 4, that is, before layer 5
POINT, VIEW = 63, 27
BOX = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))


def paper_state(seed: int = 0, directions: bool = True) -> dict[str, Tensor]:
    """A state dict as yenchenlin's NeRF would have it."""
    random = torch.Generator().manual_seed(seed)
    shapes = {f"pts_linears.{i}": (WIDTH, WIDTH) for i in range(DEPTH)}
    shapes |= {"pts_linears.0": (WIDTH, POINT), f"pts_linears.{SKIP}": (WIDTH, POINT + WIDTH)}
    if directions:
        shapes |= {"views_linears.0": (WIDTH // 2, VIEW + WIDTH), "feature_linear": (WIDTH, WIDTH)}
        shapes |= {"alpha_linear": (1, WIDTH), "rgb_linear": (3, WIDTH // 2)}
    else:
        shapes |= {"views_linears.0": (WIDTH // 2, WIDTH), "output_linear": (5, WIDTH)}
    state = {}
    for name, shape in shapes.items():
        state[f"{name}.weight"] = torch.randn(shape, generator=random) / shape[1] ** 0.5
        state[f"{name}.bias"] = 0.1 * torch.randn(shape[:1], generator=random)
    return state


def encode(values: Tensor, octaves: int) -> Tensor:
    parts = [values]
    for octave in range(octaves):
        parts += [torch.sin(2.0**octave * values), torch.cos(2.0**octave * values)]
    return torch.cat(parts, -1)


def plain_forward(state: dict[str, Tensor], points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """The network of figure 7, step by step: raw density [N] and RGB [N, 3]."""

    def layer(name: str, rows: Tensor) -> Tensor:
        return rows @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    encoded = encode(points, 10)
    hidden = encoded
    for index in range(DEPTH):
        hidden = layer(f"pts_linears.{index}", hidden).relu()
        if index == 4:
            hidden = torch.cat([encoded, hidden], -1)
    if "output_linear.weight" in state:
        out = layer("output_linear", hidden)
        return out[:, 3], out[:, :3].sigmoid()
    raw = layer("alpha_linear", hidden)[:, 0]
    feature = layer("feature_linear", hidden)
    hidden = layer("views_linears.0", torch.cat([feature, encode(directions, 4)], -1)).relu()
    return raw, layer("rgb_linear", hidden).sigmoid()


def samples(count: int = 64) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(9)
    directions = torch.nn.functional.normalize(torch.randn(count, 3, generator=random), dim=-1)
    return 2 * torch.rand(count, 3, generator=random) - 1, directions


def tar(path: Path, coarse: object, fine: object = None, **more: object) -> Path:
    contents = {"global_step": 200000, nerf_yenchenlin.COARSE: coarse, nerf_yenchenlin.FINE: fine, **more}
    torch.save({**contents, "optimizer_state_dict": {"state": {}, "param_groups": [{"lr": 5e-4}]}}, path)
    return path


def keras_weights(state: dict[str, Tensor]) -> list[np.ndarray]:
    """The same network as bmild's Keras model would list it: kernels [in, out], biases; trunk, then the heads."""
    names = [f"pts_linears.{i}" for i in range(DEPTH)]
    if "output_linear.weight" in state:
        names += ["output_linear"]
    else:
        names += ["feature_linear", "views_linears.0", "rgb_linear", "alpha_linear"]
    return [a for n in names for a in (state[f"{n}.weight"].T.contiguous().numpy(), state[f"{n}.bias"].numpy())]


def npy(path: Path, arrays: list[np.ndarray]) -> Path:
    held = np.empty(len(arrays), dtype=object)
    held[:] = arrays
    np.save(path, held, allow_pickle=True)
    return path


def agrees(network, state: dict[str, Tensor]) -> None:
    points, directions = samples()
    raw, rgb = plain_forward(state, points, directions)
    with torch.no_grad():
        found_raw, found_rgb = NeRFField(network, BOX)(points, directions)
    torch.testing.assert_close(found_raw, raw, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found_rgb, rgb, atol=1e-5, rtol=1e-5)


def test_a_yenchenlin_pair_is_the_papers_network(tmp_path):
    file = tar(tmp_path / "200000.tar", paper_state(1), paper_state(2))
    assert nerf_yenchenlin.sniff(file)
    assert not nerf_bmild.sniff(file)
    coarse, fine, step = nerf_yenchenlin.load(file)
    assert step == 200000
    assert fine is not None
    agrees(coarse, paper_state(1))
    agrees(fine, paper_state(2))
    layout = fine.layout
    assert (layout.depth, layout.width, layout.skips) == (DEPTH, WIDTH, (SKIP,))
    assert (layout.points, layout.directions) == (Encoding(10), Encoding(4))


def test_a_network_trained_without_directions_is_read(tmp_path):
    coarse, _, _ = nerf_yenchenlin.load(tar(tmp_path / "a.tar", paper_state(directions=False)))
    agrees(coarse, paper_state(directions=False))
    assert coarse.layout.directions is None


def test_a_bmild_pair_is_the_papers_network_and_opens_by_either_file(tmp_path):
    coarse = npy(tmp_path / "model_200000.npy", keras_weights(paper_state(1)))
    fine = npy(tmp_path / "model_fine_200000.npy", keras_weights(paper_state(2)))
    assert nerf_bmild.sniff(coarse)
    agrees(nerf_bmild.load(coarse), paper_state(1))
    for file in (coarse, fine):
        generator = open_generator(str(file))
        agrees(generator.coarse, paper_state(1))
        agrees(generator.fine, paper_state(2))
        assert generator.card.training["iterations"] == 200000
    coarse.unlink()
    alone = open_generator(str(fine))
    agrees(alone.coarse, paper_state(2))
    assert alone.fine is None


def test_a_bmild_network_without_directions_is_read(tmp_path):
    state = paper_state(directions=False)
    state = {k: v[:4] if k.startswith("output") else v for k, v in state.items()}
    agrees(nerf_bmild.load(npy(tmp_path / "model_1.npy", keras_weights(state))), state)


def test_opened_from_the_catalogue_it_is_blenders_scene_with_a_card(tmp_path):
    folder = tmp_path / "blender_paper_lego"
    folder.mkdir()
    generator = open_generator(str(tar(folder / "200000.tar", paper_state(1), paper_state(2))))
    assert (generator.card.name, generator.card.family) == ("blender_paper_lego", "nerf")
    assert generator.card.configuration["width"] == WIDTH
    assert generator.volume.near == 2.0
    assert generator.volume.fine == 128
    assert isinstance(generator, Posed)
    assert list(generator.poses) == []
    scene = generator.scene(generator.codes(0))
    assert scene.proposal is not None
    assert not isinstance(scene.field, NDCField)


def test_the_runs_own_options_are_honoured(tmp_path):
    (tmp_path / "args.txt").write_text("N_samples = 32\nN_importance = 16\nwhite_bkgd = False\nbasedir = ./logs\n")
    volume = open_generator(str(tar(tmp_path / "1.tar", paper_state()))).volume
    assert (volume.coarse, volume.fine, volume.white_background) == (32, 16, False)


def test_the_oracles_real_weights_survive_in_either_dialect(tmp_path, oracles):
    """krrish94's trunk folded into the paper's: its first two layers have no ReLU between them, so they are one."""
    from neuroview.models.formats.nerf_checkpoint import load

    lego = load(oracles / "nerf" / "lego-lowres" / "checkpoint199999.ckpt").fine
    assert lego is not None
    assert not lego.layout.skips
    first, second = lego.trunk[0], lego.trunk[1]
    weight = second.weight @ first.weight
    bias = second.weight @ first.bias + second.bias
    state = {"pts_linears.0.weight": weight, "pts_linears.0.bias": bias}
    for index in range(2, lego.layout.depth):
        state |= {f"pts_linears.{index - 1}.{k}": v for k, v in lego.trunk[index].state_dict().items()}
    # krrish94 follows the feature layer by ReLU and the paper does not: what is kept here is the density.
    for name, layer in (("feature_linear", lego.feature), ("views_linears.0", lego.view[0])):
        state |= {f"{name}.{k}": v for k, v in layer.state_dict().items()}
    for name, layer in (("alpha_linear", lego.density), ("rgb_linear", lego.colour)):
        state |= {f"{name}.{k}": v for k, v in layer.state_dict().items()}
    state = {k: v.detach().clone() for k, v in state.items()}
    network, _, _ = nerf_yenchenlin.load(tar(tmp_path / "1.tar", state))
    points = samples(256)[0]
    with torch.no_grad():
        expected = lego.density(lego.trunk_features(points))[:, 0]
        found = NeRFField(network, BOX).density(points)
    assert float((found - expected).abs().max()) < 1e-3 * float(expected.abs().max())


def without(name: str) -> dict[str, Tensor]:
    return {key: value for key, value in paper_state().items() if key != name}


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (without("alpha_linear.weight"), r"lacks the tensor 'alpha_linear.weight' of shape \[1, 16\]"),
        (without("pts_linears.3.weight"), "lacks the tensor 'pts_linears.3.weight'"),
        (without("views_linears.0.weight"), r"lacks the tensor 'views_linears.0.weight' of shape \[any, any\]"),
        (paper_state() | {"pts_linears.2.weight": torch.zeros(16, 15)}, r"has shape \[16, 15\], expected \[16, 16\]"),
        (paper_state() | {"pts_linears.2.weight": torch.zeros(16, 99)}, r"has shape \[16, 99\], expected \[16, 79\]"),
        (paper_state() | {"rgb_linear.bias": torch.zeros(4)}, r"'rgb_linear.bias' has shape \[4\], expected \[3\]"),
        (paper_state() | {"pts_linears.0.weight": torch.zeros(16, 64)}, "leaves 64 inputs for an encoding"),
        (paper_state() | {"time_linear.weight": torch.zeros(1)}, "'time_linear.weight' that this kind of network does"),
        (paper_state() | {"rgb_linear.bias": torch.full((3,), float("inf"))}, "numbers that are not finite"),
        (paper_state() | {"rgb_linear.bias": torch.zeros(3, dtype=torch.int32)}, "floating-point"),
        (
            paper_state(directions=False) | {"output_linear.weight": torch.zeros(7, 16)},
            r"expected \[4, 16\] or \[5, 16\]",
        ),
        ({}, "expected names with tensors"),
    ],
)
def test_unfit_tensors_are_refused_with_their_name_and_both_shapes(tmp_path, state, reason):
    with pytest.raises(CheckpointError, match=reason):
        nerf_yenchenlin.load(tar(tmp_path / "a.tar", state))


def test_a_broken_fine_network_is_told_from_the_coarse_one(tmp_path):
    with pytest.raises(CheckpointError, match="^network_fine_state_dict lacks"):
        nerf_yenchenlin.load(tar(tmp_path / "a.tar", paper_state(), without("rgb_linear.bias")))


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        (keras_weights(paper_state())[:-1], "has 23 arrays; expected a kernel and a bias for every layer"),
        (keras_weights(paper_state())[:6], "lacks the tensor|has shape"),
        ([np.zeros((3, 3, 3)), *keras_weights(paper_state())[1:]], "array 0 is not a kernel of numbers"),
        ([np.zeros((63, 9)), *keras_weights(paper_state())[1:]], "views.0.weight beside 9 features leaves 34 inputs"),
        (
            [*keras_weights(paper_state())[:3], np.zeros(9), *keras_weights(paper_state())[4:]],
            r"'points.1.bias' has shape \[9\], expected \[16\]",
        ),
    ],
)
def test_unfit_arrays_are_refused(tmp_path, arrays, reason):
    with pytest.raises(CheckpointError, match=reason):
        nerf_bmild.load(npy(tmp_path / "model_1.npy", [np.asarray(a, dtype=np.float32) for a in arrays]))


@pytest.mark.parametrize("writer", ["tar", "npy"])
def test_files_cut_short_are_refused_at_any_length(tmp_path, writer):
    whole = tmp_path / "whole"
    if writer == "tar":
        data, load = tar(whole, paper_state()).read_bytes(), nerf_yenchenlin.load
    else:
        data, load = npy(tmp_path / "whole.npy", keras_weights(paper_state())).read_bytes(), nerf_bmild.load
    for length in (0, 5, 40, 130, 300, len(data) // 2, len(data) - 1):
        whole.write_bytes(data[:length])
        with pytest.raises(CheckpointError):
            load(whole)


class Hostile:
    def __reduce__(self):
        return os.system, ("exit 1",)


def test_a_pickle_that_names_code_runs_nothing(tmp_path):
    tar(tmp_path / "a.tar", {"pts_linears.0.weight": Hostile()})
    with pytest.raises(UnsafePickle, match="system"):
        nerf_yenchenlin.load(tmp_path / "a.tar")
    held = np.empty(1, dtype=object)
    held[0] = Hostile()
    np.save(tmp_path / "model_1.npy", held, allow_pickle=True)
    with pytest.raises(UnsafePickle, match="model_1.npy.*system"):
        nerf_bmild.load(tmp_path / "model_1.npy")


def test_an_array_of_other_objects_is_refused(tmp_path):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "|O", "fortran_order": False, "shape": (1,)})
    (tmp_path / "model_1.npy").write_bytes(buffer.getvalue() + pickle.dumps([1, 2, 3]))
    with pytest.raises(CheckpointError, match="no list of a Keras model's weights"):
        nerf_bmild.load(tmp_path / "model_1.npy")
    np.save(tmp_path / "numbers.npy", np.zeros(3))
    assert not nerf_bmild.sniff(tmp_path / "numbers.npy")

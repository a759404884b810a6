"""SPADE equals the official program on its oracle; folded, it equals itself; unfit files are refused by name."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
import torch
from neuroview.models.base import Translator
from neuroview.models.errors import CheckpointError
from neuroview.models.formats.spade_checkpoint import config_of, load, open_translator, sniff
from neuroview.models.frames import FrameError, instance_edges, one_hot
from neuroview.models.spade import SPADEConfig, SPADEGenerator, spectral_weights
from neuroview.models.spade_folded import FoldedSPADE
from neuroview.models.translators import open_translator as open_any
from torch import Tensor, nn


@pytest.fixture(scope="module")
def official(oracles):
    folder = oracles / "spade" / "cityscapes_ngf16"
    return folder / "latest_net_G.pth", np.load(folder / "io.npz")


def small(**settings) -> SPADEGenerator:
    """A network of random weights, statistics included."""
    torch.manual_seed(3)
    config = SPADEConfig(**{"labels": 5, "edges": False, "width": 2, "hidden": 4, **settings})
    network = SPADEGenerator(config)
    for name, buffer in network.named_buffers():
        buffer.uniform_(0.5, 2.0) if name.endswith("var") else buffer.normal_()
    return network.eval().requires_grad_(False)


def file_of(network: SPADEGenerator, **change: Tensor | None) -> dict[str, Tensor]:
    """Its tensors as the official program saves them: spectrally normalised, with the norms' counters."""
    state: dict[str, Tensor] = {}
    for name, tensor in network.state_dict().items():
        if name.endswith("weight") and ".conv_" in name:
            layer = name.removesuffix(".weight")
            u, v = torch.randn(len(tensor)), torch.randn(tensor[0].numel())
            sigma = u @ tensor.flatten(1) @ v
            # Whatever the vectors find in the weight, dividing by it gives the weight back.
            state |= {f"{layer}.weight_orig": tensor, f"{layer}.weight_u": u / sigma, f"{layer}.weight_v": v}
        else:
            state[name] = tensor
        if name.endswith("running_var"):
            state[name.replace("running_var", "num_batches_tracked")] = torch.tensor(5)
    for name, tensor in change.items():
        if tensor is None:
            del state[name]
        else:
            state[name] = tensor
    return state


def saved(path: Path, state: object) -> Path:
    torch.save(state, path)
    return path


def test_the_readable_network_equals_the_official_program(official):
    path, oracle = official
    network = load(path)
    assert network.config == SPADEConfig(35, True, width=16, upsampling="more")
    edges = instance_edges(torch.from_numpy(oracle["instance_0"][0, 0]))
    np.testing.assert_array_equal(edges.numpy(), oracle["edge_0"])
    with torch.inference_mode():
        found = network(torch.cat([one_hot(torch.from_numpy(oracle["label_0"][0, 0]), 35), edges], 1))
    np.testing.assert_allclose(found.numpy(), oracle["output_0"], atol=1e-5)


def test_the_folded_translator_equals_the_official_program(official):
    path, oracle = official
    translator = open_any(path)
    assert isinstance(translator, Translator)
    assert translator.resolution == (256, 512)
    labels, instances = (torch.from_numpy(oracle[f"{name}_1"][0, 0]) for name in ("label", "instance"))
    rgb, memory = translator(labels, instances, None)
    np.testing.assert_allclose(rgb.numpy() * 2 - 1, oracle["output_1"][0], atol=1e-5)
    assert memory is None


def test_bfloat16_paints_nearly_the_same(tmp_path):
    translator = open_translator(saved(tmp_path / "a", file_of(small())))
    labels = torch.arange(64).remainder(5).expand(64, 64)
    exact = translator(labels, labels)[0]
    rounded = translator.prepare(torch.bfloat16)(labels, labels)[0]
    assert rounded.dtype == torch.float32
    assert 0 < float((rounded - exact).abs().mean()) < 0.03


@pytest.mark.parametrize("upsampling", ["normal", "more", "most"])
@pytest.mark.parametrize("running", [True, False])
def test_folding_changes_nothing_but_the_speed(upsampling, running):
    network = small(upsampling=upsampling, running=running)
    side = 2 * network.config.multiple
    x = torch.rand(1, 5, side, side)
    folded = FoldedSPADE(network)
    torch.testing.assert_close(folded(x), network(x), atol=2e-5, rtol=0)
    assert sum(1 for m in folded.modules() if isinstance(m, nn.Conv2d)) < sum(
        1 for m in network.modules() if isinstance(m, nn.Conv2d)
    )


def test_spectral_weights_are_what_torch_evaluates():
    torch.manual_seed(0)
    layer = nn.utils.spectral_norm(nn.Conv2d(3, 4, 3))
    layer(torch.rand(1, 3, 5, 5))
    state = {f"a.{name}": tensor for name, tensor in layer.state_dict().items()}
    layer.eval()
    layer(torch.rand(1, 3, 5, 5))  # evaluation leaves u and v alone and sets the weight
    torch.testing.assert_close(spectral_weights(state)["a.weight"], layer.weight.detach())


@pytest.mark.parametrize("upsampling", ["normal", "most"])
def test_sizes_are_read_from_the_tensors(tmp_path, upsampling):
    network = small(upsampling=upsampling, kernel=5, running=False)
    found = load(saved(tmp_path / "a.pth", file_of(network))).config
    assert found == network.config


def test_cityscapes_channels_mean_more_upsampling_and_others_normal(tmp_path):
    states = [small(labels=n).state_dict() for n in (36, 151)]
    assert [config_of(dict(state), "a").upsampling for state in states] == ["more", "normal"]
    assert config_of(dict(states[1]), "a", labels=150).edges


def test_frames_that_do_not_fit_are_refused_in_words(tmp_path):
    translator = open_translator(saved(tmp_path / "a", file_of(small())))
    labels = torch.zeros(64, 32, dtype=torch.int64)
    translator(labels, labels)
    with pytest.raises(FrameError, match="33 x 64; this network takes sides that are multiples of 32"):
        translator(torch.zeros(64, 33, dtype=torch.int64), torch.zeros(64, 33, dtype=torch.int64))
    with pytest.raises(FrameError, match=r"holds 5; this network knows 0\.\.4"):
        translator(labels + 5, labels)


VARIANCE = "head_0.norm_0.param_free_norm.running_var"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"fc.weight": None}, "lacks the tensor 'fc.weight'"),
        ({"fc.weight": torch.zeros(64, 256)}, "made with --use_vae"),
        ({"conv_img.weight": torch.zeros(3, 0, 3, 3)}, "'conv_img.weight' has shape .3, 0, 3, 3."),
        ({"up_2.conv_0.weight_v": torch.zeros(5)}, "unknown tensor 'up_2.conv_0.weight_orig'"),
        ({"up_2.conv_0.weight_v": torch.zeros(72)}, "tensor 'up_2.conv_0.weight' has .* NaN or infinite numbers"),
        ({"up_2.conv_0.weight_u": None}, "unknown tensor 'up_2.conv_0.weight_orig'"),
        ({"up_2.norm_s.mlp_beta.bias": None}, "tensor 'up_2.norm_s.mlp_beta.bias' of shape .8,. is missing"),
        ({"up_2.conv_0.bias": torch.zeros(3)}, r"'up_2.conv_0.bias' has shape \(3,\), expected \(4,\)"),
        ({"fc.bias": torch.full((32,), torch.nan)}, "'fc.bias' holds numbers that are not finite"),
        ({"fc.bias": torch.zeros(1).expand(1 << 40)}, "claims 1099511627776 elements but stores fewer"),
        ({"fc.bias": torch.zeros(32, dtype=torch.int32)}, "not a tensor of floating-point numbers"),
        ({VARIANCE: torch.full((32,), -1.0)}, f"'{VARIANCE}' holds negative variances"),
    ],
)
def test_unfit_tensors_are_refused_with_their_name(tmp_path, change, reason):
    with pytest.raises(CheckpointError, match=reason):
        load(saved(tmp_path / "a.pth", file_of(small(), **change)))


def test_an_upsampling_that_the_tensors_contradict_is_refused(tmp_path):
    file = saved(tmp_path / "a.pth", file_of(small()))
    with pytest.raises(CheckpointError, match="has no block 'up_4': its up-sampling is not 'most'"):
        load(file, upsampling="most")
    with pytest.raises(CheckpointError, match="3 labels and an edge do not make that"):
        load(file, labels=3)


def test_the_options_beside_a_file_are_never_read(tmp_path):
    file = saved(tmp_path / "latest_net_G.pth", file_of(small()))
    (tmp_path / "opt.pkl").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    open_any(file)


def test_nothing_in_a_file_is_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path / "trapped").mkdir, ()

    file = saved(tmp_path / "a.pth", {**file_of(small()), "trap": Trap()})
    assert sniff(file)
    with pytest.raises(CheckpointError, match="not a readable torch file of plain tensors"):
        load(file)
    assert not (tmp_path / "trapped").exists()


def test_a_damaged_file_is_read_or_refused_but_never_anything_else(tmp_path):
    whole = saved(tmp_path / "a.pth", file_of(small())).read_bytes()
    random = np.random.default_rng(0)
    for trial in range(12):
        data = bytearray(whole)
        position = int(random.integers(len(data)))
        data[position] ^= 1 << int(random.integers(8))
        (tmp_path / "b.pth").write_bytes(data[:position] if trial % 3 == 0 else data)
        with contextlib.suppress(CheckpointError):
            load(tmp_path / "b.pth")

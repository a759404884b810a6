"""pix2pixHD's files are measured by their tensors and paint what their layers say, computed a second way."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from neuroview.models.base import Translator
from neuroview.models.errors import CheckpointError
from neuroview.models.formats import pix2pixhd_checkpoint, spade_checkpoint, vid2vid_checkpoint
from neuroview.models.formats.pix2pixhd_checkpoint import load, open_translator, sniff
from neuroview.models.frames import FrameError, instance_edges, one_hot
from neuroview.models.translators import open_translator as open_any
from translation_files import enhanced_generator, global_generator, halved, through

PLAIN = {"inputs": 36, "width": 4, "halvings": 2, "residuals": 2}


@pytest.fixture(autouse=True)
def quiet():
    torch.manual_seed(0)


@pytest.fixture
def maps():
    random = torch.Generator().manual_seed(1)
    labels = torch.randint(0, 34, (4, 8), generator=random).repeat_interleave(8, 0).repeat_interleave(8, 1)
    return labels.to(torch.uint8), labels * 1000


def saved(path, state):
    torch.save(state, path)
    return path


@pytest.mark.parametrize("affine", [True, False])
def test_the_global_generator_equals_its_layers_done_by_hand(tmp_path, maps, affine):
    state = global_generator(**PLAIN, affine=affine)
    network = load(saved(tmp_path / "latest_net_G.pth", state))
    x = torch.cat([one_hot(maps[0], 35), instance_edges(maps[1])], 1)
    by_hand = torch.tanh(through(state, "model", x, final=4 + 6 + 2 + 6 + 1))
    torch.testing.assert_close(network(x), by_hand, atol=2e-5, rtol=0)


def test_the_local_enhancer_adds_to_the_global_features_at_half_size(tmp_path, maps):
    state = enhanced_generator(35, width=4, halvings=1, residuals=2, local=3)
    network = load(saved(tmp_path / "G.pth", state))
    assert (network.config.local_residuals, network.multiple) == (3, 4)
    x = one_hot(maps[0], 35)
    features = through(state, "model1_1", x) + through(state, "model", halved(x))
    by_hand = torch.tanh(through(state, "model1_2", features, final=3 + 3 + 1))
    torch.testing.assert_close(network(x), by_hand, atol=2e-5, rtol=0)


def test_sizes_are_read_from_the_tensors(tmp_path):
    config = load(saved(tmp_path / "a", global_generator(35, 4, 3, 5, affine=False))).config
    assert (config.labels, config.edges, config.width) == (35, False, 4)
    assert (config.downsamples, config.residuals, config.affine) == (3, 5, False)


def test_a_translator_paints_in_0_to_1_and_remembers_nothing(tmp_path, maps):
    translator = open_any(saved(tmp_path / "a.bin", global_generator(**PLAIN, affine=True)))
    assert isinstance(translator, Translator)
    rgb, memory = translator(*maps, None)
    assert rgb.shape == (3, 32, 64)
    assert 0 <= float(rgb.min()) < float(rgb.max()) <= 1
    assert memory is None
    assert not translator.has_memory


def test_frames_that_do_not_fit_are_refused_in_words(tmp_path, maps):
    translator = open_translator(saved(tmp_path / "a", global_generator(**PLAIN, affine=True)))
    labels, instances = maps
    with pytest.raises(FrameError, match="30 x 32; this network takes sides that are multiples of 4"):
        translator(labels[:, :30], instances[:, :30])
    with pytest.raises(FrameError, match="instances are 32x32 but labels 32x64"):
        translator(labels, instances[:, :32])
    with pytest.raises(FrameError, match="motion is 32x64 of torch.float32"):
        translator(labels, instances, torch.zeros(32, 64))
    with pytest.raises(FrameError, match="labels are 32x64 of torch.float32"):
        translator(labels.float(), instances)
    with pytest.raises(FrameError, match=r"holds 200; this network knows 0\.\.34"):
        translator(labels.clone().fill_(200), instances)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model.1.weight": None}, "lacks the tensor 'model.1.weight'"),
        ({"model.4.bias": None}, "tensor 'model.4.bias' of shape .8,. is missing"),
        ({"model.4.bias": torch.zeros(9)}, r"'model.4.bias' has shape \(9,\), expected \(8,\)"),
        ({"model.1.weight": torch.zeros(4, 39, 7, 7)}, "made with --label_feat"),
        ({"model.4.bias": torch.full((8,), torch.nan)}, "'model.4.bias' holds numbers that are not finite"),
        ({"model.99.weight": torch.zeros(1)}, "unknown tensor 'model.99.weight'"),
        ({"model2_1.1.weight": torch.zeros(1)}, "two local enhancers"),
        ({f"model.{n}.conv_block.1.weight": None for n in (10, 11)}, "no residual blocks"),
        ({"model.5.conv_block.1.weight": torch.zeros(1)}, "blocks begin at 'model.5'; expected 4"),
    ],
)
def test_unfit_tensors_are_refused_with_their_name(tmp_path, change, reason):
    state = global_generator(**PLAIN, affine=True)
    for name, tensor in change.items():
        if tensor is None:
            del state[name]
        else:
            state[name] = tensor
    with pytest.raises(CheckpointError, match=reason):
        load(saved(tmp_path / "a", state))


def test_each_family_recognises_its_own_files_and_no_others(tmp_path, oracles):
    spade = oracles / "spade" / "cityscapes_ngf16" / "latest_net_G.pth"
    vid2vid = oracles / "vid2vid" / "s1_fg" / "latest_net_G0.pth"
    own = saved(tmp_path / "x", global_generator(**PLAIN, affine=False))
    formats = (spade_checkpoint, vid2vid_checkpoint, pix2pixhd_checkpoint)
    found = [[one.sniff(file) for one in formats] for file in (spade, vid2vid, own)]
    assert found == [[True, False, False], [False, True, False], [False, False, True]]


def test_a_file_of_something_else_is_told_what_would_have_been_read(tmp_path):
    (tmp_path / "a").write_bytes(b"no model")
    assert not sniff(tmp_path / "a")
    with pytest.raises(CheckpointError, match="none of the translators that neuroview reads"):
        open_any(tmp_path / "a")
    with pytest.raises(CheckpointError, match="is a folder"):
        open_any(tmp_path)


def test_a_network_saved_inside_a_data_parallel_is_read(tmp_path):
    state = {f"module.{name}": tensor for name, tensor in global_generator(**PLAIN, affine=True).items()}
    assert load(saved(tmp_path / "a", state)).config.width == 4


def test_halving_averages_only_neighbours_that_exist():
    from neuroview.models.layers.translation import halve

    x = torch.rand(1, 2, 6, 8)
    torch.testing.assert_close(halve(x), halved(x))
    assert F.mse_loss(halve(torch.ones(1, 1, 4, 4)), torch.ones(1, 1, 2, 2)) == 0

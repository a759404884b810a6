"""Identities: what an inverted photo leaves in a side file, and the bent generator that goes with it."""

from __future__ import annotations

import pytest
import torch
from neuroview.engine.editing.errors import EditError
from neuroview.engine.editing.identity import Identity, identity_codes, identity_parameters
from neuroview.engine.editing.pivotal import MOST_NUMBERS, Tuning, tunable, tuned
from neuroview.engine.editing.side_files import SideFiles
from neuroview.engine.state import Camera
from neuroview.models.catalog import open_generator
from small_families import small_eg3d
from spheres import SphereGenerator


@pytest.fixture(scope="module")
def heads():
    return open_generator("heads")


@pytest.fixture
def small():
    return small_eg3d()


@pytest.fixture
def files(tmp_path):
    return SideFiles(tmp_path)


def test_an_identity_reads_back_as_it_was_stored(files) -> None:
    camera = Camera(yaw=0.3, pitch=-0.1, pivot=(0.0, 0.01, 0.0))
    made = Identity(torch.rand(12, 256), {"decoder.net.0.weight": torch.rand(4, 5)}, camera, 26.5, "me.jpg", "abc")
    name = made.store(files)
    found = Identity.load(SideFiles(files.folder), name)
    assert torch.equal(found.codes, made.codes)
    assert torch.allclose(
        found.parameters["decoder.net.0.weight"].float(), made.parameters["decoder.net.0.weight"], atol=1e-3
    )
    assert (found.camera, found.quality, found.title, found.fingerprint) == (camera, 26.5, "me.jpg", "abc")


def test_codes_and_parameters_can_be_asked_for_alone(files) -> None:
    name = Identity(torch.ones(2, 3), {"a": torch.ones(2)}).store(files)
    assert torch.equal(identity_codes(files, name), torch.ones(2, 3))
    assert list(identity_parameters(files, name)) == ["a"]


def test_a_missing_identity_is_said_to_be_missing(files) -> None:
    with pytest.raises(EditError, match="missing"):
        identity_codes(files, "0" * 64)


def test_an_edit_is_no_identity(files) -> None:
    name = files.put({"codes": torch.ones(2, 3)}, "edit", {})
    with pytest.raises(EditError, match="holds 'edit'"):
        identity_codes(files, name)


@pytest.mark.parametrize(
    "about", [{}, {"camera": "{}", "quality": "1"}, {"camera": '{"neuroview": 99}', "quality": "1"}]
)
def test_an_identity_of_another_version_is_said_to_be_one(files, about) -> None:
    name = files.put({"codes": torch.ones(2, 3)}, "identity", about)
    with pytest.raises(EditError, match="another version"):
        Identity.load(files, name)


def test_tuning_takes_the_tensors_nearest_to_the_picture(heads) -> None:
    names = tunable(heads)
    assert "decoder.net.0.weight" in names
    assert "superresolution.block1.torgb.weight" in names
    assert "backbone.synthesis.b128.conv1.weight" in names
    assert not any("affine" in name or "mapping" in name for name in names)


def test_deltas_fit_into_four_megabytes(heads) -> None:
    sizes = dict(heads.network.named_parameters())
    assert sum(sizes[name].numel() for name in tunable(heads)) <= MOST_NUMBERS


def test_tuning_trains_a_copy(small) -> None:
    before = small.network.decoder.net[0].weight.detach().clone()
    tuning = Tuning(small)
    tuning.start_training()
    optimiser = tuning.optimiser()
    codes = small.codes(0)
    tuning.generator.scene(codes).field(torch.zeros(10, 3))[1].mean().backward()
    optimiser.step()
    assert torch.equal(small.network.decoder.net[0].weight, before)
    assert tuning.deltas()["decoder.net.0.weight"].abs().max() > 0
    assert tuning.distance() > 0


def test_a_generator_with_deltas_is_the_trained_copy(small) -> None:
    tuning = Tuning(small, ["decoder.net.2.bias"])
    with torch.no_grad():
        dict(tuning.generator.network.named_parameters())["decoder.net.2.bias"].add_(0.25)
    bent = tuned(small, tuning.deltas())
    points = torch.rand(50, 3) * 0.4
    with torch.no_grad():
        codes = small.codes(0)
        wanted = tuning.generator.scene(codes).field(points)[1]
        assert torch.allclose(bent.scene(codes).field(points)[1], wanted, atol=1e-3)
        assert not torch.allclose(small.scene(codes).field(points)[1], wanted, atol=1e-2)


def test_no_deltas_leave_the_generator_itself(heads) -> None:
    assert tuned(heads, {}) is heads
    assert Tuning(heads).deltas() == {}


def test_deltas_of_another_model_are_refused_by_name(heads) -> None:
    with pytest.raises(EditError, match=r"decoder\.net\.0\.weight of \(2, 2\)"):
        tuned(heads, {"decoder.net.0.weight": torch.ones(2, 2)})


def test_a_generator_bent_while_only_looking_can_be_trained_later(small) -> None:
    with torch.inference_mode():
        bent = tuned(small, {"decoder.net.2.bias": torch.zeros(9)})
    codes = bent.codes(0).clone().requires_grad_(True)
    bent.scene(codes).field(torch.zeros(4, 3))[1].mean().backward()
    assert codes.grad is not None


def test_a_generator_without_a_network_has_nothing_to_tune() -> None:
    assert tunable(SphereGenerator()) == ()

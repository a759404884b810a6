"""The networks that distances are measured over: FID's Inception from a file, and the parameter regressor."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from neuroview.engine.training.metrics.inception import FEATURES, Inception, load_inception
from neuroview.engine.training.metrics.regressor import (
    FEATURES as REGRESSED,
)
from neuroview.engine.training.metrics.regressor import ParameterRegressor, Reference, load_reference, save
from neuroview.engine.training.metrics.train_regressor import targets, trained
from neuroview.engine.training.picture_teachers import TEACHERS, HeadsTeacher, open_teacher
from neuroview.engine.training.teacher_pictures import drawn_pictures, write_pictures
from neuroview.models.errors import CheckpointError, NeuroviewError
from safetensors.torch import save_file


@pytest.fixture(scope="module")
def inception() -> dict[str, torch.Tensor]:
    """A state dict of the right shapes, with what published files also hold."""
    torch.manual_seed(0)
    tensors = Inception().state_dict()
    norms = [name.removesuffix("running_mean") for name in tensors if name.endswith("running_mean")]
    more = {f"{name}num_batches_tracked": torch.tensor(0) for name in norms}
    return {**tensors, **more, "fc.weight": torch.zeros(1008, FEATURES), "fc.bias": torch.zeros(1008)}


def test_inception_has_as_many_weights_as_published():
    with torch.device("meta"):
        network = Inception()
    # 27.16 million with 1000 classes and the auxiliary head, 21.79 without either.
    assert sum(p.numel() for p in network.parameters()) == 21_785_568
    assert network.Mixed_7c.branch3x3dbl_1.conv.weight.shape == (448, 2048, 1, 1)


def test_a_state_dict_is_read_and_gives_2048_features(inception, tmp_path):
    torch.save(inception, tmp_path / "i.pth")
    network = load_inception(tmp_path / "i.pth")
    with torch.inference_mode():
        features = network(torch.rand(1, 3, 16, 16))
    assert features.shape == (1, FEATURES)
    assert float(features.min()) >= 0  # means of rectified values


def test_safetensors_are_read_as_well(inception, tmp_path):
    save_file(inception, str(tmp_path / "i.safetensors"))
    torch.testing.assert_close(
        load_inception(tmp_path / "i.safetensors").Conv2d_1a_3x3.conv.weight, inception["Conv2d_1a_3x3.conv.weight"]
    )


def test_torchvisions_own_weights_are_refused(inception, tmp_path):
    torch.save({**inception, "fc.weight": torch.zeros(1000, FEATURES)}, tmp_path / "i.pth")
    with pytest.raises(CheckpointError, match="1000 classes, FID's weights have 1008"):
        load_inception(tmp_path / "i.pth")


def test_weights_of_another_shape_are_named(inception, tmp_path):
    torch.save({**inception, "Mixed_5b.branch1x1.conv.weight": torch.zeros(64, 3, 1, 1)}, tmp_path / "i.pth")
    with pytest.raises(CheckpointError, match=r"Mixed_5b.branch1x1.conv.weight' has shape \(64, 3, 1, 1\)"):
        load_inception(tmp_path / "i.pth")


def test_a_pickled_module_is_not_run(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "i.pth")
    with pytest.raises(CheckpointError, match="code, which is not run"):
        load_inception(tmp_path / "i.pth")


def reference() -> Reference:
    torch.manual_seed(0)
    return Reference("heads", ParameterRegressor(5).eval(), np.zeros(REGRESSED), np.eye(REGRESSED), 100)


def test_a_regressor_is_read_back(tmp_path):
    made = reference()
    save(tmp_path / "r.safetensors", made, torch.float32)
    found = load_reference("heads", tmp_path / "r.safetensors")
    pictures = torch.rand(2, 3, 128, 128)
    np.testing.assert_allclose(found.features(pictures), made.features(pictures), atol=1e-6)
    assert found.pictures == 100
    assert found.distance(np.random.RandomState(0).randn(4000, REGRESSED)) < 1.5


def test_a_file_that_is_no_regressor_is_refused(tmp_path):
    save_file({"a": torch.zeros(2)}, str(tmp_path / "r.safetensors"))
    with pytest.raises(CheckpointError, match="has format None"):
        load_reference("heads", tmp_path / "r.safetensors")


def test_a_teacher_without_a_regressor_is_told_how_to_make_one():
    with pytest.raises(CheckpointError, match="train_regressor --teacher nobody"):
        load_reference("nobody")


def test_a_regressor_learns_to_read_what_is_shown(capsys):
    torch.manual_seed(0)
    wanted = torch.rand(200, 3) * 2 - 1
    pictures = ((wanted[:, :, None, None] * 0.5 + 0.5) * 255).round().byte().expand(200, 3, 64, 64).contiguous()
    _, scores = trained(pictures, torch.cat([wanted, wanted], 1), 25)
    assert scores["explained"] > 0.3
    assert capsys.readouterr().out


@pytest.mark.parametrize("name", list(TEACHERS))
def test_a_teachers_pictures_come_with_cameras_and_meaning(name):
    teacher = open_teacher(name)
    (pictures, labels, z), *_ = drawn_pictures(teacher, 2, 16, seed=3)
    assert pictures.shape == (2, 3, 16, 16)
    assert labels.shape == (2, 25)
    parameters = teacher.parameters(z)
    assert 0 <= float(parameters.min()) <= float(parameters.max()) <= 1
    assert targets(teacher, labels, z).shape == (2, parameters.shape[1] + 3)
    (again, _, _), *_ = drawn_pictures(teacher, 2, 16, seed=3)
    assert torch.equal(pictures, again)


def test_teacher_pictures_are_written_as_a_gan_reads_them(tmp_path):
    from neuroview.engine.training.image_folder import ImageFolder, border_is_white

    done = list(write_pictures(HeadsTeacher(), tmp_path / "heads.zip", 3, 16))
    assert done == [3]
    data = ImageFolder(tmp_path / "heads.zip")
    assert (len(data), data.posed, data.size) == (3, True, 16)
    assert border_is_white(data)


def test_an_unknown_teacher_is_refused():
    with pytest.raises(NeuroviewError, match="there are heads"):
        open_teacher("nobody")

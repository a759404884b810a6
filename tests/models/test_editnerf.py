"""EditNeRF: official files read as they are written, folded without loss, codes that mix, cameras beside the file."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from editnerf_files import Independent, write
from neuroview.engine.latents import layer_weights, mix_codes
from neuroview.engine.state import Latents
from neuroview.models.base import Configurable, Generator, Posed, RadianceField
from neuroview.models.catalog import families, open_generator
from neuroview.models.editnerf_field import EditNeRFField
from neuroview.models.editnerf_generator import EditNeRFGenerator
from neuroview.models.editnerf_setting import DATA_SETS
from neuroview.models.errors import CheckpointError
from neuroview.models.formats import editnerf_checkpoint

RUN = "style_dim = 64\nblender_near = 0.\nblender_far = 10.\nN_samples = 32\nN_importance = 16\n"


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def opened(path, theirs: Independent | None = None, **more) -> EditNeRFGenerator:
    made = open_generator(str(write(path / "model.tar", theirs or Independent(), **more)))
    assert isinstance(made, EditNeRFGenerator)
    return made


def somewhere(count=50):
    return torch.randn(count, 3), torch.nn.functional.normalize(torch.randn(count, 3), dim=-1)


def field_of(generator: EditNeRFGenerator, seed=0) -> EditNeRFField:
    field = generator.scene(generator.codes(seed)).field
    assert isinstance(field, EditNeRFField)
    return field


@pytest.mark.parametrize(
    "sizes",
    [{}, {"shared": 0}, {"shared": 2}, {"density": 3}, {"colour": 4, "depth": 2}, {"octaves": 0}],
)
@pytest.mark.parametrize("legacy", [False, True])
def test_sizes_are_told_by_the_tensors_and_folding_loses_nothing(tmp_path, sizes, legacy):
    theirs = Independent(**sizes)
    ours = opened(tmp_path, theirs, legacy=legacy)
    assert isinstance(ours, Generator)
    codes, (points, views) = ours.codes(1), somewhere()
    field = ours.scene(codes).field
    assert isinstance(field, EditNeRFField)
    assert isinstance(field, RadianceField)
    raw, rgb = theirs(points, views, *codes)
    for found_raw, found_rgb in (
        field(points, views),
        (field.density(points), field.colour(field.trunk(points)[1], views)),
    ):
        torch.testing.assert_close(found_raw, raw, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(found_rgb, rgb, atol=1e-5, rtol=0)


def test_one_direction_for_all_is_as_good_as_many_that_are_equal(tmp_path):
    field = field_of(opened(tmp_path))
    points, views = somewhere()
    _, told = field.trunk(points)
    same = field.colour(told, views[:1].expand(50, 3))
    torch.testing.assert_close(same, field.colour(told, views[:1].repeat(50, 1)), atol=1e-6, rtol=0)


def test_a_seed_is_a_training_instance_and_comes_again_after_the_last(tmp_path):
    ours = opened(tmp_path, instances=3)
    assert torch.equal(ours.codes(4), ours.codes(1))
    assert not torch.equal(ours.codes(0), ours.codes(1))
    assert torch.equal(ours.codes(2).flatten(), ours.styles[2].flatten())
    assert ours.first_identity.seeds == (0, 1)
    assert opened(tmp_path, instances=1).first_identity.seeds == (0, 0)


def test_transfers_are_mixing_of_one_of_the_two_codes(tmp_path):
    ours = opened(tmp_path)
    a, b = ours.codes(0), ours.codes(1)
    shape = mix_codes(a, b, layer_weights(ours, Latents(mix_geometry=1.0, mix_appearance=0.0)))
    assert torch.equal(shape, torch.stack([b[0], a[1]]))
    half = mix_codes(a, b, layer_weights(ours, Latents(mix_geometry=0.0, mix_appearance=0.5)))
    torch.testing.assert_close(half, torch.stack([a[0], (a[1] + b[1]) / 2]))


def test_density_comes_from_the_shape_code_alone(tmp_path):
    ours = opened(tmp_path)
    a, b = ours.codes(0), ours.codes(1)
    points, views = somewhere()
    one, two = ours.scene(a).field(points, views), ours.scene(torch.stack([a[0], b[1]])).field(points, views)
    assert torch.equal(one[0], two[0])
    assert not torch.allclose(one[1], two[1])


def test_truncation_leads_to_the_mean_of_all_instances(tmp_path):
    ours = opened(tmp_path)
    torch.testing.assert_close(ours.codes(1, truncation=0.0), ours.styles.mean(0))
    torch.testing.assert_close(ours.codes(1, truncation=0.0, cutoff=1)[1], ours.codes(1)[1])
    ours.codes(1, truncation=0.0)
    assert torch.equal(ours.codes(1), ours.styles[1])


def test_a_run_with_one_code_for_both_tells_it_twice(tmp_path):
    ours = opened(tmp_path, width=6)
    assert torch.equal(ours.codes(0)[0], ours.codes(0)[1])


def test_without_a_fine_network_the_coarse_one_is_the_scene(tmp_path):
    ours = opened(tmp_path, network_fine_state_dict=None)
    scene = ours.scene(ours.codes(0))
    assert scene.proposal is None
    assert scene.volume.fine == 0


def test_gradients_reach_codes_points_and_weights_where_they_are_wanted(tmp_path):
    ours = opened(tmp_path)
    codes, (points, views) = ours.codes(0).requires_grad_(), somewhere()
    field = ours.scene(codes).field
    assert isinstance(field, EditNeRFField)
    raw, rgb = field(points, views)
    (raw.sum() + rgb.sum()).backward()
    assert codes.grad is not None
    assert codes.grad.abs().sum(dim=1).min() > 0
    plain_raw, plain_rgb = field_of(ours)(points, views)
    torch.testing.assert_close(raw.detach(), plain_raw, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(rgb.detach(), plain_rgb, atol=1e-5, rtol=0)
    assert not plain_rgb.requires_grad


def test_what_a_colour_edit_trains_leaves_the_trunk_as_it_was(tmp_path):
    field = field_of(opened(tmp_path)).copy()
    points, views = somewhere()
    before, colours = field.trunk(points), field(points, views)[1]
    for parameter in field.colour_parameters().values():
        parameter.data.add_(0.1)
    after = field.refreshed()
    for one, two in zip(before, after.trunk(points), strict=True):
        assert torch.equal(one, two)
    assert not torch.allclose(colours, after(points, views)[1])


def test_what_a_shape_edit_trains_leaves_the_shape_features_as_they_were(tmp_path):
    field = field_of(opened(tmp_path)).copy()
    points, _ = somewhere()
    features, raw = field.shape_features(points), field.density(points)
    torch.testing.assert_close(field.fuse(features)[0], raw, atol=1e-5, rtol=1e-4)
    for parameter in field.shape_parameters().values():
        parameter.data.add_(0.1)
    assert torch.equal(field.shape_features(points), features)
    assert not torch.allclose(field.refreshed().density(points), raw)


def test_editing_a_copy_leaves_the_other_instances_alone(tmp_path):
    ours = opened(tmp_path)
    points, views = somewhere()
    before = field_of(ours, 1)(points, views)[1]
    for parameter in field_of(ours).copy().colour_parameters().values():
        parameter.data.add_(1.0)
    assert torch.equal(field_of(ours, 1)(points, views)[1], before)


def test_a_copy_of_a_field_that_was_made_for_looking_can_be_trained(tmp_path):
    ours = opened(tmp_path)
    with torch.inference_mode():
        field = field_of(ours)
    field, (points, views) = field.copy(), somewhere()
    told = field.trunk(points)[1].detach()
    trained = field.colour_parameters()
    for parameter in trained.values():
        parameter.requires_grad_(True)
    field.colour(told, views).sum().backward()
    assert all(parameter.grad is not None for parameter in trained.values())


def test_no_other_family_takes_such_a_file_for_its_own(tmp_path):
    path = write(tmp_path / "model.tar", Independent())
    assert [family.title for family in families() if family.sniff(path)] == ["EditNeRF checkpoint"]
    torch.save({"network_fn_state_dict": {"pts_linears.0.weight": torch.zeros(2, 2)}}, path)
    assert not editnerf_checkpoint.sniff(path)


def test_the_camera_of_a_data_set_is_guessed_from_the_folder_and_can_be_chosen(tmp_path):
    ours = opened(tmp_path / "cars")
    assert math.degrees(ours.camera.fov) == pytest.approx(30)
    assert isinstance(ours, Configurable)
    chairs = ours.configure({"preset": "dosovitskiy_chairs"})
    assert chairs.setting.volume.near == 60
    assert chairs.card.configuration["camera of"] == "dosovitskiy_chairs"
    assert chairs.configure({}).setting == ours.setting
    with pytest.raises(CheckpointError, match="expected preset = photoshapes"):
        ours.configure({"preset": "dogs"})


@pytest.mark.parametrize("name", DATA_SETS)
def test_every_official_data_set_has_a_camera_inside_its_ranges(name):
    setting = DATA_SETS[name]
    camera, volume = setting.camera, setting.volume
    assert camera.pitch_range[0] <= camera.pitch <= camera.pitch_range[1]
    assert camera.radius_range[0] <= camera.radius <= camera.radius_range[1]
    assert volume.near is not None
    assert volume.far is not None
    assert volume.near < camera.radius < volume.far


@pytest.mark.parametrize("folder", ["run", "run/real_chair"])
def test_the_runs_options_give_ray_limits_and_samples(tmp_path, folder):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.txt").write_text(RUN)
    volume = opened(tmp_path / folder).setting.volume
    assert (volume.near, volume.far, volume.coarse, volume.fine) == (0.0, 10.0, 32, 16)
    assert volume.white_background


def test_another_programs_config_is_passed_over(tmp_path):
    (tmp_path / "config.txt").write_text("blender_near = nonsense\n")
    assert opened(tmp_path).setting.volume.near == 2.0


def test_impossible_options_beside_the_file_are_named(tmp_path):
    (tmp_path / "config.txt").write_text(RUN.replace("10.", "wide"))
    with pytest.raises(CheckpointError, match="blender_far is 'wide'"):
        opened(tmp_path)


def test_training_cameras_beside_the_file_are_the_first_instances(tmp_path):
    poses = np.tile(np.eye(4), (6, 1, 1))
    poses[:, 2, 3] = [4, 5, 6, 7, 8, 9]
    np.save(tmp_path / "poses.npy", poses)
    np.save(tmp_path / "hwfs.npy", np.tile([32.0, 32.0, 40.0], (6, 1)))
    ours = opened(tmp_path, instances=3)
    assert isinstance(ours, Posed)
    assert len(ours.poses) == 2
    assert [pose.cam2world[2] for pose in ours.poses] == [(0.0, 0.0, -1.0, 4.0), (0.0, 0.0, -1.0, 5.0)]
    assert math.tan(ours.camera.fov / 2) == pytest.approx(16 / 40)


def test_focal_lengths_in_half_pictures_are_those_of_the_crop(tmp_path):
    np.save(tmp_path / "poses.npy", np.eye(4)[None])
    np.save(tmp_path / "hwfs.npy", [[256.0, 256.0, 1.2913]])
    ours = opened(tmp_path)
    assert ours.poses[0].intrinsics[0][0] == pytest.approx(1.2913 / 2 * 200 / 128)


@pytest.mark.parametrize(
    ("poses", "sizes", "words"),
    [
        (np.zeros((2, 3)), np.ones((2, 3)), "poses.npy has shape"),
        (np.full((2, 4, 4), np.nan), np.ones((2, 3)), "not finite"),
        (np.tile(np.eye(4), (2, 1, 1)), np.ones((1, 3)), "expected as many"),
        (np.tile(np.eye(4), (2, 1, 1)), np.zeros((2, 3)), "no size"),
        (np.array([{}]), np.ones((2, 3)), "not a readable array"),
    ],
)
def test_damaged_cameras_beside_the_file_are_named(tmp_path, poses, sizes, words):
    np.save(tmp_path / "poses.npy", poses, allow_pickle=True)
    np.save(tmp_path / "hwfs.npy", sizes)
    with pytest.raises(CheckpointError, match=words):
        opened(tmp_path)


def test_a_missing_or_misshapen_tensor_is_named(tmp_path):
    theirs = Independent()
    del theirs.state["bottleneck_linear.bias"]
    with pytest.raises(CheckpointError, match=r"network_fn_state_dict.*bottleneck_linear\.bias.*missing"):
        opened(tmp_path, theirs)
    theirs = Independent()
    theirs.state["fusion_network.1.0.weight"] = torch.zeros(3, 7)
    with pytest.raises(CheckpointError, match=r"fusion_network\.1\.0\.weight.*\(3, 7\), expected \(16, 16\)"):
        opened(tmp_path, theirs)
    theirs = Independent()
    del theirs.state["rgb_network.0.0.weight"]
    with pytest.raises(CheckpointError, match=r"lacks the tensor 'rgb_network\.0\.0\.weight'"):
        opened(tmp_path, theirs)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"width": 7}, r"\[3, 7\], expected \[instances, 12\]"),
        ({"styles": None}, "expected 'network_fn_state_dict' and 'styles'"),
        ({"styles": torch.full((3, 12), torch.nan)}, "not finite"),
        ({"network_fine_state_dict": Independent(code=4).state}, "expected the same"),
        ({"network_fine_state_dict": {}}, "expected names with tensors"),
    ],
)
def test_codes_and_networks_that_do_not_fit_are_named(tmp_path, more, words):
    with pytest.raises(CheckpointError, match=words):
        opened(tmp_path, **more)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"output_linear.weight": torch.zeros(4, 16)}, "no use_viewdirs"),
        ({"instance_network.0.0.weight": torch.zeros(16, 21)}, "without use_styles"),
        ({"mean_network.0.weight": torch.zeros(16, 20)}, "leaves 20 inputs for an encoding"),
    ],
)
def test_variants_that_are_not_supported_are_refused_by_name(tmp_path, change, words):
    theirs = Independent()
    theirs.state |= change
    with pytest.raises(CheckpointError, match=words):
        opened(tmp_path, theirs)


def test_codes_of_another_shape_and_colour_without_a_direction_are_refused(tmp_path):
    ours = opened(tmp_path)
    with pytest.raises(ValueError, match=r"expected \(2, 6\)"):
        ours.scene(torch.zeros(2, 5))
    with pytest.raises(ValueError, match="directions are None"):
        field_of(ours)(torch.zeros(1, 3))

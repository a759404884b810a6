"""nerfstudio's `nerfacto` (torch) and `vanilla-nerf` mean what its own code computes; its config.yml builds nothing.

Numbers marked as official were computed by nerfstudio 1.1.5 itself from the tensors that `filled` makes.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from neuroview.engine.camera import camera_matrices
from neuroview.engine.rendering.exact import render_exact
from neuroview.engine.state import first_state
from neuroview.models.base import Generator, Posed
from neuroview.models.catalog import open_generator
from neuroview.models.errors import CheckpointError, UnsafePickle
from neuroview.models.formats import nerfstudio_checkpoint
from neuroview.models.formats.nerfstudio_config import read_config
from neuroview.models.hashgrid import HashGridLayout, spherical_harmonics
from test_cameras_beside import transforms
from test_hashgrid import scalar_tiny_cuda_nn
from torch import Tensor

LEVELS, FEATURES, LOG2_SIZE, BASE, FINEST = 5, 2, 8, 16, 100
WIDTH, GEOMETRY, APPEARANCE = 16, 7, 4
CONFIG = """!!python/object:nerfstudio.engine.trainer.TrainerConfig
_target: !!python/name:nerfstudio.engine.trainer.Trainer ''
data: !!python/object/apply:pathlib.PosixPath
- data
- poster
experiment_name: poster
logging: !!python/object:nerfstudio.configs.base_config.LoggingConfig
  local_writer: !!python/object:nerfstudio.configs.base_config.LocalWriterConfig
    stats_to_track: !!python/tuple
    - !!python/object/apply:nerfstudio.utils.writer.EventName
      - Train Iter (time)
method_name: nerfacto
pipeline: !!python/object:nerfstudio.pipelines.base_pipeline.VanillaPipelineConfig
  model: !!python/object:nerfstudio.models.nerfacto.NerfactoModelConfig
    _target: !!python/name:nerfstudio.models.nerfacto.NerfactoModel ''
    average_init_density: 0.01
    background_color: last_sample
    num_proposal_samples_per_ray: !!python/tuple
    - 24
    - 12
    num_nerf_samples_per_ray: 8
    use_average_appearance_embedding: true
"""


def filled(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Tensors that need no random generator: waves, smaller where many add up."""
    made = {}
    for name, shape in shapes.items():
        count = math.prod(shape)
        wave = torch.sin(torch.arange(count, dtype=torch.float64) * 0.7 + len(name))
        size = 1.0 if len(shape) == 1 or "hash" in name else 2.0 / shape[-1] ** 0.5
        made[name] = (size * wave).reshape(shape).float()
    return made


def layers(prefix: str, widths: list[int]) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for index, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        shapes |= {f"{prefix}.{index}.weight": (outputs, inputs), f"{prefix}.{index}.bias": (outputs,)}
    return shapes


def nerfacto_state(base: tuple[str, str] = ("mlp_base.model.0", "mlp_base.model.1")) -> dict[str, Tensor]:
    """`_model.field` and one proposal network, with the buffers of sizes."""
    shapes = {"field.mlp_base.model.0.hash_table": (LEVELS << LOG2_SIZE, FEATURES)}
    shapes |= layers("field.mlp_base.model.1.layers", [LEVELS * FEATURES, WIDTH, 1 + GEOMETRY])
    shapes |= layers("field.mlp_head.layers", [16 + GEOMETRY + APPEARANCE, WIDTH, WIDTH, 3])
    shapes["field.embedding_appearance.embedding.weight"] = (3, APPEARANCE)
    shapes["proposal_networks.0.mlp_base.0.hash_table"] = (4 << 7, 2)
    shapes |= layers("proposal_networks.0.mlp_base.1.layers", [8, WIDTH, 1])
    state = filled(shapes)
    state |= {"field.aabb": torch.tensor([[-1.0] * 3, [1.0] * 3]), "field.max_res": torch.tensor(FINEST)}
    state |= {"field.num_levels": torch.tensor(LEVELS), "field.log2_hashmap_size": torch.tensor(LOG2_SIZE)}
    state |= {"proposal_networks.0.max_res": torch.tensor(64), "device_indicator_param": torch.zeros(0)}
    state["proposal_networks.0.encoding.hash_table"] = state["proposal_networks.0.mlp_base.0.hash_table"]
    renamed = {"mlp_base.model.0": base[0], "mlp_base.model.1": base[1]}
    for new, name in renamed.items():
        state = {key.replace(f"field.{new}.", f"field.{name}."): value for key, value in state.items()}
    return {f"_model.{key}": value for key, value in state.items()}


def vanilla_state() -> dict[str, Tensor]:
    shapes = {}
    for network in ("field_coarse", "field_fine"):
        trunk = layers(f"{network}.mlp_base.layers", [63, *[WIDTH] * 8])
        trunk[f"{network}.mlp_base.layers.4.weight"] = (WIDTH, WIDTH + 63)
        shapes |= trunk
        shapes |= layers(f"{network}.mlp_head.layers", [27 + WIDTH, 12, 12])
        shapes |= {f"{network}.field_output_density.net.weight": (1, WIDTH)}
        shapes |= {f"{network}.field_output_density.net.bias": (1,)}
        shapes |= {f"{network}.field_heads.0.net.weight": (3, 12), f"{network}.field_heads.0.net.bias": (3,)}
    return {f"_model.{key}": value for key, value in filled(shapes).items()}


def run(folder: Path, state: object, config: str | None = CONFIG) -> Path:
    """A run's folder as nerfstudio leaves it; returns the checkpoint."""
    (folder / "nerfstudio_models").mkdir(parents=True)
    if config is not None:
        (folder / "config.yml").write_text(config)
    file = folder / "nerfstudio_models" / "step-000029999.ckpt"
    contents = {"step": 29999, "pipeline": state, "optimizers": {}, "schedulers": {}, "scalers": {"scale": 1.0}}
    torch.save(contents, file)
    return file


POINTS = torch.tensor([[0.1, -0.2, 0.3], [-0.7, 0.6, 0.9], [1.5, -0.4, 0.2], [-3.0, 8.0, -40.0], [0.45, 0.05, -0.6]])
LOOKS = torch.nn.functional.normalize(
    torch.tensor([[0.2, 0.5, -1.0], [1.0, 0.0, 0.0], [-0.3, -0.8, 0.1], [0.0, 1.0, 1.0], [-1.0, 0.4, 0.6]]), dim=-1
)
OFFICIAL_DENSITY = [6.2732615e-05, 7.1061542e-05, 0.00043511091, 0.000164955, 0.003113054]
OFFICIAL_RGB = [
    [0.5799979, 0.77633, 0.4300811],
    [0.5792515, 0.7827393, 0.4345492],
    [0.5782478, 0.7716854, 0.4291987],
    [0.6311792, 0.7848198, 0.383219],
    [0.6649762, 0.7974287, 0.3559031],
]
OFFICIAL_PROPOSAL = [0.0074116127, 0.0025802529, 0.025553873, 0.025529526, 0.014136632]
OFFICIAL_VANILLA_DENSITY = [0.48129225, 0.4644258, 0.55829072]
OFFICIAL_VANILLA_RGB = [
    [0.3171061, 0.6914663, 0.8665929],
    [0.3361863, 0.696344, 0.853278],
    [0.278562, 0.728412, 0.8663589],
]


def test_nerfacto_is_what_nerfstudio_computes(tmp_path):
    generator = open_generator(str(run(tmp_path / "poster", nerfacto_state())))
    scene = generator.scene(generator.codes(0))
    raw, rgb = scene.field(POINTS, LOOKS)
    torch.testing.assert_close(raw.exp(), torch.tensor(OFFICIAL_DENSITY), rtol=2e-5, atol=0)
    torch.testing.assert_close(rgb, torch.tensor(OFFICIAL_RGB), rtol=0, atol=2e-6)
    proposed = scene.proposal.density(POINTS).exp()
    torch.testing.assert_close(proposed, torch.tensor(OFFICIAL_PROPOSAL), rtol=2e-5, atol=0)


def test_vanilla_nerf_is_what_nerfstudio_computes(tmp_path):
    generator = open_generator(str(run(tmp_path / "lego", vanilla_state(), None)))
    assert generator.card.family == "vanilla-nerf"
    scene = generator.scene(generator.codes(0))
    raw, rgb = scene.field(POINTS[:3], LOOKS[:3])
    assert scene.volume.activation == "softplus"
    density = torch.nn.functional.softplus(raw)
    torch.testing.assert_close(density, torch.tensor(OFFICIAL_VANILLA_DENSITY), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(rgb, torch.tensor(OFFICIAL_VANILLA_RGB), rtol=0, atol=1e-5)


def test_vanilla_samples_are_the_centres_of_nerfstudios_bins(tmp_path):
    volume = open_generator(str(run(tmp_path / "lego", vanilla_state(), None))).volume
    assert volume.near == pytest.approx(2 + 2 / 64)
    assert volume.far == pytest.approx(6 - 2 / 64)
    assert volume.last_interval == pytest.approx(4 / 64)
    assert volume.white_background


@pytest.mark.parametrize("base", [("mlp_base.0", "mlp_base.1"), ("mlp_base_grid", "mlp_base_mlp")])
def test_older_names_of_the_same_tensors_are_known(tmp_path, base):
    new = open_generator(str(run(tmp_path / "new", nerfacto_state()))).scene(torch.zeros(0, 0))
    old = open_generator(str(run(tmp_path / "old", nerfacto_state(base)))).scene(torch.zeros(0, 0))
    assert torch.equal(new.field.density(POINTS), old.field.density(POINTS))


def test_without_a_configuration_nerfstudios_defaults_are_taken(tmp_path):
    given = open_generator(str(run(tmp_path / "a", nerfacto_state())))
    guessed = open_generator(str(run(tmp_path / "b", nerfacto_state(), None)))
    assert torch.equal(
        given.scene(torch.zeros(0, 0)).field.density(POINTS), guessed.scene(torch.zeros(0, 0)).field.density(POINTS)
    )
    assert (given.card.name, guessed.card.name) == ("poster", "b")
    assert (given.volume.coarse, given.volume.fine) == (24, 8)
    assert (guessed.volume.coarse, guessed.volume.fine) == (256, 48)


def test_the_appearance_embedding_is_averaged_or_left_out_as_the_run_says(tmp_path):
    text = CONFIG.replace("use_average_appearance_embedding: true", "use_average_appearance_embedding: false")
    mean = open_generator(str(run(tmp_path / "a", nerfacto_state()))).scene(torch.zeros(0, 0)).field
    none = open_generator(str(run(tmp_path / "b", nerfacto_state(), text))).scene(torch.zeros(0, 0)).field
    state = nerfacto_state()
    state["_model.field.embedding_appearance.embedding.weight"].zero_()
    zero = open_generator(str(run(tmp_path / "c", state))).scene(torch.zeros(0, 0)).field
    assert not torch.allclose(mean(POINTS, LOOKS)[1], none(POINTS, LOOKS)[1], atol=1e-3)
    torch.testing.assert_close(zero(POINTS, LOOKS)[1], none(POINTS, LOOKS)[1])


def test_a_scene_without_contraction_ends_at_its_box(tmp_path):
    text = CONFIG + "    disable_scene_contraction: true\n"
    field = open_generator(str(run(tmp_path / "a", nerfacto_state(), text))).scene(torch.zeros(0, 0)).field
    assert field.bounds == ((-1.0,) * 3, (1.0,) * 3)
    assert (field.density(POINTS) > -50).tolist() == [True, True, False, False, True]


def test_it_renders_and_light_that_nothing_stopped_takes_the_last_samples_colour(tmp_path):
    generator = open_generator(str(run(tmp_path / "a", nerfacto_state())))
    assert isinstance(generator, Generator)
    scene = generator.scene(generator.codes(0))
    cam2world, intrinsics = camera_matrices(first_state("a", generator.camera, None).camera, generator.camera)
    with torch.inference_mode():
        seen = render_exact(scene, cam2world, intrinsics, resolution=6)
    torch.testing.assert_close(seen.alpha, torch.ones(6, 6))
    assert bool(torch.isfinite(seen.features).all())


def test_cameras_of_the_data_are_moved_as_training_moved_them(tmp_path):
    file = run(tmp_path / "poster", nerfacto_state())
    transforms(tmp_path / "poster" / "transforms.json", 3)
    (tmp_path / "poster" / "dataparser_transforms.json").write_text(
        '{"transform": [[1,0,0,0],[0,1,0,0],[0,0,1,-0.5]], "scale": 0.25}'
    )
    generator = open_generator(str(file))
    assert isinstance(generator, Posed)
    position = np.array(generator.poses[0].cam2world)[:3, 3]
    expected = 4 * np.array([math.cos(0.4) * math.cos(0.5), math.sin(0.4) * math.cos(0.5), math.sin(0.5)])
    np.testing.assert_allclose(position, 0.25 * (expected - [0, 0, 0.5]), atol=1e-9)
    cam2world, _ = camera_matrices(first_state("a", generator.camera, None).camera, generator.camera)
    np.testing.assert_allclose(cam2world, generator.poses[0].cam2world, atol=1e-6)


def packed_state() -> dict[str, Tensor]:
    """`nerfacto` as tiny-cuda-nn stores it: 15 features, hidden layers of 16, appearance of 4; a proposal apart."""
    grid = HashGridLayout(3, 2, 9, 4, math.exp(math.log(12 / 4) / 2))
    proposal = HashGridLayout(2, 2, 8, 4, 2.0)
    shapes = {
        # 6 features padded to 16, 16 outputs; 16 + 15 + 4 inputs padded to 48, two hidden layers, 3 outputs padded.
        "field.mlp_base.model.params": (16 * 16 + 16 * 16 + grid.parameters,),
        "field.mlp_head.tcnn_encoding.params": (16 * 48 + 16 * 16 + 16 * 16,),
        "proposal_networks.0.mlp_base.0.tcnn_encoding.params": (proposal.parameters,),
        "proposal_networks.0.mlp_base.1.tcnn_encoding.params": (16 * 16 + 16 * 16,),
    }
    state = {key: 0.4 * value for key, value in filled(shapes).items()}
    state |= filled({"field.embedding_appearance.embedding.weight": (3, 4)})
    state |= {"field.aabb": torch.tensor([[-1.0] * 3, [1.0] * 3]), "field.max_res": torch.tensor(12)}
    state |= {"field.num_levels": torch.tensor(3), "field.log2_hashmap_size": torch.tensor(9)}
    state |= {f"proposal_networks.0.{k}": torch.tensor(v) for k, v in (("max_res", 8), ("num_levels", 2))}
    state["proposal_networks.0.log2_hashmap_size"] = torch.tensor(8)
    return {f"_model.{key}": value for key, value in state.items()}


PACKED_CONFIG = (
    CONFIG
    + """    base_res: 4
    hidden_dim: 16
    hidden_dim_color: 16
    proposal_net_args_list:
    - base_res: 4
      hidden_dim: 16
"""
)


def test_networks_of_tiny_cuda_nn_are_taken_apart(tmp_path):
    state = packed_state()
    scene = open_generator(str(run(tmp_path / "a", state, PACKED_CONFIG))).scene(torch.zeros(0, 0))
    raw, rgb = scene.field(POINTS, LOOKS)
    proposed = scene.proposal.density(POINTS)

    def matrices(name: str, shapes: list[tuple[int, int]]) -> tuple[list[np.ndarray], list[float]]:
        numbers = state[f"_model.{name}"].double().numpy()
        made, start = [], 0
        for rows, columns in shapes:
            made.append(numbers[start : start + rows * columns].reshape(rows, columns))
            start += rows * columns
        return made, numbers[start:].tolist()

    (first, last), grid = matrices("field.mlp_base.model.params", [(16, 16), (16, 16)])
    head, _ = matrices("field.mlp_head.tcnn_encoding.params", [(16, 48), (16, 16), (16, 16)])
    (in_, out), _ = matrices("proposal_networks.0.mlp_base.1.tcnn_encoding.params", [(16, 16), (16, 16)])
    _, other = matrices("proposal_networks.0.mlp_base.0.tcnn_encoding.params", [])
    appearance = state["_model.field.embedding_appearance.embedding.weight"].double().numpy().mean(0)
    layout = HashGridLayout(3, 2, 9, 4, math.exp(math.log(12 / 4) / 2))
    smaller = HashGridLayout(2, 2, 8, 4, 2.0)
    for index, (point, look) in enumerate(zip(POINTS.double().numpy(), LOOKS.double(), strict=True)):
        size = np.abs(point).max()
        unit = ((point if size < 1 else (2 - 1 / size) * point / size) + 2) / 4
        outputs = last @ np.maximum(first @ [*scalar_tiny_cuda_nn(unit.tolist(), layout, grid), *[0.0] * 10], 0)
        assert float(raw[index]) == pytest.approx(outputs[0] + math.log(0.01), abs=1e-4)
        harmonics = spherical_harmonics(look[None])[0].numpy()
        hidden = np.maximum(head[0] @ np.concatenate([harmonics, outputs[1:16], appearance, np.ones(13)]), 0)
        logits = (head[2] @ np.maximum(head[1] @ hidden, 0))[:3]
        np.testing.assert_allclose(rgb[index], 1 / (1 + np.exp(-logits)), atol=1e-5)
        encoded = scalar_tiny_cuda_nn(unit.tolist(), smaller, other)
        expected = (out @ np.maximum(in_ @ [*encoded, *[1.0] * 12], 0))[0] + math.log(0.01)
        assert float(proposed[index]) == pytest.approx(expected, abs=1e-4)


def test_sizes_that_do_not_account_for_every_number_are_refused(tmp_path):
    with pytest.raises(
        CheckpointError, match=r"'mlp_base.model.params' has shape \[\d+\], expected \[\d+\] for a network"
    ):
        open_generator(
            str(run(tmp_path / "a", packed_state(), PACKED_CONFIG.replace("hidden_dim: 16", "hidden_dim: 32")))
        )


def changed(name: str, value: Tensor | None) -> dict[str, Tensor]:
    state = {key: tensor for key, tensor in nerfacto_state().items() if key != f"_model.{name}"}
    return state if value is None else {**state, f"_model.{name}": value}


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (changed("field.mlp_base.model.0.hash_table", None), r"lacks the tensor 'mlp_base.model.0.hash_table'"),
        (
            changed("field.mlp_base.model.0.hash_table", torch.zeros(1281, 2)),
            r"shape \[1281, 2\], expected \[levels \*",
        ),
        (
            changed("field.mlp_base.model.1.layers.1.bias", None),
            r"lacks the tensor 'mlp_base.model.1.layers.1.bias' of sh",
        ),
        (changed("field.mlp_head.layers.0.weight", torch.zeros(16, 9)), r"shape \[16, 9\], expected \[any, 27\]"),
        (changed("field.mlp_head.layers.2.weight", torch.zeros(4, 16)), r"shape \[4, 16\], expected \[3, any\]|bias"),
        (changed("field.max_res", torch.tensor(1)), "resolutions run from 16 to 1"),
        (changed("field.mlp_head.layers.1.bias", torch.full((16,), math.nan)), "not finite"),
        (
            changed("field.mlp_base.params", torch.zeros(99)),
            r"'mlp_base.params' has shape \[99\], expected \[\d+\] for a net",
        ),
        ({"_model.gauss_params.means": torch.zeros(3, 3)}, "model of gauss_params; only 'nerfacto' and 'vanilla-nerf'"),
        ({k: v for k, v in vanilla_state().items() if "fine.field_heads" not in k}, "'field_heads.0.net.weight'"),
        ({k: v for k, v in vanilla_state().items() if "coarse" not in k}, "field_coarse lacks the tensor"),
        (
            vanilla_state() | {"_model.field_fine.mlp_base.layers.2.weight": torch.zeros(16, 18)},
            r"\[16, 18\], expected \[16, 16\]",
        ),
        ([1, 2], "has no 'pipeline'"),
    ],
)
def test_unfit_tensors_are_named_with_found_and_expected(tmp_path, state, reason):
    with pytest.raises(CheckpointError, match=reason):
        nerfstudio_checkpoint.open_generator(run(tmp_path / "a", state))


def test_files_cut_short_are_refused_at_any_length(tmp_path):
    file = run(tmp_path / "a", nerfacto_state())
    assert nerfstudio_checkpoint.sniff(file)
    data = file.read_bytes()
    for length in (0, 4, 100, len(data) // 2, len(data) - 30):
        file.write_bytes(data[:length])
        with pytest.raises(CheckpointError):
            nerfstudio_checkpoint.open_generator(file)


class Hostile:
    def __reduce__(self):
        return os.system, ("exit 1",)


def test_a_checkpoint_that_names_code_runs_nothing(tmp_path):
    with pytest.raises(UnsafePickle, match="system"):
        nerfstudio_checkpoint.open_generator(run(tmp_path / "a", {"_model.field.aabb": Hostile()}))


def test_tags_of_python_objects_become_plain_data(tmp_path):
    (tmp_path / "config.yml").write_text(CONFIG)
    config = read_config(tmp_path / "config.yml")
    assert config["data"] == ["data", "poster"]
    assert config["_target"] == "name:nerfstudio.engine.trainer.Trainer"
    assert config["logging"]["local_writer"]["stats_to_track"] == [["Train Iter (time)"]]
    assert config["pipeline"]["model"]["num_proposal_samples_per_ray"] == [24, 12]


HOSTILE_YAML = [
    "!!python/object/apply:os.system ['touch {mark}']",
    "!!python/object/new:os.system [touch {mark}]",
    "a: !!python/object/apply:subprocess.check_output [[touch, '{mark}']]",
    "a: !!python/object/apply:builtins.exec\n  args: [\"open('{mark}', 'w')\"]",
    "!!python/module:os",
    "a: !!python/name:os.system",
    "a: !ruby/object:Gem::Installer {{i: x}}",
    "a: &a [*a]",
    "[" * 50_000,
    "a: {{" + "b: {{" * 3000,
    "k0: &k0 {{x: 1}}\n" + "\n".join(f"k{i}: &k{i} {{{{<<: [*k{i - 1}, *k{i - 1}]}}}}" for i in range(1, 60)),
    "\x00\x01",
    "- 1\n- 2",
    "a: [1, 2",
    "? [1, 2]\n: 3",
]


@pytest.mark.parametrize("text", HOSTILE_YAML)
def test_hostile_yaml_is_refused_or_inert(tmp_path, text):
    mark = tmp_path / "mark"
    (tmp_path / "config.yml").write_text(text.format(mark=mark))
    config = {}
    with contextlib.suppress(CheckpointError):
        config = read_config(tmp_path / "config.yml")
    assert all(isinstance(value, (str, int, float, list, dict, type(None))) for value in config.values())
    assert not mark.exists()


@pytest.mark.parametrize(
    "line",
    [
        "average_init_density: -1",
        "average_init_density: .nan",
        "near_plane: !!python/tuple [1]",
        "num_nerf_samples_per_ray: 1000000",
    ],
)
def test_impossible_settings_are_named(tmp_path, line):
    text = "pipeline:\n  model:\n    " + line + "\n"
    with pytest.raises(CheckpointError, match=f"config.yml: {line.split(':')[0]} is"):
        open_generator(str(run(tmp_path / "a", nerfacto_state(), text)))


def test_a_damaged_configuration_is_named_and_a_huge_one_not_read(tmp_path):
    with pytest.raises(CheckpointError, match="config.yml is not readable YAML"):
        open_generator(str(run(tmp_path / "a", nerfacto_state(), "a: [")))
    with pytest.raises(CheckpointError, match="config.yml has more than"):
        open_generator(str(run(tmp_path / "b", nerfacto_state(), "#" * (1 << 19))))

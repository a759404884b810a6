"""instant-ngp snapshots are read as tiny-cuda-nn lays them out; every test writes its own, none is a published one."""

from __future__ import annotations

import contextlib
import gzip
import math
import time

import msgpack
import numpy as np
import pytest
import snapshots
import torch
from neuroview.engine.camera import camera_matrices
from neuroview.engine.rendering.exact import render_exact
from neuroview.engine.rendering.occupancy import build_occupancy
from neuroview.engine.state import first_state
from neuroview.models.base import Generator, Posed
from neuroview.models.catalog import open_generator
from neuroview.models.errors import CheckpointError
from neuroview.models.formats import instant_ngp, msgpack_reader
from neuroview.models.hashgrid import HashGridLayout
from neuroview.models.hashgrid_field import EMPTY
from test_cameras_beside import transforms
from test_hashgrid import scalar_tiny_cuda_nn


def scalar_field(world: list[float], direction: list[float]) -> tuple[float, list[float]]:
    """Density per world unit and colour at one point, from the bytes of the snapshot, in plain Python."""
    numbers = snapshots.parameters().astype(float).tolist()
    matrices, start = {}, 0
    for name, (rows, columns) in snapshots.shapes().items():
        matrices[name] = [numbers[start + r * columns : start + (r + 1) * columns] for r in range(rows)]
        start += rows * columns

    def through(name: str, values: list[float]) -> list[float]:
        return [sum(w * v for w, v in zip(row, values, strict=True)) for row in matrices[name]]

    def relu(values: list[float]) -> list[float]:
        return [max(v, 0.0) for v in values]

    x, y, z = (snapshots.SCALE * w + o for w, o in zip(world, snapshots.OFFSET, strict=True))
    layout = HashGridLayout(snapshots.LEVELS, snapshots.FEATURES, snapshots.LOG2_SIZE, snapshots.BASE, snapshots.GROWTH)
    encoded = scalar_tiny_cuda_nn([y, z, x], layout, numbers[start:])
    density = through("density out", relu(through("density 0", encoded + [0.0] * 8)))
    a, b, c = direction[1], direction[2], direction[0]
    harmonics = [
        0.28209479,
        *(-0.48860251 * b, 0.48860251 * c, -0.48860251 * a),
        *(1.09254843 * a * b, -1.09254843 * b * c, 0.94617470 * c * c - 0.31539157, -1.09254843 * a * c),
        *(0.54627422 * (a * a - b * b), 0.59004359 * b * (b * b - 3 * a * a), 2.89061144 * a * b * c),
        *(0.45704580 * b * (1 - 5 * c * c), 0.37317633 * c * (5 * c * c - 3), 0.45704580 * a * (1 - 5 * c * c)),
        *(1.44530572 * c * (a * a - b * b), 0.59004359 * a * (3 * b * b - a * a)),
    ]
    hidden = relu(through("colour 1", relu(through("colour 0", density + harmonics))))
    colour = [1 / (1 + math.exp(-v)) for v in through("colour out", hidden)[:3]]
    return math.exp(density[0]) * snapshots.SCALE, colour


@pytest.mark.parametrize("ending", ["msgpack", "ingp", "zlib"])
def test_a_snapshot_is_the_function_that_its_bytes_describe(tmp_path, ending):
    file = snapshots.written(tmp_path / f"fox.{ending}", snapshots.snapshot())
    assert instant_ngp.sniff(file)
    generator = open_generator(str(file))
    scene = generator.scene(generator.codes(0))
    random = np.random.default_rng(3)
    where = random.uniform(-1.4, 1.4, (25, 3))
    looks = random.normal(size=(25, 3))
    looks /= np.linalg.norm(looks, axis=1, keepdims=True)
    raw, rgb = scene.field(torch.from_numpy(where).float(), torch.from_numpy(looks).float())
    for i in range(25):
        density, colour = scalar_field(where[i].tolist(), looks[i].tolist())
        assert float(raw[i].exp()) == pytest.approx(density, rel=2e-4)
        assert rgb[i].tolist() == pytest.approx(colour, abs=2e-5)


def test_single_precision_numbers_are_read_too(tmp_path):
    full = snapshots.parameters().astype("<f4").tobytes()
    half = open_generator(str(snapshots.written(tmp_path / "a.msgpack", snapshots.snapshot())))
    other = snapshots.snapshot(params_binary=full, params_type="float")
    single = open_generator(str(snapshots.written(tmp_path / "b.msgpack", other)))
    where = torch.rand(30, 3) - 0.5
    assert torch.equal(
        half.scene(half.codes(0)).field.density(where), single.scene(single.codes(0)).field.density(where)
    )


def test_the_generator_fulfils_the_contract_and_knows_its_cameras(tmp_path):
    generator = open_generator(str(snapshots.written(tmp_path / "fox.ingp", snapshots.snapshot())))
    assert isinstance(generator, Generator)
    assert isinstance(generator, Posed)
    assert (generator.card.name, generator.card.family) == ("fox", "instant-ngp")
    assert generator.card.training["iterations"] == 1234
    assert generator.to("cpu") is generator
    assert [pose.name for pose in generator.poses] == ["r_0.png", "r_1.png", "r_2.png"]
    pose = generator.poses[0]
    # Camera 0 stands at (0.5, 0.5, 1.7) and looks along -z; the world's x, y, z are instant-ngp's z, x, y.
    matrix = np.array(pose.cam2world)
    np.testing.assert_allclose(matrix[:3, 3], [1.2 / 0.33, 0.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(matrix[:3, 2], [-1.0, 0.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(matrix[:3, 1], [0.0, 0.0, -1.0], atol=1e-12)
    assert np.linalg.det(matrix[:3, :3]) == pytest.approx(1.0)
    assert pose.intrinsics[0][0] == pytest.approx(400 / 320)
    assert pose.intrinsics[1][1] == pytest.approx(400 / 200)


def test_the_first_view_is_the_one_that_was_saved(tmp_path):
    generator = open_generator(str(snapshots.written(tmp_path / "fox.ingp", snapshots.snapshot())))
    state = first_state("fox", generator.camera, None)
    cam2world, intrinsics = camera_matrices(state.camera, generator.camera)
    np.testing.assert_allclose(cam2world, np.array(generator.poses[0].cam2world), atol=1e-6)
    assert intrinsics[1, 1] == pytest.approx(1.0)
    assert generator.camera.up == "z"


def test_without_a_saved_view_the_first_training_camera_is_taken(tmp_path):
    generator = open_generator(str(snapshots.written(tmp_path / "a.ingp", snapshots.snapshot(camera=None))))
    cam2world, _ = camera_matrices(first_state("a", generator.camera, None).camera, generator.camera)
    np.testing.assert_allclose(cam2world, np.array(generator.poses[0].cam2world), atol=1e-6)


def test_a_snapshot_without_its_data_set_takes_the_cameras_beside_it(tmp_path):
    document = snapshots.snapshot(camera=None)
    del document["snapshot"]["nerf"]["dataset"]
    transforms(tmp_path / "transforms.json", 2)
    generator = open_generator(str(snapshots.written(tmp_path / "a.ingp", document)))
    assert [pose.name for pose in generator.poses] == ["r_0", "r_1"]
    cam2world, _ = camera_matrices(first_state("a", generator.camera, None).camera, generator.camera)
    np.testing.assert_allclose(cam2world, np.array(generator.poses[0].cam2world), atol=1e-6)


def test_cells_that_training_found_empty_are_empty(tmp_path):
    held = {(x, y, z) for x in (5, 6) for y in (7, 8, 9) for z in (3,)}
    document = snapshots.snapshot(density_grid_binary=snapshots.density_grid(held))
    generator = open_generator(str(snapshots.written(tmp_path / "a.ingp", document)))
    field = generator.scene(generator.codes(0)).field
    side = snapshots.SIDE
    cells = torch.tensor([[x, y, z] for x in range(side) for y in range(side) for z in range(side)])
    unit = (cells + 0.5) / side
    world = (unit[:, [2, 0, 1]] - 0.5) / snapshots.SCALE
    found = (field.density(world) > EMPTY).nonzero()[:, 0]
    assert {tuple(cell) for cell in cells[found].tolist()} == held
    low, high = np.array(field.bounds)
    np.testing.assert_allclose(low, (np.array([3, 5, 7]) / side - 0.5) / snapshots.SCALE, atol=1e-6)
    np.testing.assert_allclose(high, (np.array([4, 7, 10]) / side - 0.5) / snapshots.SCALE, atol=1e-6)


def test_a_larger_box_has_cascades(tmp_path):
    aabb = {"min": [-0.5] * 3, "max": [1.5] * 3}
    document = snapshots.snapshot(
        aabb=aabb, render_aabb=aabb, density_grid_binary=snapshots.density_grid({(1, 8, 8)}, cascades=2)
    )
    document["snapshot"]["nerf"]["aabb_scale"] = 2
    generator = open_generator(str(snapshots.written(tmp_path / "a.ingp", document)))
    field = generator.scene(generator.codes(0)).field
    # Cell 1 of the outer cascade spans instant-ngp's x from -0.375 to -0.25; of the inner one from .0625 to .125.
    for x, there in ((-0.3, True), (-0.45, False), (0.1, True), (0.2, False)):
        world = (torch.tensor([[0.53, x, 0.53]]) - 0.5) / snapshots.SCALE
        assert bool(field.density(world)[0] > EMPTY) == there


def test_it_renders_and_the_occupancy_is_found(tmp_path):
    held = {(x, y, z) for x in range(6, 10) for y in range(6, 10) for z in range(6, 10)}
    document = snapshots.snapshot(density_grid_binary=snapshots.density_grid(held))
    generator = open_generator(str(snapshots.written(tmp_path / "a.ingp", document)))
    scene = generator.scene(generator.codes(0))
    pose = generator.poses[1]
    with torch.inference_mode():
        seen = render_exact(scene, np.array(pose.cam2world), np.array(pose.intrinsics), resolution=12, samples=0.25)
        grid = build_occupancy(scene.field, scene.volume, resolution=16)
    assert 0.0 < float(seen.alpha.mean()) < 1.0
    assert bool(torch.isfinite(seen.features).all())
    assert float(seen.features[:, 0, 0].min()) > 0.99  # a corner shows the white background
    assert not grid.empty


def changed(section: str, **values) -> dict:
    document = snapshots.snapshot()
    document[section] = {**document[section], **values}
    return document


def dataset(**values) -> dict:
    document = snapshots.snapshot()
    document["snapshot"]["nerf"]["dataset"].update(values)
    return document


def lacking(section: str) -> dict:
    return {key: value for key, value in snapshots.snapshot().items() if key != section}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (snapshots.snapshot(params_binary=b"\0" * 100), r"holds 50 numbers, expected \d+: 512 for 'network', 1024 for"),
        (snapshots.snapshot(params_binary=b"\0" * 101), "101 bytes, no whole number"),
        (snapshots.snapshot(params_binary=None), "lacks snapshot.params_binary"),
        (snapshots.snapshot(params_binary=b"\xff" * 2 * len(snapshots.parameters())), "numbers that are not finite"),
        (snapshots.snapshot(params_type="double"), "params_type is 'double', expected one of"),
        (snapshots.snapshot(version=0), "version is '0', expected 1 or more"),
        (snapshots.snapshot(mode="sdf"), "mode 'sdf'; only 'nerf'"),
        (snapshots.snapshot(density_grid_binary=b"\0" * 50), "density_grid_binary has 50 bytes, expected 8192"),
        (snapshots.snapshot(density_grid_size=99), "density_grid_size is 99, expected 128"),
        (snapshots.snapshot(aabb={"min": [1, 1, 1], "max": [0, 0, 0]}), "expected a box with a min and a greater max"),
        (changed("encoding", otype="Frequency"), "only HashGrid is supported"),
        (changed("encoding", type="Tiled"), "only HashGrid is supported"),
        (changed("encoding", n_levels=1 << 20), "n_levels is '1048576', expected an integer from 1 to 64"),
        (changed("encoding", hash="Rng"), "encoding.hash is 'rng'"),
        (changed("encoding", per_level_scale=1e9), "impossible sizes"),
        (changed("dir_encoding", otype="OneBlob"), "only SphericalHarmonics of degree 4"),
        (changed("network", activation="Sine"), "network.activation is 'sine'; supported: relu"),
        (changed("network", otype="KAN"), "a network is of kind 'kan'"),
        (changed("rgb_network", n_hidden_layers=-1), "n_hidden_layers is '-1'"),
        (lacking("rgb_network"), "lacks the configuration 'rgb_network'"),
        (lacking("snapshot"), "version is 'None'"),
        (dataset(is_hdr=True), "HDR pictures"),
        (dataset(n_extra_learnable_dims=16), "latents per picture"),
        (dataset(scale=0), "scale or offset"),
    ],
)
def test_what_is_not_supported_is_named_with_what_was_expected(tmp_path, document, reason):
    with pytest.raises(CheckpointError, match=reason):
        instant_ngp.open_generator(snapshots.written(tmp_path / "a.msgpack", document))


@pytest.mark.parametrize("ending", ["msgpack", "ingp"])
def test_files_cut_short_are_refused_at_any_length(tmp_path, ending):
    file = snapshots.written(tmp_path / f"a.{ending}", snapshots.snapshot())
    data = file.read_bytes()
    for length in (0, 1, 20, 400, len(data) // 2, len(data) - 20):
        file.write_bytes(data[:length])
        with pytest.raises(CheckpointError):
            instant_ngp.open_generator(file)


def test_garbled_bytes_are_refused_or_read_but_never_crash(tmp_path):
    file = snapshots.written(tmp_path / "a.msgpack", snapshots.snapshot())
    data, random = file.read_bytes(), np.random.default_rng(0)
    for _ in range(60):
        garbled = bytearray(data)
        for position in random.integers(0, 3000, 3):
            garbled[position] = random.integers(0, 256)
        file.write_bytes(garbled)
        with contextlib.suppress(CheckpointError):
            instant_ngp.open_generator(file)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (msgpack.packb({"snapshot": {"camera": msgpack.ExtType(5, b"code")}}), "extension type 5"),
        (b"\x81\xa8snapshot\x81\xa6camera" + b"\x91" * 100_000 + b"\xc0", "damaged or no MessagePack"),
        (b"\xdf\xff\xff\xff\xff\xa1a", "keys; expected at most"),
        (b"\x81\xa8snapshot\xdf\x00\x00\x00\x01\xa1a", "damaged or no MessagePack"),
        (b"\x81\xa8snapshot\xc6\xff\xff\xff\xff", "damaged or no MessagePack"),
        (b"\x81\x01\x02", "no text"),
        (b"\xc0", "damaged or no MessagePack"),
    ],
)
def test_hostile_documents_are_refused_at_once(tmp_path, document, reason):
    (tmp_path / "a.msgpack").write_bytes(document)
    start = time.perf_counter()
    with pytest.raises(CheckpointError, match=reason):
        instant_ngp.open_generator(tmp_path / "a.msgpack")
    assert time.perf_counter() - start < 2


def test_a_file_that_unpacks_to_far_more_than_itself_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(msgpack_reader, "_SLACK", 1 << 16)
    monkeypatch.setattr(msgpack_reader, "_STEP", 1 << 16)
    (tmp_path / "a.ingp").write_bytes(gzip.compress(b"\xc6" + b"\0" * (1 << 22)))
    with pytest.raises(CheckpointError, match="unpacks to more than"):
        instant_ngp.open_generator(tmp_path / "a.ingp")


def test_long_metadata_is_refused_before_it_is_built(tmp_path, monkeypatch):
    monkeypatch.setattr(msgpack_reader, "LONGEST_METADATA", 1000)
    document = snapshots.snapshot(camera={"matrix": [0] * 5000})
    with pytest.raises(CheckpointError, match="snapshot.camera is .* bytes long; at most 1000"):
        instant_ngp.open_generator(snapshots.written(tmp_path / "a.msgpack", document))

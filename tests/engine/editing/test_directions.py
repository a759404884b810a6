"""Directions: named changes of the codes, shipped or found by PCA."""

from __future__ import annotations

import pytest
import torch
from neuroview.engine.editing.code_statistics import CodeStatistics
from neuroview.engine.editing.directions import (
    Direction,
    apply_directions,
    asset_path,
    directions_of,
    principal_directions,
    read_directions,
    write_directions,
)
from neuroview.engine.editing.errors import EditError
from neuroview.engine.editing.side_files import SideFiles
from neuroview.models.catalog import open_generator, shipped
from spheres import SphereGenerator


@pytest.fixture(scope="module")
def heads():
    return open_generator("heads")


def colour_at(generator, codes, points):
    with torch.no_grad():
        return generator.scene(codes).field(points)


def test_the_heads_have_named_directions_of_both_kinds(heads, tmp_path) -> None:
    found = directions_of(heads, "heads", SideFiles(tmp_path))
    names = {direction.name for direction in found}
    assert {"Glasses", "Hat", "Hair length", "Smile", "Skin", "Shirt hue"} <= names
    assert {direction.about for direction in found} == {"shape", "colour"}
    assert not list(tmp_path.iterdir()), "shipped directions need no file of the person's own"


def test_the_shipped_directions_belong_to_the_shipped_weights(heads) -> None:
    assert read_directions(asset_path("heads"))[1] == heads.card.fingerprint


def test_shipped_directions_are_no_model(heads) -> None:
    assert "directions" not in shipped()
    assert asset_path("heads").stat().st_size < 300_000


def test_a_shape_direction_leaves_the_appearance_layers_alone(heads) -> None:
    for direction in read_directions(asset_path("heads"))[0]:
        still = heads.appearance_layers if direction.about == "shape" else heads.geometry_layers
        assert not direction.delta[list(still)].any(), direction.name
        assert direction.delta.any(), direction.name


def test_a_colour_direction_moves_no_density_of_the_heads(heads) -> None:
    found = read_directions(asset_path("heads"))[0]
    points = (torch.rand(4000, 3, generator=torch.Generator().manual_seed(0)) - 0.5) * 0.6
    codes = heads.codes(2, truncation=0.7)
    plain, _ = colour_at(heads, codes, points)
    moved, _ = colour_at(heads, apply_directions(codes, found, [("Shirt hue", 1.5)]), points)
    reshaped, _ = colour_at(heads, apply_directions(codes, found, [("Hat", 3.0)]), points)
    solid = plain > 0
    assert ((moved > 0) == solid).float().mean() > 0.995
    assert ((reshaped > 0) == solid).float().mean() < 0.98


def test_glasses_can_be_taken_off_again(heads) -> None:
    found = read_directions(asset_path("heads"))[0]
    codes = heads.codes(2)
    there = apply_directions(codes, found, [("Glasses", 2.0)])
    assert torch.allclose(apply_directions(there, found, [("Glasses", -2.0)]), codes, atol=1e-5)


def test_no_amounts_leave_the_codes_as_they_are() -> None:
    codes = torch.rand(2, 3)
    assert apply_directions(codes, (), ()) is codes


def test_an_unknown_direction_is_said_by_name() -> None:
    with pytest.raises(EditError, match=r"no direction 'Moustache'.*Hat"):
        apply_directions(torch.zeros(2, 3), [Direction("Hat", torch.zeros(2, 3))], [("Moustache", 1.0)])


def test_a_direction_of_another_model_is_refused() -> None:
    with pytest.raises(EditError, match=r"\(4, 5\)"):
        apply_directions(torch.zeros(2, 3), [Direction("Hat", torch.zeros(4, 5))], [("Hat", 1.0)])


def test_any_other_generator_gets_principal_directions_and_keeps_them(tmp_path) -> None:
    generator = SphereGenerator()
    found = directions_of(generator, "elsewhere.pkl", SideFiles(tmp_path))
    assert {direction.name for direction in found} == {
        "Shape 1",
        "Shape 2",
        "Shape 3",
        "Colour 1",
        "Colour 2",
        "Colour 3",
    }
    (kept,) = tmp_path.iterdir()
    written = kept.stat().st_mtime_ns
    again = directions_of(generator, "elsewhere.pkl", SideFiles(tmp_path))
    assert kept.stat().st_mtime_ns == written
    assert all(torch.allclose(a.delta, b.delta, atol=1e-3) for a, b in zip(found, again, strict=True))


def test_a_damaged_file_of_directions_is_made_again(tmp_path) -> None:
    directions_of(SphereGenerator(), "elsewhere.pkl", SideFiles(tmp_path))
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(b"nothing")
    assert len(directions_of(SphereGenerator(), "elsewhere.pkl", SideFiles(tmp_path))) == 6
    assert len(read_directions(kept)[0]) == 6


def test_nothing_is_computed_when_that_is_not_wanted(tmp_path) -> None:
    assert directions_of(SphereGenerator(), "elsewhere.pkl", SideFiles(tmp_path), compute=False) == ()


def test_a_generator_without_latents_has_no_directions(tmp_path) -> None:
    generator = SphereGenerator()
    generator.num_layers = 0
    assert directions_of(generator, "lego", SideFiles(tmp_path)) == ()


def test_a_principal_direction_is_one_standard_deviation_long() -> None:
    found = principal_directions(SphereGenerator())
    # Uniform in an interval of one half: a deviation of .5 / sqrt(12) along every axis.
    assert all(abs(float(direction.delta.norm()) - 0.5 / 12**0.5) < 0.01 for direction in found)


def test_directions_read_back_as_they_were_written(tmp_path) -> None:
    made = (Direction("Hat", torch.rand(2, 3), "shape", 0.25, 2.0), Direction("Skin", torch.rand(2, 3), "colour", 0.1))
    write_directions(tmp_path / "d.safetensors", made, "abc")
    found, fingerprint = read_directions(tmp_path / "d.safetensors")
    assert fingerprint == "abc"
    assert [(d.name, d.about, d.explained, d.limit) for d in found] == [
        ("Hat", "shape", 0.25, 2.0),
        ("Skin", "colour", 0.1, 3.0),
    ]
    assert torch.allclose(found[0].delta, made[0].delta, atol=1e-3)


def test_codes_and_their_coefficients_turn_into_each_other(heads) -> None:
    statistics = CodeStatistics.of(heads, seeds=400)
    codes = heads.codes(7)
    near = statistics.codes(statistics.coefficients(codes))
    assert float((near - codes).square().mean() / codes.square().mean()) < 0.05


def test_coefficients_of_a_generators_own_codes_have_unit_variance(heads) -> None:
    statistics = CodeStatistics.of(heads, seeds=600, most=20)
    found = torch.stack([statistics.coefficients(heads.codes(seed)) for seed in range(300)])
    assert found.mean().abs() < 0.1
    assert abs(float(found.std()) - 1) < 0.1


def test_statistics_of_some_layers_leave_the_others_alone(heads) -> None:
    statistics = CodeStatistics.of(heads, layers=(7, 8), seeds=200, most=5)
    assert not statistics.axes[:, :7].any()
    assert torch.allclose(statistics.axes.flatten(1).norm(dim=1), torch.ones(5), atol=1e-4)

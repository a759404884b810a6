"""The built town: what the renderer and the simulation may rely on."""

from __future__ import annotations

import time

import numpy as np
import pytest
from neuroview.engine.driving.town.build import build_town
from neuroview.engine.driving.town.buildings import GROUND_FLOOR, STOREY
from neuroview.engine.driving.town.furniture import LAMP_RADIUS
from neuroview.engine.driving.town.plan import (
    BLOCK_HALF,
    BLOCKS,
    KERB,
    LANE,
    PARKED,
    PERIOD,
    ROAD_HALF,
    SIZE,
    STOP,
    signal_group,
)
from neuroview.engine.driving.town.scene import EGO, VERTEX, Chunk, Material
from neuroview.engine.driving.town.styles import code
from neuroview.engine.driving.town.town import Town
from neuroview.models.tints import codes

TAGS = {1, 2, 3, 5, 6, 7, 8, 9, 10, 12, 14}
GROUND_TAGS = (1, 2, 10)


@pytest.fixture(scope="module")
def town() -> Town:
    return build_town(0)


@pytest.fixture(scope="module")
def other() -> Town:
    return build_town(1)


def _triangles(town: Town) -> np.ndarray:
    """[T, 3] rows of VERTEX, in full detail."""
    still = town.scene.still
    ranges = [still.indices[chunk.first : chunk.first + chunk.count] for chunk in town.scene.chunks]
    return still.vertices[np.concatenate(ranges).reshape(-1, 3)]


def _meshes(town: Town) -> list:
    return [town.scene.still, *town.scene.cars, *town.scene.people]


def _off_grid(values: np.ndarray) -> np.ndarray:
    """Distance to the nearest street's centre line."""
    return np.abs((values + PERIOD / 2) % PERIOD - PERIOD / 2)


def _footprints(solids: np.ndarray) -> np.ndarray:
    """[n, 4, 2]: the corners of solids."""
    x, y, long, wide, yaw = solids.T.astype(float)
    corners = []
    for a, b in ((1, 1), (1, -1), (-1, -1), (-1, 1)):
        u, v = a * long, b * wide
        corners.append(np.stack([x + np.cos(yaw) * u - np.sin(yaw) * v, y + np.sin(yaw) * u + np.cos(yaw) * v], 1))
    return np.stack(corners, 1)


def test_every_mesh_has_valid_vertices_and_whole_triangles(town: Town) -> None:
    for mesh in _meshes(town):
        assert mesh.vertices.dtype == VERTEX
        assert mesh.indices.dtype == np.uint32
        assert len(mesh.indices) % 3 == 0
        assert mesh.indices.max() == len(mesh.vertices) - 1
        for name in VERTEX.names or ():
            assert np.isfinite(mesh.vertices[name]).all(), name
        assert np.allclose(np.linalg.norm(mesh.vertices["normal"], axis=1), 1, atol=2e-2)


def test_materials_tags_and_instances_are_known_ones(town: Town) -> None:
    for mesh in _meshes(town):
        assert set(np.unique(mesh.vertices["material"])) <= {float(m) for m in Material}
        assert set(np.unique(mesh.vertices["tag"])) <= TAGS
    still = town.scene.still.vertices
    ground = np.isin(still["tag"], GROUND_TAGS)
    assert (still["instance"][ground] == 0).all()
    others = still["instance"][~ground]
    assert others.min() >= 16
    assert others.max() < town.next_instance < EGO


def test_every_thing_has_an_instance_of_its_own_tag_and_one_place(town: Town) -> None:
    still = town.scene.still.vertices
    things = still[still["instance"] > 0]
    order = np.argsort(things["instance"], kind="stable")
    things = things[order]
    starts = np.flatnonzero(np.r_[True, np.diff(things["instance"]) > 0])
    for name in ("position", "tag"):
        low = np.minimum.reduceat(things[name], starts)
        high = np.maximum.reduceat(things[name], starts)
        limit = 0 if name == "tag" else PERIOD
        assert (high - low).max() <= limit


def test_what_moves_has_instance_zero_and_stands_on_the_ground(town: Town) -> None:
    for mesh in (*town.scene.cars, *town.scene.people):
        assert (mesh.vertices["instance"] == 0).all()
        assert abs(mesh.vertices["position"][:, 2].min()) < 0.02


def test_a_car_is_as_long_and_wide_as_its_body_says(town: Town) -> None:
    assert len(town.bodies) == len(town.scene.cars) == len(town.parked) >= 4
    for body, mesh in zip(town.bodies, town.scene.cars, strict=True):
        low, high = mesh.vertices["position"].min(0), mesh.vertices["position"].max(0)
        assert abs(high[0] - low[0] - body.length) < 0.08, body.name
        assert abs(high[0] + low[0]) < 0.08, body.name
        # Mirrors stand out.
        assert 0 <= high[1] - low[1] - body.width < 0.5, body.name
        assert 300 <= len(mesh.indices) // 3 <= 800


def test_a_walker_has_two_marked_legs_and_nothing_else_swings(town: Town) -> None:
    for mesh in town.scene.people:
        vertices = mesh.vertices
        legs = vertices["material"] == Material.LEGS
        sides = vertices["uv"][:, 0]
        assert set(np.unique(sides[legs])) == {-1.0, 1.0}
        assert (sides[~legs] == 0).all()
        left = legs & (sides > 0)
        assert vertices["position"][left, 1].mean() > 0.03
        assert np.allclose(vertices["uv"][legs, 1], vertices["position"][legs, 2], atol=1e-5)


def test_facades_have_whole_bays_and_storeys_at_their_edges(town: Town) -> None:
    still = town.scene.still.vertices
    uv = still["uv"][still["material"] == Material.FACADE]
    assert np.abs(uv - np.round(uv)).max() < 1e-5
    assert uv[:, 1].min() == -1
    assert 7 <= uv[:, 1].max() <= 8


def test_a_facades_ground_floor_is_storey_minus_one(town: Town) -> None:
    still = town.scene.still.vertices
    facade = still[still["material"] == Material.FACADE]
    v, z = facade["uv"][:, 1], facade["position"][:, 2]
    assert np.allclose(z, np.where(v < 0, KERB, KERB + GROUND_FLOOR + STOREY * v), atol=1e-3)


def test_bays_of_a_facade_are_about_three_metres(town: Town) -> None:
    corners = _triangles(town)
    corners = corners[corners["material"][:, 0] == Material.FACADE]
    a, b = corners[:, 0], corners[:, 1]
    bays = np.abs(b["uv"][:, 0] - a["uv"][:, 0])
    level = (bays > 0) & (a["position"][:, 2] == b["position"][:, 2])
    metres = np.linalg.norm(b["position"] - a["position"], axis=1)
    assert level.any()
    assert (metres[level] / bays[level]).min() > 1.9
    assert (metres[level] / bays[level]).max() < 4.5


def test_a_houses_style_is_foretold_as_the_shaders_draw_it() -> None:
    known = codes()
    for instance in (16, 17, 4099, 65535):
        assert [code(instance, stream) for stream in range(3)] == pytest.approx(list(known[instance]), abs=1e-6)


def test_chunks_are_every_triangle_once(town: Town) -> None:
    chunks = sorted(town.scene.chunks, key=lambda chunk: chunk.first)
    assert 100 <= len(chunks) <= 200
    ends = np.cumsum([chunk.count for chunk in chunks])
    assert [chunk.first for chunk in chunks] == [0, *ends[:-1]]
    for level in range(2):
        assert [chunk.far[level][1] for chunk in chunks] == [ends[-1], *(ends[-1] + counted(chunks, level))[:-1]]
        ends = ends[-1] + counted(chunks, level)
    assert ends[-1] == len(town.scene.still.indices)
    assert all(count % 3 == 0 for chunk in chunks for count in (chunk.count, *(part[2] for part in chunk.far)))


def test_what_is_far_has_fewer_triangles_and_every_house_and_tree(town: Town) -> None:
    still, before = town.scene.still, sum(chunk.count for chunk in town.scene.chunks)
    lasting = {int(Material.FACADE), int(Material.LEAVES), int(Material.SIGNAL_BOX), int(Material.STREET_LAMP)}
    whole = standing(town, [(chunk.first, chunk.count) for chunk in town.scene.chunks], lasting)
    for level, most in ((0, 0.6), (1, 0.45)):
        parts = [chunk.far[level][1:] for chunk in town.scene.chunks]
        assert sum(count for _, count in parts) < most * before
        assert standing(town, parts, lasting) == whole
    assert len(still.vertices) < 2**20


def counted(chunks: list[Chunk], level: int) -> np.ndarray:
    return np.cumsum([chunk.far[level][2] for chunk in chunks])


def standing(town: Town, parts: list[tuple[int, int]], materials: set[int]) -> set[tuple[int, int]]:
    """Material and instance of everything of these materials."""
    still = town.scene.still
    corners = still.vertices[np.concatenate([still.indices[first : first + count] for first, count in parts])]
    return {(int(m), int(i)) for m, i in zip(corners["material"], corners["instance"], strict=True) if m in materials}


def test_far_cars_and_walkers_are_as_large_as_near_ones(town: Town) -> None:
    scene = town.scene
    for near, far in zip((*scene.cars, *scene.people), (*scene.far_cars, *scene.far_people), strict=True):
        assert len(far.indices) < 0.5 * len(near.indices)
        size, far_size = (np.ptp(mesh.vertices["position"], 0) for mesh in (near, far))
        assert np.abs(size - far_size).max() < 0.2


def test_nothing_of_a_chunk_lies_beyond_its_radius(town: Town) -> None:
    still = town.scene.still
    for chunk in town.scene.chunks:
        places = still.vertices["position"][still.indices[chunk.first : chunk.first + chunk.count]]
        assert np.hypot(places[:, 0] - chunk.x, places[:, 1] - chunk.y).max() <= chunk.radius
        assert 0 <= chunk.x < SIZE
        assert 0 <= chunk.y < SIZE
        assert chunk.radius < 0.75 * PERIOD


def test_the_road_covers_the_streets_once(town: Town) -> None:
    corners = _triangles(town)
    road = corners[(corners["material"][:, 0] == Material.ROAD) & (corners["position"][:, 0, 2] == 0)]["position"]
    a, b = road[:, 1] - road[:, 0], road[:, 2] - road[:, 0]
    area = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / 2
    street = BLOCKS**2 * (PERIOD**2 - (2 * BLOCK_HALF) ** 2)
    assert area == pytest.approx(street, rel=1e-4)


def test_every_approach_sees_its_lamps_on_the_near_and_the_far_right(town: Town) -> None:
    lamps = _triangles(town)
    lamps = lamps[lamps["material"][:, 0] == Material.LAMP]
    centre, group = lamps["position"].mean(1), lamps["uv"][:, 0, 1]
    colour, normal = lamps["uv"][:, 0, 0], lamps["normal"][:, 0]
    for column, row in ((0, 0), (3, 5), (BLOCKS - 1, BLOCKS - 1)):
        for quarter in range(4):
            ahead = np.round([np.cos(quarter * np.pi / 2), np.sin(quarter * np.pi / 2)])
            right = np.array([ahead[1], -ahead[0]])
            facing = (group == signal_group(column, row, quarter % 2)) & (normal[:, :2] @ ahead < -0.99)
            offsets = centre[facing, :2] - (column * PERIOD, row * PERIOD)
            along, across = offsets @ ahead, offsets @ right
            assert (across > ROAD_HALF).all()
            assert (across < ROAD_HALF + 3.2).all()
            for side in (along < 0, along > 0):
                assert set(colour[facing][side]) == {0.0, 1.0, 2.0}
            # The near ones stand behind the stop line, so that who waits there sees at least the far ones.
            assert along.min() > -STOP


def test_red_hangs_above_amber_above_green(town: Town) -> None:
    still = town.scene.still.vertices
    lamps = still[still["material"] == Material.LAMP]
    heights = [lamps["position"][lamps["uv"][:, 0] == colour, 2] for colour in range(3)]
    assert heights[0].min() > heights[1].max() > heights[1].min() > heights[2].max() > 2.2
    assert np.ptp(heights[0]) > 1.8 * LAMP_RADIUS


def test_no_solid_stands_on_a_lane(town: Town) -> None:
    corners = _footprints(town.solids)
    assert (town.solids[:, 2:4] > 0).all()
    assert (town.solids[:, :2] >= 0).all()
    assert (town.solids[:, :2] < SIZE).all()
    across = np.minimum(_off_grid(corners[..., 0]), _off_grid(corners[..., 1]))
    assert across.min() > LANE + 1.2


def test_every_solid_has_a_name(town: Town) -> None:
    assert len(town.solid_names) == len(town.solids)
    assert {"a house", "a tree", "a lamp post", "a traffic light", "a parked car"} <= set(town.solid_names)


def test_parked_cars_stand_in_their_strip_away_from_junctions(town: Town) -> None:
    for body, rows in zip(town.bodies, town.parked, strict=True):
        x, y, z, yaw = rows["now"].T.astype(float)
        on_street = z == 0
        assert on_street.sum() > 10
        for place in (x, y):
            assert (place >= 0).all()
            assert (place < SIZE).all()
        x, y, yaw = x[on_street], y[on_street], yaw[on_street]
        along_x = np.abs(np.sin(yaw)) < 0.5
        across = np.where(along_x, _off_grid(y), _off_grid(x))
        along = np.where(along_x, _off_grid(x), _off_grid(y))
        assert (across - body.width / 2).min() > PARKED
        assert (across + body.width / 2).max() < ROAD_HALF + 0.1
        assert along.min() > 12
        # Right-hand traffic: the kerb is to the right of who sits in the car.
        near = np.stack([(x + PERIOD / 2) % PERIOD - PERIOD / 2, (y + PERIOD / 2) % PERIOD - PERIOD / 2], 1)
        right = np.stack([np.sin(yaw), -np.cos(yaw)], 1)
        assert ((near * right).sum(1) > 0).all()


def test_parked_cars_do_not_stand_in_one_another(town: Town) -> None:
    names = np.array(town.solid_names)
    cars = town.solids[names == "a parked car"].astype(float)
    offset = cars[None, :, :2] - cars[:, None, :2]
    distance = np.hypot(*np.moveaxis((offset + SIZE / 2) % SIZE - SIZE / 2, -1, 0))
    np.fill_diagonal(distance, np.inf)
    assert distance.min() > 2.2


def test_parked_cars_and_still_things_share_no_instance(town: Town) -> None:
    ids = np.concatenate([rows["instance"] for rows in town.parked])
    assert len(np.unique(ids)) == len(ids)
    assert not np.isin(ids, town.scene.still.vertices["instance"]).any()
    assert ids.max() < town.next_instance


def test_one_seed_makes_one_town(town: Town) -> None:
    again = build_town(0)
    assert np.array_equal(again.scene.still.vertices, town.scene.still.vertices)
    assert np.array_equal(again.scene.still.indices, town.scene.still.indices)
    assert np.array_equal(again.solids, town.solids)


def test_another_seed_makes_another_town(town: Town, other: Town) -> None:
    assert not np.array_equal(other.solids, town.solids)


def test_a_town_stays_small_enough_to_draw(town: Town, other: Town) -> None:
    for each in (town, other):
        assert sum(chunk.count for chunk in each.scene.chunks) // 3 < 300_000


def test_a_town_is_built_in_a_few_seconds() -> None:
    start = time.process_time()
    build_town(5)
    # About 0.8 s on a slow core; the window waits for it.
    assert time.process_time() - start < 4

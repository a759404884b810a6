"""What the town's renderer says of a small scene whose every point is known."""

import math

import numpy as np
import pytest
from neuroview.engine.driving.messages import Weather
from neuroview.engine.driving.simulator import EngineError
from neuroview.engine.driving.town.context import open_context
from neuroview.engine.driving.town.culling import ChunkCulling
from neuroview.engine.driving.town.occlusion import Horizon, Walls
from neuroview.engine.driving.town.plan import SIZE
from neuroview.engine.driving.town.projection import camera_axes, projection
from neuroview.engine.driving.town.renderer import TownRenderer
from neuroview.engine.driving.town.scene import (
    ACTOR,
    EGO,
    LAMPS,
    VERTEX,
    Actors,
    Chunk,
    Material,
    Mesh,
    TownScene,
)
from neuroview.engine.driving.town.shading import source
from neuroview.engine.driving.town.view import View
from neuroview.models.tints import BUILDING, CAR, IDS, PERSON, base_colours

ROAD_TAG, BUILDING_TAG, LIGHT_TAG, POLE_TAG, SKY_TAG, PERSON_TAG, CAR_TAG = 1, 3, 7, 6, 11, 12, 14
WIDTH, HEIGHT = 128, 64
HOUSE, BOX = 40, 41
EYE = (20.0, 32.0, 1.5)


def mesh(*quads: tuple[list[tuple[float, float, float]], tuple[float, float, float], list, Material, int, int]) -> Mesh:
    vertices = np.zeros(4 * len(quads), VERTEX)
    for n, (points, normal, uv, material, tag, instance) in enumerate(quads):
        rows = vertices[4 * n : 4 * n + 4]
        rows["position"], rows["normal"], rows["uv"] = points, normal, uv
        rows["material"], rows["tag"], rows["instance"] = material, tag, instance
    indices = np.concatenate([np.array([0, 1, 2, 0, 2, 3]) + 4 * n for n in range(len(quads))])
    return Mesh(vertices, indices.astype(np.uint32))


def across(x: float, left: float, right: float, low: float, high: float) -> list[tuple[float, float, float]]:
    """A rectangle that faces west."""
    return [(x, left, low), (x, right, low), (x, right, high), (x, left, high)]


FLAT = [(0, 0)] * 4


def scene() -> TownScene:
    """Between two streets: ground, a house 40 m east of the eye, a signal's box before it; a car's back, a walker."""
    ground = [(0, 0, 0), (SIZE, 0, 0), (SIZE, SIZE, 0), (0, SIZE, 0)]
    still = mesh(
        (ground, (0, 0, 1), FLAT, Material.GRASS, 10, 16),
        (
            across(60, 46, 30, 0, 14),
            (-1, 0, 0),
            [(0, -1), (5, -1), (5, 3), (0, 3)],
            Material.FACADE,
            BUILDING_TAG,
            HOUSE,
        ),
        (across(40, 25, 23, 3, 5), (-1, 0, 0), [(0, 7)] * 4, Material.LAMP, POLE_TAG, BOX),
    )
    chunks = (Chunk(224, 224, 320, 0, 6), Chunk(60, 38, 9, 6, 6), Chunk(40, 24, 3, 12, 6))
    car = mesh(
        (across(-2, 0.9, -0.9, 0, 1.5), (-1, 0, 0), FLAT, Material.PAINT, CAR_TAG, 0),
        ([(-2, 0.9, 1.5), (-2, -0.9, 1.5), (2, -0.9, 1.5), (2, 0.9, 1.5)], (0, 0, 1), FLAT, Material.PAINT, CAR_TAG, 0),
    )
    legs = [(1, 0.0), (1, 0.0), (1, 0.9), (1, 0.9)]
    walker = mesh(
        (across(0, 0.2, -0.2, 0, 0.9), (-1, 0, 0), legs, Material.LEGS, PERSON_TAG, 0),
        (across(0, 0.2, -0.2, 0.9, 1.8), (-1, 0, 0), FLAT, Material.CLOTH, PERSON_TAG, 0),
    )
    return TownScene(still, chunks, (car,), (walker,))


def row(now: tuple[float, ...], before: tuple[float, ...] | None = None, instance: int = 500, state: float = 0):
    made = np.zeros(1, ACTOR)
    made["now"], made["before"], made["instance"] = now, before or now, instance
    made["length"] = made["height"] = 1
    made["state"] = state
    return made


def view(x: float = EYE[0], y: float = EYE[1], z: float = EYE[2], turn: float = 0.0, **weather: float) -> View:
    return View((x, y, z), (math.cos(turn), math.sin(turn), -0.05), 1.0, Weather(**weather))


def seen_at(camera: View, point: tuple[float, float, float]) -> tuple[float, float, float]:
    """Column, row and depth of a point of the world, in pixels and metres; 0.5 is the middle of the first pixel."""
    cam2world = np.array(camera.pose.cam2world).reshape(3, 4)
    right, down, depth = cam2world[:, :3].T @ (np.array(point) - cam2world[:, 3])
    focal = HEIGHT / 2 / math.tan(camera.fov / 2)
    return WIDTH / 2 + focal * right / depth, HEIGHT / 2 + focal * down / depth, depth


def pixel(camera: View, point: tuple[float, float, float]) -> tuple[int, int]:
    column, line, _ = seen_at(camera, point)
    return int(line), int(column)


@pytest.fixture(scope="module")
def renderer():
    try:
        made = TownRenderer(scene(), WIDTH, HEIGHT)
    except EngineError as error:
        pytest.skip(str(error))
    yield made
    made.close()


def test_labels_and_instances_are_those_of_the_surface_in_front(renderer):
    actors = Actors(cars=(row((35, 29, 0, 0)),), people=(row((30, 34, 0, 0), instance=600),))
    maps = renderer.draw(view(), actors, cut=True)
    for point, label, instance in (
        ((60, 38, 10), BUILDING_TAG, HOUSE),
        ((33, 29, 0.7), CAR_TAG, 500),
        ((30, 34, 1.2), PERSON_TAG, 600),
        ((30, 31, 0), 10, 16),
        ((400, 32, 150), SKY_TAG, 0),
    ):
        assert (maps.labels[pixel(view(), point)], maps.instances[pixel(view(), point)]) == (label, instance)


def test_depth_is_that_of_the_projection_to_one_percent(renderer):
    maps = renderer.draw(view(), Actors(), cut=True)
    for point in ((60, 38, 10), (60, 31, 2), (26, 31, 0), (34, 35, 0)):
        at = pixel(view(), point)
        column, line, depth = seen_at(view(), point)
        # Within the pixel the ground's own depth changes by more: only its middle counts.
        slack = 0.01 if point[0] == 60 else 0.06
        assert maps.depth[at] == pytest.approx(depth, rel=slack), (column, line)
    assert np.isinf(maps.depth[maps.labels == SKY_TAG]).all()


def test_motion_leads_to_where_the_projection_put_the_point_before(renderer):
    before, now = view(x=20.0, turn=0.0), view(x=20.6, y=32.2, turn=0.03)
    renderer.draw(before, Actors(), cut=True)
    maps = renderer.draw(now, Actors())
    cam2world = np.array(now.pose.cam2world).reshape(3, 4)
    focal = HEIGHT / 2 / math.tan(now.fov / 2)
    solid = np.argwhere(maps.labels == BUILDING_TAG)
    for line, column in solid[:: max(len(solid) // 40, 1)]:
        # The middle of the pixel, on the plane of the facade.
        ray = cam2world[:, :3] @ np.array([(column + 0.5 - WIDTH / 2) / focal, (line + 0.5 - HEIGHT / 2) / focal, 1])
        point = cam2world[:, 3] + ray * (60 - now.eye[0]) / ray[0]
        x, y, depth = seen_at(before, tuple(point))
        assert maps.motion[line, column] == pytest.approx([x - column - 0.5, y - line - 0.5], abs=0.02)
        assert maps.expected_depth[line, column] == pytest.approx(depth, rel=0.01)


def test_motion_stays_exact_many_kilometres_away(renderer):
    far = 14 * SIZE
    renderer.draw(view(), Actors(), cut=True)
    near_maps = renderer.draw(view(x=20.4), Actors())
    renderer.draw(view(x=20 + far, y=32 - far), Actors(), cut=True)
    far_maps = renderer.draw(view(x=20.4 + far, y=32 - far), Actors())
    # Where silhouettes fall on either side of a pixel's middle, rounding may decide otherwise.
    same = near_maps.labels == far_maps.labels
    assert same.mean() > 0.999
    assert np.abs(near_maps.motion - far_maps.motion)[same].max() < 0.02


def test_warping_labels_by_motion_gives_the_next_frame(renderer):
    first = renderer.draw(view(), Actors(), cut=True)
    second = renderer.draw(view(x=20.5, turn=0.02), Actors())
    lines, columns = np.mgrid[:HEIGHT, :WIDTH]
    x = np.round(columns + second.motion[..., 0]).astype(int)
    y = np.round(lines + second.motion[..., 1]).astype(int)
    inside = (x >= 0) & (x < WIDTH) & (y >= 0) & (y < HEIGHT)
    warped = first.labels[y.clip(0, HEIGHT - 1), x.clip(0, WIDTH - 1)]
    assert (warped == second.labels)[inside].mean() > 0.98


def test_an_actor_brings_its_own_motion(renderer):
    renderer.draw(view(), Actors(), cut=True)
    maps = renderer.draw(view(), Actors(cars=(row((35, 29, 0, 0), (35, 29.5, 0, 0)),)))
    at = pixel(view(), (33, 29, 0.7))
    moved = seen_at(view(), (33, 29.5, 0.7))[0] - seen_at(view(), (33, 29, 0.7))[0]
    assert maps.motion[at] == pytest.approx([moved, 0], abs=0.02)


def test_the_sky_moves_with_the_turn_of_the_camera_alone(renderer):
    renderer.draw(view(), Actors(), cut=True)
    walked = renderer.draw(view(x=23.0), Actors())
    sky = walked.labels == SKY_TAG
    assert np.abs(walked.motion[sky]).max() < 1e-3
    turned = renderer.draw(view(x=23.0, turn=0.05), Actors())
    assert (turned.motion[turned.labels == SKY_TAG][:, 0] < -1).all()


def test_a_cut_has_no_motion_and_nothing_was_seen_before(renderer):
    renderer.draw(view(), Actors())
    maps = renderer.draw(view(x=26.0), Actors(), cut=True)
    assert not maps.motion.any()
    assert (maps.expected_depth <= 0).all()


@pytest.mark.parametrize("shift", [(SIZE, 0), (0, -SIZE), (3 * SIZE, 2 * SIZE)])
def test_the_town_looks_the_same_one_size_farther(renderer, shift):
    # Beside the seam, where the house is a copy.
    actors = Actors(cars=(row((35, 29, 0, 0)),))
    here = renderer.draw(view(), actors, cut=True)
    there = renderer.draw(view(EYE[0] + shift[0], EYE[1] + shift[1]), actors, cut=True)
    assert (here.labels == there.labels).all()
    assert (here.instances == there.instances).all()
    assert np.array_equal(here.depth, there.depth)
    for name in ("height", "storey", "bay", "normals", "shadow", "ground"):
        assert np.array_equal(getattr(here.geometry, name), getattr(there.geometry, name), equal_nan=True)


def test_what_lies_beyond_the_seam_is_seen(renderer):
    maps = renderer.draw(view(x=SIZE - 5), Actors(), cut=True)
    assert maps.instances[pixel(view(x=-5), (60, 38, 10))] == HOUSE


def test_geometry_is_nan_where_it_means_nothing(renderer):
    maps = renderer.draw(view(), Actors(cars=(row((35, 29, 0, 0)),)), cut=True)
    known = maps.geometry
    assert known.height is not None
    assert known.storey is not None
    assert known.bay is not None
    assert known.ground is not None
    assert known.normals is not None
    assert known.shadow is not None
    sky, house, car = (maps.labels == tag for tag in (SKY_TAG, BUILDING_TAG, CAR_TAG))
    for part in (known.height, known.storey, known.bay, known.shadow, known.normals[..., 0], known.ground[..., 0]):
        assert np.isnan(part[sky]).all()
    assert np.isfinite(known.storey[house | car]).all()
    assert np.isnan(known.storey[~house & ~car]).all()
    assert np.isfinite(known.bay[house | car]).all()
    assert np.isnan(known.bay[~house & ~car]).all()
    assert np.isnan(known.ground[car]).all()
    assert np.isfinite(known.ground[~sky & ~car]).all()


def test_geometry_tells_storeys_bays_heights_and_places(renderer):
    known = renderer.draw(view(), Actors(), cut=True).geometry
    at = pixel(view(), (60, 38, 8))
    # A pixel covers half a metre there.
    assert known.height[at] == pytest.approx(8, abs=0.4)
    assert known.storey[at] == pytest.approx(8 / 14 * 4, abs=0.12)
    assert known.bay[at] == pytest.approx(2.5, abs=0.15)
    assert known.ground[at] == pytest.approx([60, 38], abs=0.4)


def test_normals_are_seen_from_the_camera(renderer):
    maps = renderer.draw(view(), Actors(), cut=True)
    level = math.hypot(1, 0.05)
    assert maps.geometry.normals[pixel(view(), (60, 38, 8))] == pytest.approx([0, 0.05 / level, -1 / level], abs=0.01)
    assert maps.geometry.normals[pixel(view(), (30, 31, 0))] == pytest.approx([0, -1 / level, -0.05 / level], abs=0.01)


def test_a_car_knows_its_own_height_and_length(renderer):
    maps = renderer.draw(view(z=3.0), Actors(cars=(row((35, 30, 0, 0)),)), cut=True)
    at = pixel(view(z=3.0), (33, 30, 0.75))
    assert maps.geometry.storey[at] == pytest.approx(0.5, abs=0.15)
    assert maps.geometry.bay[at] == pytest.approx(0, abs=0.01)


def test_a_house_shades_what_lies_behind_it(renderer):
    # In the evening the sun stands in the west: the ground before the facade is lit, the ground behind is not.
    camera = view(x=52, y=38, z=30.0, hour=17.0)
    camera = View(camera.eye, (0.5, 0, -1.0), 1.2, camera.weather)
    maps = renderer.draw(camera, Actors(), cut=True)
    assert maps.geometry.shadow[pixel(camera, (58, 38, 0))] == 0
    assert maps.geometry.shadow[pixel(camera, (72, 38, 0))] == 1


def test_a_car_casts_a_shadow(renderer):
    camera = View((30.0, 32.0, 12.0), (0.3, 0, -1.0), 1.2, Weather(hour=17.0))
    spot = pixel(camera, (34.5, 32.0, 0))
    lit = renderer.draw(camera, Actors(), cut=True).geometry.shadow[spot]
    shaded = renderer.draw(camera, Actors(cars=(row((31.8, 32.0, 0, 0)),)), cut=True).geometry.shadow[spot]
    assert (lit, shaded) == (0, 1)


@pytest.mark.parametrize("shown", [0, 1, 2])
def test_only_the_lamp_that_is_lit_counts_as_a_traffic_light(renderer, shown):
    signals = np.full(10, 1 if shown != 1 else 0, np.int32)
    signals[7] = shown
    maps = renderer.draw(view(), Actors(signals=signals), cut=True)
    at = pixel(view(), (40, 24, 4))
    expected = (LIGHT_TAG, LAMPS["red"]) if shown == 0 else (POLE_TAG, BOX)
    assert (maps.labels[at], maps.instances[at]) == expected


def test_the_sun_is_told_as_the_driver_sees_it(renderer):
    evening = renderer.draw(view(hour=18.5), Actors(), cut=True).geometry.sun
    assert evening[0] < -0.8
    assert 0 < evening[2] < 0.4
    turned = renderer.draw(view(hour=18.5, turn=math.pi / 2), Actors(), cut=True).geometry.sun
    assert turned[1] > 0.8


def test_legs_swing_with_the_phase_of_the_walk(renderer):
    def legs(phase: float) -> np.ndarray:
        # Seen from the side.
        walker = row((26, 32, 0, math.pi / 2), state=phase)
        return renderer.draw(view(), Actors(people=(walker,)), cut=True).labels == PERSON_TAG

    standing, stepping = legs(0.0), legs(0.25)
    assert stepping[-20:].any(0).sum() != standing[-20:].any(0).sum() or (stepping != standing).any()


@pytest.mark.parametrize("look", ["photo", "drawn"])
@pytest.mark.parametrize("hour", [12.0, 19.0, 23.0])
def test_pictures_are_neither_black_nor_white(renderer, look, hour):
    renderer.draw(view(hour=hour), Actors(cars=(row((35, 29, 0, 0), instance=EGO),)), cut=True)
    picture = renderer.photo(look)
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert picture.dtype == np.uint8
    assert 15 < picture.mean() < 240
    assert picture.std() > 8


def test_the_same_view_gives_the_same_picture(renderer):
    renderer.draw(view(), Actors(), cut=True)
    first = renderer.photo()
    renderer.draw(view(x=200.0, turn=2.0), Actors())
    renderer.draw(view(), Actors(), cut=True)
    assert np.array_equal(first, renderer.photo())


def test_without_geometry_the_base_maps_are_the_same(renderer):
    full = renderer.draw(view(), Actors(), cut=True)
    lean = TownRenderer(scene(), WIDTH, HEIGHT, geometry=False)
    maps = lean.draw(view(), Actors(), cut=True)
    lean.close()
    assert maps.geometry.height is None
    assert (maps.labels == full.labels).all()
    assert np.array_equal(maps.depth, full.depth)


def test_closing_twice_does_no_harm_and_drawing_afterwards_is_an_error(renderer):
    other = TownRenderer(scene(), 16, 8, geometry=False)
    other.close()
    other.close()
    with pytest.raises(EngineError, match="closed"):
        other.draw(view(), Actors())


def test_a_picture_before_the_first_view_is_an_error(renderer):
    other = TownRenderer(scene(), 16, 8)
    with pytest.raises(EngineError, match="call `draw` first"):
        other.photo()
    other.close()


def test_more_kinds_of_cars_than_meshes_are_an_error(renderer):
    with pytest.raises(EngineError, match="one array of rows for each mesh"):
        renderer.draw(view(), Actors(cars=(row((0, 0, 0, 0)),) * 2), cut=True)


def test_the_shader_tints_instances_as_the_painter_is_told(renderer):
    context = open_context()
    fragment = (
        "#version 330\n" + source("common.glsl") + source("surfaces.glsl") + "layout(location = 0) out vec4 wall;"
        "layout(location = 1) out vec4 car; layout(location = 2) out vec4 cloth; void main() {"
        "float id = floor(gl_FragCoord.y) * 256.0 + floor(gl_FragCoord.x);"
        "vec3 c = vec3(code(id, 0u), code(id, 1u), code(id, 2u)); wall = vec4(wall_colour(c), 1.0);"
        "car = vec4(car_colour(c), 1.0); cloth = vec4(cloth_colour(c), 1.0); }"
    )
    with context:
        program = context.program("#version 330\n" + source("screen.vert"), fragment)
        target = context.framebuffer([context.texture((256, 256), 4, dtype="f4") for _ in range(3)])
        corners = context.buffer(np.array([-1, -1, 3, -1, -1, 3], np.float32).tobytes())
        target.use()
        context.vertex_array(program, [(corners, "2f", "corner")]).render(vertices=3)
        made = [np.frombuffer(target.read(components=3, attachment=n, dtype="f4"), np.float32) for n in range(3)]
    context.release()
    for colours, tag in zip(made, (BUILDING, CAR, PERSON), strict=True):
        assert np.abs(colours.reshape(IDS, 3) - base_colours(tag)).max() < 1e-5


def test_a_wall_hides_what_stands_wholly_behind_it():
    walls = Walls(scene().still)
    eye = np.array([20.0, 38.0, 1.5])
    horizon = Horizon(walls, eye, np.array([1.0, 0, 0]), 1.0)
    low = np.array([[90, 36, 0], [90, 36, 0], [90, 30, 0], [50, 36, 0]], float) - eye
    high = np.array([[95, 40, 10], [95, 40, 60], [95, 90, 10], [55, 40, 10]], float) - eye
    assert horizon.hides(low, high).tolist() == [True, False, False, False]


def test_a_far_chunk_is_drawn_by_its_simpler_part_and_a_near_one_in_full():
    still = mesh(*[(across(x, 25, 23, 3, 5), (-1, 0, 0), FLAT, Material.METAL, POLE_TAG, 20) for x in (60, 60, 60)])
    culling = ChunkCulling(still, (Chunk(60, 24, 9, 0, 6, ((30.0, 6, 6), (50.0, 12, 6))),))
    matrix = projection(camera_axes((1.0, 0.0, 0.0)), 1.0, 2.0)
    for x, first in ((40.0, 0), (20.0, 6), (5.0, 12)):
        drawn = culling.visible(matrix, np.array([x, 24.0, 4.0]), focal=100.0)
        assert [draw.first for draw in drawn] == [first]
        assert drawn[0].closed == (first > 0)
    assert [draw.first for draw in culling.visible(matrix, np.array([5.0, 24.0, 4.0]), focal=400.0)] == [0]
    assert [draw.first for draw in culling.visible(matrix, np.array([5.0, 24.0, 4.0]))] == [0]

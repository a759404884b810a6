"""Where silhouettes allow a scene to be."""

import torch
from nerf_balls import RADIUS, ball_data
from neuroview.engine.training.nerf_hull import visual_hull
from neuroview.engine.training.nerf_occupancy import LiveOccupancy

SIDE = 24


def _middles(cube):
    index = (torch.arange(SIDE) + 0.5) / SIDE
    unit = torch.stack(torch.meshgrid(index, index, index, indexing="ij"), -1)
    return unit * cube.side + torch.tensor(cube.low)


def test_no_cell_that_holds_a_part_of_the_scene_is_carved_away():
    data = ball_data()
    hull = visual_hull(data.train, data.cube, SIDE)
    touched = _middles(data.cube).norm(dim=-1) < RADIUS + 0.5 * data.cube.side / SIDE
    assert bool(hull[touched].all())


def test_what_every_picture_shows_to_be_empty_is_carved_away():
    data = ball_data()
    hull = visual_hull(data.train, data.cube, SIDE)
    far = _middles(data.cube).norm(dim=-1) > 1.5 * RADIUS
    print(f"{float(hull.float().mean()):.3f} of the cells are left")
    # Below the ball, where no camera stands, a cone of cells is left.
    assert float(hull[far].float().mean()) < 0.1


def test_cells_outside_of_all_pictures_are_left():
    data = ball_data()
    narrow = data.train.intrinsics.clone()
    narrow[:, [0, 1], [0, 1]] *= 20  # the pictures show little but the middle
    views = type(data.train)(data.train.names, torch.zeros_like(data.train.pictures), data.train.cam2world, narrow)
    hull = visual_hull(views, data.cube, SIDE)
    assert bool(hull[0, 0, 0])
    assert not bool(hull[SIDE // 2, SIDE // 2, SIDE // 2])


def test_cells_where_nothing_can_be_are_never_taken_for_occupied():
    cube = ball_data().cube
    possible = torch.rand(8, 8, 8) > 0.5
    grid = LiveOccupancy(8, cube, possible)
    assert torch.equal(grid.occupied, possible)
    asked = []

    def density(points):
        asked.append(points)
        return torch.full_like(points[:, 0], 100.0)

    for share in (1.0, 0.25):
        grid.update(density, share, cube.side / 32)
        assert not bool((grid.occupied & ~possible).any())
    assert bool(grid.contains(torch.cat(asked)).all())
    assert not bool(grid.contains(grid.impossible(50)).any())


def test_where_anything_can_be_no_point_is_impossible():
    assert len(LiveOccupancy(8, ball_data().cube).impossible(50)) == 0

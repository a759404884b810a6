"""The occupancy path of scenes with a proposal network: the exact renderer's samples, fewer of them."""

from __future__ import annotations

import pytest
import torch
from balls import Balls, look, psnr, volume
from neuroview.engine.rendering.cancel import Cancelled
from neuroview.engine.rendering.exact import render_exact
from neuroview.engine.rendering.occupancy import build_occupancy
from neuroview.engine.rendering.occupancy_march import render_occupancy
from neuroview.models.base import Scene

SIZE = 40
LIKE_NERF = {"quadrature": "left", "sampler": "nerf", "coarse": 32, "fine": 32, "activation": "relu"}


class Network(Balls):
    """Balls whose density alone can be asked for, and counted apart."""

    densities = 0

    def __init__(self, *arguments, **changes) -> None:
        super().__init__(*arguments, **({"activation": "relu"} | changes))

    def density(self, points):
        self.densities += len(points)
        before = self.asked
        raw = self(points, torch.zeros(len(points), 3) if self.view_dependent else None)[0]
        self.asked = before
        return raw


def scene_of(field: Network, **changes) -> Scene:
    settings = volume(**(LIKE_NERF | changes))
    return Scene(field, settings, resolution=SIZE, image_resolution=SIZE, proposal=Network(activation=field.activation))


def grid_of(scene: Scene):
    return build_occupancy(scene.field, scene.volume)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"unit_rays": False, "pixels": "corner"},
        {"activation": "softplus_shifted"},
        {"activation": "exp"},
        {"sampler": "eg3d", "quadrature": "midpoint"},
        {"white_background": False},
        {"opaque_end": True, "white_background": False},
        {"near": None, "far": None},
    ],
)
def test_the_picture_is_the_exact_one_at_a_fraction_of_the_questions(changes):
    field = Network(shine=0.2, activation=changes.get("activation", "relu"))
    scene = scene_of(field, **changes)
    grid = grid_of(scene)
    field.asked = 0
    exact = render_exact(scene, *look())
    whole, field.asked = field.asked, 0
    picture = render_occupancy(scene, grid, *look())
    assert psnr(picture.features, exact.features) > 45
    assert psnr(picture.alpha, exact.alpha) > 45
    seen = exact.alpha > 0.5
    assert (picture.depth - exact.depth)[seen].abs().mean() < 0.02
    assert field.asked < whole / 2


def test_half_as_many_samples_are_the_exact_renderers_half():
    scene = scene_of(Network())
    exact = render_exact(scene, *look(), samples=0.5)
    assert psnr(render_occupancy(scene, grid_of(scene), *look(), fineness=0.5).features, exact.features) > 45


def test_what_stands_behind_an_opaque_wall_is_not_asked_for():
    pose, lens = look(0.0, 0.0)
    alone = scene_of(Network(((0.0, 0.0, 0.5, 0.45),), sharpness=4000.0))
    behind = scene_of(Network(((0.0, 0.0, 0.5, 0.45), (0.0, 0.0, -0.6, 0.3)), sharpness=4000.0))
    asked = []
    for scene in (alone, behind):
        grid = grid_of(scene)
        scene.field.asked = 0
        render_occupancy(scene, grid, pose, lens)
        asked.append(scene.field.asked)
    assert asked[1] < 1.2 * asked[0]


def test_rays_that_meet_nothing_ask_nothing():
    scene = scene_of(Network())
    pose, lens = look()
    pose[:3, :3] = pose[:3, :3] @ torch.diag(torch.tensor([1.0, -1.0, -1.0]))  # look away
    grid = grid_of(scene)
    scene.field.asked = scene.proposal.densities = 0
    picture = render_occupancy(scene, grid, pose, lens)
    assert scene.field.asked == scene.proposal.densities == 0
    assert (picture.features == 1).all()
    assert (picture.alpha == 0).all()
    assert torch.allclose(picture.depth, render_exact(scene, pose, lens).depth)


def test_an_empty_scene_is_background():
    scene = scene_of(Network(((0.0, 0.0, 0.0, -9.0),)))
    picture = render_occupancy(scene, grid_of(scene), *look(), resolution=(10, 17))
    assert picture.features.shape == (3, 10, 17)
    assert (picture.features == 1).all()


def test_a_quick_picture_leaves_the_proposal_alone():
    scene = scene_of(Network())
    exact = render_exact(scene, *look(), samples=8.0)  # the converged integral, which a lattice tends to
    grid = grid_of(scene)
    scene.proposal.densities = 0
    picture = render_occupancy(scene, grid, *look(), quick=True)
    assert scene.proposal.densities == 0
    assert psnr(picture.features, exact.features) > 33


def test_a_newer_state_stops_the_work():
    def overtaken() -> None:
        raise Cancelled

    scene = scene_of(Network())
    with pytest.raises(Cancelled):
        render_occupancy(scene, grid_of(scene), *look(), checkpoint=overtaken)

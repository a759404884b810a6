"""The shader's march against numba's, on whichever OpenGL there is."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from neuroview.engine.offscreen import NoContextError
from neuroview.engine.rendering.bake import bake
from neuroview.engine.rendering.gl_march import GridMarcher
from neuroview.engine.rendering.march import render_baked
from neuroview.models.base import VolumeSettings

LENS = torch.tensor([[1.3, 0.0, 0.5], [0.0, 1.3, 0.5], [0.0, 0.0, 1.0]])


class Blob:
    """A soft coloured ball with a hole of nothing beside it; optionally coloured by the direction."""

    features = 5
    bounds = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))

    def __init__(self, view_dependent: bool = False) -> None:
        self.view_dependent = view_dependent

    def __call__(self, points, directions=None):
        radius = (points * torch.tensor([1.0, 1.3, 0.8])).norm(dim=-1)
        raw = 60.0 * (0.6 - radius)
        colours = torch.cat([points * 0.5 + 0.5, points[:, :2].abs()], -1)
        if self.view_dependent and directions is not None:
            colours = colours * (0.6 + 0.4 * directions[:, :1])
        return raw, colours


def pose(distance=3.0):
    matrix = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0]))
    turn = torch.tensor([[0.8, 0.0, 0.6], [0.0, 1.0, 0.0], [-0.6, 0.0, 0.8]])
    matrix[:3, :3] = turn @ matrix[:3, :3]
    matrix[:3, 3] = turn @ torch.tensor([0.0, 0.0, distance])
    return matrix


@pytest.fixture(scope="module")
def marcher():
    try:
        made = GridMarcher()
    except NoContextError as error:
        pytest.skip(str(error))
    yield made
    made.close()


def psnr(a, b):
    return float(-10 * torch.log10((a - b).square().mean() + 1e-12))


VOLUME = VolumeSettings(None, None, 32, 32, "softplus_shifted", "midpoint", "eg3d", white_background=True)
CASES = {
    "generated": (Blob(), VOLUME, {}),
    "reconstructed": (Blob(), replace(VOLUME, activation="relu", unit_rays=False, quadrature="left"), {"thin": True}),
    "view-dependent": (Blob(True), replace(VOLUME, activation="softplus", white_background=False), {"degree": 2}),
    "exponential": (Blob(), replace(VOLUME, activation="exp", pixels="inclusive"), {}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_shader_draws_what_numba_marches(marcher, case):
    from neuroview.engine.rendering.occupancy import build_occupancy

    field, volume, given = CASES[case]
    cells = build_occupancy(field, volume, thin=given.get("thin", False), resolution=16)
    baked = bake(field, volume, 24, occupancy=cells, degree=given.get("degree"))
    assert marcher.fits(baked)
    for distance in (3.0, 0.4):
        wanted = render_baked(baked, volume, pose(distance), LENS, 21, 30, threads=1)
        drawn = marcher.render(baked, volume, pose(distance), LENS, 21, 30)
        assert float(wanted.alpha.max()) > 0.9
        assert psnr(drawn.features, wanted.features) > 45
        assert psnr(drawn.alpha, wanted.alpha) > 45
        seen = wanted.alpha > 0.5
        assert (drawn.depth - wanted.depth)[seen].abs().median() < 1e-3


def test_fewer_channels_and_another_grid_replace_what_was_uploaded(marcher):
    field = Blob()
    first, second = bake(field, VOLUME, 12), bake(field, VOLUME, 20, channels=3)
    for baked in (first, second, first):
        wanted = render_baked(baked, VOLUME, pose(), LENS, 12, 12, threads=1)
        assert psnr(marcher.render(baked, VOLUME, pose(), LENS, 12, 12).features, wanted.features) > 45


def painted(marcher, baked, volume, distance=3.0, side=24, **options):
    import numpy as np

    picture = marcher.paint(baked.bricks, volume, pose(distance).numpy(), LENS.numpy(), side, **options)
    assert picture.size == (side, side)
    return torch.from_numpy(np.frombuffer(picture.read(), np.uint8).reshape(side, side, 4).copy())


@pytest.mark.parametrize("case", CASES)
def test_what_is_painted_are_the_first_three_features_as_colours(marcher, case):
    from neuroview.engine.rendering.occupancy import build_occupancy

    field, volume, given = CASES[case]
    cells = build_occupancy(field, volume, thin=given.get("thin", False), resolution=16)
    baked = bake(field, volume, 24, occupancy=cells, degree=given.get("degree"))
    wanted = render_baked(baked, volume, pose(), LENS, 24, 24, threads=1).features[:3].permute(1, 2, 0).clamp(0, 1)
    pixels = painted(marcher, baked, volume)
    assert psnr(pixels[..., :3] / 255, wanted) > 45
    assert (pixels[..., 3] == 255).all()


def test_opacity_is_painted_from_black_to_white(marcher):
    baked = bake(Blob(), VOLUME, 24)
    wanted = render_baked(baked, VOLUME, pose(), LENS, 24, 24, threads=1).alpha[..., None].expand(-1, -1, 3)
    assert psnr(painted(marcher, baked, VOLUME, opacity=True)[..., :3] / 255, wanted) > 45


def test_what_lies_at_the_end_of_open_rays_is_painted(marcher):
    volume = replace(VOLUME, near=1.5, far=4.5, white_background=False, opaque_end=True)
    baked = bake(Blob(), volume, 24)
    assert baked.backdrop is not None
    wanted = render_baked(baked, volume, pose(), LENS, 24, 24, threads=1).features[:3].permute(1, 2, 0).clamp(0, 1)
    assert float(wanted[0, 0].max()) > 0.05, "the corner shows the backdrop"
    assert psnr(painted(marcher, baked, volume)[..., :3] / 255, wanted) > 42


def test_pictures_of_changing_sides_follow_each_other(marcher):
    baked = bake(Blob(), VOLUME, 16)
    for side in (12, 40, 12):
        pixels = painted(marcher, baked, VOLUME, side=side)
        wanted = render_baked(baked, VOLUME, pose(), LENS, side, side, threads=1).features[:3].permute(1, 2, 0)
        assert psnr(pixels[..., :3] / 255, wanted.clamp(0, 1)) > 45
    assert marcher.context.error == "GL_NO_ERROR"


def test_impossible_sizes_are_refused(marcher):
    baked = bake(Blob(), VOLUME, 12)
    with pytest.raises(ValueError, match="0 x 4 pixels"):
        marcher.render(baked, VOLUME, pose(), LENS, 0, 4)
    with pytest.raises(ValueError, match="more than 0"):
        marcher.render(baked, VOLUME, pose(), LENS, 4, 4, step=0)

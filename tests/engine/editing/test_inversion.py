"""Inversion: from a photo to codes, a camera and a slightly bent generator; live, stoppable, for every family."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from neuroview.engine.camera import camera_matrices
from neuroview.engine.editing.adam import Adam
from neuroview.engine.editing.camera_fit import Pose, find_view, views
from neuroview.engine.editing.errors import EditError
from neuroview.engine.editing.fitting import PhotoFit
from neuroview.engine.editing.guided_render import RayPieces, place_samples, placing, render_placed
from neuroview.engine.editing.inversion import invert
from neuroview.engine.editing.inversion_progress import POOR, InversionSettings
from neuroview.engine.editing.locality import Locality, unseen_points
from neuroview.engine.editing.photo import Box, Photo, picture_of
from neuroview.engine.editing.pivotal import REFINER, Tuning
from neuroview.engine.rendering.exact import render_exact, render_image
from neuroview.engine.state import Camera
from neuroview.engine.training.heads_parameters import heads_from_latents
from neuroview.engine.training.sphere_trace import Teacher, look_at_origin, render
from neuroview.models.catalog import open_generator
from small_families import FAMILIES, small_eg3d
from spheres import SphereGenerator

QUICK = InversionSettings(
    seeds=2,
    codes=100,
    race=2,
    coarse_steps=3,
    fine_steps=2,
    layer_steps=2,
    tuning_steps=3,
    samples=6,
    most_points=4000,
    least=-math.inf,
)


def seen(generator, codes, camera=None) -> torch.Tensor:
    camera = camera or usual(generator)
    scene = generator.scene(codes)
    with torch.inference_mode():
        found = render_image(scene, render_exact(scene, *camera_matrices(camera, generator.camera)))
    return found.clamp(0, 1).clone()


def usual(generator) -> Camera:
    own = generator.camera
    return Camera(yaw=own.yaw, pitch=own.pitch, radius=own.radius, fov=own.fov, pivot=own.pivot)


def photo_of(generator, seed=5, camera=None) -> Photo:
    return picture_of(seen(generator, generator.codes(seed), camera)).cut()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_inverted(family) -> None:
    generator = FAMILIES[family]()
    *_, last = invert(generator, photo_of(generator), camera=usual(generator), settings=QUICK)
    assert last.done
    assert last.identity is not None
    assert last.identity.codes.shape == generator.codes(0).shape
    assert last.identity.parameters, "tensors were tuned"
    assert math.isfinite(last.loss)
    assert generator.scene(last.identity.codes).field is not None


@pytest.mark.parametrize("family", FAMILIES)
def test_the_generator_stays_as_it_was(family) -> None:
    generator = FAMILIES[family]()
    before = {name: p.clone() for name, p in generator.network.named_parameters()}
    for _ in invert(generator, photo_of(generator), camera=usual(generator), settings=QUICK):
        pass
    assert all(torch.equal(p, before[name]) for name, p in generator.network.named_parameters())
    assert not any(p.requires_grad for p in generator.network.parameters())


def test_a_sphere_is_found_again() -> None:
    generator = SphereGenerator()
    photo = photo_of(generator, seed=11)
    work = replace(QUICK, seeds=8, codes=400, race=4, coarse_steps=40, fine_steps=30, layer_steps=4, least=POOR)
    *_, last = invert(generator, photo, camera=usual(generator), settings=work)
    assert last.identity is not None
    assert last.likeness > 30
    assert last.identity.codes[0, 0] == pytest.approx(float(generator.codes(11)[0, 0]), abs=0.03)
    assert not last.poor


def test_a_photo_of_something_else_is_called_so() -> None:
    generator = SphereGenerator()
    y, x = torch.meshgrid(torch.linspace(0, 20, 64), torch.linspace(0, 20, 64), indexing="ij")
    photo = picture_of(torch.stack([x.sin(), y.sin(), (x + y).sin()]) * 0.5 + 0.5).cut()
    *_, last = invert(generator, photo, camera=usual(generator), settings=replace(QUICK, least=POOR))
    assert last.poor
    assert "Keep it anyway?" in last.says
    assert last.identity is not None
    assert not last.identity.parameters, "it is not repeated by force"


def test_a_flat_colour_is_refused_before_any_work() -> None:
    generator = SphereGenerator()
    photo = picture_of(torch.full((3, 64, 64), 0.4)).cut()
    with pytest.raises(EditError, match="blue wall.png shows one flat colour"):
        next(invert(generator, photo, settings=QUICK, title="blue wall.png"))


def test_a_still_picture_is_refined_to_the_photo_at_last() -> None:
    heads = open_generator("heads")
    torch.manual_seed(0)
    drawn = render(
        Teacher(), heads_from_latents(torch.randn(1, 64)), look_at_origin(torch.zeros(1), torch.zeros(1)), 256
    )
    photo = Photo(drawn[0][0], None, Box(0, 0, 256))
    work = InversionSettings(
        codes=64, race=1, coarse_steps=2, fine_steps=2, layer_steps=0, tuning_steps=2, refiner_steps=0, least=-1e9
    )
    found = {}
    for steps in (0, 24):
        *_, last = invert(heads, photo, settings=replace(work, refiner_steps=steps))
        assert last.identity is not None
        found[steps] = last
    assert any(name.startswith(REFINER) for name in found[24].identity.parameters)
    assert found[24].likeness > found[0].likeness + 0.2
    assert last.step == last.steps


def test_it_goes_on_inside_a_renderers_inference_mode() -> None:
    generator = small_eg3d()
    work = invert(generator, photo_of(generator), camera=usual(generator), settings=QUICK)
    with torch.inference_mode():
        *_, last = work
        assert torch.is_inference_mode_enabled()
    assert last.done


def test_each_piece_leaves_gradients_as_the_caller_has_them() -> None:
    generator = small_eg3d()
    with torch.no_grad():
        for count, _ in enumerate(invert(generator, photo_of(generator), camera=usual(generator), settings=QUICK)):
            assert not torch.is_grad_enabled()
            if count > 30:
                break


def test_what_there_is_so_far_can_be_kept_at_any_time() -> None:
    generator = small_eg3d()
    work = replace(QUICK, coarse_steps=16, layer_steps=8, tuning_steps=10)  # results come every few steps
    kept = [
        p
        for p in invert(generator, photo_of(generator), camera=usual(generator), settings=work)
        if p.identity is not None
    ]
    assert len(kept) >= 4
    assert not kept[0].identity.parameters
    assert all(p.picture is not None and p.picture.shape[0] == 3 for p in kept)


def test_steps_rise_to_the_end_and_end_there() -> None:
    generator = small_eg3d()
    steps = [(p.step, p.steps, p.done) for p in invert(generator, photo_of(generator), settings=QUICK)]
    assert all(a[0] <= b[0] for a, b in pairwise(steps))
    assert [done for *_, done in steps] == [False] * (len(steps) - 1) + [True]
    assert steps[-1][0] == steps[-1][1]
    assert steps[-2][0] > 0.8 * steps[-2][1], "the foretold number of steps is about right"


def test_the_same_photo_gives_the_same_identity() -> None:
    generator = small_eg3d()
    photo = photo_of(generator)
    one, two = ([*invert(generator, photo, camera=usual(generator), settings=QUICK)][-1].identity for _ in range(2))
    assert one is not None
    assert two is not None
    assert torch.equal(one.codes, two.codes)
    assert one.camera == two.camera


def test_a_scene_without_latents_is_refused_with_advice() -> None:
    generator = SphereGenerator()
    generator.num_layers = 0
    with pytest.raises(EditError, match="Open a model with seeds"):
        next(invert(generator, photo_of(SphereGenerator()), settings=QUICK))


def test_a_poses_matrices_are_its_cameras() -> None:
    for generator in (SphereGenerator(), FAMILIES["stylenerf"]()):
        start = replace(usual(generator), yaw=0.3, pitch=-0.1, roll=0.05)
        pose = Pose(start, generator.camera)
        for offsets in (torch.zeros(6), torch.tensor([3.0, -2.0, 1.5, 2.0, 0.0, 0.0])):
            with torch.no_grad():
                pose.offsets.copy_(offsets)
            cam2world, intrinsics = (m.detach().numpy() for m in pose.matrices())
            expected = camera_matrices(pose.camera(), generator.camera)
            assert np.allclose(cam2world, expected[0], atol=1e-4)
            assert np.allclose(intrinsics, expected[1], atol=1e-4)


def test_a_shifted_pose_moves_the_pivot_across_the_picture() -> None:
    generator = SphereGenerator()
    pose = Pose(usual(generator), generator.camera)
    with torch.no_grad():
        pose.offsets[4] = 10.0
    expected = camera_matrices(pose.camera(), generator.camera)[0]
    assert np.allclose(pose.matrices()[0].detach().numpy(), expected, atol=1e-4)
    assert pose.camera().pivot[0] == pytest.approx(generator.camera.radius * 10 * Pose.RATES[4], abs=1e-4)


def test_a_pose_receives_gradients() -> None:
    generator = small_eg3d()
    pose = Pose(usual(generator), generator.camera)
    scene = generator.scene(generator.codes(0))
    cam2world, intrinsics = pose.matrices()
    place = place_samples(scene, cam2world.detach(), intrinsics.detach(), 12, 6)
    render_placed(scene, cam2world, intrinsics, place).features.square().mean().backward()
    assert pose.offsets.grad is not None
    assert (pose.offsets.grad != 0).all()


def test_the_view_of_a_photo_is_found_among_many() -> None:
    generator = SphereGenerator()  # its left is darker than its right, so a turn shows
    taken = replace(usual(generator), yaw=0.6, pitch=0.08)
    photo = photo_of(generator, seed=2_000_000, camera=taken)
    *_, found = find_view(generator, photo, seeds=1)
    assert found[0].camera.yaw == pytest.approx(0.6, abs=0.3)
    assert all(a.distance <= b.distance for a, b in pairwise(found))


def test_all_views_lie_in_the_familys_range() -> None:
    for generator in (SphereGenerator(), small_eg3d()):
        usual_camera = generator.camera
        for camera in views(usual_camera):
            assert usual_camera.yaw_range[0] <= camera.yaw <= usual_camera.yaw_range[1] + 1e-6
            assert usual_camera.pitch_range[0] <= camera.pitch <= usual_camera.pitch_range[1]


def test_few_placed_samples_give_the_exact_renderers_picture() -> None:
    generator = SphereGenerator()
    scene = generator.scene(generator.codes(3))
    cam2world, intrinsics = (torch.from_numpy(m).float() for m in camera_matrices(usual(generator), generator.camera))
    exact = render_exact(scene, cam2world, intrinsics, samples=4.0)
    nowhere = torch.zeros(32, 32, dtype=torch.bool)
    place = place_samples(scene, cam2world, intrinsics, 32, 12, coarse=96, wanted=nowhere)
    found = render_placed(scene, cam2world, intrinsics, place)
    error = -10 * torch.log10((found.features - exact.features).square().mean())
    print(f"placed samples: {error:.1f} dB from the exact picture, {len(place.rays)} of {32 * 32} rays")
    assert error > 35
    assert len(place.rays) < 32 * 32


def test_a_picture_made_in_pieces_is_the_whole_one_and_so_are_its_gradients() -> None:
    generator = FAMILIES["stylenerf"]()  # a background, and layers that all pieces share
    camera = [torch.from_numpy(m).float() for m in camera_matrices(usual(generator), generator.camera)]
    found = []
    for at_once in (7, 100_000):
        codes = generator.codes(3).clone().requires_grad_(True)
        scene = generator.scene(codes)
        *_, place = placing(scene, *camera, 8, 6)
        assert place is not None
        pieces = RayPieces(scene, *camera, place, at_once=at_once)
        made = len(list(pieces.forward()))
        rendered = pieces.rendered()
        (rendered.features.square().mean() + rendered.alpha.mean()).backward(retain_graph=True)
        assert len(list(pieces.backward())) == made
        found.append((made, rendered.features.detach(), codes.grad))
    assert found[0][0] > 8 * found[1][0]
    assert torch.allclose(found[0][1], found[1][1], atol=1e-5)
    assert torch.allclose(found[0][2], found[1][2], atol=1e-4 * float(found[1][2].abs().max()))


def test_gradients_that_wait_at_the_planes_arrive_at_the_codes() -> None:
    generator = small_eg3d()
    fit = PhotoFit(generator, photo_of(generator), samples=6, most_points=4000)
    pose = Pose(usual(generator), generator.camera)
    codes = generator.codes(4).clone().requires_grad_(True)
    before = codes.detach().clone()
    adam = Adam([(codes, 0.01)])
    pieces = list(fit.learn(generator, codes, pose, adam, fit.size, (3, 8), prior=torch.zeros(()), upsampled=True))
    assert sum(math.isfinite(loss) for loss in pieces) == 2
    assert codes.grad is not None
    assert (codes.grad[:-1] != 0).any(1).all(), "every layer of the planes has its share"
    assert not torch.equal(codes, before)


def test_what_is_explained_of_a_photo_is_all_nothing_or_less() -> None:
    generator = SphereGenerator()
    photo = photo_of(generator, seed=3)
    fit = PhotoFit(generator, photo, samples=6, most_points=4000)
    same = fit.photo.rgb
    subject = fit.photo.subject
    assert subject is not None
    mean = (same * subject).sum((1, 2), keepdim=True) / subject.sum()
    assert fit.explained(same) == pytest.approx(1)
    assert fit.explained(mean.expand_as(same)) == pytest.approx(0, abs=1e-3)
    assert fit.explained(1 - same) < 0


def test_rays_that_are_wanted_are_rendered_though_nothing_is_there() -> None:
    generator = SphereGenerator()
    scene = generator.scene(generator.codes(3))
    matrices = [torch.from_numpy(m).float() for m in camera_matrices(usual(generator), generator.camera)]
    wanted = torch.zeros(32, 32, dtype=torch.bool)
    wanted[0, 0] = True
    assert 0 in place_samples(scene, *matrices, 32, 6, wanted=wanted).rays


def test_unseen_points_lie_behind_what_the_photo_shows() -> None:
    generator = SphereGenerator()
    scene = generator.scene(generator.codes(3))
    *_, points = unseen_points(scene, usual(generator), replace_range(generator))
    assert points is not None
    assert len(points) > 100
    assert (points[:, 2] < 0.5).float().mean() > 0.95, "the camera looks at the side of positive z"


def test_locality_is_nothing_before_tuning_and_something_after() -> None:
    generator = small_eg3d()
    codes = generator.codes(0)
    *_, locality = Locality.gathered(generator.scene(codes), usual(generator), generator.camera)
    assert locality is not None
    tuning = Tuning(generator)
    assert locality(tuning.generator.scene(codes).field) == pytest.approx(0, abs=1e-9)
    with torch.no_grad():
        dict(tuning.generator.network.named_parameters())["decoder.net.2.bias"].add_(0.5)
    assert locality(tuning.generator.scene(codes).field) > 1e-4


def replace_range(generator):
    return replace(generator.camera, yaw_range=(-2.0, 2.0))

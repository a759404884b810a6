"""The painter: its weights' architecture, its conditions, its use of the past, and its files."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from graph_tape import Tape
from neuroview.models.base import GBuffer, ModelCard, Translator
from neuroview.models.captured import WARM
from neuroview.models.errors import CheckpointError, NeuroviewError
from neuroview.models.formats.painter_native import open_translator, save
from neuroview.models.frames import FrameError
from neuroview.models.learned_flow import FlowLayout, FlowNetwork
from neuroview.models.painter import Painter, PainterConfig
from neuroview.models.painter_conditions import PARTS, TOWN_CLASSES, ConditionLayout, Part, conditions
from neuroview.models.tints import base_colours, codes
from neuroview.models.translators import open_translator as open_any
from neuroview.models.vid2vid_spade import PainterLayout, PainterNetwork, fold
from torch import Tensor

H, W = 32, 64
ALL = tuple(PARTS)
PROTOTYPE = {
    r"^s2\.": "maps_in.", r"^sd\.": "maps_down.", r"^w2\.": "past_in.", r"^wd\.": "past_down.",
    r"^b16\.": "trunk.0.", r"^b8\.": "trunk.1.", r"^b4\.": "trunk.2.", r"^b2\.": "trunk.3.", r"^skip\.": "linear.",
    r"\.n1\.g\.": ".modulation_0.affine.", r"\.n2\.g\.": ".modulation_1.affine.",
    r"\.c1\.": ".conv_0.", r"\.c2\.": ".conv_1.", r"\.sk\.": ".shortcut.",
}  # fmt: skip
"""The prototype's names -> the painter's."""
FOLDED = ("maps_in.0.weight", "linear.weight", "past_in.0.weight")
"""Weights that read what `fold` made."""
SECOND_HASH = 18
"""A channel of the conditions that the prototype did not have."""


def frame(seed: int = 0, height: int = H, width: int = W) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    cells = torch.randint(0, len(TOWN_CLASSES), (height // 8, width // 8), generator=random)
    labels = torch.tensor(TOWN_CLASSES)[cells].repeat_interleave(8, 0).repeat_interleave(8, 1)
    return labels.to(torch.uint8), labels * 37


def painter(**settings) -> Painter:
    torch.manual_seed(5)
    config = PainterConfig(**{"width": 4, "maps": 8, "past": 4, **settings})
    network, flow = config.network(), config.flow_network()
    torch.nn.init.normal_(network.linear.weight, std=0.1)
    return Painter(network, config, ModelCard("test", "vid2vid+spade", "Test", training={"steps": 3}), flow)


def gbuffer(height: int = H, width: int = W, **parts) -> GBuffer:
    depth = torch.linspace(2, 90, width).expand(height, width)
    return GBuffer(depth=depth, expected_depth=depth, height=depth / 9, shadow=(depth > 40).float(), **parts)


STILL = torch.zeros(H, W, 2)


def prototype(state: dict[str, Tensor], cond: Tensor, warped: Tensor, valid: Tensor) -> Tensor:
    """The prototype's network from its description in recipes/town.md, by its own tensor names."""

    def conv(name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = state[f"{name}.weight"]
        return F.conv2d(x, weight, state.get(f"{name}.bias"), stride, weight.shape[-1] // 2)

    def block(name: str, x: Tensor, m: Tensor) -> Tensor:
        h = x
        for n in "12":
            gamma, beta = conv(f"{name}.n{n}.g", m).chunk(2, 1)
            h = h / (h.square().mean(1, keepdim=True) + 1e-4).sqrt() * (1 + gamma) + beta
            h = conv(f"{name}.c{n}", F.leaky_relu(h, 0.2))
        return h + (conv(f"{name}.sk", x) if f"{name}.sk.weight" in state else x)

    folded, past = F.pixel_unshuffle(cond, 2), F.pixel_unshuffle(torch.cat([warped * valid, valid], 1), 2)
    a = [F.leaky_relu(conv("s2.2", F.leaky_relu(conv("s2.0", folded), 0.2)), 0.2)]
    b = [F.leaky_relu(conv("w2.0", past), 0.2)]
    for n in range(3):
        a.append(F.leaky_relu(conv(f"sd.{n}.0", a[-1], 2), 0.2))
        b.append(F.leaky_relu(conv(f"wd.{n}.0", b[-1], 2), 0.2))
    levels = [torch.cat(pair, 1) for pair in zip(a, b, strict=True)]
    x = conv("stem", levels[3])
    for level, name in ((3, "b16"), (2, "b8"), (1, "b4"), (0, "b2")):
        x = x if level == 3 else x.repeat_interleave(2, 2).repeat_interleave(2, 3)
        for n in (0, 1) if level else (0,):
            x = block(f"{name}.{n}", x, levels[level])
    o = F.pixel_shuffle(conv("head", torch.cat([F.leaky_relu(x, 0.2), levels[0]], 1)) + conv("skip", folded), 2)
    raw, mask = torch.tanh(o[:, :3]), torch.sigmoid(o[:, 3:]) * valid
    return raw + mask * (warped - raw)


def reordered(weight: Tensor) -> Tensor:
    """Weights [outputs, 4 C, h, w] that read channels in `pixel_unshuffle`'s order (C, 2 x 2), in the order of `fold`.
    Channels themselves, [N, 4 C, h, w], are reordered likewise.
    """
    return weight.unflatten(1, (-1, 4)).transpose(1, 2).flatten(1, 2)


def test_the_prototypes_trained_weights_fit_and_give_its_pictures(oracles: Path):
    file = oracles.parent / "prototypes" / "town" / "weights_ema_fp16.pt"
    if not file.is_file():
        pytest.skip("../shared/prototypes is not beside this checkout")
    theirs = {name: tensor.float() for name, tensor in torch.load(file, weights_only=True).items()}
    ours = {}
    for name, tensor in theirs.items():
        for pattern, new in PROTOTYPE.items():
            name = re.sub(pattern, new, name)
        ours[name] = reordered(tensor) if name in FOLDED else tensor
    network = PainterNetwork(PainterLayout(conditions=23))
    network.load_state_dict(ours)
    assert sum(tensor.numel() for tensor in network.parameters()) == 1_115_248
    labels, instances = frame(1, 64, 128)
    cond = conditions(ConditionLayout(), labels, instances, GBuffer(sun=torch.tensor([0.3, 0.5, 0.8])))
    cond = torch.cat([cond[:, :SECOND_HASH], cond[:, SECOND_HASH + 1 :]], 1)
    random = torch.Generator().manual_seed(2)
    warped = torch.rand(1, 3, 64, 128, generator=random) * 2 - 1
    valid = (torch.rand(1, 1, 64, 128, generator=random) > 0.3).float()
    with torch.no_grad():
        found = network(cond, warped, valid).picture
        torch.testing.assert_close(found, prototype(theirs, cond, warped, valid), atol=2e-4, rtol=0)


def test_folding_is_pixel_unshuffle_in_another_order_with_channels_last():
    x = torch.rand(2, 3, 4, 6)
    torch.testing.assert_close(fold(x), reordered(F.pixel_unshuffle(x, 2)))
    assert fold(x).is_contiguous(memory_format=torch.channels_last)


def test_a_painter_is_a_translator_and_its_pictures_are_in_0_to_1():
    model = painter()
    assert isinstance(model, Translator)
    rgb, memory = model(*frame(), STILL)
    assert rgb.shape == (3, H, W)
    assert rgb.dtype == torch.float32
    assert 0 <= float(rgb.min()) < float(rgb.max()) <= 1
    assert not torch.equal(rgb, model(*frame(), STILL, memory)[0])


def test_without_a_past_the_mask_is_0_and_the_picture_is_the_raw_one():
    blend, _ = painter().blend(*frame(), STILL)
    assert blend.mask.count_nonzero() == 0
    assert torch.equal(blend.picture, blend.raw)


def test_a_recorded_painter_paints_the_same_drive():
    tape = Tape()
    plain, memories = painter(), [None, None]
    recorded = Painter(plain.network, plain.config, plain.card, recorder=tape)
    for seed in range(1 + WARM + 3):  # the first has no past, and is another kind of call
        pictures = []
        for number, paint in enumerate((plain, recorded)):
            picture, memories[number] = paint(*frame(seed), STILL + 0.3, memories[number])
            pictures.append(picture)
        torch.testing.assert_close(*pictures)
    assert (tape.recorded, tape.replayed) == (1, 3)
    recorded.prepare(torch.bfloat16)
    recorded(*frame(0), STILL)
    assert tape.replayed == 3, "what was recorded in another precision is not played"


def test_the_past_is_never_trusted_beyond_what_the_layout_says():
    model = painter(trust=0.6)
    with torch.no_grad():
        model.network.head.bias.fill_(50.0)
    _, memory = model(*frame(), STILL)
    blend, _ = model.blend(*frame(), STILL, memory)
    torch.testing.assert_close(blend.mask, torch.full_like(blend.mask, 0.6))


def test_the_last_layers_read_each_pixels_own_conditions():
    model = painter(refine=4, detail=8)
    network, labels = model.network, frame()[0]
    with torch.no_grad():
        for other in (network.linear, network.maps_in[0], network.head):
            other.weight.zero_()
    plain = conditions(model.config.conditions, labels, labels.long())
    dotted = plain.clone()
    dotted[0, 0, 11, 17] += 1
    nothing = torch.zeros(1, 4, H, W)
    a, b = (network(c, nothing[:, :3], nothing[:, 3:]).picture for c in (plain, dotted))
    changed = ((a - b).abs().sum(1)[0] > 0).nonzero()
    assert changed.min(0).values.tolist() == [10, 16]
    assert changed.max(0).values.tolist() == [12, 18]


def test_the_past_is_blended_linearly_where_it_is_valid():
    model = painter()
    _, memory = model(*frame(), STILL)
    changed = memory.key.clone()
    changed[:, : W // 2] += 1
    blend, _ = model.blend(*frame(), STILL, memory._replace(key=changed))
    assert blend.mask[..., : W // 2].count_nonzero() == 0
    assert (blend.mask[..., W // 2 :] > 0).all()
    expected = blend.raw + blend.mask * (memory.picture - blend.raw)
    torch.testing.assert_close(blend.picture, expected, atol=1e-5, rtol=0)


def test_depth_that_disagrees_makes_the_past_invalid():
    model = painter()
    _, memory = model(*frame(), STILL, None, gbuffer())
    seen, _ = model.blend(*frame(), STILL, memory, gbuffer())
    assert memory.depth is not None
    hidden, _ = model.blend(*frame(), STILL, memory._replace(depth=memory.depth / 3), gbuffer())
    assert seen.mask.count_nonzero() == H * W
    assert hidden.mask.count_nonzero() == 0


def test_a_memory_can_be_used_twice():
    model = painter()
    _, memory = model(*frame(), STILL)
    assert torch.equal(model(*frame(1), STILL, memory)[0], model(*frame(1), STILL, memory)[0])


def test_without_motion_a_painter_without_a_flow_network_forgets():
    model = painter()
    first, memory = model(*frame(), None)
    assert torch.equal(model(*frame(), None, memory)[0], first)


def test_without_motion_the_flow_network_guesses_and_softly_trusts():
    model = painter(flow_width=4)
    _, memory = model(*frame(), None)
    blend, _ = model.blend(*frame(), None, memory)
    assert 0 < float(blend.mask.min()) < 0.5  # an untrained one trusts itself by half
    # Where the engine knows, it is the engine that counts.
    blend, _ = model.blend(*frame(), STILL, memory)
    torch.testing.assert_close(blend.picture, torch.lerp(blend.raw, memory.picture, blend.mask), atol=1e-5, rtol=0)


def test_an_untrained_flow_network_says_that_nothing_moves():
    network = FlowNetwork(FlowLayout(5, 4))
    motion, trust = network(torch.rand(1, 5, 16, 24), torch.rand(1, 5, 16, 24), torch.rand(1, 3, 16, 24))
    assert motion.shape == (1, 16, 24, 2)
    assert motion.count_nonzero() == 0
    assert (trust == 0.5).all()


def test_the_flow_network_can_learn_a_shift():
    torch.manual_seed(0)
    network = FlowNetwork(FlowLayout(2, 8, residuals=1))
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    previous = F.interpolate(torch.rand(1, 5, 4, 8), scale_factor=8.0, mode="bilinear")
    present = torch.roll(previous, 3, -1)
    losses = []
    for _ in range(30):
        motion, _ = network(present[:, :2], previous[:, :2], previous[:, 2:])
        loss = (motion - torch.tensor([-3.0, 0.0])).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 3


def test_the_same_weights_paint_from_bare_labels_and_from_all_geometry():
    model = painter(conditions=ConditionLayout(parts=ALL))
    extra = gbuffer(
        storey=torch.full((H, W), torch.nan), bay=torch.rand(H, W), normals=torch.rand(3, H, W),
        ground=torch.rand(2, H, W), sun=torch.tensor([0.0, 0.0, 1.0]),
    )  # fmt: skip
    bare, rich = model(*frame(), STILL)[0], model(*frame(), STILL, None, extra)[0]
    assert torch.isfinite(bare).all()
    assert torch.isfinite(rich).all()
    assert not torch.equal(bare, rich)


def test_a_part_that_is_not_there_is_zero_and_says_so():
    layout = ConditionLayout(parts=("depth", "shadow"))
    assert layout.channels == ConditionLayout().channels + 5
    bare = conditions(layout, *frame())
    rich = conditions(layout, *frame(), gbuffer())
    assert bare[:, -5:].count_nonzero() == 0
    assert (rich[:, -2:] == 1).all()
    torch.testing.assert_close(rich[0, layout.first("depth"), 0, 0], torch.tensor(2.0).log() / 3 - 1)
    assert torch.equal(bare[:, :-5], rich[:, :-5])


def test_conditions_hold_each_map_in_its_channels():
    labels, instances = frame(3)
    layout = ConditionLayout()
    made = conditions(layout, labels, instances, GBuffer(sun=torch.tensor([0.1, 0.2, 0.3])))[0]
    assert made.shape == (24, H, W)
    assert (made[:13].sum(0) == 1).all()
    assert torch.equal(torch.tensor(TOWN_CLASSES)[made[:13].argmax(0)], labels.long())
    assert set(made[13].unique().tolist()) == {0.0, 1.0}
    tinted = torch.isin(labels, torch.tensor([3, 8, 12, 14]))
    assert made[14 : layout.plain, ~tinted].count_nonzero() == 0
    assert made[14 : layout.plain, tinted].abs().sum() > 0
    torch.testing.assert_close(made[19:22, 0, 0], torch.tensor([0.1, 0.2, 0.3]))
    assert (made[22, 0, 0], made[22, -1, 0], made[23, 0, -1]) == (-1, 1, 1)


def part(name: Part, given: GBuffer, labels: Tensor | None = None) -> Tensor:
    """The channels of one part [C, H, W] of a frame, beside all that it is computed from."""
    layout = ConditionLayout(parts=ALL)
    labels = torch.full((H, W), 3) if labels is None else labels
    made = conditions(layout, labels, torch.zeros_like(labels), given)[0]
    return made[layout.first(name) : layout.first(name) + PARTS[name]]


def test_a_storey_is_a_phase_that_a_ramp_tells_from_the_ground_floor():
    storeys = (torch.arange(H) / 16.0)[:, None].expand(H, W)
    sine, cosine, ramp = part("storey", GBuffer(storey=storeys))
    loud = 1 - 1 / 16
    inner = slice(1, H - 1)  # outermost rows have one neighbour only
    torch.testing.assert_close(sine[inner], loud * torch.sin(2 * math.pi * storeys)[inner], atol=1e-5, rtol=0)
    torch.testing.assert_close(cosine[inner], loud * torch.cos(2 * math.pi * storeys)[inner], atol=1e-5, rtol=0)
    torch.testing.assert_close(ramp, storeys - 1)


def test_what_repeats_faster_than_pixels_falls_silent():
    bays = torch.arange(W).expand(H, W) * 1.0
    four_bays, _, _, _, one_bay, _, _ = part("bay", GBuffer(bay=bays))
    assert one_bay[:, 1:-1].abs().max() == 0
    assert four_bays[:, 1:-1].abs().max() > 0.7


def test_a_windows_bump_is_highest_in_the_middle_of_its_bay_and_storey():
    bays = (torch.arange(W) / 16.0).expand(H, W)
    storeys = (torch.arange(H) / 16.0)[:, None].expand(H, W)
    bump = part("bay", GBuffer(bay=bays, storey=storeys))[-1][1:-1, 1:-1]
    rows, columns = (bump == bump.max()).nonzero().unbind(1)
    assert {(int(r) + 1) % 16 for r in rows} == {(int(c) + 1) % 16 for c in columns} == {8}
    assert bump[15, 7] < 0 < bump[7, 7]


def test_of_a_car_the_longest_bay_and_the_ramp_rise_all_along_it():
    along = torch.linspace(0, 1, W).expand(H, W)
    labels = torch.full((H, W), 14)
    sine = part("bay", GBuffer(bay=along), labels)[0]
    assert (sine[:, 2:-1] > sine[:, 1:-2]).all()
    up = part("storey", GBuffer(storey=along), labels)[2]
    assert (up.diff() > 0).all()


def test_the_ground_repeats_every_64_16_and_4_metres():
    ground = torch.stack([torch.arange(W).expand(H, W) / 4, torch.arange(H)[:, None].expand(H, W) / 4])
    here, moved = (part("ground", GBuffer(ground=ground + shift)) for shift in (0.0, 64.0))
    torch.testing.assert_close(here, moved, atol=1e-4, rtol=0)
    quarter = part("ground", GBuffer(ground=ground + 16.0))
    torch.testing.assert_close(here[4:], quarter[4:], atol=1e-4, rtol=0)
    assert (here[:4] - quarter[:4]).abs().max() > 0.5


def normals(pitch: float, vector: tuple[float, float, float]) -> Tensor:
    """[3, H, W] of a camera that looks down by `pitch`; `vector` is forward, left, up in the world."""
    forward, left, up = vector
    c, s = math.cos(pitch), math.sin(pitch)
    return torch.tensor([-left, -c * up - s * forward, c * forward - s * up])[:, None, None].expand(3, H, W).clone()


@pytest.mark.parametrize("pitch", [0.0, 0.14, 1.2])
def test_light_is_the_suns_share_of_a_surface_however_the_camera_is_tilted(pitch):
    sun = F.normalize(torch.tensor([0.5, -0.3, 0.7]), dim=0)
    labels = torch.full((H, W), 3)
    labels[H // 2 :] = 1
    wall = (-0.6, 0.8, 0.0)
    facing = normals(pitch, wall)
    facing[:, H // 2 :] = normals(pitch, (0.0, 0.0, 1.0))[:, H // 2 :]
    shadow = torch.zeros(H, W)
    shadow[:, :10] = 1
    given = GBuffer(normals=facing, shadow=shadow, sun=sun)
    levelled = part("normals", given, labels)
    torch.testing.assert_close(levelled[:3, 0, 0], torch.tensor(wall), atol=1e-5, rtol=0)
    torch.testing.assert_close(levelled[3], torch.full((H, W), math.sin(pitch)), atol=1e-5, rtol=0)
    light = part("shadow", given, labels)[1]
    assert light[:, :10].abs().max() == 0
    torch.testing.assert_close(light[-1, -1], sun[2], atol=1e-5, rtol=0)
    expected = max(0.0, float(torch.tensor(wall) @ sun))
    assert float(light[0, -1]) == pytest.approx(expected, abs=1e-5)


def test_walls_that_face_the_sun_are_lit_and_those_that_do_not_are_not():
    sun = torch.tensor([-1.0, 0.0, 0.0])
    for vector, lit in (((-1.0, 0.0, 0.0), 1.0), ((1.0, 0.0, 0.0), 0.0)):
        given = GBuffer(normals=normals(0.0, vector), shadow=torch.zeros(H, W), sun=sun)
        torch.testing.assert_close(part("shadow", given)[1], torch.full((H, W), lit))


def test_a_lamp_shows_its_colour_and_an_unlit_one_has_none():
    labels = torch.full((H, W), 7)
    shown = []
    for instance in (1, 2, 3, 16):
        made = conditions(ConditionLayout(), labels, torch.full((H, W), instance))
        shown.append(made[0, 14:19, 0, 0])
    red, amber, green, box = shown
    assert red[0] > 0.9 > 0 > red[1]
    assert amber[0] > 0.9
    assert 0 < amber[1] < red[0]
    assert green[1] > 0.9 > 0 > green[0]
    assert box.count_nonzero() == 0
    assert (red[3:] == 1).all()


def test_tags_without_a_channel_become_what_is_nearest():
    labels = torch.full((H, W), 16)  # a bus
    assert conditions(ConditionLayout(), labels, labels)[0, :13].argmax(0).unique().tolist() == [TOWN_CLASSES.index(14)]
    with pytest.raises(FrameError, match=r"holds 29; CARLA's tags are 0\.\.28"):
        conditions(ConditionLayout(), labels + 13, labels)


def test_tints_stay_with_an_instance_and_differ_between_most():
    assert codes().min() >= 0
    assert codes().max() < 1
    colours = base_colours(14)[1:200]
    assert len({tuple(colour) for colour in colours.tolist()}) > 190
    assert base_colours(1).any() == False  # noqa: E712 - numpy's


def test_frames_that_do_not_fit_are_refused_in_words():
    model = painter(conditions=ConditionLayout(parts=("depth",)))
    _, memory = model(*frame(), STILL)
    labels, instances = frame()
    with pytest.raises(FrameError, match="the frame is 60 x 32; .* multiples of 16"):
        model(labels[:, :60], instances[:, :60], None)
    with pytest.raises(FrameError, match=r"the frame is \(32, 48\), the one before was \(32, 64\); start anew"):
        model(labels[:, :48], instances[:, :48], None, memory)
    with pytest.raises(FrameError, match="the G-buffer's depth is 3x3 of torch.float32; expected 32x64"):
        model(labels, instances, None, None, GBuffer(depth=torch.ones(3, 3)))


def test_bfloat16_paints_nearly_the_same():
    model = painter(refine=2, detail=4)
    exact = model(*frame(), STILL)[0]
    assert float((model.prepare(torch.bfloat16)(*frame(), STILL)[0] - exact).abs().mean()) < 0.01


def test_training_reaches_every_weight():
    model = painter(refine=2, detail=4)
    network = model.network.train().requires_grad_(True)
    cond = conditions(model.config.conditions, *frame())
    blend = network(cond, torch.rand(1, 3, H, W), torch.ones(1, 1, H, W))
    (blend.picture.square().mean() + blend.mask.mean()).backward()
    assert [name for name, weight in network.named_parameters() if weight.grad is None] == []


# Files


@pytest.fixture
def file(tmp_path):
    model = painter(flow_width=4, refine=2, conditions=ConditionLayout(parts=ALL))
    save(tmp_path / "town.safetensors", model, kind=torch.float32)
    return tmp_path / "town.safetensors", model


def test_a_saved_painter_paints_the_same(file):
    path, model = file
    again = open_any(path)
    assert isinstance(again, Painter)
    assert again.config == model.config
    assert (again.card.title, again.card.training) == ("Test", {"steps": 3})
    _, memory = model(*frame(), None)
    assert torch.equal(again(*frame(1), None, memory)[0], model(*frame(1), None, memory)[0])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"config": {"width": 8}}, "unknown tensor '(refine|flow).*: the configuration has no such"),
        ({"config": {"width": -1}}, "expected 1..1024 channels"),
        ({"config": {"detail": -1}}, "expected 0..1024 channels"),
        ({"config": {"trust": 1.5}}, "expected 0..1, the greatest part"),
        ({"config": {"width": 10**9}}, "expected 1..1024 channels"),
        ({"config": {"depth": 1}}, "config has unknown key 'depth'"),
        ({"config": {"conditions": {"parts": ["smell"]}}}, "is 'smell'; expected one of depth"),
        ({"config": {"conditions": {"classes": [1, 99]}}}, "are no CARLA tags"),
        ({"config": None}, "config is a NoneType"),
        ({"resolution": [0, 7]}, r"resolution is \[0, 7\]; expected \[height, width\]"),
        ({"family": "eg3d"}, "does not describe a 'vid2vid"),
    ],
)
def test_a_description_that_does_not_fit_is_refused_in_words(file, change, reason):
    path, _ = file
    beside = path.with_suffix(".json")
    beside.write_text(json.dumps({**json.loads(beside.read_text()), **change}))
    with pytest.raises(CheckpointError, match=reason):
        open_translator(path)


def test_a_pair_that_is_incomplete_or_cut_is_refused(file):
    path, _ = file
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="no readable safetensors file"):
        open_translator(path)
    path.with_suffix(".json").unlink()
    with pytest.raises(CheckpointError, match="town.json, which describes it, cannot be read"):
        open_translator(path)


def test_layouts_that_make_no_sense_are_refused():
    with pytest.raises(NeuroviewError, match="may not repeat"):
        ConditionLayout(parts=("depth", "depth"))
    with pytest.raises(NeuroviewError, match="reads 24 channels, its conditions have 26"):
        Painter(PainterConfig().network(), PainterConfig(ConditionLayout(parts=("depth",))), ModelCard("", "", ""))

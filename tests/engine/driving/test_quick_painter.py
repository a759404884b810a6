"""The compiled painter paints what the readable one paints, and remembers the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from neuroview.engine.driving import painting, quick_painter
from neuroview.engine.driving.messages import DriveFrame, Geometry
from neuroview.engine.driving.quick_painter import QuickPainter, _to_bytes
from neuroview.engine.rendering import compiled
from neuroview.models.base import GBuffer, ModelCard
from neuroview.models.byte_convolution import to_bytes as to_bytes_in_torch
from neuroview.models.frames import FrameError
from neuroview.models.painter import Painter, PainterConfig
from neuroview.models.painter_conditions import TOWN_CLASSES, ConditionLayout, Part, conditions
from neuroview.models.warp import surface_key, validity, warp
from torch import Tensor

H, W = 32, 64
GAPS: tuple[Part, ...] = ("depth", "height", "storey", "bay", "normals", "shadow", "ground")


def painter(parts: tuple[Part, ...] = GAPS, **settings) -> Painter:
    torch.manual_seed(5)
    config = PainterConfig(
        ConditionLayout(parts=parts), **{"width": 8, "maps": 16, "past": 8, "refine": 4, "detail": 8, **settings}
    )
    network = config.network()
    torch.nn.init.normal_(network.linear.weight, std=0.1)
    return Painter(network, config, ModelCard("test", "vid2vid+spade", "Test"), config.flow_network())


def frame(seed: int = 0) -> tuple[Tensor, Tensor, Tensor, GBuffer]:
    """Labels, instances, motion and all geometry, with gaps and edges in each."""
    random = torch.Generator().manual_seed(seed)
    cells = torch.randint(0, len(TOWN_CLASSES), (H // 8, W // 8), generator=random)
    labels = torch.tensor(TOWN_CLASSES)[cells].repeat_interleave(8, 0).repeat_interleave(8, 1)
    y, x = torch.meshgrid(torch.arange(H) / 1.0, torch.arange(W) / 1.0, indexing="ij")
    depth = 3 + x + 20 * (labels == 3)
    normals = torch.nn.functional.normalize(torch.randn(3, H, W, generator=random), dim=0)
    given = {"height": y / 5, "storey": y / 11, "bay": x / 7, "shadow": (x > 40).float(), "ground": torch.stack([x, y])}
    for number, plane in enumerate((depth, normals, *given.values())):
        plane[..., 3 * number : 3 * number + 9, 5:14] = torch.nan
    depth[:4] = torch.inf
    motion = torch.randn(H, W, 2, generator=random) * 2
    motion[5:9, 5:9] = torch.nan
    sun = torch.tensor([0.3, 0.5, 0.81])
    gbuffer = GBuffer(depth=depth, expected_depth=depth + 0.1, normals=normals, sun=sun, **given)
    return labels.to(torch.uint8), (labels * 37).int(), motion, gbuffer


def planes(folded: np.ndarray) -> Tensor:
    """[h, w, 2, 2, C] bits as [C, H, W] float32."""
    wide = torch.from_numpy((folded.astype(np.uint32) << 16).view(np.float32))
    return wide.transpose(1, 2).reshape(H, W, -1).permute(2, 0, 1)


def test_the_picture_is_the_readable_one_within_bfloat16s_rounding():
    exact, half = painter(), painter().prepare(torch.bfloat16)
    quick, memories = QuickPainter(half, in_bytes=False), [None] * 3
    for seed in range(3):
        pictures = []
        for number, paint in enumerate((exact, half, quick)):
            picture, memories[number] = paint(*frame(seed)[:3], memories[number], frame(seed)[3])
            pictures.append(picture)
        readable, compiled = (float((picture - pictures[0]).abs().mean()) * 255 for picture in pictures[1:])
        print(f"of 255, from float32: readable {readable:.3f}, compiled {compiled:.3f}")
        assert compiled < 1.5 * readable + 0.05


@pytest.mark.skipif(not torch.cpu._is_vnni_supported(), reason="this processor has no eight-bit products")
def test_in_eight_bits_it_paints_the_same_picture_to_45_decibels():
    model = painter().prepare(torch.bfloat16)
    plain, bytes_, memories = QuickPainter(model, in_bytes=False), QuickPainter(model, in_bytes=True), [None, None]
    for seed in range(3):
        (a, memories[0]), (b, memories[1]) = (
            paint(*frame(seed)[:3], memory, frame(seed)[3])
            for paint, memory in zip((plain, bytes_), memories, strict=True)
        )
        decibels = -10 * float((a - b).square().mean().log10())
        print(f"{decibels:.1f} dB")
        assert decibels > 45


@pytest.mark.parametrize("values", [(-3.0, 5.0), (0.5, 2.0), (-2.0, -1.0), (0.0, 0.0)])
def test_a_map_becomes_the_same_bytes_as_in_torch(values):
    random = torch.Generator().manual_seed(1)
    x = (torch.rand(1, 6, 5, 7, generator=random) * (values[1] - values[0]) + values[0]).bfloat16()
    x = x.contiguous(memory_format=torch.channels_last)
    found, expected = _to_bytes(x), to_bytes_in_torch(x)
    assert found.values.shape == x.shape
    assert found.scale == pytest.approx(expected.scale, rel=1e-5)
    assert found.zero == expected.zero
    assert int((found.values.int() - expected.values.int()).abs().max()) <= 1


@pytest.mark.parametrize("left_out", [None, *GAPS])
def test_conditions_are_the_readable_ones(left_out):
    labels, instances, motion, gbuffer = frame()
    gbuffer = gbuffer if left_out is None else replace(gbuffer, **{left_out: None})
    model = painter().prepare(torch.bfloat16)
    quick = QuickPainter(model)
    quick(labels, instances, motion, None, gbuffer)
    assert quick._room is not None
    expected = conditions(model.config.conditions, labels, instances, gbuffer)[0]
    found = planes(quick._room.conditions)
    assert found.shape == expected.shape
    assert float((found - expected).abs().max()) < 0.01
    assert torch.equal(found[:14], expected[:14])


def test_a_painter_that_reads_fewer_parts_in_another_order_gets_its_own_channels():
    model = painter(parts=("ground", "depth")).prepare(torch.bfloat16)
    labels, instances, motion, gbuffer = frame()
    quick = QuickPainter(model)
    quick(labels, instances, motion, None, gbuffer)
    assert quick._room is not None
    expected = conditions(model.config.conditions, labels, instances, gbuffer)[0]
    torch.testing.assert_close(planes(quick._room.conditions), expected, atol=0.01, rtol=0)


def test_the_past_is_believed_where_the_readable_painter_believes_it():
    quick, last, now = QuickPainter(painter().prepare(torch.bfloat16)), frame(0), frame(0)
    motion = now[2] * 0.3
    _, memory = quick(*last[:3], None, last[3])
    quick(now[0], now[1], motion, memory, now[3])
    assert quick._room is not None
    valid = validity(motion, surface_key(now[0], now[1]), memory.key, now[3].expected_depth, memory.depth)[0, 0]
    found = torch.from_numpy(quick._room.past).transpose(1, 2).reshape(H, W, 4).permute(2, 0, 1)
    assert 0.2 < float(valid.mean()) < 0.9
    assert torch.equal(found[3], valid)
    torch.testing.assert_close(found[:3], (warp(memory.picture, motion[None])[0] * valid), atol=1e-4, rtol=0)


def test_either_painter_goes_on_where_the_other_stopped():
    model = painter().prepare(torch.bfloat16)
    quick, (labels, instances, _, gbuffer) = QuickPainter(model), frame()
    still = torch.zeros(H, W, 2)
    _, of_quick = quick(labels, instances, still, None, gbuffer)
    _, of_readable = model(labels, instances, still, None, gbuffer)
    assert torch.equal(of_quick.key, of_readable.key)
    crossed = (
        model(labels, instances, still, of_quick, gbuffer)[0],
        quick(labels, instances, still, of_readable, gbuffer)[0],
    )
    assert float((crossed[0] - crossed[1]).abs().mean()) < 0.005


def test_a_memory_is_not_changed_by_what_follows():
    quick, (labels, instances, motion, gbuffer) = QuickPainter(painter().prepare(torch.bfloat16)), frame()
    picture, memory = quick(labels, instances, motion, None, gbuffer)
    kept = picture.clone(), memory.picture.clone(), memory.key.clone()
    quick(*frame(1)[:3], memory, gbuffer)
    assert all(torch.equal(a, b) for a, b in zip(kept, (picture, memory.picture, memory.key), strict=True))


def test_a_painter_that_guesses_motion_still_guesses_it():
    model = painter(flow_width=4).prepare(torch.bfloat16)
    labels, instances, _, gbuffer = frame()
    _, memory = QuickPainter(model)(labels, instances, None, None, gbuffer)
    assert memory.conditions is not None


def test_labels_that_are_no_tags_are_refused():
    labels, instances, motion, _ = frame()
    labels[3, 4] = 77
    with pytest.raises(FrameError, match="the label map holds 77; CARLA's tags are 0..28"):
        QuickPainter(painter().prepare(torch.bfloat16))(labels, instances, motion)


def test_painters_in_float32_or_without_detail_are_left_to_the_readable_one():
    assert not QuickPainter.suits(painter())
    assert not QuickPainter.suits(painter(detail=0).prepare(torch.bfloat16))
    assert QuickPainter.suits(painter().prepare(torch.bfloat16))


@pytest.fixture
def painters_used(monkeypatch):
    """Who painted, in order: 'quick' or 'readable'."""
    used: list[str] = []
    for name, kind in (("quick", QuickPainter), ("readable", Painter)):
        paints = kind.__call__

        def noted(self, *maps, name=name, paints=paints):
            used.append(name)
            return paints(self, *maps)

        monkeypatch.setattr(kind, "__call__", noted)
    monkeypatch.setattr(painting, "quickest_kind", lambda _: torch.bfloat16)
    return used


def driven() -> DriveFrame:
    labels, instances, *_ = frame()
    return DriveFrame(1, 0.0, labels.numpy(), instances.numpy().astype(np.uint16), None, None, None, Geometry())


def test_until_the_record_of_compiled_loops_names_its_own_the_readable_painter_paints(monkeypatch, painters_used):
    made = painting.Painting(painter())
    monkeypatch.setattr(compiled, "_loaded", set())
    made.paint(driven(), "carla")
    compiled._loaded.add(quick_painter.__name__)
    made.paint(driven(), "carla")
    assert painters_used == ["readable", "quick"]


def test_who_asks_for_the_readable_painter_gets_it(monkeypatch, painters_used):
    monkeypatch.setattr(compiled, "_loaded", {quick_painter.__name__})
    painting.Painting(painter(), quick=False).paint(driven(), "carla")
    assert painters_used == ["readable"]

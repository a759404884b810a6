"""The folded painter's network says what the readable one says."""

from __future__ import annotations

import pytest
import torch
from neuroview.models.painter_folded import FoldedPainter, modulated
from neuroview.models.vid2vid_spade import Modulation, PainterLayout, PainterNetwork, fold
from torch import Tensor
from torch.nn import functional as F

H, W = 32, 64


def network() -> PainterNetwork:
    torch.manual_seed(3)
    made = PainterNetwork(PainterLayout(conditions=7, width=4, maps=8, past=8, refine=4, detail=8, trust=0.7))
    torch.nn.init.normal_(made.linear.weight, std=0.1)
    return made.eval().requires_grad_(False)


def frame() -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(4)
    conditions, warped = torch.randn(1, 7, H, W, generator=random), torch.rand(1, 3, H, W, generator=random) * 2 - 1
    return conditions, warped, (torch.rand(1, 1, H, W, generator=random) > 0.4).float()


def finished(plain: Tensor, detail: Tensor, warped: Tensor, valid: Tensor, trust: float) -> Tensor:
    a, b = (x.permute(0, 2, 3, 1).reshape(H // 2, W // 2, 2, 2, -1)[..., :4] for x in (plain, detail))
    sums = (a + b).transpose(1, 2).reshape(H, W, 4).permute(2, 0, 1)[None].float()
    return torch.lerp(torch.tanh(sums[:, :3]), warped, torch.sigmoid(sums[:, 3:]) * valid * trust)


@pytest.mark.parametrize(("kind", "most"), [(torch.float32, 1e-4), (torch.bfloat16, 0.06)])
def test_folding_changes_nothing_but_the_rounding(kind, most):
    conditions, warped, valid = frame()
    readable = network()
    expected = readable(conditions, warped, valid).picture
    past = torch.cat([warped * valid, valid], 1)
    with torch.inference_mode():
        plain, detail = FoldedPainter(readable, kind)(fold(conditions.to(kind)), fold(past.to(kind)))
    error = (finished(plain, detail, warped, valid, 0.7) - expected).abs()
    print(f"{kind}: mean {float(error.mean()):.1e}, greatest {float(error.max()):.1e} of -1..1")
    assert float(error.max()) < most


def test_the_modulation_holds_1_plus_gamma_and_the_leaky_relu():
    torch.manual_seed(0)
    layer, x, maps = Modulation(6, 5), torch.randn(1, 6, 4, 8), torch.randn(1, 5, 4, 8)
    affine = layer.affine(maps)
    affine[:, :6] += 1
    before = torch.zeros(1, 2, 4, 8)  # another modulation's
    torch.testing.assert_close(modulated(x, torch.cat([before, affine], 1), 2), F.leaky_relu(layer(x, maps), 0.2))


def test_a_smaller_frame_after_a_larger_one_is_painted_too():
    conditions, warped, valid = frame()
    past = torch.cat([warped * valid, valid], 1)
    with torch.inference_mode():
        model = FoldedPainter(network(), torch.float32)
        whole = model(fold(conditions), fold(past))[0]
        part = model(fold(conditions[..., :32]), fold(past[..., :32]))[0]
        again = model(fold(conditions), fold(past))[0]
    assert part.shape[-1] == whole.shape[-1] // 2
    torch.testing.assert_close(again, whole)

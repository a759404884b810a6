"""Which part strokes mean, told from signatures alone."""

from __future__ import annotations

import torch
from neuroview.engine.editing.regions import meaning
from torch.nn import functional as F

FIRST, SECOND, THIRD = torch.eye(6)[:3]


def about(*centres: tuple[torch.Tensor, int]) -> torch.Tensor:
    """Signatures that many about each centre."""
    torch.manual_seed(0)
    rows = [F.normalize(centre + 0.02 * torch.randn(count, 6), dim=1) for centre, count in centres]
    return torch.cat(rows)


def test_what_is_common_under_a_stroke_and_rare_elsewhere_is_meant():
    signatures = about((FIRST, 100), (SECOND, 3000))
    stroke = torch.cat([torch.arange(40), torch.arange(200, 240)])  # half of it slips onto the second part
    found = meaning(signatures, stroke)
    assert set(found.nodes.tolist()) == set(range(40))
    assert found.share[:100].min() > 0.8
    assert found.share[100:].max() < 0.2


def test_a_part_of_two_colours_is_meant_with_both():
    brim = F.normalize(FIRST + 0.35 * THIRD, dim=0)
    signatures = about((FIRST, 600), (brim, 300), (SECOND, 2000))
    found = meaning(signatures, torch.cat([torch.arange(60), torch.arange(600, 630)]))
    assert found.share[:900].min() > 0.8
    assert found.share[900:].max() < 0.2


def test_a_blurred_seam_belongs_to_the_part_by_its_share():
    seam = F.normalize(0.5 * FIRST + 0.5 * SECOND, dim=0)
    signatures = about((FIRST, 800), (SECOND, 1500), (seam, 40))
    # A stroke along the rim, where much of what it covers is the seam.
    found = meaning(signatures, torch.cat([torch.arange(60), torch.arange(2300, 2315)]))
    assert found.share[:800].min() > 0.8
    assert found.share[800:2300].max() < 0.2
    assert 0.3 < found.share[2300:].mean() < 0.7

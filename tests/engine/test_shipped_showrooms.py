"""The showroom ships twice, as a hash grid and as a perceptron: both open, and show the same things."""

from __future__ import annotations

import math
from importlib import resources
from pathlib import Path

import pytest
import torch
from neuroview.engine.rendering.occupancy import build_occupancy
from neuroview.engine.rendering.occupancy_march import render_occupancy
from neuroview.models.base import Posed
from neuroview.models.catalog import open_generator, shipped
from neuroview.models.nerf_generator import NeRFGenerator

NAMES = ("showroom", "showroom_vanilla")
ASSETS = Path(str(resources.files("neuroview.assets")))


@pytest.mark.parametrize("name", NAMES)
def test_it_is_listed_and_has_a_card_with_its_picture(name):
    assert name in shipped()
    text = (ASSETS / f"{name}.md").read_text("utf-8")
    assert f"({name}_held_out.png)" in text
    assert (ASSETS / f"{name}_held_out.png").is_file()
    for part in ("Data", "Recipe", "Measured", "Limits", "Licence"):
        assert f"## {part}" in text


def test_the_perceptron_is_small():
    assert isinstance(open_generator("showroom_vanilla"), NeRFGenerator)
    assert (ASSETS / "showroom_vanilla.safetensors").stat().st_size < 2 << 20


def test_both_show_the_same_scene():
    made = []
    with torch.inference_mode():
        for name in NAMES:
            generator = open_generator(name)
            assert isinstance(generator, Posed)
            pose = generator.poses[30]
            camera = (torch.tensor(pose.cam2world), torch.tensor(pose.intrinsics))
            scene = generator.scene(generator.codes(0))
            grid = build_occupancy(scene.field, scene.volume, thin=True)
            made.append(render_occupancy(scene, grid, *camera, resolution=64).features[:3].clamp(0, 1))
    value = -10 * math.log10(float((made[0] - made[1]).square().mean()))
    print(f"hash grid beside perceptron {value:.1f} dB")
    assert value > 25

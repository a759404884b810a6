"""The whole program as a person meets it: a real window and panel, a real mouse, shipped weights."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SESSION = Path(__file__).with_name("app_session.py")


@pytest.mark.parametrize(
    "scenario",
    [
        "picture_and_slider_follow_each_other",
        "files_are_dropped",
        "keys_do_what_the_panel_does",
        "a_moving_camera_is_marched_by_the_window",
    ],
)
def test_with_the_program_running(own_display, tmp_path, scenario):
    command = [sys.executable, "-X", "faulthandler", str(SESSION), scenario, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=own_display)
    assert done.returncode == 0, f"{scenario} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"


def test_every_family_is_opened_by_drop_and_from_the_list(own_display, tmp_path, oracles):
    families = tmp_path / "families"
    for name, files in {
        "eg3d": {"main.pkl": "eg3d/small512.pkl"},
        "nerf": {"main.ckpt": "nerf/lego-lowres/checkpoint199999.ckpt"},
        "pigan": {
            "main.pth": "pigan/celeba_spatialsirenbaseline/generator.pth",
            "main_ema.pth": "pigan/celeba_spatialsirenbaseline/ema.pth",
        },
        "stylenerf": {"main.pkl": "stylenerf/small_ffhq_r128_pixelshuffle/network-snapshot-000000.pkl"},
    }.items():
        (families / name).mkdir(parents=True)
        for link, source in files.items():
            shutil.copy(oracles / source, families / name / link)
    sys.path.insert(0, str(SESSION.parent.parent / "models"))
    import snapshots
    import test_graf as graf
    import test_nerf_dialects as dialects
    import test_nerfstudio as studio

    for name in ("ngp", "yenchenlin", "bmild", "nerfacto", "graf"):
        (families / name).mkdir()
    snapshots.written(families / "ngp" / "main.ingp", snapshots.snapshot())
    torch.save({"it": 7, "generator_test": graf.network().state_dict()}, families / "graf" / "main.pt")
    dialects.tar(families / "yenchenlin" / "main.tar", dialects.paper_state())
    dialects.npy(families / "bmild" / "main.npy", dialects.keras_weights(dialects.paper_state()))
    written = studio.run(families / "nerfacto", studio.nerfacto_state())
    written.rename(written.with_name(f"main{written.suffix}"))
    command = [sys.executable, "-X", "faulthandler", str(SESSION), "every_family_is_dropped", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, env=own_display)
    assert done.returncode == 0, f"ended with {done.returncode}\n{done.stdout}\n{done.stderr}"


def test_without_a_display_the_command_renders_a_tour(tmp_path, own_display):
    environment = {name: value for name, value in own_display.items() if name != "DISPLAY"}
    command = [sys.executable, "-m", "neuroview.viewer", "heads"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "no display" in done.stderr
    assert (tmp_path / "neuroview-tour" / "tour.png").stat().st_size > 10_000

"""The whole program as a person meets it: a real window and panel, a real mouse, shipped weights."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SESSION = Path(__file__).with_name("app_session.py")


@pytest.mark.parametrize(
    "scenario", ["picture_and_slider_follow_each_other", "files_are_dropped", "keys_do_what_the_panel_does"]
)
def test_with_the_program_running(own_display, tmp_path, scenario):
    command = [sys.executable, "-X", "faulthandler", str(SESSION), scenario, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=own_display)
    assert done.returncode == 0, f"{scenario} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"


def test_without_a_display_the_command_renders_a_tour(tmp_path, own_display):
    environment = {name: value for name, value in own_display.items() if name != "DISPLAY"}
    command = [sys.executable, "-m", "neuroview.viewer", "heads"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "no display" in done.stderr
    assert (tmp_path / "neuroview-tour" / "tour.png").stat().st_size > 10_000

"""A drive as a person meets it: a real window, real keys, the embedded town in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SESSION = Path(__file__).with_name("drive_session.py")
PROBE = "import moderngl; moderngl.create_standalone_context(backend='egl').release()"


@pytest.fixture
def egl(own_display):
    """The town draws without a window."""
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, timeout=60, env=own_display)
    if done.returncode:
        pytest.skip("the embedded town needs EGL (apt-get install libegl1 libgl1-mesa-dri)")


@pytest.mark.usefixtures("egl")
def test_a_drive_with_the_keyboard(own_display, tmp_path):
    command = [sys.executable, "-X", "faulthandler", str(SESSION), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=own_display)
    assert done.returncode == 0, f"ended with {done.returncode}\n{done.stdout}\n{done.stderr}"

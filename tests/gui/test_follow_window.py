"""`neuroview RUN_FOLDER --follow` in a real window."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SESSION = Path(__file__).with_name("follow_session.py")


def test_a_model_is_looked_at_while_it_trains(own_display, tmp_path):
    command = [sys.executable, "-X", "faulthandler", str(SESSION), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=own_display)
    assert done.returncode == 0, f"ended with {done.returncode}\n{done.stdout}\n{done.stderr}"

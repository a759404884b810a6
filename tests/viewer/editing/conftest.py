"""The folder's own fakes can be imported."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def bench():
    """A desk for editing, with a colour brush in the hand."""
    from edit_fakes import Bench

    made = Bench()
    made.do.choose("colour")
    made.look()
    return made

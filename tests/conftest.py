"""What all tests share: where the oracles lie, and a model that needs no file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))


@pytest.fixture(scope="session")
def oracles() -> Path:
    """Folder of the official code's outputs, beside the checkout; tests that need it skip without it."""
    folder = ROOT.parent / "shared" / "oracles"
    if not folder.is_dir():
        pytest.skip("../shared/oracles is not beside this checkout")
    return folder


@pytest.fixture(autouse=True)
def own_settings(monkeypatch, tmp_path_factory):
    """No test reads or writes a person's settings."""
    monkeypatch.setenv("NEUROVIEW_CONFIG_DIR", str(tmp_path_factory.mktemp("config")))


@pytest.fixture
def sphere_model(monkeypatch):
    """`open_model('sphere')`, 'ball' and 'posed' work everywhere; any other name fails as a missing checkpoint does."""
    from neuroview.engine import model
    from neuroview.models.errors import CheckpointError
    from rings import ring
    from spheres import SphereGenerator

    made = {}

    def open_generator(reference):
        if reference not in ("sphere", "ball", "posed"):
            raise CheckpointError(f"There is no model {reference!r}.")
        made[reference] = SphereGenerator(reference, poses=ring(3) if reference == "posed" else ())
        return made[reference]

    monkeypatch.setattr(model, "open_generator", open_generator)
    return made

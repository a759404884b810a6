"""What turns a state into a frame. `open_model`, `render` and `ViewState` are the face for scripts.

    from neuroview.engine import ViewState, open_model, render

    frame = render(open_model("heads"), ViewState())

The names load on first use: the window must be on screen before torch is imported.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .frame import Frame
    from .model import Model, open_model, render
    from .state import Camera, Latents, Output, Quality, ViewState

# Before anything loads torch: OpenMP's default is to spin at every barrier, and on a machine whose cores are busy with
# other things that made a frame six times slower (measured) while it burnt the time of a UI thread.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

__all__ = ["Camera", "Frame", "Latents", "Model", "Output", "Quality", "ViewState", "open_model", "render"]

_HOME = {
    "Frame": "frame",
    "Model": "model",
    "open_model": "model",
    "render": "model",
    "Camera": "state",
    "Latents": "state",
    "Output": "state",
    "Quality": "state",
    "ViewState": "state",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

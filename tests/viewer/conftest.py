"""One panel for all the tests here: Dear PyGui does not survive a second context in a process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from neuroview.engine.state import first_state
from neuroview.engine.status import LoopStatus

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """(context, panel); see `panel`."""
    dpg = pytest.importorskip("dearpygui.dearpygui")
    from neuroview.viewer.panel.panel import Panel
    from neuroview.viewer.panel.style import make_style
    from panel_fakes import fake_context

    dpg.create_context()
    context = fake_context(folder=tmp_path_factory.mktemp("recordings"))
    return context, Panel(context, make_style())


@pytest.fixture
def panel(built):
    """The panel as if the heads had just been opened."""
    from neuroview.viewer.editing.tools import Tools
    from panel_fakes import HEADS

    context, panel = built
    context.loop.status = LoopStatus(model=HEADS, activity="Ready")
    context.loop.told.clear()
    context.actions.pressed.clear()
    context.actions.animating = context.actions.flying = False
    context.actions.edit.tools.take(**vars(Tools()))
    context.actions.edit.close_photo()
    context.store.end_gesture()
    context.store.update(lambda _: first_state("heads", HEADS.camera), label="fresh", undoable=False)
    while context.store.can_undo:
        context.store._past.clear()
        context.store._future.clear()
    panel.refresh()
    return panel

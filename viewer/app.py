"""The program: window first, then torch on the render thread and the panel on its own; closing either closes all."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

import platformdirs

from ..engine.loop import RenderLoop
from ..engine.state import ViewState
from ..engine.status import LoopStatus
from ..engine.store import Store
from ..models.catalog import shipped
from .actions import Actions
from .display import probe_display, work_areas
from .panel.base import PanelContext, PanelHost
from .settings import Place, Settings, load_settings, save_settings
from .window import ViewWindow

DEFAULT_MODEL = "heads"
GAP = 12
"""Points between the view and the panel at first start."""
PANEL_WIDTH = 400


def run(options: argparse.Namespace) -> int:
    """`neuroview [MODEL]`: the window where there is a display, a tour rendered to files where there is none."""
    state = ViewState(model="")
    if options.model and Path(options.model).suffix.lower() == ".png":  # a screenshot is as good as a model
        options.model, options.state = None, options.state or options.model
    if options.state:
        from ..engine.statefile import read_state

        state = read_state(options.state)[0]
    reference = options.model or state.model or DEFAULT_MODEL
    if options.state and options.model:
        state = replace(state, model=reference)
    reason = probe_display()
    if reason is not None:
        from .headless import tour

        return tour(reference, reason, options.device)
    return _run_window(options, state, reference)


def _run_window(options: argparse.Namespace, state: ViewState, reference: str) -> int:
    settings = load_settings()
    view_place, panel_place = _places(settings)
    window = ViewWindow("neuroview", place=view_place)
    window.overlay.visible = settings.overlay
    window.show_start(f"Loading {Path(reference).name}…")
    if not options.state:
        state = replace(state, quality=replace(state.quality, target_fps=settings.target_fps))
    if options.option:
        state = replace(state, options=tuple(sorted({**dict(state.options), **dict(options.option)}.items())))
    store = Store(state)
    loop = RenderLoop(store, device=options.device, threads=options.threads)
    quitting = _Quit(window)
    actions = Actions(store, loop, screenshots=screenshot_folder(), on_quit=quitting)
    recent = _Recent(settings, loop)
    window.attach(store, actions, lambda: loop.status, lambda: loop.frame, on_presenter=loop.set_presenter)
    window.present(options.present)
    loop.listen(window.wake)
    loop.listen(recent.note)
    panel: PanelHost | None = None
    try:
        loop.start(reference)
        if not options.no_panel:
            panel = _open_panel(store, loop, actions, recent, panel_place, window, quitting)
        while window.run_once() and not quitting.asked:
            pass
    finally:
        actions.close()
        if panel is not None:
            panel.stop()
        loop.stop()
        save_settings(
            replace(
                recent.settings,
                window=window.place,
                panel=panel.place if panel is not None else settings.panel,
                overlay=window.overlay.visible,
                target_fps=store.state.quality.target_fps,
            )
        )
        window.close()
    return 0


def _open_panel(
    store: Store,
    loop: RenderLoop,
    actions: Actions,
    recent: _Recent,
    place: Place | None,
    window: ViewWindow,
    quitting: _Quit,
) -> PanelHost:
    from .panel.host import ThreadedPanel

    context = PanelContext(
        store=store,
        loop=loop,
        actions=actions,
        models=lambda: tuple(shipped().items()),
        recent=lambda: recent.settings.recent,
    )
    panel = ThreadedPanel(
        context,
        place=place,
        scale=window.scale / window.pixels_a_unit,
        closed=quitting,
        failed=lambda text: loop.tell(text, "warning"),
    )
    panel.start()
    return panel


class _Quit:
    """Asked from any thread to leave; wakes the window so that it notices."""

    def __init__(self, window: ViewWindow) -> None:
        self._window = window
        self.asked = False

    def __call__(self) -> None:
        self.asked = True
        self._window.wake()


class _Recent:
    """Remembers the checkpoints that were really opened; shipped models are always listed anyway."""

    def __init__(self, settings: Settings, loop: RenderLoop) -> None:
        self.settings, self._loop = settings, loop
        self._shipped = frozenset(shipped())
        self._seen = ""

    def note(self) -> None:
        status: LoopStatus = self._loop.status
        if status.model is None or status.model.reference == self._seen:
            return
        self._seen = status.model.reference
        if self._seen not in self._shipped:
            self.settings = self.settings.with_recent(self._seen)


def screenshot_folder() -> Path:
    """`NEUROVIEW_SCREENSHOTS`, or neuroview's folder among the person's pictures."""
    folder = os.environ.get("NEUROVIEW_SCREENSHOTS")
    return Path(folder) if folder else Path(platformdirs.user_pictures_dir()) / "neuroview"


def _places(settings: Settings) -> tuple[Place | None, Place | None]:
    """View and panel as remembered; at first start side by side in the middle of the main monitor."""
    if settings.window is not None and settings.panel is not None:
        return settings.window, settings.panel
    areas = work_areas()
    if not areas:
        return settings.window, settings.panel
    x, y, width, height = areas[0]
    tall = min(900, height - 80)
    wide = min(tall + 40, width - PANEL_WIDTH - 3 * GAP)
    left = x + max(GAP, (width - wide - GAP - PANEL_WIDTH) // 2)
    top = y + max(40, (height - tall) // 2)
    view = settings.window or Place(left, top, wide, tall)
    return view, settings.panel or Place(view.x + view.width + GAP, view.y, PANEL_WIDTH, view.height)

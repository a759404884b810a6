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
from .display import DisplayError, probe_display, work_areas
from .editing.photo import is_photo
from .editing.sessions import SUFFIX
from .follow import Follower, followed_file
from .panel.base import PanelContext, PanelHost
from .settings import Place, Settings, load_settings, save_settings
from .window import ViewWindow

DEFAULT_MODEL = "heads"
GAP = 12
"""Points between the view and the panel at first start."""
PANEL_WIDTH = 400


def run(options: argparse.Namespace) -> int:
    """`neuroview [MODEL]`: the window where there is a display, a tour rendered to files where there is none."""
    state, opened = ViewState(model=""), None
    following = getattr(options, "follow", False)
    if following:
        options.model = str(followed_file(options.model or ""))
    if options.model and Path(options.model).suffix.lower() == SUFFIX:
        from ..engine.editing.session import open_session

        opened = options.model
        options.model = open_session(Path(opened), None).state.model
    elif options.model and is_photo(Path(options.model)):
        opened, options.model = options.model, None
    if options.model and Path(options.model).suffix.lower() == ".png":  # a screenshot is as good as a model
        options.model, options.state = None, options.state or options.model
    if options.state:
        from ..engine.statefile import read_state

        state = read_state(options.state)[0]
    reference = options.model or state.model or DEFAULT_MODEL
    if options.state and options.model:
        state = replace(state, model=reference)
    reason = probe_display()
    if reason is not None and following:
        raise DisplayError(f"--follow needs a window: {reason}")
    if reason is not None:
        from .headless import tour

        return tour(reference, reason, options.device)
    return _run_window(options, state, reference, opened=opened)


def drive(options: argparse.Namespace) -> int:
    """`neuroview drive`: the window with a drive in it; where there is no display, a drive rendered to files.

    Raises:
        StateError: `--state` or `--replay` cannot be read, or a number makes no sense.
    """
    from .driving.options import drive_from_options, drive_to_files

    chosen = drive_from_options(options)
    reason = "Pictures go to files, as --out asks for." if options.out else probe_display()
    if reason is not None:
        return drive_to_files(options, chosen, reason)
    return _run_window(options, ViewState(model="", drive=chosen), DEFAULT_MODEL, replay=options.replay)


def _run_window(
    options: argparse.Namespace,
    state: ViewState,
    reference: str,
    *,
    replay: str | None = None,
    opened: str | None = None,
) -> int:
    settings = load_settings()
    driving = state.drive is not None
    view_place, panel_place = _places(settings, wide=driving)
    window = ViewWindow("neuroview", place=view_place)
    window.overlay.visible = settings.overlay
    window.overlay.hud.map = settings.minimap
    window.show_start("Starting the engine…" if driving else f"Loading {Path(reference).name}…")
    if not options.state:
        state = replace(state, quality=replace(state.quality, target_fps=settings.target_fps))
    if options.option:
        state = replace(state, options=tuple(sorted({**dict(state.options), **dict(options.option)}.items())))
    store = Store(state)
    following = getattr(options, "follow", False)
    loop = RenderLoop(store, device=options.device, threads=options.threads, follows=following)
    follower: Follower | None = None
    if following:
        follower = Follower(Path(reference), lambda: loop.reload(reference))
        window.overlay.following = True
    quitting = _Quit(window)
    actions = Actions(store, loop, screenshots=screenshot_folder(), on_quit=quitting)
    recent = _Recent(settings, loop)
    window.shade(getattr(options, "shader", "auto"))
    window.attach(
        store, actions, lambda: loop.status, lambda: loop.frame, on_presenter=loop.set_presenter, marching=loop
    )
    window.present(options.present)
    loop.listen(window.wake)
    loop.listen(recent.note)
    # On the thread that says it: nothing may be missed because the window was busy with another frame.
    loop.listen(lambda: window.overlay.hud.note(loop.status.drive))
    loop.listen(lambda: window.overlay.hear(loop.status.message))
    panel: PanelHost | None = None
    well = False
    try:
        loop.start(reference)
        if follower is not None:
            follower.start()
        actions.sessions.begin()
        if opened:
            actions.open_path(opened)
        if replay:
            actions.drive.replay(replay)
        if not options.no_panel:
            panel = _open_panel(store, loop, actions, recent, panel_place, window, quitting)
        while window.run_once() and not quitting.asked:
            pass
        well = True
    finally:
        if follower is not None:
            follower.stop()
        actions.close()
        actions.sessions.end(well=well)
        if panel is not None:
            panel.stop()
        loop.stop()
        save_settings(
            replace(
                recent.settings,
                window=window.place,
                panel=panel.place if panel is not None else settings.panel,
                overlay=window.overlay.visible,
                minimap=window.overlay.hud.map,
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
        translators=translators,
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


def translators() -> tuple[tuple[str, str], ...]:
    """(name, title) of every painter that ships."""
    from ..models.translators import shipped_translators

    # Several files of one name are for several sizes; the size of the drive chooses among them.
    return tuple({each.name: each.title for each in reversed(shipped_translators())}.items())[::-1]


def screenshot_folder() -> Path:
    """`NEUROVIEW_SCREENSHOTS`, or neuroview's folder among the person's pictures."""
    folder = os.environ.get("NEUROVIEW_SCREENSHOTS")
    return Path(folder) if folder else Path(platformdirs.user_pictures_dir()) / "neuroview"


def _places(settings: Settings, *, wide: bool = False) -> tuple[Place | None, Place | None]:
    """View and panel as remembered; at first start side by side in the middle of the main monitor.

    Args:
        wide: for a picture twice as wide as high, not a square one.
    """
    if settings.window is not None and settings.panel is not None:
        return settings.window, settings.panel
    areas = work_areas()
    if not areas:
        return settings.window, settings.panel
    x, y, width, height = areas[0]
    tall = min(900, height - 80)
    room = width - PANEL_WIDTH - 3 * GAP
    across = min(1240, room) if wide else min(tall + 40, room)
    left = x + max(GAP, (width - across - GAP - PANEL_WIDTH) // 2)
    top = y + max(40, (height - tall) // 2)
    view = settings.window or Place(left, top, across, min(tall, across // 2 + 120) if wide else tall)
    return view, settings.panel or Place(view.x + view.width + GAP, view.y, PANEL_WIDTH, tall)

"""`DriveRunner`: the render thread's part of a drive: takes the engine's newest frame, paints it, shows what is wanted.

The engine runs beside it at its own pace (`driving/cockpit.py`) and is never waited for, nor does it wait: a frame that
nobody had time for is not drawn, and one that was drawn is painted once.
"""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from ..models.errors import NeuroviewError
from .broadcast import Broadcast
from .driving.cockpit import PAINTED_VIEWS, Cockpit
from .driving.controllog import read_drive
from .driving.helm import PHOTO_VIEWS
from .driving.link import Arrival, Connect
from .driving.messages import Control, Part
from .driving.pace import Pace
from .driving.wording import sentence
from .failures import explain, gpu_failure
from .frame import Frame
from .state import Drive, ViewState
from .store import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .driving.painting import Painting
    from .driving.status import PainterState

ALL_PARTS: tuple[Part, ...] = get_args(Part)


@dataclass(eq=False)
class _Shown:
    """The frame that is looked at; paused, it can be looked at in other ways."""

    arrival: Arrival
    picture: NDArray[Any] | None = None
    """[3, H, W] in 0..1; None: it has not been painted."""
    refused: bool = False
    """Whether the painter could not paint it; it is not asked again."""


class DriveRunner:
    """Runs the drive that the store's state describes, from when there is one until there is none.

    `steer`, `pause`, `single_step`, `record` and `replay` may be called from any thread and return at once; the rest
    belongs to the render thread.

    Args:
        store: of the state; its `drive` says what to do.
        out: where frames, status and messages go.
        wake: makes the render thread call `step`; called from any thread.
        connect: how an engine is reached; None: `driving.supervise.connect`.
    """

    def __init__(self, store: Store, out: Broadcast, wake: Callable[[], None], connect: Connect | None = None) -> None:
        self._store, self._out, self._wake, self._connect = store, out, wake, connect
        self.device = "cpu"
        """Where the painter computes."""
        self._cockpit: Cockpit | None = None
        self._lock = threading.Lock()
        self._orders: deque[Callable[[Cockpit], None]] = deque()
        self._painting: Painting | None = None
        self._painter_key: tuple[object, ...] = ()
        self._no_painter = ""  # why there is none, in a person's words
        self._painter: PainterState = "unused"
        self._shown: _Shown | None = None
        self._painted = -1  # count of the frame that was painted last
        self._seen = -1  # version of the state that was last shown
        self._pace = Pace()

    # ---- from any thread

    def steer(self, control: Control) -> None:
        """CONTROL to the engine, without waiting for the picture in hand; nothing while no engine runs."""
        cockpit = self._cockpit
        if cockpit is not None:
            cockpit.steer(control)

    def pause(self, paused: bool) -> None:
        """Stop the world or let it go on; a lost engine is started again."""
        self._order(lambda cockpit: cockpit.pause(paused))

    def single_step(self) -> None:
        """One step of a paused world."""
        self._order(lambda cockpit: cockpit.single_step())

    def record(self, path: Path | None) -> None:
        """Write the drive's CONTROL to `path`, from its first step on; None: stop."""
        self._order(lambda cockpit: cockpit.record(path))

    def replay(self, path: Path) -> None:
        """Drive what was recorded in `path`, step by step."""
        self._order(lambda cockpit: self._replay(path))

    @property
    def running(self) -> bool:
        """Whether an engine runs or is being started."""
        return self._cockpit is not None

    # ---- the render thread

    def step(self) -> bool:
        """The next piece of work; False: there is nothing to do before `wake`.

        To be called only while the state holds a drive.
        """
        version, state = self._store.snapshot
        drive = state.drive
        assert drive is not None
        cockpit = self._cockpit_for(drive)
        self._obey_orders(cockpit)
        if cockpit is not self._cockpit:
            return True
        cockpit.look(drive)
        self._open_painter(drive, cockpit)
        cockpit.want(self._parts)
        arrival = cockpit.take()
        if arrival is not None:
            self._shown = _Shown(arrival)
        elif self._shown is None or self._seen == version:
            self._publish(cockpit)
            return False
        try:
            self._show(drive, state, version, self._shown)
        except (NeuroviewError, RuntimeError, ValueError, MemoryError) as error:
            self._give_up(error)
        return True

    def stop(self) -> None:
        """The drive is over: stop the engine, forget the painter. Without a drive nothing happens."""
        cockpit, self._cockpit = self._cockpit, None
        if cockpit is None:
            return
        cockpit.close()
        self._shown, self._painting, self._painter_key = None, None, ()
        with self._lock:
            self._orders.clear()
        self._out.publish(drive=None)

    # ---- engine

    def _cockpit_for(self, drive: Drive) -> Cockpit:
        cockpit = self._cockpit
        if cockpit is not None and cockpit.serves(drive):
            return cockpit
        if cockpit is not None:
            self._cockpit = None
            cockpit.close()
        return self._begin(Cockpit(drive, self._wake, self._out.tell, self._connect))

    def _begin(self, cockpit: Cockpit) -> Cockpit:
        self._cockpit, self._shown, self._pace, self._painted = cockpit, None, Pace(), -1
        cockpit.start()
        self._publish(cockpit)
        return cockpit

    def _replay(self, path: Path) -> None:
        recorded = read_drive(path)
        told = recorded.header
        world = {name: getattr(told, name) for name in ("engine", "seed", "width", "height", "rate")}
        drive = self._store.update(
            lambda s: s if s.drive is None else replace(s, drive=replace(s.drive, **world)),
            label=f"Replay {path.name}",
            undoable=False,
        ).drive
        if drive is None:
            return
        if self._cockpit is not None:
            self._cockpit.close()
        self._begin(Cockpit(drive, self._wake, self._out.tell, self._connect, recorded))

    def _order(self, order: Callable[[Cockpit], None]) -> None:
        with self._lock:
            self._orders.append(order)
        self._wake()

    def _obey_orders(self, cockpit: Cockpit) -> None:
        while cockpit is self._cockpit:
            with self._lock:
                if not self._orders:
                    return
                order = self._orders.popleft()
            try:
                order(cockpit)
            except NeuroviewError as error:
                self._out.tell(sentence(error), "error")

    # ---- pictures

    def _show(self, drive: Drive, state: ViewState, version: int, shown: _Shown) -> None:
        cockpit = self._cockpit
        assert cockpit is not None
        begin, self._seen = time.perf_counter(), version
        if drive.view in PHOTO_VIEWS and cockpit.photo_follows(shown.arrival):
            self._publish(cockpit)  # the picture on the screen stays until the engine's own has come
            return
        if drive.view in PAINTED_VIEWS and shown.picture is None and not shown.refused:
            self._paint(drive, shown)
        frame = self._frame(drive, state, version, shown)
        now = time.perf_counter()
        frame = replace(frame, milliseconds=1000 * (now - begin), final=cockpit.paused)
        cockpit.shown(shown.arrival, now)
        self._out.show(frame, live_seconds=now - begin, drive=self._status(cockpit), activity=cockpit.activity)

    def _paint(self, drive: Drive, shown: _Shown) -> None:
        if self._painting is None:
            return
        begin, arrival = time.perf_counter(), shown.arrival
        try:
            # A frame left out, as other views do, cannot be carried over.
            follows = arrival.count == self._painted + 1
            shown.picture = self._painting.paint(arrival.frame, arrival.info.label_set, follows)
        except (NeuroviewError, RuntimeError, MemoryError) as error:
            shown.refused = True
            self._give_up(error)
        else:
            self._painted = arrival.count
            now = time.perf_counter()
            self._pace.note(now, now - begin)

    def _give_up(self, error: Exception) -> None:
        """The painter cannot paint this: pause and say why; a GPU that died is replaced by the CPU."""
        assert self._cockpit is not None
        if isinstance(error, RuntimeError) and (why := gpu_failure(error, self.device)) is not None:
            self.device = "cpu"
            self._out.publish(device="cpu")
            self._out.tell(f"{why}; the painter goes on with the CPU, more slowly.", "warning")
            return
        if isinstance(error, MemoryError):
            text = "Out of memory. Choose a smaller size of the drive."
        else:
            text = str(error) if isinstance(error, NeuroviewError) else explain(error)
        self._cockpit.halt(f"{sentence(text)} The drive is paused; what was driven is kept.")

    def _open_painter(self, drive: Drive, cockpit: Cockpit) -> None:
        """Opens what `drive` names, unless it is open or was found not to be there; only for views that need it."""
        key = (drive.translator, drive.height, drive.width, self.device)
        if drive.view not in PAINTED_VIEWS:
            self._painter = "unused"
            return
        if key == self._painter_key:
            self._painter = "missing" if self._painting is None else "ready"
            return
        from .driving.painting import Painting

        self._painter_key, self._painting, self._no_painter, self._painter = key, None, "", "opening"
        self._publish(cockpit)
        if self._shown is not None:  # what another one has painted, or refused to, is this one's to paint
            self._shown, self._seen = _Shown(self._shown.arrival), -1
        try:
            self._painting = Painting.open(drive.translator, drive.height, drive.width, self.device)
        except (NeuroviewError, RuntimeError, MemoryError) as error:
            if isinstance(error, RuntimeError) and gpu_failure(error, self.device) is not None:
                self._give_up(error)
                return  # it is opened anew, for the CPU
            why = sentence(error) if str(error) else "Out of memory."
            self._no_painter = f"No painter: {why} The label maps are shown instead."
            self._painter = "missing"
            self._out.tell(self._no_painter, "warning")
        else:
            self._painter = "ready"
            self._painting.threads = _threads_beside(drive.engine)

    def _frame(self, drive: Drive, state: ViewState, version: int, shown: _Shown) -> Frame:
        """What the view asks for; where an engine or painter cannot give it, what comes nearest."""
        import torch

        from .driving.views import compose

        data, info = shown.arrival.frame, shown.arrival.info
        empty = torch.empty(0, 0)
        pixels = torch.from_numpy(compose(drive.view, drive.split, data, info.label_set, shown.picture))
        painted = None if shown.picture is None else torch.from_numpy(shown.picture).permute(1, 2, 0)
        height, width = data.labels.shape
        return Frame(
            state=state,
            rgb=pixels[..., :3] / 255 if painted is None else painted,
            raw=torch.empty(0, 0, 3),
            depth=empty if data.depth is None else torch.from_numpy(data.depth),
            alpha=empty,
            pixels=pixels,
            rung="painted",
            detail=f"{info.name} · {width}×{height}",
            stamp=version,
        )

    @property
    def _parts(self) -> tuple[Part, ...]:
        """The optional maps that views and the open painter read; while none is open, what any might read."""
        from .driving.painting import VIEWED

        if self._painting is not None:
            return self._painting.parts
        return VIEWED if self._painter == "missing" else ALL_PARTS

    # ---- status

    def _status(self, cockpit: Cockpit) -> Any:
        status = cockpit.status
        now = time.perf_counter()
        return replace(
            status,
            painter_text=self._no_painter if self._painter == "missing" else "",
            painter_fps=self._pace.rate(now),
            painter_ms=self._pace.milliseconds,
            painter=self._painter,
            translator="" if self._painting is None else self._painting.title,
        )

    def _publish(self, cockpit: Cockpit) -> None:
        self._out.publish(drive=self._status(cockpit), activity=cockpit.activity, progress=None)


def _threads_beside(engine: str) -> int | None:
    """How many threads a painter shall have that shares the processor with this engine; None: all.

    The engine keeps a core busy. With as many threads as cores the painter would wait for that one in every layer: on
    two cores it is slower then than with one, and keeps the engine from drawing.
    """
    if re.fullmatch(r"[^:/]+:\d+", engine):  # it runs elsewhere, or as somebody else
        return None
    import torch

    from .process import cores

    return max(1, min(torch.get_num_threads(), cores() - 1))

"""`Cockpit`: the driver's end of one drive: CONTROL out, the newest DATA in, and an engine that is started again."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from ...models.errors import NeuroviewError
from ..state import Drive
from .controllog import RecordedDrive
from .gauges import Gauges
from .helm import Helm
from .journal import Journal
from .link import Abandon, Arrival, Clock, Connect, Delivery, Link
from .messages import Control
from .replay import Replay
from .simulator import EngineError, RecordingEndedError
from .status import Connection, DriveStatus
from .wording import sentence, starting

log = logging.getLogger(__name__)

PAINTED_VIEWS = ("painted", "split")
"""Views that need the painter."""
STEADY = 5.0
"""Seconds that an engine has to have run before its death counts as an accident, after which it is started again."""

GOODBYE = 15.0
"""Seconds that hanging up may take: a moment, unless the machine is so busy that a library is still being loaded."""


class Cockpit:
    """Between the window's thread, which steers, and the render thread, which takes frames.

    A thread of its own starts the engine and, in a replay, keeps time. All methods return at once.

    Args:
        drive: whose engine, seed and size are served; `look` follows the rest.
        notify: called from any thread when there is something new.
        tell: shows a person a text, of the level 'error', 'warning' or 'info'.
        connect: how the engine is reached; None: `supervise.connect`.
        recorded: what is driven in place of a driver.
    """

    def __init__(
        self,
        drive: Drive,
        notify: Callable[[], None],
        tell: Callable[[str, str], None],
        connect: Connect | None = None,
        recorded: RecordedDrive | None = None,
    ) -> None:
        self._drive, self._notify, self._tell, self._connect = drive, notify, tell, connect
        self._changed = threading.Condition()
        self._link: Link | None = None
        self._gone: Link | None = None  # to be hung up on, which may take a moment
        self._abandon = Abandon()
        self._parts: tuple[str, ...] | None = None
        self._saved = None if recorded is None else recorded.header.state
        self._closed = False
        self._wanted = True  # whether an engine shall run
        self._began = 0.0  # when it did
        self._connection: Connection = "starting"
        self._text = starting(drive)
        self._paused = False
        self._steps = 0
        self._replay = Replay(recorded)
        self._helm = Helm()
        self._gauges = Gauges()
        self._count = 0
        self._journal = Journal(drive, 0.0, None)
        self._thread = threading.Thread(target=self._run, name="neuroview-drive", daemon=True)

    def start(self) -> None:
        """Start the engine."""
        self._thread.start()

    def close(self) -> None:
        """Hang up; an engine that is still starting is not waited for."""
        self._abandon.give()
        with self._changed:
            self._closed = True
            self._journal.end()
            links = (self._link, self._gone)
            self._link = self._gone = None
            self._changed.notify_all()
        for link in links:
            if link is not None:
                link.close()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(GOODBYE)

    # ---- what the driver does

    def steer(self, control: Control) -> None:
        """CONTROL to the engine; weather, viewpoint, photo and serial are filled in here."""
        with self._changed:
            self._helm.take(control, obeyed=not self._replay.running)
            self._send()

    def want(self, parts: Collection[str]) -> None:
        """Which of the engine's optional maps are needed from now on; until this is said, all."""
        with self._changed:
            if self._parts != tuple(parts):
                self._parts = tuple(parts)
                if self._link is not None:
                    self._link.want(self._parts)

    def look(self, drive: Drive) -> None:
        """Follow those settings of the state that need no new engine."""
        with self._changed:
            if drive != self._drive:
                self._drive = drive
                self._send()

    def pause(self, paused: bool) -> None:
        """Let the world stand still, or go on; where the engine was lost, start it again."""
        with self._changed:
            # The last step before a pause shows everything, so that it can be looked at in every way.
            self._steps += paused and not self._paused
            self._paused = paused
            if not paused:
                self._text = ""
                self._replay.go_on()
                if self._link is None:
                    self._wanted, self._connection, self._text = True, "starting", starting(self._drive)
            if self._link is not None:
                self._connection = "paused" if paused else "running"
            self._send(force=True)
            self._changed.notify_all()
        self._notify()

    def single_step(self) -> None:
        """One step; a running world is paused first."""
        if not self.paused:
            self.pause(True)
        with self._changed:
            self._steps += 1
            self._replay.step_once()
            self._send(force=True)
            self._changed.notify_all()

    def record(self, path: Path | None) -> None:
        """Write CONTROL to `path`, from the drive's first step on; None: stop.

        Raises:
            EngineError: the file cannot be written, or there is no drive yet.
        """
        with self._changed:
            if path is None:
                self._journal.end()
            elif self._link is None:
                raise EngineError("There is nothing to record yet: no engine runs. Try again when you can drive")
            else:
                self._journal.begin(path)

    def halt(self, text: str) -> None:
        """Pause because of what `text` says."""
        self.pause(True)
        with self._changed:
            self._text = text
        self._tell(text, "error")

    # ---- what the painter does

    def take(self) -> Arrival | None:
        """The next frame to be painted, if there is one."""
        said: tuple[str, str] | None = None  # outside of the lock, since nobody knows what listeners hold
        arrival = None
        with self._changed:
            link = self._link
            if link is not None:
                try:
                    delivery = link.take()
                except EngineError as error:
                    said = self._lose(link, error)
                else:
                    if delivery is not None:
                        said = self._note(delivery)
                        arrival = self._arrived(link, delivery)
        if said is not None:
            self._tell(*said)
            self._notify()
        return arrival

    def shown(self, arrival: Arrival, now: float) -> None:
        """A frame is on its way to the screen; `now` of `time.perf_counter`."""
        with self._changed:
            if not self._paused:
                self._gauges.shown(arrival.frame, now)

    def photo_follows(self, arrival: Arrival) -> bool:
        """Whether it was drawn before the engine knew that its own picture is wanted: the next one will have it."""
        with self._changed:
            return self._helm.photo_follows(arrival.frame)

    # ---- what is known

    @property
    def paused(self) -> bool:
        """Whether the world stands still."""
        return self._connection != "running"

    @property
    def activity(self) -> str:
        """Two words for the status line."""
        if self._connection == "running":
            return "Replaying" if self._replay.running else "Driving"
        return {"starting": "Starting engine", "paused": "Paused", "lost": "No engine"}[self._connection]

    @property
    def status(self) -> DriveStatus:
        """All but what the painter knows of itself."""
        with self._changed:
            return DriveStatus(
                connection=self._connection,
                text=self._text,
                engine=None if self._link is None else self._link.info,
                frame=self._gauges.last,
                control=self._helm.sent,
                engine_fps=self._gauges.rate(time.perf_counter()) if self._connection == "running" else 0.0,
                latency_ms=self._gauges.latency,
                dropped=self._gauges.dropped,
                recording=self._journal.path,
                replaying=self._replay.running,
                autopilot=self._helm.sent.autopilot,
                distance=self._gauges.distance,
            )

    def serves(self, drive: Drive) -> bool:
        """Whether `drive` needs no other engine than this."""
        return _world(self._drive) == _world(drive)

    # ---- inside

    def _run(self) -> None:
        """The thread: connects when an engine is wanted, hangs up on those that are gone, and replays."""
        while True:
            with self._changed:
                if self._closed:
                    return
                gone, self._gone = self._gone, None
                if gone is None and (self._link is not None or not self._wanted):
                    self._changed.wait(self._step_replay())
                    continue
                drive, saved = self._drive, self._saved
                clock: Clock = "synchronous" if self._replay.running else "paused" if self._paused else "free running"
            if gone is not None:
                gone.close()
            else:
                self._open(drive, saved, clock)

    def _open(self, drive: Drive, saved: dict[str, Any] | None, clock: Clock) -> None:
        link, text = None, ""
        try:
            from .supervise import connect  # gRPC takes its time to load, and the window does not wait for it

            link = (self._connect or connect)(drive, self._notify, saved, clock, self._abandon)
        except NeuroviewError as error:
            text = f"{sentence(error)} Go on to try again."
        except Exception as error:  # a mistake of ours in reaching an engine costs the drive, not the window
            log.exception("The engine could not be reached.")
            why = sentence(f"{type(error).__name__}: {error}")
            text = f"The engine could not be reached: {why} Go on to try again."
        with self._changed:
            self._wanted = False
            if link is None:
                self._connection, self._text = "lost", text
            elif not self._closed:
                if self._parts is not None:
                    link.want(self._parts)
                self._link, self._began, self._text = link, time.perf_counter(), ""
                self._journal = Journal(drive, link.info.rate, saved)
                self._connection = "paused" if self._paused else "running"
                self._steps = 0  # the engine counts anew
                self._steps += self._paused
                self._replay.came_back()
                self._helm.begin()
                self._send(force=True)
                link = None
            closed = self._closed
        if link is not None:
            link.close()
        elif text and not closed:
            self._tell(text, "error")
        self._notify()

    def _note(self, delivery: Delivery) -> tuple[str, str] | None:
        """Into the journal; what there is to tell, and its level."""
        try:
            self._journal.note(delivery)
        except EngineError as error:  # a full disk ends the recording, not the drive
            return sentence(error), "error"
        return None

    def _lose(self, link: Link, error: EngineError) -> tuple[str, str]:
        """The engine is gone. After an accident it is started again, where the drive was; else a person decides.

        Returns what there is to tell, and its level.
        """
        self._saved = link.state()
        accident = time.perf_counter() - self._began > STEADY and not self._replay.running
        self._journal.end()
        self._link, self._gone = None, link
        self._gauges.interrupted()
        self._replay.running = False
        if isinstance(error, RecordingEndedError):
            self._saved = None
            self._paused, self._connection = True, "paused"
            level, advice = "info", "Go on to see it from the start."
        elif accident:
            self._wanted, self._connection = True, "starting"
            level, advice = "warning", "The engine is started again where the drive was."
        else:
            self._paused, self._connection = True, "lost"
            level, advice = "error", "Go on to try again."
        self._text = f"{sentence(error)} {advice}"
        self._changed.notify_all()
        return self._text, level

    def _send(self, force: bool = False) -> None:
        """What the driver does, to the engine, when it has changed or was sent some time ago; not in a replay."""
        link = self._link
        if link is None or self._replay.running:
            return
        control = self._helm.due(self._drive, link.info, self._paused, time.perf_counter(), force)
        if control is not None:
            self._transmit(link, control, "paused" if self._paused else "free running")

    def _step_replay(self) -> float | None:
        """Sends the next recorded CONTROL if it is due; how many seconds there are until one is, None: not by time."""
        link, now = self._link, time.perf_counter()
        if link is None:
            return None
        found = self._replay.next(now, link.info.rate, self._paused)
        if not isinstance(found, Control):
            return found
        self._transmit(link, self._helm.replayed(found, self._drive, link.info, self._paused, now), "synchronous")
        return None

    def _transmit(self, link: Link, control: Control, clock: Clock) -> None:
        self._gauges.sent(control.serial, time.perf_counter())
        link.send(control, clock, self._steps)

    def _arrived(self, link: Link, delivery: Delivery) -> Arrival:
        self._gauges.arrived(delivery.frame, time.perf_counter(), not self._replay.running and not self._paused)
        self._count += 1
        if self._replay.running:
            self._replay.came_back()
            if self._replay.over:
                self._paused, self._connection = True, "paused"
                self._text = "The replay is over. Go on to drive from here."
            self._changed.notify_all()
        return Arrival(delivery.frame, link.info, self._count)


def _world(drive: Drive) -> tuple[object, ...]:
    return drive.engine, drive.seed, drive.width, drive.height, drive.rate

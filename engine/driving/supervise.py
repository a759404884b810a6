"""`EngineProcess` runs an engine as a process of its own; `connect` gives the driver's end of it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from ..state import Drive
from .client import EngineClient
from .engines import EngineSpec
from .link import Abandon, Clock, Delivery
from .messages import Control, EngineInfo
from .simulator import EngineError, RecordingEndedError

START = 60.0
"""Seconds until an engine has to be ready: a town is built in two, but on a busy machine in a few times that."""
LAST_LINES = 40
"""Of stderr, kept for the error text."""
GRACE = 3.0
"""Seconds to end by itself, before it is killed."""
HASTE = 0.5
"""The same for one that has not begun: it holds nothing, and somebody waits for the window to close."""
NOT_WANTED = "the engine was not waited for: the drive is over"
COMMAND = (sys.executable, "-m", "neuroview.engine.driving.serve")


class EngineProcess:
    """One engine's process, from its start to its end.

    It ends with `close`, and also when this process dies, however it does: it holds the other end of its stdin.

    Args:
        spec: what it shall serve.
        command: what to run; the spec's arguments are added.
        timeout: seconds to wait for it to be ready.
        abandon: ends that wait, and with it the process.

    Raises:
        EngineError: it cannot be started, was abandoned, or died at once; the text ends with the last that it wrote on
            stderr.
    """

    address: str
    """'host:port'."""

    def __init__(
        self,
        spec: EngineSpec,
        *,
        command: Sequence[str] = COMMAND,
        timeout: float = START,
        abandon: Abandon | None = None,
    ) -> None:
        abandon = Abandon() if abandon is None else abandon
        if abandon.given:
            raise EngineError(NOT_WANTED)
        # One thread each for OpenMP and for Mesa's rasteriser: the painter needs the other cores.
        environment = {"OMP_NUM_THREADS": "1", "LP_NUM_THREADS": "1", **os.environ}
        try:
            self._process = subprocess.Popen(
                [*command, *spec.arguments(), "--with-parent"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                encoding="utf-8",
                errors="replace",
                # Ctrl-C in a terminal goes to the whole group; the viewer ends the engine in its own time.
                start_new_session=os.name != "nt",
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        except OSError as error:
            raise EngineError(f"the engine cannot be started: {error}") from None
        self._lines: deque[str] = deque(maxlen=LAST_LINES)
        self._greeting: deque[str] = deque(maxlen=1)
        self._greeted = threading.Event()
        self._readers = [
            threading.Thread(target=self._read_output, name="neuroview-engine-out", daemon=True),
            threading.Thread(target=self._read_errors, name="neuroview-engine-err", daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        try:
            with abandon.interrupting(self._greeted.set):
                self.address = self._await_greeting(timeout, abandon)
        except BaseException:
            self.close(hasty=abandon.given)
            raise

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def obituary(self, within: float = 0.0) -> str:
        """How it ended, with the last that it wrote on stderr; '' where it still runs after `within` seconds."""
        try:
            # A dying process hangs up a moment before it is dead.
            code = self._process.wait(within)
        except subprocess.TimeoutExpired:
            return ""
        self._readers[1].join(1.0)  # what it wrote last may still be on its way
        how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
        said = "\n".join(self._lines).strip()
        return f"the engine's process ended ({how})" + (f"; it said:\n{said}" if said else "")

    def close(self, hasty: bool = False) -> None:
        """Ends it: by closing its stdin, then by force, sooner where `hasty`. A second time does nothing."""
        process, grace = self._process, GRACE
        if hasty:
            grace = HASTE
            process.terminate()
        if process.stdin and not process.stdin.closed:
            with contextlib.suppress(OSError):  # it may have gone already
                process.stdin.close()
        for force in (process.terminate, process.kill, None):
            try:
                process.wait(grace)
                break
            except subprocess.TimeoutExpired:
                if force:
                    force()
        for reader in self._readers:
            reader.join(1.0)

    def _await_greeting(self, timeout: float, abandon: Abandon) -> str:
        if not self._greeted.wait(timeout):
            raise EngineError(f"the engine was not ready within {timeout:g} s; try again when the machine is less busy")
        if abandon.given:
            raise EngineError(NOT_WANTED)
        line = self._greeting[0] if self._greeting else ""
        try:
            greeting = json.loads(line)
        except ValueError:
            greeting = {}
        if isinstance(greeting, dict) and isinstance(greeting.get("address"), str):
            return greeting["address"]
        if isinstance(greeting, dict) and "error" in greeting:
            raise EngineError(str(greeting["error"]))
        if not line:
            raise EngineError(self.obituary(within=GRACE) or "the engine closed its output; start it again")
        raise EngineError(f"the engine's process said {line[:200]!r}; expected its address as JSON")

    def _read_output(self) -> None:
        assert self._process.stdout
        with self._process.stdout as output:
            for line in output:
                if not self._greeted.is_set():
                    self._greeting.append(line.strip())
                    self._greeted.set()
        self._greeted.set()

    def _read_errors(self) -> None:
        assert self._process.stderr
        with self._process.stderr as output:
            for line in output:
                self._lines.append(line.rstrip())


class EngineLink:
    """A `Link` to an engine of one's own: client and process come and go together."""

    def __init__(self, client: EngineClient, process: EngineProcess | None) -> None:
        self._client, self._process = client, process
        self.info: EngineInfo = client.info

    def send(self, control: Control, clock: Clock, steps: int) -> None:
        """See `Link`."""
        self._client.send(control, clock, steps)

    def want(self, parts: Collection[str]) -> None:
        """See `Link`."""
        self._client.want(parts)

    def take(self) -> Delivery | None:
        """See `Link`; where the process has died, the error says how."""
        try:
            return self._client.take()
        except RecordingEndedError:
            raise
        except EngineError:
            died = self._process.obituary(within=0.5) if self._process is not None else ""
            if died:
                raise EngineError(died) from None
            raise

    def state(self) -> dict[str, Any] | None:
        """See `Link`."""
        return self._client.state()

    def close(self) -> None:
        """See `Link`."""
        self._client.close()
        if self._process is not None:
            self._process.close()


def connect(
    drive: Drive,
    notify: Callable[[], None],
    state: dict[str, Any] | None,
    clock: Clock = "free running",
    abandon: Abandon | None = None,
) -> EngineLink:
    """Reaches the engine of `drive`: starts it, or where `drive.engine` is 'host:port', finds it there.

    Args:
        drive: see `engine.state.Drive`.
        notify: called from another thread when a frame has come, or the engine has gone.
        state: of an earlier link, to go on from.
        clock: how time passes from the first step on; a replay may not miss one.
        abandon: ends the wait; nothing is left behind.

    Raises:
        EngineError: it cannot be started, nobody answers, or it was abandoned.
    """
    found = spec_of(drive)
    process, address = None, found
    if isinstance(found, EngineSpec):
        process = EngineProcess(found, abandon=abandon)
        address = process.address
    client = None
    try:
        client = EngineClient(str(address), abandon=abandon)
        client.start(clock, state=state, notify=notify)
    except BaseException:
        if client is not None:
            client.close()
        if process is not None:
            process.close(hasty=abandon is not None and abandon.given)
        raise
    return EngineLink(client, process)


def spec_of(drive: Drive) -> EngineSpec | str:
    """The engine that a drive's state names, to be started; or the address of one that runs.

    Raises:
        EngineError: neither an engine, an address, a map nor a folder.
    """
    name = drive.engine
    if name == "town":
        return EngineSpec("town", seed=drive.seed, width=drive.width, height=drive.height, rate=drive.rate)
    carla = re.fullmatch(r"carla(?:://([^/:]+):(\d{1,5}))?", name)
    if carla is not None:
        host, port = carla.groups()
        where = {"host": host, "carla_port": int(port)} if host else {}
        return EngineSpec("carla", width=drive.width, height=drive.height, **where)
    if name.lower().endswith(".xodr"):
        return EngineSpec("town", seed=drive.seed, width=drive.width, height=drive.height, rate=drive.rate, map=name)
    if name and Path(name).is_dir():
        return EngineSpec("recording", width=drive.width, height=drive.height, folder=name, loop=True)
    host, colon, port = name.rpartition(":")
    if colon and host and port.isdecimal() and 0 < int(port) < 65536:
        return name
    raise EngineError(
        f"there is no engine {name!r}; expected 'town', 'carla', 'carla://host:port', the address host:port of a "
        "running engine, an OpenDRIVE map (.xodr), or the folder of a recorded label sequence"
    )

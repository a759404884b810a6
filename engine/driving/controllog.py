"""A drive as a file: which engine, and what CONTROL came into force in which step. That is all it takes to repeat it.

JSON lines. The first says what the drive is, every other one what changed:

    {"neuroview drive": 1, "engine": "town", "seed": 7, "width": 256, "height": 128, "rate": 30.0, "state": null}
    {"step": 0, "control": {"steer": 0.0, ...}}
    {"step": 41, "control": {"steer": -0.2, ...}}
    {"steps": 90}

Floats are written so that they read back bit-equal; a line of `steps` says how far the drive has come. A crash loses a
second at most, and a last line that was not finished is left out.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import TracebackType
from typing import Any, get_args

from .messages import PROTOCOL, Control, Look, Viewpoint, Weather
from .simulator import EngineError

VERSION = 1
MARK = "neuroview drive"
FLUSH = 0.5
"""Seconds after which what was written is handed to the system."""
LONGEST = 64 << 20
"""Bytes of a log that is read: some days."""
MOST_STEPS = 100_000_000


class ControlLogError(EngineError):
    """A recorded drive cannot be read or written; the message names the file."""


@dataclass(frozen=True)
class DriveHeader:
    """What a drive is, besides its controls."""

    engine: str = "town"
    seed: int = 7
    width: int = 256
    height: int = 128
    rate: float = 30.0
    state: dict[str, Any] | None = None
    """Where it began (see `Simulator.state`); None: where the engine begins."""
    protocol: int = PROTOCOL


@dataclass(frozen=True)
class RecordedDrive:
    """A drive that was read."""

    header: DriveHeader
    steps: int
    """How many there were."""
    changes: tuple[tuple[int, Control], ...] = field(default=())
    """(step, CONTROL that came into force in it), ascending."""

    def controls(self) -> Iterator[Control]:
        """The control of every step, in order."""
        control, changes = Control(), iter(self.changes)
        following = next(changes, None)
        for step in range(self.steps):
            while following and following[0] <= step:
                control = following[1]
                following = next(changes, None)
            yield control


class ControlLog:
    """Writes a drive while it is driven. An existing file is replaced.

    Raises:
        ControlLogError: the file cannot be written.
    """

    def __init__(self, path: str | Path, header: DriveHeader) -> None:
        self.path = Path(path)
        self._last: Control | None = None
        self._steps = 0
        self._flushed = time.monotonic()
        try:
            self._file = self.path.open("w", encoding="utf-8", newline="\n")
        except OSError as error:
            raise ControlLogError(f"the drive cannot be recorded to {path}: {error.strerror}") from None
        self._write({MARK: VERSION, **asdict(header)})
        self._flush()

    def control(self, step: int, control: Control) -> None:
        """`control` came into force in `step`, counted from where the log began; what changes nothing is left out."""
        bare = {name: value for name, value in asdict(control).items() if name != "serial"}
        if self._last is None or bare != {n: v for n, v in asdict(self._last).items() if n != "serial"}:
            self._write({"step": step, "control": bare})
            self._last = control
        self.reached(step + 1)

    def reached(self, steps: int) -> None:
        """The drive has come so far."""
        self._steps = max(self._steps, steps)
        if time.monotonic() - self._flushed >= FLUSH:
            self._write({"steps": self._steps})
            self._flush()

    def close(self) -> None:
        """Writes what is left; a second time does nothing."""
        if not self._file.closed:
            self._write({"steps": self._steps})
            self._flush()
            self._file.close()

    def __enter__(self) -> ControlLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, line: dict[str, Any]) -> None:
        try:
            self._file.write(json.dumps(line, allow_nan=False) + "\n")
        except OSError as error:
            raise ControlLogError(f"the drive cannot be recorded to {self.path}: {error.strerror}") from None

    def _flush(self) -> None:
        self._flushed = time.monotonic()
        try:
            self._file.flush()
        except OSError as error:
            raise ControlLogError(f"the drive cannot be recorded to {self.path}: {error.strerror}") from None


def read_drive(path: str | Path) -> RecordedDrive:
    """A recorded drive.

    Raises:
        ControlLogError: no such file, no recorded drive, one of a newer version or without its beginning, or a line
            that makes no sense.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(LONGEST + 1)
    except OSError as error:
        raise ControlLogError(f"the recorded drive {path} cannot be read: {error.strerror}") from None
    if len(data) > LONGEST:
        raise ControlLogError(f"{path} has more than {LONGEST:,} bytes; a recorded drive is far smaller")
    # What follows the last end of line is a line that a crash cut off.
    lines = data.split(b"\n")[:-1]
    header = _header(path, _object(path, 1, lines[0]) if lines else {})
    changes: list[tuple[int, Control]] = []
    steps = 0
    for number, line in enumerate(lines[1:], 2):
        found = _object(path, number, line)
        if "control" in found:
            step = _whole(path, number, found, "step")
            if changes and step < changes[-1][0]:
                raise ControlLogError(f"{path}, line {number}: step {step} comes after {changes[-1][0]}")
            changes.append((step, _control(path, number, found["control"])))
            steps = max(steps, step + 1)
        else:
            steps = max(steps, _whole(path, number, found, "steps"))
    if changes and changes[0][0] > 0:
        raise ControlLogError(
            f"{path} begins with step {changes[0][0]}: the engine had been driven by somebody else before, so that the "
            "drive cannot be repeated; record one from an engine that is started for it"
        )
    return RecordedDrive(header, steps, tuple(changes))


def _object(path: str | Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        what = "no recorded drive" if number == 1 else f"damaged in line {number}: {line[:60]!r} is no JSON object"
        raise ControlLogError(f"{path} is {what}; expected a file that neuroview recorded")
    return found


def _header(path: str | Path, found: dict[str, Any]) -> DriveHeader:
    version = found.get(MARK)
    if not isinstance(version, int) or isinstance(version, bool):
        raise ControlLogError(f"{path} is no recorded drive; expected a file that neuroview recorded")
    protocol = found.get("protocol", PROTOCOL)
    if version > VERSION or (isinstance(protocol, int) and protocol > PROTOCOL):
        raise ControlLogError(
            f"{path} was recorded by a newer neuroview (format {version}, protocol {protocol}; this one reads "
            f"{VERSION} and {PROTOCOL}); update neuroview"
        )
    kinds = {"engine": str, "seed": int, "width": int, "height": int, "protocol": int}
    for name, kind in kinds.items():
        if not isinstance(found.get(name, kind()), kind):
            raise ControlLogError(f"{path}: {name} is {found[name]!r}; expected {kind.__name__}")
    rate, state = found.get("rate", 30.0), found.get("state")
    if not isinstance(rate, (int, float)) or not math.isfinite(rate) or rate <= 0:
        raise ControlLogError(f"{path}: rate is {rate!r}; expected steps a second")
    if state is not None and not isinstance(state, dict):
        raise ControlLogError(f"{path}: state is {state!r}; expected an object or null")
    names = {f.name for f in fields(DriveHeader)}
    return DriveHeader(**{name: value for name, value in found.items() if name in names})


def _whole(path: str | Path, number: int, found: dict[str, Any], name: str) -> int:
    value = found.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < MOST_STEPS:
        raise ControlLogError(f"{path}, line {number}: {name} is {value!r}; expected a count below {MOST_STEPS:,}")
    return value


def _control(path: str | Path, number: int, found: Any) -> Control:
    """A control; what an older version did not write has its default."""
    try:
        given = dict(found)
        weather = Weather(**{name: _real(value) for name, value in dict(given.pop("weather", {})).items()})
        default = asdict(Control())
        for name, value in given.items():
            kind = type(default[name])
            if kind is float:
                given[name] = _real(value)
            elif type(value) is not kind:
                raise ValueError(f"{name} is {value!r}")
        for name, known in (("viewpoint", get_args(Viewpoint)), ("look", get_args(Look))):
            if given.get(name, default[name]) not in known:
                raise ValueError(f"{name} is {given[name]!r}")
        return Control(weather=weather, **given)
    except (TypeError, ValueError, KeyError) as error:
        raise ControlLogError(f"{path}, line {number}: this is no CONTROL ({error})") from None


def _real(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no finite number")
    return float(value)

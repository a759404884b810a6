"""TensorBoard's event files, written in place: its own writer has a thread that dies of a full disk unheard."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

VERSION = "brain.Event:2"


class EventFile:
    """Appends scalars to an event file of its own in `folder`.

    Args:
        folder: made if missing; TensorBoard shows all files of a folder as one run.
        step: at which this file goes on; what older files hold of later steps is hidden.

    Raises:
        ImportError: TensorBoard is not installed.
        OSError: the file cannot be written.
    """

    def __init__(self, folder: Path, step: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog  # type: ignore[attr-defined]
        from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[attr-defined]
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._event, self._summary = Event, Summary
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time_ns() // 1000}.{socket.gethostname()}.{os.getpid()}"
        self._file = (folder / name).open("wb")
        self._records = RecordWriter(self._file)
        self._write(file_version=VERSION)
        if step:
            self._write(step=step + 1, session_log=SessionLog(status=SessionLog.START))

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        """Scalars of a step, by name.

        Raises:
            OSError: they cannot be written.
        """
        values = [self._summary.Value(tag=name, simple_value=value) for name, value in figures.items()]
        self._write(step=step, summary=self._summary(value=values))

    def close(self) -> None:
        """Closes the file; everything is in it already, or could not be written and has been complained about."""
        with contextlib.suppress(OSError):
            self._file.close()

    def _write(self, **fields: Any) -> None:
        self._records.write(self._event(wall_time=time.time(), **fields).SerializeToString())
        self._file.flush()

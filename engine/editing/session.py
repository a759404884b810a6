"""Session files: one zip with the state, the names of what was done, and every side file that the state names.

    session.json            {"neuroview_session": 1, "history": [...], "position": n}
    state.json              what `ViewState.to_json` wrote
    side/<sha256>.safetensors

Nothing of a file is executed, nothing is unpacked to a path that the file names, and a side file counts only when its
bytes have the hash that it is called by.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..state import ViewState
from ..store import History
from .errors import EditError

if TYPE_CHECKING:
    from .side_files import SideFiles

VERSION = 1
_LARGEST = {"session.json": 1 << 20, "state.json": 1 << 20}
_LARGEST_SIDE = 64 << 20
_DAMAGED = (zipfile.BadZipFile, zlib.error, KeyError, UnicodeDecodeError, NotImplementedError, RuntimeError, EOFError)
"""What reading a zip that is none, or half of one, raises."""


@dataclass(frozen=True)
class Session:
    """What a session file holds."""

    state: ViewState
    history: History = field(default_factory=History)
    """Names of what was done before it was saved; the states in between are not kept."""


def side_names(state: ViewState) -> tuple[str, ...]:
    """sha256 of every side file that a state needs."""
    return tuple(dict.fromkeys(name for name in (state.edits.result, state.latents.identity) if name))


def save_session(path: Path, state: ViewState, side_files: SideFiles | None, history: History | None = None) -> None:
    """Writes a session, whole or not at all.

    Args:
        side_files: where the files are that the state names; None: they are not put into it, which is enough for the
            machine on which they were made.
        history: names of what was done.

    Raises:
        EditError: a side file is missing.
        OSError: the folder cannot be written to.
    """
    history = history or History()
    head = {"neuroview_session": VERSION, "history": list(history.labels), "position": history.position}
    parts: dict[str, bytes] = {"session.json": json.dumps(head).encode(), "state.json": state.to_json().encode()}
    if side_files is not None:
        for name in side_names(state):
            side_files.write(name)
            try:
                parts[f"side/{name}.safetensors"] = side_files.path(name).read_bytes()
            except OSError as error:
                raise EditError(
                    f"The edit's side file {name[:12]} is missing: looked for {side_files.path(name)}. Undo the edit, "
                    "or copy the file there, and save again."
                ) from error
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in parts.items():
                archive.writestr(name, data)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def open_session(path: Path, side_files: SideFiles | None) -> Session:
    """Reads a session and puts its side files into `side_files`; the state is given back, not put into effect.

    Args:
        side_files: None: they are left in the file, and nobody asks whether they are there.

    Raises:
        EditError: no session file, a damaged one, one of a newer version, or one whose side file is nowhere.
        StateError: the state in it is of a newer version or holds a wrong type.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            head = _head(path, _member(archive, "session.json", _LARGEST["session.json"]))
            state = ViewState.from_json(_member(archive, "state.json", _LARGEST["state.json"]).decode())
            if side_files is not None:
                _unpack(archive, path, state, side_files)
    except FileNotFoundError as error:
        raise EditError(f"There is no {path}.") from error
    except _DAMAGED as error:
        raise EditError(f"{path.name} is no session of neuroview, or a damaged one ({error}).") from error
    except OSError as error:
        raise EditError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    return Session(state, head)


def _unpack(archive: zipfile.ZipFile, path: Path, state: ViewState, side_files: SideFiles) -> None:
    """Side files that `state` names and `side_files` lacks; each only when its bytes have the hash of its name."""
    held = set(archive.namelist())
    for name in side_names(state):
        if side_files.holds(name):
            continue
        member = f"side/{name}.safetensors"
        if member not in held:
            raise EditError(
                f"{path.name} needs the edit's side file {name[:12]}, which is neither in it nor in "
                f"{side_files.folder}. Copy it there from the machine where the session was made."
            )
        data = _member(archive, member, _LARGEST_SIDE)
        if hashlib.sha256(data).hexdigest() != name:
            raise EditError(f"{path.name} is damaged: the contents of {member[:17]}… do not match its name.")
        _keep(data, side_files.path(name))


def _head(path: Path, data: bytes) -> History:
    try:
        head = json.loads(data)
        version = head["neuroview_session"]
        labels = tuple(str(label) for label in head.get("history", []))
        position = int(head.get("position", len(labels)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise EditError(f"{path.name} is no session of neuroview, or a damaged one ({error}).") from error
    if not isinstance(version, int) or version > VERSION:
        raise EditError(
            f"{path.name} was saved by a newer neuroview (session version {version}; this one reads up to {VERSION}). "
            "Update neuroview to open it."
        )
    return History(labels, min(max(position, 0), len(labels)))


def _member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """One entry, never more than `most` bytes of it, whatever the archive says of its size."""
    with archive.open(name) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise EditError(f"{name[:24]} in the session is larger than {most >> 20} MiB; that is not ours.")
    return data


def _keep(data: bytes, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise

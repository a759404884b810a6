"""Session files: one zip with the state, the history that led to it, and every side file that they name.

    session.json            {"neuroview_session": 1}
    state.json              what `ViewState.to_json` wrote
    history.json            the steps before and after it; see `session_history`. Older files have none
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
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..state import StateError, ViewState
from ..store import Timeline
from .errors import EditError
from .session_history import MOST_STEPS, history_from, history_json

if TYPE_CHECKING:
    from .side_files import SideFiles

VERSION = 1
MOST_SIDE_BYTES = 64 << 20
"""Side files of steps that can be undone, in one session; the present state's are in it whatever they weigh."""
_LARGEST = {"session.json": 1 << 20, "state.json": 1 << 20, "history.json": 8 << 20}
_LARGEST_SIDE = 64 << 20
Tell = Callable[[str], object]
"""Takes a sentence for the person."""
_DAMAGED = (zipfile.BadZipFile, zlib.error, KeyError, UnicodeDecodeError, NotImplementedError, RuntimeError, EOFError)
"""What reading a zip that is none, or half of one, raises."""


def _nobody(_: str) -> None:
    """Hears nothing."""


def side_names(state: ViewState) -> tuple[str, ...]:
    """sha256 of every side file that a state needs."""
    return tuple(dict.fromkeys(name for name in (state.edits.result, state.latents.identity) if name))


def save_session(path: Path, timeline: Timeline, side_files: SideFiles | None, *, tell: Tell = _nobody) -> None:
    """Writes a session, whole or not at all.

    Steps whose side files are lost, or would make it too large, are left out, with everything beyond them.

    Args:
        side_files: where the files are that the states name; None: they are not put into it, which is enough for the
            machine on which they were made.
        tell: hears how many steps were left out.

    Raises:
        EditError: a side file of the present state is missing.
        OSError: the folder cannot be written to.
    """
    parts: dict[str, bytes] = {}
    timeline = timeline.nearest(MOST_STEPS)
    if side_files is not None:
        kept = _with_side_files(timeline, side_files, parts)
        if missing := len(timeline.labels) - len(kept.labels):
            tell(f"{_steps(missing)} left out of its history: their edits are lost, or too large together")
        timeline = kept
    head = {"neuroview_session": VERSION}
    texts = {
        "session.json": json.dumps(head).encode(),
        "state.json": timeline.state.to_json().encode(),
        "history.json": history_json(timeline),
    }
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in {**texts, **parts}.items():
                archive.writestr(name, data)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def open_session(path: Path, side_files: SideFiles | None, *, tell: Tell = _nobody) -> Timeline:
    """Reads a session and puts its side files into `side_files`; nothing is put into effect.

    Args:
        side_files: None: they are left in the file, and nobody asks whether they are there.
        tell: hears how many steps of the history were left out.

    Returns:
        The state with the steps around it whose side files are all there.

    Raises:
        EditError: no session file, a damaged one, one of a newer version, or one whose side file is nowhere.
        StateError: the state in it is of a newer version or holds a wrong type.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_version(path, _member(archive, "session.json"))
            state = ViewState.from_json(_member(archive, "state.json").decode())
            timeline = Timeline((state,))
            if "history.json" in archive.namelist():
                timeline = _history(path, _member(archive, "history.json"), state)
            if side_files is not None:
                whole = timeline
                timeline = _unpacked(archive, path, timeline, side_files)
                if missing := len(whole.labels) - len(timeline.labels):
                    tell(
                        f"{_steps(missing)} left out of its history: the side files of their edits are neither in it "
                        f"nor in {side_files.folder}. Copy them there and open it again"
                    )
    except FileNotFoundError as error:
        raise EditError(f"There is no {path}.") from error
    except _DAMAGED as error:
        raise EditError(f"{path.name} is no session of neuroview, or a damaged one ({error}).") from error
    except OSError as error:
        raise EditError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    return timeline


def _with_side_files(timeline: Timeline, side_files: SideFiles, parts: dict[str, bytes]) -> Timeline:
    """Puts side files into `parts`, as members of the archive; gives back the steps that have all of theirs."""

    def taken(name: str, most: int | None) -> bool:
        member, path = f"side/{name}.safetensors", side_files.path(name)
        if member not in parts:
            side_files.write(name)
            if most is not None and path.stat().st_size > most:
                return False
            parts[member] = path.read_bytes()
        return True

    for name in side_names(timeline.state):
        try:
            taken(name, None)
        except OSError as error:
            raise EditError(
                f"The edit's side file {name[:12]} is missing: looked for {side_files.path(name)}. Undo the edit, "
                "or copy the file there, and save again."
            ) from error

    def has_all(state: ViewState) -> bool:
        room = MOST_SIDE_BYTES - sum(map(len, parts.values()))
        try:
            return all(taken(name, room) for name in side_names(state))
        except OSError:
            return False

    return _reachable(timeline, has_all)


def _unpacked(archive: zipfile.ZipFile, path: Path, timeline: Timeline, side_files: SideFiles) -> Timeline:
    """Puts into `side_files` what it lacks; each only when its bytes have the hash of its name."""
    held = set(archive.namelist())

    def found(name: str) -> bool:
        if side_files.holds(name):
            return True
        member = f"side/{name}.safetensors"
        if member not in held:
            return False
        data = _member(archive, member)
        if hashlib.sha256(data).hexdigest() != name:
            raise EditError(f"{path.name} is damaged: the contents of {member[:17]}… do not match its name.")
        _keep(data, side_files.path(name))
        return True

    for name in side_names(timeline.state):
        if not found(name):
            raise EditError(
                f"{path.name} needs the edit's side file {name[:12]}, which is neither in it nor in "
                f"{side_files.folder}. Copy it there from the machine where the session was made."
            )
    return _reachable(timeline, lambda state: all(found(name) for name in side_names(state)))


def _reachable(timeline: Timeline, whole: Callable[[ViewState], bool]) -> Timeline:
    """The steps around the present, as far as one comes without a state that is not `whole`."""
    first = last = timeline.position
    while first > 0 and whole(timeline.states[first - 1]):
        first -= 1
    while last < len(timeline.labels) and whole(timeline.states[last + 1]):
        last += 1
    return timeline.between(first, last)


def _steps(number: int) -> str:
    return "1 step was" if number == 1 else f"{number} steps were"


def _history(path: Path, data: bytes, state: ViewState) -> Timeline:
    try:
        timeline = history_from(data)
    except StateError as error:
        raise EditError(f"{path.name} cannot be opened. {error}") from error
    if timeline.state != state:
        raise EditError(f"{path.name} is damaged: its history does not lead to its state.")
    return timeline


def _check_version(path: Path, data: bytes) -> None:
    try:
        version = json.loads(data)["neuroview_session"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise EditError(f"{path.name} is no session of neuroview, or a damaged one ({error}).") from error
    if not isinstance(version, int) or version > VERSION:
        raise EditError(
            f"{path.name} was saved by a newer neuroview (session version {version}; this one reads up to {VERSION}). "
            "Update neuroview to open it."
        )


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """One entry, never more than is sensible of it, whatever the archive says of its size."""
    most = _LARGEST.get(name, _LARGEST_SIDE)
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

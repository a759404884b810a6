"""`SideFiles`: what is too large for a state and belongs to it, stored under the hash of its own bytes.

A state names such a file by sha256, so a name means the same numbers for ever, and a screenshot's, a video's or a
session's edit can be found again or be said to be missing. Files are safetensors: they cannot hold code.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import platformdirs
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from .errors import EditError

KEPT = 32
"""Files held in memory: the last ones asked for."""
MOST_BYTES = 64 << 20
"""Larger files are not ours: an edit has a few megabytes."""
FORMAT = "neuroview-side-2"
ENTRY = "neuroview"
"""The file's one entry of metadata: JSON with its format, its kind and the words about it."""

Contents = tuple[dict[str, Tensor], dict[str, str]]


def side_folder() -> Path:
    """Where side files are: NEUROVIEW_EDITS, or a folder of the person's own."""
    given = os.environ.get("NEUROVIEW_EDITS")
    return Path(given) if given else Path(platformdirs.user_data_dir("neuroview", appauthor=False)) / "edits"


class SideFiles:
    """A store of named tensors with a few words about each; names are sha256 of the file.

    Args:
        folder: where files are; None: `side_folder()`. It is made when something is first written.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = side_folder() if folder is None else Path(folder)
        self._kept: OrderedDict[str, tuple[str, Contents]] = OrderedDict()
        self._unwritten: dict[str, bytes] = {}

    def path(self, name: str) -> Path:
        """Where the file of that name is, or would be."""
        return self.folder / f"{name}.safetensors"

    def put(self, tensors: dict[str, Tensor], kind: str, about: dict[str, str], *, write: bool = True) -> str:
        """Stores tensors; returns their name.

        Args:
            tensors: in the number types in which they are to be kept.
            kind: 'edit', 'identity', 'directions'; `get` asks for it again.
            about: text beside them.
            write: False: only in memory, until `write` is called with the name (an edit that is still being made).

        Raises:
            EditError: the folder cannot be written to.
        """
        flat = {key: value.detach().to("cpu").contiguous() for key, value in tensors.items()}
        # One entry of metadata: safetensors writes several in no fixed order, and equal contents are to have one name.
        words = json.dumps({"format": FORMAT, "kind": kind, "about": about}, sort_keys=True)
        data = save(flat, metadata={ENTRY: words})
        name = hashlib.sha256(data).hexdigest()
        self._keep(name, kind, (flat, dict(about)))
        self._unwritten[name] = data
        if write:
            self.write(name)
        else:
            while len(self._unwritten) > 2:  # a live edit leaves one behind with every step
                del self._unwritten[next(iter(self._unwritten))]
        return name

    def write(self, name: str) -> None:
        """Writes what was put with `write=False`, whole or not at all; a file that is there already stays.

        Raises:
            EditError: the folder cannot be written to.
        """
        data = self._unwritten.pop(name, None)
        if data is None or self.path(name).is_file():
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self.folder, suffix=".part")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                os.replace(temporary, self.path(name))
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
        except OSError as error:
            self._unwritten[name] = data
            raise EditError(
                f"The edit could not be written to {self.folder} ({error.strerror or error}). Make room there, or set "
                "NEUROVIEW_EDITS to a folder that can be written to."
            ) from error

    def get(self, name: str, kind: str) -> Contents:
        """Tensors and words of a file.

        Raises:
            EditError: no file of that name, one that is damaged, or one of another kind.
        """
        if name not in self._kept:
            self._keep(name, *self._read(name))
        self._kept.move_to_end(name)
        found, contents = self._kept[name]
        if found != kind:
            raise EditError(
                f"The side file {name[:12]} holds '{found}', and '{kind}' is wanted here: the state was put together "
                "from two. Open the session or the screenshot again, or remove the edit."
            )
        return contents

    def holds(self, name: str) -> bool:
        """Whether `get` would find the file."""
        return name in self._kept or self.path(name).is_file()

    def _keep(self, name: str, kind: str, contents: Contents) -> None:
        self._kept[name] = (kind, contents)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    def _read(self, name: str) -> tuple[str, Contents]:
        if not re.fullmatch(r"[0-9a-f]{64}", name):
            raise EditError(f"'{name[:70]}' names no side file; expected 64 hexadecimal digits.")
        path = self.path(name)
        try:
            if path.stat().st_size > MOST_BYTES:
                raise EditError(f"{path} has {path.stat().st_size >> 20} MB; no edit is larger than 64. Remove it.")
            data = path.read_bytes()
        except OSError as error:
            raise EditError(
                f"The edit's side file {name[:12]} is missing: looked for {path} ({error.strerror or error}). Copy it "
                "there from the machine where the edit was made, or remove the edit."
            ) from error
        damaged = EditError(
            f"The edit's side file {path} is damaged: its contents do not match its name. Copy it again from the "
            "machine where the edit was made, or remove the edit."
        )
        if hashlib.sha256(data).hexdigest() != name:
            raise damaged
        try:
            tensors = load(data)
            words = _words(data)
        except (SafetensorError, ValueError, KeyError) as error:
            raise damaged from error
        if words.get("format") != FORMAT:
            raise EditError(f"{path} is no side file of this version. Remove the edit, or put the right file there.")
        return str(words.get("kind", "")), (tensors, {str(k): str(v) for k, v in words.get("about", {}).items()})


def _words(data: bytes) -> dict[str, Any]:
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    found = json.loads(header.get("__metadata__", {}).get(ENTRY, "{}"))
    if not isinstance(found, dict) or not isinstance(found.get("about", {}), dict):
        raise ValueError("its words are not a table")
    return found

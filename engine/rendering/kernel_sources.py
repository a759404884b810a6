"""What a kernel is made of: a name for the text of its file and of all files of ours that are compiled into it.

Numba's cache knows the file of a kernel and no other: after a change in a function that is inlined, or in a constant,
it would go on loading what was compiled before. So each file of kernels has its own folder in the cache, which is named
by this hash; folders that nobody has used for a while are removed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from pathlib import Path

PATIENCE = 7 * 86400.0
"""Seconds for which a folder of other sources is kept: another checkout or version may be using it."""

_IMPORT = re.compile(r"^from (\.+)([\w.]*) import (\([^)]*\)|.*)$", re.MULTILINE)


def sources_of(file: Path) -> list[Path]:
    """The file and all files that it imports by relative imports, directly or not, sorted."""
    found: set[Path] = set()
    waiting = [file]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imported(path)
    return sorted(found)


def sources_hash(file: Path) -> str:
    """Sixteen hexadecimal digits that stand for the text of `sources_of` a file."""
    total = hashlib.sha256()
    for path in sources_of(file):
        total.update(_text(path).encode())
        total.update(b"\0")
    return total.hexdigest()[:16]


def kernel_folder(cache_folder: Path, file: Path) -> Path:
    """Where the kernels of a file are kept; those of the same file's earlier texts are removed after `PATIENCE`.

    Args:
        cache_folder: where all kernels are kept.
        file: the kernels' source.
    """
    name = f"{file.parent.name}.{file.stem}"
    folder = cache_folder / f"{name}-{sources_hash(file)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        for other in cache_folder.glob(f"{name}-*"):
            if other != folder and time.time() - other.stat().st_mtime > PATIENCE:
                shutil.rmtree(other, ignore_errors=True)
    except OSError:
        pass  # somebody else has removed it meanwhile, or may not be removed: it is only a cache
    return folder


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""  # in an archive: then only numba's own stamp tells


def _imported(path: Path) -> list[Path]:
    """Files behind a file's own relative imports: `from .module import x`, `from ..folder import module`."""
    found = []
    for dots, module, names in _IMPORT.findall(_text(path)):
        folder = path.parent
        for _ in dots[1:]:
            folder = folder.parent
        steps = [part for part in module.split(".") if part]
        base = folder.joinpath(*steps)
        candidates = [base.with_suffix(".py")] if steps else []
        candidates += [base / f"{name}.py" for name in re.findall(r"\w+", names)]
        found += [candidate for candidate in candidates if candidate.is_file()]
    return found

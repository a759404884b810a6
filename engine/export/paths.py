"""Names for new files that never overwrite an old one."""

from __future__ import annotations

from pathlib import Path


def free_name(folder: Path, stem: str, suffix: str) -> Path:
    """`folder/stem_0001.suffix` with the first number that is still free."""
    number = 1
    while (path := folder / f"{stem}_{number:04d}{suffix}").exists():
        number += 1
    return path

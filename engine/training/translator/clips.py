"""Clips on disk: maps and the pictures that belong to them, in memory-mapped arrays of compact types.

A folder holds `clips.json` and one `<plane>.npy` for each plane, all frames of all clips one after the other. Planes
other than labels, instances and photo may be missing: then nobody knew them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....models.base import GBuffer
from ....models.errors import NeuroviewError

FORMAT = "neuroview-clips-1"
_NAME = "clips.json"
_MOST_JSON = 64 << 20
GROUND_MODULO = 64.0
"""Metres: ground coordinates are kept modulo this, the longest period that conditions know."""
_NOWHERE = 65535  # of ground coordinates
_UNKNOWN = -128  # of normals

# Plane -> (type on disk, shape of a frame after height and width; "sun" has no height and width).
_PLANES: dict[str, tuple[str, tuple[int, ...]]] = {
    "labels": ("u1", ()),
    "instances": ("u2", ()),
    "photo": ("u1", (3,)),
    "motion": ("f2", (2,)),
    "depth": ("f2", ()),
    "expected_depth": ("f2", ()),
    "height": ("f2", ()),
    "storey": ("f2", ()),
    "bay": ("f2", ()),
    "normals": ("i1", (3,)),
    "shadow": ("u1", ()),
    "ground": ("u2", (2,)),
    "sun": ("f4", (3,)),
}
_ALWAYS = ("labels", "instances", "photo")


class ClipError(NeuroviewError):
    """Clips cannot be written or read; the message says why and what to do."""


@dataclass(frozen=True)
class ClipFrame:
    """One frame as tensors; labels are CARLA tags (0.9.14 and later)."""

    labels: Tensor
    """[H, W] uint8."""
    instances: Tensor
    """[H, W] int32."""
    photo: Tensor
    """[3, H, W] uint8: what is to be painted."""
    motion: Tensor | None
    """[H, W, 2], as a translator gets it."""
    gbuffer: GBuffer


class ClipWriter:
    """Writes one folder of clips.

    Args:
        folder: is made; must not hold clips yet.
        height, width: of every frame.
        frames: most that may be written; disk is taken as it is used.
        planes: which there will be, beside labels, instances and photo.
        notes: what a person should know (seed, look, hours); plain JSON.
    """

    def __init__(
        self,
        folder: Path,
        height: int,
        width: int,
        frames: int,
        planes: Sequence[str] = tuple(_PLANES),
        notes: Mapping[str, Any] | None = None,
    ) -> None:
        if unknown := set(planes) - set(_PLANES):
            raise ClipError(f"unknown planes {sorted(unknown)}; expected some of {', '.join(_PLANES)}")
        if (folder / _NAME).exists():
            raise ClipError(f"{folder} already holds clips; give another folder or remove it")
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.size, self.most, self.notes = folder, (height, width), frames, dict(notes or {})
        self.clips: list[tuple[int, int]] = []
        self._used = 0
        self._arrays: dict[str, NDArray[Any]] = {}
        for name in dict.fromkeys((*_ALWAYS, *planes)):
            kind, more = _PLANES[name]
            shape = (frames, *more) if name == "sun" else (frames, height, width, *more)
            self._arrays[name] = np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.dtype(kind), shape)

    def add(self, clip: Sequence[Mapping[str, Any]]) -> None:
        """Appends consecutive frames, each a mapping from plane to array in an engine's own units: metres, pixels,
        storeys; normals [H, W, 3], ground [H, W, 2], photo [H, W, 3] uint8. The first frame's motion does not count.

        Raises:
            ClipError: a plane is missing or has another size, or there is no room left.
        """
        if self._used + len(clip) > self.most:
            raise ClipError(f"there is room for {self.most} frames; {self._used} are written and {len(clip)} more came")
        for frame in clip:
            for name, array in self._arrays.items():
                if frame.get(name) is None:
                    raise ClipError(f"a frame has no {name!r}; expected {', '.join(self._arrays)}")
                value = np.asarray(frame[name])
                if value.shape != array.shape[1:]:
                    raise ClipError(f"{name} is {value.shape}; expected {array.shape[1:]}")
                array[self._used] = _packed(name, value)
            self._used += 1
        self.clips.append((self._used - len(clip), len(clip)))

    def close(self) -> None:
        """Writes the description; only then the folder can be read."""
        for array in self._arrays.values():
            array.flush()  # pyright: ignore[reportAttributeAccessIssue] - it is a memory map
        plain = {
            "format": FORMAT,
            "size": list(self.size),
            "planes": list(self._arrays),
            "clips": [list(clip) for clip in self.clips],
            "notes": self.notes,
        }
        temporary = self.folder / f"{_NAME}.part"
        temporary.write_text(json.dumps(plain, indent=1) + "\n", "utf-8")
        os.replace(temporary, self.folder / _NAME)


class Clips:
    """Reads a folder of clips, or a folder of such folders.

    Args:
        folder: with `clips.json` in it or in each of its sub-folders.

    Raises:
        ClipError: there are none, they are damaged, or they are of different sizes.
    """

    def __init__(self, folder: Path | str) -> None:
        folder = Path(folder).expanduser()
        found = [folder] if (folder / _NAME).is_file() else sorted(p.parent for p in folder.glob(f"*/{_NAME}"))
        if not found:
            raise ClipError(
                f"{folder} holds no clips ({_NAME}); `neuroview train clips` makes some of the town, "
                "`neuroview train cityscapes` of a folder of pictures"
            )
        self._shards = [_Shard(path) for path in found]
        sizes = {shard.size for shard in self._shards}
        if len(sizes) > 1:
            raise ClipError(f"{folder} holds clips of {sorted(sizes)} (height, width); train one size at a time")
        self.size: tuple[int, int] = next(iter(sizes))
        """(height, width)."""
        self._clips = [(shard, *clip) for shard in self._shards for clip in shard.clips]
        self.notes: list[dict[str, Any]] = [shard.notes for shard in self._shards]
        """Of each folder."""

    def __len__(self) -> int:
        return len(self._clips)

    @property
    def frames(self) -> int:
        """Of all clips together."""
        return sum(count for _, _, count in self._clips)

    def length(self, clip: int) -> int:
        """Frames of a clip."""
        return self._clips[clip][2]

    def frame(self, clip: int, index: int) -> ClipFrame:
        """A frame of a clip."""
        shard, first, count = self._clips[clip]
        if not 0 <= index < count:
            raise ClipError(f"clip {clip} has {count} frames; frame {index} was asked for")
        return shard.frame(first + index)


class _Shard:
    """One folder."""

    def __init__(self, folder: Path) -> None:
        path = folder / _NAME
        try:
            if path.stat().st_size > _MOST_JSON:
                raise ValueError("too long")
            told = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise ClipError(f"{path} cannot be read ({str(error)[:100]}); render the clips anew") from error
        if not isinstance(told, dict) or told.get("format") != FORMAT:
            raise ClipError(f"{path} is not of format {FORMAT!r}; render the clips anew")
        try:
            height, width = (int(n) for n in told["size"])
            planes = [str(name) for name in told["planes"]]
            self.clips = [(int(first), int(count)) for first, count in told["clips"]]
        except (KeyError, TypeError, ValueError) as error:
            raise ClipError(f"{path} lacks its size, planes or clips; render the clips anew") from error
        notes = told.get("notes")
        self.notes: dict[str, Any] = notes if isinstance(notes, dict) else {}
        self.size = (height, width)
        if set(_ALWAYS) - set(planes) or set(planes) - set(_PLANES):
            raise ClipError(f"{path} names planes {planes}; expected {', '.join(_ALWAYS)} and some of {list(_PLANES)}")
        self._arrays = {name: self._opened(folder, name) for name in planes}
        frames = min(len(array) for array in self._arrays.values())
        if any(first < 0 or count < 1 or first + count > frames for first, count in self.clips) or not self.clips:
            raise ClipError(f"{path} names clips outside of its {frames} frames, or none; render the clips anew")

    def _opened(self, folder: Path, name: str) -> NDArray[Any]:
        kind, more = _PLANES[name]
        path = folder / f"{name}.npy"
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise ClipError(f"{path} cannot be read ({str(error)[:100]}); render the clips anew") from error
        expected = more if name == "sun" else (*self.size, *more)
        if array.dtype != np.dtype(kind) or array.shape[1:] != expected:
            raise ClipError(
                f"{path} holds frames of {array.shape[1:]} {array.dtype}; expected {expected} {np.dtype(kind)}"
            )
        return array

    def frame(self, at: int) -> ClipFrame:
        def read(name: str) -> Tensor | None:
            return None if name not in self._arrays else torch.from_numpy(_unpacked(name, self._arrays[name][at]))

        labels, instances, photo = read("labels"), read("instances"), read("photo")
        assert labels is not None
        assert instances is not None
        assert photo is not None
        normals, ground = read("normals"), read("ground")
        gbuffer = GBuffer(
            depth=read("depth"),
            expected_depth=read("expected_depth"),
            height=read("height"),
            storey=read("storey"),
            bay=read("bay"),
            normals=None if normals is None else normals.permute(2, 0, 1),
            shadow=read("shadow"),
            ground=None if ground is None else ground.permute(2, 0, 1),
            sun=read("sun"),
        )
        return ClipFrame(labels, instances, photo.permute(2, 0, 1), read("motion"), gbuffer)


def _packed(name: str, value: NDArray[Any]) -> NDArray[Any]:
    """A plane of a frame in the type that is kept on disk."""
    if name == "normals":
        return np.where(np.isnan(value), _UNKNOWN, np.round(np.nan_to_num(value) * 127)).astype(np.int8)
    if name == "shadow":
        return np.where(np.isnan(value), 255, np.round(np.nan_to_num(value) * 200)).astype(np.uint8)
    if name == "ground":
        steps = np.mod(np.nan_to_num(value).astype(np.float64), GROUND_MODULO) * (_NOWHERE / GROUND_MODULO)
        return np.where(np.isnan(value), _NOWHERE, np.minimum(steps, _NOWHERE - 1)).astype(np.uint16)
    if name in ("motion", "depth", "expected_depth", "height", "storey", "bay"):
        # Half precision ends at 65504: a depth beyond, and a motion out of any picture, stay what they are.
        return np.clip(value, -60000, np.inf if "depth" in name else 60000).astype(np.float16)
    return value


def _unpacked(name: str, value: NDArray[Any]) -> NDArray[Any]:
    """A plane of a frame in an engine's own units."""
    if name == "normals":
        return np.where(value == _UNKNOWN, np.float32(np.nan), value * np.float32(1 / 127))
    if name == "shadow":
        return np.where(value == 255, np.float32(np.nan), value * np.float32(1 / 200))
    if name == "ground":
        return np.where(value == _NOWHERE, np.float32(np.nan), value * np.float32(GROUND_MODULO / _NOWHERE))
    if name == "instances":
        return value.astype(np.int32)
    return value.astype(np.float32) if value.dtype == np.float16 else np.array(value)

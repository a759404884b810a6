"""Pictures to learn from, as EG3D keeps them: a folder or a zip of pictures, and `dataset.json` with their cameras.

`dataset.json` is `{"labels": [["00000/img00000000.png", [25 numbers]], ...]}`: cam2world 4 x 4 row by row (OpenCV axes:
x right, y down, z forward), then intrinsics 3 x 3 normalised by the picture's side. Without the file, or with
`"labels": null`, the pictures are unposed. Pictures are read when they are asked for; nothing in them is executed.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torch.nn import functional as F

from .camera_labels import DataError, label_of, mirrored

LABELS = "dataset.json"
ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
LARGEST_FILE = 64 << 20
"""Bytes of one picture, or of dataset.json times 16; larger ones are refused before they are read."""
LARGEST_SIDE = 4096
HEAD = 1 << 16
"""Bytes of a picture in which its size is usually told."""
KEPT = 512 << 20
"""Bytes of decoded pictures that are kept, so that a small set is decoded once."""


class ImageFolder:
    """A folder or zip of square pictures, posed or not.

    Args:
        path: the folder, or the zip.
        size: side in pixels that pictures are reduced to; None: their own.
        mirror: also give every picture mirrored, with its camera mirrored: the second half of the indices.

    Raises:
        DataError: no pictures, a picture without a camera, an impossible camera, or an impossible size.
    """

    def __init__(self, path: str | Path, *, size: int | None = None, mirror: bool = False) -> None:
        self.path = Path(path)
        self.mirror = mirror
        self._files: _Files = _Zip(self.path) if zipfile.is_zipfile(self.path) else _Folder(self.path)
        self.names = sorted(name for name in self._files.names if name.lower().endswith(ENDINGS))
        if not self.names:
            raise DataError(f"{self.path} holds no pictures; expected {', '.join(ENDINGS)} beside {LABELS}.")
        self._labels = self._read_labels()
        self.native = self._header(self.names[0])
        """Side of the pictures as they are stored."""
        self.size = self.native if size is None else size
        if not 4 <= self.size <= self.native:
            raise DataError(f"pictures of {self.size} pixels are wanted from {self.native}; pictures are not enlarged.")
        self._decoded: dict[int, Tensor] = {}

    def __len__(self) -> int:
        return len(self.names) * (2 if self.mirror else 1)

    @property
    def posed(self) -> bool:
        """Whether every picture has its camera."""
        return self._labels is not None

    @property
    def labels(self) -> Tensor:
        """All cameras [len, 25], mirrored ones last.

        Raises:
            DataError: the pictures are unposed.
        """
        if self._labels is None:
            raise DataError(f"{self.path} has no cameras: its {LABELS} is missing or has no labels.")
        return torch.cat([self._labels, mirrored(self._labels)]) if self.mirror else self._labels

    def picture(self, index: int) -> Tensor:
        """One picture, uint8 [3, size, size].

        Raises:
            DataError: it cannot be read, or is not of the others' size.
        """
        flipped, index = divmod(index, len(self.names))
        pixels = self._decoded.get(index)
        if pixels is None:
            pixels = self._decode(self.names[index])
            if (len(self._decoded) + 1) * pixels.numel() <= KEPT:
                self._decoded[index] = pixels
        return pixels.flip(-1) if flipped else pixels

    def pictures(self, indices: Iterable[int]) -> Tensor:
        """Pictures [N, 3, size, size] in -1..1, as discriminators see them."""
        return torch.stack([self.picture(int(index)) for index in indices]).float() / 127.5 - 1

    def verify(self) -> None:
        """Reads every picture's header, so that a bad one is found before a run and not during it.

        Raises:
            DataError: the first that is no picture or of another size.
        """
        for name in self.names:
            self._same(name, self._header(name))

    def _read_labels(self) -> Tensor | None:
        if LABELS not in self._files.names:
            return None
        try:
            told = json.loads(self._files.read(LABELS, LARGEST_FILE * 16))
        except (ValueError, RecursionError) as error:
            raise DataError(f"{self.path}: {LABELS} is not readable JSON ({str(error)[:80]}); repair it.") from error
        given = told.get("labels") if isinstance(told, dict) else ()
        if given is None:
            return None
        try:
            cameras = {str(name).replace("\\", "/"): numbers for name, numbers in given}
        except (TypeError, ValueError) as error:
            raise DataError(f'{self.path}: {LABELS} is not {{"labels": [[name, [25 numbers]], ...]}}.') from error
        bare = [name for name in self.names if name not in cameras]
        if bare:
            raise DataError(
                f"{self.path}: {len(bare)} of {len(self.names)} pictures have no camera in {LABELS}, {bare[0]!r} "
                f"first. Add them, or remove {LABELS} to train without cameras."
            )
        return torch.stack([label_of(cameras[name], f"{self.path}: camera of {name}") for name in self.names])

    def _header(self, name: str) -> int:
        try:
            with Image.open(io.BytesIO(self._files.read(name, HEAD, whole=False))) as picture:
                return self._side(name, picture)
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            with self._opened(name) as picture:  # a header longer than usual, or no picture
                return self._side(name, picture)

    def _decode(self, name: str) -> Tensor:
        with self._opened(name) as picture:
            self._same(name, self._side(name, picture))
            try:
                pixels = np.array(picture.convert("RGB"))
            except (OSError, ValueError, SyntaxError, MemoryError) as error:
                raise DataError(f"{self.path}: {name} is damaged ({str(error)[:80]}); replace or remove it.") from error
        decoded = torch.from_numpy(pixels).permute(2, 0, 1)
        if self.size != self.native:
            smaller = F.interpolate(decoded[None].float(), size=(self.size, self.size), mode="bilinear", antialias=True)
            decoded = smaller[0].round().clamp(0, 255).byte()
        return decoded.contiguous()

    def _opened(self, name: str) -> Image.Image:
        try:
            return Image.open(io.BytesIO(self._files.read(name, LARGEST_FILE)))
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise DataError(f"{self.path}: {name} is not a readable picture; replace or remove it.") from error

    def _side(self, name: str, picture: Image.Image) -> int:
        width, height = picture.size
        if width != height or not 4 <= width <= LARGEST_SIDE:
            raise DataError(
                f"{self.path}: {name} is {width} x {height}; expected a square of 4 to {LARGEST_SIDE} pixels. "
                "Crop all pictures to one square size."
            )
        return width

    def _same(self, name: str, side: int) -> None:
        if side != self.native:
            raise DataError(
                f"{self.path}: {name} is {side} x {side}, but {self.names[0]} is {self.native} x {self.native}; "
                "all pictures must have one size."
            )


class PictureWriter:
    """Writes pictures with cameras in the format that `ImageFolder` reads: use as a context; the zip appears whole.

    Args:
        path: of the zip, made new.

    Raises:
        DataError: the place cannot be written to.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._part = self.path.with_name(self.path.name + ".part")
        self._labels: list[list[Any]] = []
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._zip = zipfile.ZipFile(self._part, "w", zipfile.ZIP_STORED)  # PNGs are compressed already
        except OSError as error:
            raise DataError(f"{self.path} cannot be written: {error.strerror or error}.") from error

    def __enter__(self) -> PictureWriter:
        return self

    def add(self, picture: Tensor, label: Tensor) -> None:
        """One picture [3, R, R] in 0..1 and its camera [25]."""
        index = len(self._labels)
        name = f"{index // 1000:05d}/img{index:08d}.png"
        pixels = (picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        encoded = io.BytesIO()
        Image.fromarray(pixels).save(encoded, "PNG")
        self._write(name, encoded.getvalue())
        self._labels.append([name, [round(float(v), 8) for v in label]])

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._write(LABELS, json.dumps({"labels": self._labels}).encode())
        self._zip.close()
        if kind is None:
            self._part.replace(self.path)
        else:
            self._part.unlink(missing_ok=True)

    def _write(self, name: str, data: bytes) -> None:
        try:
            self._zip.writestr(name, data)
        except OSError as error:
            raise DataError(f"{self.path} cannot be written: {error.strerror or error}.") from error


class _Folder:
    """Files of a folder, by relative name; `read` gives all bytes of one, or `most` of them if it need not be whole."""

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise DataError(f"{root} is neither a folder nor a zip of pictures.")
        self._root = root
        self.names = frozenset(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())

    def read(self, name: str, most: int, whole: bool = True) -> bytes:
        path = self._root / name
        try:
            if whole and path.stat().st_size > most:
                raise DataError(f"{path} has more than {most} bytes; it is refused.")
            with open(path, "rb") as file:
                return file.read(most)
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


class _Zip:
    """Files of a zip; a name that would leave a folder it were unpacked into is refused."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise DataError(f"{path} is no readable zip; fetch it again.") from error
        for info in self._zip.infolist():
            parts = PurePosixPath(info.filename.replace("\\", "/")).parts
            if ".." in parts or info.filename.startswith(("/", "\\")) or ":" in (parts or ("",))[0]:
                raise DataError(f"{path} holds {info.filename[:80]!r}, which leaves its folder; it is refused.")
        self.names = frozenset(info.filename for info in self._zip.infolist() if not info.is_dir())

    def read(self, name: str, most: int, whole: bool = True) -> bytes:
        try:
            with self._zip.open(name) as file:
                data = file.read(most + whole)
        except (OSError, zipfile.BadZipFile, RuntimeError, EOFError, zlib.error) as error:
            raise DataError(f"{self._path}: {name} cannot be unpacked; fetch the zip again.") from error
        if len(data) > most:
            raise DataError(f"{self._path}: {name} unpacks to more than {most} bytes; it is refused.")
        return data


_Files = _Folder | _Zip


def border_is_white(data: ImageFolder, count: int = 64) -> bool:
    """Whether the pictures stand on white: nine tenths of the pixels along the edges of some are nearly so."""
    chosen: Sequence[int] = [math.floor(i * len(data.names) / count) for i in range(min(count, len(data.names)))]
    pictures = data.pictures(chosen)
    edges = torch.cat([pictures[..., 0, :], pictures[..., :, 0], pictures[..., :, -1]], -1)
    return float((edges.amin(1) > 0.9).float().mean()) > 0.9

"""Reads what a NeRF is trained on: a `transforms.json` of any of the usual kinds with its pictures, or an .npz of both.

- NeRF's synthetic scenes: a folder with transforms_train.json and transforms_val.json (or ..._test.json),
  `camera_angle_x`, pictures with alpha.
- instant-ngp and nerfstudio: transforms.json with `fl_x` or `camera_angle_x`, for all frames or frame by frame, masks
  (`mask_path`: black is not learned from), depth (`depth_file_path`: 16 bits, 0 is unknown, times
  `depth_unit_scale_factor`, thousandths by default; distances along the optical axis, or along the pixel's ray with
  `"depth_along": "ray"`), and lists (`train_filenames`, `val_filenames`, `test_filenames`) if given.
- .npz with `images_u8` or `images` [N, H, W, 3 or 4], `poses_c2w` or `poses` [N, 4, 4] (OpenGL axes), `focal` (pixels).

Lens distortion is not modelled. Without a list of its own, every eighth picture is held out (of the .npz, every fifth).
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...models.base import Pose
from ...models.errors import CheckpointError
from ...models.formats import transforms_json
from .image_folder import LARGEST_FILE, LARGEST_SIDE, DataError
from .nerf_views import Behind, NerfData, Views, cube_of

MOST_BYTES = 1 << 30
"""Of decoded pictures; more are reduced."""
_ENDINGS = ("", ".png", ".jpg", ".jpeg")
# How far a rotation may be from orthonormal: published poses carry rounding, a scale would be far more.
_ROUNDING = 1e-2
_HELD_OUT_EVERY, _HELD_OUT_FROM = 8, 16
_OPENGL_TO_OPENCV = np.diag([1.0, -1.0, -1.0, 1.0])


def load(path: str | Path, *, shrink: int | None = None, room: float | None = None) -> NerfData:
    """Everything, in memory.

    Args:
        path: a folder, a .json in it, or an .npz.
        shrink: whole number by which pictures are reduced; None: as far as their memory asks for it.
        room: factor on the side of the learned cube; None: 1, or 4 where pictures show a place all around.

    Raises:
        DataError: a picture or a camera is missing, damaged, or unlike the others; the message names it.
    """
    path = Path(path)
    try:
        if path.suffix == ".npz":
            train, held_out = _from_npz(path)
        else:
            train, held_out = _from_json(path, shrink)
    except CheckpointError as error:  # of the reader of transforms.json
        raise DataError(str(error)) from error
    for views in (train, held_out):
        if views is not None:
            _check_matrices(views)
    behind = _behind(train)
    cube = cube_of(train, room if room is not None else 4.0 if behind == "scene" else 1.0)
    name = path.stem if path.suffix and not path.stem.startswith("transforms") else path.absolute().name
    if path.suffix == ".json":
        name = path.absolute().parent.name
    return NerfData(name, train, held_out, cube, behind)


def _from_json(path: Path, shrink: int | None) -> tuple[Views, Views | None]:
    if not path.exists():
        raise DataError(f"{path} does not exist; expected a folder with transforms.json, that file, or an .npz.")
    folder = path if path.is_dir() else path.parent
    parts = [folder / f"transforms_{name}.json" for name in ("train", "val", "test")]
    if path.is_dir() and parts[0].is_file():
        others = [part for part in parts[1:] if part.is_file()]
        return _views(parts[0], shrink), _views(others[0], shrink) if others else None
    file = folder / "transforms.json" if path.is_dir() else path
    if not file.is_file():
        raise DataError(f"{path} holds neither transforms.json nor transforms_train.json.")
    views = _views(file, shrink)
    return _divided(views, transforms_json.read_json(file))


def _divided(views: Views, contents: Mapping[str, Any]) -> tuple[Views, Views | None]:
    """Splits pictures by the file's own lists, or every eighth away."""
    lists = [contents.get(f"{part}_filenames") for part in ("val", "test")]
    chosen = next((names for names in lists if isinstance(names, list) and names), None)
    if chosen is None:
        return _every(views, _HELD_OUT_EVERY) if len(views) >= _HELD_OUT_FROM else (views, None)
    given = contents.get("train_filenames")
    held = {Path(str(name)).name for name in chosen}
    train = {Path(str(name)).name for name in given} if isinstance(given, list) else set(views.names) - held
    first = [i for i, name in enumerate(views.names) if name in train]
    second = [i for i, name in enumerate(views.names) if name in held]
    if not first:
        raise DataError("transforms.json: none of train_filenames is among its frames.")
    return views.chosen(first), views.chosen(second) if second else None


def _every(views: Views, step: int) -> tuple[Views, Views]:
    train = [i for i in range(len(views)) if i % step]
    return views.chosen(train), views.chosen(range(0, len(views), step))


def _views(file: Path, shrink: int | None) -> Views:
    poses = transforms_json.read(file)
    frames: list[Mapping[str, Any]] = transforms_json.read_json(file)["frames"]
    for index, frame in enumerate(frames):
        if not isinstance(frame.get("file_path"), str):
            raise DataError(f"{file.name}, frame {index} has no file_path; its picture is unknown.")
    paths = [_picture_path(file, frame["file_path"]) for frame in frames]
    width, height = _header(paths[0])
    if shrink is None:
        shrink = 1
        while len(paths) * (width // shrink) * (height // shrink) * 4 > MOST_BYTES:
            shrink += 1
    if shrink < 1 or min(width, height) // shrink < 4:
        raise DataError(f"pictures of {width} x {height} cannot be reduced {shrink} times.")
    decoded = [_decode(path, (width, height), shrink) for path in paths]
    channels = min(picture.shape[2] for picture in decoded)
    pictures = torch.empty(len(paths), height // shrink, width // shrink, channels, dtype=torch.uint8)
    for index in range(len(paths)):
        pictures[index] = torch.from_numpy(decoded[index][..., :channels])
        decoded[index] = decoded[index][:0]  # two copies of all would be one too many
    counted = _masks(file, frames, (width, height), shrink)
    lenses = torch.tensor([_lens(pose, frame, width / height) for pose, frame in zip(poses, frames, strict=True)])
    names = tuple(path.name for path in paths)
    views = Views(names, pictures, torch.tensor([pose.cam2world for pose in poses]), lenses, counted)
    return replace(views, depth=_depths(file, frames, (width, height), shrink, views))


def _lens(pose: Pose, frame: Mapping[str, Any], aspect: float) -> tuple[tuple[float, ...], ...]:
    """The reader takes a picture of unknown size for a square one; here the size is known."""
    first, second, third = pose.intrinsics
    if first[0] == second[1] and "h" not in frame and aspect != 1.0:
        second = (0.0, first[0] * aspect, second[2])
    return first, second, third


def _picture_path(file: Path, named: str) -> Path:
    """The picture that a frame names, whose ending is often left out."""
    bare = Path(named.replace("\\", "/"))
    tried = [file.parent / f"{bare}{ending}" for ending in _ENDINGS]
    found = next((path for path in tried if path.is_file()), None)
    if found is None:
        raise DataError(f"{file.name} names the picture {named[:120]!r}, which is not beside it; put it there.")
    return found


def _header(path: Path) -> tuple[int, int]:
    """Width and height."""
    try:
        with Image.open(path) as picture:
            return picture.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path.name} is no readable picture ({str(error)[:80]}).") from error


def _decode(path: Path, size: tuple[int, int], shrink: int) -> np.ndarray:
    """[H, W, 3 or 4] uint8."""
    if path.stat().st_size > LARGEST_FILE:
        raise DataError(f"{path.name} has {path.stat().st_size} bytes; more than {LARGEST_FILE} are refused.")
    try:
        with Image.open(path) as picture:
            if picture.size != size:
                raise DataError(
                    f"{path.name} is {picture.size[0]} x {picture.size[1]}, but the first picture is {size[0]} x "
                    f"{size[1]}; all must have one size."
                )
            if max(picture.size) > 2 * LARGEST_SIDE:
                raise DataError(f"{path.name} is {size[0]} x {size[1]}; sides up to {2 * LARGEST_SIDE} are read.")
            alpha = "A" in picture.getbands() or "transparency" in picture.info
            pixels = picture.convert("RGBA" if alpha else "RGB")
            width, height = size[0] // shrink, size[1] // shrink
            if shrink > 1:
                # Reduced with colours multiplied by the coverage, or what is behind edges would bleed in.
                pixels = pixels.convert("RGBa") if alpha else pixels
                pixels = pixels.resize((width, height), Image.Resampling.BOX)
                pixels = pixels.convert("RGBA") if alpha else pixels
            return np.array(pixels)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path.name} is no readable picture ({str(error)[:80]}).") from error


def _masks(file: Path, frames: Sequence[Mapping[str, Any]], size: tuple[int, int], shrink: int) -> Tensor | None:
    """Pixels to learn from [N, H, W] bool; None where no frame names a mask."""
    if not any("mask_path" in frame for frame in frames):
        return None
    masks = torch.ones(len(frames), size[1] // shrink, size[0] // shrink, dtype=torch.bool)
    for index, frame in enumerate(frames):
        if "mask_path" in frame:
            path = _picture_path(file, str(frame["mask_path"]))
            masks[index] = torch.from_numpy(_decode(path, size, shrink)[..., 0] > 127)
    return masks


def _depths(
    file: Path, frames: Sequence[Mapping[str, Any]], size: tuple[int, int], shrink: int, views: Views
) -> Tensor | None:
    """Distances along the rays [N, H, W], world units, 0 where unknown; None where no frame names them."""
    if not any("depth_file_path" in frame for frame in frames):
        return None
    contents = transforms_json.read_json(file)
    unit, along = contents.get("depth_unit_scale_factor", 1e-3), contents.get("depth_along", "axis")
    if not isinstance(unit, (int, float)) or not 0 < unit < 1e6 or along not in ("axis", "ray"):
        raise DataError(
            f"{file.name}: depth_unit_scale_factor {unit!r}, depth_along {along!r}; expected a factor such as 0.001, "
            "and 'axis' or 'ray'."
        )
    height, width = views.size
    depths = torch.zeros(len(frames), height, width)
    for index, frame in enumerate(frames):
        if "depth_file_path" in frame:
            path = _picture_path(file, str(frame["depth_file_path"]))
            values = _decode_depth(path, size)[shrink // 2 :: shrink, shrink // 2 :: shrink][:height, :width]
            depths[index] = torch.from_numpy(values.astype(np.float32)) * unit
    if along == "axis":
        row, column = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
        for index in range(len(frames)):
            view = torch.full((height * width,), index)
            _, directions = views.rays(view, row.reshape(-1), column.reshape(-1))
            depths[index] /= (directions @ views.cam2world[index, :3, 2]).view(height, width)
    return depths


def _decode_depth(path: Path, size: tuple[int, int]) -> np.ndarray:
    """[H, W] whole numbers."""
    try:
        with Image.open(path) as picture:
            if picture.size != size or not picture.mode.startswith("I"):
                raise DataError(
                    f"{path.name} is {picture.size[0]} x {picture.size[1]} of kind {picture.mode}; expected depth in "
                    f"16 bits, {size[0]} x {size[1]} as the pictures."
                )
            return np.asarray(picture)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path.name} is no readable picture ({str(error)[:80]}).") from error


def _from_npz(path: Path) -> tuple[Views, Views]:
    try:
        if path.stat().st_size > 4 * MOST_BYTES:
            raise DataError(f"{path.name} has {path.stat().st_size} bytes; more than {4 * MOST_BYTES} are refused.")
        with np.load(path, allow_pickle=False) as values:
            images = values["images_u8"] if "images_u8" in values else values["images"]
            poses = values["poses_c2w"] if "poses_c2w" in values else values["poses"]
            focal = float(values["focal"])
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path.name} cannot be read ({str(error)[:80]}); expected images, poses and focal.") from error
    if images.ndim != 4 or images.shape[3] not in (3, 4) or poses.shape != (len(images), 4, 4) or len(images) < 2:
        raise DataError(
            f"{path.name}: images are {list(images.shape)} and poses {list(poses.shape)}; expected [N, H, W, 3] and "
            "[N, 4, 4] with N of at least 2."
        )
    if not 0 < focal < 1e6:
        raise DataError(f"{path.name}: the focal length is {focal}; expected pixels.")
    if images.dtype != np.uint8:
        images = (np.nan_to_num(images).clip(0, 1) * 255).round().astype(np.uint8)
    height, width = images.shape[1:3]
    lens = torch.tensor([[focal / width, 0.0, 0.5], [0.0, focal / height, 0.5], [0.0, 0.0, 1.0]])
    matrices = torch.from_numpy((poses.astype(np.float64) @ _OPENGL_TO_OPENCV).astype(np.float32))
    names = tuple(f"{index:03d}" for index in range(len(images)))
    return _every(Views(names, torch.from_numpy(images), matrices, lens.repeat(len(images), 1, 1)), 5)


def _check_matrices(views: Views) -> None:
    for name, matrix in zip(views.names, views.cam2world, strict=True):
        if not bool(torch.isfinite(matrix).all()):
            raise DataError(f"the camera of {name} holds nan or infinity; repair its transform_matrix.")
        rotation = matrix[:3, :3].double()
        off = float((rotation.T @ rotation - torch.eye(3, dtype=torch.float64)).abs().max())
        if off > _ROUNDING or float(torch.linalg.det(rotation)) < 0:
            raise DataError(
                f"the camera of {name} is no rotation and position (its rotation is off by {off:.3g}, determinant "
                f"{float(torch.linalg.det(rotation)):.3g}); expected an orthonormal transform_matrix of determinant 1."
            )


def _behind(views: Views) -> Behind:
    """What pixels show where the scene is not, judged by coverage, else by the pictures' borders."""
    if views.pictures.shape[3] == 4:
        return "transparent"
    edge = views.pictures[:, [0, -1]].float().reshape(-1, 3).mean(-1)
    if float((edge > 250).float().mean()) > 0.7:
        return "white"
    return "black" if float((edge < 5).float().mean()) > 0.7 else "scene"

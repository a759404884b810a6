"""What lies beside an EditNeRF checkpoint: the run's options, and its training cameras `poses.npy` and `hwfs.npy`.

The official training leaves all of it in the run's folder, and the published weights come with it. `poses.npy` holds
cam2world matrices with OpenGL axes [N, 4, 4], instance after instance; `hwfs.npy` height, width and focal length in
pixels [N, 3].
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..base import Pose
from ..editnerf_setting import DATA_SETS, USUAL, EditNeRFSetting
from ..errors import CheckpointError
from .cameras import first_view
from .transforms_json import plain

_OPTIONS = ("args.txt", "config.txt")
_LONGEST_OPTIONS = 1 << 16
_POSES, _SIZES = "poses.npy", "hwfs.npy"
_LARGEST_ARRAY = 64 << 20
_MOST_POSES = 100
_HALF_PICTURES = 10.0  # a focal length below this is in half pictures of a 200 pixel crop to 128, not in pixels


def find_setting(checkpoint: Path, instances: int) -> EditNeRFSetting:
    """The setting of a checkpoint: of what lies beside it (or one folder up), else of what its path is called.

    Args:
        checkpoint: path of the file.
        instances: how many instances it knows, among which the cameras are divided evenly.

    Raises:
        CheckpointError: a file beside it is damaged or says something impossible.
    """
    folder = checkpoint.resolve().parent
    options = _options(folder) or _options(folder.parent)
    words = f"{options.get('datadir', '')}/{options.get('expname', '')}/{'/'.join(checkpoint.resolve().parts[-3:])}"
    setting = DATA_SETS[next((name for name in DATA_SETS if name in words.lower()), USUAL)]
    volume = setting.volume
    near = _number(options, "blender_near", volume.near, 0.0, 1e4)
    far = _number(options, "blender_far", volume.far, 1e-3, 1e5)
    if near >= far:
        raise CheckpointError(f"blender_near is {near:g} and blender_far {far:g}; expected a near before the far end.")
    volume = replace(
        volume,
        near=near,
        far=far,
        coarse=int(_number(options, "n_samples", volume.coarse, 4, 1024)),
        fine=int(_number(options, "n_importance", volume.fine, 0, 1024)),
        white_background=options.get("white_bkgd", "True") == "True",
    )
    poses = _poses(folder, instances)
    camera = first_view(poses, setting.camera) if poses else setting.camera
    return replace(setting, camera=camera, volume=volume, poses=poses)


def _options(folder: Path) -> dict[str, str]:
    """`name = value` lines as text, names in lower case; empty when there is no such file of EditNeRF's."""
    for name in _OPTIONS:
        try:
            with open(folder / name, encoding="utf-8", errors="replace") as file:
                lines = file.read(_LONGEST_OPTIONS).splitlines()
        except OSError:
            continue
        pairs = (line.partition("=") for line in lines if "=" in line)
        options = {key.strip().lower(): value.strip() for key, _, value in pairs}
        if "style_dim" in options:  # another program's config.txt has none
            return options
    return {}


def _number(options: dict[str, str], name: str, usual: float | None, low: float, high: float) -> float:
    text = options.get(name, str(usual))
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not low <= number <= high:
        raise CheckpointError(f"{name} is {text[:40]!r} beside the checkpoint; expected {low:g} to {high:g}.")
    return number


def _poses(folder: Path, instances: int) -> tuple[Pose, ...]:
    """The cameras that took the first instance; with one picture each, those of the first instances."""
    if not ((folder / _POSES).is_file() and (folder / _SIZES).is_file()):
        return ()
    matrices, sizes = _array(folder / _POSES, (4, 4)), _array(folder / _SIZES, (3,))
    if len(matrices) != len(sizes):
        raise CheckpointError(f"{_POSES} has {len(matrices)} cameras and {_SIZES} {len(sizes)}; expected as many.")
    each = len(matrices) // max(instances, 1)
    count = min(each if each > 1 else len(matrices), _MOST_POSES)
    return tuple(_pose(index, matrices[index], sizes[index]) for index in range(count))


def _pose(index: int, matrix: np.ndarray, size: np.ndarray) -> Pose:
    height, width, focal = (float(value) for value in size)
    if min(height, width, focal) <= 0 or abs(np.linalg.det(matrix[:3, :3])) < 1e-9:
        raise CheckpointError(f"camera {index} beside the checkpoint has no size or no rotation; repair or remove it.")
    across, down = focal / width, focal / height
    if focal < _HALF_PICTURES:
        across = down = 0.5 * focal * 200.0 / 128.0
    lens = ((across, 0.0, 0.5), (0.0, down, 0.5), (0.0, 0.0, 1.0))
    return Pose(f"{index:03d}", plain(matrix @ np.diag([1.0, -1.0, -1.0, 1.0])), lens)


def _array(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """[N, *shape] finite numbers, N at least 1."""
    try:
        if path.stat().st_size > _LARGEST_ARRAY:
            raise CheckpointError(f"{path.name} has more than {_LARGEST_ARRAY} bytes; refused.")
        array = np.load(path, allow_pickle=False)
    except OSError as error:
        raise CheckpointError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    except (ValueError, EOFError, SyntaxError, RecursionError, MemoryError) as error:
        raise CheckpointError(
            f"{path.name} is not a readable array ({str(error)[:80]}); repair or remove it."
        ) from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu" or array.shape[1:] != shape or not len(array):
        raise CheckpointError(f"{path.name} has shape {list(array.shape)}, expected [any, {str(shape)[1:-1]}] numbers.")
    array = array.astype(np.float64)
    if not (np.abs(array) < 1e9).all():
        raise CheckpointError(f"{path.name} holds numbers that are not finite; repair or remove it.")
    return array

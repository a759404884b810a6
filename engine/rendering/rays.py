"""From a camera to rays, and from rays to the stretch of each that is worth sampling."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ...models.base import CameraDefaults, PixelConvention, VolumeSettings

Bounds = tuple[tuple[float, float, float], tuple[float, float, float]]

# Stands in for a direction component of exactly 0, whose reciprocal would make 0 * inf = nan on the box's faces.
_PARALLEL = 1e-12
# Where sampling starts at the least, and what it spans at the least, as a part of the usual span.
_NEAREST = 1e-3


def pixel_positions(size: int, convention: PixelConvention, device: torch.device | str = "cpu") -> Tensor:
    """Where each of `size` pixels lies along its side of the picture: `[size]`, 0 at one edge and 1 at the other.

    'centre' (i + 1/2) / size (EG3D), 'corner' i / size (NeRF), 'inclusive' i / (size - 1) (pi-GAN).
    """
    index = torch.arange(size, dtype=torch.float32, device=device)
    match convention:
        case "centre":
            return (index + 0.5) / size
        case "corner":
            return index / size
        case "inclusive":
            return index / max(size - 1, 1)
    raise ValueError(f"pixel convention is {convention!r}; expected 'centre', 'corner' or 'inclusive'")


def picture_positions(height: int, width: int, volume: VolumeSettings, device: torch.device | str = "cpu") -> Tensor:
    """Where the rays of a picture pass, row by row: [height * width, 2], across and down, 0..1 from edge to edge."""
    v, u = torch.meshgrid(
        pixel_positions(height, volume.pixels, device), pixel_positions(width, volume.pixels, device), indexing="ij"
    )  # [height, width]
    return volume.pixel_stretch * torch.stack([u, v], dim=-1).reshape(-1, 2)


def camera_rays(
    cam2world: Tensor | np.ndarray,
    intrinsics: Tensor | np.ndarray,
    height: int,
    width: int,
    volume: VolumeSettings,
    device: torch.device | str = "cpu",
) -> tuple[Tensor, Tensor]:
    """One ray a pixel, row by row: r(t) = o + t d (NeRF, section 4).

    Args:
        cam2world: [4, 4] with OpenCV axes: x right, y down, z forward.
        intrinsics: [3, 3] in units of the picture's width (first row) and height (second row); a skew is honoured.
        height: rows of the picture.
        width: columns of the picture.
        volume: says where in a pixel the ray passes and whether directions have length 1.
        device: where the rays are wanted.

    Returns:
        origins [height * width, 3] in world units, and directions [height * width, 3]: of length 1 with `unit_rays`,
        else of depth 1 along the optical axis. Both carry gradients to matrices that ask for them.

    Raises:
        ValueError: a matrix has another shape, or the picture has no pixels.
    """
    pose = _matrix(cam2world, 4, "cam2world", device)
    lens = _matrix(intrinsics, 3, "intrinsics", device)
    if height < 1 or width < 1:
        raise ValueError(f"the picture is {height} x {width} pixels; expected at least 1 x 1")
    u, v = picture_positions(height, width, volume, device).unbind(dim=-1)
    y = (v - lens[1, 2]) / lens[1, 1]
    x = (u - lens[0, 2] - lens[0, 1] * y) / lens[0, 0]
    in_camera = torch.stack([x, y, torch.ones_like(x)], dim=-1).reshape(-1, 3)  # [N, 3]
    directions = in_camera @ pose[:3, :3].T  # [N, 3]
    if volume.unit_rays:
        directions = torch.nn.functional.normalize(directions, dim=-1)
    return pose[:3, 3].expand_as(directions), directions


def ray_basis(
    pose: np.ndarray, lens: np.ndarray, height: int, width: int, pixels: PixelConvention, stretch: float = 1.0
) -> np.ndarray:
    """[3, 3] rows d0, du, dv: the pixel in row i and column j looks along d0 + j du + i dv, of depth 1.

    What `camera_rays` gives before it normalises, for kernels that make their own rays.
    """
    first = 0.5 if pixels == "centre" else 0.0
    across = max(width - 1, 1) if pixels == "inclusive" else width
    down = max(height - 1, 1) if pixels == "inclusive" else height
    inverse = np.linalg.inv(lens) @ np.diag([stretch, stretch, 1.0])
    start = inverse @ np.array([first / across, first / down, 1.0])
    columns = np.stack([start, inverse[:, 0] / across, inverse[:, 1] / down])
    return np.ascontiguousarray(columns @ pose[:3, :3].T, dtype=np.float32)


def box_limits(origins: Tensor, directions: Tensor, bounds: Bounds) -> tuple[Tensor, Tensor, Tensor]:
    """Where rays enter and leave an axis-aligned box, by the slab method.

    Args:
        origins: [N, 3]
        directions: [N, 3], of any length; the limits are multiples of it.
        bounds: lowest and highest corner.

    Returns:
        near [N] (0 for a ray that starts inside), far [N], and hit [N] bool; where it is False the limits mean nothing.
    """
    lowest = torch.tensor(bounds[0], dtype=origins.dtype, device=origins.device)
    highest = torch.tensor(bounds[1], dtype=origins.dtype, device=origins.device)
    inverse = 1.0 / torch.where(directions.abs() < _PARALLEL, torch.full_like(directions, _PARALLEL), directions)
    a, b = (lowest - origins) * inverse, (highest - origins) * inverse  # [N, 3]
    near = torch.minimum(a, b).amax(dim=-1)
    far = torch.maximum(a, b).amin(dim=-1)
    # The official code lets `near` be negative and so composites what lies behind a camera inside the box.
    near = near.clamp_min(0.0)
    return near, far, far > near


def ray_limits(origins: Tensor, directions: Tensor, volume: VolumeSettings, bounds: Bounds) -> tuple[Tensor, Tensor]:
    """The stretch of each ray to sample: near [N] and far [N], as multiples of the direction.

    With `near` and `far` None it is what lies inside `bounds`. Rays that miss the box take the nearest and the
    farthest *entry* of all the others, as in EG3D, so all rays of a picture must be given together; if every ray
    misses, both limits are 0.
    """
    near = origins.new_full(origins.shape[:1], 0.0 if volume.near is None else volume.near)
    far = origins.new_full(origins.shape[:1], 0.0 if volume.far is None else volume.far)
    if volume.near is not None and volume.far is not None:
        return near, far
    entry, leave, hit = box_limits(origins, directions, bounds)
    if bool(hit.any()):
        first, last = entry[hit].min(), entry[hit].max()
        entry, leave = torch.where(hit, entry, first), torch.where(hit, leave, last)
    else:
        entry, leave = torch.zeros_like(entry), torch.zeros_like(leave)
    return (entry if volume.near is None else near), (leave if volume.far is None else far)


def volume_from(volume: VolumeSettings, cam2world: Tensor | np.ndarray, defaults: CameraDefaults) -> VolumeSettings:
    """The settings for a camera that may have left its family's usual distance: `near` and `far` move along with it.

    Official limits fit the training cameras; a camera brought closer would see nothing but what lies behind the
    object. At the usual distance from the pivot (to 0.1 %) and where limits are None, the settings come back as given.

    Args:
        volume: the family's settings.
        cam2world: [4, 4]
        defaults: the family's usual camera.
    """
    if volume.near is None or volume.far is None:
        return volume
    position = np.asarray(cam2world.detach().cpu() if isinstance(cam2world, Tensor) else cam2world)[:3, 3]
    away = float(np.linalg.norm(position - np.array(defaults.pivot))) - defaults.radius
    if abs(away) <= 1e-3 * defaults.radius:
        return volume
    span = volume.far - volume.near
    near = max(volume.near + away, _NEAREST * span)
    return replace(volume, near=near, far=max(volume.far + away, near + _NEAREST * span))


def _matrix(values: Tensor | np.ndarray, side: int, name: str, device: torch.device | str) -> Tensor:
    matrix = torch.as_tensor(values, dtype=torch.float32, device=device)
    if matrix.shape != (side, side):
        raise ValueError(f"{name} has shape {tuple(matrix.shape)}; expected [{side}, {side}]")
    return matrix

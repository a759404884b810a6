"""`FirstGuess`: who and from where, read off a small picture by a small network, so that an inversion starts near.

    (w, camera) = MLP(convolutions(1 - x))

x are the pixels of the photo at 64 x 64. An encoder in the sense of Zhu et al. 2016, small enough to be trained in
minutes on one core (`engine/training/heads_guess.py`). Generators that have none start from a search over views and
seeds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from ...models.base import CameraDefaults, Generator
from ..state import Camera
from .camera_fit import Start, shifted
from .errors import EditError
from .photo import Photo

KIND = "first guess"
SIDE = 64
"""Of the picture that is looked at, pixels."""
POSE = 7
"""Numbers about the camera: sine and cosine of the yaw, pitch, roll, logarithm of the zoom, shift across and down."""
NAMES = ("code_mean", "code_basis", "pose_scale")
MOST_BYTES = 4 << 20


@dataclass(frozen=True)
class FirstGuess:
    """A regression from small pictures to codes and camera, of one generator."""

    tensors: dict[str, Tensor]
    """`NAMES`, and 'weight' and 'bias' of 'convolution.N' and 'linear.N'; the last one gives the coefficients of
    code_basis [K, L or 1, W], then the pose in units of pose_scale [7]."""
    fingerprint: str = ""
    """Of the generator's weights."""

    @torch.no_grad()
    def __call__(self, photo: Photo, defaults: CameraDefaults, layers: int) -> Start:
        """The guess for a photo, framed and before the generator's own backdrop.

        Args:
            photo: square.
            defaults: the generator's camera.
            layers: of its codes.
        """
        found = self.tensors
        numbers = self.numbers(photo.resized(SIDE).cpu()[None])[0]
        coefficients, pose = numbers[:-POSE], (numbers[-POSE:] * found["pose_scale"]).tolist()
        codes = found["code_mean"] + torch.tensordot(coefficients, found["code_basis"], 1)
        sine, cosine, pitch, roll, zoom, across, down = pose
        low, high = defaults.yaw_range
        camera = Camera(
            yaw=min(max(math.atan2(sine, cosine), low), high),
            pitch=min(max(pitch, defaults.pitch_range[0]), defaults.pitch_range[1]),
            roll=roll,
            radius=defaults.radius,
            fov=2 * math.atan(math.tan(0.5 * defaults.fov) / math.exp(min(max(zoom, -0.2), 0.2))),
            pivot=defaults.pivot,
        )
        camera = shifted(camera, defaults, across, down)
        return Start(camera, codes.expand(layers, -1).clone().to(photo.rgb), math.nan)

    def numbers(self, x: Tensor) -> Tensor:
        """The network: pictures [N, 3, 64, 64] in 0..1 to [N, K + 7]; differentiable."""
        x = 1 - x  # a white backdrop is nothing, beyond the picture's edge as well
        for index in range(self._depth("convolution")):
            weight = self.tensors[f"convolution.{index}.weight"]
            bias = self.tensors[f"convolution.{index}.bias"]
            x = F.silu(F.conv2d(x, weight, bias, stride=2, padding=weight.shape[-1] // 2))
        x = x.flatten(1)
        for index in range(depth := self._depth("linear")):
            x = F.linear(x, self.tensors[f"linear.{index}.weight"], self.tensors[f"linear.{index}.bias"])
            x = F.silu(x) if index < depth - 1 else x
        return x

    def _depth(self, kind: str) -> int:
        return sum(name.startswith(kind) and name.endswith(".weight") for name in self.tensors)

    def write(self, path: Path) -> None:
        """Stores it in half precision."""
        save_file(
            {name: value.detach().half().contiguous() for name, value in self.tensors.items()},
            path,
            {"kind": KIND, "fingerprint": self.fingerprint},
        )

    @staticmethod
    def read(path: Path) -> FirstGuess:
        """What `write` stored.

        Raises:
            EditError: no such file, or one that holds something else.
        """
        try:
            if path.stat().st_size > MOST_BYTES:
                raise ValueError(f"it has {path.stat().st_size >> 20} MB, expected less than 4")
            with safe_open(path, framework="pt") as file:
                about = file.metadata() or {}
                if about.get("kind") != KIND:
                    raise ValueError(f"it is a {about.get('kind')!r:.40}")
                tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 - no mapping
            if any(name not in tensors for name in NAMES):
                raise ValueError("it was made by another version of neuroview")
            found = FirstGuess(tensors, about.get("fingerprint", ""))
            numbers = found.numbers(torch.zeros(1, 3, SIDE, SIDE)).shape[1]
            if numbers != len(tensors["code_basis"]) + POSE or tensors["pose_scale"].shape != (POSE,):
                raise ValueError("tensors do not fit each other")
            return found
        except (OSError, SafetensorError, KeyError, ValueError, IndexError, RuntimeError) as error:
            raise EditError(
                f"{path.name} holds no first guess ({error}). Remove it; inversions will search instead."
            ) from error


def guess_of(generator: Generator, folder: Path | None = None) -> FirstGuess | None:
    """The first guess that ships for a generator's weights; None: none does.

    Args:
        generator: with latents.
        folder: where to look; None: the package's own.
    """
    folder = folder if folder is not None else Path(str(resources.files("neuroview.assets"))) / "guesses"
    shape = tuple(generator.codes(0).shape)
    for path in sorted(folder.glob("*.safetensors")):
        try:
            found = FirstGuess.read(path)
        except EditError:
            continue  # a damaged one costs a search, no more
        basis = found.tensors["code_basis"]
        if (
            found.fingerprint == generator.card.fingerprint
            and basis.shape[1] in (1, shape[0])
            and basis.shape[2] == shape[1]
        ):
            return found
    return None

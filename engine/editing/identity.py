"""`Identity`: somebody who is not a seed: the codes, and the bent generator, that an inverted photo left behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..state import Camera, StateError, ViewState
from .errors import EditError
from .side_files import SideFiles

KIND = "identity"


@dataclass(frozen=True)
class Identity:
    """What takes seed A's place (`Latents.identity`)."""

    codes: Tensor
    """[L, W], absolute: truncation does not apply to them."""
    parameters: Mapping[str, Tensor] = field(default_factory=dict)
    """Deltas of the generator's own tensors by name, fp16 (pivotal tuning); empty: the generator as it is."""
    camera: Camera = field(default_factory=Camera)
    """From where the photo was taken."""
    quality: float = float("nan")
    """PSNR of the picture against the photo, dB."""
    title: str = ""
    """What a person calls it: the photo's file name."""
    fingerprint: str = ""
    """Of the weights that it was made with."""

    def store(self, files: SideFiles, *, write: bool = True) -> str:
        """Puts it into a side file; returns the name for `Latents.identity`.

        Raises:
            EditError: the file cannot be written.
        """
        tensors = {"codes": self.codes.detach().float()}
        tensors |= {f"parameters.{name}": delta.half() for name, delta in self.parameters.items()}
        about = {
            "camera": ViewState(camera=self.camera).to_json(),
            "quality": repr(float(self.quality)),
            "title": self.title,
            "fingerprint": self.fingerprint,
        }
        return files.put(tensors, KIND, about, write=write)

    @staticmethod
    def load(files: SideFiles, name: str, device: torch.device | str = "cpu") -> Identity:
        """What `store` put away under that name.

        Raises:
            EditError: the file is missing, damaged, of another kind, or of another version.
        """
        tensors, about = files.get(name, KIND)
        head = "parameters."
        try:
            codes = tensors["codes"].to(device)
            if codes.ndim != 2:
                raise ValueError(f"codes of {tuple(codes.shape)}")
            camera = ViewState.from_json(about["camera"]).camera
            quality = float(about["quality"])
        except (KeyError, TypeError, ValueError, StateError) as error:
            raise EditError(
                f"The identity {name[:12]} was made by another version of neuroview ({error}). Update neuroview, or "
                "reset the identity."
            ) from error
        parameters = {key[len(head) :]: value.to(device) for key, value in tensors.items() if key.startswith(head)}
        return Identity(codes, parameters, camera, quality, about.get("title", ""), about.get("fingerprint", ""))


def identity_codes(files: SideFiles, name: str, device: torch.device | str = "cpu") -> Tensor:
    """Codes [L, W] of a stored identity; see `Identity.load` for errors."""
    return Identity.load(files, name, device).codes


def identity_parameters(files: SideFiles, name: str, device: torch.device | str = "cpu") -> Mapping[str, Tensor]:
    """Deltas of a stored identity for `pivotal.tuned`; see `Identity.load` for errors."""
    return Identity.load(files, name, device).parameters

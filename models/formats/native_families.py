"""How each family is written into our own form and read back from it: its tensors, and all else as plain JSON.

EG3D's is in `native.py`, since training writes it too. A family that has no entry here cannot be converted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from ..base import CameraDefaults, Generator, ModelCard, Pose, VolumeSettings
from ..errors import CheckpointError
from ..graf import GRAFLayout, GRAFNetwork
from ..graf_generator import GRAFGenerator
from ..graf_setting import GRAFSetting
from ..nerf import Bounds, NeRFLayout, NeRFNetwork
from ..nerf_generator import NeRFGenerator
from ..nerf_ndc import NDC
from ..nerf_posed import PosedNeRF, Setting
from ..pigan import PiGANLayout, PiGANNetwork
from ..pigan_generator import PiGANGenerator, PiGANOptions
from ..pigan_presets import PiGANPreset
from ..scene_generator import SceneGenerator
from ..stylenerf import StyleNeRFNetwork
from ..stylenerf_config import StyleNeRFConfig
from ..stylenerf_generator import StyleNeRFGenerator
from ..weights import filled
from .plain_json import from_plain, to_plain

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Native:
    """A generator taken apart."""

    family: str
    tensors: dict[str, Tensor]
    config: dict[str, Any]
    camera: CameraDefaults | None = None
    """None: the configuration implies it."""


@dataclass(frozen=True)
class NativeFamily:
    """One family's way into our form and back."""

    kind: type
    """Class of its generators."""
    take_apart: Callable[[Any], Native]
    put_together: Callable[[Tensors, Any, CameraDefaults | None, ModelCard], Generator]
    """From tensors, configuration, camera and card; raises CheckpointError where they do not fit."""


@dataclass(frozen=True)
class NeRFForm:
    """The configuration of a NeRF of one scene."""

    coarse: NeRFLayout
    fine: NeRFLayout | None
    volume: VolumeSettings
    bounds: Bounds
    resolution: int
    ndc: NDC | None = None
    poses: tuple[PoseForm, ...] = ()


@dataclass(frozen=True)
class PoseForm:
    """`base.Pose`, which is a tuple, with its names."""

    name: str
    cam2world: tuple[tuple[float, ...], ...]
    intrinsics: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class PiGANForm:
    """The configuration of a pi-GAN."""

    layout: PiGANLayout
    options: PiGANOptions
    own: PiGANPreset | None = None


@dataclass(frozen=True)
class GRAFForm:
    """The configuration of a GRAF."""

    layout: GRAFLayout
    fine: bool
    setting: GRAFSetting


def _nerf_apart(generator: NeRFGenerator) -> Native:
    fine = generator.fine
    poses = getattr(generator, "poses", ())
    form = NeRFForm(
        generator.coarse.layout,
        None if fine is None else fine.layout,
        generator.volume,
        generator.bounds,
        generator.resolution,
        getattr(generator, "ndc", None),
        tuple(PoseForm(*pose) for pose in poses),
    )
    tensors = _prefixed("coarse.", generator.coarse) | ({} if fine is None else _prefixed("fine.", fine))
    return Native("nerf", tensors, to_plain(form), generator.camera)


def checked_poses(forms: Sequence[PoseForm]) -> tuple[Pose, ...]:
    """Poses as they were written.

    Raises:
        CheckpointError: a matrix has another shape.
    """
    for pose in forms:
        if [len(row) for row in pose.cam2world] != [4] * 4 or [len(row) for row in pose.intrinsics] != [3] * 3:
            raise CheckpointError(f"pose {pose.name[:80]!r} is no 4 x 4 and 3 x 3 matrix; convert the file again")
    return tuple(Pose(pose.name, pose.cam2world, pose.intrinsics) for pose in forms)


def _nerf_together(tensors: Tensors, config: Any, camera: CameraDefaults | None, card: ModelCard) -> Generator:
    form = from_plain(NeRFForm, config, "config")
    coarse = filled(lambda: NeRFNetwork(form.coarse), _part(tensors, "coarse."))
    layout = form.fine
    fine = None if layout is None else filled(lambda: NeRFNetwork(layout), _part(tensors, "fine."))
    if camera is None:
        raise CheckpointError("the description of this NeRF has no camera; convert it again")
    made = PosedNeRF(coarse, fine, card, Setting(camera, form.volume, form.bounds, form.ndc, checked_poses(form.poses)))
    made.resolution = form.resolution
    return made


def _pigan_apart(generator: PiGANGenerator) -> Native:
    tensors: dict[str, Tensor] = {}
    for name, network in generator.networks.items():
        tensors |= _prefixed(f"{name}.", network)
    tensors["average"] = generator.average_codes()
    return Native("pigan", tensors, to_plain(PiGANForm(generator.layout, generator.options, generator.own)))


def _pigan_together(tensors: Tensors, config: Any, camera: CameraDefaults | None, card: ModelCard) -> Generator:
    form = from_plain(PiGANForm, config, "config")
    networks = {}
    for name in ("raw", "ema"):
        part = _part(tensors, f"{name}.")
        if part:
            networks[name] = filled(lambda: PiGANNetwork(form.layout), part)
    average = tensors.get("average")
    if average is not None and tuple(average.shape) != (form.layout.layers, 2 * form.layout.width):
        expected = (form.layout.layers, 2 * form.layout.width)
        raise CheckpointError(f"tensor 'average' has shape {tuple(average.shape)}, expected {expected}")
    try:
        return PiGANGenerator(networks, card, form.options, stored_average=average, own=form.own)
    except ValueError as error:
        raise CheckpointError(str(error)) from error


def _stylenerf_apart(generator: StyleNeRFGenerator) -> Native:
    network = generator.network
    return Native("stylenerf", _prefixed("", network), network.config.to_dict(), generator.camera)


def _stylenerf_together(tensors: Tensors, config: Any, camera: CameraDefaults | None, card: ModelCard) -> Generator:
    made = StyleNeRFConfig.from_dict(config)
    return StyleNeRFGenerator(filled(lambda: StyleNeRFNetwork(made), tensors), card, camera=camera)


def _graf_apart(generator: GRAFGenerator) -> Native:
    fine = generator.fine
    tensors = _prefixed("coarse.", generator.network) | ({} if fine is None else _prefixed("fine.", fine))
    form = GRAFForm(generator.network.layout, fine is not None, generator.setting)
    return Native("graf", tensors, to_plain(form))


def _graf_together(tensors: Tensors, config: Any, camera: CameraDefaults | None, card: ModelCard) -> Generator:
    form = from_plain(GRAFForm, config, "config")
    coarse = filled(lambda: GRAFNetwork(form.layout), _part(tensors, "coarse."))
    fine = filled(lambda: GRAFNetwork(form.layout), _part(tensors, "fine.")) if form.fine else None
    return GRAFGenerator(coarse, fine, card, form.setting)


def _hashgrid_apart(generator: SceneGenerator) -> Native:
    from .native_hashgrid import take_apart

    return take_apart(generator)


def _hashgrid_together(tensors: Tensors, config: Any, camera: CameraDefaults | None, card: ModelCard) -> Generator:
    from .native_hashgrid import put_together

    return put_together(tensors, config, camera, card)


FAMILIES: dict[str, NativeFamily] = {
    "nerf": NativeFamily(NeRFGenerator, _nerf_apart, _nerf_together),
    "pigan": NativeFamily(PiGANGenerator, _pigan_apart, _pigan_together),
    "stylenerf": NativeFamily(StyleNeRFGenerator, _stylenerf_apart, _stylenerf_together),
    "graf": NativeFamily(GRAFGenerator, _graf_apart, _graf_together),
    "hashgrid": NativeFamily(SceneGenerator, _hashgrid_apart, _hashgrid_together),
}


def take_apart(generator: Generator) -> Native:
    """What our form stores of a generator.

    Raises:
        CheckpointError: its family has no such form.
    """
    for family in FAMILIES.values():
        if isinstance(generator, family.kind):
            return family.take_apart(generator)
    raise CheckpointError(
        f"{generator.card.title} cannot be converted: there is no native form for family {generator.card.family!r}; "
        f"there is one for eg3d, {', '.join(FAMILIES)}. Open the file as it is instead."
    )


def put_together(
    family: str, tensors: Tensors, config: Any, camera: CameraDefaults | None, card: ModelCard
) -> Generator:
    """The generator that `take_apart` took apart.

    Raises:
        CheckpointError: tensors are missing or do not fit the configuration, or the configuration is impossible.
    """
    shown = config if isinstance(config, dict) else {}
    return FAMILIES[family].put_together(tensors, config, camera, replace(card, configuration=shown))


def _prefixed(prefix: str, network: nn.Module) -> dict[str, Tensor]:
    return {prefix + name: tensor.detach().cpu() for name, tensor in network.state_dict().items()}


def _part(tensors: Tensors, prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}

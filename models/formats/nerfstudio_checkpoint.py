"""Reads checkpoints of nerfstudio: `step-NNNNNNNNN.ckpt` of its methods `nerfacto` and `vanilla-nerf`.

Such a file is a `torch.save` of `{step, pipeline, optimizers, schedulers, scalers}`; the model's tensors are those of
`pipeline` whose names begin with `_model.`. Beside it or one folder above lie `config.yml`, which is read inertly, and
`dataparser_transforms.json`; `transforms.json` lies with the data, and is honoured when it was put there too.

No checkpoint written by nerfstudio itself was at hand when this was made: it follows the published code, and the tests
write their own files.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ..base import CameraDefaults, Generator, ModelCard, VolumeSettings
from ..cards import camera_facts
from ..errors import CheckpointError
from ..hashgrid_field import Dense
from ..nerf_generator import BLENDER_BOUNDS, BLENDER_CAMERA
from ..nerfstudio_vanilla import VanillaField
from ..scene_generator import MovableField, SceneGenerator
from ..unpickle import Limits, unpickle
from .cameras import find_cameras, first_view
from .nerfstudio_config import config_beside, model_settings, number
from .nerfstudio_nerfacto import nerfacto_field, proposal_field
from .state_dicts import checked_tensor, layer_count, linear_layers, wanted

LIMITS = Limits(file_bytes=4 << 30)
_HEAD = 1 << 16
_MODEL = "_model."
# nerfstudio moves captures so that the cameras lie in a cube of side 2 around the origin, z up.
CAPTURE_CAMERA = CameraDefaults(
    radius=1.0, fov=0.9, up="z", pitch=math.radians(20.0), pitch_range=(-1.5, 1.5), radius_range=(0.05, 6.0)
)


def sniff(path: Path | str) -> bool:
    """Whether a file looks like such a checkpoint, by its bytes and never by its name; nothing is unpickled."""
    with open(path, "rb") as file:
        head = file.read(_HEAD)
    return head.startswith(b"PK\x03\x04") and b"pipeline" in head and _MODEL.encode() in head


def open_generator(path: Path | str) -> Generator:
    """Opens a checkpoint for viewing.

    Raises:
        CheckpointError: no such file, damaged, of another method, or with tensors that are missing or do not fit; or a
            file beside it is damaged.
        UnsafePickle: it names code; nothing was run.
    """
    path = Path(path)
    contents = unpickle(path, {}, LIMITS)
    pipeline = contents.get("pipeline") if isinstance(contents, Mapping) else None
    if not isinstance(pipeline, Mapping):
        raise CheckpointError(f"{path.name} has no 'pipeline'; expected a checkpoint of nerfstudio.")
    tensors = {
        name.replace("module.", "").removeprefix(_MODEL): tensor  # as nerfstudio loads those of several GPUs
        for name, tensor in pipeline.items()
        if isinstance(name, str) and name.startswith(_MODEL) and isinstance(tensor, Tensor)
    }
    config = config_beside(path)
    settings = model_settings(config)
    cameras = find_cameras(path)
    poses = () if cameras is None else cameras.poses
    if any(name.startswith("field_fine.") for name in tensors):
        method, made = "vanilla-nerf", _vanilla(tensors, settings, path.name)
        camera = first_view(poses, BLENDER_CAMERA) if poses else BLENDER_CAMERA
    elif any(name.startswith("field.mlp_base") for name in tensors):
        method, made = "nerfacto", _nerfacto(tensors, settings, path.name)
        camera = first_view(poses, CAPTURE_CAMERA) if poses else CAPTURE_CAMERA
    else:
        found = ", ".join(sorted({name.split(".")[0] for name in tensors})[:6]) or "nothing"
        raise CheckpointError(f"{path.name} has a model of {found}; only 'nerfacto' and 'vanilla-nerf' are read.")
    field, proposal, volume = made
    name = str(config.get("experiment_name") or path.resolve().parent.parent.name or path.stem)[:200]
    step = contents.get("step")
    card = ModelCard(
        name=name,
        family=method,
        title=f"{name} (nerfstudio {method})",
        summary=f"One scene, {len(poses) or 'no'} training cameras known.",
        fingerprint=hashlib.sha256(path.read_bytes()).hexdigest(),
        configuration={"method": method, "config.yml": bool(config)},
        training={**({"iterations": step} if isinstance(step, int) else {}), **camera_facts(camera)},
    )
    return SceneGenerator(field, proposal, volume, card, camera, poses)


_Made = tuple[MovableField, MovableField | None, VolumeSettings]


def _nerfacto(tensors: Mapping[str, Tensor], settings: Mapping[str, Any], name: str) -> _Made:
    field = nerfacto_field(_part(tensors, "field.", name), settings, f"{name}: _model.field")
    proposals = _part(tensors, "proposal_networks.", name)
    proposal = proposal_field(proposals, settings, field, f"{name}: _model.proposal_networks")
    background = settings.get("background_color", "last_sample")
    coarse = settings.get("num_proposal_samples_per_ray")
    first = coarse[0] if isinstance(coarse, list) and coarse else 256
    volume = VolumeSettings(
        near=number(settings, "near_plane", 0.05, 1e-4, 1e3),
        far=None,  # the box ends long before nerfstudio's 1000, see nerfstudio_nerfacto.REACH
        coarse=int(number({"samples": first}, "samples", 256, 8, 1024)),
        fine=int(number(settings, "num_nerf_samples_per_ray", 48, 0, 1024)),
        activation="exp",
        quadrature="left",
        sampler="nerf",
        last_interval=0.0,
        opaque_end=background == "last_sample",
        white_background=background == "white",
    )
    return field, proposal, volume


def _vanilla(tensors: Mapping[str, Tensor], settings: Mapping[str, Any], name: str) -> _Made:
    planes = settings.get("collider_params")
    planes = planes if isinstance(planes, Mapping) else {}
    near = number(planes, "near_plane", 2.0, 0.0, 1e6)
    far = number(planes, "far_plane", 6.0, near, 1e6)
    coarse = int(number(settings, "num_coarse_samples", 64, 4, 1024))
    step = (far - near) / coarse
    volume = VolumeSettings(
        # nerfstudio samples the centres of equal bins, and gives each sample its bin's length.
        near=near + 0.5 * step,
        far=far - 0.5 * step,
        coarse=coarse,
        fine=int(number(settings, "num_importance_samples", 128, 0, 1024)),
        activation="softplus",
        quadrature="left",
        sampler="nerf",
        white_background=settings.get("background_color", "white") == "white",
        last_interval=step,
    )
    fine = _vanilla_field(_part(tensors, "field_fine.", name), f"{name}: _model.field_fine")
    coarse_tensors = _part(tensors, "field_coarse.", name)
    return fine, _vanilla_field(coarse_tensors, f"{name}: _model.field_coarse"), volume


def _vanilla_field(state: Mapping[str, Tensor], where: str) -> VanillaField:
    """A field from tensors whose names have lost their prefix; sizes are the tensors'."""
    width, point = wanted(state, "mlp_base.layers.0.weight", (None, None), where).shape
    trunk: list[Dense] = []
    for index in range(layer_count(state, "mlp_base.layers")):
        key = f"mlp_base.layers.{index}.weight"
        inputs = point if index == 0 else width
        given = wanted(state, key, (width, None), where)
        # A layer that reads the encoded point again is wider than the one before it.
        weight = given if given.shape[1] == inputs + point and index else wanted(state, key, (width, inputs), where)
        trunk.append(Dense(weight.T.contiguous(), wanted(state, f"mlp_base.layers.{index}.bias", (width,), where)))
    density = linear_layers({**_renamed(state, "field_output_density.net")}, "net", width, where)
    if len(density[0][0]) != 1:
        raise CheckpointError(f"{where}: 'field_output_density.net.weight' has {len(density[0][0])} rows, expected 1.")
    head = linear_layers(state, "mlp_head.layers", None, where)
    direction = head[0][0].shape[1] - width
    for size, key in ((point, "mlp_base.layers.0.weight"), (direction, "mlp_head.layers.0.weight")):
        if size < 9 or (size - 3) % 6:
            raise CheckpointError(
                f"{where}: '{key}' leaves {size} inputs for an encoding, expected 3 and 6 a frequency."
            )
    colour = wanted(state, "field_heads.0.net.weight", (3, len(head[-1][0])), where)
    return VanillaField(
        trunk,
        Dense(density[0][0].T.contiguous(), density[0][1]),
        [Dense(weight.T.contiguous(), bias) for weight, bias in head],
        Dense(colour.T.contiguous(), wanted(state, "field_heads.0.net.bias", (3,), where)),
        BLENDER_BOUNDS,
    )


def _renamed(state: Mapping[str, Tensor], layer: str) -> dict[str, Tensor]:
    return {f"net.0.{kind}": state[f"{layer}.{kind}"] for kind in ("weight", "bias") if f"{layer}.{kind}" in state}


def _part(tensors: Mapping[str, Tensor], prefix: str, name: str) -> dict[str, Tensor]:
    """The tensors under a prefix without it; those of whole numbers (sizes kept as buffers) as numbers too."""
    where = f"{name}: {_MODEL}{prefix.rstrip('.')}"
    return {
        key.removeprefix(prefix): checked_tensor(
            tensor if tensor.is_floating_point() else tensor.double(), key.removeprefix(prefix), where
        )
        for key, tensor in tensors.items()
        if key.startswith(prefix)
    }

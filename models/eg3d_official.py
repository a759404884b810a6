"""Between the official description of an EG3D network (attributes, `rendering_kwargs`) and our `EG3DConfig`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from .eg3d_config import OFFICIAL_SR_CHANNELS, EG3DConfig, EG3DRendering
from .errors import CheckpointError
from .unpickle import Stub

_MODULE_PREFIX = "SuperresolutionHybrid"
# rendering_kwargs that have the same name and meaning in EG3DRendering.
_SAME = (
    "ray_start",
    "ray_end",
    "box_warp",
    "depth_resolution",
    "depth_resolution_importance",
    "white_back",
    "disparity_space_sampling",
    "clamp_mode",
    "density_noise",
    "avg_camera_radius",
    "avg_camera_pivot",
    "c_gen_conditioning_zero",
    "c_scale",
)


def rendering_of_official(kwargs: Mapping[str, Any]) -> EG3DRendering:
    """Our rendering settings from official `rendering_kwargs`; absent keys take the official defaults."""
    given: dict[str, Any] = {"c_scale": 0.0, **{name: kwargs[name] for name in _SAME if name in kwargs}}
    if isinstance(given.get("avg_camera_pivot"), list):
        given["avg_camera_pivot"] = tuple(given["avg_camera_pivot"])
    return EG3DRendering(**given)


def official_rendering_kwargs(config: EG3DConfig) -> dict[str, Any]:
    """The official `rendering_kwargs` of a configuration, so that official code can render our weights."""
    rendering = {name: getattr(config.rendering, name) for name in _SAME}
    rendering["avg_camera_pivot"] = list(config.rendering.avg_camera_pivot)
    return {
        "image_resolution": config.image_resolution,
        "superresolution_module": f"training.superresolution.{_MODULE_PREFIX}{config.superresolution}",
        "superresolution_noise_mode": config.sr_noise_mode,
        "sr_antialias": config.sr_antialias,
        "decoder_lr_mul": config.decoder_lr_mul,
        **rendering,
    }


def config_of_official(generator: Stub, tensors: Mapping[str, Tensor]) -> EG3DConfig:
    """The configuration of an official generator: sizes from its tensors, settings from its attributes.

    Raises:
        CheckpointError: a tensor that tells a size is missing or has too few dimensions, or a setting is impossible.
    """
    kwargs = generator.state.get("rendering_kwargs")
    if not isinstance(kwargs, dict):
        raise CheckpointError("the generator has no rendering_kwargs; it is not a complete EG3D checkpoint")
    mapping = "backbone.mapping"
    w_dim, z_and_label = _shape(tensors, f"{mapping}.fc0.weight", 2)
    labelled = f"{mapping}.embed.weight" in tensors
    c_dim = _shape(tensors, f"{mapping}.embed.weight", 2)[1] if labelled else 0
    resolutions = _resolutions(tensors)
    plane_features = _shape(tensors, "backbone.synthesis.b4.torgb.weight", 4)[0]
    if plane_features % 3:
        raise CheckpointError(f"the backbone draws {plane_features} channels; expected three planes of equal depth")
    hidden = _shape(tensors, "decoder.net.0.weight", 2)[0]
    channel_base, channel_max = _backbone_channels(tensors, resolutions)
    kind = _superresolution_kind(generator, kwargs)
    sr_first = _shape(tensors, "superresolution.block0.conv1.weight", 4)[0]
    sr_second = _shape(tensors, "superresolution.block1.conv1.weight", 4)[0]
    image_resolution = _shape(tensors, "superresolution.block1.conv1.noise_const", 2)[0]
    network = _child(generator, "superresolution")
    enlarges = image_resolution // (2 if kind in ("2X", "4X") else 4)
    return EG3DConfig(
        z_dim=z_and_label - (w_dim if labelled else 0),
        c_dim=c_dim,
        w_dim=w_dim,
        mapping_layers=_count(tensors, mapping),
        mapping_lr_multiplier=_number(_child(generator, "backbone", "mapping", "fc0"), "bias_gain", 0.01),
        plane_resolution=resolutions[-1],
        plane_channels=plane_features // 3,
        channel_base=channel_base,
        channel_max=channel_max,
        conv_clamp=_optional(_child(generator, "backbone", "synthesis", "b4", "conv1"), "conv_clamp", None),
        decoder_hidden=hidden,
        decoder_features=_shape(tensors, "decoder.net.2.weight", 2)[0] - 1,
        decoder_lr_mul=kwargs.get("decoder_lr_mul", 1.0),
        neural_rendering_resolution=generator.state.get("neural_rendering_resolution", 64),
        image_resolution=image_resolution,
        superresolution=kind,  # type: ignore[arg-type]
        sr_input_resolution=network.state.get("input_resolution", enlarges),
        sr_channels=(sr_first, sr_second),
        sr_antialias=bool(network.state.get("sr_antialias", kwargs.get("sr_antialias", True))),
        sr_noise_mode=kwargs.get("superresolution_noise_mode", "none"),
        sr_conv_clamp=_optional(_child(generator, "superresolution", "block0", "conv1"), "conv_clamp", 256.0),
        rendering=rendering_of_official(kwargs),
    )


def _shape(tensors: Mapping[str, Tensor], name: str, dimensions: int) -> tuple[int, ...]:
    tensor = tensors.get(name)
    if tensor is None:
        raise CheckpointError(f"tensor {name!r} is missing; the file is incomplete or not EG3D's architecture")
    if tensor.ndim != dimensions:
        raise CheckpointError(f"tensor {name!r} has shape {tuple(tensor.shape)}, expected {dimensions} dimensions")
    return tuple(tensor.shape)


def _resolutions(tensors: Mapping[str, Tensor]) -> list[int]:
    found = sorted(
        int(part)
        for name in tensors
        if name.startswith("backbone.synthesis.b") and name.endswith(".torgb.weight")
        for part in [name.split(".")[2][1:]]
        if part.isdigit() and len(part) < 6
    )
    if not found or found != [4 << index for index in range(len(found))]:
        raise CheckpointError(f"the backbone has blocks of {found}; expected 4, 8, 16 and so on without gaps")
    return found


def _backbone_channels(tensors: Mapping[str, Tensor], resolutions: list[int]) -> tuple[int, int]:
    """channel_base and channel_max such that min(base / resolution, max) gives the widths found."""
    widths = [_shape(tensors, f"backbone.synthesis.b{r}.conv1.weight", 4)[0] for r in resolutions]
    # Where the base decides, width times resolution is the base; where the maximum does, it is less.
    return max(width * r for width, r in zip(widths, resolutions, strict=True)), max(widths)


def _count(tensors: Mapping[str, Tensor], prefix: str) -> int:
    count = 0
    while f"{prefix}.fc{count}.weight" in tensors:
        count += 1
    return count


def _superresolution_kind(generator: Stub, kwargs: Mapping[str, Any]) -> str:
    name = kwargs.get("superresolution_module") or _child(generator, "superresolution").name
    kind = str(name).rpartition(".")[2].removeprefix(_MODULE_PREFIX)
    if kind not in OFFICIAL_SR_CHANNELS:
        known = ", ".join(_MODULE_PREFIX + known for known in OFFICIAL_SR_CHANNELS)
        raise CheckpointError(f"super-resolution module {str(name)[:80]!r} is not known; expected one of {known}")
    return kind


def _child(stub: Stub, *path: str) -> Stub:
    """A module below `stub`; an empty one where the file has none (the tensor check names what is missing)."""
    node: Any = stub
    for name in path:
        modules = node.state.get("_modules")
        node = modules.get(name) if isinstance(modules, dict) else None
        if not isinstance(node, Stub):
            return Stub(".".join(path))
    return node


def _number(stub: Stub, name: str, default: float) -> float:
    value = stub.state.get(name, default)
    if not isinstance(value, (int, float)):
        raise CheckpointError(f"attribute {name} of {stub.name} is a {type(value).__name__}; expected a number")
    return float(value)


def _optional(stub: Stub, name: str, default: float | None) -> float | None:
    return None if stub.state.get(name, default) is None else _number(stub, name, default or 0.0)

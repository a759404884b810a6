"""From the official description of a StyleNeRF generator (its tensors and `init_kwargs`) to our `StyleNeRFConfig`.

Sizes come from tensors, settings from the arguments that the generator was made with: published files differ from the
repository's YAML. Missing arguments take the official classes' defaults.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from .errors import CheckpointError
from .stylenerf_config import PointMLP, StyleNeRFConfig

Arguments = Mapping[str, Any]


def config_of_official(kwargs: Arguments, tensors: Mapping[str, Tensor]) -> StyleNeRFConfig:
    """The configuration of an official generator.

    Args:
        kwargs: its `init_kwargs`; may be empty for a bare state dict of a published layout.
        tensors: by official name, `synthesis.fg_nerf.fc_in.weight` and so on.

    Raises:
        CheckpointError: a tensor that tells a size is missing, a setting is impossible, or the file uses a variant
            (tri-planes, signed distances, warped depth, view directions) that is not supported.
    """
    synthesis = _group(kwargs, "synthesis_kwargs")
    # Old files have camera and renderer settings among the synthesis network's own.
    camera = _group(synthesis, "camera_kwargs") or synthesis
    renderer = _group(synthesis, "renderer_kwargs") or synthesis
    upsampler = {**synthesis, **_group(synthesis, "upsampler_kwargs")}
    foreground, background = _group(synthesis, "foreground_kwargs"), _group(synthesis, "background_kwargs")
    _refuse_variants(synthesis, camera, foreground, background)
    sides = _sides(tensors)
    mode = str(synthesis.get("upsample_mode", "default" if kwargs else _growth(tensors, sides)))
    w_dim, z_dim = _shape(tensors, "mapping.fc0.weight", 2)
    resolution = _whole(synthesis.get("resolution_vol", 32), "resolution_vol")
    image = _whole(kwargs.get("img_resolution", sides[-1] if sides else resolution), "img_resolution")
    first = tensors.get(f"synthesis.b{sides[0]}.conv0.weight") if sides else None
    clamp = synthesis.get("conv_clamp") if kwargs else 256.0
    has_background = "synthesis.bg_nerf.fc_in.weight" in tensors
    if renderer.get("white_background") and not has_background:
        raise CheckpointError(
            "this StyleNeRF has a white_background, which no published model has; it is not supported"
        )
    alpha = tensors.get("synthesis.alpha")
    grown = bool(synthesis.get("progressive", True)) and alpha is not None and alpha.numel() == 1
    return StyleNeRFConfig(
        z_dim=z_dim,
        w_dim=w_dim,
        mapping_layers=_count(tensors, r"mapping\.fc(\d{1,3})\.weight"),
        image_resolution=image,
        volume_resolution=min(resolution, image),
        foreground=_perceptron(tensors, "synthesis.fg_nerf", foreground, 3, 0),
        background=_perceptron(tensors, "synthesis.bg_nerf", background, 4, _latent(synthesis, kwargs))
        if has_background
        else None,
        channels=tuple(_shape(tensors, f"synthesis.b{side}.conv1.weight", 4)[0] for side in sides),
        kernel=first.shape[-1] if first is not None and first.ndim == 4 else 1,
        growth=_known_growth(mode),
        blur="noblur" not in mode,
        magnitude=bool(sides) and f"synthesis.b{sides[0]}.conv0.w_avg" in tensors,
        noise=bool(sides) and f"synthesis.b{sides[0]}.conv0.noise_strength" in tensors,
        clamp=None if clamp is None else _number(clamp, "conv_clamp"),
        residual_image=not upsampler.get("no_residual_img", False),
        shared_rgb=bool(upsampler.get("shared_rgb_style", False)),
        # Only the switch from growing to grown matters here; -1 also changes the number of samples.
        alpha=float(alpha) if alpha is not None and alpha.numel() == 1 and (grown or float(alpha) < 0) else 1.0,
        samples=_whole(renderer.get("n_ray_samples", 14), "n_ray_samples"),
        background_samples=_whole(renderer.get("n_bg_samples", 4), "n_bg_samples"),
        hierarchical=bool(renderer.get("hierarchical", True)),
        activation=_activation(renderer.get("sigma_type", "relu")),
        unit_intervals=bool(camera.get("dists_normalized", False)),
        aligned_corners=bool(camera.get("ray_align_corner", bool(kwargs))),
        crop=_crop(synthesis.get("rectangular")),
        **_camera(camera if kwargs else {}),
    )


def _camera(camera: Arguments) -> dict[str, Any]:
    """Where the training cameras stood; without any word of it, as for the published face models."""
    if not {"range_u", "range_v", "depth_range", "fov"} & set(camera):
        return {}
    yaw = _pair(camera.get("range_u", (0.0, 0.0)), "range_u")
    polar = _pair(camera.get("range_v", (0.25, 0.25)), "range_v")
    if not camera.get("angular_camera", False):  # parts of a turn, and of the sphere's area
        yaw = (2 * math.pi * yaw[0], 2 * math.pi * yaw[1])
        polar = tuple(math.acos(1 - 2 * min(max(part, 0.0), 1.0)) for part in polar)  # type: ignore[assignment]
    near, far = _pair(camera.get("depth_range", (0.5, 6.0)), "depth_range")
    return {
        "near": near,
        "far": far,
        "fov": math.radians(_number(camera.get("fov", 49.13), "fov")),
        "radius": _pair(camera.get("range_radius", (2.732, 2.732)), "range_radius"),
        "yaw_range": yaw,
        "polar_range": polar,
        "background_start": _number(camera.get("bg_start", 1.0), "bg_start"),
    }


def _refuse_variants(synthesis: Arguments, camera: Arguments, *perceptrons: Arguments) -> None:
    """Says which experimental variant of the official code a file needs, where ours has none."""
    found = []
    if str(_group(synthesis, "input_kwargs").get("output_mode", "none")) != "none":
        found.append("learned inputs (tri-planes, volumes or hash tables)")
    if str(camera.get("depth_transform") or "None") != "None":
        found.append(f"depth_transform {str(camera['depth_transform'])[:40]!r}")
    if synthesis.get("margin", 0):
        found.append("a margin around the volume's picture")
    if str(synthesis.get("architecture", "skip")) != "skip":
        found.append(f"architecture {str(synthesis['architecture'])[:40]!r}")
    if str(synthesis.get("activation", "lrelu")) != "lrelu":
        found.append(f"activation {str(synthesis['activation'])[:40]!r}")
    for perceptron in perceptrons:
        for name in (
            "use_viewdirs",
            "use_normal",
            "use_sdf",
            "use_pos",
            "use_skip",
            "merge_sigma_feat",
            "tcnn_backend",
            "normalized_feat",
            "final_sigmoid_act",
        ):
            if perceptron.get(name):
                found.append(name)
        if str(perceptron.get("positional_encoding", "normal")) != "normal":
            found.append(f"positional_encoding {str(perceptron['positional_encoding'])[:40]!r}")
    if found:
        raise CheckpointError(f"this StyleNeRF uses {found[0]}, which is not supported; the published models do not")


def _perceptron(
    tensors: Mapping[str, Tensor], prefix: str, given: Arguments, coordinates: int, latent: int
) -> PointMLP:
    weight = tensors.get(f"{prefix}.fc_in.weight")
    if weight is None or weight.ndim not in (2, 4):
        found = "missing" if weight is None else f"of shape {tuple(weight.shape)}"
        raise CheckpointError(f"tensor '{prefix}.fc_in.weight' is {found}; expected a layer's weight")
    width, inputs = weight.shape[:2]
    styled = f"{prefix}.fc_in.affine.weight" in tensors
    latent = 0 if styled else latent
    octaves, rest = divmod(inputs - latent, 2 * coordinates)
    if rest or octaves < 1:
        raise CheckpointError(
            f"tensor '{prefix}.fc_in.weight' reads {inputs} numbers; expected {latent} of a random code and "
            f"{2 * coordinates} for each octave of the encoding"
        )
    head = tensors.get(f"{prefix}.feat_out.weight")
    if head is None:
        raise CheckpointError(f"tensor '{prefix}.feat_out.weight' is missing; the file is incomplete")
    rgb_layer = f"{prefix}.to_rgb.weight" in tensors
    return PointMLP(
        coordinates=coordinates,
        octaves=octaves,
        width=width,
        layers=1 + _count(tensors, rf"{re.escape(prefix)}\.blocks\.(\d{{1,3}})\.weight"),
        features=int(head.shape[0]) - (0 if rgb_layer else 3),
        latent=latent,
        styled=styled,
        magnitude=f"{prefix}.blocks.0.w_avg" in tensors,
        rgb_layer=rgb_layer,
        downscale=_number(given.get("downscale_p_by", 1), "downscale_p_by"),
    )


def _latent(synthesis: Arguments, kwargs: Arguments) -> int:
    return _whole(synthesis.get("z_dim_bg", 128 if kwargs else 32), "z_dim_bg", 0)


def _sides(tensors: Mapping[str, Tensor]) -> list[int]:
    """Resolutions of the up-sampling blocks, low to high."""
    names = (re.fullmatch(r"synthesis\.b(\d{1,5})\.conv1\.weight", name) for name in tensors)
    sides = sorted(int(match[1]) for match in names if match)
    if any(high != 2 * low for low, high in itertools.pairwise(sides)):
        raise CheckpointError(f"the up-sampler has blocks of {sides[:12]}; expected each twice the one before")
    return sides


def _growth(tensors: Mapping[str, Tensor], sides: list[int]) -> str:
    """The way of up-sampling that the adapter's shape tells."""
    adapter = tensors.get(f"synthesis.b{sides[0]}.conv0.adapter.0.weight") if sides else None
    if adapter is None:
        return "bilinear"
    outputs = _shape(tensors, f"synthesis.b{sides[0]}.conv0.weight", 4)[0]
    return "nn_cat" if adapter.shape[1] == 2 * outputs else "pixelshuffle"


def _known_growth(mode: str) -> Any:
    """The official code looks for parts of the mode's name, in this order."""
    if mode == "default":
        return mode
    for known in ("bilinear", "nearest", "bicubic", "pixelshuffle", "nn_cat"):
        if known in mode and "ada" not in mode and mode != "bilinear_all":
            return known
    return mode  # refused by the configuration, with the known ones named


def _activation(sigma: Any) -> Any:
    found = {"relu": "relu", "shiftedsoftplus": "softplus_shifted"}.get(str(sigma))
    if found is None:
        raise CheckpointError(f"sigma_type is {str(sigma)[:40]!r}; expected 'relu' or 'shiftedsoftplus'")
    return found


def _crop(given: Any) -> tuple[int, int] | None:
    if given is None:
        return None
    height, width = _pair(given, "rectangular")
    if not 0 < height <= width:
        raise CheckpointError(f"rectangular is {str(given)[:40]}; expected a height of at most the width")
    return int(height), int(width)


def _group(arguments: Arguments, name: str) -> Arguments:
    found = arguments.get(name) or {}
    if not isinstance(found, Mapping):
        raise CheckpointError(f"{name} is a {type(found).__name__}; expected named values")
    return found


def _shape(tensors: Mapping[str, Tensor], name: str, dimensions: int) -> tuple[int, ...]:
    tensor = tensors.get(name)
    if tensor is None:
        raise CheckpointError(f"tensor {name!r} is missing; the file is incomplete or not StyleNeRF's architecture")
    if tensor.ndim != dimensions:
        raise CheckpointError(f"tensor {name!r} has shape {tuple(tensor.shape)}, expected {dimensions} dimensions")
    return tuple(tensor.shape)


def _count(tensors: Mapping[str, Tensor], pattern: str) -> int:
    """One more than the greatest index, so that a gap is noticed when tensors are filled in."""
    return 1 + max((int(m[1]) for m in (re.fullmatch(pattern, name) for name in tensors) if m), default=-1)


def _whole(value: Any, name: str, low: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= 1 << 20:
        raise CheckpointError(f"{name} is {str(value)[:80]!r}; expected a whole number of at least {low}")
    return value


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= 1e9:
        raise CheckpointError(f"{name} is {str(value)[:80]!r}; expected a number")
    return float(value)


def _pair(value: Any, name: str) -> tuple[float, float]:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise CheckpointError(f"{name} is {str(value)[:80]!r}; expected two numbers")
    return _number(value[0], name), _number(value[1], name)

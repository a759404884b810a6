"""Writes a trained student as the shipped `heads` model: fp16 safetensors under official names, and its JSON card.

Command: ``python -m neuroview.engine.training.export_heads --run DIR --out DIR [--metrics FILE]``.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...models.eg3d import EG3DConfig, TriPlaneGenerator
from .distil import load_checkpoint
from .heads_parameters import Z_DIM
from .heads_student import APPEARANCE_LAYERS, GEOMETRY_LAYERS, fold_density_gain, heads_config
from .sphere_trace import FOCAL, RADIUS

AVERAGE_SAMPLES = 10_000
AVERAGE_SEED = 0


@torch.no_grad()
def shipped_state(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state dict to ship: density gain folded, ``w_avg`` measured over 10,000 latents, fp16, contiguous."""
    state = fold_density_gain(state)
    generator = TriPlaneGenerator(heads_config())
    generator.load_state_dict(state)
    z = torch.randn(AVERAGE_SAMPLES, Z_DIM, generator=torch.Generator().manual_seed(AVERAGE_SEED))
    state["backbone.mapping.w_avg"] = generator.backbone.mapping.single(z).mean(0)
    return {name: value.half().contiguous() for name, value in state.items()}


def description(config: EG3DConfig, card: dict[str, Any]) -> dict[str, Any]:
    """The JSON beside the weights: format, sizes, rendering under the official keys, layers, camera and card."""
    r = config.rendering
    return {
        "format": "neuroview-1",
        "family": "eg3d",
        "name": "heads",
        "config": config.to_dict(),
        "rendering_kwargs": {
            "ray_start": r.ray_start,
            "ray_end": r.ray_end,
            "box_warp": r.box_warp,
            "depth_resolution": r.depth_resolution,
            "depth_resolution_importance": r.depth_resolution_importance,
            "white_back": r.white_back,
            "disparity_space_sampling": r.disparity_space_sampling,
            "clamp_mode": r.clamp_mode,
            "density_noise": r.density_noise,
            "avg_camera_radius": r.avg_camera_radius,
            "avg_camera_pivot": list(r.avg_camera_pivot),
            "c_gen_conditioning_zero": r.c_gen_conditioning_zero,
            "c_scale": r.c_scale,
            "decoder_lr_mul": config.decoder_lr_mul,
            "sr_antialias": config.sr_antialias,
            "superresolution_noise_mode": config.sr_noise_mode,
            "superresolution_module": "training.superresolution.SuperresolutionHybrid8X",
        },
        "geometry_layers": list(GEOMETRY_LAYERS),
        "appearance_layers": list(APPEARANCE_LAYERS),
        "camera": {
            "radius": RADIUS,
            # EG3D's convention: the diagonal field of view, focal = 1 / (sqrt 2 tan(fov / 2)).
            "fov_degrees": round(math.degrees(2 * math.atan(1 / (FOCAL * math.sqrt(2)))), 4),
            "focal": FOCAL,
            "pivot": [0.0, 0.0, 0.0],
            "yaw_range_degrees": [-180.0, 180.0],
            "pitch_range_degrees": [-28.0, 34.0],
        },
        "card": card,
    }


def export(state: dict[str, Tensor], out: Path, card: dict[str, Any]) -> None:
    """Writes ``heads.safetensors`` and ``heads.json`` into ``out``, each whole or not at all."""
    out.mkdir(parents=True, exist_ok=True)
    weights, described = out / "heads.safetensors", out / "heads.json"
    for path in (weights, described):
        part = path.with_name(path.name + ".part")
        if path is weights:
            save_file(shipped_state(state), part, metadata={"format": "pt", "family": "eg3d", "name": "heads"})
        else:
            part.write_text(json.dumps(description(heads_config(), card), indent=1) + "\n")
        part.chmod(0o644)
        os.replace(part, path)


def load_exported(folder: Path) -> TriPlaneGenerator:
    """The exported model in the product's EG3D class, fp32, ready to render."""
    described = json.loads((folder / "heads.json").read_text())
    generator = TriPlaneGenerator(EG3DConfig.from_dict(described["config"]))
    generator.load_state_dict({k: v.float() for k, v in load_file(folder / "heads.safetensors").items()})
    return generator.eval().requires_grad_(False)


def main(arguments: list[str] | None = None) -> None:
    """Parses the command line and exports the averaged weights of a run's checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--out", type=Path, required=True, help="folder for heads.safetensors and heads.json")
    parser.add_argument("--card", type=Path, help="JSON object for the card; a minimal one when omitted")
    given = parser.parse_args(arguments)
    checkpoint = load_checkpoint(given.run)
    card: dict[str, Any] = {
        "title": "Heads",
        "steps": checkpoint["step"],
        "minutes": round(checkpoint["elapsed"] / 60, 1),
        "licence": "MIT",
    }
    if given.card is not None:
        card |= json.loads(given.card.read_text())
    export(checkpoint["ema"], given.out, card)


if __name__ == "__main__":
    main()

"""Writes a trained student as the shipped `heads` model: fp16 safetensors under official names, and its description.

Command: ``python -m neuroview.engine.training.export_heads --run DIR --out DIR [--card FILE]``.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...models.base import CameraDefaults, FirstIdentity, ModelCard
from ...models.eg3d import TriPlaneGenerator
from ...models.eg3d_generator import EG3DGenerator
from ...models.formats import native
from .checkpoint import load as load_checkpoint
from .heads_parameters import Z_DIM
from .heads_student import APPEARANCE_LAYERS, GEOMETRY_LAYERS, fold_density_gain, heads_config
from .sphere_trace import FOCAL, RADIUS

AVERAGE_SAMPLES = 10_000
AVERAGE_SEED = 0
"""The average w, for truncation, is taken over this many latents of this seed."""
TRAINED_PITCH = (-0.5, 0.6)
"""Elevations (radians) that training saw; all yaws were seen."""

SUMMARY = "Stylised heads: a small EG3D generator distilled from a procedural teacher. Shape and colours mix freely."
FIRST = FirstIdentity((15, 11), 0.85)
"""Chosen by eye among the first forty seeds."""


@torch.no_grad()
def shipped_network(state: dict[str, Tensor]) -> TriPlaneGenerator:
    """The network to ship from a training state dict: density gain folded, ``w_avg`` measured."""
    network = TriPlaneGenerator(heads_config())
    network.load_state_dict(fold_density_gain(state))
    mapping = network.backbone.mapping
    z = torch.randn(AVERAGE_SAMPLES, Z_DIM, generator=torch.Generator().manual_seed(AVERAGE_SEED))
    mapping.w_avg.copy_(mapping.single(z).mean(0))
    return network.eval().requires_grad_(False)


def camera_defaults() -> CameraDefaults:
    """The training cameras: first view from slightly above, and the range that training covered."""
    return CameraDefaults(
        radius=RADIUS,
        fov=2 * math.atan(0.5 / FOCAL),
        yaw=math.radians(18.0),
        pitch=0.08,
        pitch_range=TRAINED_PITCH,
        fov_range=(math.radians(4.0), math.radians(30.0)),
        radius_range=(1.6, 6.0),
    )


def generator_of(state: dict[str, Tensor]) -> EG3DGenerator:
    """The same network as a generator that can be viewed and written."""
    generator = EG3DGenerator(
        shipped_network(state),
        ModelCard(name="heads", family="eg3d", title="Heads", summary=SUMMARY, licence="MIT"),
        camera=camera_defaults(),
        geometry_layers=GEOMETRY_LAYERS,
        appearance_layers=APPEARANCE_LAYERS,
    )
    generator.first_identity = FIRST
    return generator


def export(state: dict[str, Tensor], out: Path, card: dict[str, Any]) -> None:
    """Writes ``heads.safetensors`` and ``heads.json`` into ``out``, each whole or not at all.

    Args:
        state: a student's state dict as trained.
        out: folder, made if missing.
        card: title, summary, licence and how it was trained.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as folder:
        native.save(
            Path(folder) / "heads.safetensors",
            shipped_network(state),
            name="heads",
            geometry_layers=GEOMETRY_LAYERS,
            appearance_layers=APPEARANCE_LAYERS,
            camera=camera_defaults(),
            first_identity=FIRST,
            card=card,
            dtype=torch.float16,
        )
        for part in Path(folder).iterdir():
            part.chmod(0o644)
            os.replace(part, out / part.name)


def load_exported(folder: Path) -> TriPlaneGenerator:
    """The exported model in the product's EG3D class, fp32, ready to render."""
    return native.load(folder / "heads.safetensors").eval().requires_grad_(False)


def main(arguments: list[str] | None = None) -> None:
    """Parses the command line and exports the averaged weights of a run's checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--out", type=Path, required=True, help="folder for heads.safetensors and heads.json")
    parser.add_argument("--card", type=Path, help="JSON object for the card; a minimal one when omitted")
    given = parser.parse_args(arguments)
    found = load_checkpoint(given.run)
    card: dict[str, Any] = {
        "title": "Heads",
        "licence": "MIT",
        "steps": found["step"],
        "minutes": round(found["elapsed"] / 60, 1),
    }
    if given.card is not None:
        card |= json.loads(given.card.read_text())
    export(found["state"]["ema"], given.out, card)


if __name__ == "__main__":
    main()

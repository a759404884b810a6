"""Writes a trained student as the shipped `cars` model: fp16 safetensors under pi-GAN's names, and its description.

Command: ``python -m neuroview.engine.training.cars_export --run DIR --out FILE [--card FILE]``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...models.base import FirstIdentity, ModelCard
from ...models.pigan import PiGANNetwork
from ...models.pigan_generator import PiGANGenerator, PiGANOptions
from . import checkpoint
from .cars_student import cars_layout, shipped_network
from .live import write_model
from .task import TrainingError

SUMMARY = "Procedural cars from all sides: a small pi-GAN distilled from a teacher. Shape and paint mix freely."
FIRST = FirstIdentity((7, 2), 1.0)
"""Chosen by eye among the first twenty seeds."""


def generator_of(network: PiGANNetwork) -> PiGANGenerator:
    """The model of a student as trained, ready to be viewed and written."""
    card = ModelCard(name="cars", family="pigan", title="Cars", summary=SUMMARY, licence="MIT")
    made = PiGANGenerator({"ema": shipped_network(network)}, card, PiGANOptions("cars", "ema"))
    made.first_identity = FIRST
    return made


def export(run: Path, out: Path, told: Mapping[str, Any]) -> None:
    """Writes the averaged weights of a run of `CarsTask`.

    Args:
        run: the run's folder.
        out: of the .safetensors file.
        told: facts for the card beside what the checkpoint knows.

    Raises:
        TrainingError: the folder holds no run of the cars, or the model cannot be written.
    """
    found = checkpoint.load(run)
    if found["task"] != "cars":
        raise TrainingError(f"{run} trains {found['task']}; expected a run of cars (neuroview train pigan)")
    network = PiGANNetwork(cars_layout(found["recipe"]["width"]))
    network.load_state_dict(found["state"]["average"])
    facts = {
        "recipe": found["recipe"],
        "steps": found["step"],
        "minutes": round(found["elapsed"] / 60, 1),
        "processes": found.get("processes", 1),
        "device": found.get("device", "cpu"),
        "parameters": sum(p.numel() for p in network.parameters()),
    }
    write_model(generator_of(network), out, {**facts, **told})


def main(arguments: list[str] | None = None) -> None:
    """Parses the command line and exports the averaged weights of a run's checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--out", type=Path, required=True, help="the .safetensors file to write, its .json beside it")
    parser.add_argument("--card", type=Path, help="JSON object with more facts for the card")
    given = parser.parse_args(arguments)
    export(given.run, given.out, {} if given.card is None else json.loads(given.card.read_text()))


if __name__ == "__main__":
    main()

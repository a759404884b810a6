"""Trains a shipped model from nothing, exports and measures it: no network, no downloaded data.

    python tools/train_shipped.py heads|cars|showroom|showroom_vanilla|all --out DIR
                                  [--minutes M] [--device auto] [--workers N] [--rehearse] [--dry-run]

DIR/runs holds the runs, which go on where they were stopped when the same command is given again; DIR/data the pictures
of the showroom; DIR/assets gets what ships (weights, JSON card with the metrics, and for the heads the directions and
the first guess), DIR/sheets what is to be looked at. By default a model takes what suits two CPU cores overnight; on a
GPU give `--minutes 20`. `--rehearse` goes through all of it in a few minutes: it shows that every command works, and
what comes out is good for nothing.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

Command = list[str]
TRAINING = "neuroview.engine.training"
_REHEARSED = 0.2
"""Minutes of a training that is only rehearsed."""


def module(name: str, *words: object) -> Command:
    """A module of ours as a program."""
    return [sys.executable, "-m", name, *map(str, words)]


def neuroview(*words: object) -> Command:
    """A neuroview command."""
    return module("neuroview.viewer", *words)


class Plan:
    """Where one model's files go, and how it is to be trained.

    Args:
        name: of the model.
        given: the parsed command line.
        minutes: what suits two CPU cores.
    """

    def __init__(self, name: str, given: argparse.Namespace, minutes: float) -> None:
        self.run, self.assets = given.out / "runs" / name, given.out / "assets"
        self.sheets, self.model = given.out / "sheets" / name, given.out / "assets" / f"{name}.safetensors"
        self.data, self.rehearsed = given.out / "data" / "showroom", given.rehearse
        minutes = _REHEARSED if given.rehearse else minutes
        self._length = ["--minutes", given.minutes or minutes, "--device", given.device, "--workers", given.workers]

    def train(self, family: str, data: str, *more: str) -> Command:
        """The run, resumed if it has begun."""
        resume = ["--resume"] if (self.run / "checkpoint.pt").exists() else []
        return neuroview("train", family, "--data", data, "--out", self.run, *self._length, *more, *resume)

    def evaluate(self, family: str, *more: object) -> Command:
        """Figures and contact sheets of the exported file."""
        few = ["--count", 2, "--only", "fidelity,frechet", "--no-compile"] if self.rehearsed else []
        return neuroview("evaluate", family, self.model, "--out", self.sheets, *more, *few)


def heads(given: argparse.Namespace) -> list[Command]:
    """EG3D layout, then its principal directions and the first guess of an inversion."""
    plan = Plan("heads", given, 480)
    few = ["--heads", 64, "--epochs", 1, "--no-compile"] if given.rehearse else []
    return [
        plan.train("eg3d", "heads"),
        module(f"{TRAINING}.export_heads", "--run", plan.run, "--out", plan.assets),
        plan.evaluate("eg3d", "--teacher", "heads", "--frechet", 8 if given.rehearse else 128),
        module(f"{TRAINING}.heads_directions", "--model", plan.model, "--out", plan.assets / "directions"),
        module(f"{TRAINING}.heads_guess", "--model", plan.model, "--out", plan.assets / "guesses", *few),
    ]


def cars(given: argparse.Namespace) -> list[Command]:
    """pi-GAN."""
    plan = Plan("cars", given, 180)
    return [
        plan.train("pigan", "cars"),
        module(f"{TRAINING}.cars_export", "--run", plan.run, "--out", plan.model),
        plan.evaluate("pigan", "--teacher", "cars"),
    ]


def showroom(given: argparse.Namespace) -> list[Command]:
    """A NeRF by hash grid."""
    return _nerf("showroom", given, 45, "hashgrid")


def showroom_vanilla(given: argparse.Namespace) -> list[Command]:
    """The same scene by NeRF's perceptron."""
    return _nerf("showroom_vanilla", given, 50, "vanilla", "--rung", "occupancy")


def _nerf(name: str, given: argparse.Namespace, minutes: float, kind: str, *measuring: str) -> list[Command]:
    plan = Plan(name, given, minutes)
    few = ["--train", 12, "--held-out", 2, "--size", 48] if given.rehearse else []
    about = ["--run", plan.run, "--data", plan.data, "--out", plan.assets, "--name", name]
    return [
        module(f"{TRAINING}.showroom_data", "--out", plan.data, "--device", given.device, *few),
        plan.train("nerf", str(plan.data), "--kind", kind),
        module(f"{TRAINING}.showroom_export", *about, *measuring),
        plan.evaluate("nerf", "--data", plan.data),
    ]


MODELS: dict[str, Callable[[argparse.Namespace], list[Command]]] = {
    "heads": heads,
    "cars": cars,
    "showroom": showroom,
    "showroom_vanilla": showroom_vanilla,
}


def note_metrics(out: Path, name: str) -> None:
    """Writes what `evaluate` measured into the model's card."""
    card = out / "assets" / f"{name}.json"
    described = json.loads(card.read_text("utf-8"))
    measured = json.loads((out / "sheets" / name / "metrics.json").read_text("utf-8"))
    card_facts = described["card"]
    card_facts.get("training", card_facts)["metrics"] = measured["metrics"]
    card.write_text(json.dumps(described, indent=1) + "\n", "utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Runs one model's commands, or all models', in turn; returns the exit code of the first that fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=(*MODELS, "all"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, help="of each model's training")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--workers", type=int, default=1, help="processes that share the work")
    parser.add_argument("--rehearse", action="store_true", help="every command, in minutes, for the commands' sake")
    parser.add_argument("--dry-run", action="store_true", help="only print the commands")
    given = parser.parse_args(arguments)
    for name in MODELS if given.model == "all" else (given.model,):
        for command in MODELS[name](given):
            print(shlex.join(command), flush=True)
            if not given.dry_run and (code := subprocess.run(command).returncode):
                return code
        if not given.dry_run:
            note_metrics(given.out, name)
    return 0


if __name__ == "__main__":
    sys.exit(main())

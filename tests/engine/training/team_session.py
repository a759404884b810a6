"""What each process of a team does: averages gradients, trains a line, and writes down what it has.

Run as `python team_session.py OUT WORKERS`; the other processes run the same line.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from neuroview.engine.training.team import launch
from neuroview.engine.training.trainer import Trainer
from tasks import LineTask

out, workers = Path(sys.argv[1]), int(sys.argv[2])
team = launch("cpu", workers)
both, first_only, neither = (torch.nn.Parameter(torch.zeros(2)) for _ in range(3))
both.grad = torch.full((2,), 1.0 + team.rank)
if team.rank == 0:
    first_only.grad = torch.full((2,), 4.0)
team.average([both, first_only, neither])

task = LineTask()
with torch.no_grad():
    task.network.weight += team.rank  # every process begins with what the first one has
trainer = Trainer(task, out, steps=6, team=team, seed=3, quiet=True)
trainer.run()
torch.save(
    {
        "grads": [both.grad, first_only.grad, neither.grad],
        "greatest": team.greatest([float(team.rank), -1.0]),
        "weight": task.network.weight.detach(),
        "losses": task.losses,
        "step": trainer.step,
        "threads": torch.get_num_threads(),
    },
    out / f"process{team.rank}.pt",
)
team.leave()

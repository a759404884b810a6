"""Several processes that train one thing, and one that trains alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from neuroview.engine.training.task import TrainingError
from neuroview.engine.training.team import Solo, launch

SESSION = Path(__file__).with_name("team_session.py")


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """What two processes have written down."""
    pytest.importorskip("lightning_fabric")
    out = tmp_path_factory.mktemp("team")
    plain = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, SESSION, out, "2"], env=plain, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return [torch.load(out / f"process{rank}.pt", weights_only=True) for rank in range(2)]


def test_gradients_are_averaged_and_what_nobody_has_a_gradient_of_keeps_none(processes):
    for process in processes:
        both, first_only, neither = process["grads"]
        assert both.tolist() == [1.5, 1.5]
        assert first_only.tolist() == [2.0, 2.0]
        assert neither is None


def test_processes_draw_different_numbers_and_keep_the_same_weights(processes):
    first, second = processes
    assert first["step"] == second["step"] == 6
    assert first["losses"] != second["losses"]
    assert torch.equal(first["weight"], second["weight"])


def test_the_greatest_of_each_number_is_the_same_for_all(processes):
    assert [process["greatest"] for process in processes] == [[1.0, -1.0]] * 2


def test_several_processes_on_a_cpu_use_one_thread_each(processes):
    assert [process["threads"] for process in processes] == [1, 1]


def test_alone_nothing_is_averaged():
    parameter = torch.nn.Parameter(torch.zeros(2))
    parameter.grad = torch.ones(2)
    team = Solo()
    team.average([parameter])
    assert parameter.grad.tolist() == [1, 1]
    assert team.greatest([2.0, 3.0]) == [2.0, 3.0]


@pytest.mark.parametrize("bf16", [True, False])
def test_autocast_lowers_the_precision_where_that_is_wanted(bf16: bool):
    with Solo(bf16=bf16).autocast():
        made = torch.nn.Linear(2, 2)(torch.ones(1, 2))
    assert made.dtype == (torch.bfloat16 if bf16 else torch.float32)


@pytest.mark.parametrize(
    ("device", "workers", "reason"),
    [
        ("tpu", 1, "expected auto, cpu, cuda or cuda:0"),
        ("cuda:x", 1, "expected auto, cpu, cuda or cuda:0"),
        ("cuda:0", 2, "is one GPU, and --workers 2 asks for several"),
        ("cuda:97", 1, "but there are .* GPUs"),
    ],
)
def test_a_device_that_is_not_there_is_refused_in_words(device: str, workers: int, reason: str):
    pytest.importorskip("lightning_fabric")
    with pytest.raises(TrainingError, match=reason):
        launch(device, workers)


def test_without_lightning_the_command_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    with pytest.raises(TrainingError, match=r'pip install "neuroview\[train\]"'):
        launch("cpu")

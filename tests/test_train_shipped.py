"""The script that trains what ships: its commands are commands that exist."""

from __future__ import annotations

import importlib
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from neuroview.viewer import cli

SCRIPT = Path(__file__).parents[1] / "tools" / "train_shipped.py"


def planned(out: Path, *words: str) -> list[list[str]]:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *words, "--out", str(out), "--dry-run"],
        capture_output=True,
        text=True,
        check=True,
    )
    return [shlex.split(line)[2:] for line in done.stdout.splitlines()]


@pytest.mark.parametrize("name", ["heads", "cars", "showroom", "showroom_vanilla"])
def test_every_command_is_understood(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    commands = planned(tmp_path, name)
    assert ["neuroview.viewer", "train"] in [command[:2] for command in commands]
    for module, *words in commands:
        options = [word for word in words if word.startswith("--")]
        if module == "neuroview.viewer":
            words = words[:2]
            with pytest.raises(SystemExit):
                cli.run([*words, "--help"])
        else:
            with pytest.raises(SystemExit):
                importlib.import_module(module).main(["--help"])
        told = capsys.readouterr().out
        assert all(option in told for option in options)


def test_a_run_that_was_begun_is_gone_on_with(tmp_path: Path):
    checkpoint = tmp_path / "runs" / "cars" / "checkpoint.pt"
    checkpoint.parent.mkdir(parents=True)
    assert "--resume" not in planned(tmp_path, "cars")[0]
    checkpoint.touch()
    assert "--resume" in planned(tmp_path, "cars")[0]


def test_a_rehearsal_is_short_and_leaves_out_nothing(tmp_path: Path):
    whole, short = planned(tmp_path, "all"), planned(tmp_path, "all", "--rehearse")
    assert [command[0] for command in whole] == [command[0] for command in short]
    lengths = [float(command[command.index("--minutes") + 1]) for command in short if "--minutes" in command]
    assert len(lengths) == 4
    assert max(lengths) < 1
    assert all("--count" in command for command in short if command[1] == "evaluate")


def test_both_nerfs_learn_from_the_same_pictures(tmp_path: Path):
    folders = [command[command.index("--data") + 1] for command in planned(tmp_path, "all") if "nerf" in command]
    assert len(set(folders)) == 1

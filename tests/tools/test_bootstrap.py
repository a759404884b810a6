"""Setting up from nothing: what counts as ready, what is installed first, and what is said where it cannot be done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import environment  # noqa: E402 - tools/ is a folder of scripts, not a package
import system_packages  # noqa: E402


@pytest.fixture
def fresh(tmp_path: Path) -> environment.Environment:
    """An environment that was just made and holds a Python, and nothing that is installed."""
    made = environment.Environment(tmp_path / "venv")
    made.scripts.mkdir(parents=True)
    made.python.touch()
    return made


@pytest.fixture
def pip_calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """pip's command lines, recorded and not run."""
    calls: list[list[str]] = []
    monkeypatch.setattr(environment, "_with_progress", lambda _label, line, _log: not calls.append(line))
    return calls


def test_an_environment_is_ready_once_it_is_filled(fresh: environment.Environment, pip_calls: list) -> None:
    assert not fresh.ready(dev=False)
    fresh.fill(dev=False)
    assert fresh.ready(dev=False)
    assert not fresh.ready(dev=True)


def test_one_for_development_serves_to_run(fresh: environment.Environment, pip_calls: list) -> None:
    fresh.fill(dev=True)
    assert fresh.ready(dev=True)
    assert fresh.ready(dev=False)


def test_a_changed_pin_makes_it_unready(
    fresh: environment.Environment, pip_calls: list, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("pyproject.toml", "setup.py", "constraints.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    fresh.fill(dev=False)
    with (tmp_path / "constraints.txt").open("a") as file:
        file.write("another==1.0\n")
    assert not fresh.ready(dev=False)


def test_torch_is_installed_before_anything_that_wants_it(fresh: environment.Environment, pip_calls: list) -> None:
    fresh.fill(dev=True)
    assert any(word.startswith("torch==") for word in pip_calls[0])
    assert all("--constraint" in line for line in pip_calls)
    assert pip_calls[1][-1].endswith("[dev]")


def test_a_failing_pip_leaves_it_unready_and_says_what_to_do(
    fresh: environment.Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "_with_progress", lambda *_: False)
    with pytest.raises(environment.SetupError, match="again"):
        fresh.fill(dev=False)
    assert not fresh.ready(dev=False)


def test_the_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NEUROVIEW_VENV", str(tmp_path))
    assert environment.chosen_folder() == tmp_path
    monkeypatch.delenv("NEUROVIEW_VENV")
    assert environment.chosen_folder() == ROOT / ".venv"


def test_what_may_not_be_installed_is_told_as_a_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(system_packages, "_privileges", lambda: None)
    monkeypatch.setattr(system_packages.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert not system_packages.obtain({"libGL.so.1": "libgl1"}, "A window", "It goes on without.")
    said = capsys.readouterr().out
    assert "libGL.so.1" in said
    assert "apt-get install -y libgl1" in said
    assert "It goes on without." in said


def test_old_package_lists_are_renewed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def quietly(line: list[str]) -> subprocess.CompletedProcess[str]:
        calls.append("update" if "update" in line else "install")
        works = calls != ["install"]
        return subprocess.CompletedProcess(line, 0 if works else 100, "", "E: 404  Not Found")

    monkeypatch.setattr(system_packages, "_quietly", quietly)
    monkeypatch.setattr(system_packages.glob, "glob", lambda _pattern: ["/var/lib/apt/lists/x_Packages"])
    assert system_packages._apt_install([], ["xvfb"]) == ""
    assert calls == ["install", "update", "install"]


def test_a_failing_apt_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 100, "", "Reading...\nE: Unable to locate package xvfb\n")
    monkeypatch.setattr(system_packages, "_quietly", lambda _line: failed)
    assert system_packages._apt_install([], ["xvfb"]) == "E: Unable to locate package xvfb"


def test_bootstrap_explains_itself_and_refuses_what_it_does_not_know() -> None:
    script = [sys.executable, str(ROOT / "tools" / "bootstrap.py")]
    helped = subprocess.run(script, capture_output=True, text=True, check=False)
    assert helped.returncode == 0
    assert "make test" in helped.stdout
    assert subprocess.run([*script, "fly"], capture_output=True, check=False).returncode == 2


def test_a_ready_environment_starts_the_program_with_its_arguments(tmp_path: Path) -> None:
    made = environment.Environment(tmp_path / "venv")
    made.scripts.mkdir(parents=True)
    program = made.program("neuroview")
    if os.name == "nt":
        pytest.skip("a shell script stands in for the program")
    program.write_text('#!/bin/sh\necho "$@"\nexit 3\n')
    program.chmod(0o755)
    made.python.touch()
    made._stamp(dev=False).touch()
    line = [sys.executable, str(ROOT / "tools" / "bootstrap.py"), "run", "heads", "--no-panel"]
    variables = {**os.environ, "NEUROVIEW_VENV": str(made.folder)}
    done = subprocess.run(line, env=variables, capture_output=True, text=True, check=False)
    assert done.stdout == "heads --no-panel\n"
    assert done.returncode == 3

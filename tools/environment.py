"""The virtual environment: made once, filled from constraints.txt, and known to be ready by a stamp file."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import system_packages

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
# Torch comes before all that depends on it, so that this pin, and not a looser wish, decides which build is fetched.
# Setuptools is what our own build runs on, so that no second, isolated environment is made for it.
FIRST = ("torch", "setuptools")


class SetupError(Exception):
    """Something that setting up needs did not work; the message says what, and what to do."""


class Environment:
    """The project's virtual environment, there or not yet.

    Args:
        folder: where it stands or shall stand.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scripts = folder / ("Scripts" if os.name == "nt" else "bin")
        self.python = self.program("python")
        self.log = folder / "setup.log"

    def program(self, name: str) -> Path:
        """Path of a command that is installed in it."""
        return self.scripts / (f"{name}.exe" if os.name == "nt" else name)

    def ready(self, dev: bool) -> bool:
        """Whether it was filled from exactly what pyproject.toml, setup.py and constraints.txt say now."""
        return any(self._stamp(level).exists() for level in ({True} if dev else {False, True})) and self.python.exists()

    def fill(self, dev: bool) -> None:
        """Makes it if need be, and installs neuroview with all that it needs, `dev` with the tools of development.

        Raises:
            SetupError: it could not be made, or pip failed.
        """
        begin = time.monotonic()
        if not self.python.exists():
            _say(f"setting up in {_short(self.folder)} (once; the next start takes no time)")
            _create(self)
        self.log.write_text("")
        for stamp in self.folder.glob(".ready-*"):
            stamp.unlink()
        first = [requirement for name in FIRST for requirement in _pins(name)]
        size = "about 200 MB; with CUDA, on Linux, about 3 GB" if not self._has(first[0]) else "there already"
        self._pip(f"{first[0]} ({size})", "install", *first)
        target = f"{ROOT}[dev]" if dev else str(ROOT)
        label = "neuroview, its dependencies and the development tools" if dev else "neuroview and its dependencies"
        self._pip(label, "install", "--no-build-isolation", "--editable", target)
        self._stamp(dev).touch()
        _say(f"ready after {time.monotonic() - begin:.0f} s")

    def _stamp(self, dev: bool) -> Path:
        told = hashlib.sha256(f"{ROOT} {sys.version_info[:2]}".encode())
        for name in ("pyproject.toml", "setup.py", "constraints.txt"):
            told.update((ROOT / name).read_bytes())
        return self.folder / f".ready-{'dev' if dev else 'run'}-{told.hexdigest()[:16]}"

    def _has(self, requirement: str) -> bool:
        name, version = requirement.split("==")
        return any(self.folder.glob(f"**/site-packages/{name}-{version}*.dist-info"))

    def _pip(self, label: str, command: str, *arguments: str) -> None:
        line = [str(self.python), "-m", "pip", "--disable-pip-version-check", "--no-input", command]
        line += ["--constraint", str(CONSTRAINTS), *arguments]
        if not _with_progress(label, line, self.log):
            raise SetupError(
                f"pip could not install {label}; its last lines above say why, {_short(self.log)} the rest.\n"
                "Most often the network, a proxy or the disk (8 GB with CUDA) is the reason; neuroview is made for\n"
                "Python 3.10 to 3.13 on x86-64. The same command again goes on where this one stopped."
            )


def chosen_folder() -> Path:
    """Where the environment stands: NEUROVIEW_VENV if set, else `.venv` in the checkout."""
    return Path(os.environ.get("NEUROVIEW_VENV") or ROOT / ".venv").absolute()


def _create(environment: Environment) -> None:
    """Makes the empty environment with pip in it, getting Debian's python3-venv first where that is missing."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    # Debian takes ensurepip, which puts pip into a new environment, out of Python into a package of its own.
    if importlib.util.find_spec("ensurepip") is None:
        otherwise = "Then run the same command again."
        if not system_packages.obtain({"ensurepip": f"{version}-venv"}, "A virtual environment", otherwise):
            raise SetupError(f"{sys.executable} cannot make a virtual environment with pip in it.")
    done = subprocess.run(
        [sys.executable, "-m", "venv", str(environment.folder)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0 or not environment.python.exists():
        raise SetupError(
            f"{sys.executable} -m venv {environment.folder} failed:\n{(done.stdout + done.stderr).strip()}\n"
            "Free some disk space or name another folder in NEUROVIEW_VENV, and run the same command again."
        )


def _pins(name: str) -> list[str]:
    """`name==version` as constraints.txt has it (the markers are pip's affair)."""
    found = re.findall(rf"(?m)^{re.escape(name)}==[^\s;]+", CONSTRAINTS.read_text())
    if not found:
        raise SetupError(f"constraints.txt has no line {name}==VERSION; put it back (git checkout constraints.txt).")
    return found[:1]


def _with_progress(label: str, line: list[str], log: Path) -> bool:
    """Runs a command into the log, with one line on the terminal that counts the seconds; whether it succeeded."""
    begin = time.monotonic()
    terminal = sys.stdout.isatty()
    # Cut where the terminal ends, or the carriage return would not get back to the line's start.
    label = label[: shutil.get_terminal_size().columns - 14]
    if not terminal:
        _say(f"{label} ...")
    with log.open("a") as output:
        process = subprocess.Popen(line, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=ROOT)
        try:
            while True:
                try:
                    process.wait(0.5)
                    break
                except subprocess.TimeoutExpired:
                    if terminal:
                        print(f"\r  {label} ... {time.monotonic() - begin:.0f} s", end="", flush=True)
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise
    seconds = f"{time.monotonic() - begin:.0f} s"
    if process.returncode == 0:
        print(f"\r  {label}: {seconds}    " if terminal else f"    {seconds}", flush=True)
        return True
    print(f"\n  {label}: failed after {seconds}")
    for text in log.read_text(errors="replace").splitlines()[-12:]:
        print(f"    {text}")
    return False


def _short(path: Path) -> str:
    """A path as a person would type it from the checkout."""
    return str(path.relative_to(ROOT)) if ROOT in path.parents else str(path)


def _say(text: str) -> None:
    print(f"  {text}", flush=True)

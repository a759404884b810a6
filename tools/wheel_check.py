"""Builds a wheel from the tree, installs it into an empty environment and runs it there, away from the checkout.

A checkout hides what a wheel forgets: a package that is not listed, weights that are not package data. Run by the
environment's Python (`make wheel`). By default the empty environment gets neuroview from its wheel and borrows the
dependencies that are installed already, which takes seconds; `--full` installs those anew too, which takes minutes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from pathlib import Path

from environment import CONSTRAINTS, ROOT, Environment

SHIPPED = ("viewer", "engine", "models", "assets")
BUILT_FROM = ("pyproject.toml", "setup.py", "README.md", "LICENSE")
COMMANDS = (
    ["--version"],
    ["models"],
    ["render", "heads", "--size", "64", "--out", "wheel-check.png"],
)


def main(full: bool) -> int:
    """0 if the wheel holds everything and its command works."""
    with tempfile.TemporaryDirectory(prefix="neuroview-wheel-") as name:
        work = Path(name)
        wheel = build(work)
        forgotten = not_in(wheel)
        if forgotten:
            print(f"the wheel lacks {', '.join(forgotten)}: see package-data in pyproject.toml", file=sys.stderr)
            return 1
        print(f"  {wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB, everything of the tree in it", flush=True)
        environment = install(wheel, work / "venv", full)
        return 0 if works(environment, work) else 1


def build(work: Path) -> Path:
    """The wheel, built from a copy: setuptools would take along what an older build left in the tree's `build/`."""
    source = work / "source"
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    for folder in SHIPPED:
        shutil.copytree(ROOT / folder, source / folder, ignore=ignored)
    for file in BUILT_FROM:
        shutil.copy2(ROOT / file, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--wheel-dir", str(work), str(source)], check=True)
    return next(work.glob("neuroview-*.whl"))


def not_in(wheel: Path) -> list[str]:
    """Files of the four folders that the wheel should hold and does not."""
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    wanted = (path for folder in SHIPPED for path in sorted((ROOT / folder).rglob("*")) if path.is_file())
    names = (path.relative_to(ROOT).as_posix() for path in wanted if "__pycache__" not in path.parts)
    return [name for name in names if f"neuroview/{name}" not in held]


def install(wheel: Path, folder: Path, full: bool) -> Environment:
    """An environment with nothing in it but the wheel, and its dependencies installed or borrowed."""
    environment = Environment(folder)
    subprocess.run([sys.executable, "-m", "venv", *([] if full else ["--without-pip"]), str(folder)], check=True)
    if full:
        pip = [str(environment.python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        torch = next(line for line in CONSTRAINTS.read_text().splitlines() if line.startswith("torch=="))
        subprocess.run([*pip, torch], check=True)
        subprocess.run([*pip, "--constraint", str(CONSTRAINTS), str(wheel)], check=True)
        return environment
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(environment.python)]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)], check=True)
    # A path in a .pth file is looked at after the environment's own packages, and .pth files in it are not: the
    # checkout, which is installed there as editable, stays invisible.
    ours = next(folder.glob("**/site-packages"))
    (ours / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment


def works(environment: Environment, folder: Path) -> bool:
    """Whether the installed command does what it should, with no display and the checkout out of reach."""
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "PYTHONPATH")
    variables = {name: value for name, value in os.environ.items() if name not in hidden}
    where = [str(environment.python), "-c", "import neuroview.viewer as v; print(v.__file__)"]
    place = subprocess.run(where, cwd=folder, env=variables, check=True, capture_output=True, text=True).stdout.strip()
    if not Path(place).resolve().is_relative_to(environment.folder.resolve()):
        print(f"neuroview came from {place}, not from the wheel", file=sys.stderr)
        return False
    for arguments in COMMANDS:
        line = [str(environment.program("neuroview")), *arguments]
        done = subprocess.run(line, cwd=folder, env=variables, check=False, capture_output=True, text=True)
        print(f"  neuroview {' '.join(arguments)}: exit code {done.returncode}", flush=True)
        if done.returncode != 0:
            print(done.stdout[-2000:] + done.stderr[-4000:], file=sys.stderr)
            return False
    return _is_a_picture(folder / "wheel-check.png")


def _is_a_picture(path: Path) -> bool:
    from PIL import Image

    with Image.open(path) as image:
        extrema = image.convert("RGB").getextrema()
    if all(low == high for low, high in extrema):
        print(f"{path.name} is one plain colour", file=sys.stderr)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(full="--full" in sys.argv[1:]))

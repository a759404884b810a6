"""From a bare machine to a running job: sets up what is missing, then runs neuroview, its tests or its benchmarks.

    python3 tools/bootstrap.py run [neuroview's arguments]     (make run)
    python3 tools/bootstrap.py test [pytest's arguments]       (make test)

Needs Python 3.10 or newer and nothing else; a second start finds everything ready and costs a blink.
The environment stands in `.venv`, or where NEUROVIEW_VENV says. On Windows `python tools\\bootstrap.py run` should do
the same; it was written for it and has not been tried there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

OLDEST = (3, 10)
JOBS = {
    "run": "set up, then open the viewer (arguments go to neuroview)",
    "test": "set up, then lint, types, house rules and tests (arguments go to pytest)",
    "lint": "ruff and pyright only",
    "bench": "print the speed tables (arguments, such as a model, go to each)",
    "wheel": "build a wheel, install it into an empty environment and run it there",
    "setup": "set up for development, and no more",
    "exec": "run a program of the environment: exec ruff check",
    "clean": "remove the environment and what builds leave behind",
}


def main(arguments: list[str]) -> int:
    """Does one job; returns its exit code."""
    job, rest = (arguments[0], arguments[1:]) if arguments else ("help", [])
    if rest[:1] == ["--"]:
        rest = rest[1:]
    if job not in JOBS:
        print(__doc__)
        print("\n".join(f"  {name:6} {text}" for name, text in JOBS.items()))
        return 0 if job in ("help", "-h", "--help") else 2
    if sys.version_info < OLDEST:
        return _with_newer_python()
    if job == "clean":
        return _clean()
    # Imported only now: these would not even compile for a Python that is too old to be told so.
    import system_packages
    from environment import Environment, SetupError, chosen_folder

    environment = Environment(chosen_folder())
    dev = job != "run"
    try:
        if not environment.ready(dev):
            environment.fill(dev)
            system_packages.obtain(
                system_packages.missing_for_windows(),
                "A window",
                "Until then neuroview runs without one and writes pictures to files.",
            )
    except SetupError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    if job == "run":
        return _become([str(environment.program("neuroview")), *rest])
    if job == "exec":
        return _become([str(environment.program(rest[0])), *rest[1:]]) if rest else 2
    if job in ("test", "lint"):
        import checks

        return checks.run(environment, rest, tests=job == "test")
    if job == "wheel":
        return _become([str(environment.python), str(_here("wheel_check.py")), *rest])
    if job == "bench":
        return _bench(str(environment.python), rest)
    return 0


def _become(line: list[str]) -> int:
    """Runs a command in this process's place, so that Ctrl-C and signals reach it; Windows can only wait for it."""
    # Variables for the caller's Python would lead this one astray.
    astray = ("PYTHONHOME", "__PYVENV_LAUNCHER__")
    environment = {name: value for name, value in os.environ.items() if name not in astray}
    if not os.path.exists(line[0]):
        print(f"{line[0]} is not there; `make clean` and the same command again set it up anew.", file=sys.stderr)
        return 1
    if os.name != "nt":
        sys.stdout.flush()
        os.execve(line[0], line, environment)
    return subprocess.run(line, env=environment, check=False).returncode


def _bench(python: str, arguments: list[str]) -> int:
    """Runs every script of tests/bench one after the other, each in a process that nothing has warmed up."""
    folder = _here("../tests/bench")
    scripts = sorted(name for name in os.listdir(folder) if name.startswith("bench_") and name.endswith(".py"))
    failed = [name for name in scripts if subprocess.run([python, os.path.join(folder, name), *arguments]).returncode]
    if failed:
        print(f"FAILED: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _with_newer_python() -> int:
    """Goes on with a Python on the path that is new enough, or says what to install."""
    for minor in (13, 12, 11, 10):
        found = shutil.which(f"python3.{minor}")
        if found:
            return subprocess.run([found, *sys.argv], check=False).returncode
    had = ".".join(map(str, sys.version_info[:3]))
    print(f"neuroview needs Python 3.10 to 3.13, and {sys.executable} is {had}.", file=sys.stderr)
    print("Install a newer one, then name it:  make run PYTHON=/path/to/python3.12", file=sys.stderr)
    return 1


def _clean() -> int:
    """Removes `.venv` (never a folder that NEUROVIEW_VENV names: that may be anybody's) and leftovers of builds."""
    root = _here("..")
    for name in (".venv", "build", "dist", "neuroview.egg-info", ".pytest_cache", ".ruff_cache", ".hypothesis"):
        shutil.rmtree(os.path.join(root, name), ignore_errors=True)
    return 0


def _here(name: str) -> str:
    return os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), name))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here", file=sys.stderr)
        sys.exit(130)

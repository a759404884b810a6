"""What `make test` runs, quickest first: lint, format, types, then every test, on a virtual screen of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator

import system_packages
from environment import ROOT, Environment

SCREEN = "1920x1200x24"
"""Large enough for a view and its panel side by side."""


def run(environment: Environment, arguments: list[str], tests: bool) -> int:
    """Runs all the checks, also after one has failed; 0 if none did.

    Args:
        environment: set up for development.
        arguments: passed on to pytest.
        tests: also run the tests, and not only what reads the code.
    """
    variables = _variables()
    python, ruff = str(environment.python), str(environment.program("ruff"))
    steps = {"lint": [ruff, "check", "."], "format": [ruff, "format", "--check", "."], "types": _types(python)}
    failed = [name for name, line in steps.items() if not _passes(name, line, variables)]
    if tests:
        # Asked for every time: a test of a window that is skipped for want of a screen looks like one that passed.
        system_packages.obtain(
            system_packages.missing_for_tests(),
            "A test of a real window",
            "Until then the tests that need a virtual screen cannot run.",
        )
        with virtual_screen() as display:
            if display:
                variables["DISPLAY"] = display
                variables.pop("WAYLAND_DISPLAY", None)
            if not _passes("tests", [python, "-m", "pytest", *arguments], variables):
                failed.append("tests")
    if failed:
        print(f"FAILED: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _variables() -> dict[str, str]:
    # The node that pip installed, and not one that happens to be on the machine: the same everywhere.
    return {**os.environ, "PYRIGHT_PYTHON_GLOBAL_NODE": "0", "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}


def _types(python: str) -> list[str]:
    return [python, "-m", "pyright", "--pythonpath", python]


def _passes(name: str, line: list[str], variables: dict[str, str]) -> bool:
    print(f"== {name}", flush=True)
    begin = time.monotonic()
    passed = subprocess.run(line, cwd=ROOT, env=variables, check=False).returncode == 0
    # pytest has its own closing line, which is to be the last.
    if name != "tests" or not passed:
        print(f"   {name}: {'passed' if passed else 'FAILED'} in {time.monotonic() - begin:.1f} s", flush=True)
    return passed


@contextlib.contextmanager
def virtual_screen() -> Iterator[str | None]:
    """A screen that nobody sees, for as long as the block runs: its DISPLAY, or None where there is no Xvfb.

    Tests get one even on a desktop, where their windows would jump in the person's face and their synthetic mouse
    would move the real one.
    """
    program = shutil.which("Xvfb")
    if program is None or not sys.platform.startswith("linux"):
        yield None
        return
    reading, writing = os.pipe()
    # -displayfd: the server picks a free number itself and says so when it is ready to serve.
    server = subprocess.Popen(
        [program, "-displayfd", str(writing), "-screen", "0", SCREEN, "-nolisten", "tcp", "-noreset"],
        pass_fds=(writing,),
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as pipe:
            number = pipe.readline().strip()
        yield f":{number}" if number else None
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    # As the pre-commit hook calls it, with the environment's own Python.
    sys.exit(subprocess.run(_types(sys.executable), cwd=ROOT, env=_variables(), check=False).returncode)

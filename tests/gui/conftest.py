"""A display for windows, and the rule that no test leaves a thread or a window behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import pytest

DEADLINE = 20.0
"""Seconds that anything may take here; far more than it does, as the machine may be busy."""


@pytest.fixture(scope="session", autouse=True)
def display() -> Iterator[str]:
    """The X display's name: the one that is there, or an Xvfb of our own."""
    if os.environ.get("DISPLAY"):
        yield os.environ["DISPLAY"]
        return
    if shutil.which("Xvfb") is None:
        pytest.skip("there is no display, and no Xvfb to make one (apt-get install xvfb)")
    read, write = os.pipe()
    # Without -noreset the server starts over whenever the last window closes, and refuses whoever comes meanwhile.
    # -displayfd lets the server look for a free number itself: nothing to guess, nobody to race with.
    server = subprocess.Popen(
        [
            "Xvfb",
            "-displayfd",
            str(write),
            "-screen",
            "0",
            "1600x1000x24",
            "+extension",
            "GLX",
            "-nolisten",
            "tcp",
            "-noreset",
        ],
        pass_fds=[write],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    try:
        with os.fdopen(read) as answer:
            number = answer.readline().strip()  # comes once the server is ready; empty when it died
        if not number:
            pytest.skip("Xvfb does not start here")
        os.environ["DISPLAY"] = f":{number}"
        yield os.environ["DISPLAY"]
    finally:
        os.environ.pop("DISPLAY", None)
        server.terminate()
        server.wait(10)


@pytest.fixture(autouse=True)
def nothing_left_behind(display: str) -> Iterator[None]:
    """Fail a test that leaves a thread running or a window open."""
    threads, windows = set(threading.enumerate()), _windows()
    yield
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        left = [t for t in threading.enumerate() if t not in threads and t.name.startswith("neuroview")]
        if not left:
            break
        left[0].join(0.1)
    assert not left, f"threads left behind: {[thread.name for thread in left]}"
    assert _windows() <= windows, "a window was left open"


def _windows() -> set[str]:
    """Identifiers of neuroview's windows on the display; empty without xdotool."""
    if shutil.which("xdotool") is None:
        return set()
    found = subprocess.run(["xdotool", "search", "--class", "neuroview"], capture_output=True, text=True)
    return set(found.stdout.split())


@pytest.fixture
def xdotool() -> Callable[..., None]:
    """Synthetic input through the X server: `xdotool("mousemove", 10, 20, "click", 1)`."""
    if shutil.which("xdotool") is None:
        pytest.skip("xdotool is not installed (apt-get install xdotool)")

    def run(*arguments: object) -> None:
        subprocess.run(["xdotool", *map(str, arguments)], check=True, timeout=DEADLINE)

    return run

"""A display for windows, and the rule that no test leaves a thread or a window behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

DEADLINE = 20.0
"""Seconds that anything may take here; far more than it does, as the machine may be busy."""


@contextmanager
def xvfb(width: int, height: int) -> Iterator[str]:
    """A virtual screen with OpenGL; yields its display's name, or '' where it cannot be had."""
    if shutil.which("Xvfb") is None:
        yield ""
        return
    read, write = os.pipe()
    # Without -noreset the server starts over whenever the last window closes, and refuses whoever comes meanwhile.
    # -displayfd lets the server look for a free number itself: nothing to guess, nobody to race with.
    options = ["-screen", "0", f"{width}x{height}x24", "+extension", "GLX", "-nolisten", "tcp", "-noreset"]
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), *options],
        pass_fds=[write],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    try:
        with os.fdopen(read) as answer:
            number = answer.readline().strip()  # comes once the server is ready; empty when it died
        yield f":{number}" if number else ""
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture(scope="session", autouse=True)
def display() -> Iterator[str]:
    """The X display's name: the one that is there, or an Xvfb of our own."""
    if os.environ.get("DISPLAY"):
        yield os.environ["DISPLAY"]
        return
    with xvfb(1600, 1000) as name:
        if not name:
            pytest.skip("there is no display, and no Xvfb to make one (apt-get install xvfb)")
        os.environ["DISPLAY"] = name
        yield name
        os.environ.pop("DISPLAY", None)


@pytest.fixture(scope="module")
def own_display() -> Iterator[dict[str, str]]:
    """The environment of a screen that nobody else uses: xdotool would move a person's mouse, and other tests'
    windows would lie in the way."""
    if shutil.which("xdotool") is None or not sys.platform.startswith("linux"):
        pytest.skip("synthetic input needs xdotool and X11")
    with xvfb(1680, 1200) as name:
        if not name:
            pytest.skip("needs Xvfb (apt-get install xvfb)")
        environment = {**os.environ, "DISPLAY": name, "LIBGL_ALWAYS_SOFTWARE": "1"}
        environment.pop("WAYLAND_DISPLAY", None)
        yield environment


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

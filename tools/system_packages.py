"""Libraries and programs of the operating system: what is missing, and getting it by apt-get where that is allowed.

Python wheels bring almost everything. What they cannot bring is what talks to the screen: the OpenGL loader with a
driver, the X11 client libraries that GLFW opens by name, and, for tests of real windows, a virtual screen.
"""

from __future__ import annotations

import ctypes
import glob
import os
import shutil
import subprocess
import sys

# What GLFW (in the glfw and dearpygui wheels) and PyOpenGL open by name, and the Debian package that holds each.
WINDOW_LIBRARIES = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libX11.so.6": "libx11-6",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libXext.so.6": "libxext6",
    "libXrender.so.1": "libxrender1",
    "libXcursor.so.1": "libxcursor1",
    "libXi.so.6": "libxi6",
    "libXinerama.so.1": "libxinerama1",
    "libXrandr.so.2": "libxrandr2",
    "libXxf86vm.so.1": "libxxf86vm1",
    "libxkbcommon.so.0": "libxkbcommon0",
    # Not for the window but for what is in it: without OpenMP numba's loops run on a slower layer of threads.
    "libgomp.so.1.0.0": "libgomp1",
    "libgthread-2.0.so.0": "libglib2.0-0",
}
# An OpenGL loader without a driver behind it opens no window; any one of these is a driver.
DRIVER_FILES = (
    "/usr/lib/*/dri/swrast_dri.so",
    "/usr/lib/*/libgallium*.so",
    "/usr/lib*/dri/swrast_dri.so",
    "/usr/lib*/libgallium*.so",
    "/usr/lib/*/libGLX_nvidia.so.*",
    "/usr/lib*/libGLX_nvidia.so.*",
)
DRIVER_PACKAGE = "libgl1-mesa-dri"
TEST_PROGRAMS = {"Xvfb": "xvfb", "xdotool": "xdotool"}


def missing_for_windows() -> dict[str, str]:
    """What a window needs and this machine lacks: name of a library to the Debian package that holds it."""
    if not sys.platform.startswith("linux"):
        return {}
    missing = {name: package for name, package in WINDOW_LIBRARIES.items() if not _opens(name)}
    if not any(glob.glob(pattern) for pattern in DRIVER_FILES):
        missing["an OpenGL driver"] = DRIVER_PACKAGE
    return missing


def missing_for_tests() -> dict[str, str]:
    """Programs that the tests of real windows use and this machine lacks."""
    if not sys.platform.startswith("linux"):
        return {}
    return {name: package for name, package in TEST_PROGRAMS.items() if shutil.which(name) is None}


def obtain(missing: dict[str, str], purpose: str, otherwise: str) -> bool:
    """Installs what is missing, or says in a sentence or two what to type.

    Args:
        missing: name of a library or program to its Debian package; empty: nothing is done.
        purpose: what it is for, completing "... needs".
        otherwise: how things go on without it, a sentence.

    Returns:
        Whether everything is there now.
    """
    if not missing:
        return True
    packages = sorted(set(missing.values()))
    print(f"{purpose} needs what this machine lacks: {', '.join(missing)}", flush=True)
    problem = ""
    if shutil.which("apt-get") is None:
        print("  There is no apt-get here: install what holds them with this system's package manager")
        print(f"  (Debian calls the packages {' '.join(packages)}). {otherwise}", flush=True)
        return False
    prefix = _privileges()
    if prefix is not None:
        print(f"  installing by apt-get: {' '.join(packages)}", flush=True)
        problem = _apt_install(prefix, packages)
        if not problem:
            return True
        problem = f"apt-get could not install them: {problem}\n  "
    print(f"  {problem}Type:  sudo apt-get update && sudo apt-get install -y {' '.join(packages)}")
    print(f"  {otherwise}", flush=True)
    return False


def _opens(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _privileges() -> list[str] | None:
    """What to put before a command for it to run as root: nothing, sudo, or None where neither is to be had."""
    if os.geteuid() == 0:
        return []
    # -n: fail rather than ask for a password.
    sudo = ["sudo", "-n"]
    if shutil.which("sudo") and subprocess.run([*sudo, "true"], capture_output=True, check=False).returncode == 0:
        return sudo
    return None


def _apt_install(prefix: list[str], packages: list[str]) -> str:
    """Installs the packages without a question asked; '' or, if it failed, the line of apt-get that says why."""
    # `env` and not our own environment, because sudo drops that.
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]
    install = [*apt, "install", "-y", "--no-install-recommends", *packages]
    listed = bool(glob.glob("/var/lib/apt/lists/*_Packages*"))
    # Lists that are there may be of last year, and name files that the mirror no longer has: then once more.
    for update_first in (False, True) if listed else (True,):
        if update_first:
            _quietly([*apt, "update"])
        done = _quietly(install)
        if done.returncode == 0:
            return ""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("E:")]
    return (errors or lines or [f"exit code {done.returncode}"])[0]


def _quietly(line: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(line, capture_output=True, stdin=subprocess.DEVNULL, text=True, check=False)

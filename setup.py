"""Finds the packages: top-level folders `viewer`, `engine`, `models`, `assets` install as `neuroview.*`.

Everything else stands in pyproject.toml. A list there would have to be kept by hand, and a forgotten sub-package is
missing only from a wheel, where no test of a checkout sees it.
"""

from pathlib import Path

from setuptools import find_packages, setup

TOP_LEVEL = ("viewer", "engine", "models", "assets")


def packages() -> list[str]:
    """Import names of every folder with an `__init__.py` below the four top-level ones."""
    found = find_packages(str(Path(__file__).parent), include=[*TOP_LEVEL, *(f"{name}.*" for name in TOP_LEVEL)])
    return sorted(f"neuroview.{name}" for name in found)


if __name__ == "__main__":
    setup(packages=packages())

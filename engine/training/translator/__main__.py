"""Command: `python -m neuroview.engine.training.translator --data CLIPS --out DIR --minutes 85`."""

import sys

from .command import run_as_module

if __name__ == "__main__":
    sys.exit(run_as_module())

"""What a training run says of itself: means of its losses since it last spoke, a line of JSON at a time."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Journal:
    """Collects figures of steps and writes their means.

    Args:
        folder: where `metrics.jsonl` grows; None: lines are only printed.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._sums: dict[str, tuple[float, int]] = {}
        self._steps, self._since = 0, time.perf_counter()

    def note(self, values: Mapping[str, float]) -> None:
        """One step's figures; not every step has all of them."""
        for name, value in values.items():
            total, count = self._sums.get(name, (0.0, 0))
            self._sums[name] = (total + value, count + 1)
        self._steps += 1

    def write(self, head: Mapping[str, Any], tail: Mapping[str, float]) -> None:
        """A line: `head` as it is, steps a second, the means of what was noted, and `tail`."""
        now = time.perf_counter()
        record = {
            **head,
            "steps_per_s": round(self._steps / max(now - self._since, 1e-9), 3),
            **{name: round(total / count, 5) for name, (total, count) in self._sums.items()},
            **{name: round(value, 4) for name, value in tail.items()},
        }
        self._sums, self._steps, self._since = {}, 0, now
        line = json.dumps(record)
        print(line, flush=True)
        if self.folder is not None:
            with (self.folder / "metrics.jsonl").open("a") as file:
                file.write(line + "\n")

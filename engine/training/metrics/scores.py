"""Named figures that are gathered one by one and averaged at the end."""

from __future__ import annotations

import math


class Scores:
    """Values by name."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = {}

    def note(self, **values: float) -> None:
        """Adds one value to each name; a nan says that nothing could be measured and is left out."""
        for name, value in values.items():
            if not math.isnan(value):
                self._values.setdefault(name, []).append(value)

    def means(self, digits: int = 4) -> dict[str, float]:
        """The mean of each name."""
        return {name: round(sum(values) / len(values), digits) for name, values in self._values.items()}

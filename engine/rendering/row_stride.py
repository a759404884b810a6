"""In which order the rows of a picture are rendered by several threads."""

from __future__ import annotations

import math


def row_stride(rows: int) -> int:
    """A step through `rows` rows that visits each once and spreads neighbours over the threads' equal shares."""
    stride = max(1, round(rows * 0.382))
    while math.gcd(stride, rows) != 1:
        stride += 1
    return stride

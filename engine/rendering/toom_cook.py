"""Minimal filtering: outputs of a short filter with as few products as there are inputs.

    y = A^T [(G g) * (B^T d)],    y[i] = sum over k of d[i + k] g[k]     (Winograd 1980; Lavin and Gray 2016, eq. 5)

d and g are taken for polynomials and multiplied at points, one of which is infinity (Toom and Cook).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

Matrix = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Filtering:
    """Matrices of one algorithm with n inputs, m outputs and p products."""

    data: Matrix
    """B^T, p rows of n."""
    filter: np.ndarray
    """G, [p, taps] float64"""
    output: Matrix
    """A^T, m rows of p."""

    @property
    def inputs(self) -> int:
        """Neighbours that are read."""
        return len(self.data[0])

    @property
    def outputs(self) -> int:
        """Neighbours that are written."""
        return len(self.output)

    @property
    def products(self) -> int:
        """Products of one row; a square takes their square."""
        return len(self.data)


def filtering(taps: int, points: Sequence[float]) -> Filtering:
    """F(m, taps) with one product for each point and one for infinity, so that m = len(points) + 2 - taps.

    Args:
        taps: of the filter.
        points: different numbers; small ones, and with each its negative and its reciprocal, keep rounding small.
    """
    exact = [Fraction(p) for p in points]
    outputs = len(exact) + 2 - taps
    data, factors = [], []
    for point in exact:
        others = [other for other in exact if other != point]
        norm = Fraction(1)
        for other in others:
            norm *= point - other
        data.append([*_with_roots(others), Fraction(0)])
        factors.append([point**k / norm for k in range(taps)])
    data.append(_with_roots(exact))
    factors.append([Fraction(k == taps - 1) for k in range(taps)])
    output = [[*(p**i for p in exact), Fraction(i == outputs - 1)] for i in range(outputs)]
    return Filtering(_floats(data), np.array(_floats(factors)), _floats(output))


def doubling(even: Filtering) -> Filtering:
    """A transposed convolution of stride 2 with three taps, u[2 i + k] += x[i] g[k], of the algorithm of its even ones.

    u[2 i] = x[i] g[0] + x[i - 1] g[2] has two taps, u[2 i + 1] = x[i] g[1] is one product. d[0] is x[-1].
    """
    inputs, products = even.inputs, even.products
    plain = [tuple(float(k == i + 1) for k in range(inputs)) for i in range(even.outputs)]
    factors = np.zeros((products + even.outputs, 3))
    factors[:products, [2, 0]] = even.filter
    factors[products:, 1] = 1.0
    output = []
    for i in range(even.outputs):
        output.append(even.output[i] + (0.0,) * even.outputs)
        output.append((0.0,) * products + tuple(float(k == i) for k in range(even.outputs)))
    return Filtering((*even.data, *plain), factors, tuple(output))


def _with_roots(roots: Sequence[Fraction]) -> list[Fraction]:
    """Coefficients of the polynomial with these roots, the constant one first."""
    made = [Fraction(1)]
    for root in roots:
        made = [low - root * high for low, high in zip([Fraction(0), *made], [*made, Fraction(0)], strict=True)]
    return made


def _floats(rows: Sequence[Sequence[Fraction]]) -> Matrix:
    return tuple(tuple(float(value) for value in row) for row in rows)

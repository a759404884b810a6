"""The Frechet distance between two sets of features, each taken as a Gaussian (Heusel et al. 2017, equation 6).

Over Inception's features it is called FID. Ours are a small segmenter's: the figures compare with each other only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .similarity import MeasureError

NAME = "Frechet distance over town-segmenter features"


def frechet_distance(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """|mean_a - mean_b|^2 + tr(A + B - 2 (A B)^1/2), A and B the covariances.

    Args:
        a, b: [n, D] and [m, D], at least two rows each.

    Raises:
        MeasureError: too few rows, different widths, or values that are not finite.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise MeasureError(f"features of {a.shape} and {b.shape}; expected [2 or more, D] of the same D")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise MeasureError("the features hold values that are not finite; a painted picture was NaN")
    return frechet_of_moments(*moments(a), *moments(b))


def moments(features: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean [D] and covariance [D, D] of features [n, D]."""
    values = features.astype(np.float64)
    return values.mean(0), np.atleast_2d(np.cov(values, rowvar=False))


def frechet_of_moments(
    mean_a: NDArray[np.float64], first: NDArray[np.float64], mean_b: NDArray[np.float64], second: NDArray[np.float64]
) -> float:
    """The same of means [D] and covariances [D, D], for sets whose features are not kept."""
    # tr (A B)^1/2 = tr (A^1/2 B A^1/2)^1/2, whose inside is symmetric: no complex roots, no scipy.
    root = _root(first)
    shared = np.linalg.eigvalsh(root @ second @ root)
    shift = mean_a - mean_b
    distance = shift @ shift + np.trace(first) + np.trace(second) - 2 * np.sqrt(shared.clip(0)).sum()
    return float(max(distance, 0.0))


def _root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The positive semi-definite square root of a covariance."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(values.clip(0))) @ vectors.T

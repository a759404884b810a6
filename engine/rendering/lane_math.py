"""Exponentials for compiled loops, as polynomials that the compiler turns into vectors; calls to libm stay scalar."""

from __future__ import annotations

import math

import numpy as np

from .lanes import float_of, lane_loops


@lane_loops
def exp(x):
    """e^x for x <= 87 to 2e-7: 2^n by the exponent's bits, the rest by its series."""
    t = max(x, np.float32(-87.0)) * np.float32(1.44269504)
    n = math.floor(t + np.float32(0.5))
    f = (t - np.float32(n)) * np.float32(0.69314718)
    p = np.float32(1.0 / 720.0)
    p = p * f + np.float32(1.0 / 120.0)
    p = p * f + np.float32(1.0 / 24.0)
    p = p * f + np.float32(1.0 / 6.0)
    p = p * f + np.float32(0.5)
    p = p * f + np.float32(1.0)
    p = p * f + np.float32(1.0)
    return p * float_of((np.int32(n) + np.int32(127)) << np.int32(23))  # pyright: ignore[reportCallIssue]


@lane_loops
def softplus(x):
    """log(1 + e^x) to 1e-6: max(x, 0) + log(1 + y) with y = e^-|x|, the logarithm by its area tangent."""
    y = exp(-abs(x))
    s = y / (np.float32(2.0) + y)
    q = s * s
    p = np.float32(2.0 / 11.0)
    p = p * q + np.float32(2.0 / 9.0)
    p = p * q + np.float32(2.0 / 7.0)
    p = p * q + np.float32(2.0 / 5.0)
    p = p * q + np.float32(2.0 / 3.0)
    p = p * q + np.float32(2.0)
    return max(x, np.float32(0.0)) + s * p


@lane_loops
def sigmoid(x):
    """1 / (1 + e^-x) to 2e-7."""
    part = exp(-abs(x))
    high = np.float32(1.0) / (np.float32(1.0) + part)
    return high if x >= np.float32(0.0) else np.float32(1.0) - high

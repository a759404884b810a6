"""What an instance id will look like: the shaders draw a house's style from a hash of its id, and so may we."""

from __future__ import annotations

_MASK = 0xFFFFFFFF
_SHOP, _MODERN = 0.35, 0.82
"""Thresholds of `facade` in glsl/surfaces.glsl."""


def code(instance: int, stream: int) -> float:
    """0..1; PCG's permutation, as in glsl/common.glsl."""
    state = (instance * 747796405 + 2891336453 + 1013904223 * stream) & _MASK
    word = (((state >> ((state >> 28) + 4)) ^ state) * 277803737) & _MASK
    return (((word >> 22) ^ word) >> 8) / 16777216.0


def has_shop(instance: int) -> bool:
    """Whether the ground floor of this house is a row of shops."""
    return code(instance, 1) > _SHOP


def is_modern(instance: int) -> bool:
    """Whether this house is of glass and concrete."""
    return code(instance, 2) > _MODERN


def is_dwelling(instance: int) -> bool:
    """Neither: a place to live in."""
    return not has_shop(instance) and not is_modern(instance)


def is_traditional(instance: int) -> bool:
    """With or without shops, but not modern."""
    return not is_modern(instance)

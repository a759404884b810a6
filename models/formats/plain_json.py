"""Frozen dataclasses of numbers, texts and other such dataclasses, to plain JSON and back, checked by their types."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ..errors import CheckpointError

Made = TypeVar("Made")
_MOST_ITEMS = 100_000
_LARGEST = 1e12


def to_plain(value: Any) -> Any:
    """A dataclass as a dictionary, tuples as lists; numbers, texts and None as they are."""
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: to_plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, (list, tuple)):
        return [to_plain(part) for part in value]
    return value


def from_plain(kind: type[Made], given: Any, what: str) -> Made:
    """The dataclass that `to_plain` wrote; what is missing takes its default.

    Args:
        kind: the dataclass.
        given: from JSON.
        what: its name in errors.

    Raises:
        CheckpointError: a key is unknown, a value has another type, or the dataclass refuses it.
    """
    return _restored(kind, given, what)


def _restored(kind: Any, given: Any, what: str) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        return _dataclass(kind, given, what)
    if origin in (Union, types.UnionType):
        if given is None and type(None) in inner:
            return None
        return _restored(next(part for part in inner if part is not type(None)), given, what)
    if origin is Literal:
        if given not in inner:
            raise CheckpointError(f"{what} is {str(given)[:80]!r}; expected one of {', '.join(map(str, inner))}")
        return given
    if origin is tuple:
        if not isinstance(given, list) or len(given) > _MOST_ITEMS:
            raise CheckpointError(f"{what} is a {type(given).__name__}; expected a list")
        if inner[-1] is Ellipsis:
            return tuple(_restored(inner[0], part, what) for part in given)
        if len(given) != len(inner):
            raise CheckpointError(f"{what} has {len(given)} values; expected {len(inner)}")
        return tuple(_restored(part, value, what) for part, value in zip(inner, given, strict=True))
    return _scalar(kind, given, what)


def _scalar(kind: Any, given: Any, what: str) -> Any:
    if kind is float and isinstance(given, int) and not isinstance(given, bool):
        given = float(given) if abs(given) <= _LARGEST else given
    wrong = not isinstance(given, kind) or (isinstance(given, bool) and kind is not bool)
    # nan compares false, and so is refused too.
    if wrong or (kind in (int, float) and not abs(given) <= _LARGEST):
        raise CheckpointError(f"{what} is {str(given)[:80]!r}; expected a usable {kind.__name__}")
    return given


def _dataclass(kind: Any, given: Any, what: str) -> Any:
    if not isinstance(given, Mapping):
        raise CheckpointError(f"{what} is a {type(given).__name__}; expected an object of named values")
    hints = get_type_hints(kind)
    known = {item.name for item in fields(kind)}
    for key in given:
        if key not in known:
            raise CheckpointError(f"{what} has unknown key {str(key)[:80]!r}; known are {', '.join(sorted(known))}")
    values = {key: _restored(hints[key], value, f"{what}.{key}") for key, value in given.items()}
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{what}: {str(error)[:200]}") from error

"""What pickles are made into and how much of it is allowed: limits, budget, names and stand-ins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import CheckpointError

if TYPE_CHECKING:
    from .pickle_machine import PickleMachine


@dataclass(frozen=True)
class Limits:
    """What an honest checkpoint stays below by a wide margin."""

    file_bytes: int = 16 << 30
    """Largest file, and largest sum of all tensors in it."""
    opcodes: int = 5_000_000
    """Pickle instructions; the largest released EG3D file has about 20 000."""
    memo: int = 1_000_000
    """Remembered objects."""
    stack: int = 200_000
    """Values on the machine's stack."""
    marks: int = 500
    """Open brackets, that is, nesting while reading."""
    streams: int = 4
    """Streams within streams."""


@dataclass(frozen=True)
class Global:
    """A name met in a pickle: never imported, only looked up in an allow-list."""

    name: str


class Stub:
    """Stands for an object of a class that is not loaded: its class name, constructor arguments and state."""

    __slots__ = ("args", "name", "state")

    def __init__(self, name: str, args: tuple[Any, ...] = (), state: dict[str, Any] | None = None) -> None:
        self.name = name
        self.args = args
        self.state: dict[str, Any] = {} if state is None else state

    def set_state(self, machine: PickleMachine, state: Any) -> None:
        """Takes what BUILD gives: the instance's attributes."""
        if isinstance(state, tuple) and len(state) == 2 and not state[1]:
            state = state[0] or {}  # (attributes, no slots)
        if not isinstance(state, dict):
            raise CheckpointError(f"the state of a {self.name} is a {type(state).__name__}; expected its attributes")
        self.state = state

    def __repr__(self) -> str:
        return f"Stub({self.name})"


class Budget:
    """What may still be spent on one file, shared by all streams nested in it.

    Nested byte strings can be named any number of times, so each stream's own size bounds nothing.
    """

    __slots__ = ("bytes", "opcodes")

    def __init__(self, nbytes: int, opcodes: int) -> None:
        self.bytes = nbytes
        """For tensors and copies: an honest file holds no more of them than its own size."""
        self.opcodes = opcodes


_KEYS = (str, int, float, bytes, type(None), Global)  # bool is an int


def is_plain_key(key: Any) -> bool:
    """Whether hashing `key` is harmless: deep tuples hash by C recursion and can exhaust the stack."""
    return isinstance(key, _KEYS) or (isinstance(key, tuple) and all(isinstance(part, _KEYS) for part in key))

"""What one key can do: the kinds of verbs, and the rows of the key table that hold them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from ..engine.state import ViewState

Mode = Literal["generator", "drive"]
"""What is in the window: the picture of a generator, or a drive."""
MODES: tuple[Mode, ...] = ("generator", "drive")


@dataclass(frozen=True)
class Edit:
    """One press changes the state, as one step of the history."""

    label: str
    apply: Callable[[ViewState, int], ViewState]
    """(state, number of the model's layers) -> state."""


@dataclass(frozen=True)
class Call:
    """One press calls a method of `Actions`; 'drive.toggle' is one of `Actions.drive`."""

    name: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Hold:
    """The movement goes on while the key is down; the names are `input.MOTIONS`."""

    motion: str


@dataclass(frozen=True)
class Pedal:
    """Something in the car that is held while the key is down; the names are `driving.seat.PEDALS`."""

    name: str


@dataclass(frozen=True)
class Own:
    """The window does it: 'help', 'overlay', 'minimap', 'full screen', 'copy', 'paste', 'screenshot as shown' or
    'dismiss'."""

    name: str


Verb = Edit | Call | Hold | Pedal | Own


@dataclass(frozen=True)
class Row:
    """One line of the help."""

    group: str
    shown: tuple[str, ...]
    """Key caps (or mouse movements) as drawn; alternatives side by side."""
    does: str
    keys: dict[str, Verb] = field(default_factory=dict)
    """Chords ('Ctrl+Shift+Z', 'Left', '[') and their verbs; empty for the mouse."""
    mode: Mode | None = None
    """Where it counts; None: everywhere."""


def same(verb: Verb, *chords: str) -> dict[str, Verb]:
    """Several chords for one verb."""
    return dict.fromkeys(chords, verb)


@dataclass(frozen=True)
class Modifiers:
    """Modifier keys that are down. Command on macOS counts as Ctrl."""

    shift: bool = False
    ctrl: bool = False
    alt: bool = False

"""`KEYMAP`: what every key and mouse movement does. The window, the help overlay and the README all read this table."""

from __future__ import annotations

from dataclasses import dataclass, field

from . import input as hand


@dataclass(frozen=True)
class Edit:
    """One press changes the state, as one step of the history."""

    label: str
    apply: hand.Edit


@dataclass(frozen=True)
class Call:
    """One press calls a method of `Actions`."""

    name: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Hold:
    """The movement goes on while the key is down; the names are `input.MOTIONS`."""

    motion: str


@dataclass(frozen=True)
class Own:
    """The window does it: 'help', 'overlay', 'full screen', 'copy', 'paste', 'screenshot as shown' or 'dismiss'."""

    name: str


Verb = Edit | Call | Hold | Own


@dataclass(frozen=True)
class Row:
    """One line of the help."""

    group: str
    shown: tuple[str, ...]
    """Key caps (or mouse movements) as drawn; alternatives side by side."""
    does: str
    keys: dict[str, Verb] = field(default_factory=dict)
    """Chords ('Ctrl+Shift+Z', 'Left', '[') and their verbs; empty for the mouse, whose handling is `pointer.py`."""


def _same(verb: Verb, *chords: str) -> dict[str, Verb]:
    return dict.fromkeys(chords, verb)


KEYMAP: tuple[Row, ...] = (
    Row("Look around", ("Drag",), "Orbit"),
    Row("Look around", ("Right drag", "Shift drag"), "Pan"),
    Row("Look around", ("Alt drag",), "Roll"),
    Row("Look around", ("Scroll",), "Field of view"),
    Row("Look around", ("Ctrl scroll",), "Distance"),
    Row("Look around", ("Double-click", "R"), "First view", _same(Call("reset_camera"), "R", "Home")),
    Row(
        "Look around",
        ("Arrows",),
        "Orbit",
        {name: Hold(f"orbit {name.lower()}") for name in ("Left", "Right", "Up", "Down")},
    ),
    Row(
        "Look around",
        ("W", "A", "S", "D"),
        "Fly",
        {"W": Hold("forward"), "A": Hold("left"), "S": Hold("back"), "D": Hold("right")},
    ),
    Row("Look around", ("Q", "E"), "Down, up", {"Q": Hold("down"), "E": Hold("up")}),
    Row("Look around", ("Z", "X"), "Roll", {"Z": Hold("roll left"), "X": Hold("roll right")}),
    Row(
        "Look around",
        ("+", "−"),
        "Field of view",
        {**_same(Hold("zoom in"), "+", "=", "Keypad +"), **_same(Hold("zoom out"), "-", "Keypad -")},
    ),
    Row("Look around", ("PgUp", "PgDn"), "Distance", {"PageUp": Hold("nearer"), "PageDown": Hold("farther")}),
    Row(
        "Look around",
        ("J", "L"),
        "Training camera before, next",
        {"J": Call("previous_pose"), "L": Call("next_pose")},
    ),
    Row("Look around", ("Shift M",), "Fly past the training cameras", _same(Call("toggle_flight"), "Shift+M")),
    Row("Identity", ("Space",), "New random seeds", _same(Call("random_seeds"), "Space")),
    Row(
        "Identity",
        ("[", "]"),
        "Seed A",
        {"[": Edit("Seed A", hand.seeds(a=-1)), "]": Edit("Seed A", hand.seeds(a=1))},
    ),
    Row(
        "Identity",
        ("Shift [", "]"),
        "Seed B",
        {"Shift+[": Edit("Seed B", hand.seeds(b=-1)), "Shift+]": Edit("Seed B", hand.seeds(b=1))},
    ),
    Row(
        "Identity",
        (",", "."),
        "Mix towards A, B",
        {",": Edit("Mix", hand.mix(-0.05, -0.05)), ".": Edit("Mix", hand.mix(0.05, 0.05))},
    ),
    Row(
        "Identity",
        ("Shift ,", "."),
        "Mix the shape only",
        {"Shift+,": Edit("Geometry mix", hand.mix(-0.05)), "Shift+.": Edit("Geometry mix", hand.mix(0.05))},
    ),
    Row(
        "Identity",
        ("Ctrl ,", "."),
        "Mix the colours only",
        {
            "Ctrl+,": Edit("Appearance mix", hand.mix(0, -0.05)),
            "Ctrl+.": Edit("Appearance mix", hand.mix(0, 0.05)),
        },
    ),
    Row(
        "Identity",
        ("T", "Shift T"),
        "Truncation ψ up, down",
        {"T": Edit("Truncation", hand.truncation(0.05)), "Shift+T": Edit("Truncation", hand.truncation(-0.05))},
    ),
    Row(
        "Identity",
        ("K", "Shift K"),
        "Truncated layers up, down",
        {"K": Edit("Cutoff", hand.cutoff(1)), "Shift+K": Edit("Cutoff", hand.cutoff(-1))},
    ),
    Row("Identity", ("N",), "Next noise mode", _same(Edit("Noise", hand.next_noise), "N")),
    Row("Identity", ("M",), "Animate", _same(Call("toggle_animation"), "M")),
    Row(
        "Picture",
        ("1", "…", "5"),
        "Colour, raw, depth, normals, alpha",
        {
            str(i): Call("set_output", (kind,))
            for i, kind in enumerate(("rgb", "raw", "depth", "normals", "alpha"), start=1)
        },
    ),
    Row("Picture", ("O",), "Next output", _same(Call("cycle_output"), "O")),
    Row("Picture", ("G",), "Next quality rung", _same(Edit("Quality", hand.next_rung), "G")),
    Row("Picture", ("P", "Ctrl S"), "Screenshot", _same(Call("screenshot"), "P", "Ctrl+S")),
    Row("Picture", ("Shift P",), "Screenshot as large as here", _same(Own("screenshot as shown"), "Shift+P")),
    Row("Picture", ("Ctrl C",), "Copy the state", _same(Own("copy"), "Ctrl+C")),
    Row("Picture", ("Ctrl V",), "Paste a state or a path", _same(Own("paste"), "Ctrl+V")),
    Row("Picture", ("Drop a file",), "Open a model or a screenshot"),
    Row("Window", ("Ctrl Z",), "Undo", _same(Call("undo"), "Ctrl+Z")),
    Row("Window", ("Ctrl Y",), "Redo", _same(Call("redo"), "Ctrl+Y", "Ctrl+Shift+Z")),
    Row("Window", ("F", "F11"), "Full screen", _same(Own("full screen"), "F", "F11")),
    Row("Window", ("H", "Tab"), "Overlay on, off", _same(Own("overlay"), "H", "Tab")),
    Row("Window", ("F1", "?"), "This help", _same(Own("help"), "F1", "Shift+/", "?")),
    Row("Window", ("Esc",), "Dismiss, leave full screen", _same(Own("dismiss"), "Escape")),
    Row("Window", ("Ctrl Q",), "Quit", _same(Call("quit"), "Ctrl+Q", "Ctrl+W")),
)

CHORDS: dict[str, Verb] = {chord: verb for row in KEYMAP for chord, verb in row.keys.items()}
"""Every chord and what it does."""


@dataclass(frozen=True)
class Modifiers:
    """Modifier keys that are down. Command on macOS counts as Ctrl."""

    shift: bool = False
    ctrl: bool = False
    alt: bool = False


def find_verb(names: tuple[str, ...], modifiers: Modifiers) -> Verb | None:
    """What a key press does, or None.

    Args:
        names: what the key may be called, best first: as the keyboard's layout labels it, then by its place on a
            US keyboard, so that '[' can be pressed where a German layout has no such key.
    """
    prefix = ("Ctrl+" if modifiers.ctrl else "") + ("Alt+" if modifiers.alt else "")
    prefix += "Shift+" if modifiers.shift else ""
    for name in names:
        verb = CHORDS.get(prefix + name)
        if verb is None and modifiers == Modifiers(shift=True):  # Shift makes held movements faster
            verb = CHORDS.get(name)
            verb = verb if isinstance(verb, Hold) else None
        if verb is not None:
            return verb
    return None


def readme_section() -> str:
    """The table as Markdown, for the README: `python -m neuroview.viewer.keymap`."""
    lines: list[str] = []
    for group in dict.fromkeys(row.group for row in KEYMAP):
        lines += [f"**{group}**", "", "| | |", "|---|---|"]
        for row in KEYMAP:
            if row.group == group:
                caps = " ".join(f"<kbd>{cap}</kbd>" if cap != "…" else "…" for cap in row.shown)
                lines.append(f"| {caps} | {row.does} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    print(readme_section())

"""`KEYMAP`: what every key and mouse movement does. The window, the help overlay and the README all read this table."""

from __future__ import annotations

from functools import partial

from . import input as hand
from .driving.keys import DRIVE_ROWS
from .editing.keys import EDIT_ROWS, SESSION_ROWS
from .verbs import MODES, Call, Edit, Hold, Mode, Modifiers, Own, Pedal, Row, Verb, same

__all__ = ["KEYMAP", "Call", "Edit", "Hold", "Modifiers", "Own", "Pedal", "Row", "Verb", "chords", "find_verb"]

_generator = partial(Row, mode="generator")

KEYMAP: tuple[Row, ...] = (
    _generator("Look around", ("Drag",), "Orbit"),
    _generator("Look around", ("Right drag", "Shift drag"), "Pan"),
    _generator("Look around", ("Alt drag",), "Roll"),
    _generator("Look around", ("Scroll",), "Field of view"),
    _generator("Look around", ("Ctrl scroll",), "Distance"),
    _generator("Look around", ("Double-click", "R"), "First view", same(Call("reset_camera"), "R", "Home")),
    _generator(
        "Look around",
        ("Arrows",),
        "Orbit",
        {name: Hold(f"orbit {name.lower()}") for name in ("Left", "Right", "Up", "Down")},
    ),
    _generator(
        "Look around",
        ("W", "A", "S", "D"),
        "Fly",
        {"W": Hold("forward"), "A": Hold("left"), "S": Hold("back"), "D": Hold("right")},
    ),
    _generator("Look around", ("Q", "E"), "Down, up", {"Q": Hold("down"), "E": Hold("up")}),
    _generator("Look around", ("Z", "X"), "Roll", {"Z": Hold("roll left"), "X": Hold("roll right")}),
    _generator(
        "Look around",
        ("+", "−"),
        "Field of view",
        {**same(Hold("zoom in"), "+", "=", "Keypad +"), **same(Hold("zoom out"), "-", "Keypad -")},
    ),
    _generator("Look around", ("PgUp", "PgDn"), "Distance", {"PageUp": Hold("nearer"), "PageDown": Hold("farther")}),
    _generator(
        "Look around",
        ("J", "L"),
        "Training camera before, next",
        {"J": Call("previous_pose"), "L": Call("next_pose")},
    ),
    _generator("Look around", ("Shift M",), "Fly past the training cameras", same(Call("toggle_flight"), "Shift+M")),
    _generator("Identity", ("Space",), "New random seeds", same(Call("random_seeds"), "Space")),
    _generator(
        "Identity",
        ("[", "]"),
        "Seed A",
        {"[": Edit("Seed A", hand.seeds(a=-1)), "]": Edit("Seed A", hand.seeds(a=1))},
    ),
    _generator(
        "Identity",
        ("Shift [", "]"),
        "Seed B",
        {"Shift+[": Edit("Seed B", hand.seeds(b=-1)), "Shift+]": Edit("Seed B", hand.seeds(b=1))},
    ),
    _generator(
        "Identity",
        (",", "."),
        "Mix towards A, B",
        {",": Edit("Mix", hand.mix(-0.05, -0.05)), ".": Edit("Mix", hand.mix(0.05, 0.05))},
    ),
    _generator(
        "Identity",
        ("Shift ,", "."),
        "Mix the shape only",
        {"Shift+,": Edit("Geometry mix", hand.mix(-0.05)), "Shift+.": Edit("Geometry mix", hand.mix(0.05))},
    ),
    _generator(
        "Identity",
        ("Ctrl ,", "."),
        "Mix the colours only",
        {
            "Ctrl+,": Edit("Appearance mix", hand.mix(0, -0.05)),
            "Ctrl+.": Edit("Appearance mix", hand.mix(0, 0.05)),
        },
    ),
    _generator(
        "Identity",
        ("T", "Shift T"),
        "Truncation ψ up, down",
        {"T": Edit("Truncation", hand.truncation(0.05)), "Shift+T": Edit("Truncation", hand.truncation(-0.05))},
    ),
    _generator(
        "Identity",
        ("K", "Shift K"),
        "Truncated layers up, down",
        {"K": Edit("Cutoff", hand.cutoff(1)), "Shift+K": Edit("Cutoff", hand.cutoff(-1))},
    ),
    _generator("Identity", ("N",), "Next noise mode", same(Edit("Noise", hand.next_noise), "N")),
    _generator("Identity", ("M",), "Animate", same(Call("toggle_animation"), "M")),
    _generator(
        "Picture",
        ("1", "…", "5"),
        "Colour, raw, depth, normals, alpha",
        {
            str(i): Call("set_output", (kind,))
            for i, kind in enumerate(("rgb", "raw", "depth", "normals", "alpha"), start=1)
        },
    ),
    _generator("Picture", ("O",), "Next output", same(Call("cycle_output"), "O")),
    _generator("Picture", ("G",), "Next quality rung", same(Edit("Quality", hand.next_rung), "G")),
    _generator("Picture", ("P", "Ctrl S"), "Screenshot", same(Call("screenshot"), "P", "Ctrl+S")),
    _generator("Picture", ("Shift P",), "Screenshot as large as here", same(Own("screenshot as shown"), "Shift+P")),
    *EDIT_ROWS,
    *DRIVE_ROWS,
    *SESSION_ROWS,
    Row("Picture", ("Ctrl C",), "Copy the state", same(Own("copy"), "Ctrl+C")),
    Row("Picture", ("Ctrl V",), "Paste a state or a path", same(Own("paste"), "Ctrl+V")),
    Row("Picture", ("Drop a file",), "Model, view, drive, photo, session"),
    Row("Window", ("F2",), "Drive, or back to the generators", same(Call("drive.toggle"), "F2")),
    Row("Window", ("Ctrl Z",), "Undo", same(Call("undo"), "Ctrl+Z")),
    Row("Window", ("Ctrl Y",), "Redo", same(Call("redo"), "Ctrl+Y", "Ctrl+Shift+Z")),
    Row("Window", ("F", "F11"), "Full screen", same(Own("full screen"), "F", "F11")),
    Row("Window", ("H", "Tab"), "Overlay on, off", same(Own("overlay"), "H", "Tab")),
    Row("Window", ("F1", "?"), "This help", same(Own("help"), "F1", "Shift+/", "?")),
    Row("Window", ("Esc",), "Dismiss, leave full screen", same(Own("dismiss"), "Escape")),
    _generator("Window", ("Ctrl Q",), "Quit", same(Call("quit"), "Ctrl+Q", "Ctrl+W")),
    Row("Window", ("Ctrl Q",), "Quit", same(Call("quit"), "Ctrl+Q"), mode="drive"),  # W is the throttle
)


_CHORDS: dict[Mode, dict[str, Verb]] = {
    mode: {chord: verb for row in KEYMAP if row.mode in (None, mode) for chord, verb in row.keys.items()}
    for mode in MODES
}


def help_rows(mode: Mode) -> tuple[Row, ...]:
    """The lines of the table that count in `mode`."""
    return tuple(row for row in KEYMAP if row.mode in (None, mode))


def chords(mode: Mode) -> dict[str, Verb]:
    """Every chord that counts in `mode`, and what it does."""
    return _CHORDS[mode]


def find_verb(names: tuple[str, ...], modifiers: Modifiers, mode: Mode = "generator") -> Verb | None:
    """What a key press does in `mode`, or None.

    Args:
        names: what the key may be called, best first: as the keyboard's layout labels it, then by its place on a
            US keyboard, so that '[' can be pressed where a German layout has no such key.
    """
    prefix = ("Ctrl+" if modifiers.ctrl else "") + ("Alt+" if modifiers.alt else "")
    prefix += "Shift+" if modifiers.shift else ""
    found = _CHORDS[mode]
    for name in names:
        verb = found.get(prefix + name)
        if verb is None and modifiers == Modifiers(shift=True):  # Shift makes held movements faster
            verb = found.get(name)
            verb = verb if isinstance(verb, (Hold, Pedal)) else None
        if verb is not None:
            return verb
    return None


def readme_section() -> str:
    """The table as Markdown, for the README: `python -m neuroview.viewer.keymap`."""
    lines: list[str] = []
    shown = tuple({(row.group, row.shown, row.does): row for row in KEYMAP}.values())
    for group in dict.fromkeys(row.group for row in shown):
        lines += [f"**{group}**", "", "| | |", "|---|---|"]
        for row in shown:
            if row.group == group:
                caps = " ".join(f"<kbd>{cap}</kbd>" if cap != "…" else "…" for cap in row.shown)
                lines.append(f"| {caps} | {row.does} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    print(readme_section())

"""What the keys and the mouse do while editing: they count beside the generators' own."""

from __future__ import annotations

from functools import partial

from ..verbs import Call, Row, same

_edit = partial(Row, "Edit", mode="generator")

EDIT_ROWS: tuple[Row, ...] = (
    _edit(("B",), "Brushes: take one, put it away", same(Call("edit.toggle_brushes"), "B")),
    _edit(("Brush drag",), "Paint; outside of the picture: orbit"),
    _edit(("Right drag",), "Orbit with a brush in hand; Shift: pan"),
    _edit(
        ("V", "Shift V"),
        "Next brush, the one before",
        {"V": Call("edit.next_brush"), "Shift+V": Call("edit.previous_brush")},
    ),
    _edit(
        ("Ctrl [", "]"),
        "Brush smaller, larger; or scroll",
        {"Ctrl+[": Call("edit.smaller"), "Ctrl+]": Call("edit.larger")},
    ),
    _edit(("C", "I"), "Next colour; pick one", {"C": Call("edit.next_colour"), "I": Call("edit.pick")}),
    _edit(("Alt click",), "Pick a colour from the picture"),
    _edit(("U",), "Next view with strokes", same(Call("edit.next_view"), "U")),
    _edit(("Del",), "Delete all strokes", same(Call("edit.clear"), "Delete")),
    _edit(("Enter",), "Apply the strokes, rebuild the photo", same(Call("edit.apply"), "Enter")),
    _edit(("Shift Enter",), "Stop the edit and keep it", same(Call("edit.keep"), "Shift+Enter")),
    _edit(("Esc",), "Stop the edit and drop it"),
    _edit(("Y",), "Compare with the photo", same(Call("edit.toggle_compare"), "Y")),
)
SESSION_ROWS: tuple[Row, ...] = (
    Row("Picture", ("Ctrl Shift S",), "Save the session", same(Call("sessions.save"), "Ctrl+Shift+S")),
    Row("Picture", ("Ctrl O",), "Open the newest session", same(Call("sessions.open_newest"), "Ctrl+O")),
)

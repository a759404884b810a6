"""What the keys do in a drive, as in CARLA's own manual control wherever that has a key for it."""

from __future__ import annotations

from functools import partial

from ..verbs import Call, Edit, Own, Pedal, Row, same
from . import edits

_drive = partial(Row, mode="drive")

DRIVE_ROWS: tuple[Row, ...] = (
    _drive(
        "Drive",
        ("W", "S"),
        "Throttle, brake",
        {**same(Pedal("throttle"), "W", "Up"), **same(Pedal("brake"), "S", "Down")},
    ),
    _drive("Drive", ("A", "D"), "Steer", {**same(Pedal("left"), "A", "Left"), **same(Pedal("right"), "D", "Right")}),
    _drive("Drive", ("Arrows",), "The same four"),
    _drive("Drive", ("Space",), "Hand brake", same(Pedal("hand brake"), "Space")),
    _drive("Drive", ("Q",), "Reverse gear in, out", same(Call("drive.reverse"), "Q")),
    _drive("Drive", ("R",), "Back onto the road", same(Call("drive.reset"), "R", "Home")),
    _drive("Drive", ("P",), "Autopilot", same(Call("drive.toggle_autopilot"), "P")),
    _drive("Drive", ("K", "Backspace"), "Pause, go on", same(Call("drive.toggle_pause"), "K", "Backspace", "Pause")),
    _drive("Drive", (".",), "One step of a paused world", same(Call("drive.single_step"), ".")),
    _drive("View", ("C",), "Camera: chase, hood, top", same(Edit("Camera", edits.next_viewpoint), "C")),
    _drive(
        "View",
        ("V", "Shift V"),
        "Next view, the one before",
        {"V": Edit("View", edits.next_view()), "Shift+V": Edit("View", edits.next_view(-1))},
    ),
    _drive(
        "View",
        ("1", "…", "6"),
        "Painted … depth: one of six",
        {str(i): Call("drive.set_view", (view,)) for i, view in enumerate(edits.VIEWS, start=1)},
    ),
    _drive("View", ("Drag",), "Move the divider of the split view"),
    _drive("View", ("M",), "Map on, off", same(Own("minimap"), "M")),
    _drive(
        "World",
        ("[", "]"),
        "Earlier, later in the day",
        {"[": Edit("Time of day", edits.later(-0.5)), "]": Edit("Time of day", edits.later(0.5))},
    ),
    _drive("World", ("L",), "Look of the photo: real, drawn", same(Edit("Look", edits.next_look), "L")),
    _drive("World", ("N",), "Another town", same(Call("drive.new_town"), "N")),
    _drive("Picture", ("Ctrl R",), "Record the drive, stop", same(Call("drive.toggle_record"), "Ctrl+R")),
    _drive("Picture", ("Ctrl P",), "Replay the last recording", same(Call("drive.replay_last"), "Ctrl+P")),
    _drive("Picture", ("Ctrl S",), "Screenshot", same(Call("screenshot"), "Ctrl+S", "Shift+P")),
)

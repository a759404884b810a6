"""A history as compact JSON: every state without its strokes, every stroke once, and who has which.

    {"version": v, "position": n, "strokes": [...], "steps": [{"label": ..., "state": {...}, "strokes": [0, 1]}, ...]}

Steps differ in little, which the zip around them takes care of; strokes are the bulk, and most states share them.
The first step has no label: it is where the history begins.
"""

from __future__ import annotations

import json
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any

from ..state import VERSION, StateError, Stroke, ViewState
from ..store import Timeline

MOST_STEPS = 200
"""Of a saved history: those around the present."""
MOST_BYTES = 2 << 20
"""Of its JSON; where the steps are large there are fewer."""


def history_json(timeline: Timeline) -> bytes:
    """The timeline, or as much of it around the present as `MOST_STEPS` and `MOST_BYTES` allow."""
    steps = MOST_STEPS
    while len(data := _encoded(timeline.nearest(steps))) > MOST_BYTES and steps:
        steps //= 2
    return data


def history_from(data: bytes) -> Timeline:
    """What `history_json` wrote.

    Raises:
        StateError: it is something else, or of a newer version.
    """
    try:
        found = json.loads(data)
        strokes = _state({"edits": {"strokes": found["strokes"]}}, found["version"]).edits.strokes
        plain: dict[str, ViewState] = {}
        states: list[ViewState] = []
        for step in found["steps"]:
            key = json.dumps(step["state"])
            if key not in plain:
                plain[key] = _state(step["state"], found["version"])
            state = plain[key]
            drawn = tuple(strokes[number] for number in step["strokes"])
            states.append(replace(state, edits=replace(state.edits, strokes=drawn)))
        labels = tuple(str(step["label"]) for step in found["steps"][1:])
        return Timeline(tuple(states), labels, int(found["position"]))
    except StateError:
        raise
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise StateError(f"The history is damaged ({type(error).__name__}: {error}).") from error


def _encoded(timeline: Timeline) -> bytes:
    numbers: dict[Stroke, int] = {}
    steps: list[str] = []
    plain: dict[ViewState, str] = {}
    for label, state in zip(("", *timeline.labels), timeline.states, strict=True):
        drawn = [numbers.setdefault(stroke, len(numbers)) for stroke in state.edits.strokes]
        bare = replace(state, edits=replace(state.edits, strokes=()))
        if bare not in plain:
            plain[bare] = _text(bare)
        steps.append(f'{{"label":{json.dumps(label)},"state":{plain[bare]},"strokes":{_text(drawn)}}}')
    head = f'"version":{VERSION},"position":{timeline.position}'
    strokes = ",".join(map(_stroke_text, numbers))
    return f'{{{head},"strokes":[{strokes}],"steps":[{",".join(steps)}]}}'.encode()


@lru_cache(maxsize=4096)
def _stroke_text(stroke: Stroke) -> str:
    return _text(stroke)  # an autosave writes the same strokes again and again


def _text(value: Any) -> str:
    """JSON of the form that `ViewState.to_json` writes, in one line."""
    return json.dumps(value, default=_entries, separators=(",", ":"), allow_nan=False)


def _entries(value: Any) -> dict[str, Any]:
    return {each.name: getattr(value, each.name) for each in fields(value)}


def _state(plain: Any, version: Any) -> ViewState:
    return ViewState.from_json(json.dumps({**plain, "neuroview": version}))

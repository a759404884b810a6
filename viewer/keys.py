"""From GLFW's key codes to the names that `KEYMAP` uses."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from .display import load_glfw
from .verbs import Modifiers


@lru_cache(maxsize=1)
def _named() -> dict[int, str]:
    """Key codes and their names on a US keyboard."""
    glfw = load_glfw()
    names = {
        glfw.KEY_SPACE: "Space",
        glfw.KEY_ESCAPE: "Escape",
        glfw.KEY_TAB: "Tab",
        glfw.KEY_BACKSPACE: "Backspace",
        glfw.KEY_DELETE: "Delete",
        glfw.KEY_ENTER: "Enter",
        glfw.KEY_KP_ENTER: "Enter",
        glfw.KEY_PAUSE: "Pause",
        glfw.KEY_LEFT: "Left",
        glfw.KEY_RIGHT: "Right",
        glfw.KEY_UP: "Up",
        glfw.KEY_DOWN: "Down",
        glfw.KEY_PAGE_UP: "PageUp",
        glfw.KEY_PAGE_DOWN: "PageDown",
        glfw.KEY_HOME: "Home",
        glfw.KEY_KP_ADD: "Keypad +",
        glfw.KEY_KP_SUBTRACT: "Keypad -",
        glfw.KEY_LEFT_BRACKET: "[",
        glfw.KEY_RIGHT_BRACKET: "]",
        glfw.KEY_COMMA: ",",
        glfw.KEY_PERIOD: ".",
        glfw.KEY_SLASH: "/",
        glfw.KEY_MINUS: "-",
        glfw.KEY_EQUAL: "=",
    }
    names |= {code: chr(code) for code in (*range(glfw.KEY_0, glfw.KEY_9 + 1), *range(glfw.KEY_A, glfw.KEY_Z + 1))}
    names |= {glfw.KEY_F1 + i: f"F{i + 1}" for i in range(12)}
    return names


def key_names(key: int, scancode: int) -> tuple[str, ...]:
    """What a key may be called, best first: by the keyboard's layout, then by its place on a US keyboard."""
    glfw = load_glfw()
    place = _named().get(key)
    if place is not None and len(place) > 1:  # named keys are the same everywhere
        return (place,)
    label = glfw.get_key_name(key, scancode)
    names = (label.upper() if label else None, place)
    return tuple(dict.fromkeys(name for name in names if name))


def modifiers(mods: int) -> Modifiers:
    """GLFW's modifier bits."""
    glfw = load_glfw()
    return Modifiers(
        shift=bool(mods & glfw.MOD_SHIFT),
        ctrl=bool(mods & (glfw.MOD_CONTROL | glfw.MOD_SUPER)),
        alt=bool(mods & glfw.MOD_ALT),
    )


def held_modifiers(window: Any) -> Modifiers:
    """The modifier keys that are down now, for events that do not carry them (scrolling)."""
    glfw = load_glfw()

    def down(*names: str) -> bool:
        keys = (getattr(glfw, f"KEY_{side}_{name}") for name in names for side in ("LEFT", "RIGHT"))
        return any(glfw.get_key(window, key) == glfw.PRESS for key in keys)

    return Modifiers(shift=down("SHIFT"), ctrl=down("CONTROL", "SUPER"), alt=down("ALT"))

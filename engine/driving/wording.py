"""What a person reads about a drive: errors as whole sentences, and what is being waited for."""

from __future__ import annotations

from ..state import Drive


def sentence(error: Exception | str) -> str:
    """An error's text with a capital and a full stop, so that another sentence may follow.

    Texts of more than one line end with what a program has said, which is left as it is.
    """
    text = str(error).strip() or type(error).__name__
    text = text[0].upper() + text[1:]
    return text if text[-1] in ".!?…" else f"{text}."


def starting(drive: Drive) -> str:
    """What is being waited for until the engine answers."""
    names = {"town": "The town is being built.", "carla": "Waiting for CARLA."}
    return names.get(drive.engine, f"Waiting for {drive.engine}.")

"""What torch's errors mean to a person, and whether the CPU can take over."""

from __future__ import annotations

import traceback


def gpu_failure(error: RuntimeError, device: str) -> str | None:
    """Why the GPU cannot go on, when it is the GPU; None: something else went wrong. torch tells only by its words."""
    text = str(error).lower()
    if device == "cpu":
        return None
    if "out of memory" in text:
        return "The GPU is out of memory"
    if any(word in text for word in ("cuda", "cudnn", "cublas", "hip error")):
        return "The GPU stopped answering"
    return None


def explain(error: Exception) -> str:
    """One sentence for the person; what nobody foresaw also goes to the terminal, for a bug report."""
    text = str(error)
    if "out of memory" in text.lower() or "can't allocate" in text.lower():
        return "Out of memory. Choose a smaller resolution or fewer samples."
    traceback.print_exception(error)
    return f"This view could not be rendered: {text.splitlines()[0] if text else type(error).__name__}"

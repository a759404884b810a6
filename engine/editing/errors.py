"""`EditError`: why an edit cannot be made or shown, in words for the person who drew it."""

from __future__ import annotations

from ...models.errors import NeuroviewError


class EditError(NeuroviewError):
    """Strokes that mean nothing or contradict each other, or a stored edit that is missing or damaged."""

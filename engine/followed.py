"""A model that trains: its file is written anew while it is open, and the loop takes that over quietly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..models.errors import NeuroviewError

if TYPE_CHECKING:
    from .model import Model


class FollowedModel:
    """What the render thread knows of it. `rewritten` may be called from any thread.

    What takes long is not made of such a model unasked: no directions, and no finer grids before somebody moves in it.
    """

    def __init__(self) -> None:
        self.on = False
        """Whether the open model is one."""
        self._reference: str | None = None
        self._untouched = -1

    def rewritten(self, reference: str) -> None:
        """The file behind `reference` has changed."""
        self._reference = reference

    @property
    def waiting(self) -> bool:
        """Whether a change has not been looked at yet."""
        return self._reference is not None

    def newer(self, model: Model, device: str) -> Model | None:
        """`model` as its file has it now; None: another file has changed, or it cannot be read. Then the old one
        stays without a word, because whoever writes the file will write it again."""
        from .model import open_model

        reference, self._reference = self._reference, None
        if reference is None or reference != model.reference:
            return None
        try:
            return open_model(reference, device)
        except (NeuroviewError, MemoryError):
            return None

    def came(self, version: int) -> None:
        """A model was opened under this version of the state."""
        self._untouched = version

    def rests(self, version: int) -> bool:
        """Whether nobody has moved since the model came."""
        return self.on and version == self._untouched

"""`OpenModel`: which model is open, which one is to be, and on which device; files are read on the render thread."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..models.errors import NeuroviewError
from .broadcast import Broadcast
from .followed import FollowedModel
from .store import Store

if TYPE_CHECKING:
    from .model import Model


class CannotOpenError(NeuroviewError):
    """A model could not be opened; unlike other errors it says nothing against the state that is shown."""


class OpenModel:
    """`ask` may be called from any thread; the rest belongs to the render thread.

    Args:
        store: of the state, which names the model that it shows.
        out: where activity goes.
        wake: set when there is something to open.
    """

    def __init__(self, store: Store, out: Broadcast, wake: threading.Event) -> None:
        self.device = "cpu"
        """Where models are opened."""
        self.model: Model | None = None
        self.followed = FollowedModel()
        self._store, self._out, self._wake = store, out, wake
        self._lock = threading.Lock()
        self._wanted: str | None = None

    @property
    def waiting(self) -> bool:
        """Whether a model is to be opened."""
        return self._wanted is not None

    def ask(self, reference: str) -> None:
        """Open a model at the next step."""
        with self._lock:
            self._wanted = reference
        self._wake.set()

    def open(self) -> bool:
        """Opens the model that is wanted; whether it is the first one. The state is not touched.

        Raises:
            CannotOpenError: it cannot be read, or memory does not suffice. The model before stays, and the state goes
                back to it.
        """
        from .model import open_model

        with self._lock:
            reference, self._wanted = self._wanted, None
        assert reference is not None
        name = Path(reference).name
        self._out.publish(activity=f"Loading {name}", progress=None)
        try:
            model = open_model(reference, self.device)
        except (NeuroviewError, MemoryError) as error:
            self._keep_old(reference)
            raise CannotOpenError(str(error) or f"{name} needs more memory than there is.") from error
        first, self.model = self.model is None, model
        return first

    def take_newer(self) -> bool:
        """Takes the followed model as its file has it now; whether there was anything to take."""
        assert self.model is not None
        model = self.followed.newer(self.model, self.device)
        if model is not None:
            self.model = model
        return model is not None

    def reopen_on_cpu(self) -> None:
        """The device has failed: let go of what is on it, and open the state's model on the CPU."""
        self.device, self.model = "cpu", None
        self.ask(self._store.state.model)

    def _keep_old(self, reference: str) -> None:
        frame = self._out.frame
        if self.model is not None and frame is not None and self._store.state.model == reference:
            shown = replace(frame.state, drive=None)
            self._store.update(lambda _: shown, label="Back to the open model", undoable=False)

"""`DirectionNames`: finds out beside the running program which directions the open model has, and tells the panel."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from .broadcast import Broadcast
from .state import ViewState

if TYPE_CHECKING:
    from .model import Model

log = logging.getLogger(__name__)


class DirectionNames:
    """Begins at once, on a thread of its own: a model that nobody has looked into takes seconds (PCA over its codes).

    Args:
        model: whose directions.
        state: its options choose the model's weights.
        out: gets the status with the model's new description.
    """

    def __init__(self, model: Model, state: ViewState, out: Broadcast) -> None:
        self.key = (model, state.options)
        self._model, self._out = model, out
        self._generator = model.pipeline.generator_for(state)
        self._thread = threading.Thread(target=self._run, name="neuroview-directions", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Wait for it."""
        self._thread.join(10.0)

    def _run(self) -> None:
        from .editing.directions import directions_of

        model = self._model
        try:
            found = directions_of(self._generator, model.reference, model.pipeline.side_files)
        except Exception:  # a model without sliders for them is a model all the same
            log.exception("The directions of %s could not be found.", model.reference)
            return
        model.directions = tuple(direction.name for direction in found)
        model.direction_limits = tuple(direction.limit for direction in found)
        info = self._out.status.model
        if info is not None and info.reference == model.reference and info.directions != model.directions:
            known = replace(info, directions=model.directions, direction_limits=model.direction_limits)
            self._out.publish(model=known)

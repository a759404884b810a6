"""`Simulator`: what the embedded town, a CARLA server and a recorded sequence have in common."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from ...models.errors import NeuroviewError
from .messages import Control, DriveFrame, EngineInfo


class EngineError(NeuroviewError):
    """An engine cannot go on; the message says why and what to do."""


class RecordingEndedError(EngineError):
    """A recorded sequence has no further frame."""


def check_rate(rate: float) -> None:
    """Raises EngineError unless a world of ours can make so many steps a second."""
    if not 5.0 <= rate <= 240.0:
        raise EngineError(f"a simulation of {rate} steps a second was asked for; give 5 to 240.")


@runtime_checkable
class Simulator(Protocol):
    """Advances a world by fixed steps and draws it as maps.

    The same seed and the same controls give the same frames: that is how a drive is replayed. Used from one thread.
    """

    info: EngineInfo

    def advance(self, control: Control) -> None:
        """Obey `control` for 1 / info.rate seconds without drawing: nobody has time for this frame.

        What happens (events) is kept for the next frame that is drawn.

        Raises:
            EngineError: the engine is gone, or has nothing more to show.
        """
        ...

    def step(self, control: Control) -> DriveFrame:
        """`advance`, and draw what is then seen.

        Motion, expected depths and every actor's `before` refer to the last frame that `step` returned, however many
        steps ago that was: a painter warps the last picture that it painted.

        Raises:
            EngineError: the engine is gone, or has nothing more to show.
        """
        ...

    def state(self) -> dict[str, Any]:
        """Where the drive stands, as plain JSON values: enough to go on in a new process after a crash."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave. The next frame is a cut.

        Raises:
            EngineError: that is no state of this engine.
        """
        ...

    def close(self) -> None:
        """Give back what it holds; once is enough, twice does no harm."""
        ...


@runtime_checkable
class Redrawing(Protocol):
    """A `Simulator` that can also draw a world that stands still: asked for with `isinstance`, nobody has to.

    With it, another hour, fog, viewpoint or look shows at once in a paused drive; without it, in the next step.
    """

    def redraw(self, control: Control) -> DriveFrame:
        """What `step` would draw if no time had passed: of `control` only weather, viewpoint, photo and look count.

        The world, and so the rest of the drive, stays as it was. The frame has the number of the last one; it is a cut
        where it looks so different that the last picture is no past of it.

        Raises:
            EngineError: the engine is gone.
        """
        ...

"""`RecordedSequence`: a folder of label maps in place of an engine."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.base import LabelSet
from .messages import Control, DriveFrame, EngineInfo
from .planes import ProtocolError
from .sequence import find_sequence, read_map
from .simulator import EngineError, RecordingEndedError
from .wire import check_tags


class RecordedSequence:
    """Plays label maps as a `Simulator`; CONTROL changes nothing, and motion is unknown.

    A file that cannot be used ends the drive with an error that names it; once it is repaired, the drive goes on there.

    Args:
        folder: see `sequence.find_sequence`.
        width: of the frames, pixels; maps of another size are sampled, nearest neighbour.
        height: likewise.
        rate: frames a second.
        label_set: how the maps are numbered; None: what the file names say, else CARLA's tags.
        loop: whether to begin again after the last frame.

    Raises:
        EngineError: no such folder, nothing in it, or a hole in its numbering.
    """

    def __init__(
        self,
        folder: str,
        width: int,
        height: int,
        rate: float = 30.0,
        *,
        label_set: LabelSet | None = None,
        loop: bool = False,
    ) -> None:
        found = find_sequence(folder)
        self._frames, self._loop = found.frames, loop
        self._next = 0
        self._number = 0
        self._cut = True
        self._size: tuple[int, int] | None = None
        self.info = EngineInfo(
            name="recording",
            title=f"Recording {found.frames[0].labels.parent.name}, {len(found.frames)} frames",
            label_set=label_set or found.label_set or "carla",
            width=width,
            height=height,
            rate=rate,
            has_motion=False,
            controllable=False,
        )

    def advance(self, control: Control) -> None:
        """Leaves one frame out. Raises RecordingEndedError after the last."""
        if self._next >= len(self._frames):
            if not self._loop:
                raise RecordingEndedError(f"the recording has ended after {len(self._frames)} frames")
            self._next, self._cut = 0, True
        self._next += 1
        self._number += 1

    def step(self, control: Control) -> DriveFrame:
        """The next frame.

        Raises:
            EngineError: its file cannot be read, has another size than the others, or holds unknown labels.
            RecordingEndedError: there is none.
        """
        self.advance(control)
        recorded = self._frames[self._next - 1]
        try:
            labels, instances = self._open(recorded.labels, "label")
            if recorded.instances is not None:
                instances = self._open(recorded.instances, "instance")[0]
        except EngineError:
            # It has not been shown: that is where to go on.
            self._next, self._number = self._next - 1, self._number - 1
            raise
        cut, self._cut = self._cut, False
        return DriveFrame(
            number=self._number,
            time=self._number / self.info.rate,
            labels=labels.astype(np.uint8),
            instances=instances.astype(np.uint16),
            control_serial=control.serial,
            cut=cut,
        )

    def state(self) -> dict[str, Any]:
        """Which frame comes next."""
        return {"next": self._next, "number": self._number}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there.

        Raises:
            EngineError: no state of a recording, or of a longer one.
        """
        place, number = state.get("next"), state.get("number")
        if not isinstance(place, int) or not isinstance(number, int) or not 0 <= place <= len(self._frames):
            raise EngineError(f"{state} is no place in a recording of {len(self._frames)} frames; start it anew")
        self._next, self._number, self._cut = place, max(0, number), True

    def close(self) -> None:
        """Nothing is held open."""

    def _open(self, path: Any, kind: str) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
        """A map, and the instances that CARLA's instance camera puts beside the labels (else zeros), at full size."""
        found = read_map(path)
        size = found.shape[1], found.shape[0]
        self._size = self._size or size
        if size != self._size:
            raise EngineError(
                f"{path} is {size[0]} x {size[1]}, those before it {self._size[0]} x {self._size[1]}; "
                "put frames of another size into a folder of their own"
            )
        found = _nearest(found, self.info.width, self.info.height)
        if found.ndim == 2:
            first, second = found, np.zeros(found.shape, np.uint16)
        else:  # CARLA's raw cameras: the tag in red, the instance in green and blue
            first, second = found[..., 0], found[..., 1].astype(np.uint16) + (found[..., 2].astype(np.uint16) << 8)
        if kind == "instance":
            return (first if found.ndim == 2 else second), second
        if first.max(initial=0) > 255:
            raise EngineError(f"{path} holds labels up to {first.max()}; expected 0..255. Is it an instance map?")
        try:
            check_tags(first.astype(np.uint8), self.info.label_set, str(path))
        except ProtocolError as error:
            raise EngineError(str(error)) from None
        return first, second


def _nearest(found: NDArray[Any], width: int, height: int) -> NDArray[Any]:
    """The pixels nearest to the centres of a grid of another size."""
    if found.shape[:2] == (height, width):
        return found
    rows = ((np.arange(height) + 0.5) * (found.shape[0] / height)).astype(int)
    columns = ((np.arange(width) + 0.5) * (found.shape[1] / width)).astype(int)
    return found[rows[:, None], columns]

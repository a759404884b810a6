"""Reads an OpenDRIVE file into lanes, by CARLA's own parser; no server is needed for that."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..carla.connection import load_package
from ..carla.conversion import heading, place
from ..carla.roads import lane_key, lane_rows
from ..simulator import EngineError

LARGEST = 64 << 20
"""Bytes of a file: the largest of CARLA's own towns has 30 million."""
STEP = 2.0
"""Metres between the stations at which a lane is asked for."""
MOST_LANES, MOST_STATIONS = 8000, 400_000
MOST_BESIDE = 12
"""Lanes on one side of a road."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Lane:
    """A strip of road, [n] stations along it."""

    kind: str
    """OpenDRIVE's lane type as CARLA calls it: 'Driving', 'Sidewalk', 'Shoulder', 'Parking', ..."""
    centre: Floats
    """[n, 2]: east, north, metres."""
    yaw: Floats
    """[n]: direction of travel, radians from east."""
    width: Floats
    """[n], metres."""
    junction: bool
    left: str
    """Marking of the left border: 'Solid', 'Broken', 'NONE', ..."""
    right: str

    def border(self, side: float) -> Floats:
        """[n, 2]: `side` 1 its left border, -1 its right one."""
        across = np.stack([-np.sin(self.yaw), np.cos(self.yaw)], 1)
        return self.centre + side * 0.5 * self.width[:, None] * across


def read_lanes(path: str | Path, package: Any = None) -> tuple[Lane, ...]:
    """The lanes of an OpenDRIVE file, seen from above: slopes and bridges are laid flat.

    Args:
        path: an .xodr file.
        package: what to use as the `carla` module; None: the installed one.

    Raises:
        EngineError: no carla package; no such file; too large, no OpenDRIVE, or no driving lane in it.
    """
    file = Path(path).expanduser()
    try:
        size = file.stat().st_size
        if size > LARGEST:
            raise EngineError(f"{file} has {size:,} bytes; an OpenDRIVE map of at most {LARGEST:,} is read")
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EngineError(f"the OpenDRIVE map {file} cannot be read ({error}); give an .xodr file") from None
    # Neither is part of the format, and both make a parser fetch or multiply things.
    if re.search(r"<!\s*(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise EngineError(f"{file} declares a DOCTYPE or entities, which an OpenDRIVE map does not need; remove them")
    if not re.search(r"<OpenDRIVE[\s/>]", text):
        raise EngineError(f"{file} has no <OpenDRIVE> element; expected an OpenDRIVE map (.xodr)")
    package = load_package() if package is None else package
    try:
        rows = lane_rows(package.Map(file.stem, text), STEP)
    except RuntimeError as error:
        raise EngineError(f"CARLA's parser refuses the OpenDRIVE map {file} ({error}); check it in an editor") from None
    lanes = _lanes(rows, file)
    if not any(lane.kind == "Driving" for lane in lanes):
        raise EngineError(f"the OpenDRIVE map {file} has no driving lane; choose another map")
    return tuple(lanes)


def _lanes(rows: list[list[Any]], file: Path) -> list[Lane]:
    made: list[Lane] = []
    seen = {lane_key(row[0]) for row in rows}
    stations = 0
    for row in rows:
        strips = [row, *_beside(row, seen)]
        made += [lane for strip in strips if (lane := _lane(strip)) is not None]
        stations += sum(len(strip) for strip in strips)
        if len(made) > MOST_LANES or stations > MOST_STATIONS:
            raise EngineError(f"the OpenDRIVE map {file} is too large: more than {MOST_LANES:,} lanes; cut a part out")
    return made


def _beside(along: list[Any], seen: set[tuple[int, int, int]]) -> list[list[Any]]:
    """What lies to the right of a driving lane, out to the road's edge, up to the next driving lane."""
    found: list[list[Any]] = []
    row = along
    for _ in range(MOST_BESIDE):
        # A neighbour of the other direction would lead back here.
        row = [w for w in (waypoint.get_right_lane() for waypoint in row) if w is not None]
        if len(row) < 2 or str(row[0].lane_type).rsplit(".", 1)[-1] == "Driving" or lane_key(row[0]) in seen:
            break
        seen.add(lane_key(row[0]))
        row = [w for w in row if w.lane_id == row[0].lane_id]
        found.append(row)
    return found


def _lane(strip: list[Any]) -> Lane | None:
    points = np.array([place(w.transform.location)[:2] for w in strip]).reshape(-1, 2)
    width = np.array([float(w.lane_width) for w in strip])
    apart = np.append(True, np.hypot(*np.diff(points, axis=0).T) > 1e-3)
    if apart.sum() < 2 or not np.isfinite(points).all() or not np.isfinite(width).all():
        return None
    first = strip[0]
    return Lane(
        kind=str(first.lane_type).rsplit(".", 1)[-1],
        centre=points[apart],
        yaw=np.array([heading(w.transform.rotation) for w in strip])[apart],
        width=np.clip(width, 0.0, 20.0)[apart],
        junction=bool(first.is_junction),
        left=_marking(first.left_lane_marking),
        right=_marking(first.right_lane_marking),
    )


def _marking(marking: Any) -> str:
    """Where a map says nothing of a border, the parser has None."""
    return "NONE" if marking is None else str(marking.type).rsplit(".", 1)[-1]

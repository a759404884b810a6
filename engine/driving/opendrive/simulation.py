"""`OpenDriveSimulator`: an OpenDRIVE map as a `Simulator`: its roads drawn by the town's renderer, and a car on them.

Roads, markings, sidewalks and grass, all of it flat; no buildings, traffic, signals or autopilot.
"""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..carla.roads import simplified
from ..messages import Control, DriveFrame, EngineInfo, Event, Geometry
from ..saved_state import check_saved, reading_saved
from ..simulator import EngineError, check_rate
from ..town.cameras import Cameras
from ..town.collision import SolidGrid
from ..town.culling import ChunkCulling, Draw
from ..town.occlusion import Horizon
from ..town.plan import SIZE, wrap
from ..town.renderer import TownRenderer
from ..town.scene import ACTOR, EGO, Actors, TownScene
from ..town.view import Maps, View
from ..vehicle import CarState, drive
from .build import build_scene
from .reader import read_lanes

OFF_ROAD = 0.4
"""Seconds beside the road that are an event."""
_STRAIGHT = 0.25


class _MapCulling(ChunkCulling):
    """Draws each chunk at its one true place. The renderer wraps positions into the town's torus, which is larger than
    what can be seen; so every chunk is shifted as the point that it is seen from."""

    eye: NDArray[np.float64] = np.zeros(2)

    def visible(
        self,
        matrix: NDArray[np.float64],
        eye: NDArray[np.float64],
        horizon: Horizon | None = None,
        focal: float = np.inf,
    ) -> list[Draw]:
        """As `ChunkCulling.visible`; a map's chunks have one level of detail and nothing that hides others."""
        true = np.array([e + wrap(float(w - e)) for e, w in zip(self.eye, eye[:2], strict=True)])
        shift = np.round((eye[:2] - true) / SIZE) * SIZE
        count = len(self._chunks)
        middle = slice(4 * count, 5 * count)  # the copy that is not shifted
        centre = self._centre[middle] + np.append(shift, 0.0) - eye
        half = self._half[middle]
        planes = np.concatenate([matrix[3] + matrix[:3], matrix[3] - matrix[:3]])
        distance = centre @ planes[:, :3].T + planes[:, 3] + half @ np.abs(planes[:, :3]).T
        seen = np.flatnonzero((distance > 0).all(1))
        seen = seen[np.argsort((centre[seen, :2] ** 2).sum(1), kind="stable")]
        there = (float(shift[0]), float(shift[1]))
        return [Draw(there, chunk.first, chunk.count) for chunk in (self._chunks[n] for n in seen)]


class _MapRenderer(TownRenderer):
    """The town's renderer for a map of any size."""

    def _upload(self, scene: TownScene) -> None:
        super()._upload(scene)
        self._culling = self._map = _MapCulling(scene.still, scene.chunks)

    def draw(self, view: View, actors: Actors, *, cut: bool = False) -> Maps:
        """As `TownRenderer.draw`."""
        self._map.eye = np.array(view.eye[:2])
        return super().draw(view, actors, cut=cut)


class OpenDriveSimulator:
    """A map to drive in. See `Simulator` for what its methods promise; the same controls give the same frames."""

    def __init__(
        self,
        path: str | Path,
        width: int = 256,
        height: int = 128,
        rate: float = 30.0,
        *,
        seed: int = 7,
        package: Any = None,
    ) -> None:
        """Read the map and open a context to draw it.

        Args:
            path: an .xodr file.
            width: of every map and picture, pixels.
            height: likewise.
            rate: steps a second of the simulation, 5..240.
            seed: chooses where the drive begins.
            package: what to use as the `carla` module; None: the installed one.

        Raises:
            EngineError: no carla package, a map that cannot be read, no OpenGL, or a number out of range.
        """
        check_rate(rate)
        lanes = read_lanes(path, package)
        driving = [lane for lane in lanes if lane.kind == "Driving"]
        self._points = np.concatenate([lane.centre for lane in driving])
        self._yaws = np.concatenate([lane.yaw for lane in driving])
        self._reach = np.concatenate([lane.width for lane in driving]) / 2 + 1.0
        self._step_time, self._name = 1.0 / rate, Path(path).stem
        self._time, self._steps, self._beside = 0.0, 0, 0.0
        self._resets: int | None = None
        self._events: list[Event] = []
        self._cut, self._viewpoint = True, ""
        self._car = self._on_road(int(np.random.default_rng(seed).integers(len(self._points))))
        self._before = self._car
        self._cameras = Cameras(SolidGrid(np.zeros((0, 5), np.float32)), ())
        self._cameras.jump(self._car)
        self._renderer: _MapRenderer | None = _MapRenderer(build_scene(lanes), width, height)
        self.info = EngineInfo(
            name="town",
            title=f"OpenDRIVE map {self._name}",
            width=width,
            height=height,
            rate=rate,
            has_photo=True,
            roads=tuple(tuple((float(x), float(y)) for x, y in simplified(lane.centre, _STRAIGHT)) for lane in driving),
            road_width=float(np.median(np.concatenate([lane.width for lane in driving]))),
        )

    def advance(self, control: Control) -> None:
        """As `Simulator.advance`."""
        self._open()
        if self._resets is not None and control.resets > self._resets:
            self._car = self._on_road(self._nearest())
            self._events.append(Event("reset", "back on the road"))
            self._cameras.jump(self._car)
            self._cut = True
        self._resets = control.resets
        self._car = drive(self._car, control, self._step_time)
        self._time, self._steps = self._time + self._step_time, self._steps + 1
        self._cameras.follow(self._car, control.viewpoint, self._step_time)
        self._watch_road()

    def step(self, control: Control) -> DriveFrame:
        """As `Simulator.step`."""
        self.advance(control)
        renderer, car = self._open(), self._car
        cut = self._cut or control.viewpoint != self._viewpoint
        self._cut, self._viewpoint = False, control.viewpoint
        view = self._cameras.view(car, control.viewpoint, control.weather, self._time)
        row = np.zeros(0 if control.viewpoint == "hood" else 1, ACTOR)
        last = car if cut else self._before
        row["now"] = car.x, car.y, 0.0, car.yaw
        row["before"] = last.x, last.y, 0.0, car.yaw + math.remainder(last.yaw - car.yaw, 2 * math.pi)
        row["instance"], row["length"], row["height"] = EGO, 1.0, 1.0
        row["state"] = control.brake > 0.05 or control.hand_brake
        self._before = car
        maps = renderer.draw(view, Actors((row,)), cut=cut)
        maps = replace(maps, geometry=_unwrapped(maps.geometry, view))
        photo = renderer.photo(control.look) if control.photo else None
        events, self._events = tuple(self._events), []
        return maps.frame(view, control, number=self._steps, vehicle=car.message, events=events, photo=photo, cut=cut)

    def state(self) -> dict[str, Any]:
        """As `Simulator.state`."""
        return {
            "engine": "opendrive",
            "version": 1,
            "map": self._name,
            "car": asdict(self._car),
            "time": self._time,
            "steps": self._steps,
            "camera": self._cameras.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """As `Simulator.restore`."""
        self._open()
        wanted = {"engine": "opendrive", "version": 1, "map": self._name}
        check_saved(state, wanted, f"is the map {self._name}", "start the engine with that map")
        with reading_saved():
            fields = {name: type(default)(state["car"][name]) for name, default in asdict(CarState()).items()}
            time, steps = float(state["time"]), int(state["steps"])
            if not all(math.isfinite(n) for n in (time, *fields.values())):
                raise ValueError("a number is not finite")
            self._cameras.restore(state["camera"])
        self._car = self._before = CarState(**fields)
        self._time, self._steps, self._resets = time, steps, None
        self._events, self._cut = [], True

    def close(self) -> None:
        """As `Simulator.close`."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def _open(self) -> _MapRenderer:
        if self._renderer is None:
            raise EngineError("this map has been closed; make another simulator.")
        return self._renderer

    def _nearest(self) -> int:
        return int(np.argmin(((self._points - (self._car.x, self._car.y)) ** 2).sum(1)))

    def _on_road(self, station: int) -> CarState:
        x, y = (float(n) for n in self._points[station])
        return CarState(x, y, float(self._yaws[station]))

    def _watch_road(self) -> None:
        nearest = self._nearest()
        off = self._points[nearest] - (self._car.x, self._car.y)
        if float(np.hypot(*off)) <= self._reach[nearest]:
            self._beside = 0.0
            return
        before, self._beside = self._beside, self._beside + self._step_time
        if before < OFF_ROAD <= self._beside:
            self._events.append(Event("off road", "left the road"))


def _unwrapped(geometry: Geometry, view: View) -> Geometry:
    """The ground as the map counts it: the renderer gives it modulo the town's size."""
    if geometry.ground is None:
        return geometry
    eye = np.array(view.eye[:2])
    ground = geometry.ground + np.round((eye - geometry.ground) / SIZE) * SIZE
    return Geometry(**{**vars(geometry), "ground": ground.astype(np.float32)})

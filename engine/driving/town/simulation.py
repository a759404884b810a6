"""`TownSimulator`: the embedded town as a `Simulator`: drives the world and draws it."""

from __future__ import annotations

from typing import Any

from ..autopilot import Autopilot
from ..messages import Control, DriveFrame, EngineInfo, Event, Part, Weather
from ..saved_state import check_saved, reading_saved
from ..simulator import EngineError, check_rate
from .build import build_town
from .cameras import Cameras
from .plan import BLOCKS, PERIOD, ROAD_HALF, SIZE
from .renderer import TownRenderer
from .staging import Staging
from .view import Look
from .world import TownWorld

CARS, PEOPLE = 60, 100
BARE: tuple[Part, ...] = ("depth", "motion", "expected_depth", "photo")
GEOMETRY: tuple[Part, ...] = ("height", "storey", "bay", "normals", "shadow", "ground", "sun")


class TownSimulator:
    """A procedural town to drive in. See `Simulator` for what its methods promise.

    The same seed, rate and controls give the same frames, bit for bit on the same OpenGL driver.
    """

    def __init__(
        self,
        seed: int = 7,
        width: int = 256,
        height: int = 128,
        rate: float = 30.0,
        *,
        geometry: bool = True,
        supersample: int = 2,
        look: Look | None = None,
        cars: int = CARS,
        people: int = PEOPLE,
    ) -> None:
        """Build the town and open a context to draw it.

        Args:
            seed: of the town, its traffic and the place where the drive begins.
            width: of every map and picture, pixels.
            height: likewise.
            rate: steps a second of the simulation, 5..240.
            geometry: whether frames carry `Geometry`.
            supersample: samples a pixel of the shaded picture, along each axis.
            look: of the shaded picture, whatever `Control.look` asks for; None: as it asks.
            cars: how many drive about.
            people: how many walk about.

        Raises:
            EngineError: no OpenGL context can be had, or a size or the rate is out of range.
        """
        check_rate(rate)
        self.look: Look | None = look
        self._seed, self._step = seed, 1.0 / rate
        self.world = TownWorld(build_town(seed), seed, cars, people)
        self._cameras = Cameras(self.world.grid, self.world.town.solid_names)
        self._cameras.jump(self.world.car)
        self._staging = Staging(self.world)
        self._pilot = Autopilot(self, seed)
        self._piloting = False
        self._events: list[Event] = []
        self._cut, self._viewpoint = True, ""
        self._weather: Weather | None = None
        self._renderer: TownRenderer | None = TownRenderer(
            self.world.town.scene, width, height, supersample=supersample, geometry=geometry
        )
        self.info = EngineInfo(
            name="town",
            title=f"Embedded town, seed {seed}",
            width=width,
            height=height,
            rate=rate,
            has_photo=True,
            parts=(*BARE, *GEOMETRY) if geometry else BARE,
            roads=_roads(),
            road_width=2 * ROAD_HALF,
            period=SIZE,
        )

    def advance(self, control: Control) -> None:
        """As `Simulator.advance`."""
        self._open()
        if control.autopilot:
            control = self._pilot.control(like=control)
        elif self._piloting:
            self._pilot.release()
        self._piloting = control.autopilot
        happened = self.world.step(control, self._step)
        if self.world.jumped:
            self._cameras.jump(self.world.car)
            self._cut = True
        self._events += happened
        self._cameras.follow(self.world.car, control.viewpoint, self._step)

    def step(self, control: Control) -> DriveFrame:
        """As `Simulator.step`."""
        self.advance(control)
        return self._draw(control, self._cut or control.viewpoint != self._viewpoint)

    def redraw(self, control: Control) -> DriveFrame:
        """As `Redrawing.redraw`. Another hour or sky is a cut: the last picture has another light on everything."""
        changed = control.viewpoint != self._viewpoint or control.weather != self._weather
        return self._draw(control, self._cut or changed)

    def _draw(self, control: Control, cut: bool) -> DriveFrame:
        renderer, world = self._open(), self.world
        self._cut, self._viewpoint, self._weather = False, control.viewpoint, control.weather
        if cut:
            self._staging.forget()
        view = self._cameras.view(world.car, control.viewpoint, control.weather, world.time)
        maps = renderer.draw(view, self._staging.rows(ego=control.viewpoint != "hood"), cut=cut)
        look: Look = self.look or control.look
        photo = renderer.photo(look) if control.photo else None
        events, self._events = tuple(self._events), []
        told = {"number": world.steps, "vehicle": world.car.message, "actors": self._staging.actors()}
        return maps.frame(view, control, events=events, photo=photo, cut=cut, **told)

    def set_look(self, look: Look | None) -> None:
        """How shaded pictures are made from now on; None: as `Control.look` asks."""
        self.look = look

    def state(self) -> dict[str, Any]:
        """As `Simulator.state`."""
        return {
            "engine": "town",
            "version": 1,
            "seed": self._seed,
            "camera": self._cameras.state(),
            "world": self.world.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """As `Simulator.restore`."""
        self._open()
        wanted = {"engine": "town", "version": 1, "seed": self._seed}
        check_saved(state, wanted, f"is the town of seed {self._seed}", "start the engine with that seed")
        with reading_saved():
            camera = Cameras(self.world.grid, self.world.town.solid_names)
            camera.restore(state["camera"])
            self.world.restore(state["world"])
        self._pilot.release()
        self._cameras = camera
        self._events, self._cut = [], True

    def close(self) -> None:
        """As `Simulator.close`."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def _open(self) -> TownRenderer:
        if self._renderer is None:
            raise EngineError("this town has been closed; make another simulator.")
        return self._renderer


def _roads() -> tuple[tuple[tuple[float, float], ...], ...]:
    """Centre lines of one period."""
    lines = []
    for k in range(BLOCKS):
        lines.append(((0.0, k * PERIOD), (SIZE, k * PERIOD)))
        lines.append(((k * PERIOD, 0.0), (k * PERIOD, SIZE)))
    return tuple(lines)

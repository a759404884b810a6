"""`TownRenderer`: draws a town as maps, and on request as a shaded picture, in an OpenGL context of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import moderngl
import numpy as np
from numpy.typing import NDArray

from ..messages import Geometry, Weather
from ..simulator import EngineError
from .buffers import MovingBuffers, StillBuffers
from .context import open_context
from .culling import ChunkCulling, Draw, relative_rows
from .detail import FOCAL, MOVERS_BEGIN
from .occlusion import Horizon, Walls
from .picture import Picture
from .plan import GROUPS, SIZE
from .projection import FAR, camera_axes, projection
from .readback import base_maps, geometry_maps
from .scene import ACTOR, EGO, Actors, TownScene
from .shading import Program
from .shadows import MOVING, STILL, ShadowMap
from .sun import Sky, sky_of
from .textures import lamp_pools, noise_tile
from .view import Look, Maps, View

CAR_REACH, PERSON_REACH = 150.0, 90.0
"""Metres beyond which cars and people are too small to draw."""


@dataclass(frozen=True)
class _Shot:
    """What was drawn last: enough to draw the same view again, and to say how things have moved since."""

    view: View
    axes: NDArray[np.float64]
    matrix: NDArray[np.float64]
    eye: NDArray[np.float64]
    draws: list[Draw]
    sky: Sky
    headlight: tuple[float, float, float, float]
    heading: tuple[float, float]


class TownRenderer:
    """Draws what a camera sees of a `TownScene`. Used from one thread."""

    def __init__(
        self, scene: TownScene, width: int, height: int, *, supersample: int = 2, geometry: bool = True
    ) -> None:
        """Open a context and upload the scene.

        Args:
            scene: what can be drawn.
            width: of every map and picture, pixels.
            height: likewise.
            supersample: samples a pixel of the picture, along each axis.
            geometry: whether the maps carry heights, storeys, bays, normals, shadow and ground.

        Raises:
            EngineError: no OpenGL 3.3 context can be had, or its driver refuses the shaders.
        """
        if width < 1 or height < 1 or supersample < 1:
            raise EngineError(
                f"a town of {width} x {height} pixels with {supersample} samples cannot be drawn: all three must be 1 "
                "or more."
            )
        self._size, self._samples, self._geometry = (width, height), supersample, geometry
        self._context = open_context()
        with self._context:
            # Rows are drawn top first, which turns every triangle around.
            self._context.front_face = "cw"
            self._upload(scene)
        self._pictures: dict[Look, Picture] = {}
        self._last: _Shot | None = None
        self._sky: tuple[Weather, Sky] | None = None
        self._closed = False

    def _upload(self, scene: TownScene) -> None:
        context = self._context
        self._culling = ChunkCulling(scene.still, scene.chunks)
        self._walls = Walls(scene.still)
        self._still = StillBuffers(context, scene.still)
        self._cars = [MovingBuffers(context, mesh) for mesh in scene.cars]
        self._people = [MovingBuffers(context, mesh) for mesh in scene.people]
        self._far_cars = [MovingBuffers(context, *both) for both in zip(scene.far_cars, scene.cars, strict=False)]
        self._far_people = [MovingBuffers(context, *both) for both in zip(scene.far_people, scene.people, strict=False)]
        self._moving = (*self._cars, *self._people, *self._far_cars, *self._far_people)
        defines = ("GEOMETRY",) if self._geometry else ()
        self._maps_still = Program(context, "world.vert", "maps.frag", *defines)
        self._maps_moving = Program(context, "world.vert", "maps.frag", "MOVING", *defines)
        self._maps_sky = Program(context, "screen.vert", "sky_maps.frag", *defines)
        self._shadow_still = Program(context, "shadow.vert", "shadow.frag")
        self._shadow_moving = Program(context, "shadow.vert", "shadow.frag", "MOVING")
        self._seen = context.texture(self._size, 4, dtype="u4")
        self._known = context.texture(self._size, 4, dtype="u4") if self._geometry else None
        attachments = [self._seen] if self._known is None else [self._seen, self._known]
        self._maps = context.framebuffer(attachments, context.depth_renderbuffer(self._size))
        corners = context.buffer(np.array([-1, -1, 3, -1, -1, 3], np.float32).tobytes())
        self._screen = context.vertex_array(self._maps_sky.program, [(corners, "2f", "corner")])
        tile = noise_tile()
        self._noise = context.texture(tile.shape[1::-1], 4, tile.tobytes(), dtype="f2")
        self._noise.build_mipmaps()
        self._noise.filter = (moderngl.LINEAR_MIPMAP_NEAREST, moderngl.LINEAR)
        leafage = tile[..., 1].astype(np.float32)
        self._leafage = context.texture(leafage.shape[::-1], 1, leafage.tobytes(), dtype="f4")
        pools = lamp_pools(scene.still)
        self._pools = context.texture(pools.shape[::-1], 1, pools.tobytes(), dtype="f2")
        self._signals = context.texture((GROUPS, 1), 1, bytes(GROUPS), dtype="u1", alignment=1)
        self._shadow_map = ShadowMap(context, STILL)
        self._moving_map = ShadowMap(context, MOVING)

    def draw(self, view: View, actors: Actors, *, cut: bool = False) -> Maps:
        """Everything known of a view.

        Args:
            view: the camera and the weather.
            actors: what moves; each row brings where it was before.
            cut: whether this view does not follow the one drawn last. Then nothing has moved (motion 0) and no point
                was seen before (expected depth -1). The first view is always a cut.

        Raises:
            EngineError: there are more kinds of actors than meshes, or the renderer is closed.
        """
        self._open()
        cut = cut or self._last is None
        with self._context:
            shot = self._shoot(view, actors, cut)
            return self._read(shot, cut)

    def photo(self, look: Look = "photo") -> NDArray[np.uint8]:
        """[H, W, 3], sRGB: the view drawn last as a picture.

        Raises:
            EngineError: nothing was drawn yet, or the renderer is closed.
        """
        self._open()
        shot = self._last
        if shot is None:
            raise EngineError("there is no view to take a picture of: call `draw` first.")
        with self._context:
            if not self._geometry:
                self._cast(shot)
            picture = self._pictures.get(look)
            if picture is None:
                picture = self._pictures[look] = Picture(self._context, look, *self._size, self._samples)
            return self._paint(picture, look, shot)

    def close(self) -> None:
        """Give the context back; once is enough, twice does no harm."""
        if not self._closed:
            self._closed = True
            self._context.release()

    def _open(self) -> None:
        if self._closed:
            raise EngineError("this renderer is closed: make another.")

    def _shoot(self, view: View, actors: Actors, cut: bool) -> _Shot:
        if len(actors.cars) > len(self._cars) or len(actors.people) > len(self._people):
            raise EngineError(
                f"actors of {len(actors.cars)} car and {len(actors.people)} walker styles were given, the scene has "
                f"meshes for {len(self._cars)} and {len(self._people)}: give one array of rows for each mesh."
            )
        axes = camera_axes(view.forward)
        matrix = projection(axes, view.fov, self._size[0] / self._size[1])
        eye = np.array(view.eye, np.float64)
        eye[:2] %= SIZE
        aspect = self._size[0] / self._size[1]
        horizon = Horizon(self._walls, eye, axes[2], math.tan(view.fov / 2) * aspect)
        before = self._last
        if cut or before is None:
            eye_step, matrix_before = np.zeros(3), matrix
        else:
            eye_step, matrix_before = eye - before.eye, before.matrix
            eye_step[:2] = (eye_step[:2] + SIZE / 2) % SIZE - SIZE / 2
        focal = self._size[1] / 2 / math.tan(view.fov / 2)
        far_begins = MOVERS_BEGIN * max(focal / FOCAL, 1.0)
        for buffers, far_buffers, rows, reach in (
            (self._cars, self._far_cars, actors.cars, CAR_REACH),
            (self._people, self._far_people, actors.people, PERSON_REACH),
        ):
            given = rows[: len(buffers)]
            everyone = np.concatenate([*given, np.empty(0, ACTOR)])
            style = np.repeat(np.arange(len(given)), [len(group) for group in given])
            made, chosen = relative_rows(everyone, eye, eye_step, matrix, reach, horizon)
            away = np.linalg.norm(made[:, :3], axis=1) >= far_begins
            for n, buffer in enumerate(buffers):
                own = style[chosen] == n
                if n < len(far_buffers):
                    far_buffers[n].fill(made[own & away])
                    own &= ~away
                buffer.fill(made[own])
        self._signal(actors.signals)
        draws = self._culling.visible(matrix, eye, horizon, focal)
        if self._sky is None or self._sky[0] != view.weather:
            self._sky = view.weather, sky_of(view.weather)
        shot = _Shot(view, axes, matrix, eye, draws, self._sky[1], *_headlight(view, actors))
        if self._geometry:
            self._cast(shot)
        self._last = shot

        context = self._context
        self._maps.use()
        self._maps.clear()
        context.enable_only(moderngl.DEPTH_TEST)
        context.depth_func = "<"
        shared = {"projection_before": matrix_before, "eye_step": eye_step, "size": self._size}
        self._world(self._maps_still, self._maps_moving, shot, shared)
        context.depth_func = "<="
        self._maps_sky.set(clip_to_world=_clip_to_world(shot, self._size), **shared)
        self._screen.render(vertices=3)
        return shot

    def _world(self, still: Program, moving: Program, shot: _Shot, shared: dict[str, Any]) -> None:
        """Draw everything but the sky into the framebuffer in use."""
        self._noise.use(0)
        self._leafage.use(7)
        self._signals.use(1)
        self._shadow_map.texture.use(2)
        self._moving_map.texture.use(3)
        self._pools.use(6)
        lights = {}
        if self._shadow_map.origin is not None:
            lights = {
                "still_light": self._shadow_map.lookup(shot.eye),
                "moving_light": self._moving_map.lookup(shot.eye),
                "texel": self._shadow_map.texel,
            }
        for program in (still, moving):
            program.set(
                projection=shot.matrix, eye=shot.eye, camera=shot.axes, sun=shot.sky.light, once=1,
                noise=0, signals=1, still_shadow=2, moving_shadow=3, lamp_light=6, leafage=7, **lights, **shared,
            )  # fmt: skip
        for buffer in self._moving:
            buffer.draw(moving)
        self._still.draw(still, shot.draws, shot.eye)

    def _cast(self, shot: _Shot) -> None:
        """Bring the shadow maps up to date."""
        context, light = self._context, np.array(shot.sky.light)
        context.enable_only(moderngl.DEPTH_TEST)
        context.depth_func = "<"
        if self._shadow_map.outdated(shot.eye, shot.axes[2], light):
            matrix = self._shadow_map.place(shot.eye, shot.axes[2], light)
            origin = self._shadow_map.origin
            assert origin is not None
            self._shadow_map.target.use()
            self._shadow_map.target.clear()
            self._shadow_still.set(light=matrix)
            self._still.draw(self._shadow_still, self._culling.visible(matrix, origin), origin)
        matrix = self._moving_map.place(shot.eye, shot.axes[2], light)
        self._moving_map.target.use()
        self._moving_map.target.clear()
        # The rows are relative to the eye, the map to its own middle.
        self._shadow_moving.set(light=self._moving_map.clip(shot.eye))
        for buffer in self._moving:
            buffer.draw_caster(self._shadow_moving)

    def _read(self, shot: _Shot, cut: bool) -> Maps:
        width, height = self._size
        seen = np.frombuffer(self._seen.read(), np.uint32).reshape(height, width, 4)
        labels, instances, depth, motion, expected = base_maps(seen)
        if cut:
            motion[:], expected[:] = 0, -1
        geometry = Geometry()
        if self._known is not None:
            known = np.frombuffer(self._known.read(), np.uint32).reshape(height, width, 4)
            geometry = Geometry(**geometry_maps(seen, known), sun=_sun_seen(shot))
        return Maps(labels, instances, depth, motion, expected, geometry)

    def _signal(self, signals: NDArray[np.int32]) -> None:
        if len(signals) > self._signals.width:
            self._signals.release()
            self._signals = self._context.texture((len(signals), 1), 1, dtype="u1", alignment=1)
        row = np.zeros(self._signals.width, np.uint8)
        row[: len(signals)] = signals
        self._signals.write(row.tobytes(), alignment=1)

    def _paint(self, picture: Picture, look: Look, shot: _Shot) -> NDArray[np.uint8]:
        context = self._context
        picture.light(shot.sky, look, headlight=shot.headlight, heading=shot.heading, view_end=FAR)
        picture.target.use()
        picture.target.clear()
        context.enable_only(moderngl.DEPTH_TEST)
        context.depth_func = "<"
        # World pass: nothing has moved as far as a picture is concerned.
        shared = {"projection_before": shot.matrix, "eye_step": (0.0, 0.0, 0.0)}
        self._world(picture.still, picture.moving, shot, shared)
        context.depth_func = "<="
        picture.sky.set(clip_to_world=_clip_to_world(shot, self._size), noise=0, once=1)
        picture.screen.render(vertices=3)
        focal = 0.5 / math.tan(shot.view.fov / 2) * self._size[1] / self._size[0]
        return picture.develop(context, focal)


def _clip_to_world(shot: _Shot, size: tuple[int, int]) -> NDArray[np.float64]:
    """[3, 3]: (x, y, 1) of clip space to a direction in the world."""
    slope = math.tan(shot.view.fov / 2)
    return shot.axes.T * np.array([slope * size[0] / size[1], slope, 1.0])


def _sun_seen(shot: _Shot) -> tuple[float, float, float]:
    """Towards the light: forward, left, up of the levelled camera."""
    x, y, z = shot.sky.light
    ahead = shot.axes[2][:2] / np.linalg.norm(shot.axes[2][:2])
    return float(x * ahead[0] + y * ahead[1]), float(y * ahead[0] - x * ahead[1]), z


def _headlight(view: View, actors: Actors) -> tuple[tuple[float, float, float, float], tuple[float, float]]:
    """Where the driver's headlights are relative to the eye, their strength, and where they point."""
    for rows in actors.cars:
        ego = np.flatnonzero(rows["instance"] == EGO)
        if len(ego):
            x, y, z, yaw = (float(n) for n in rows["now"][ego[0]])
            heading = math.cos(yaw), math.sin(yaw)
            off = [(a - b + SIZE / 2) % SIZE - SIZE / 2 for a, b in ((x, view.eye[0]), (y, view.eye[1]))]
            return (off[0] + 2.2 * heading[0], off[1] + 2.2 * heading[1], z + 0.65 - view.eye[2], 1.0), heading
    # Seen from the hood the car itself is not drawn; from high above there is none.
    length = math.hypot(view.forward[0], view.forward[1])
    heading = view.forward[0] / length, view.forward[1] / length
    return (heading[0] * 1.6, heading[1] * 1.6, 0.65 - view.eye[2], 1.0 if view.eye[2] < 2.2 else 0.0), heading

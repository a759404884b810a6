"""A scripted stand-in of the `carla` package: a server with a street, a house and a second car, in numpy.

No real CARLA server was available where these tests were written. What is imitated here (names, signatures, BGRA
layouts, Unreal's left-handed axes, frame numbers, spring arms, RuntimeErrors) follows CARLA's documentation, its type
stubs and its source; everything is computed in Unreal's own axes, independently of the adapter.
"""

from __future__ import annotations

import math
import types
from dataclasses import dataclass, field

import numpy as np

NEW = {"road": 1, "building": 3, "terrain": 10, "sky": 11, "person": 12, "car": 14, "line": 24}
OLD = {"road": 7, "building": 1, "terrain": 22, "sky": 13, "person": 4, "car": 10, "line": 6}


@dataclass
class Vector3D:
    x: float = 0.0
    y: float = 0.0
    z: float = 0.0

    def array(self):
        return np.array([self.x, self.y, self.z], float)


class Location(Vector3D):
    pass


@dataclass
class Rotation:
    pitch: float = 0.0
    yaw: float = 0.0
    roll: float = 0.0

    def matrix(self):
        """Columns forward, right, up: yaw after pitch after roll."""
        p, y, r = (math.radians(n) for n in (self.pitch, self.yaw, self.roll))
        turn = np.array([[math.cos(y), -math.sin(y), 0], [math.sin(y), math.cos(y), 0], [0, 0, 1]])
        nod = np.array([[math.cos(p), 0, -math.sin(p)], [0, 1, 0], [math.sin(p), 0, math.cos(p)]])
        bank = np.array([[1, 0, 0], [0, math.cos(r), math.sin(r)], [0, -math.sin(r), math.cos(r)]])
        return turn @ nod @ bank


class Transform:
    def __init__(self, location=None, rotation=None):
        self.location, self.rotation = location or Location(), rotation or Rotation()


@dataclass
class VehicleControl:
    throttle: float = 0.0
    steer: float = 0.0
    brake: float = 0.0
    hand_brake: bool = False
    reverse: bool = False
    gear: int = 0


@dataclass
class BoundingBox:
    location: Location
    extent: Vector3D


@dataclass
class Settings:
    synchronous_mode: bool = False
    fixed_delta_seconds: float | None = None
    no_rendering_mode: bool = False
    substepping: bool = True
    max_substep_delta_time: float = 0.01
    max_substeps: int = 10


@dataclass
class Sky:
    cloudiness: float = 5.0
    fog_density: float = 0.0
    fog_distance: float = 0.0
    sun_altitude_angle: float = 40.0
    sun_azimuth_angle: float = 10.0
    wetness: float = 33.0


class Blueprint:
    def __init__(self, name, attributes):
        self.id, self.attributes = name, dict(attributes)

    def has_attribute(self, name):
        return name in self.attributes

    def get_attribute(self, name):
        return self.attributes[name]

    def set_attribute(self, name, value):
        assert isinstance(value, str), "CARLA takes strings"
        assert name in self.attributes
        self.attributes[name] = value


CAMERA = {"image_size_x": "800", "image_size_y": "600", "fov": "90", "role_name": "front"}
CAMERAS = ("semantic_segmentation", "instance_segmentation", "depth", "optical_flow", "rgb")


class Library:
    def __init__(self, without=()):
        known = {f"sensor.camera.{kind}": CAMERA for kind in CAMERAS}
        known["sensor.other.collision"] = {"role_name": "front"}
        known["vehicle.tesla.model3"] = {"role_name": "autopilot", "number_of_wheels": "4"}
        self.known = {name: given for name, given in known.items() if name not in without}

    def find(self, name):
        if name not in self.known:
            raise IndexError(f"blueprint '{name}' not found")
        return Blueprint(name, self.known[name])

    def filter(self, pattern):
        return [self.find(name) for name in self.known if name.startswith(pattern.rstrip("*"))]


class Actor:
    def __init__(self, world, blueprint, transform, parent=None, attachment="Rigid"):
        world.count += 1
        self.world, self.id, self.type_id, self.parent = world, world.count, blueprint.id, parent
        self.attributes, self.attachment = dict(blueprint.attributes), attachment
        self.relative = self.transform = transform
        self.velocity, self.control = Vector3D(), VehicleControl()
        self.autopilot, self.heard = None, None
        self.bounding_box = BoundingBox(Location(0.0, 0.0, 0.75), Vector3D(2.3, 0.95, 0.75))

    def place(self):
        """Where a sensor is; a spring arm keeps level and looks along itself."""
        if self.parent is None:
            return self.transform
        base = self.parent.transform
        if self.attachment == "Rigid":
            turn = base.rotation.matrix()
            rotation = Rotation(
                self.relative.rotation.pitch + base.rotation.pitch, base.rotation.yaw + self.relative.rotation.yaw
            )
        else:
            turn = Rotation(yaw=base.rotation.yaw).matrix()
            arm = self.relative.location
            along = math.degrees(math.atan2(-arm.z, math.hypot(arm.x, arm.y)))
            rotation = Rotation(along + self.relative.rotation.pitch, base.rotation.yaw)
        spot = base.location.array() + turn @ self.relative.location.array()
        return Transform(Location(*(float(n) for n in spot)), rotation)

    def listen(self, callback):
        self.heard = callback

    def stop(self):
        self.world.alive()
        self.heard = None

    def destroy(self):
        self.world.alive()
        self.world.actors = [a for a in self.world.actors if a is not self]
        return True

    def apply_control(self, control):
        self.world.alive()
        self.control = control

    def get_control(self):
        return self.control

    def set_transform(self, transform):
        self.transform = transform

    def set_target_velocity(self, velocity):
        self.velocity = velocity

    def set_target_angular_velocity(self, velocity):
        pass

    def set_autopilot(self, on, port):
        self.autopilot = port if on else None

    # What a snapshot of it says.
    def get_transform(self):
        return self.transform

    def get_velocity(self):
        return self.velocity


class Waypoint:
    road_id, section_id, lane_id, lane_width = 3, 0, -1, 3.5

    def __init__(self, x):
        self.x, self.s = x, x + 200
        self.transform = Transform(Location(x, 1.75, 0.0), Rotation())

    def next(self, distance):
        return [Waypoint(self.x + distance)] if self.x + distance <= 200 else []


class Map:
    """A straight road along x, from -200 to 200."""

    name = "Carla/Maps/Town_Stand_In"

    def __init__(self, spawn_points):
        self.spawn_points = spawn_points

    def get_spawn_points(self):
        return self.spawn_points

    def get_waypoint(self, location, project_to_road=True):
        inside = abs(location.y) <= 6 and abs(location.x) <= 200
        return Waypoint(min(max(location.x, -200.0), 200.0)) if project_to_road or inside else None

    def generate_waypoints(self, distance):
        return [Waypoint(float(x)) for x in np.arange(-200, 200, distance)]

    def get_waypoint_xodr(self, road, lane, s):
        return Waypoint(s - 200) if 0 <= s <= 400 else None


class ActorList(list):
    def filter(self, pattern):
        return ActorList(a for a in self if a.type_id.startswith(pattern.rstrip("*")))


@dataclass
class Faults:
    """What goes wrong."""

    silent: str = ""
    """The camera that sends nothing any more."""
    late: bool = False
    """Cameras first send the frame before once more."""
    ahead: bool = False
    """Cameras send a frame that nobody asked for."""
    dead: bool = False
    """Nobody answers any more."""
    flow: str = ""
    """'nonsense': the flow camera sends noise; 'zero': nothing for what stands still."""
    short: bool = False
    """Images hold less than their size says."""


class World:
    def __init__(self, package, tags, flow_factors):
        self.package, self.tags, self.flow_factors = package, tags, flow_factors
        self.faults = Faults()
        self.settings, self.sky = Settings(), Sky()
        self.actors, self.count, self.frame, self.time = [], 100, 1000, 50.0
        self.library = Library()
        self.map = Map([Transform(Location(0.0, 1.75, 0.3), Rotation(yaw=0.0))])
        self.blocked = set()
        self.somebody_ticks = False
        self.cameras_before = {}
        self.traffic = None

    def alive(self):
        if self.faults.dead:
            raise RuntimeError("time-out of 2000ms while waiting for the simulator")

    def add(self, type_id, x, y, yaw=0.0, speed=0.0):
        actor = Actor(self, Blueprint(type_id, {}), Transform(Location(x, y, 0.0), Rotation(yaw=yaw)))
        actor.velocity = Vector3D(speed * math.cos(math.radians(yaw)), speed * math.sin(math.radians(yaw)))
        self.actors.append(actor)
        return actor

    def get_settings(self):
        return Settings(**vars(self.settings))

    def apply_settings(self, settings):
        self.alive()
        self.settings = Settings(**vars(settings))

    def get_weather(self):
        self.alive()
        return Sky(**vars(self.sky))

    def set_weather(self, sky):
        self.alive()
        self.sky = Sky(**vars(sky))

    def get_map(self):
        return self.map

    def get_blueprint_library(self):
        return self.library

    def get_actors(self):
        return ActorList(self.actors)

    def spawn_actor(self, blueprint, transform, attach_to=None, attachment_type="Rigid"):
        self.alive()
        actor = Actor(self, blueprint, transform, attach_to, attachment_type)
        self.actors.append(actor)
        return actor

    def try_spawn_actor(self, blueprint, transform):
        return None if transform.location.x in self.blocked else self.spawn_actor(blueprint, transform)

    def wait_for_tick(self, seconds):
        if not self.somebody_ticks:
            raise RuntimeError(f"time-out of {seconds}s while waiting for the simulator")

    def get_snapshot(self):
        by_id = {a.id: types.SimpleNamespace(id=a.id, get_transform=_kept(a.transform), get_velocity=_kept(a.velocity))
                 for a in self.actors}  # fmt: skip
        stamp = types.SimpleNamespace(elapsed_seconds=self.time)
        return types.SimpleNamespace(frame=self.frame, timestamp=stamp, find=by_id.get)

    def tick(self, seconds):
        self.alive()
        assert self.settings.synchronous_mode
        step = self.settings.fixed_delta_seconds
        before = {a.id: a.transform for a in self.actors}
        for actor in self.actors:
            if actor.type_id.startswith(("vehicle", "walker")):
                self._move(actor, step)
        self.frame, self.time = self.frame + 1, self.time + step
        for sensor in [a for a in self.actors if a.heard and "camera" in a.type_id]:
            self._show(sensor, before)
        return self.frame

    def collide(self, vehicle, other):
        event = types.SimpleNamespace(frame=self.frame, other_actor=other)
        for sensor in self.actors:
            if sensor.type_id == "sensor.other.collision" and sensor.parent is vehicle:
                sensor.heard(event)

    def _move(self, actor, step):
        control, there, turned = actor.control, actor.transform.location, actor.transform.rotation
        speed = math.hypot(actor.velocity.x, actor.velocity.y)
        speed = max(0.0, speed + (4.0 * control.throttle - 8.0 * control.brake) * step)
        yaw = turned.yaw + math.degrees(0.4 * control.steer * speed * step)
        along = math.radians(yaw)
        actor.velocity = Vector3D(speed * math.cos(along), speed * math.sin(along))
        spot = Location(there.x + actor.velocity.x * step, there.y + actor.velocity.y * step, 0.0)
        actor.transform = Transform(spot, Rotation(0.0, yaw, 0.0))

    def _show(self, sensor, before):
        kind = sensor.type_id.removeprefix("sensor.camera.")
        place = sensor.place()
        past = self.cameras_before.get(sensor.id, place)
        self.cameras_before[sensor.id] = place
        if kind == self.faults.silent:
            return
        image = self._image(sensor, kind, place, past, before)
        if self.faults.late:
            old = types.SimpleNamespace(**vars(image))
            old.frame, old.raw_data = image.frame - 1, bytes(len(image.raw_data))
            sensor.heard(old)
        if self.faults.ahead:
            image.frame += 1
        sensor.heard(image)

    def _image(self, sensor, kind, place, past, before):
        width, height = int(sensor.attributes["image_size_x"]), int(sensor.attributes["image_size_y"])
        degrees = float(sensor.attributes["fov"])
        seen = Picture(self, place, width, height, degrees, sensor.parent)
        data = np.zeros((height, width, 4), np.uint8)
        if kind in ("semantic_segmentation", "instance_segmentation"):
            data[..., 2] = seen.tag
            if kind.startswith("instance"):
                data[..., 1], data[..., 0] = seen.instance & 255, seen.instance >> 8
        elif kind == "depth":
            code = np.round(np.minimum(seen.depth, 1000.0) / 1000.0 * (2**24 - 1)).astype(np.uint32)
            data[..., 2], data[..., 1], data[..., 0] = code & 255, code >> 8 & 255, code >> 16
        elif kind == "optical_flow":
            data = (seen.motion(past, before) / np.array(self.flow_factors(width, height))).astype(np.float32)
            if self.faults.flow == "nonsense":
                data = np.random.default_rng(self.frame).normal(0, 0.1, data.shape).astype(np.float32)
            elif self.faults.flow == "zero":
                data[:] = 0
        else:
            data[..., :3] = 10, 20, 200  # blue, green, red
        raw = data.tobytes()
        return types.SimpleNamespace(frame=self.frame, width=width, height=height, fov=degrees, transform=place,
                                     raw_data=raw[:-4] if self.faults.short else raw)  # fmt: skip


class Picture:
    """What a camera sees: rays against the ground, boxes and the sky, in Unreal's axes."""

    def __init__(self, world, place, width, height, degrees, own):
        self.width, self.height = width, height
        self.focal = width / 2 / math.tan(math.radians(degrees) / 2)
        across = (np.arange(width) + 0.5 - width / 2) / self.focal
        up = (height / 2 - np.arange(height) - 0.5) / self.focal
        rays = np.stack([np.ones((height, width)), *np.broadcast_arrays(across, up[:, None])], -1)
        eye, tags = place.location.array(), world.tags
        self.rays = rays @ place.rotation.matrix().T
        with np.errstate(divide="ignore"):
            ground = np.where(self.rays[..., 2] < 0, -eye[2] / self.rays[..., 2], np.inf)
        self.depth = np.where(ground < 900, ground, np.inf)
        finite = np.where(np.isfinite(self.depth), self.depth, 0)
        side = np.abs(eye[1] + self.rays[..., 1] * finite)
        self.tag = np.where(side < 6, tags["road"], tags["terrain"])
        self.tag[side < 0.1] = tags["line"]
        self.tag[~np.isfinite(self.depth)] = tags["sky"]
        self.instance = np.zeros((height, width), int)
        self.actor = np.zeros((height, width), int)
        house = Transform(Location(40.0, -18.0, 6.0), Rotation())
        self._box(eye, house, np.array([8.0, 6.0, 6.0]), tags["building"], 0x0102, 0)
        parked = Transform(Location(25.0, 5.0, 0.75), Rotation())
        self._box(eye, parked, np.array([2.2, 0.9, 0.75]), tags["car"], 0x0304, 0)
        for actor in world.actors:
            person = actor.type_id.startswith("walker")
            if person or actor.type_id.startswith("vehicle"):
                middle = actor.transform.rotation.matrix() @ np.array([0, 0, 0.75]) + actor.transform.location.array()
                box = Transform(Location(*middle), actor.transform.rotation)
                half = np.array([0.3, 0.3, 0.75]) if person else np.array([2.3, 0.95, 0.75])
                self._box(eye, box, half, tags["person" if person else "car"], 0x1000 + actor.id, actor.id)
        self.eye, self.now = eye, {a.id: a.transform for a in world.actors}

    def _box(self, eye, place, half, tag, instance, actor):
        turn = place.rotation.matrix()
        start, rays = (eye - place.location.array()) @ turn, self.rays @ turn
        if (np.abs(start) < half).all():
            return  # seen from inside, as a bodywork from the driver's seat
        with np.errstate(divide="ignore", invalid="ignore"):
            a, b = (-half - start) / rays, (half - start) / rays
        near, far = np.minimum(a, b).max(-1), np.maximum(a, b).min(-1)
        hit = (near <= far) & (near > 0) & (near < self.depth)
        self.depth[hit], self.tag[hit] = near[hit], tag
        self.instance[hit], self.actor[hit] = instance, actor

    def motion(self, past, before):
        """[H, W, 2]: pixels right and down to where the previous camera showed the same point."""
        reach = np.where(np.isfinite(self.depth), self.depth, 1e7)
        points = self.eye + self.rays * reach[..., None]
        for key in np.unique(self.actor[self.actor > 0]):
            mine, now, then = self.actor == key, self.now[key], before[key]
            own = (points[mine] - now.location.array()) @ now.rotation.matrix()
            points[mine] = own @ then.rotation.matrix().T + then.location.array()
        seen = (points - past.location.array()) @ past.rotation.matrix()
        with np.errstate(divide="ignore", invalid="ignore"):
            x = seen[..., 1] / seen[..., 0] * self.focal + self.width / 2 - np.arange(self.width) - 0.5
            y = self.height / 2 - seen[..., 2] / seen[..., 0] * self.focal - (np.arange(self.height) + 0.5)[:, None]
        return np.stack([x, y], -1)


class TrafficManager:
    def __init__(self):
        self.synchronous = False

    def set_synchronous_mode(self, on):
        self.synchronous = on

    def get_port(self):
        return 8000


@dataclass
class Package:
    """Stands in for the module `carla`, and for the server behind it."""

    client_version: str = "0.9.15"
    server_version: str = "0.9.15"
    tags: dict = field(default_factory=lambda: NEW)
    listens: bool = True
    flow_factors: object = lambda width, height: (-width / 2, height / 2)
    """Pixels of motion for 1 of the flow camera's numbers: what users of 0.9.12 have measured."""

    Location, Rotation, Transform, Vector3D, VehicleControl = Location, Rotation, Transform, Vector3D, VehicleControl
    AttachmentType = types.SimpleNamespace(Rigid="Rigid", SpringArm="SpringArm", SpringArmGhost="SpringArmGhost")

    def __post_init__(self):
        self.world = World(self, self.tags, self.flow_factors)
        self.traffic = TrafficManager()
        self.worlds_shown = 0

    def Client(self, host, port):  # noqa: N802
        return Client(self)


class Client:
    def __init__(self, package):
        self.package, self.timeout = package, None

    def set_timeout(self, seconds):
        self.timeout = seconds

    def get_client_version(self):
        return self.package.client_version

    def get_server_version(self):
        if not self.package.listens:
            raise RuntimeError("time-out of 20000ms while waiting for the simulator, make sure it is ready")
        return self.package.server_version

    def get_world(self):
        self.package.worlds_shown += 1
        return self.package.world

    def get_trafficmanager(self, port):
        self.package.world.alive()
        return self.package.traffic


def _kept(value):
    return lambda: value

"""The driver's car: a kinematic bicycle with steering lag, tyres that only hold so much, an engine, brakes and gears.

Lengths in metres, angles in radians, seconds; yaw counter-clockwise from east as in `messages`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from .messages import Control, Vehicle

WHEELBASE = 2.7
MAX_ANGLE = math.radians(35.0)
"""Of the front wheels at walking pace."""
GRIP = 8.0
"""Acceleration that the tyres can pass on in any direction, m/s^2: dry asphalt with ordinary tyres, mu about .8."""
REACH = 1.15
"""Part of GRIP that full lock asks for at speed: a little beyond what the tyres hold, so that they can be felt."""
STEER_RATE = 4.5
"""Lock to centre takes 1 / STEER_RATE seconds at least."""
STEER_LAG = 0.07
"""Time constant with which the wheels follow, seconds."""
TRACTION = 4.2
"""What the driven axle can push at best, m/s^2."""
POWER = 34.0
"""Engine power by mass, W/kg: the push falls as 1 / speed beyond TRACTION's corner (P = F v)."""
REVERSE_POWER = 12.0
BRAKES = 8.0
HAND_BRAKE = 5.0
COASTING = 0.45
"""Engine braking without throttle, m/s^2."""
DRAG = 4.0e-4
"""rho c_w A / (2 m) of an ordinary car, 1/m."""
ROLLING = 0.12
"""Rolling resistance, m/s^2: .012 g."""
TOP_REVERSE = 9.0
UPSHIFTS = (4.5, 9.0, 14.0, 20.0, 27.0)
"""Metres a second at which the automatic takes the next gear; back down one metre a second lower."""
SUBSTEP = 1.0 / 120.0
"""Longest step of the integration: the car feels the same at 20 and at 60 Hz."""


@dataclass(frozen=True)
class CarState:
    """The driver's car at one moment, with what a collision left in it."""

    x: float = 0.0
    y: float = 0.0
    yaw: float = 0.0
    speed: float = 0.0
    """Along its own axis, negative backwards."""
    steer: float = 0.0
    """-1 (full left) .. 1 (full right): where the wheels stand, as a part of what is possible at this speed."""
    gear: int = 0
    slide: float = 0.0
    """Speed to its left: after a bump only, tyres soon stop it."""
    spin: float = 0.0
    """Yaw rate beyond the wheels' own, radians a second: after a bump only."""

    @property
    def message(self) -> Vehicle:
        """As DATA says it."""
        return Vehicle(self.x, self.y, self.yaw, self.speed, self.steer, self.gear)


def steering_limit(speed: float) -> float:
    """The front wheels' largest angle at `speed`: where the bicycle model's lateral acceleration v^2 tan(d) / L is
    REACH * GRIP, and never more than MAX_ANGLE."""
    lock = math.tan(MAX_ANGLE)
    fast = REACH * GRIP * WHEELBASE / max(speed * speed, 1e-6)
    return math.atan((lock**-4 + fast**-4) ** -0.25)  # a smooth minimum: no corner that a hand could feel


def yaw_rate(speed: float, steer: float, grip: float = GRIP) -> float:
    """Radians a second of the kinematic bicycle, v tan(d) / L (Kong et al., 'Kinematic and dynamic vehicle models for
    autonomous driving control design', IV 2015, eq. 1 about the rear axle), cut smoothly where v times it would exceed
    `grip`: beyond the tyres' limit the car understeers. Positive is left; `steer` is positive to the right."""
    rate = -speed * math.tan(steer * steering_limit(speed)) / WHEELBASE
    asked = abs(rate * speed) / max(grip, 1e-3)
    return rate / (1.0 + asked**6) ** (1 / 6)


def drive(car: CarState, control: Control, seconds: float) -> CarState:
    """`car` after `seconds` of `control`, nothing being in its way. Control is clipped to its ranges."""
    steps = max(1, math.ceil(seconds / SUBSTEP - 1e-9))
    for _ in range(steps):
        car = substep(car, control, seconds / steps)
    return car


def substep(car: CarState, control: Control, dt: float) -> CarState:
    """One step of at most SUBSTEP."""
    steer = _steer(car.steer, min(max(control.steer, -1.0), 1.0), dt)
    turn = yaw_rate(car.speed, steer)
    # Friction ellipse: what cornering takes is not there for braking.
    held = math.sqrt(max(GRIP * GRIP - (turn * car.speed) ** 2, (0.25 * GRIP) ** 2))
    speed = _speed(car.speed, control, held, dt)
    mean, yaw = 0.5 * (car.speed + speed), car.yaw + (turn + car.spin) * dt
    middle = car.yaw + 0.5 * (turn + car.spin) * dt
    along, left = math.cos(middle), math.sin(middle)
    slide = math.copysign(max(0.0, abs(car.slide) - GRIP * dt), car.slide)
    # The model turns about the rear axle; x, y are the middle of the car.
    half = 0.5 * WHEELBASE
    x = car.x + (mean * along - car.slide * left) * dt - half * (math.cos(car.yaw) - math.cos(yaw))
    y = car.y + (mean * left + car.slide * along) * dt - half * (math.sin(car.yaw) - math.sin(yaw))
    spin = car.spin * math.exp(-7.0 * dt)
    return replace(
        car,
        x=x,
        y=y,
        yaw=math.remainder(yaw, 2 * math.pi),
        speed=speed,
        steer=steer,
        gear=_gear(car.gear, speed, control),
        slide=slide,
        spin=spin if abs(spin) > 1e-3 else 0.0,
    )


def _steer(now: float, wanted: float, dt: float) -> float:
    """A first-order lag with a limited rate: quick enough to catch a car, slow enough for keys."""
    change = (wanted - now) * -math.expm1(-dt / STEER_LAG)
    most = STEER_RATE * dt
    return now + min(max(change, -most), most)


def _speed(speed: float, control: Control, held: float, dt: float) -> float:
    throttle, brake = min(max(control.throttle, 0.0), 1.0), min(max(control.brake, 0.0), 1.0)
    if control.reverse:
        push = -min(TRACTION * 0.7, REVERSE_POWER / max(-speed, 1e-3)) * throttle
        if speed < -TOP_REVERSE:
            push = 0.0
    else:
        push = min(TRACTION, POWER / max(speed, 1e-3), held) * throttle
    # What slows, whichever way the car rolls; it never pushes the other way.
    slow = ROLLING + DRAG * speed * speed + COASTING * (1.0 - throttle)
    slow += min(BRAKES * brake + HAND_BRAKE * control.hand_brake, held)
    free = speed + push * dt
    if push == 0.0 or brake > 0 or control.hand_brake or free * push > 0:
        return math.copysign(max(0.0, abs(free) - slow * dt), free)
    return free


def _gear(gear: int, speed: float, control: Control) -> int:
    if control.reverse and speed <= 0.5:
        return -1
    if abs(speed) < 0.05 and control.throttle <= 0:
        return 0
    gear = max(gear, 1)
    while gear <= len(UPSHIFTS) and speed > UPSHIFTS[gear - 1]:
        gear += 1
    while gear > 1 and speed < UPSHIFTS[gear - 2] - 1.0:
        gear -= 1
    return gear

"""DATA and CONTROL survive the wire as exactly as promised, and nothing that makes no sense comes through it."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import pytest
from neuroview.engine.driving import service_pb2 as pb
from neuroview.engine.driving import wire
from neuroview.engine.driving.messages import (
    Actor,
    CameraPose,
    Control,
    DriveFrame,
    EngineInfo,
    Event,
    Geometry,
    Vehicle,
    Weather,
)
from neuroview.engine.driving.planes import ProtocolError

INFO = EngineInfo("town", "Test", width=64, height=32, period=448.0, parts=wire.PARTS)
SKY = np.s_[:10]


def frame(info: EngineInfo = INFO) -> DriveFrame:
    """A frame with every part, sky above."""
    random = np.random.default_rng(1)
    size = info.height, info.width

    def uniform(low: float, high: float, *channels: int) -> np.ndarray:
        made = random.uniform(low, high, (*size, *channels)).astype(np.float32)
        made[SKY] = np.nan
        return made

    depth = uniform(0.5, 300.0)
    depth[SKY] = np.inf
    return DriveFrame(
        number=12,
        time=0.4,
        labels=random.integers(0, 29, size, np.uint8),
        instances=random.integers(0, 65536, size, np.uint16),
        depth=depth,
        motion=uniform(-32.0, 32.0, 2),
        expected_depth=uniform(-5.0, 300.0),
        geometry=Geometry(
            height=uniform(0, 40),
            storey=uniform(0, 15),
            bay=uniform(0, 15),
            normals=uniform(-1, 1, 3),
            shadow=uniform(0, 1),
            ground=uniform(-900, 900, 2),
            sun=(0.6, 0.0, 0.8),
        ),
        camera=CameraPose(tuple(float(n) for n in range(12)), 0.9),
        vehicle=Vehicle(1.5, -2.5, 0.1, 13.9, -0.2, 3),
        hour=17.25,
        actors=(Actor("car", 1.0, 2.0, 3.0), Actor("person", 4.0, 5.0, 6.0)),
        events=(Event("red light", "ran a red light"), Event("collision", "hit a lamp post at 31 km/h")),
        photo=random.integers(0, 256, (*size, 3), np.uint8),
        control_serial=99,
        cut=True,
    )


def there_and_back(given: DriveFrame, info: EngineInfo = INFO) -> DriveFrame:
    sent = wire.data_message(given, info).SerializeToString()
    return wire.read_data(pb.Data.FromString(sent), info)


def test_what_is_no_map_comes_back_equal() -> None:
    given, came = frame(), there_and_back(frame())
    for name in ("number", "time", "camera", "vehicle", "hour", "actors", "events", "control_serial", "cut"):
        assert getattr(came, name) == getattr(given, name), name
    assert came.geometry.sun == given.geometry.sun


@pytest.mark.parametrize("name", ["labels", "instances", "photo"])
def test_whole_numbers_come_back_equal(name: str) -> None:
    assert np.array_equal(getattr(there_and_back(frame()), name), getattr(frame(), name))


@pytest.mark.parametrize("name", ["depth", "expected_depth"])
def test_depths_come_back_within_two_parts_in_a_thousand(name: str) -> None:
    np.testing.assert_allclose(getattr(there_and_back(frame()), name), getattr(frame(), name), rtol=0.002)


def test_motion_comes_back_within_a_hundredth_of_a_pixel() -> None:
    np.testing.assert_allclose(there_and_back(frame()).motion, frame().motion, atol=0.01)


@pytest.mark.parametrize(
    ("name", "within"), [("height", 0.02), ("storey", 0.005), ("bay", 0.005), ("normals", 0.005), ("shadow", 0.003)]
)
def test_geometry_comes_back_with_its_holes(name: str, within: float) -> None:
    np.testing.assert_allclose(
        getattr(there_and_back(frame()).geometry, name), getattr(frame().geometry, name), atol=within
    )


def test_the_ground_of_a_periodic_world_comes_back_within_four_millimetres_of_one_period() -> None:
    came, given = there_and_back(frame()).geometry.ground, frame().geometry.ground
    assert came is not None
    assert given is not None
    off = (came - given + 224) % 448 - 224
    assert np.array_equal(np.isnan(came), np.isnan(given))
    assert np.nanmax(np.abs(off)) < 0.004


def test_the_ground_of_an_endless_world_comes_back_equal() -> None:
    endless = replace(INFO, period=0.0)
    np.testing.assert_array_equal(there_and_back(frame(), endless).geometry.ground, frame().geometry.ground)


def test_parts_that_nobody_wants_are_not_sent() -> None:
    came = wire.read_data(wire.data_message(frame(), INFO, ("motion",)), INFO)
    assert came.motion is not None
    assert came.depth is None
    assert came.geometry == Geometry()
    assert came.photo is None


def test_infinite_motion_becomes_unknown() -> None:
    given = frame()
    assert given.motion is not None
    given.motion[20, 20] = np.inf
    assert np.isnan(there_and_back(given).motion[20, 20]).all()


def test_control_comes_back_equal() -> None:
    given = Control(0.123456789, 0.5, 0.25, True, True, 7, "hood", Weather(22.5, 0.9, 0.1), True, "drawn", True, 42)
    assert wire.read_control(wire.control_message(given)) == given


def test_control_out_of_range_is_clamped() -> None:
    came = wire.read_control(wire.control_message(Control(-3.0, 2.0, -1.0, weather=Weather(25.0, 7.0, -1.0))))
    assert (came.steer, came.throttle, came.brake) == (-1.0, 1.0, 0.0)
    assert came.weather == Weather(1.0, 1.0, 0.0)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_control_that_is_no_number_is_refused_by_name(value: float) -> None:
    with pytest.raises(ProtocolError, match="CONTROL's throttle is (nan|inf); expected a finite number"):
        wire.read_control(wire.control_message(Control(throttle=value)))


def test_an_unknown_viewpoint_is_refused() -> None:
    message = wire.control_message(Control())
    message.viewpoint = 9  # type: ignore[assignment]
    with pytest.raises(ProtocolError, match="viewpoint is 9; this version knows chase, hood, top"):
        wire.read_control(message)


def test_the_engine_introduces_itself_completely() -> None:
    info = replace(INFO, roads=(((0.0, 1.0), (2.0, 3.0)), ((4.0, 5.0), (6.0, 7.0))), has_photo=True, rate=25.0)
    assert wire.read_info(wire.info_message(info)) == info


def test_another_protocol_version_is_refused_with_both_numbers() -> None:
    with pytest.raises(ProtocolError, match="speaks version 99 of the driving protocol, this program version 1"):
        wire.read_info(wire.info_message(replace(INFO, protocol=99)))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("label_set", "ade20k", "numbers its labels as 'ade20k'"),
        ("width", 0, "draws 0 x 32"),
        ("width", 1 << 30, "expected 1 to 2,097,152 pixels"),
        ("rate", math.nan, "gives nan steps a second"),
    ],
)
def test_an_introduction_that_makes_no_sense_is_refused(name: str, value: object, said: str) -> None:
    message = wire.info_message(INFO)
    setattr(message, name, value)
    with pytest.raises(ProtocolError, match=said):
        wire.read_info(message)


def test_a_frame_of_another_size_than_announced_is_refused() -> None:
    with pytest.raises(ProtocolError, match="a frame of 64 x 32; it had announced 32 x 32"):
        wire.read_data(wire.data_message(frame(), INFO), replace(INFO, width=32))


def test_a_map_of_another_size_than_its_frame_is_refused_by_name() -> None:
    message = wire.data_message(frame(), INFO)
    message.depth.data = message.depth.data[:-2]
    with pytest.raises(ProtocolError, match="depth came as 4,094 bytes; 32 x 64 of float16 take 4,096"):
        wire.read_data(message, INFO)


def test_the_engine_may_not_send_a_map_of_another_size() -> None:
    with pytest.raises(ProtocolError, match="drew instances as 8 x 8 of uint16; expected 32 x 64 of uint16"):
        wire.data_message(replace(frame(), instances=np.zeros((8, 8), np.uint16)), INFO)


def test_unknown_tags_are_refused_with_the_numbering_that_was_expected() -> None:
    given = frame()
    given.labels[3, 3:6] = 77
    with pytest.raises(ProtocolError, match=r"map holds 77, which CARLA tags .* do not have .*\(3 of 2,048 pixels"):
        there_and_back(given)


@pytest.mark.parametrize("place", ["type", "scale"])
def test_a_map_in_an_impossible_code_is_refused(place: str) -> None:
    message = wire.data_message(frame(), INFO)
    setattr(message.normals, place, 17 if place == "type" else math.nan)
    with pytest.raises(ProtocolError, match="normals"):
        wire.read_data(message, INFO)


@pytest.mark.parametrize("place", ["speed", "yaw", "x"])
def test_a_car_that_is_nowhere_is_refused(place: str) -> None:
    message = wire.data_message(frame(), INFO)
    setattr(message.vehicle, place, math.nan)
    with pytest.raises(ProtocolError, match="vehicle is nan; expected a finite number"):
        wire.read_data(message, INFO)


def test_an_empty_message_is_refused() -> None:
    with pytest.raises(ProtocolError, match="0 x 0"):
        wire.read_data(pb.Data(), INFO)


def test_a_full_frame_takes_a_few_milliseconds() -> None:
    info = replace(INFO, width=512, height=256)
    given = frame(info)
    there_and_back(given, info)
    taken = []
    for _ in range(5):
        began = time.thread_time()  # of this thread alone: others may have the machine
        there_and_back(given, info)
        taken.append(time.thread_time() - began)
    print(f"512 x 256 with all geometry, there and back: {1000 * min(taken):.1f} ms")
    assert min(taken) < 0.04, "5 ms on an idle core; this bound is for one that is shared"

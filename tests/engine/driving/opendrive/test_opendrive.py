"""OpenDRIVE maps: read by the real parser where it is installed, else by a stand-in of it; and driving there."""

from __future__ import annotations

import importlib.util
import math
from types import SimpleNamespace

import numpy as np
import pytest
from neuroview.engine.driving.messages import Control
from neuroview.engine.driving.opendrive import reader
from neuroview.engine.driving.opendrive.reader import read_lanes
from neuroview.engine.driving.opendrive.simulation import OpenDriveSimulator
from neuroview.engine.driving.simulator import EngineError, Simulator

NORTH = 900.0
"""Metres: more than two of the town's periods away, where wrapping would show."""
LENGTH = 600.0


class Waypoint:
    """A road to the east, 600 m long: a driving lane each way with a sidewalk beside it. In Unreal's axes."""

    road_id, section_id, is_junction = 1, 0, False

    def __init__(self, s, lane):
        self.s, self.lane_id = s, lane
        self.lane_type = "Driving" if abs(lane) == 1 else "Sidewalk"
        self.lane_width = 3.5 if abs(lane) == 1 else 2.0
        side = 1.75 if abs(lane) == 1 else 4.5
        self.transform = SimpleNamespace(
            location=SimpleNamespace(x=s, y=-NORTH + math.copysign(side, -lane), z=0.0),
            rotation=SimpleNamespace(pitch=0.0, yaw=0.0 if lane < 0 else 180.0, roll=0.0),
        )
        self.left_lane_marking = SimpleNamespace(type="Broken")
        self.right_lane_marking = SimpleNamespace(type="Solid") if abs(lane) == 1 else None

    def get_right_lane(self):
        return Waypoint(self.s, 2 * self.lane_id) if abs(self.lane_id) == 1 else None


class Map:
    def __init__(self, name, text):
        if "broken" in text:
            raise RuntimeError("failed to generate map")
        self.lanes = () if "empty" in text else (1, -1)

    def generate_waypoints(self, step):
        return [Waypoint(float(s), lane) for s in np.arange(0, LENGTH, step) for lane in self.lanes]

    def get_waypoint_xodr(self, road, lane, s):
        return Waypoint(s, lane) if s <= LENGTH else None


PARSER = SimpleNamespace(Map=Map)


@pytest.fixture
def xodr(tmp_path):
    path = tmp_path / "straight.xodr"
    path.write_text("<OpenDRIVE/>")
    return path


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    path = tmp_path_factory.mktemp("map") / "straight.xodr"
    path.write_text("<OpenDRIVE/>")
    made = OpenDriveSimulator(path, 64, 32, 20, package=PARSER)
    yield made
    made.close()


def on_lane(drive, x, y, yaw=0.0):
    """Put the car there."""
    state = drive.state()
    state["car"].update(x=x, y=y, yaw=yaw, speed=0.0, steer=0.0)
    state["camera"] = [yaw, 7.2]
    drive.restore(state)


def test_lanes_come_with_both_ends_and_their_sidewalks(xodr):
    lanes = read_lanes(xodr, PARSER)
    assert sorted(lane.kind for lane in lanes) == ["Driving", "Driving", "Sidewalk", "Sidewalk"]
    for lane in lanes:
        assert sorted(lane.centre[[0, -1], 0]) == pytest.approx([0, LENGTH], abs=0.01)


def test_every_lane_runs_in_its_direction_of_travel(xodr):
    for lane in read_lanes(xodr, PARSER):
        step = np.diff(lane.centre, axis=0)
        along = np.stack([np.cos(lane.yaw[:-1]), np.sin(lane.yaw[:-1])], 1)
        assert ((step * along).sum(1) > 0).all()


def test_traffic_keeps_to_the_right_of_the_shared_border(xodr):
    east, west = sorted(
        (lane for lane in read_lanes(xodr, PARSER) if lane.kind == "Driving"), key=lambda w: abs(w.yaw[0])
    )
    np.testing.assert_allclose(east.border(1.0)[:, 1], NORTH)
    np.testing.assert_allclose(west.border(1.0)[:, 1], NORTH)
    np.testing.assert_allclose(east.border(-1.0)[:, 1], NORTH - 3.5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<OpenDRIVE>broken", "CARLA's parser refuses"),
        ("<OpenDRIVE>empty", "no driving lane"),
        ("<html/>", "no <OpenDRIVE> element"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><OpenDRIVE/>', "DOCTYPE or entities"),
        ('< !ENTITY b "c">', "no <OpenDRIVE> element"),
    ],
)
def test_what_is_no_map_is_refused(tmp_path, text, said):
    path = tmp_path / "bad.xodr"
    path.write_text(text)
    with pytest.raises(EngineError, match=said):
        read_lanes(path, PARSER)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(EngineError, match=r"nowhere\.xodr cannot be read"):
        read_lanes(tmp_path / "nowhere.xodr", PARSER)


def test_a_file_that_is_too_large_is_not_read(xodr, monkeypatch):
    monkeypatch.setattr(reader, "LARGEST", 5)
    with pytest.raises(EngineError, match="12 bytes; an OpenDRIVE map of at most 5"):
        read_lanes(xodr, PARSER)


def test_a_map_with_too_many_lanes_is_refused(xodr, monkeypatch):
    monkeypatch.setattr(reader, "MOST_LANES", 1)
    with pytest.raises(EngineError, match="too large"):
        read_lanes(xodr, PARSER)


def test_a_missing_package_says_how_to_install_it(xodr, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "carla", None)
    with pytest.raises(EngineError, match="pip install carla"):
        read_lanes(xodr)


def test_it_is_a_simulator_with_the_maps_roads(drive):
    assert isinstance(drive, Simulator)
    assert drive.info.title == "OpenDRIVE map straight"
    assert len(drive.info.roads) == 2
    assert drive.info.road_width == 3.5
    assert drive.info.period == 0


def test_road_markings_sidewalk_grass_sky_and_car_are_seen(drive):
    on_lane(drive, 300.0, NORTH - 1.75)
    frame = drive.step(Control())
    assert set(np.unique(frame.labels)) == {1, 2, 10, 11, 14, 24}


def test_the_ground_is_counted_as_the_map_counts_it(drive):
    on_lane(drive, 300.0, NORTH - 1.75)
    frame = drive.step(Control())
    walk = frame.geometry.ground[frame.labels == 2]
    south, north = walk[walk[:, 1] < NORTH], walk[walk[:, 1] > NORTH]
    assert NORTH - 5.55 < south[:, 1].min() <= south[:, 1].max() < NORTH - 3.45
    assert north[:, 1].min() > NORTH + 3.45
    assert walk[:, 0].min() > 290


@pytest.mark.parametrize("x", [5.0, 447.0, 449.0, 595.0])
def test_a_place_shows_what_is_there_and_not_what_lies_a_period_away(drive, x):
    """The road ends at 0 and at 600 m; the town that the renderer was made for repeats every 448 m."""
    on_lane(drive, x, NORTH - 1.75)
    frame = drive.step(Control(viewpoint="hood"))
    ground, road = frame.geometry.ground, np.isin(frame.labels, (1, 24))
    assert -0.1 < ground[road][:, 0].min() <= ground[road][:, 0].max() < LENGTH + 0.1
    between = (frame.labels == 10) & (np.abs(ground[..., 1] - NORTH) < 3.4)
    assert road.sum() > 50
    assert (ground[between][:, 0] > LENGTH).all()
    assert between.any() == (x > 590)
    on_lane(drive, x, NORTH + 60)
    aside = drive.step(Control(viewpoint="hood"))
    assert not np.isin(aside.labels[20:, 24:40], (1, 24)).any()


def test_motion_crosses_the_renderers_seam_without_a_jump(drive):
    on_lane(drive, 446.0, NORTH - 1.75)
    control, motions = Control(throttle=1.0, viewpoint="hood"), []
    drive.step(control)
    while drive.state()["car"]["x"] < 451:
        frame = drive.step(control)
        motions.append(np.abs(frame.motion[8:24]).max())
    assert len(motions) > 10
    assert max(np.abs(np.diff(motions))) < 1.0


def test_leaving_the_road_is_told_and_a_reset_brings_the_car_back(drive):
    on_lane(drive, 300.0, NORTH + 30.0)
    events = [event.kind for _ in range(12) for event in drive.step(Control()).events]
    assert events == ["off road"]
    frame = drive.step(Control(resets=1))
    assert [event.kind for event in frame.events] == ["reset"]
    assert frame.cut
    assert frame.vehicle.y == pytest.approx(NORTH + 1.75)


def test_the_same_controls_give_the_same_frames(drive):
    def run():
        on_lane(drive, 200.0, NORTH - 1.75)
        return [drive.step(Control(throttle=1.0, steer=0.1)) for _ in range(5)][-1]

    first, second = run(), run()
    np.testing.assert_array_equal(first.labels, second.labels)
    assert first.vehicle == second.vehicle


@pytest.mark.parametrize("state", [{}, None, {"engine": "town"}])
def test_another_drives_state_is_refused(drive, state):
    with pytest.raises(EngineError, match="begin a new drive"):
        drive.restore(state)


def test_a_state_with_broken_numbers_is_refused(drive):
    state = drive.state()
    state["car"]["x"] = math.nan
    with pytest.raises(EngineError, match="cannot be read"):
        drive.restore(state)


REAL = """<?xml version="1.0"?><OpenDRIVE><header revMajor="1" revMinor="4" name="t" version="1"/>
<road name="r" length="{length}" id="1" junction="-1"><link/>
<planView><geometry s="0" x="-300" y="900" hdg="0" length="200"><line/></geometry>
<geometry s="200" x="-100" y="900" hdg="0" length="120"><arc curvature="0.012"/></geometry></planView>
<elevationProfile><elevation s="0" a="0" b="0" c="0" d="0"/></elevationProfile><lateralProfile/>
<lanes><laneSection s="0"><left>
<lane id="2" type="sidewalk" level="false"><width sOffset="0" a="2" b="0" c="0" d="0"/></lane>
<lane id="1" type="driving" level="false"><width sOffset="0" a="3.5" b="0" c="0" d="0"/></lane></left>
<center><lane id="0" type="none" level="false"><roadMark sOffset="0" type="broken" weight="standard" color="standard"
width="0.15" laneChange="none"/></lane></center><right>
<lane id="-1" type="driving" level="false"><width sOffset="0" a="3.5" b="0" c="0" d="0"/>
<roadMark sOffset="0" type="solid" weight="standard" color="standard" width="0.15" laneChange="none"/></lane>
<lane id="-2" type="sidewalk" level="false"><width sOffset="0" a="2" b="0" c="0" d="0"/></lane>
</right></laneSection></lanes></road></OpenDRIVE>"""


@pytest.mark.skipif(importlib.util.find_spec("carla") is None, reason="the carla package is not installed")
def test_the_real_parser_gives_lanes_with_markings(tmp_path):
    path = tmp_path / "real.xodr"
    path.write_text(REAL.format(length=320))
    lanes = {(lane.kind, round(float(lane.width[0]), 1)): lane for lane in read_lanes(path)}
    assert set(lanes) == {("Driving", 3.5), ("Sidewalk", 2.0)}
    east = min((lane for lane in read_lanes(path) if lane.kind == "Driving"), key=lambda lane: abs(lane.yaw[0]))
    assert (east.left, east.right) == ("Broken", "Solid")
    assert east.centre[0] == pytest.approx([-300, 898.25], abs=0.01)
    # 120 m of a bend of .012 / m.
    assert east.yaw[-1] == pytest.approx(1.44, abs=0.02)


@pytest.mark.skipif(importlib.util.find_spec("carla") is None, reason="the carla package is not installed")
def test_the_real_parser_refuses_what_is_broken(tmp_path):
    path = tmp_path / "real.xodr"
    path.write_text(REAL[:600])
    with pytest.raises(EngineError, match="CARLA's parser refuses"):
        read_lanes(path)

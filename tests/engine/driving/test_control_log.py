"""A recorded drive: what is written is what happened, a replay repeats it exactly, and damage is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from boxes import Boxes
from neuroview.engine.driving.client import EngineClient
from neuroview.engine.driving.controllog import (
    MARK,
    VERSION,
    ControlLog,
    ControlLogError,
    DriveHeader,
    read_drive,
)
from neuroview.engine.driving.messages import Control, Weather
from neuroview.engine.driving.server import EngineServer

HEADER = DriveHeader(seed=11, width=64, height=32, rate=25.0, state={"x": 3.5})
ODD = Control(
    1 / 3, 0.1 + 0.2, 0.7, True, True, 3, "top", Weather(22.2, 0.1, 0.9), photo=True, look="drawn", autopilot=True
)


def write(path: Path, *lines: object) -> Path:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("".join(text + "\n" for text in texts))
    return path


def head(**changed: object) -> dict:
    return {MARK: VERSION, **changed}


def test_what_was_written_is_read_bit_equal(tmp_path: Path) -> None:
    with ControlLog(tmp_path / "drive.jsonl", HEADER) as log:
        log.control(0, Control())
        log.control(7, ODD)
        log.reached(20)
    drive = read_drive(tmp_path / "drive.jsonl")
    assert drive.header == HEADER
    assert drive.steps == 20
    assert drive.changes == ((0, Control()), (7, ODD))


def test_every_step_gets_the_control_that_was_in_force(tmp_path: Path) -> None:
    with ControlLog(tmp_path / "drive", HEADER) as log:
        log.control(0, Control(throttle=0.5))
        log.control(3, Control(throttle=1.0))
        log.reached(5)
    assert [c.throttle for c in read_drive(tmp_path / "drive").controls()] == [0.5, 0.5, 0.5, 1.0, 1.0]


def test_a_control_that_changes_nothing_but_its_serial_is_not_written(tmp_path: Path) -> None:
    with ControlLog(tmp_path / "drive", HEADER) as log:
        for step in range(100):
            log.control(step, Control(throttle=0.5, serial=step))
    drive = read_drive(tmp_path / "drive")
    assert len(drive.changes) == 1
    assert drive.steps == 100


def test_a_drive_by_the_wall_clock_is_repeated_exactly(tmp_path: Path) -> None:
    driven = Boxes(rate=400.0)
    server = EngineServer(lambda: driven)
    server.start()
    path = tmp_path / "drive"
    with EngineClient(server.address) as client, ControlLog(path, DriveHeader()) as log:
        client.start(control=Control(throttle=0.1))
        for number in range(1, 30):
            delivery = client.wait(20.0)
            assert delivery is not None
            for step, control in delivery.obeyed:
                log.control(step, control)
            log.reached(delivery.step)
            client.send(Control(throttle=number / 37))
    server.close()
    repeated = Boxes()
    for control in read_drive(path).controls():
        repeated.step(control)
    assert repeated.steps == delivery.step
    assert repeated.x == delivery.frame.vehicle.x
    assert len(read_drive(path).changes) > 5


def test_a_line_that_a_crash_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "drive"
    with ControlLog(path, HEADER) as log:
        log.control(0, Control())
        log.control(4, ODD)
    whole = path.read_bytes()
    for cut in range(len(whole.split(b"\n")[0]) + 1, len(whole), 13):
        path.write_bytes(whole[:cut])
        drive = read_drive(path)
        assert drive.changes in ((), ((0, Control()),), ((0, Control()), (4, ODD)))
        assert drive.header == HEADER


def test_what_was_written_is_on_the_disk_within_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("neuroview.engine.driving.controllog.time.monotonic", lambda: now[0])
    log = ControlLog(tmp_path / "drive", HEADER)
    log.control(0, ODD)
    now[0] += 1.0
    log.reached(30)
    drive = read_drive(tmp_path / "drive")  # the writer is still at it
    log.close()
    assert drive.steps == 30
    assert drive.changes == ((0, ODD),)


@pytest.mark.parametrize("newer", [head() | {MARK: VERSION + 1}, head(protocol=99)])
def test_a_drive_of_a_newer_version_is_refused(tmp_path: Path, newer: dict) -> None:
    with pytest.raises(ControlLogError, match="was recorded by a newer neuroview"):
        read_drive(write(tmp_path / "drive", newer))


def test_what_an_older_version_did_not_write_has_its_default(tmp_path: Path) -> None:
    drive = read_drive(write(tmp_path / "drive", head(), {"step": 0, "control": {"throttle": 1}}))
    assert drive.header == DriveHeader()
    assert drive.changes == ((0, replace(Control(), throttle=1.0)),)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "is no recorded drive"),
        (["GIF89a"], "is no recorded drive"),
        ([{"seed": 1}], "is no recorded drive"),
        ([head(rate=0)], "rate is 0"),
        ([head(seed="x")], "seed is 'x'; expected int"),
        ([head(state=5)], "state is 5"),
        ([head(), "{"], "damaged in line 2"),
        ([head(), "[" * 100_000], "damaged in line 2"),
        ([head(), {"step": -1, "control": {}}], "line 2: step is -1"),
        ([head(), {"steps": 1e9}], "line 2: steps is 1000000000.0"),
        ([head(), {"step": 3, "control": {}}, {"step": 2, "control": {}}], "line 3: step 2 comes after 3"),
        ([head(), {"step": 0, "control": {"steer": "left"}}], "line 2: this is no CONTROL"),
        ([head(), {"step": 0, "control": {"steer": float("nan")}}], "line 2: this is no CONTROL"),
        ([head(), {"step": 0, "control": {"wings": 2}}], "line 2: this is no CONTROL"),
        ([head(), {"step": 0, "control": {"viewpoint": "moon"}}], "viewpoint is 'moon'"),
        ([head(), {"step": 0, "control": [1]}], "line 2: this is no CONTROL"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_with_its_place(tmp_path: Path, lines: list, said: str) -> None:
    with pytest.raises(ControlLogError, match=said):
        read_drive(write(tmp_path / "drive", *lines))


def test_a_drive_without_its_beginning_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ControlLogError, match="begins with step 40: the engine had been driven by somebody else"):
        read_drive(write(tmp_path / "drive", head(), {"step": 40, "control": {}}))


def test_a_file_that_is_not_there_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(ControlLogError, match="cannot be read: No such file"):
        read_drive(tmp_path / "nowhere")


def test_a_folder_that_is_not_there_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(ControlLogError, match="cannot be recorded"):
        ControlLog(tmp_path / "no" / "drive", HEADER)

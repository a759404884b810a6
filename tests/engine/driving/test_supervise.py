"""The engine as a process: it starts, tells what goes wrong, hands over the drive, and never outlives its parent."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from neuroview.engine.driving.client import EngineClient
from neuroview.engine.driving.engines import EngineSpec
from neuroview.engine.driving.link import Abandon
from neuroview.engine.driving.messages import Control
from neuroview.engine.driving.simulator import EngineError
from neuroview.engine.driving.supervise import EngineLink, EngineProcess, spec_of
from neuroview.engine.state import Drive

BOXES = (sys.executable, str(Path(__file__).resolve().parents[2] / "boxes.py"))
LONG = 20.0


def process(**spec: object) -> EngineProcess:
    return EngineProcess(replace(EngineSpec("recording"), **spec), command=BOXES, timeout=LONG)


def test_an_engine_that_dies_is_followed_by_one_that_goes_on_where_it_was() -> None:
    first = process()
    client = EngineClient(first.address)
    link = EngineLink(client, first)
    try:
        client.start("synchronous")
        client.tick(Control(throttle=0.5))
        first._process.kill()
        with pytest.raises(EngineError):
            client.wait(LONG)
        with pytest.raises(EngineError, match=r"the engine's process ended \((killed by signal 9|exit code 1)\)"):
            link.take()
    finally:
        link.close()
    second = process()
    try:
        with EngineClient(second.address) as client:
            client.start("synchronous", state=link.state())
            assert client.tick(Control()).frame.vehicle.x == 0.5
    finally:
        second.close()
    assert not second.alive


def test_an_engine_that_dies_at_once_says_what_it_said() -> None:
    with pytest.raises(EngineError, match=r"the engine's process ended \(exit code 3\); it said:\nthe disk is full"):
        process(folder="die")


def test_an_engine_that_cannot_be_made_says_why() -> None:
    with pytest.raises(EngineError, match="^there is no OpenGL here; install one$"):
        process(folder="refuse")


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_an_engine_that_is_abandoned_while_it_starts_leaves_nothing_behind(when: str) -> None:
    abandon, errors = Abandon(), []
    line = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(99)"
    started: list[subprocess.Popen[str]] = []

    def begin() -> None:
        try:
            EngineProcess(EngineSpec(), command=[sys.executable, "-c", line], abandon=abandon)
        except EngineError as error:
            errors.append(str(error))

    before = set(threading.enumerate())
    made = subprocess.Popen
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", lambda *a, **k: started.append(made(*a, **k)) or started[-1])
        if when == "before":
            abandon.give()
        waiting = threading.Thread(target=begin)
        waiting.start()
        if when == "meanwhile":
            while not started:
                waiting.join(0.01)
            abandon.give()
        waiting.join(LONG)
    assert errors == ["the engine was not waited for: the drive is over"]
    assert all(each.poll() is not None for each in started)
    assert not set(threading.enumerate()) - before


def test_nobody_waits_for_an_answer_that_is_not_wanted_any_more() -> None:
    abandon = Abandon()
    threading.Timer(0.05, abandon.give).start()
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(EngineError, match="not waited for"):
            EngineClient(f"127.0.0.1:{silent.getsockname()[1]}", timeout=LONG, abandon=abandon)


def test_a_program_that_is_not_there_is_an_error_of_ours() -> None:
    with pytest.raises(EngineError, match="the engine cannot be started"):
        EngineProcess(EngineSpec(), command=["/no/such/program"])


def test_a_program_that_is_no_engine_is_an_error_of_ours() -> None:
    with pytest.raises(EngineError, match="said 'hello'; expected its address as JSON"):
        EngineProcess(EngineSpec(), command=[sys.executable, "-c", "print('hello')"])


def test_the_engine_ends_when_its_parent_dies() -> None:
    # A parent that starts an engine, tells its number, and dies without a word to it.
    parent = (
        "import os, sys\n"
        "from neuroview.engine.driving.engines import EngineSpec\n"
        "from neuroview.engine.driving.supervise import EngineProcess\n"
        f"engine = EngineProcess(EngineSpec(), command={BOXES!r})\n"
        "print(engine.address, flush=True)\n"
        "os._exit(9)\n"
    )
    done = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, timeout=LONG, check=False)
    address = done.stdout.strip()
    assert address, done.stderr
    gone = False
    for _ in range(100):
        try:
            EngineClient(address, timeout=0.1).close()
        except EngineError:
            gone = True
            break
    assert gone, "the engine outlived its parent"


@pytest.mark.parametrize(
    ("engine", "expected"),
    [
        ("town", EngineSpec("town", seed=3, width=512, height=256, rate=50.0)),
        ("carla", EngineSpec("carla", width=512, height=256)),
        ("somewhere:2345", "somewhere:2345"),
        ("carla://there:2000", EngineSpec("carla", width=512, height=256, host="there", carla_port=2000)),
        ("maps/Town01.xodr", EngineSpec("town", seed=3, width=512, height=256, rate=50.0, map="maps/Town01.xodr")),
    ],
)
def test_a_drive_names_its_engine(engine: str, expected: object) -> None:
    assert spec_of(Drive(engine=engine, seed=3, width=512, height=256, rate=50.0)) == expected


def test_a_drive_may_name_a_folder(tmp_path: Path) -> None:
    spec = spec_of(Drive(engine=str(tmp_path)))
    assert isinstance(spec, EngineSpec)
    assert (spec.engine, spec.folder) == ("recording", str(tmp_path))


@pytest.mark.parametrize("engine", ["twon", "host:", ":80", "host:99999", ""])
def test_an_engine_that_does_not_exist_is_refused_with_those_that_do(engine: str) -> None:
    with pytest.raises(EngineError, match="expected 'town', 'carla', 'carla://host:port', the address host:port"):
        spec_of(Drive(engine=engine))

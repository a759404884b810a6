"""What is compiled beside the running program, and when."""

from __future__ import annotations

import threading

import pytest
from neuroview.engine import warmup
from neuroview.engine.rendering import compiled
from neuroview.engine.warmup import MARCH, PAINTER, RENDERING, WarmUp, next_wanted

ALL = (*RENDERING, PAINTER)


@pytest.fixture
def compiling(monkeypatch):
    """Nothing lies compiled; compiling and loading take no time and are written down."""
    done: list[str] = []

    def compile_aside(self: WarmUp, module: str) -> bool:
        done.append(f"compile {module}")
        return True

    monkeypatch.setattr(compiled, "kept", lambda module: False)
    monkeypatch.setattr(WarmUp, "_compile", compile_aside)
    monkeypatch.setattr(warmup, "_load", lambda module: done.append(f"load {module}") or True)
    return done


def test_generators_want_the_march_first_and_the_painter_last():
    assert next_wanted(ALL, ALL, driving=False) == MARCH
    assert next_wanted(ALL[1:], ALL, driving=False) == RENDERING[1]
    assert next_wanted((PAINTER,), ALL, driving=False) == PAINTER


def test_a_drive_wants_the_painter_and_then_only_what_need_not_be_compiled():
    assert next_wanted(ALL, ALL, driving=True) == PAINTER
    assert next_wanted(RENDERING, RENDERING, driving=True) is None
    assert next_wanted(RENDERING, RENDERING[:1], driving=True) == RENDERING[1]


def test_a_person_is_told_what_is_prepared_and_that_it_is_over(compiling):
    told: list[str] = []
    warming = WarmUp(tell=told.append)
    warming._run()
    assert warming.ready
    assert told[0] == f"Preparing the renderer (1 of {len(compiling) // 2})"
    assert told[-1] == ""
    assert compiling[:2] == [f"compile {MARCH}", f"load {MARCH}"]


def test_the_generators_kernels_are_compiled_when_the_drive_is_over(compiling, monkeypatch):
    driving, while_driving = threading.Event(), []
    driving.set()

    def rest(seconds: float) -> bool:
        while_driving.extend(compiling)
        driving.clear()  # the drive ends while there is nothing to do
        return False

    warming = WarmUp(driving.is_set)
    monkeypatch.setattr(warming._stopping, "wait", rest)
    warming._run()
    assert not any(module in done for done in while_driving for module in RENDERING)
    assert [done for done in compiling if MARCH in done] == [f"compile {MARCH}", f"load {MARCH}"]


def test_a_compilation_is_given_up_when_it_is_stopped(monkeypatch):
    monkeypatch.setattr(warmup, "_COMPILE", "import time; time.sleep(60)  # {} {} {}")
    warming = WarmUp()
    warming._stopping.set()
    assert not warming._compile(MARCH)


def test_a_drive_ends_the_compilation_of_what_it_has_no_use_for(monkeypatch):
    monkeypatch.setattr(warmup, "_COMPILE", "import time; time.sleep(60)  # {} {} {}")
    assert not WarmUp(lambda: True)._compile(MARCH)

"""How soon a hand's movement is on the screen: the render thread's steps on a clock that only work advances."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import pytest
from neuroview.engine import bake_schedule, generator_loop, window_march
from neuroview.engine.broadcast import Broadcast
from neuroview.engine.generator_loop import GeneratorRunner
from neuroview.engine.governor import Governor
from neuroview.engine.state import ViewState
from neuroview.engine.store import Store
from neuroview.engine.warmup import WarmUp

CHUNK = 0.02
"""Seconds between two checkpoints of what takes long."""
EXACT = 0.8
FRAME = 0.025
SCENE = 0.01


class Wake:
    """What wakes the render thread, which here never sleeps: waiting lets time pass until something happens."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def is_set(self) -> bool:
        return False

    def set(self) -> None:
        pass

    def wait(self, seconds: float | None = None) -> None:
        due = self.clock.due[0][0] - self.clock.now if self.clock.due else 1.0
        self.clock.work(max(1e-6, due if seconds is None else min(seconds, due)))  # no clock stands still


class Clock:
    """Seconds that the work says it took, and what is done when a time comes."""

    def __init__(self) -> None:
        self.now = 0.0
        self.due = []

    def perf_counter(self) -> float:
        return self.now

    def work(self, seconds: float) -> None:
        end = self.now + seconds
        while self.due and self.due[0][0] <= end:
            self.now, action = self.due.pop(0)
            action()
        self.now = end


class Rests(bake_schedule.BakeSchedule):
    """Nothing is baked."""

    def due(self, pipeline, state, device):
        return False


class Desk:
    """A runner with an open sphere, every frame of which costs what the constants above say.

    `shown` are the pictures: when, the state's version, the rung.
    """

    def __init__(self, monkeypatch) -> None:
        self.clock = Clock()
        self.store, self.out = Store(ViewState(model="")), Broadcast()
        for module in (generator_loop, bake_schedule, window_march):
            monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=self.clock.perf_counter))
        self.runner = GeneratorRunner(self.store, self.out, Wake(self.clock), WarmUp())  # type: ignore[arg-type]
        self.runner._bakes = Rests()
        self.runner.open("sphere")
        self.runner.step()
        pipeline = self.runner._model_pipeline
        self.render, self.scene = pipeline.frame, None
        monkeypatch.setattr(pipeline, "frame", self.frame)
        self.shown: list[tuple[float, int, str]] = []
        show = self.out.show

        def shown(frame, *arguments, **changes):
            self.shown.append((self.clock.now, frame.stamp, frame.rung))
            show(frame, *arguments, **changes)

        monkeypatch.setattr(self.out, "show", shown)

    def frame(self, state, rung, *, scale=1.0, checkpoint, **options):
        key = self.runner._model_pipeline.scene_key(state)
        stages = {"volume image": 0.0}
        if key != self.scene:
            self.clock.work(SCENE)
            self.scene, stages["scene"] = key, 1000 * SCENE
        seconds = EXACT if rung == "exact" else FRAME * scale**2
        for n in range(math.ceil(seconds / CHUNK)):
            checkpoint()
            self.clock.work(min(seconds - n * CHUNK, CHUNK))
        drawn = self.render(state, rung, scale=scale, checkpoint=lambda: None, **options)
        return replace(drawn, rung=rung, stages=stages | {"volume image": 1000 * seconds})

    def settle(self) -> None:
        """Nothing moves until the picture is as good as it gets."""
        for _ in range(60):
            self.runner.step()
            if self.out.frame is not None and self.out.frame.final:
                break
        assert self.out.frame is not None
        assert self.out.frame.final
        assert self.out.frame.rung == "exact"

    def turn(self, yaw: float) -> None:
        self.store.update(lambda s: replace(s, camera=replace(s.camera, yaw=yaw)), label="Orbit", gesture="drag")

    def seed(self, seed: int) -> None:
        self.store.update(lambda s: replace(s, latents=replace(s.latents, seed_a=seed)), label="Seed")

    def at(self, time: float, action) -> None:
        """Do something in the middle of whatever the render thread does at that time."""
        self.clock.due.append((time, action))

    def run(self, seconds: float) -> None:
        end = self.clock.now + seconds
        while self.clock.now < end:
            self.runner.step()


@pytest.fixture
def desk(sphere_model, monkeypatch):
    desk = Desk(monkeypatch)
    desk.settle()
    desk.shown.clear()
    return desk


def test_what_moves_during_a_frame_is_in_the_next_one(desk):
    start = desk.clock.now
    desk.turn(0.1)
    for n in range(5):  # in the middle of the first frame
        desk.at(start + 0.4 * FRAME + 1e-4 * n, lambda n=n: desk.turn(0.2 + n / 100))
    desk.run(3 * FRAME)
    newest = desk.store.snapshot[0]
    assert [stamp for _, stamp, _ in desk.shown[:2]] == [newest - 5, newest]
    assert desk.shown[1][0] - (start + 0.4 * FRAME) <= 2 * FRAME


def test_a_hand_that_never_rests_always_sees_the_state_of_one_frame_ago(desk):
    start, moved = desk.clock.now, {}

    def move(n: int) -> None:
        desk.turn(n / 1000)
        moved[desk.store.snapshot[0]] = desk.clock.now

    for n in range(400):
        desk.at(start + n * 0.004, lambda n=n: move(n))
    desk.run(1.5)
    ages = [shown - moved[stamp] for shown, stamp, _ in desk.shown if stamp in moved]
    assert len(ages) >= 1.4 / FRAME - 2
    assert max(ages) <= FRAME + 0.004 + 1e-6


def test_an_exact_picture_makes_way_for_a_moving_hand_within_a_chunk(desk):
    desk.turn(0.3)
    desk.run(bake_schedule.SETTLE + FRAME)  # still: refinement begins
    desk.shown.clear()
    begin = desk.clock.now
    desk.at(begin + 0.3, lambda: desk.turn(0.4))
    desk.run(0.3 + CHUNK + 2 * FRAME)
    after = [(time, rung) for time, stamp, rung in desk.shown if stamp == desk.store.snapshot[0]]
    assert after
    assert after[0][0] - (begin + 0.3) <= CHUNK + FRAME
    assert after[0][1] != "exact"


def test_a_bake_gives_the_moving_hand_its_frames_and_no_frame_is_of_an_older_state(desk, monkeypatch):
    class Baking(bake_schedule.BakeSchedule):
        def due(self, pipeline, state, device):
            return True

        def bake(self, pipeline, state, checkpoint):
            for _ in range(50):
                checkpoint()
                desk.clock.work(CHUNK)

    desk.runner._bakes = Baking()
    start, moved = desk.clock.now, {}

    def move(n: int) -> None:
        desk.turn(n / 1000)
        moved[desk.store.snapshot[0]] = desk.clock.now

    for n in range(600):  # longer than is looked at: a bake is not interrupted
        desk.at(start + n * 0.004, lambda n=n: move(n))
    desk.run(0.9)
    pause = FRAME * bake_schedule.SHARE / (1 - bake_schedule.SHARE)
    times = [time for time, _, _ in desk.shown]
    gaps = [b - a for a, b in pairwise(times)]
    assert max(gaps) <= FRAME + pause + CHUNK + 1e-6
    ages = [time - moved[stamp] for time, stamp, _ in desk.shown if stamp in moved]
    assert max(ages) <= FRAME + 0.004 + 1e-6, "each shows what was newest when it began"


def test_another_seed_is_seen_within_a_frame_time_and_exactly_later(desk):
    begin = desk.clock.now
    desk.seed(7)
    desk.run(2.0)
    version = desk.store.snapshot[0]
    pictures = [(time - begin, rung) for time, stamp, rung in desk.shown if stamp == version]
    assert pictures[0][1] != "exact"
    assert pictures[0][0] <= SCENE + FRAME, "the scene, and one frame"
    assert pictures[0][0] <= Governor.MARGIN_KEEP / desk.store.state.quality.target_fps
    assert pictures[-1][1] == "exact"
    assert pictures[-1][0] >= EXACT


def test_seeds_that_follow_each_other_quickly_are_not_held_up_by_exact_pictures(desk):
    start, moved = desk.clock.now, {}

    def change(seed: int) -> None:
        desk.seed(seed)
        moved[desk.store.snapshot[0]] = desk.clock.now

    for n in range(12):
        desk.at(start + 0.3 * n + 0.001, lambda n=n: change(100 + n))
    desk.run(3.9)
    first: dict[int, float] = {}
    for time, stamp, _ in desk.shown:
        first.setdefault(stamp, time)
    assert set(moved) <= set(first)
    assert max(first[stamp] - moved[stamp] for stamp in moved) <= CHUNK + SCENE + FRAME + 1e-6

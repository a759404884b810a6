"""Undo and redo walk the history; a drag is one step."""

from __future__ import annotations

import threading
from dataclasses import replace

from neuroview.engine.state import Camera, ViewState
from neuroview.engine.store import Store, Timeline


def turn(yaw):
    return lambda s: replace(s, camera=replace(s.camera, yaw=yaw))


def test_undo_and_redo_return_to_the_same_states():
    store = Store(ViewState())
    store.update(turn(1.0), label="one")
    store.update(turn(2.0), label="two")
    assert store.undo() == "two"
    assert store.state.camera.yaw == 1.0
    assert store.undo() == "one"
    assert store.state == ViewState()
    assert store.undo() is None
    assert (store.redo(), store.redo(), store.redo()) == ("one", "two", None)
    assert store.state.camera.yaw == 2.0


def test_a_drag_is_one_step():
    store = Store(ViewState())
    for yaw in (0.1, 0.2, 0.3):
        store.update(turn(yaw), label="Orbit", gesture="drag 1")
    store.end_gesture()
    store.update(turn(0.4), label="Orbit", gesture="drag 1")
    store.undo()
    assert store.state.camera.yaw == 0.3
    store.undo()
    assert store.state.camera.yaw == 0.0


def test_two_gestures_at_once_are_two_steps():
    store = Store(ViewState())
    for i in range(1, 50):
        store.update(turn(i / 10), label="Animate", gesture="animation")
        store.update(lambda s, i=i: replace(s, output=replace(s.output, size=i)), label="Size", gesture="slider")
    assert (store.undo(), store.undo(), store.undo()) == ("Size", "Animate", None)
    assert store.state == ViewState()


def test_a_change_after_undo_ends_what_could_be_redone():
    store = Store(ViewState())
    store.update(turn(1.0), label="one")
    store.undo()
    store.update(turn(2.0), label="two")
    assert store.can_redo is None
    assert store.can_undo == "two"


def test_an_equal_state_is_no_change():
    store, calls = Store(ViewState()), []
    store.listen(lambda: calls.append(1))
    store.update(lambda s: replace(s), label="nothing")
    assert store.snapshot[0] == 0
    assert store.can_undo is None
    assert not calls


def test_what_nobody_would_take_back_leaves_no_step():
    store = Store(ViewState())
    store.update(turn(1.0), label="first view", undoable=False)
    assert store.can_undo is None


def test_the_history_is_bounded():
    store = Store(ViewState(), depth=3)
    for yaw in range(1, 6):
        store.update(turn(float(yaw)), label=str(yaw))
    assert [store.undo() for _ in range(4)] == ["5", "4", "3", None]


def test_updates_from_many_threads_all_arrive():
    store = Store(ViewState())

    def add():
        for _ in range(200):
            store.update(lambda s: turn(s.camera.yaw + 1)(s), label="add", gesture="g")

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.state.camera.yaw == 800


def test_a_listener_that_stopped_is_not_called_again():
    store, calls = Store(ViewState()), []
    stop = store.listen(lambda: calls.append(1))
    store.update(turn(1.0), label="one")
    stop()
    store.update(turn(2.0), label="two")
    assert calls == [1]


def three_steps():
    store = Store(ViewState())
    for yaw, label in ((1.0, "one"), (2.0, "two"), (3.0, "three")):
        store.update(turn(yaw), label=label)
    return store


def test_the_history_lists_what_was_done_and_what_was_undone():
    store = three_steps()
    store.undo()
    assert store.history.labels == ("one", "two", "three")
    assert store.history.position == 2


def test_going_to_a_step_of_the_history_is_one_change_and_keeps_what_lies_ahead():
    store, calls = three_steps(), []
    store.listen(lambda: calls.append(1))
    assert store.go_to(1)
    assert store.state.camera.yaw == 1.0
    assert store.go_to(3)
    assert store.state.camera.yaw == 3.0
    assert store.go_to(0)
    assert store.state == ViewState()
    assert store.history == three_steps().history.__class__(("one", "two", "three"), 0)
    assert len(calls) == 3


def test_going_beyond_the_history_ends_at_its_end_and_standing_still_is_no_change():
    store = three_steps()
    assert not store.go_to(99)
    assert store.go_to(-5)
    assert store.history.position == 0


def test_a_drag_and_a_stroke_are_one_line_of_the_history_each():
    store = Store(ViewState())
    for yaw in (0.1, 0.2, 0.3):
        store.update(turn(yaw), label="Orbit", gesture="drag")
    store.end_gesture()
    assert store.history.labels == ("Orbit",)


def test_a_saved_timeline_goes_on_where_it_was_and_leads_back_to_what_was_here():
    here, other = Store(ViewState(camera=Camera(yaw=9))), Store(ViewState())
    for n in (1, 2, 3):
        other.update(lambda s, n=n: replace(s, camera=Camera(yaw=n)), label=f"Turn {n}")
    other.undo()
    here.resume(other.timeline, label="Open it")
    assert here.state == other.state
    assert here.history.labels == ("Open it", "Turn 1", "Turn 2", "Turn 3")
    assert here.redo() == "Turn 3"
    assert here.state.camera.yaw == 3
    assert [here.undo() for _ in range(4)] == ["Turn 3", "Turn 2", "Turn 1", "Open it"]
    assert here.state.camera.yaw == 9


def test_a_timeline_that_is_resumed_for_good_forgets_what_was_here():
    here, other = Store(ViewState(camera=Camera(yaw=9))), Store(ViewState())
    other.update(lambda s: replace(s, camera=Camera(yaw=1)), label="Turn")
    here.resume(other.timeline, label="Open it", undoable=False)
    assert here.timeline == other.timeline


def test_the_steps_around_the_present_give_way_undone_ones_first():
    timeline = Timeline(tuple(ViewState(camera=Camera(yaw=n)) for n in range(7)), tuple("abcdef"), 4)
    assert timeline.nearest(2).labels == ("c", "d")
    assert timeline.nearest(5).labels == ("a", "b", "c", "d", "e")
    assert timeline.nearest(2).state == timeline.state

"""A drive over gRPC on loopback: who may drive, when the world moves, what is drawn, and how it ends."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import grpc
import numpy as np
import pytest
from boxes import Boxes
from neuroview.engine.driving import service_pb2 as pb
from neuroview.engine.driving import service_pb2_grpc as rpc
from neuroview.engine.driving.client import EngineClient
from neuroview.engine.driving.messages import PROTOCOL, Control, Event, Weather
from neuroview.engine.driving.planes import ProtocolError
from neuroview.engine.driving.server import EngineServer
from neuroview.engine.driving.simulator import EngineError, RecordingEndedError

LONG = 20.0
"""Seconds that nothing here takes."""

Serve = Callable[..., tuple[Boxes, str]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers = []

    def start(**options: object) -> tuple[Boxes, str]:
        world = Boxes(**options)  # type: ignore[arg-type]
        servers.append(EngineServer(lambda: world))
        servers[-1].start()
        return world, servers[-1].address

    yield start
    for server in servers:
        server.close()


def delivered(client: EngineClient):
    delivery = client.wait(LONG)
    assert delivery is not None
    return delivery


def test_the_engine_says_who_it_is_before_the_drive(serve: Serve) -> None:
    world, address = serve()
    with EngineClient(address) as client:
        assert client.info == world.info


def test_every_control_makes_one_frame_in_synchronous_mode(serve: Serve) -> None:
    world, address = serve()
    with EngineClient(address) as client:
        client.start("synchronous")
        deliveries = [client.tick(Control(throttle=0.5)) for _ in range(20)]
    assert [d.frame.number for d in deliveries] == list(range(1, 21))
    assert [d.step for d in deliveries] == list(range(1, 21))
    assert [d.frame.control_serial for d in deliveries] == list(range(1, 21))
    assert world.steps == 20


def test_controls_sent_ahead_in_synchronous_mode_are_all_obeyed_in_order(serve: Serve) -> None:
    _, address = serve()
    with EngineClient(address) as client:
        client.start("synchronous")
        for serial in range(1, 31):
            client.send(Control(serial=serial))
        assert [delivered(client).frame.control_serial for _ in range(30)] == list(range(1, 31))


def test_the_world_goes_on_while_the_painter_is_busy(serve: Serve) -> None:
    world, address = serve()
    with EngineClient(address) as client:
        client.start(control=Control(throttle=1.0))
        first = delivered(client)
        world.until = first.step + 20
        world.went_on.clear()
        assert world.went_on.wait(LONG), "the world waits for its painter"


def test_motion_counts_from_the_frame_that_was_taken_up_before(serve: Serve) -> None:
    world, address = serve()
    with EngineClient(address, parts=["motion"]) as client:
        client.start(control=Control(throttle=0.25))
        last = delivered(client).frame
        for _ in range(5):
            # The painter is busy for seven steps, and the frame that it then takes up may be older than they.
            world.went_on.clear()
            world.until = world.steps + 7
            assert world.went_on.wait(LONG)
            frame = delivered(client).frame
            assert frame.motion is not None
            assert frame.motion[0, 0, 0] == pytest.approx(last.vehicle.x - frame.vehicle.x, abs=0.01)
            assert frame.number > last.number
            last = frame


def test_what_happens_in_steps_that_are_not_drawn_is_told_with_the_next_frame(serve: Serve) -> None:
    world, address = serve()
    with EngineClient(address) as client:
        client.start(control=Control())
        delivered(client)
        world.went_on.clear()
        world.until = world.steps + 5
        client.send(Control(resets=1))
        assert world.went_on.wait(LONG)
        events: list[Event] = []
        while not events:
            events += delivered(client).frame.events
        assert [event.kind for event in events] == ["reset"]


def test_time_begins_with_the_first_control(serve: Serve) -> None:
    _, address = serve()
    with EngineClient(address) as client:
        client.start()
        client.send(Control(throttle=0.75))
        assert delivered(client).frame.vehicle.x == 0.75


def test_a_paused_world_makes_exactly_the_steps_asked_for(serve: Serve) -> None:
    world, address = serve()
    with EngineClient(address) as client:
        client.start("paused", control=Control(throttle=1.0))
        client.send(Control(throttle=1.0), steps=1)
        assert delivered(client).step == 1
        client.send(Control(throttle=1.0), steps=2)
        assert delivered(client).step == 2
        # In order with the pause: had a step been due in between, it would have come before this one.
        client.send(Control(throttle=1.0), "synchronous")
        assert delivered(client).step == 3
    assert world.x == 3.0


class Repainted(Boxes):
    """Boxes that can be drawn again, with the hour as their only depth."""

    def redraw(self, control: Control):
        self.steps -= 1
        return replace(
            self.step(replace(control, throttle=0.0)), depth=np.full((32, 64), control.weather.hour, np.float32)
        )


def test_another_hour_is_drawn_in_a_paused_world_and_no_time_passes() -> None:
    world = Repainted()
    server = EngineServer(lambda: world)
    server.start()
    with EngineClient(server.address) as client:
        client.start("paused")
        client.send(Control(throttle=1.0), steps=1)
        first = delivered(client)
        client.send(Control(throttle=1.0, weather=Weather(hour=20.0)))
        again = delivered(client)
        assert (again.step, again.frame.number, again.frame.vehicle.x) == (1, first.frame.number, 1.0)
        assert again.frame.depth is not None
        assert again.frame.depth.mean() == pytest.approx(20.0, abs=0.1)
        assert again.obeyed == ()
        client.send(Control(throttle=1.0, weather=Weather(hour=20.0)), "synchronous")
        later = delivered(client)
        assert later.step == 2
        assert [(step, control.weather.hour) for step, control in later.obeyed] == [(1, 20.0)]
    server.close()


def test_a_world_that_cannot_be_drawn_again_shows_another_hour_in_its_next_step(serve: Serve) -> None:
    _, address = serve()
    with EngineClient(address) as client:
        client.start("paused")
        client.send(Control(), steps=1)
        delivered(client)
        client.send(Control(weather=Weather(hour=20.0)))
        client.send(Control(weather=Weather(hour=20.0)), steps=2)
        assert delivered(client).step == 2


def test_the_maps_that_are_sent_can_be_changed_during_a_drive(serve: Serve) -> None:
    _, address = serve()
    with EngineClient(address) as client:
        client.want(["motion"])
        client.start("synchronous")
        assert client.tick(Control()).frame.depth is None
        client.want(["depth"])
        frame = client.tick(Control()).frame
        assert frame.depth is not None
        assert frame.motion is None


def test_a_second_client_is_told_that_it_is_the_second(serve: Serve) -> None:
    _, address = serve()
    with EngineClient(address) as first, EngineClient(address) as second:
        first.start("synchronous")
        first.tick(Control())
        second.start("synchronous")
        with pytest.raises(EngineError, match="another viewer is driving this engine"):
            second.tick(Control(), LONG)
        assert first.tick(Control()).step == 2, "the first one is not disturbed"


def test_the_drive_goes_on_where_it_was_when_the_next_client_comes(serve: Serve) -> None:
    _, address = serve()
    with EngineClient(address) as first:
        first.start("synchronous")
        left_at = first.tick(Control(throttle=1.0)).frame
    with EngineClient(address) as second:
        start_when_free(second)
        frame = second.tick(Control(throttle=1.0)).frame
    assert frame.vehicle.x == left_at.vehicle.x + 1.0
    assert frame.cut, "the second painter has never seen the frame that motion refers to"


def start_when_free(client: EngineClient) -> None:
    """Starts as soon as the server has noticed that the last client is gone: it is told to, but that takes a moment."""
    with grpc.insecure_channel(client.address) as channel:
        stub, free = rpc.EngineStub(channel), threading.Event()
        while not free.is_set():
            hanging = stub.Drive(iter([pb.Request(start=pb.Start(protocol=PROTOCOL), clock=pb.PAUSED)]))
            if hanging.code() is grpc.StatusCode.OK:
                free.set()
    client.start("synchronous")


def test_a_saved_drive_goes_on_in_another_engine(serve: Serve) -> None:
    (_, first), (_, second) = serve(), serve()
    with EngineClient(first) as client:
        client.start("synchronous")
        client.tick(Control(throttle=0.5))
        saved = client.state()
    with EngineClient(second) as client:
        client.start("synchronous", state=saved)
        assert client.tick(Control()).frame.vehicle.x == 0.5


def test_a_saved_drive_of_another_world_is_refused(serve: Serve) -> None:
    _, address = serve()
    with EngineClient(address) as client:
        client.start("synchronous", state={"y": 1})
        with pytest.raises(EngineError, match="is no state of these boxes"):
            client.tick(Control(), LONG)


def test_controls_are_reported_with_the_step_in_which_they_came_into_force(serve: Serve) -> None:
    _, address = serve()
    with EngineClient(address) as client:
        client.start("synchronous")
        throttles = [0.0, 0.0, 1.0, 1.0, 0.5]
        obeyed = [pair for throttle in throttles for pair in client.tick(Control(throttle=throttle)).obeyed]
    assert [(step, control.throttle) for step, control in obeyed] == [(0, 0.0), (2, 1.0), (4, 0.5)]


def test_an_engine_that_cannot_go_on_says_why_and_is_ready_for_another_try(serve: Serve) -> None:
    _, address = serve(breaks=3)
    with EngineClient(address) as client:
        client.start("synchronous")
        client.tick(Control())
        client.tick(Control())
        with pytest.raises(EngineError, match="the road is closed; wait until it is open"):
            client.tick(Control(), LONG)
        assert client.connection.state == "lost"
    with EngineClient(address) as client:
        start_when_free(client)
        assert client.tick(Control()).frame.number == 3


def test_the_end_of_a_recording_is_told_apart_from_a_failure(serve: Serve) -> None:
    _, address = serve(end=2)
    with EngineClient(address) as client:
        client.start("synchronous")
        for _ in range(3):
            client.send(Control())
        assert [delivered(client).step for _ in range(2)] == [1, 2], "what came before the end is not lost"
        with pytest.raises(RecordingEndedError, match="it has ended after 2 steps"):
            client.wait(LONG)


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        ({"labels": np.zeros((16, 16), np.uint8)}, "drew labels as 16 x 16 of uint8"),
        ({"labels": np.full((32, 64), 200, np.uint8)}, "label map holds 200"),
        ({"time": float("nan")}, "time is nan"),
    ],
)
def test_a_frame_that_makes_no_sense_ends_the_drive_with_a_reason(serve: Serve, spoilt: dict, said: str) -> None:
    world, address = serve()
    world.spoil = spoilt
    with EngineClient(address) as client:
        client.start("synchronous")
        with pytest.raises(ProtocolError, match=said):
            client.tick(Control(), LONG)


def test_a_control_that_makes_no_sense_ends_the_drive_with_a_reason(serve: Serve) -> None:
    world, address = serve()
    with EngineClient(address) as client:
        client.start("synchronous")
        with pytest.raises(ProtocolError, match="CONTROL's steer is nan"):
            client.tick(Control(steer=float("nan")), LONG)
    assert world.steps == 0


def test_a_client_of_another_version_is_refused(serve: Serve) -> None:
    _, address = serve()
    with grpc.insecure_channel(address) as channel:
        call = rpc.EngineStub(channel).Drive(iter([pb.Request(start=pb.Start(protocol=99))]))
        assert "speaks version 99 of the driving protocol, this program version 1" in call.details()


def test_an_engine_of_another_version_is_refused(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    _, address = serve()
    monkeypatch.setattr(EngineServer, "hello", lambda self: pb.Info(protocol=99, title="Newer"))
    with pytest.raises(ProtocolError, match="'Newer' speaks version 99"):
        EngineClient(address)


def test_where_nobody_listens_the_client_says_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(EngineError, match=f"no engine answers at {address}"):
            EngineClient(address, timeout=0.2)


def test_a_port_that_is_taken_is_refused(serve: Serve) -> None:
    _, address = serve()
    world = Boxes()
    server = EngineServer(lambda: world, port=int(address.split(":")[1]))
    with pytest.raises(EngineError, match="cannot listen on 127.0.0.1: the port is taken"):
        server.start()
    assert world.closed


def test_the_world_is_used_in_one_thread_only(serve: Serve) -> None:
    world, address = serve()
    for _ in range(2):
        with EngineClient(address) as client:
            start_when_free(client)
            client.tick(Control())
    assert len(world.threads) == 1


def test_closing_the_server_closes_the_world_and_tells_the_client() -> None:
    world = Boxes()
    server = EngineServer(lambda: world)
    server.start()
    with EngineClient(server.address) as client:
        client.start("synchronous")
        client.tick(Control())
        server.close()
        with pytest.raises(EngineError, match="closed"):
            client.wait(LONG)
    assert world.closed


def test_a_mistake_in_the_world_reaches_both_ends() -> None:
    world = Boxes()
    world.spoil = {"no such field": 1}
    server = EngineServer(lambda: world)
    server.start()
    with EngineClient(server.address) as client:
        client.start("synchronous")
        with pytest.raises(EngineError, match="the engine broke down: TypeError"):
            client.tick(Control(), LONG)
    with pytest.raises(TypeError):
        server.wait(LONG)
    server.close()

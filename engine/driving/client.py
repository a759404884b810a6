"""`EngineClient` drives an engine: CONTROL goes up, the newest frame comes down, and neither side waits for the other.

    with EngineClient("127.0.0.1:50051") as client:
        client.start()
        while painting:
            client.send(control)
            delivery = client.take()

For one frame a control, in order and none left out: `start("synchronous")`, then `tick(control)`.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import grpc

from . import service_pb2 as pb
from . import service_pb2_grpc as rpc
from . import wire
from .credit import Credit
from .link import Abandon, Clock, Delivery
from .messages import PROTOCOL, Control, EngineInfo
from .planes import ProtocolError
from .simulator import EngineError, RecordingEndedError

_CLOCKS: dict[Clock, pb.Clock] = {"free running": pb.FREE_RUNNING, "paused": pb.PAUSED, "synchronous": pb.SYNCHRONOUS}


@dataclass(frozen=True)
class Connection:
    """How a client stands with its engine."""

    state: Literal["ready", "connected", "lost", "closed"] = "ready"
    """'ready': introduced, and not started yet."""
    error: EngineError | None = None
    """Why it was lost, in words and what to do; an `RecordingEndedError` where there was simply no more."""


class EngineClient:
    """One drive of the engine at `address` ('host:port'); a `Link`.

    A thread receives. Everything here may be called from any thread.

    Args:
        address: where the engine listens.
        parts: the optional maps that are wanted; the rest is not sent.
        timeout: seconds to wait for an engine that is still starting.
        abandon: ends that wait.

    Raises:
        EngineError: nobody answers there, or it was abandoned.
        ProtocolError: somebody does, but speaks another version, or nothing that makes sense.
    """

    info: EngineInfo

    def __init__(
        self,
        address: str,
        *,
        parts: Collection[str] = wire.PARTS,
        timeout: float = 5.0,
        abandon: Abandon | None = None,
    ) -> None:
        self.address = address
        self._parts = tuple(parts)
        options = (
            ("grpc.max_receive_message_length", wire.MAX_MESSAGE),
            ("grpc.max_send_message_length", wire.MAX_MESSAGE),
            ("grpc.enable_http_proxy", 0),  # an engine on this machine is not behind the company's proxy
        )
        self._channel = grpc.insecure_channel(address, options=options)
        self._stub = rpc.EngineStub(self._channel)
        try:
            request = pb.HelloRequest(protocol=PROTOCOL, client="neuroview")
            answer = self._stub.Hello.future(request, timeout=timeout, wait_for_ready=True)
            with (Abandon() if abandon is None else abandon).interrupting(answer.cancel):
                self.info = wire.read_info(answer.result())
        except grpc.FutureCancelledError:
            self._channel.close()
            raise EngineError(f"the engine at {address} was not waited for: the drive is over") from None
        except grpc.RpcError as error:
            self._channel.close()
            raise _engine_error(error, address) from None
        except ProtocolError:
            self._channel.close()
            raise
        # Now, and not when the first frame has come: it takes a second.
        wire.load_tags(self.info.label_set)
        self._changed = threading.Condition()
        self._connection = Connection()
        self._credit = Credit(1 / self.info.rate)
        self._call: Any = None
        self._thread: threading.Thread | None = None
        self._notify: Callable[[], None] = lambda: None
        self._outgoing: deque[pb.Request] = deque()
        self._request = pb.Request()
        self._dirty = False
        self._serial = 0
        self._fresh: deque[tuple[int, Delivery]] = deque()
        self._state: dict[str, Any] | None = None

    def start(
        self,
        clock: Clock = "free running",
        *,
        control: Control | None = None,
        state: dict[str, Any] | None = None,
        notify: Callable[[], None] | None = None,
    ) -> None:
        """Begins the drive; once for each client.

        Args:
            clock: how time passes at first.
            control: in force from the first step; None: time waits for the first `send`. Not for 'synchronous', where
                every control is a step.
            state: go on from there (see `state`); None: go on from where the engine stands.
            notify: called on the receiving thread when a frame has come, and when the connection is lost.

        Raises:
            EngineError: it was started before.
        """
        if self._thread is not None:
            raise EngineError("this client has been started before; make a new one for another drive")
        saved = b"" if state is None else json.dumps(state).encode()
        self._request.start.CopyFrom(pb.Start(protocol=PROTOCOL, parts=self._parts, state=saved))
        self._request.clock = _CLOCKS[clock]
        if control is not None and clock != "synchronous":
            self._stamp(control)
        if notify is not None:
            self._notify = notify
        self._connection = Connection("connected")
        self._dirty = True
        self._call = self._stub.Drive(self._requests())
        self._thread = threading.Thread(target=self._receive, name="neuroview-data", daemon=True)
        self._thread.start()

    @property
    def connection(self) -> Connection:
        """Whether all is well, and if not, why."""
        return self._connection

    def state(self) -> dict[str, Any] | None:
        """Where the drive stood, at most about a second ago: for `start(state=...)` of another engine."""
        return self._state

    def send(self, control: Control, clock: Clock | None = None, steps: int | None = None) -> int:
        """Says what the driver does now; the newest counts, and in synchronous mode each one makes one step.

        Args:
            control: its serial number is kept where it has one; else it is counted here.
            clock: how time shall pass from now on; None: as before.
            steps: how many single steps were asked for since the start (they count while 'paused').

        Returns:
            The control's serial number.
        """
        with self._changed:
            if clock is not None:
                self._request.clock = _CLOCKS[clock]
            if steps is not None:
                self._request.steps = steps
            serial = self._stamp(control)
            if self._request.clock == pb.SYNCHRONOUS:
                self._outgoing.append(self._copy())
            self._dirty = True
            self._changed.notify_all()
        return serial

    def want(self, parts: Collection[str]) -> None:
        """Asks for other optional maps from now on; the rest is not sent."""
        with self._changed:
            if self._parts == tuple(parts):
                return
            self._parts = tuple(parts)
            if not self._request.HasField("start"):  # the one that begins the drive may not have gone out yet
                self._request.start.protocol = PROTOCOL
            self._request.start.parts[:] = self._parts
            self._dirty = True
            self._changed.notify_all()

    def take(self) -> Delivery | None:
        """The next frame to paint, or None while there is none that was not returned before.

        Taking it up lets the engine draw another. Every frame's motion counts from the one returned before it.

        Raises:
            EngineError: the connection was lost and all that came is taken up; the message says why and what to do.
            RecordingEndedError: the same, because there was no more.
        """
        return self.wait(0.0)

    def wait(self, timeout: float | None = None) -> Delivery | None:
        """As `take`, but waits up to `timeout` seconds (None: as long as it takes) for one to come."""
        with self._changed:
            self._credit.waiting(time.monotonic())
            self._changed.wait_for(lambda: self._fresh or self._connection.state != "connected", timeout)
            if self._fresh:
                number, delivery = self._fresh.popleft()
                self._credit.taken(number, time.monotonic())
                self._changed.notify_all()
                return delivery
            error = self._connection.error
        if error is not None:
            raise error
        return None

    def tick(self, control: Control, timeout: float = 10.0) -> Delivery:
        """Synchronous mode: one step under `control`, and what is then seen.

        Raises:
            EngineError: the engine is gone, said no, or took longer than `timeout` seconds.
            RecordingEndedError: it has no more to show.
        """
        if self._connection.state == "connected":
            if self._request.clock != pb.SYNCHRONOUS:
                raise EngineError("tick() needs a drive that was started with clock 'synchronous'")
            self.send(control)
        delivery = self.wait(timeout)
        if delivery is None:
            raise EngineError(f"the engine drew nothing within {timeout:g} s; it is busy or was closed")
        return delivery

    def close(self) -> None:
        """Hangs up; the world stands still until somebody comes. A second time does nothing."""
        with self._changed:
            if self._connection.state in ("ready", "connected"):
                self._connection = Connection("closed")
            self._changed.notify_all()
        if self._call is not None:
            self._call.cancel()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._channel.close()

    def __enter__(self) -> EngineClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # With `_changed` held

    def _stamp(self, control: Control) -> int:
        self._serial = control.serial or self._serial + 1
        self._request.control.CopyFrom(wire.control_message(replace(control, serial=self._serial)))
        return self._serial

    def _copy(self) -> pb.Request:
        """What is to be sent. A control goes out once: in synchronous mode each one is a step."""
        copy = pb.Request()
        copy.CopyFrom(self._request)
        self._request.ClearField("start")
        self._request.ClearField("control")
        return copy

    # gRPC's thread

    def _requests(self) -> Iterator[pb.Request]:
        while True:
            with self._changed:
                while not self._outgoing:
                    if self._connection.state != "connected":
                        return
                    wait = self._credit.due_in(time.monotonic())
                    if wait is not None and wait <= 0:
                        self._request.taken = self._credit.give(time.monotonic())
                        self._dirty = True
                    if self._dirty:
                        self._dirty = False
                        self._outgoing.append(self._copy())
                    else:
                        self._changed.wait(wait)
                request = self._outgoing.popleft()
            yield request

    # The receiving thread

    def _receive(self) -> None:
        error: EngineError | None = None
        try:
            for message in self._call:
                self._open(message)
            error = EngineError(f"the engine at {self.address} ended the drive; start it again")
        except grpc.RpcError as failure:
            error = _engine_error(failure, self.address, driving=True)
        except EngineError as failure:
            error = failure
            self._call.cancel()
        except Exception as failure:
            # Whatever it is, a drive that stands still without a word would be worse.
            error = EngineError(f"what the engine sent could not be used: {type(failure).__name__}: {failure}")
            self._call.cancel()
        with self._changed:
            if self._connection.state == "connected":
                self._connection = Connection("lost", error)
            self._changed.notify_all()
        self._notify()

    def _open(self, message: pb.Data) -> None:
        frame = wire.read_data(message, self.info)
        if message.state:
            self._state = _object(message.state)
        obeyed = tuple((obeyed.step, wire.read_control(obeyed.control)) for obeyed in message.obeyed)
        with self._changed:
            self._fresh.append((message.delivery, Delivery(frame, message.step, obeyed)))
            self._credit.arrived(message.delivery, time.monotonic())
            self._changed.notify_all()
        self._notify()


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ProtocolError("the engine's saved state is no JSON object; update the engine")
    return found


def _engine_error(error: grpc.RpcError, address: str, driving: bool = False) -> EngineError:
    """What went wrong, in words; `driving`: whether all was well until now."""
    code = error.code() if isinstance(error, grpc.Call) else None
    text = (error.details() if isinstance(error, grpc.Call) else "") or str(error)
    if code is grpc.StatusCode.OUT_OF_RANGE:
        return RecordingEndedError(text)
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return ProtocolError(text)
    if code in (grpc.StatusCode.ABORTED, grpc.StatusCode.FAILED_PRECONDITION):
        return EngineError(text)
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED):
        if driving:
            return EngineError(f"the engine at {address} is gone ({text}); start it again, and the drive goes on")
        return EngineError(
            f"no engine answers at {address} ({text}); start one with `neuroview drive`, or check host and port"
        )
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return ProtocolError(f"what answers at {address} is no neuroview engine ({text}); check the port")
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return ProtocolError(
            f"a message of the engine is too large ({text}); at most {wire.MAX_MESSAGE:,} bytes are taken. "
            "Ask for a smaller picture or fewer maps"
        )
    return EngineError(f"the engine at {address} failed: {text}")

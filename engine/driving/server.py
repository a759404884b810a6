"""`EngineServer` hosts one simulator behind gRPC: one thread simulates, gRPC's threads talk, one client drives."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import grpc

from . import service_pb2 as pb
from . import service_pb2_grpc as rpc
from . import wire
from .messages import PROTOCOL, Control, EngineInfo
from .planes import ProtocolError
from .session import Session
from .simulator import EngineError, RecordingEndedError, Redrawing, Simulator

SAVE_EVERY = 1.0
"""Seconds between two saved states."""
LONGEST_TEXT = 1000
"""Of an error: it travels in a header, and those are limited to 8 KiB."""

OPTIONS = (
    ("grpc.max_receive_message_length", wire.MAX_MESSAGE),
    ("grpc.max_send_message_length", wire.MAX_MESSAGE),
    # A port that is taken is an error: otherwise two engines would answer in turns.
    ("grpc.so_reuseport", 0),
    # A client whose machine is gone closes no connection.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
)


class EngineServer:
    """Serves the simulator that `make` makes.

    The simulator is made, used and closed in one thread of its own, as an OpenGL context demands. A second client is
    told that it is the second. When a client vanishes the world stands still until the next one comes.

    Args:
        make: makes the simulator.
        host: interface to listen on; the default lets nobody in from outside.
        port: 0 takes any free one.
    """

    def __init__(self, make: Callable[[], Simulator], host: str = "127.0.0.1", port: int = 0) -> None:
        self._make = make
        self._host, self._port = host, port
        self._info = EngineInfo("", "")
        self._session: Session | None = None
        self._changed = threading.Condition()
        self._closed = False
        self._failure: BaseException | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._simulate, name="neuroview-engine", daemon=True)
        self._server: grpc.Server | None = None

    @property
    def address(self) -> str:
        """'host:port', for a client on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "::": "[::1]"}.get(self._host, self._host)
        return f"{host}:{self._port}"

    @property
    def port(self) -> int:
        """The port that was bound."""
        return self._port

    def start(self) -> None:
        """Makes the simulator, then opens the port; returns when a client may come.

        Raises:
            EngineError: the simulator cannot be made, or the port is taken.
        """
        self._thread.start()
        self._ready.wait()
        if self._failure:
            raise self._failure
        server = grpc.server(ThreadPoolExecutor(8, "neuroview-rpc"), options=OPTIONS)
        rpc.add_EngineServicer_to_server(_Service(self), server)
        try:
            self._port = server.add_insecure_port(f"{self._host}:{self._port}")
        except RuntimeError:
            self._port = self._port and 0
        if not self._port:
            self.close()
            raise EngineError(
                f"cannot listen on {self._host}: the port is taken or the address is not this machine's; "
                "choose another, or port 0 for any free one"
            )
        server.start()
        self._server = server

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until the server is closed; whether it is.

        Raises:
            Exception: what ended the simulation, where that was a mistake in it.
        """
        self._thread.join(timeout)
        if self._failure:
            raise self._failure
        return not self._thread.is_alive()

    def close(self) -> None:
        """Ends the drive and gives everything back; a second time does nothing."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            session = self._session
        if session:
            session.end(EngineError("the engine was closed"))
        if self._server:
            self._server.stop(0.3).wait()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    # gRPC's threads

    def hello(self) -> pb.Info:
        """How the engine introduces itself."""
        return wire.info_message(self._info, "neuroview")

    def enter(self, session: Session) -> None:
        """Lets a client drive.

        Raises:
            EngineError: another one does.
        """
        with self._changed:
            if self._closed or not self._thread.is_alive():
                raise EngineError("the engine is closing; start it again")
            if self._session is not None:
                raise EngineError(
                    "another viewer is driving this engine, and one at a time can; close it, or start a second engine"
                )
            self._session = session
            self._changed.notify_all()

    def leave(self, session: Session) -> None:
        """The client is gone: the world stands still."""
        session.end()
        with self._changed:
            if self._session is session:
                self._session = None

    def new_session(self, first: pb.Request) -> Session:
        """A session at this engine's rate; raises as `Session` does."""
        return Session(first, self._info.rate)

    def messages(self, session: Session) -> Iterator[pb.Data]:
        """What the client is sent, until the session ends; then raises what ended it."""
        count = 0
        while (drawn := session.next_drawn()) is not None:
            count += 1
            message = wire.data_message(drawn.frame, self._info, session.parts)
            message.delivery, message.step, message.state = count, drawn.step, drawn.state
            message.obeyed.extend(drawn.obeyed)
            yield message
        if session.error:
            raise session.error

    # The simulation's thread

    def _simulate(self) -> None:
        try:
            simulator = self._make()
        except BaseException as error:
            self._failure = error
            self._ready.set()
            return
        try:
            self._info = replace(simulator.info, protocol=PROTOCOL)
            self._ready.set()
            drive = _Drive(simulator)
            while (session := self._next_session()) is not None:
                try:
                    drive.run(session)
                except EngineError as error:
                    session.end(error)
                except Exception as error:
                    session.end(EngineError(f"the engine broke down: {type(error).__name__}: {error}"))
                    self._failure = error
                    return
                self._until_left(session)
        finally:
            simulator.close()

    def _next_session(self) -> Session | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._session is not None)
            return None if self._closed else self._session

    def _until_left(self, session: Session) -> None:
        """Waits until a session that has ended has left, so that it is not driven twice."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._session is not session)


class _Drive:
    """The simulator's side: steps, and what is to be remembered between two frames."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._step = 0
        self._obeyed: list[pb.Obeyed] = []
        self._saved = 0.0

    def run(self, session: Session) -> None:
        """Does what a session asks until it ends."""
        simulator = self._simulator
        last: Control | None = None
        self._obeyed, self._saved = [], 0.0
        if session.state is not None:
            simulator.restore(session.state)
            self._step = 0
        while (due := session.due()) is not None:
            if not due.step:
                if isinstance(simulator, Redrawing):
                    session.deliver(simulator.redraw(due.control), self._step, [], b"")
                continue
            control = replace(due.control, serial=0)
            if control != last:
                last = control
                self._obeyed.append(pb.Obeyed(step=self._step, control=wire.control_message(due.control)))
            if not due.draw:
                simulator.advance(due.control)
                self._step += 1
                continue
            frame = simulator.step(due.control)
            self._step += 1
            session.deliver(frame, self._step, self._obeyed, self._state())
            self._obeyed = []

    def _state(self) -> bytes:
        now = time.monotonic()
        if self._saved and now - self._saved < SAVE_EVERY:
            return b""
        self._saved = now
        return json.dumps(self._simulator.state()).encode()


class _Service(rpc.EngineServicer):
    """What gRPC calls."""

    def __init__(self, host: EngineServer) -> None:
        self._host = host

    def Hello(self, request: pb.HelloRequest, context: Any) -> pb.Info:  # noqa: N802 - protobuf's name
        """Answers whoever asks, of whichever version: the asker tells what to do about it."""
        return self._host.hello()

    def Drive(self, request_iterator: Iterator[pb.Request], context: Any) -> Iterator[pb.Data]:  # noqa: N802
        """Serves one client until it goes."""
        first = next(request_iterator, None)
        if first is None:
            return
        try:
            session = self._host.new_session(first)
            self._host.enter(session)
        except EngineError as error:
            code = grpc.StatusCode.FAILED_PRECONDITION
            context.abort(code, str(error)[:LONGEST_TEXT])
            return
        try:
            if not context.add_callback(session.end):
                return  # it has gone already
            reader = threading.Thread(target=_read, args=(request_iterator, session), daemon=True)
            reader.start()
            yield from self._host.messages(session)
        except EngineError as error:
            context.abort(_code(error), str(error)[:LONGEST_TEXT])
        finally:
            self._host.leave(session)


def _read(requests: Iterator[pb.Request], session: Session) -> None:
    """Hands requests on until the client hangs up."""
    try:
        for request in requests:
            session.receive(request)
    except ProtocolError as error:
        session.end(error)
    except Exception:
        # gRPC ends the iterator of a client that vanished with a bare Exception.
        session.end()
    else:
        session.end()


def _code(error: EngineError) -> grpc.StatusCode:
    if isinstance(error, RecordingEndedError):
        return grpc.StatusCode.OUT_OF_RANGE
    return grpc.StatusCode.INVALID_ARGUMENT if isinstance(error, ProtocolError) else grpc.StatusCode.ABORTED

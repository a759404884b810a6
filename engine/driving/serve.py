"""The engine's own process: python -m neuroview.engine.driving.serve --engine town --seed 7 --size 256x128 --port 0

Prints one line of JSON when a client may come, {"address": "127.0.0.1:40123", "port": 40123}, or {"error": "..."} when
it cannot serve; what else goes wrong stands on stderr.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Callable, Sequence

from ...models.errors import NeuroviewError
from .engines import EngineSpec, add_arguments, make_simulator, read_arguments
from .server import EngineServer
from .simulator import Simulator


def main(arguments: Sequence[str] | None = None, make: Callable[[EngineSpec], Simulator] = make_simulator) -> int:
    """Serves until told to stop, by a signal or, with --with-parent, by the end of stdin; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m neuroview.engine.driving.serve", description="Serve an engine.")
    add_arguments(parser)
    parser.add_argument("--port", type=int, default=0, help="to listen on (0: any free one)")
    parser.add_argument(
        "--listen", default="127.0.0.1", help="interface; the default lets nobody in from outside, 0.0.0.0 everybody"
    )
    parser.add_argument("--with-parent", action="store_true", help="end when stdin does, as when its writer has died")
    parsed = parser.parse_args(arguments)
    spec = read_arguments(parsed)
    server = EngineServer(lambda: make(spec), parsed.listen, parsed.port)
    stop = threading.Event()
    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: stop.set())
    if parsed.with_parent:
        threading.Thread(target=_until_end, args=(stop,), daemon=True).start()
    try:
        server.start()
    except NeuroviewError as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return 2
    print(json.dumps({"address": server.address, "port": server.port}), flush=True)
    try:
        # In slices: on Windows a wait without end is deaf to Ctrl-C.
        while not stop.wait(0.2) and not server.wait(0):
            pass
    finally:
        server.close()
    return 0


def _until_end(stop: threading.Event) -> None:
    """The parent holds the other end of stdin: whichever way it dies, the system closes it."""
    while sys.stdin.buffer.read(4096):
        pass
    stop.set()


if __name__ == "__main__":
    sys.exit(main())

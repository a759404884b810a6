"""Finds the `carla` package, reaches the server and makes sure that the two understand each other."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from typing import Any

from ....models.base import LabelSet
from ..simulator import EngineError

Version = tuple[int, int, int]
OLDEST: Version = (0, 9, 13)
"""The first version with an instance camera."""
NEW_TAGS: Version = (0, 9, 14)
"""The first version whose tags are Cityscapes' train ids + 1."""
NEWEST: Version = (0, 9, 16)
"""The last version that this adapter was written for."""


@dataclass(frozen=True)
class Connection:
    """A server that answers, and that is safe to talk to."""

    client: Any
    """`carla.Client`."""
    world: Any
    """`carla.World`."""
    package: Any
    """The `carla` module."""
    version: str
    """Of the server, as it says it."""
    label_set: LabelSet
    address: str
    """host:port, for messages."""


def load_package() -> Any:
    """The `carla` module.

    Raises:
        EngineError: it is not installed here, or cannot be loaded.
    """
    try:
        return importlib.import_module("carla")
    except ImportError as error:
        raise EngineError(
            f"driving with CARLA needs its Python package, which cannot be loaded ({error}). Install the one of your "
            "server's version, such as: pip install carla==0.9.16 (it exists for Python 3.10 to 3.12 on Linux x86-64 "
            "and Windows); or drive through the embedded town: --engine town"
        ) from None


def connect(host: str, port: int, timeout: float, package: Any) -> Connection:
    """Reach the server and check its version before anything else is asked: packages of another version do not fail
    politely, they end the process.

    Args:
        host: of the server.
        port: likewise; the one after it is used too.
        timeout: seconds that any answer may take.
        package: the `carla` module.

    Raises:
        EngineError: nobody answers, or the versions of package and server are not known to go together.
    """
    address = f"{host}:{port}"
    try:
        client = package.Client(host, port)
        client.set_timeout(timeout)
        ours, theirs = str(client.get_client_version()), str(client.get_server_version())
    except (RuntimeError, OverflowError, TypeError) as error:
        raise EngineError(
            f"no CARLA server answers at {address} ({error}). Start one (CarlaUE4.sh -RenderOffScreen "
            f"-carla-rpc-port={port}), wait until it has loaded its town, and see that ports {port} and {port + 1} can "
            "be reached from here"
        ) from error
    numbering = _label_set(ours, theirs, address)
    try:
        return Connection(client, client.get_world(), package, theirs, numbering, address)
    except RuntimeError as error:
        raise EngineError(
            f"the CARLA server at {address} answers but shows no world ({error}): wait until it has loaded its town"
        ) from error


def read_version(text: str) -> Version | None:
    """0.9.15 of '0.9.15', '0.9.15-dirty' or '0.9.15-226-g5c2d2978a'; None of a bare commit."""
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def _label_set(ours: str, theirs: str, address: str) -> LabelSet:
    client, server = read_version(ours), read_version(theirs)
    if client is None and server is None and ours != theirs:
        raise EngineError(
            f"the carla package says version {ours}, the server at {address} {theirs}; expected the same for both: "
            "install the wheel that was built with the server"
        )
    # A build of one's own may know only its commit: then the other side's version has to do.
    version = server or client or NEWEST
    if version < OLDEST:
        raise EngineError(
            f"the server at {address} is CARLA {theirs}, which has no instance camera; expected "
            f"{_text(OLDEST)} to {_text(NEWEST)}: start a newer server and install its carla package"
        )
    if client is not None and server is not None and client != server:
        raise EngineError(
            f"the carla package here is version {ours}, the server at {address} is {theirs}; they have to be the "
            f"same: pip install carla=={_text(server)}, or start a server of version {_text(client)}"
        )
    return "carla" if version >= NEW_TAGS else "carla_before_0_9_14"


def _text(version: Version) -> str:
    return ".".join(str(n) for n in version)

"""Makes engine/driving/service_pb2.py, its types and service_pb2_grpc.py from service.proto.

    python3 tools/bootstrap.py exec python tools/make_proto.py

With --check it changes nothing and exits with 1 where they are not what service.proto makes.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "engine" / "driving"
MADE = ("service_pb2.py", "service_pb2.pyi", "service_pb2_grpc.py")
PACKAGE = "neuroview/engine/driving"
"""Where protobuf is told that the file lies: the name under which it is registered must be nobody else's."""


def generate(folder: Path) -> None:
    """Writes all three files to `folder`.

    Raises:
        SystemExit: grpcio-tools is not installed, or service.proto has a mistake.
    """
    try:
        from grpc_tools import protoc
    except ImportError:
        raise SystemExit("grpcio-tools is missing: pip install -c constraints.txt grpcio-tools") from None
    with tempfile.TemporaryDirectory() as made:
        line = ["protoc", f"-I{PACKAGE}={FOLDER}"]
        line += [f"--{kind}_out={made}" for kind in ("python", "pyi", "grpc_python")]
        if protoc.main([*line, f"{PACKAGE}/service.proto"]):
            raise SystemExit("service.proto was refused; see above")
        for name in MADE:
            shutil.copyfile(Path(made) / PACKAGE / name, folder / name)


def main(arguments: list[str]) -> int:
    """Generates, or with --check compares; returns the exit code."""
    if arguments not in ([], ["--check"]):
        print(__doc__)
        return 2
    if not arguments:
        generate(FOLDER)
        return 0
    with tempfile.TemporaryDirectory() as name:
        generate(Path(name))
        stale = [file for file in MADE if (Path(name) / file).read_bytes() != (FOLDER / file).read_bytes()]
    for file in stale:
        print(f"{file} is not what service.proto makes; run tools/make_proto.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

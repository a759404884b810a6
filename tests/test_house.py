"""The rules of the house, read off the code itself: who may import whom, what never appears, what is shipped."""

from __future__ import annotations

import ast
import functools
import gc
import importlib.util
import subprocess
import sys
import warnings
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
MAY_IMPORT = {
    "viewer": {"viewer", "engine", "models", "assets"},
    "engine": {"engine", "models", "assets"},
    "models": {"models", "assets"},
    "assets": {"assets"},
}
TORCHLESS = ("neuroview.viewer.window", "neuroview.engine.state", "neuroview.engine.store")
"""What runs before the window is on screen, and torch takes a second to import."""

LONG_FILE = 400
"""Lines above which a file is probably about two things."""


def _files() -> list[Path]:
    found = (path for folder in MAY_IMPORT for path in sorted((ROOT / folder).rglob("*.py")))
    return [path for path in found if not path.stem.endswith(("_pb2", "_pb2_grpc"))]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _imports(path: Path) -> Iterator[tuple[str, int]]:
    """Absolute names of all modules that a file imports, also inside functions, each with its line."""
    package = ["neuroview", *path.relative_to(ROOT).parent.parts]
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            # `from .. import models` names a package behind the keyword, and only that says which.
            yield from ((f"{module}.{alias.name}", node.lineno) for alias in node.names)


@functools.cache
def _tree(path: Path) -> ast.Module:
    # Python before 3.11.8 and 3.12.2 raises a SystemError where a garbage collection runs other code meanwhile
    # (CPython issue 106905), and after a thousand tests one does.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    finally:
        if collecting:
            gc.enable()


def _calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(_tree(path)) if isinstance(node, ast.Call))


@pytest.mark.parametrize("path", _files(), ids=_name)
def test_imports_point_one_way(path: Path) -> None:
    own = path.relative_to(ROOT).parts[0]
    for module, line in _imports(path):
        top = module.split(".")
        assert top[0] not in ("tests", "tools"), f"{_name(path)}:{line} imports {module}; nothing of ours may"
        if top[0] == "neuroview" and len(top) > 1:
            assert top[1] in MAY_IMPORT[own], f"{_name(path)}:{line}: {own}/ may not import {module} (DESIGN: folders)"


@pytest.mark.parametrize("path", _files(), ids=_name)
def test_imports_inside_the_package_are_relative(path: Path) -> None:
    for node in ast.walk(_tree(path)):
        absolute = isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").startswith("neuroview")
        assert not absolute, f"{_name(path)}:{getattr(node, 'lineno', 0)}: write the import with dots"


@pytest.mark.parametrize("path", _files(), ids=_name)
def test_nothing_executes_from_a_file(path: Path) -> None:
    unsafe = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
    for module, line in _imports(path):
        last = module.split(".")[-1]
        loads = last in {"load", "loads", "Unpickler", "open"} and module.split(".")[0] in unsafe
        loader = module.startswith("yaml.") and "Loader" in last and last not in ("SafeLoader", "CSafeLoader")
        unsafe_import = loads or loader
        assert not unsafe_import, f"{_name(path)}:{line}: {module} runs what a file says; see models/unpickle.py"
    for call in _calls(path):
        where = f"{_name(path)}:{call.lineno}"
        target = ast.unparse(call.func)
        keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        owner, _, function = target.rpartition(".")
        assert not (owner in unsafe and function in {"load", "loads", "Unpickler", "open"}), f"{where}: {target}"
        if target == "torch.load":
            assert keywords.get("weights_only") == "True", f"{where}: torch.load without weights_only=True"
        if target in ("np.load", "numpy.load"):
            assert keywords.get("allow_pickle", "False") == "False", f"{where}: numpy.load may not unpickle"
        if owner == "yaml" and function in {"load", "load_all", "unsafe_load", "full_load"}:
            raise AssertionError(f"{where}: {target}; use yaml.safe_load")
        assert target not in ("eval", "exec", "os.system"), f"{where}: {target}"


@pytest.mark.parametrize("path", _files(), ids=_name)
def test_a_file_says_what_it_is_about(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    if source.strip():
        assert ast.get_docstring(_tree(path)), f"{_name(path)} has no docstring: one sentence, what it is about"
    lines = source.count("\n")
    if lines > LONG_FILE:
        warnings.warn(f"{_name(path)} has {lines} lines; is it about one thing?", stacklevel=1)


def test_no_file_is_a_drawer_for_leftovers() -> None:
    drawers = {"utils", "util", "helpers", "helper", "misc", "common", "manager"}
    assert not [_name(path) for path in _files() if {path.stem, path.parent.name} & drawers]


def test_every_folder_of_code_is_a_package_that_ships() -> None:
    spec = importlib.util.spec_from_file_location("house_setup", ROOT / "setup.py")
    assert spec
    assert spec.loader
    setup = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(setup)
    listed = set(setup.packages())
    folders = {path.parent.relative_to(ROOT).as_posix().replace("/", ".") for path in _files()}
    assert {f"neuroview.{folder}" for folder in folders} == listed, "a folder with code lacks its __init__.py"


def test_every_asset_is_package_data() -> None:
    patterns = _project()["tool"]["setuptools"]["package-data"]["neuroview.assets"]
    held = {path for pattern in patterns for path in (ROOT / "assets").glob(pattern)}
    files = {path for path in (ROOT / "assets").rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert not {_name(path) for path in files - held}, "add its kind to package-data in pyproject.toml"


def test_what_is_imported_is_declared() -> None:
    project = _project()["project"]
    declared = {_distribution(line) for line in [*project["dependencies"], *project["optional-dependencies"]["train"]]}
    owners = metadata.packages_distributions()
    for path in _files():
        for module, line in _imports(path):
            top = module.split(".")[0]
            if top == "neuroview" or top in sys.stdlib_module_names:
                continue
            # Both builds of OpenCV hold `cv2`; an environment may have either.
            names = {_distribution(name).removesuffix("-headless") for name in owners.get(top, [top])}
            known = {name.removesuffix("-headless") for name in declared} | {"cuda-bindings", "cuda-core", "tests"}
            assert names & known, f"{_name(path)}:{line} imports {top}, which pyproject.toml does not name"


def test_what_is_declared_is_pinned_to_one_version() -> None:
    pinned = set()
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, equals, version = line.split(";")[0].strip().partition("==")
            assert equals, f"constraints.txt: {line!r} is not name==version"
            assert version, f"constraints.txt: {line!r} is not name==version"
            pinned.add(_distribution(name))
    project = _project()["project"]
    extras = project["optional-dependencies"]
    wanted = {_distribution(line) for line in [*project["dependencies"], *extras["train"], *extras["dev"]]}
    wanted -= {"neuroview"}  # dev takes the extra in by the project's own name
    assert wanted <= pinned, f"constraints.txt lacks {wanted - pinned}"


@pytest.mark.parametrize("module", TORCHLESS)
def test_what_opens_the_window_does_not_wait_for_torch(module: str) -> None:
    code = f"import sys, {module}; print([n for n in ('torch', 'numba', 'cv2', 'scipy') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]", f"{module} imports {done.stdout.strip()}"


@pytest.mark.parametrize("module", ["neuroview.viewer.app", "neuroview.viewer.headless", "neuroview.engine.model"])
def test_a_machine_without_opengl_still_renders_to_files(module: str) -> None:
    # None in sys.modules makes an import fail, as PyOpenGL's does where there is no libGL.
    code = f"import sys; sys.modules.update(dict.fromkeys(['OpenGL', 'glfw', 'dearpygui'])); import {module}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{module} needs a library of the window to be imported:\n{done.stderr}"


def _project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _distribution(requirement: str) -> str:
    """The normalised name in a requirement: letters, digits and dashes up to the first other character."""
    name = requirement.strip()
    for stop in ";[<>=!~ ":
        name = name.split(stop)[0]
    return name.lower().replace("_", "-").replace(".", "-")

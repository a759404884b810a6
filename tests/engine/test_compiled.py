"""The record of compiled loops: in memory, and on disk with the sources that they were made of."""

from __future__ import annotations

import sys

import pytest
from neuroview.engine import warmup
from neuroview.engine.rendering import compiled

LOOPS = """
called = []
def warm_up():
    called.append(1)
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A package of kernels that counts how often it was warmed up."""
    package = tmp_path / "pretend_kernels"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "loops.py").write_text(LOOPS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    yield "pretend_kernels.loops"
    compiled._loaded.discard("pretend_kernels.loops")
    for name in ("pretend_kernels.loops", "pretend_kernels"):
        sys.modules.pop(name, None)


def test_loops_are_ready_once_they_were_loaded(module):
    assert not compiled.ready(module)
    compiled.load(module)
    assert compiled.ready(module)
    assert sys.modules[module].called == [1]


def test_another_process_sees_that_they_lie_compiled(module):
    assert not compiled.kept(module)
    compiled.load(module)
    assert compiled.kept(module)


def test_a_note_about_older_sources_is_not_trusted(module, tmp_path):
    compiled.load(module)
    (tmp_path / "pretend_kernels" / "loops.py").write_text(LOOPS + "\nnewer = True\n")
    assert not compiled.kept(module)


def test_a_damaged_note_is_not_trusted(module):
    compiled.load(module)
    compiled._note(module).write_bytes(b"\xff\xfe")
    assert not compiled.kept(module)


def test_asking_costs_no_look_at_the_disk(module, monkeypatch):
    compiled.load(module)
    monkeypatch.setattr(compiled, "cache_folder", lambda: pytest.fail("looked"))
    assert compiled.ready(module)
    assert not compiled.ready("some.other")


def test_loops_that_do_not_compile_are_not_ready_and_stop_nothing(module, tmp_path, monkeypatch):
    (tmp_path / "pretend_kernels" / "loops.py").write_text("def warm_up():\n    raise RuntimeError('no compiler')\n")
    monkeypatch.setattr(warmup, "RENDERING", (module,))
    warmup.compile_now()
    assert not compiled.ready(module)
    assert not compiled.kept(module)


def test_programs_without_a_window_load_only_what_lies_compiled(module, monkeypatch):
    monkeypatch.setattr(warmup, "RENDERING", (module,))
    warmup.load_kept()
    assert not compiled.ready(module)
    compiled.load(module)
    compiled._loaded.discard(module)
    warmup.load_kept()
    assert compiled.ready(module)
    assert sys.modules[module].called == [1, 1]

"""The system report: complete, safe to share, and alive whatever a driver does."""

from __future__ import annotations

import io
import sys

import pytest
from neuroview.viewer import info
from rich.console import Console


def _answer_with(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every child that the report starts runs this Python code in place of the real probe."""
    real = info.subprocess.Popen
    monkeypatch.setattr(info.subprocess, "Popen", lambda _line, **how: real([sys.executable, "-c", code], **how))


@pytest.fixture
def quick_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both children answer at once, without torch or a screen."""
    _answer_with("""print('["GPU", "a [bold] one"]')""", monkeypatch)


def _ask(code: str, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    _answer_with(code, monkeypatch)
    with info._Probe("compute") as child:
        return info._answers(child)


@pytest.mark.usefixtures("quick_probes")
def test_the_report_has_every_section_with_filled_rows() -> None:
    report = info.system_report()
    assert [title for title, _ in report] == ["Versions", "Machine", "Computing", "Screen", "Folders", "Environment"]
    assert all(rows for _, rows in report)
    assert all(key and value for _, rows in report for key, value in rows)


@pytest.mark.usefixtures("quick_probes")
def test_the_report_names_what_neuroview_stands_on() -> None:
    named = {key for _, rows in info.system_report() for key, _ in rows}
    assert {"python", "torch", "numpy", "numba", "dearpygui", "glfw", "cuda-python"} <= named
    assert {"system", "processor", "cores", "memory", "settings", "cache"} <= named


@pytest.mark.usefixtures("quick_probes")
def test_a_variable_that_matters_is_told_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.setenv("SOME_SECRET_TOKEN", "hush")
    told = dict(info.system_report()[-1][1])
    assert told["CUDA_VISIBLE_DEVICES"] == "1"
    assert "SOME_SECRET_TOKEN" not in told


@pytest.mark.usefixtures("quick_probes")
def test_a_piped_report_is_plain_lines_without_wrapping_or_colour() -> None:
    output = io.StringIO()
    info.print_report(Console(file=output, width=20, force_terminal=False))
    assert "## Versions\n" in output.getvalue()
    assert "GPU: a [bold] one\n" in output.getvalue()
    assert "\x1b" not in output.getvalue()


@pytest.mark.usefixtures("quick_probes")
def test_a_report_on_a_terminal_takes_brackets_in_a_value_literally() -> None:
    output = io.StringIO()
    info.print_report(Console(file=output, width=100, force_terminal=True))
    assert "a [bold] one" in output.getvalue()


def test_what_was_told_before_a_driver_crashed_is_kept_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = _ask("""import os; print('["GLFW", "3.4"]', flush=True); os.abort()""", monkeypatch)
    assert rows[0] == ("GLFW", "3.4")
    assert rows[1][0] == "problem"


def test_a_child_that_raises_reports_its_last_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _ask("raise OSError('libGL is broken')", monkeypatch) == [("problem", "OSError: libGL is broken")]


def test_a_driver_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(info, "PROBE_SECONDS", 0.2)
    rows = _ask("import threading; threading.Event().wait()", monkeypatch)
    assert rows == [("problem", "no answer within 0 s")]


def test_lines_that_a_driver_prints_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _ask("""print('libEGL warning: x\\n["a", "b"]\\n["cut')""", monkeypatch) == [("a", "b")]


def test_without_a_display_the_screen_section_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with info._Probe("screen") as child:
        rows = dict(info._answers(child))
    assert rows["window"].startswith("none: ")

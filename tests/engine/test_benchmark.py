"""What `neuroview bench` says."""

from __future__ import annotations

import json

import pytest
from neuroview.engine.benchmark import benchmark
from neuroview.engine.model import open_model
from neuroview.viewer import cli


@pytest.fixture
def report(sphere_model):
    told = []
    made = benchmark(open_model("sphere", "cpu"), seconds=0.01, size=16, views=2, progress=told.append)
    assert told[:2] == ["compiling", "baking"]
    return made


def test_every_rung_is_measured_while_the_camera_and_the_latents_move(report):
    assert [(row.motion, row.rung, row.torch) for row in report.rows] == [
        ("orbit", "exact", True),
        ("orbit", "exact", False),
        ("orbit", "occupancy", False),
        ("orbit", "baked", False),
        ("latents", "exact", True),
        ("latents", "exact", False),
        ("latents", "occupancy", False),
    ]


def test_torchs_exact_pictures_are_what_others_are_measured_by(report):
    for row in report.rows:
        assert row.milliseconds > 0
        assert row.p95 >= row.milliseconds
        assert row.rate == pytest.approx(1000 / row.milliseconds)
        assert (row.psnr is None) == row.torch
        if row.torch:
            assert row.speedup == 1.0
        else:
            assert row.psnr > 25
            assert row.worst <= row.psnr


def test_moving_latents_pay_for_the_stages_that_a_moving_camera_keeps(report):
    stages = {(row.motion, row.rung): row.stages for row in report.rows}
    assert "codes" in stages["latents", "occupancy"]
    assert "codes" not in stages["orbit", "occupancy"]
    assert "volume image" in stages["orbit", "occupancy"]


def test_the_command_prints_a_table_that_can_be_pasted_and_writes_json(sphere_model, tmp_path, capsys):
    file = tmp_path / "bench.json"
    assert (
        cli.run(["bench", "sphere", "--device", "cpu", "--seconds", "0.01", "--size", "16", "--json", str(file)]) == 0
    )
    text = capsys.readouterr().out
    assert "| camera" in text
    assert "at 16 x 16 on CPU" in text
    written = json.loads(file.read_text())
    assert written["rows"][0]["rung"] == "exact"
    assert written["rows"][0]["rate"] > 0
    assert written["memory"] > 0


def test_times_that_make_no_sense_are_refused(capsys):
    with pytest.raises(SystemExit):
        cli.run(["bench", "--seconds", "-1"])
    assert "expected more than 0" in capsys.readouterr().err

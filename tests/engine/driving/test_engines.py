"""Which engine is made, from plain values and from a command line."""

from __future__ import annotations

import argparse

import pytest
from neuroview.engine.driving.engines import EngineSpec, add_arguments, make_simulator, read_arguments
from neuroview.engine.driving.simulator import EngineError


@pytest.mark.parametrize(
    "spec",
    [
        EngineSpec(),
        EngineSpec("town", seed=-3, width=512, height=256, rate=59.94),
        EngineSpec("town", map="a map.xodr"),
        EngineSpec("carla", host="10.0.0.7", carla_port=2002),
        EngineSpec("recording", folder="--odd name", label_set="cityscapes_ids", loop=True),
    ],
)
def test_a_command_line_says_the_same_as_the_values(spec: EngineSpec) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert read_arguments(parser.parse_args(spec.arguments())) == spec


@pytest.mark.parametrize("size", ["256", "x128", "256x", "ax2", "-5x5"])
def test_a_size_that_is_none_is_refused(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args([f"--size={size}"])
    assert "write width x height, such as 256x128" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (EngineSpec("plane"), "there is no engine 'plane'; choose one of town, carla, recording"),  # type: ignore[arg-type]
        (EngineSpec(width=100_000, height=100_000), "100000 x 100000 was asked for"),
        (EngineSpec(rate=float("nan")), "nan steps a second"),
        (EngineSpec("recording"), "there is no folder ''"),
        (EngineSpec("town", map="nowhere.xodr"), "the OpenDRIVE map nowhere.xodr cannot be read"),
    ],
)
def test_what_cannot_be_made_is_refused(spec: EngineSpec, said: str) -> None:
    with pytest.raises(EngineError, match=said):
        make_simulator(spec)

"""The command line: degrees in, pictures out, one sentence and exit code 1 when something cannot be used."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from neuroview.engine.camera import camera_matrices
from neuroview.engine.export.image import read_png
from neuroview.viewer.__main__ import main
from PIL import Image


def render(*arguments):
    return main(["render", "sphere", *map(str, arguments)])


def test_a_png_carries_the_state_that_was_typed(sphere_model, tmp_path):
    out = tmp_path / "a.png"
    code = render(
        *("--seed", 7, "--seed-b", 8, "--mix-geometry", 0.25, "--mix-appearance", 0.5, "--truncation", 0.9),
        *("--cutoff", 1, "--yaw", 30, "--pitch", -10, "--roll", 5, "--fov", 45, "--radius", 3.5),
        *("--size", 40, "--output", "depth", "--quality", "occupancy", "--out", out),
    )
    assert code == 0
    state = read_png(out).state
    assert (state.latents.seed_a, state.latents.seed_b, state.latents.cutoff) == (7, 8, 1)
    assert (state.latents.mix_geometry, state.latents.mix_appearance, state.latents.truncation) == (0.25, 0.5, 0.9)
    angles = [math.degrees(a) for a in (state.camera.yaw, state.camera.pitch, state.camera.roll, state.camera.fov)]
    assert angles == pytest.approx([30, -10, 5, 45])
    assert state.camera.radius == 3.5
    assert (state.output.kind, state.output.size, state.quality.rung) == ("depth", 40, "occupancy")
    assert Image.open(out).size == (40, 40)


def test_an_npz_holds_float_arrays_at_the_native_size(sphere_model, tmp_path):
    assert render("--out", tmp_path / "a.npz") == 0
    saved = np.load(tmp_path / "a.npz")
    assert {n: saved[n].shape for n in saved.files} == {
        "rgb": (32, 32, 3),
        "raw": (32, 32, 3),
        "depth": (32, 32),
        "alpha": (32, 32),
    }


def test_a_camera_file_gives_the_exact_view(sphere_model, tmp_path):
    assert render("--yaw", 20, "--out", tmp_path / "orbit.png") == 0
    state = read_png(tmp_path / "orbit.png").state
    cam2world, intrinsics = camera_matrices(state.camera, sphere_model["sphere"].camera)
    (tmp_path / "camera.json").write_text(
        json.dumps({"cam2world": cam2world.tolist(), "intrinsics": intrinsics.tolist()})
    )
    assert render("--camera", tmp_path / "camera.json", "--out", tmp_path / "matrix.png") == 0
    orbit, matrix = (np.asarray(Image.open(tmp_path / f"{n}.png"), dtype=int) for n in ("orbit", "matrix"))
    assert abs(orbit - matrix).max() <= 1


def test_a_screenshot_given_as_state_renders_the_same_picture(sphere_model, tmp_path):
    assert render("--seed", 3, "--yaw", 15, "--out", tmp_path / "a.png") == 0
    assert render("--state", tmp_path / "a.png", "--out", tmp_path / "b.png") == 0
    first, again = (np.asarray(Image.open(tmp_path / f"{n}.png")) for n in "ab")
    assert (first == again).all()


def test_a_screenshot_without_a_window(sphere_model, tmp_path):
    assert main(["sphere", "--screenshot", str(tmp_path / "s.png"), "--size", "50"]) == 0
    assert Image.open(tmp_path / "s.png").size == (50, 50)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["render", "gone.pkl", "--out", "x.png"], "gone.pkl"),
        (["render", "sphere", "--out", "x.gif"], ".png or .npz"),
        (["render", "sphere", "--out", "x.png", "--camera", "nowhere.json"], "nowhere.json cannot be read"),
        (["render", "sphere", "--out", "x.png", "--state", "nowhere.json"], "nowhere.json cannot be read"),
        (["sphere", "--screenshot", "x.jpg"], ".png"),
    ],
)
def test_what_cannot_be_used_is_one_sentence_and_exit_code_1(
    sphere_model, tmp_path, monkeypatch, capsys, arguments, said
):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    error = capsys.readouterr().err.strip()
    assert said in error
    assert error.startswith("neuroview: ")
    assert "Traceback" not in error


@pytest.mark.parametrize(
    "arguments", [["render"], ["render", "sphere", "--out", "x.png", "--yaw", "nan"], ["--size", "0"]]
)
def test_a_wrong_command_line_is_exit_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    assert leaving.value.code == 2


def test_models_lists_what_ships(capsys):
    assert main(["models"]) == 0
    assert "model" in capsys.readouterr().out


def test_without_a_display_a_tour_is_rendered(sphere_model, tmp_path, monkeypatch, capsys):
    from neuroview.viewer import app

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(app, "probe_display", lambda: "No display was found.")
    assert main(["sphere"]) == 0
    assert (tmp_path / "neuroview-tour" / "tour.png").exists()
    assert read_png(tmp_path / "neuroview-tour" / "orbit_0.png").state.model == "sphere"


def test_an_option_of_the_models_own_is_typed_and_remembered(sphere_model, tmp_path):
    assert render("--option", "size=half", "--out", tmp_path / "half.png") == 0
    assert read_png(tmp_path / "half.png").state.options == (("size", "half"),)
    assert render("--out", tmp_path / "whole.png") == 0
    half, whole = (np.asarray(Image.open(tmp_path / f"{n}.png"), dtype=int) for n in ("half", "whole"))
    assert abs(half - whole).mean() > 1


def test_an_option_that_is_not_there_lists_what_is(sphere_model, tmp_path, capsys):
    assert render("--option", "size=huge", "--out", tmp_path / "x.png") == 1
    assert "no option" in capsys.readouterr().err

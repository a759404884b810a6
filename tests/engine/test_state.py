"""A state survives JSON bit for bit, and a damaged one says what is wrong with it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from neuroview.engine.state import Camera, Latents, Output, Quality, StateError, ViewState, first_state
from neuroview.models.base import CameraDefaults, CameraSlider, Conditioning, DemoControls

number = st.floats(allow_nan=False, allow_infinity=False)
whole = st.integers(0, 2**32 - 1)
mix = st.none() | number
states = st.builds(
    ViewState,
    model=st.text(max_size=40).filter(lambda s: s.isprintable()),
    camera=st.builds(
        Camera,
        yaw=number,
        pitch=number,
        roll=number,
        radius=number,
        fov=number,
        pivot=st.tuples(number, number, number),
        cam2world=st.none() | st.tuples(*[number] * 16),
        intrinsics=st.none() | st.tuples(*[number] * 9),
    ),
    latents=st.builds(
        Latents,
        seed_a=whole,
        seed_b=whole,
        mix_geometry=number,
        mix_appearance=number,
        truncation=number,
        cutoff=st.none() | st.integers(0, 20),
        layer_mix=st.lists(mix, max_size=20).map(tuple),
        noise=st.sampled_from(["none", "const", "random"]),
        noise_seed=whole,
        conditioning=st.builds(Conditioning, yaw=number, pitch=number),
    ),
    output=st.builds(Output, kind=st.sampled_from(["rgb", "raw", "depth", "normals", "alpha"]), size=st.none() | whole),
    quality=st.builds(Quality, rung=st.sampled_from(["auto", "baked", "occupancy", "exact"]), target_fps=number),
)


@given(states)
def test_a_state_reads_back_equal(state):
    assert ViewState.from_json(state.to_json()) == state


def test_missing_entries_take_their_defaults():
    assert ViewState.from_json('{"neuroview": 1, "camera": {"yaw": 1}}') == ViewState(camera=Camera(yaw=1.0))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not valid JSON"),
        ("[1]", "object was expected"),
        ("{}", "version"),
        ('{"neuroview": true}', "version"),
        ('{"neuroview": 99}', "Update neuroview"),
        ('{"neuroview": 1, "camera": 3}', "state.camera: expected an object, found 3"),
        ('{"neuroview": 1, "camera": {"yaw": "left"}}', "state.camera.yaw: expected a finite number, found 'left'"),
        ('{"neuroview": 1, "camera": {"yaw": NaN}}', "state.camera.yaw: expected a finite number"),
        ('{"neuroview": 1, "camera": {"pivot": [0, 1]}}', "expected a list of 3"),
        ('{"neuroview": 1, "latents": {"seed_a": 1.5}}', "expected a whole number, found 1.5"),
        ('{"neuroview": 1, "latents": {"seed_a": true}}', "expected a whole number, found True"),
        ('{"neuroview": 1, "output": {"kind": "smell"}}', "expected one of rgb, raw, depth"),
        ('{"neuroview": 1, "colour": 1}', "unknown entry 'colour'"),
        ('{"neuroview": 1, "latents": {"layer_mix": [0.5, "x"]}}', "state.latents.layer_mix[1]"),
        ("[" * 100000, "not valid JSON"),
    ],
)
def test_a_damaged_state_is_refused_with_a_reason(text, said):
    with pytest.raises(StateError) as error:
        ViewState.from_json(text)
    assert said in str(error.value)


@given(
    st.recursive(
        st.none() | st.booleans() | number | st.text(max_size=5),
        lambda c: (
            st.lists(c, max_size=4)
            | st.dictionaries(
                st.sampled_from(["camera", "latents", "yaw", "pivot", "neuroview", "output"]), c, max_size=4
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_either_read_or_refused(data):
    if isinstance(data, dict):
        data["neuroview"] = 1
    try:
        state = ViewState.from_json(json.dumps(data))
    except StateError:
        return
    assert ViewState.from_json(state.to_json()) == state


def test_a_number_that_json_cannot_hold_is_not_written():
    with pytest.raises(ValueError, match="JSON"):
        replace(ViewState(), camera=Camera(yaw=float("nan"))).to_json()


def test_opening_a_model_with_a_demonstration_starts_with_its_identity_and_a_reset_keeps_yours():
    slider, usual = CameraSlider(-1, 1, 0, 0.0, 1.0), CameraDefaults(radius=1.0, fov=0.3)
    demo = DemoControls(slider, slider, slider, slider, seeds=(9, 1), truncation=0.6)
    before = ViewState(model="heads", options=(("a", "b"),), latents=Latents(seed_a=5, mix_geometry=0.2))
    opened = first_state("styled.pkl", usual, before, demo)
    assert opened.latents == Latents(seed_a=9, seed_b=1, truncation=0.6, mix_geometry=0.2)
    assert opened.options == ()
    assert first_state("styled.pkl", usual, demo=demo).latents.seed_a == 9
    yours = replace(opened, latents=Latents(seed_a=77))
    assert first_state("styled.pkl", usual, yours, demo).latents == Latents(seed_a=77)
    assert first_state("plain.pkl", usual, before).latents == before.latents

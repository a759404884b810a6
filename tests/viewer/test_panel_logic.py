"""The panel without a display: its controls change the state, and the state moves its controls."""

from __future__ import annotations

from dataclasses import replace

import pytest

dpg = pytest.importorskip("dearpygui.dearpygui")

from neuroview.engine.camera import posed  # noqa: E402
from neuroview.engine.state import first_state  # noqa: E402
from neuroview.engine.status import Message  # noqa: E402
from neuroview.viewer.panel.panel import Panel  # noqa: E402
from panel_fakes import CHOOSY, DEMONSTRATED, HEADS, LEGO, POSED, move, press  # noqa: E402


def state(panel: Panel):
    return panel.context.store.state


def show(panel: Panel, change) -> None:
    """A change from elsewhere: a drag in the window, a key, a remote."""
    panel.context.store.update(change, label="elsewhere")
    panel.refresh()


@pytest.mark.parametrize(
    ("tag", "value", "read", "expected"),
    [
        ("camera.yaw", 30.0, lambda s: s.camera.yaw, 0.5235988),
        ("camera.radius", 3.5, lambda s: s.camera.radius, 3.5),
        ("latents.mix_geometry", 0.25, lambda s: s.latents.mix_geometry, 0.25),
        ("latents.mix_appearance", 0.75, lambda s: s.latents.mix_appearance, 0.75),
        ("latents.truncation", -0.5, lambda s: s.latents.truncation, -0.5),
        ("latents.cutoff", 3.0, lambda s: s.latents.cutoff, 3),
        ("latents.layer_mix[1]", 0.4, lambda s: s.latents.layer_mix, (None, 0.4)),
        ("conditioning.yaw", 10.0, lambda s: s.latents.conditioning.yaw, 0.1745329),
        ("quality.target_fps", 59.6, lambda s: s.quality.target_fps, 60.0),
        ("quality.samples", 0.5, lambda s: s.quality.samples, 0.5),
    ],
)
def test_moving_a_slider_changes_the_state(panel, tag, value, read, expected):
    move(tag, value)
    got = read(state(panel))
    assert got == (pytest.approx(expected, abs=1e-6) if isinstance(expected, float) else expected)


@pytest.mark.parametrize(
    ("change", "tag", "shown"),
    [
        (lambda s: replace(s, camera=replace(s.camera, pitch=0.2)), "camera.pitch", 11.4592),
        (lambda s: replace(s, camera=replace(s.camera, fov=0.5)), "camera.fov", 28.6479),
        (lambda s: replace(s, latents=replace(s.latents, truncation=1.0)), "latents.truncation", 1.0),
        (lambda s: replace(s, latents=replace(s.latents, cutoff=None)), "latents.cutoff", 10.0),
        (lambda s: replace(s, quality=replace(s.quality, target_fps=90.0)), "quality.target_fps", 90.0),
    ],
)
def test_a_change_from_elsewhere_moves_the_slider(panel, change, tag, shown):
    show(panel, change)
    assert dpg.get_value(tag) == pytest.approx(shown, abs=1e-3)


def test_showing_a_state_changes_no_state(panel):
    show(panel, lambda s: replace(s, camera=replace(s.camera, yaw=0.123456789, radius=2.7182818284)))
    before = panel.context.store.snapshot
    for _ in range(5):
        panel.refresh()
    assert panel.context.store.snapshot == before


def test_a_slider_that_is_held_is_one_undo_step_and_names_it(panel):
    for value in (10.0, 20.0, 30.0):
        move("camera.yaw", value)
    assert panel.context.store.can_undo == "Yaw"
    panel.context.store.undo()
    assert state(panel).camera.yaw == 0.0
    assert panel.context.store.can_undo is None


def test_two_sliders_are_two_undo_steps(panel):
    move("camera.yaw", 10.0)
    move("camera.pitch", 10.0)
    panel.context.store.undo()
    assert state(panel).camera.pitch == 0.0
    assert state(panel).camera.yaw != 0.0


def test_the_pivot_is_dragged_number_by_number(panel):
    move("camera.pivot", [0.1, 0.2, 0.3, 0.0])
    assert state(panel).camera.pivot == (0.1, 0.2, 0.3)
    show(panel, lambda s: replace(s, camera=replace(s.camera, pivot=(1.0, 2.0, 3.0))))
    assert dpg.get_value("camera.pivot")[:3] == pytest.approx([1.0, 2.0, 3.0])


def test_a_typed_seed_changes_the_identity_and_nonsense_does_not(panel):
    move("latents.seed_a", "42")
    assert state(panel).latents.seed_a == 42
    move("latents.seed_a", "4x2")
    assert state(panel).latents.seed_a == 42


def test_seeds_step_and_stop_at_zero(panel):
    press("latents.seed_b.more")
    panel.refresh()
    assert state(panel).latents.seed_b == 2
    assert dpg.get_value("latents.seed_b") == "2"
    for _ in range(4):
        press("latents.seed_b.less")
        panel.refresh()
    assert state(panel).latents.seed_b == 0


def test_a_new_seed_asks_for_its_portrait_once(panel):
    asked = panel.context.loop.asked
    asked.clear()
    move("latents.seed_a", "777")
    for _ in range(4):
        panel.refresh()
    assert asked.count(777) == 1


@pytest.mark.parametrize("kind", ["rgb", "raw", "depth", "normals", "alpha"])
def test_each_output_can_be_chosen(panel, kind):
    press(f"output.kind.{kind}")
    assert state(panel).output.kind == kind


@pytest.mark.parametrize("rung", ["auto", "baked", "occupancy", "exact"])
def test_each_rung_can_be_chosen(panel, rung):
    press(f"quality.rung.{rung}")
    assert state(panel).quality.rung == rung


def test_the_picture_size_is_native_or_a_number(panel):
    move("output.size", "512 px")
    assert state(panel).output.size == 512
    show(panel, lambda s: replace(s, output=replace(s.output, size=300)))
    assert dpg.get_value("output.size") == "300 px"
    move("output.size", "Native (256 px)")
    assert state(panel).output.size is None


def test_noise_has_a_seed_only_when_it_is_random(panel):
    press("latents.noise.random")
    panel.refresh()
    assert state(panel).latents.noise == "random"
    assert dpg.is_item_shown(dpg.get_item_parent(dpg.get_item_parent(dpg.get_item_parent("latents.noise_seed"))))
    move("latents.noise_seed", "5")
    assert state(panel).latents.noise_seed == 5


def test_all_layers_can_be_let_go_at_once(panel):
    show(panel, lambda s: replace(s, latents=replace(s.latents, layer_mix=(0.1, None, 0.5))))
    press("layers.follow")
    assert state(panel).latents.layer_mix == ()


def test_a_model_without_latents_shows_why_there_are_no_seeds(panel):
    panel.context.loop.tell(model=LEGO)
    panel.refresh()
    latents = next(s for s in panel.sections if type(s).__name__ == "LatentsSection")
    assert not dpg.is_item_shown(latents.body)
    assert "no latent" in dpg.get_value(latents.reason)
    assert not dpg.get_item_configuration("action.random_seeds")["enabled"]
    assert not dpg.get_item_configuration("output.kind.raw")["enabled"]


def test_the_sliders_take_the_open_models_ranges(panel):
    panel.context.loop.tell(model=LEGO)
    panel.refresh()
    assert dpg.get_item_configuration("camera.yaw")["max_value"] == pytest.approx(180.0, abs=0.01)


def test_a_model_with_other_layers_gets_other_sliders(panel):
    panel.context.loop.tell(model=replace(HEADS, layer_names=("a", "b"), geometry_layers=(0,)))
    panel.refresh()
    assert dpg.does_item_exist("latents.layer_mix[1]")
    assert not dpg.does_item_exist("latents.layer_mix[2]")


def open_fake(panel: Panel, model) -> None:
    """What the loop does once a model is open."""
    panel.context.store.update(lambda _: first_state(model.reference, model.camera, demo=model.demo), label="Open")
    panel.context.loop.tell(model=model)
    panel.refresh()


def test_a_models_own_choices_come_and_go_with_it(panel):
    assert not dpg.does_item_exist("model.option.weights")
    open_fake(panel, CHOOSY)
    assert dpg.get_item_configuration("model.option.weights")["items"] == ["ema", "raw"]
    assert dpg.get_value("model.option.preset") == "CelebA"
    open_fake(panel, replace(CHOOSY, options=CHOOSY.options[1:]))
    assert not dpg.does_item_exist("model.option.weights")
    assert dpg.does_item_exist("model.option.preset")
    open_fake(panel, HEADS)
    assert not dpg.does_item_exist("model.option.preset")


def test_choosing_is_one_undo_step_and_the_default_leaves_no_trace(panel):
    open_fake(panel, CHOOSY)
    before = state(panel)
    move("model.option.weights", "raw")
    move("model.option.preset", "CARLA")
    assert state(panel).options == (("preset", "CARLA"), ("weights", "raw"))
    assert panel.context.store.can_undo == "Trained on"
    panel.context.store.undo()
    panel.refresh()
    assert state(panel).options == (("weights", "raw"),)
    assert dpg.get_value("model.option.preset") == "CelebA"
    move("model.option.weights", "ema")
    assert state(panel) == before


def test_a_choice_made_elsewhere_is_shown(panel):
    open_fake(panel, CHOOSY)
    show(panel, lambda s: replace(s, options=(("weights", "raw"),)))
    assert dpg.get_value("model.option.weights") == "raw"


def test_training_cameras_are_listed_only_where_they_are_known(panel):
    assert not dpg.is_item_shown("camera.poses")
    open_fake(panel, POSED)
    assert dpg.is_item_shown("camera.poses")
    assert dpg.get_item_configuration("camera.pose")["items"] == ["r_0", "r_1", "r_2", "r_0 (2)"]
    assert dpg.get_value("camera.pose") == "free"
    open_fake(panel, HEADS)
    assert not dpg.is_item_shown("camera.poses")


def test_choosing_a_training_camera_goes_there_and_its_name_stays_until_the_camera_moves(panel):
    open_fake(panel, POSED)
    move("camera.pose", "r_0 (2)")
    assert panel.context.actions.pressed == [("pose", 3)]
    show(panel, lambda s: replace(s, camera=posed(s.camera, POSED.poses[1])))
    assert dpg.get_value("camera.pose") == "r_1"
    move("camera.roll", 5.0)
    panel.refresh()
    assert dpg.get_value("camera.pose") == "free"


def test_the_buttons_beside_it_step_and_fly(panel):
    open_fake(panel, POSED)
    press("action.next_pose")
    press("action.previous_pose")
    assert panel.context.actions.pressed == ["next_pose", "previous_pose"]
    press("action.toggle_flight")
    panel.refresh()
    assert "Stop" in dpg.get_item_label("action.toggle_flight")
    press("action.toggle_flight")
    panel.refresh()
    assert "Fly" in dpg.get_item_label("action.toggle_flight")


def test_a_model_with_a_demonstration_has_its_sliders(panel):
    open_fake(panel, DEMONSTRATED)
    assert state(panel).latents.seed_a == 9
    assert dpg.get_item_configuration("camera.yaw")["max_value"] == 1
    assert dpg.get_value("camera.yaw") == 0
    move("camera.pitch", 0.5)
    assert state(panel).camera.pitch == pytest.approx(-0.15)
    assert panel.context.store.can_undo == "Pitch"
    open_fake(panel, HEADS)
    assert dpg.get_item_configuration("camera.yaw")["max_value"] == pytest.approx(68.755)


def test_without_a_model_the_camera_is_greyed_out(panel):
    panel.context.loop.tell(model=None, activity="Loading heads")
    panel.refresh()
    assert not dpg.get_item_configuration("camera.yaw")["enabled"]
    assert dpg.get_item_configuration("quality.target_fps")["enabled"]


def test_choosing_a_model_opens_it_and_the_list_stays_with_the_open_one(panel):
    move("model.combo", "Toy cars")
    assert panel.context.actions.pressed == [("open", "cars")]
    panel.refresh()
    assert dpg.get_value("model.combo") == "Stylised heads"


def test_undo_is_greyed_out_until_there_is_something_to_undo(panel):
    assert not dpg.get_item_configuration("action.undo")["enabled"]
    move("camera.yaw", 10.0)
    panel.refresh()
    assert dpg.get_item_configuration("action.undo")["enabled"]
    press("action.undo")
    panel.refresh()
    assert state(panel).camera.yaw == 0.0
    assert dpg.get_item_configuration("action.redo")["enabled"]


def test_the_animate_button_says_stop_while_it_runs(panel):
    press("action.toggle_animation")
    panel.refresh()
    assert "Stop" in dpg.get_item_label("action.toggle_animation")


@pytest.mark.parametrize("name", ["reset_camera", "reset_all", "screenshot"])
def test_each_button_does_its_action(panel, name):
    press(f"action.{name}")
    assert panel.context.actions.pressed == [name]


def test_an_error_takes_the_status_line(panel):
    panel.context.loop.tell(message=Message("No such file.", "error", 99))
    panel.refresh()
    assert dpg.get_value("status.line") == "No such file."


def test_one_section_that_fails_does_not_take_the_others_with_it(panel, monkeypatch, caplog):
    def fail(view):
        raise RuntimeError("broken")

    monkeypatch.setattr(panel.sections[1], "refresh", fail)
    show(panel, lambda s: replace(s, camera=replace(s.camera, roll=0.5)))
    panel.refresh()
    assert dpg.get_value("camera.roll") == pytest.approx(28.6479, abs=1e-3)
    assert caplog.text.count("could not be brought up to date") == 1


def test_a_buttons_tooltip_names_the_windows_key_for_the_same_action():
    from neuroview.viewer.panel.sections.toolbar import with_key

    assert with_key("Undo: Yaw", "undo") == "Undo: Yaw\nKey in the view: Ctrl Z"
    assert with_key("Nothing", "no such action") == "Nothing"

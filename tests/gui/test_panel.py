"""The panel as a person meets it: a real window, a real mouse, one process a test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SESSION = Path(__file__).with_name("panel_session.py")


@pytest.fixture
def play(own_display):
    """Play a scenario of `panel_session.py` and show what it said when it fails."""

    def run(scenario: str) -> None:
        command = [sys.executable, "-X", "faulthandler", str(SESSION), scenario]
        done = subprocess.run(command, capture_output=True, text=True, timeout=90, env=own_display)
        assert done.returncode == 0, f"{scenario} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"

    return run


def test_dragging_a_slider_changes_the_state_in_one_undo_step(play):
    play("drag_is_one_step")


def test_two_drags_of_the_same_slider_are_two_undo_steps(play):
    play("two_drags_are_two_steps")


def test_a_state_change_moves_the_slider(play):
    play("state_moves_the_slider")


def test_a_slider_in_the_hand_is_left_alone_and_follows_once_it_is_let_go(play):
    play("a_held_slider_is_not_taken_away")


def test_a_right_click_takes_the_default(play):
    play("right_click_takes_the_default")


def test_a_double_click_takes_the_default_in_one_undo_step(play):
    play("double_click_takes_the_default")


def test_a_click_on_the_value_lets_one_type_it(play):
    play("a_value_can_be_typed")


def test_ctrl_and_a_click_on_the_slider_lets_one_type_too(play):
    play("ctrl_click_types_a_value")


def test_a_models_own_choice_is_picked_from_a_list_in_one_undo_step(play):
    play("a_choice_is_picked_from_its_list")


def test_ctrl_z_and_ctrl_y_work_in_the_panel(play):
    play("ctrl_z_undoes")


def test_minimised_it_answers_does_not_draw_and_stops_within_a_second(play):
    play("minimised_it_hangs_nobody")


def test_hidden_it_does_not_draw_and_comes_back(play):
    play("hidden_it_rests_and_comes_back")


def test_closing_it_calls_back(play):
    play("closing_calls_back")


def test_closing_it_from_the_task_bar_while_minimised_calls_back(play):
    play("closing_while_minimised_calls_back")


def test_stopping_it_does_not_call_back(play):
    play("stopping_does_not_call_back")


def test_it_goes_where_it_is_put(play):
    play("it_can_be_moved")


def test_an_idle_panel_hardly_repaints(play):
    play("idle_it_hardly_repaints")

"""The host path on a real GL context."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from neuroview.engine.present.choose import choose, read_texture
from neuroview.viewer.display import load_glfw, open_window


@pytest.fixture
def context(display):
    window = open_window("neuroview test", (320, 240), None)
    yield window
    glfw = load_glfw()
    glfw.destroy_window(window)
    glfw.terminate()


@pytest.fixture
def presenter(context):
    presenter = choose("host").presenter
    yield presenter
    presenter.close()


def noise(height: int, width: int) -> np.ndarray:
    return np.random.RandomState(height * 1000 + width).randint(0, 256, (height, width, 4)).astype(np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (64, 64), (127, 33)])
def test_every_pixel_arrives(presenter, size):
    pixels = noise(*size)
    presenter.show(torch.from_numpy(pixels))
    assert presenter.size == (size[1], size[0])
    np.testing.assert_array_equal(read_texture(presenter), pixels)


def test_a_crop_of_a_larger_frame_arrives(presenter):
    pixels = noise(20, 30)
    presenter.show(pixels[3:11, 5:16])
    np.testing.assert_array_equal(read_texture(presenter), pixels[3:11, 5:16])


def test_the_texture_keeps_its_name_through_every_size_and_its_storage_through_every_frame(presenter):
    allocated = []
    presenter.show(noise(8, 8))
    name, allocate = presenter.texture, presenter._texture.allocate
    presenter._texture.allocate = lambda *size: (allocated.append(size), allocate(*size))
    presenter.show(noise(8, 8))
    assert allocated == []
    presenter.show(noise(9, 8))
    presenter.show(noise(9, 8))
    assert allocated == [(8, 9)]
    assert presenter.texture == name


def test_an_upload_after_one_with_other_alignment_is_right(presenter):
    from OpenGL import GL

    GL.glPixelStorei(GL.GL_UNPACK_ALIGNMENT, 8)
    presenter.show(noise(3, 3))
    np.testing.assert_array_equal(read_texture(presenter), noise(3, 3))


def test_closing_twice_is_harmless(presenter):
    presenter.show(noise(4, 4))
    presenter.close()
    presenter.close()
    assert presenter.texture == 0


def test_on_this_machine_the_chain_ends_at_a_presenter_that_works(context):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    choice = choose("auto", device)
    pixels = torch.from_numpy(noise(16, 16)).to(device)
    choice.presenter.show(pixels)
    np.testing.assert_array_equal(read_texture(choice.presenter), pixels.cpu().numpy())
    assert choice.line.startswith("Frames reach the window ")
    choice.presenter.close()


def test_asked_for_a_gpu_that_is_not_there_the_chain_falls_back(context):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    choice = choose("auto", "cuda")
    assert choice.presenter.name == "host upload"
    assert "cudaGLGetDevices failed" in choice.line
    choice.presenter.close()

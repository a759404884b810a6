"""The CUDA paths on a real GL context: with a stand-in for CUDA that reaches GL's objects through ordinary memory, and,
where there is a GPU that draws the window, as they are."""

from __future__ import annotations

import ctypes
from enum import IntEnum

import numpy as np
import pytest
import torch
from neuroview.engine.present import choose as choosing
from neuroview.engine.present.base import PresentError
from neuroview.engine.present.choose import choose, read_texture
from neuroview.engine.present.cuda import cuda_runtime, gl_devices
from neuroview.engine.present.pbo import PboPresenter
from neuroview.engine.present.texture import TexturePresenter
from neuroview.viewer.canvas import Canvas
from neuroview.viewer.display import load_glfw, open_window
from neuroview.viewer.theme import shipped_theme
from OpenGL import GL
from view_fakes import plain_frame

Enum = IntEnum(
    "Enum", {"cudaGLDeviceListAll": 1, "cudaGraphicsRegisterFlagsWriteDiscard": 2, "cudaMemcpyDeviceToDevice": 3}
)


class MappingRuntime:
    """CUDA as seen by a presenter, made of `glMapBuffer` and `glTexSubImage2D`. Keeps GL's rules for CUDA's objects:
    only registered ones are mapped, and they keep their size while they are registered."""

    cudaGLDeviceList = cudaMemcpyKind = cudaGraphicsRegisterFlags = Enum  # noqa: N815 - the runtime's names

    def __init__(self) -> None:
        self.registered: dict[str, tuple[int, int]] = {}
        self.mapped: dict[str, int] = {}

    def cudaSetDevice(self, device):  # noqa: N802
        return (0,)

    def cudaGLGetDevices(self, most, which):  # noqa: N802
        return (0, 1, [0])

    def cudaGraphicsGLRegisterBuffer(self, name, flags):  # noqa: N802
        assert "buffer" not in self.registered
        self.registered["buffer"] = name, self._bytes(name)
        return (0, "buffer")

    def cudaGraphicsGLRegisterImage(self, name, target, flags):  # noqa: N802
        assert "texture" not in self.registered
        self.registered["texture"] = name, self._texels(name)
        return (0, "texture")

    def cudaGraphicsMapResources(self, count, resource, stream):  # noqa: N802
        name, size = self.registered[resource]
        if resource == "buffer":
            assert self._bytes(name) == size, "it was resized while CUDA had it"
            GL.glBindBuffer(GL.GL_PIXEL_UNPACK_BUFFER, name)
            self.mapped[resource] = GL.glMapBuffer(GL.GL_PIXEL_UNPACK_BUFFER, GL.GL_WRITE_ONLY)
            GL.glBindBuffer(GL.GL_PIXEL_UNPACK_BUFFER, 0)
        else:
            assert self._texels(name) == size, "it was resized while CUDA had it"
            self.mapped[resource] = name
        return (0,)

    def cudaGraphicsResourceGetMappedPointer(self, resource):  # noqa: N802
        return (0, self.mapped[resource], self.registered[resource][1])

    def cudaGraphicsSubResourceGetMappedArray(self, resource, index, level):  # noqa: N802
        return (0, self.mapped[resource])

    def cudaMemcpy2DAsync(self, to, pitch_to, source, pitch, row, rows, kind, stream):  # noqa: N802
        for line in range(rows):
            ctypes.memmove(to + line * pitch_to, source + line * pitch, row)
        return (0,)

    def cudaMemcpy2DToArrayAsync(self, array, x, y, source, pitch, row, rows, kind, stream):  # noqa: N802
        texels = b"".join(ctypes.string_at(source + line * pitch, row) for line in range(rows))
        GL.glBindTexture(GL.GL_TEXTURE_2D, array)
        GL.glPixelStorei(GL.GL_UNPACK_ALIGNMENT, 1)
        GL.glTexSubImage2D(GL.GL_TEXTURE_2D, 0, 0, 0, row // 4, rows, GL.GL_RGBA, GL.GL_UNSIGNED_BYTE, texels)
        return (0,)

    def cudaGraphicsUnmapResources(self, count, resource, stream):  # noqa: N802
        if resource == "buffer":
            GL.glBindBuffer(GL.GL_PIXEL_UNPACK_BUFFER, self.registered[resource][0])
            GL.glUnmapBuffer(GL.GL_PIXEL_UNPACK_BUFFER)
            GL.glBindBuffer(GL.GL_PIXEL_UNPACK_BUFFER, 0)
        del self.mapped[resource]
        return (0,)

    def cudaGraphicsUnregisterResource(self, resource):  # noqa: N802
        del self.registered[resource]
        return (0,)

    def cudaGetLastError(self):  # noqa: N802
        return (0,)

    def cudaGetErrorString(self, error):  # noqa: N802
        return (0, b"lost")

    @staticmethod
    def _bytes(name):
        GL.glBindBuffer(GL.GL_PIXEL_UNPACK_BUFFER, name)
        size = int(GL.glGetBufferParameteriv(GL.GL_PIXEL_UNPACK_BUFFER, GL.GL_BUFFER_SIZE))
        GL.glBindBuffer(GL.GL_PIXEL_UNPACK_BUFFER, 0)
        return size

    @staticmethod
    def _texels(name):
        GL.glBindTexture(GL.GL_TEXTURE_2D, name)
        sides = (GL.GL_TEXTURE_WIDTH, GL.GL_TEXTURE_HEIGHT)
        width, height = (int(GL.glGetTexLevelParameteriv(GL.GL_TEXTURE_2D, 0, side)) for side in sides)
        return width * height


class Stream:
    """Stands in for a torch stream."""

    cuda_stream = 42


class Lent:
    """Ordinary memory that passes for a tensor of cuda:0."""

    is_cuda, dtype, device = True, torch.uint8, torch.device("cuda:0")

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.shape = array, array.shape

    def get_device(self):
        return 0

    def stride(self, axis):
        return self.array.strides[axis]

    def data_ptr(self):
        return self.array.ctypes.data

    def record_stream(self, stream):
        pass


@pytest.fixture
def context(display):
    window = open_window("neuroview test", (320, 240), None)
    yield window
    glfw = load_glfw()
    glfw.destroy_window(window)
    glfw.terminate()


@pytest.fixture
def lent(monkeypatch):
    """`choose` on the stand-in, from the device 'cuda:0'."""
    runtime = MappingRuntime()
    monkeypatch.setattr(choosing, "cuda_runtime", lambda: runtime)
    monkeypatch.setattr(choosing, "_to_device", lambda pattern, _: Lent(pattern))
    for made in (TexturePresenter, PboPresenter):
        defaults = {**made.__init__.__kwdefaults__, "stream_for": lambda _: Stream}
        monkeypatch.setattr(made.__init__, "__kwdefaults__", defaults)
    return runtime


def noise(height: int, width: int) -> np.ndarray:
    return np.random.RandomState(height * 1000 + width).randint(0, 256, (height, width, 4)).astype(np.uint8)


@pytest.mark.parametrize("kind", ["texture", "pbo"])
def test_every_pixel_arrives_through_every_size(context, lent, kind):
    choice = choose(kind, "cuda:0")
    assert choice.path == kind
    for size in ((1, 1), (3, 5), (64, 64), (127, 33), (3, 5)):
        pixels = noise(*size)
        choice.presenter.show(Lent(pixels))
        assert choice.presenter.size == (size[1], size[0])
        np.testing.assert_array_equal(read_texture(choice.presenter), pixels)
    crop = noise(20, 30)[3:11, 5:16]
    choice.presenter.show(Lent(crop))
    np.testing.assert_array_equal(read_texture(choice.presenter), crop)
    choice.presenter.close()
    assert not lent.registered, "CUDA lets go of what is deleted"


def test_the_host_path_is_not_disturbed_by_a_buffer_that_was_used_before(context, lent):
    buffered, host = choose("pbo", "cuda:0").presenter, choose("host").presenter
    buffered.show(Lent(noise(8, 8)))
    host.show(noise(6, 7))
    np.testing.assert_array_equal(read_texture(host), noise(6, 7))
    for presenter in (buffered, host):
        presenter.close()


class Told:
    """A canvas, and what it says."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.troubles: list[str] = []
        self.canvas = Canvas(shipped_theme(), self.names.append, self.troubles.append)

    def show(self, array: np.ndarray | None) -> None:
        frame = plain_frame((10, 20, 30), 4, 4)
        self.canvas.show(frame if array is None else _with_pixels(frame, Lent(array)))


def _with_pixels(frame, pixels):
    object.__setattr__(frame, "pixels", pixels)
    return frame


@pytest.fixture
def told(context, lent):
    told = Told()
    yield told
    told.canvas.close()


def test_a_path_that_breaks_while_it_is_used_gives_way_to_the_next_and_is_not_tried_again(told, lent, monkeypatch):
    told.show(noise(8, 8))
    assert told.names == ["CUDA texture"]
    monkeypatch.setattr(lent, "cudaGraphicsSubResourceGetMappedArray", _refuse)
    told.show(noise(8, 8))
    assert told.names == ["CUDA texture", "CUDA pixel buffer"]
    assert len(told.troubles) == 1
    assert "The CUDA texture path stopped working" in told.troubles[0]
    told.show(noise(8, 8))
    assert told.names == ["CUDA texture", "CUDA pixel buffer"]


def test_frames_that_come_from_the_cpu_after_a_gpu_was_lost_take_the_host_path_without_a_word(told):
    told.show(noise(8, 8))
    told.show(None)
    assert told.names == ["CUDA texture", "host upload"]
    assert not told.troubles
    told.show(noise(8, 8))
    assert told.names[-1] == "CUDA texture"


def test_a_forced_path_that_breaks_later_falls_back_all_the_same(told, lent, monkeypatch):
    told.canvas.present("pbo")
    told.show(noise(8, 8))
    monkeypatch.setattr(lent, "cudaGraphicsResourceGetMappedPointer", _refuse)
    told.show(noise(8, 8))
    assert told.names == ["CUDA pixel buffer", "CUDA texture"]


def _refuse(*_):
    return (700, None, None)


@pytest.fixture
def drawing_gpu(context):
    """The device name of the GPU that draws the window."""
    if not torch.cuda.is_available():
        pytest.skip("needs an NVIDIA GPU")
    try:
        devices = gl_devices(cuda_runtime())
    except PresentError as error:
        pytest.skip(f"the window is not drawn by an NVIDIA GPU: {error}")
    return f"cuda:{devices[0]}"


@pytest.mark.parametrize("kind", ["texture", "pbo"])
def test_on_a_gpu_no_frame_visits_host_memory(drawing_gpu, kind):
    presenter = choose(kind, drawing_gpu).presenter
    pixels = torch.randint(0, 256, (64, 96, 4), dtype=torch.uint8, device=drawing_gpu)
    torch.cuda.synchronize()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        for _ in range(4):
            presenter.show(pixels)
        torch.cuda.synchronize()
    copies = [event.name for event in profile.events() if "memcpy" in event.name.lower()]
    assert copies
    assert all("dtod" in name.lower() or "dtoa" in name.lower() for name in copies), copies
    np.testing.assert_array_equal(read_texture(presenter), pixels.cpu().numpy())
    presenter.close()

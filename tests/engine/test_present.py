"""Presenters, as far as they go without a window: the host path on real GL is in tests/gui.

There is no GPU where these run: the CUDA path is held against a stand-in that records the runtime's calls, and its
arguments against the real cuda-python, which refuses for want of a driver only after it has taken them.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import pytest
import torch
from neuroview.engine.present import choose as choosing
from neuroview.engine.present.base import PresentError, check_pixels
from neuroview.engine.present.host import _uploadable
from neuroview.engine.present.texture import TexturePresenter, cuda_runtime, gl_devices

Enum = IntEnum(
    "Enum", {"cudaGLDeviceListAll": 1, "cudaGraphicsRegisterFlagsWriteDiscard": 2, "cudaMemcpyDeviceToDevice": 3}
)


class RecordingRuntime:
    """Stands in for cuda.bindings.runtime: writes down every call, and fails where it is told to."""

    cudaGLDeviceList = cudaMemcpyKind = cudaGraphicsRegisterFlags = Enum  # noqa: N815 - the runtime's names

    def __init__(self, failing: str = "", devices=(0,)) -> None:
        self.calls: list[tuple] = []
        self.failing, self.devices = failing, devices

    def __getattr__(self, name):
        values = {
            "cudaGLGetDevices": (len(self.devices), list(self.devices)),
            "cudaGraphicsGLRegisterImage": ("resource",),
            "cudaGraphicsSubResourceGetMappedArray": ("array",),
            "cudaGetErrorString": (b"out of luck",),
        }

        def call(*arguments):
            self.calls.append((name, *arguments))
            if name == self.failing:
                return (700, *(None for _ in values.get(name, ())))
            return (0, *values.get(name, ()))

        return call

    @property
    def names(self) -> list[str]:
        return [call[0].removeprefix("cuda").removeprefix("Graphics") for call in self.calls]


class Texture:
    """Stands in for the GL texture."""

    def __init__(self, log: list) -> None:
        self.name, self.size, self._log = 7, (0, 0), log

    def allocate(self, width, height):
        self._log.append(("allocate", width, height))
        self.size = (width, height)

    def close(self):
        self._log.append(("delete",))


class CudaFrame:
    """Stands in for a CUDA tensor."""

    is_cuda, dtype = True, torch.uint8

    def __init__(self, height: int, width: int) -> None:
        self.shape, self.streams = (height, width, 4), []

    def contiguous(self):
        return self

    def data_ptr(self):
        return 0x1000

    def record_stream(self, stream):
        self.streams.append(stream)


def presenter_on(runtime: RecordingRuntime) -> TexturePresenter:
    return TexturePresenter(
        runtime, texture=lambda: Texture(runtime.calls), stream_of=lambda frame: ("render stream", 42)
    )


def test_the_cuda_path_against_a_recording_runtime_registers_once_and_copies_every_frame():
    runtime = RecordingRuntime()
    presenter = presenter_on(runtime)
    frame = CudaFrame(height=3, width=5)
    presenter.show(frame)
    assert runtime.calls == [
        ("allocate", 5, 3),
        ("cudaGraphicsGLRegisterImage", 7, 0x0DE1, 2),
        ("cudaGraphicsMapResources", 1, "resource", 42),
        ("cudaGraphicsSubResourceGetMappedArray", "resource", 0, 0),
        ("cudaMemcpy2DToArrayAsync", "array", 0, 0, 0x1000, 20, 20, 3, 3, 42),
        ("cudaGraphicsUnmapResources", 1, "resource", 42),
    ]
    assert frame.streams == ["render stream"], "the frame's memory must outlive the copy"
    runtime.calls.clear()
    presenter.show(frame)
    assert runtime.names == [
        "MapResources",
        "SubResourceGetMappedArray",
        "Memcpy2DToArrayAsync",
        "UnmapResources",
    ]


def test_the_cuda_path_against_a_recording_runtime_unregisters_before_it_resizes_and_before_it_deletes():
    runtime = RecordingRuntime()
    presenter = presenter_on(runtime)
    presenter.show(CudaFrame(4, 4))
    runtime.calls.clear()
    presenter.show(CudaFrame(8, 8))
    assert runtime.names[:3] == ["UnregisterResource", "allocate", "GLRegisterImage"]
    runtime.calls.clear()
    presenter.close()
    presenter.close()
    assert runtime.names == ["UnregisterResource", "delete", "delete"]


@pytest.mark.parametrize("step", ["cudaGraphicsSubResourceGetMappedArray", "cudaMemcpy2DToArrayAsync"])
def test_the_cuda_path_against_a_recording_runtime_unmaps_when_a_step_fails(step):
    runtime = RecordingRuntime(failing=step)
    with pytest.raises(PresentError, match=f"{step} failed: out of luck \\(CUDA error 700\\)"):
        presenter_on(runtime).show(CudaFrame(4, 4))
    assert runtime.names[-1] == "UnmapResources"
    assert "GetLastError" in runtime.names, "the sticky error must not reach torch"


def test_the_cuda_path_refuses_a_frame_on_the_cpu():
    with pytest.raises(PresentError, match="host upload"):
        presenter_on(RecordingRuntime()).show(torch.zeros(2, 2, 4, dtype=torch.uint8))


def test_the_real_runtime_takes_our_arguments_and_says_that_there_is_no_driver():
    runtime = cuda_runtime()
    if int(runtime.cudaGetDeviceCount()[0]) == 0:
        pytest.skip("there is a driver here: arguments that point nowhere may not be given to it")
    with pytest.raises(PresentError, match=r"cudaGLGetDevices failed: .* \(CUDA error \d+\)"):
        gl_devices(runtime)
    resource, array = runtime.cudaGraphicsResource_t(0), runtime.cudaArray_t(0)
    kind = runtime.cudaMemcpyKind.cudaMemcpyDeviceToDevice
    flags = int(runtime.cudaGraphicsRegisterFlags.cudaGraphicsRegisterFlagsWriteDiscard)
    results = [
        runtime.cudaGraphicsGLRegisterImage(7, 0x0DE1, flags),
        runtime.cudaGraphicsMapResources(1, resource, 42),
        runtime.cudaGraphicsSubResourceGetMappedArray(resource, 0, 0),
        runtime.cudaMemcpy2DToArrayAsync(array, 0, 0, 0x1000, 20, 20, 3, kind, 42),
        runtime.cudaGraphicsUnmapResources(1, resource, 42),
        runtime.cudaGraphicsUnregisterResource(resource),
    ]
    assert all(int(result[0]) != 0 for result in results)


class Host:
    """Stands in for the host presenter, which needs GL."""

    name = "host upload"


@pytest.fixture
def without_gl(monkeypatch):
    monkeypatch.setattr(choosing, "HostPresenter", Host)


@pytest.mark.parametrize(
    ("device", "runtime", "reason"),
    [
        ("cpu", None, "the model runs on the CPU"),
        ("mps", None, "the model runs on the MPS"),
        ("cuda", RecordingRuntime(failing="cudaGLGetDevices"), "cudaGLGetDevices failed: out of luck"),
        ("cuda:1", RecordingRuntime(devices=(0,)), "OpenGL on CUDA device 0"),
        ("cuda", RecordingRuntime(devices=()), "OpenGL on no CUDA device"),
        ("cuda", RecordingRuntime(devices=(0,)), ""),
    ],
)
def test_auto_falls_back_to_the_host_path_and_says_why_in_one_line(without_gl, monkeypatch, device, runtime, reason):
    def broken(*_):
        raise OSError("no GL here")

    monkeypatch.setattr(choosing, "TexturePresenter", broken)
    choice = choosing.choose("auto", device, runtime=runtime)
    assert isinstance(choice.presenter, Host)
    assert choice.line.startswith("Frames reach the window by host upload: ")
    assert reason in choice.line
    assert "\n" not in choice.line


def test_a_self_test_that_reads_back_other_pixels_falls_back(without_gl, monkeypatch):
    monkeypatch.setattr(choosing, "TexturePresenter", presenter_on)
    monkeypatch.setattr(choosing, "_to_device", lambda pattern, _: CudaFrame(*pattern.shape[:2]))
    monkeypatch.setattr(choosing, "read_texture", lambda _: np.zeros((8, 16, 4), np.uint8))
    runtime = RecordingRuntime()
    choice = choosing.choose("auto", "cuda", runtime=runtime)
    assert "self test read back other pixels" in choice.line
    assert runtime.names[-2:] == ["UnregisterResource", "delete"], "what failed must leave nothing behind"


def test_a_forced_path_that_does_not_work_says_why_and_what_to_use():
    with pytest.raises(PresentError, match=r"--present texture does not work here: the model runs on the CPU\. Use"):
        choosing.choose("texture", "cpu")


def test_an_unknown_path_is_refused_by_name():
    with pytest.raises(ValueError, match="received 'pbo2'"):
        choosing.choose("pbo2")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((2, 2, 3), np.uint8),
        np.zeros((2, 2, 4), np.float32),
        np.zeros((0, 2, 4), np.uint8),
        torch.zeros(2, 2, 4),
        torch.zeros(4, dtype=torch.uint8),
    ],
)
def test_pixels_of_another_shape_or_type_are_refused(pixels):
    with pytest.raises(ValueError, match=r"expected \[h, w, 4\] uint8 RGBA, received"):
        check_pixels(pixels)


def test_a_frame_is_uploaded_from_its_own_memory_and_so_is_a_crop():
    frame = np.zeros((6, 8, 4), np.uint8)
    crop = frame[1:4, 2:5]
    for array, pitch in ((frame, 8), (crop, 8)):
        uploaded, row_length = _uploadable(array)
        assert uploaded is array
        assert row_length == pitch
    flipped, row_length = _uploadable(frame[:, ::-1])
    assert flipped.flags.c_contiguous
    assert row_length == 8

"""Presenters, as far as they go without a window: those on real GL are in tests/gui.

There is no GPU where these run: the CUDA paths are held against a stand-in that records the runtime's calls and copies
between pieces of ordinary memory, and their arguments against the real cuda-python, which refuses for want of a driver
only after it has taken them.
"""

from __future__ import annotations

import ctypes
from enum import IntEnum

import numpy as np
import pytest
import torch
from neuroview.engine.present import choose as choosing
from neuroview.engine.present.base import PresentError, check_pixels
from neuroview.engine.present.cuda import cuda_runtime, gl_devices
from neuroview.engine.present.host import HostPresenter, _uploadable
from neuroview.engine.present.pbo import PboPresenter
from neuroview.engine.present.texture import TexturePresenter

Enum = IntEnum(
    "Enum",
    {
        "cudaGLDeviceListAll": 1,
        "cudaGraphicsRegisterFlagsWriteDiscard": 2,
        "cudaMemcpyDeviceToDevice": 3,
        "cudaMemcpyDeviceToHost": 4,
    },
)


class RecordingRuntime:
    """Stands in for cuda.bindings.runtime: writes down every call, copies as told, and fails where it is told to."""

    cudaGLDeviceList = cudaMemcpyKind = cudaGraphicsRegisterFlags = Enum  # noqa: N815 - the runtime's names

    def __init__(self, failing: str = "", devices=(0,), mapped: int = 4096) -> None:
        self.calls: list[tuple] = []
        self.failing, self.devices = failing, devices
        self.memory = np.zeros(mapped, np.uint8)
        """What a mapped buffer is."""

    def __getattr__(self, name):
        values = {
            "cudaGLGetDevices": (len(self.devices), list(self.devices)),
            "cudaGraphicsGLRegisterImage": ("resource",),
            "cudaGraphicsGLRegisterBuffer": ("resource",),
            "cudaGraphicsSubResourceGetMappedArray": ("array",),
            "cudaGraphicsResourceGetMappedPointer": (self.memory.ctypes.data, len(self.memory)),
            "cudaGetErrorString": (b"out of luck",),
        }

        def call(*arguments):
            self.calls.append((name, *arguments))
            if name == self.failing:
                return (700, *(None for _ in values.get(name, ())))
            if name == "cudaMemcpy2DAsync":
                to, pitch_to, source, pitch, row, rows, _, _ = arguments
                for line in range(rows):
                    ctypes.memmove(to + line * pitch_to, source + line * pitch, row)
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


class Buffer:
    """Stands in for the GL buffer."""

    def __init__(self, log: list) -> None:
        self.name, self._log = 9, log

    def allocate(self, size):
        self._log.append(("allocate buffer", size))

    def fill(self, texture):
        self._log.append(("fill", *texture.size))

    def close(self):
        self._log.append(("delete buffer",))


class Stream:
    """Stands in for a torch stream."""

    cuda_stream = 42


class CudaFrame:
    """Stands in for a CUDA tensor: nothing in it leads to host memory."""

    is_cuda, dtype, device = True, torch.uint8, "cuda:0"

    def __init__(self, height: int, width: int, pitch: int | None = None) -> None:
        self.shape, self.streams = (height, width, 4), []
        self.pitch = 4 * width if pitch is None else pitch
        self.memory = np.random.RandomState(1).randint(0, 256, height * self.pitch).astype(np.uint8)

    def get_device(self):
        return 0

    def stride(self, axis):
        return (self.pitch, 4, 1)[axis]

    def data_ptr(self):
        return self.memory.ctypes.data

    def record_stream(self, stream):
        self.streams.append(stream)


def on_texture(runtime: RecordingRuntime, device: int = 0) -> TexturePresenter:
    return TexturePresenter(runtime, device, texture=lambda: Texture(runtime.calls), stream_for=lambda _: Stream)


def on_buffer(runtime: RecordingRuntime, device: int = 0) -> PboPresenter:
    return PboPresenter(
        runtime,
        device,
        texture=lambda: Texture(runtime.calls),
        buffer=lambda: Buffer(runtime.calls),
        stream_for=lambda _: Stream,
    )


BOTH = pytest.mark.parametrize("presenter_on", [on_texture, on_buffer], ids=["texture", "pbo"])


def test_the_texture_path_against_a_recording_runtime_registers_once_and_copies_every_frame():
    runtime = RecordingRuntime()
    presenter = on_texture(runtime)
    frame = CudaFrame(height=3, width=5)
    presenter.show(frame)
    assert runtime.calls == [
        ("cudaSetDevice", 0),
        ("allocate", 5, 3),
        ("cudaGraphicsGLRegisterImage", 7, 0x0DE1, 2),
        ("cudaGraphicsMapResources", 1, "resource", 42),
        ("cudaGraphicsSubResourceGetMappedArray", "resource", 0, 0),
        ("cudaMemcpy2DToArrayAsync", "array", 0, 0, frame.data_ptr(), 20, 20, 3, 3, 42),
        ("cudaGraphicsUnmapResources", 1, "resource", 42),
    ]
    assert frame.streams == [Stream], "the frame's memory must outlive the copy"
    runtime.calls.clear()
    presenter.show(frame)
    assert runtime.names == [
        "SetDevice",
        "MapResources",
        "SubResourceGetMappedArray",
        "Memcpy2DToArrayAsync",
        "UnmapResources",
    ]


def test_the_buffer_path_against_a_recording_runtime_registers_once_and_copies_every_frame():
    runtime = RecordingRuntime()
    presenter = on_buffer(runtime)
    frame, mapped = CudaFrame(height=3, width=5), runtime.memory.ctypes.data
    presenter.show(frame)
    assert runtime.calls == [
        ("cudaSetDevice", 0),
        ("allocate", 5, 3),
        ("allocate buffer", 60),
        ("cudaGraphicsGLRegisterBuffer", 9, 2),
        ("cudaGraphicsMapResources", 1, "resource", 42),
        ("cudaGraphicsResourceGetMappedPointer", "resource"),
        ("cudaMemcpy2DAsync", mapped, 20, frame.data_ptr(), 20, 20, 3, 3, 42),
        ("cudaGraphicsUnmapResources", 1, "resource", 42),
        ("fill", 5, 3),
    ]
    assert frame.streams == [Stream], "the frame's memory must outlive the copy"
    runtime.calls.clear()
    presenter.show(frame)
    assert runtime.names == [
        "SetDevice",
        "MapResources",
        "ResourceGetMappedPointer",
        "Memcpy2DAsync",
        "UnmapResources",
        "fill",
    ]


def test_rows_of_a_wider_frame_arrive_side_by_side_in_the_buffer():
    runtime = RecordingRuntime()
    frame = CudaFrame(height=3, width=5, pitch=32)
    on_buffer(runtime).show(frame)
    wanted = frame.memory.reshape(3, 32)[:, :20].reshape(-1)
    np.testing.assert_array_equal(runtime.memory[:60], wanted)
    assert not runtime.memory[60:].any()


def test_a_mapped_buffer_that_is_too_small_is_not_written_to():
    runtime = RecordingRuntime(mapped=59)
    with pytest.raises(PresentError, match="has 59 bytes; the frame needs 60"):
        on_buffer(runtime).show(CudaFrame(height=3, width=5))
    assert "Memcpy2DAsync" not in runtime.names
    assert runtime.names[-1] == "UnmapResources"


@BOTH
def test_no_frame_is_copied_to_or_from_host_memory(presenter_on):
    runtime = RecordingRuntime()
    presenter = presenter_on(runtime)
    for size in ((3, 5), (3, 5), (6, 4)):
        presenter.show(CudaFrame(*size))
    copies = [call for call in runtime.calls if "Memcpy" in call[0]]
    assert len(copies) == 3, "one copy a frame"
    assert all(Enum.cudaMemcpyDeviceToDevice in call for call in copies)
    assert all(call[0].endswith("Async") for call in copies), "and none that is waited for"


@pytest.mark.parametrize(
    ("presenter_on", "order", "closing"),
    [
        (on_texture, ["allocate", "GLRegisterImage"], ["delete", "delete"]),
        (
            on_buffer,
            ["allocate", "allocate buffer", "GLRegisterBuffer"],
            ["delete buffer", "delete", "delete buffer", "delete"],
        ),
    ],
    ids=["texture", "pbo"],
)
def test_cuda_lets_go_of_an_object_before_it_is_resized_and_before_it_is_deleted(presenter_on, order, closing):
    runtime = RecordingRuntime()
    presenter = presenter_on(runtime)
    presenter.show(CudaFrame(4, 4))
    runtime.calls.clear()
    presenter.show(CudaFrame(8, 8))
    assert runtime.names[: len(order) + 2] == ["SetDevice", "UnregisterResource", *order]
    runtime.calls.clear()
    presenter.close()
    presenter.close()
    assert runtime.names == ["UnregisterResource", *closing]


@pytest.mark.parametrize(
    ("presenter_on", "step"),
    [
        (on_texture, "cudaGraphicsSubResourceGetMappedArray"),
        (on_texture, "cudaMemcpy2DToArrayAsync"),
        (on_buffer, "cudaGraphicsResourceGetMappedPointer"),
        (on_buffer, "cudaMemcpy2DAsync"),
    ],
)
def test_what_was_mapped_is_unmapped_when_a_step_fails(presenter_on, step):
    runtime = RecordingRuntime(failing=step)
    with pytest.raises(PresentError, match=f"{step} failed: out of luck \\(CUDA error 700\\)"):
        presenter_on(runtime).show(CudaFrame(4, 4))
    assert runtime.names[-1] == "UnmapResources"
    assert "GetLastError" in runtime.names, "the sticky error must not reach torch"


@BOTH
def test_a_registration_that_fails_is_tried_anew_with_the_next_frame(presenter_on):
    runtime = RecordingRuntime()
    presenter = presenter_on(runtime)
    runtime.failing = "cudaGraphicsGLRegisterImage" if presenter_on is on_texture else "cudaGraphicsGLRegisterBuffer"
    with pytest.raises(PresentError, match="out of luck"):
        presenter.show(CudaFrame(4, 4))
    assert "MapResources" not in runtime.names
    runtime.failing = ""
    presenter.show(CudaFrame(4, 4))
    assert "UnmapResources" in runtime.names


@BOTH
def test_a_frame_of_the_cpu_or_of_another_gpu_is_refused(presenter_on):
    presenter = presenter_on(RecordingRuntime())
    with pytest.raises(PresentError, match=r"A frame on cpu cannot take the CUDA .* path of cuda:0"):
        presenter.show(torch.zeros(2, 2, 4, dtype=torch.uint8))
    with pytest.raises(PresentError, match=r"of cuda:1"):
        presenter_on(RecordingRuntime(), 1).show(CudaFrame(2, 2))


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
        runtime.cudaSetDevice(0),
        runtime.cudaGraphicsGLRegisterImage(7, 0x0DE1, flags),
        runtime.cudaGraphicsGLRegisterBuffer(9, flags),
        runtime.cudaGraphicsMapResources(1, resource, 42),
        runtime.cudaGraphicsSubResourceGetMappedArray(resource, 0, 0),
        runtime.cudaGraphicsResourceGetMappedPointer(resource),
        runtime.cudaMemcpy2DToArrayAsync(array, 0, 0, 0x1000, 20, 20, 3, kind, 42),
        runtime.cudaMemcpy2DAsync(0x2000, 20, 0x1000, 20, 20, 3, kind, 42),
        runtime.cudaGraphicsUnmapResources(1, resource, 42),
        runtime.cudaGraphicsUnregisterResource(resource),
    ]
    assert all(int(result[0]) != 0 for result in results)
    assert len(results[5]) == 3, "an address and a size come with the error"


class Host:
    """Stands in for the host presenter, which needs GL."""

    name = "host upload"


class Chain:
    """`choose` with presenters that need neither GL nor GPU; `broken` are those whose self test fails."""

    def __init__(self, monkeypatch, broken: tuple[str, ...] = ()) -> None:
        self.broken = broken
        self.runtime = RecordingRuntime()
        monkeypatch.setattr(choosing, "HostPresenter", Host)
        monkeypatch.setattr(choosing, "TexturePresenter", on_texture)
        monkeypatch.setattr(choosing, "PboPresenter", on_buffer)
        monkeypatch.setattr(choosing, "_to_device", lambda pattern, _: CudaFrame(*pattern.shape[:2]))
        monkeypatch.setattr(choosing, "_self_test", self.test)

    def test(self, presenter, to_device) -> None:
        presenter.show(to_device(np.zeros((8, 16, 4), np.uint8)))
        if presenter.name in self.broken:
            raise PresentError(f"the {presenter.name} read back other pixels than it showed.")

    def choose(self, kind="auto", **options):
        return choosing.choose(kind, "cuda:0", runtime=self.runtime, **options)


def test_the_chain_goes_from_texture_over_buffer_to_host(monkeypatch):
    chain = Chain(monkeypatch)
    choices = [
        chain.choose(),
        chain.choose(given_up={"texture"}),
        chain.choose(given_up={"texture", "pbo"}),
    ]
    assert [choice.path for choice in choices] == ["texture", "pbo", "host"]
    assert [choice.presenter.name for choice in choices] == ["CUDA texture", "CUDA pixel buffer", "host upload"]
    assert choices[0].line == "Frames reach the window as a CUDA texture (cuda:0)."
    assert "through a CUDA pixel buffer (cuda:0): the texture path has failed before" in choices[1].line


def test_a_path_that_fails_its_self_test_leaves_nothing_behind_and_the_next_one_is_tried(monkeypatch):
    chain = Chain(monkeypatch, broken=("CUDA texture",))
    choice = chain.choose()
    assert choice.path == "pbo"
    assert "the CUDA texture read back other pixels" in choice.line
    names = chain.runtime.names
    assert names[names.index("UnregisterResource") + 1] == "delete"
    assert "allocate buffer" not in names[: names.index("delete")]


def test_when_no_cuda_path_works_the_line_tells_every_reason(monkeypatch):
    choice = Chain(monkeypatch, broken=("CUDA texture", "CUDA pixel buffer")).choose()
    assert choice.path == "host"
    assert "the CUDA texture read back" in choice.line
    assert "the CUDA pixel buffer read back" in choice.line
    assert "\n" not in choice.line


def test_a_forced_path_is_the_only_one_tried(monkeypatch):
    chain = Chain(monkeypatch)
    assert chain.choose("pbo").path == "pbo"
    assert "GLRegisterImage" not in chain.runtime.names
    with pytest.raises(PresentError, match=r"--present pbo does not work here: the CUDA pixel buffer read back"):
        Chain(monkeypatch, broken=("CUDA pixel buffer",)).choose("pbo")


@pytest.mark.parametrize(
    ("device", "runtime", "reason"),
    [
        ("cpu", None, "the model runs on the CPU"),
        ("mps", None, "the model runs on the MPS"),
        ("cuda", RecordingRuntime(failing="cudaGLGetDevices"), "cudaGLGetDevices failed: out of luck"),
        ("cuda:1", RecordingRuntime(devices=(0,)), "OpenGL on CUDA device 0"),
        ("cuda", RecordingRuntime(devices=()), "OpenGL on no CUDA device"),
        ("cuda", RecordingRuntime(devices=(0,)), "OSError: no GL here"),
    ],
)
def test_auto_falls_back_to_the_host_path_and_says_why_in_one_line(monkeypatch, device, runtime, reason):
    def broken(*_):
        raise OSError("no GL here")

    Chain(monkeypatch)
    monkeypatch.setattr(choosing, "TexturePresenter", broken)
    monkeypatch.setattr(choosing, "PboPresenter", broken)
    choice = choosing.choose("auto", device, runtime=runtime)
    assert isinstance(choice.presenter, Host)
    assert choice.line.startswith("Frames reach the window by host upload: ")
    assert reason in choice.line
    assert "\n" not in choice.line


def test_the_self_test_sees_pixels_that_did_not_arrive(monkeypatch):
    monkeypatch.setattr(choosing, "read_texture", lambda _: np.zeros((8, 16, 4), np.uint8))
    with pytest.raises(PresentError, match="read back other pixels"):
        choosing._self_test(on_texture(RecordingRuntime()), lambda pattern: CudaFrame(*pattern.shape[:2]))


def test_a_forced_path_that_does_not_work_says_why_and_what_to_use():
    with pytest.raises(PresentError, match=r"--present texture does not work here: the model runs on the CPU\. Use"):
        choosing.choose("texture", "cpu")


def test_an_unknown_path_is_refused_by_name():
    with pytest.raises(ValueError, match="received 'pbo2'"):
        choosing.choose("pbo2")  # type: ignore[arg-type]


def test_a_frame_that_a_lost_gpu_no_longer_gives_is_a_reason_to_tell():
    class Lost:
        shape, dtype, is_cuda, device = (2, 2, 4), torch.uint8, False, torch.device("meta")

        def detach(self):
            return self

        @classmethod
        def __torch_function__(cls, *_, **__):
            raise RuntimeError("CUDA error: device lost\nand more lines")

    presenter = HostPresenter.__new__(HostPresenter)  # its texture needs GL, and is not reached
    presenter._staging = None
    with pytest.raises(PresentError, match=r"cannot be read from meta \(CUDA error: device lost\)"):
        presenter.show(Lost())  # type: ignore[arg-type]


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

"""A captured call gives what the call gives, whatever sizes come and however recording goes."""

from __future__ import annotations

import pytest
import torch
from graph_tape import Tape
from neuroview.models.captured import MOST, WARM, Captured, CudaRecorder
from torch import Tensor

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need an NVIDIA GPU")


def doubled(x: Tensor) -> tuple[Tensor, ...]:
    return (2 * x, x + 1)


def call(captured: Captured, x: Tensor, times: int = 1, **more) -> tuple[Tensor, ...]:
    for _ in range(times - 1):
        captured(x, **more)
    return captured(x, **more)


def test_the_first_calls_run_the_function_and_later_ones_replay():
    tape = Tape()
    captured = Captured(doubled, recorder=tape)
    call(captured, torch.zeros(3), WARM)
    assert tape.recorded == 0
    for number in range(4):
        twice, more = captured(torch.full((3,), float(number)))
        assert twice.tolist() == [2 * number] * 3
        assert more.tolist() == [number + 1] * 3
    assert (tape.recorded, tape.replayed) == (1, 4)


def test_results_are_not_overwritten_by_the_next_call():
    captured = Captured(doubled, recorder=Tape())
    call(captured, torch.zeros(2), WARM)
    first = captured(torch.ones(2))[0]
    captured(torch.full((2,), 7.0))
    assert first.tolist() == [2, 2]


def test_another_size_type_layout_or_variant_is_recorded_anew():
    tape = Tape()
    captured = Captured(doubled, recorder=tape, most=8)
    square = torch.rand(4, 4)
    for x, variant in ((square, 0), (torch.rand(5, 4), 0), (square.double(), 0), (square.t(), 0), (square, 1)):
        found = call(captured, x, WARM + 1, variant=variant)[0]
        torch.testing.assert_close(found, 2 * x)
    assert tape.recorded == 5


def test_only_the_latest_sizes_stay_recorded():
    tape = Tape()
    captured = Captured(doubled, recorder=tape)
    for side in range(2, 3 + MOST):
        call(captured, torch.zeros(side), WARM + 1)
    assert tape.recorded == MOST + 1
    call(captured, torch.zeros(2 + MOST))  # the latest
    assert tape.recorded == MOST + 1
    call(captured, torch.zeros(2), WARM + 1)  # let go meanwhile
    assert tape.recorded == MOST + 2


def test_where_recording_fails_calls_go_on_without_it_and_it_is_told_why(caplog):
    tape = Tape(fails=True)
    captured = Captured(doubled, recorder=tape)
    assert call(captured, torch.ones(2), WARM + 3)[0].tolist() == [2, 2]
    assert "not permitted" in captured.trouble
    assert len(caplog.records) == 1


def test_after_forgetting_weights_are_read_anew():
    weight, tape = [torch.tensor(2.0)], Tape()
    held = weight[0]
    captured = Captured(lambda x: (x * held,), recorder=tape)
    call(captured, torch.ones(2), WARM + 1)
    captured.forget()
    held = torch.tensor(3.0)
    assert call(captured, torch.ones(2), WARM + 1)[0].tolist() == [3, 3]
    assert tape.recorded == 2


def test_it_may_be_called_within_inference_mode_and_outside():
    captured = Captured(doubled, recorder=Tape())
    with torch.inference_mode():
        call(captured, torch.ones(2), WARM + 1)
    assert captured(torch.full((2,), 3.0))[0].tolist() == [6, 6]


def test_on_a_cpu_the_function_is_simply_called():
    calls = []
    captured = Captured(lambda x: (calls.append(1), (x,))[1])
    call(captured, torch.ones(2), 5)
    assert len(calls) == 5
    assert not CudaRecorder().suits((torch.ones(1),))


@needs_gpu
def test_a_cuda_graph_gives_what_the_function_gives():
    layer = torch.nn.Conv2d(3, 8, 3, padding=1).cuda().requires_grad_(False)
    captured = Captured(lambda x: (layer(x).relu(),))
    for seed in range(WARM + 4):
        x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(seed)).cuda()
        torch.testing.assert_close(captured(x)[0], layer(x).relu())
    assert captured.trouble == ""


@needs_gpu
def test_what_waits_for_the_gpu_is_called_plainly():
    captured = Captured(lambda x: (x * float(x.sum()),))
    found = call(captured, torch.ones(2, device="cuda"), WARM + 2)[0]
    assert found.tolist() == [2, 2]
    assert captured.trouble

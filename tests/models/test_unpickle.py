"""The unpickler builds data and nothing else: what is hostile, damaged or absurd is refused with a clear sentence."""

from __future__ import annotations

import builtins
import collections
import contextlib
import io
import os
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from neuroview.models.errors import CheckpointError, NeuroviewError, UnsafePickle
from neuroview.models.unpickle import (
    PERSISTENCE,
    Limits,
    Stub,
    module_tensors,
    stubs,
    unpickle,
    unpickle_bytes,
)

PROTOCOLS = range(1, 6)  # torch and NVIDIA write 2 to 4; protocol 0 has opcodes that are left out


class Calls:
    """Pickles as a call of `function` with `arguments`."""

    def __init__(self, function, *arguments) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def zipped(content: object, compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    if compression == zipfile.ZIP_STORED:
        return buffer.getvalue()
    packed = io.BytesIO()
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(packed, "w", compression) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    return packed.getvalue()


def legacy(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    base = torch.randn(4, 6)
    return {
        "weight": base,
        "transposed": base.t(),
        "row": base[2],
        "half": torch.randn(3).half(),
        "brain": torch.randn(3).bfloat16(),
        "count": torch.tensor(7),
        "mask": torch.tensor([True, False]),
        "empty": torch.zeros(0, 3),
    }


# What honest files hold


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_values_come_back_equal(protocol) -> None:
    values = {
        "a": [1, -2, 1 << 40, True, None, 1.5, "text é"],
        "b": (1, (2, 3)),
        "c": {"x": {}},
        "d": collections.OrderedDict([("k", 1)]),
        "e": b"raw \x00\xff",
    }
    if protocol >= 4:
        values["f"] = {1, 2}
        values["g"] = frozenset({3})
    assert unpickle_bytes(pickle.dumps(values, protocol), {"builtins.bytes": lambda machine, *a: bytes(*a)}) == values


def test_numpy_numbers_and_arrays_come_back_equal() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    found = unpickle_bytes(pickle.dumps([np.float64(1.25), np.int64(-3), np.bool_(True), array]), {})
    assert found[:3] == [1.25, -3, True]
    assert np.array_equal(found[3].array, array)


@pytest.mark.parametrize("written", [zipped, legacy])
def test_torch_files_come_back_equal(written) -> None:
    expected = state()
    found = unpickle_bytes(written(expected), {})
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


def test_storages_shared_in_the_file_are_shared_in_memory() -> None:
    base = torch.zeros(4)
    found = unpickle_bytes(zipped({"a": base, "b": base[1:]}), {})
    found["a"][1] = 5
    assert found["b"][0] == 5


def test_streams_nested_in_byte_strings_are_read() -> None:
    tensor = torch.randn(3, 2)
    found = unpickle_bytes(pickle.dumps({"t": tensor}), PERSISTENCE)
    assert torch.equal(found["t"], tensor)


def test_allowed_classes_become_stubs_with_their_state() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(2, 3))
    names = ["container.Sequential", "linear.Linear"]
    allowed = {**PERSISTENCE, **stubs(*(f"torch.nn.modules.{name}" for name in names)), "builtins.set": lambda m, *a: 0}
    found = unpickle_bytes(pickle.dumps(module), allowed)
    assert isinstance(found, Stub)
    tensors = dict(module_tensors(found))
    assert {name: tuple(t.shape) for name, t in tensors.items()} == {"0.weight": (3, 2), "0.bias": (3,)}


# What hostile files try


HOSTILE = {
    "os.system": (os.system, "touch hostile"),
    "eval": (eval, "1+1"),
    "exec": (exec, "import os"),
    "__import__": (__import__, "os"),
    "open": (open, "/etc/passwd"),
    "getattr": (getattr, "text", "__class__"),
    "type": (type, "made", (), {}),
    "bytearray": (bytearray, 1 << 40),
    "torch.load": (torch.load, "other.pt"),
    "pickle.loads": (pickle.loads, b"N."),
    "numpy.zeros": (np.zeros, 1 << 40),
    "map": (map, len, "ab"),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("attack", HOSTILE)
def test_calls_outside_the_list_are_refused_by_name(attack, protocol, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnsafePickle, match=attack.rpartition(".")[2]) as caught:
        unpickle_bytes(pickle.dumps({"G_ema": Calls(*HOSTILE[attack])}, protocol), PERSISTENCE)
    assert "allow-list" in str(caught.value)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("written", [zipped, legacy])
def test_calls_inside_torch_files_are_refused(written) -> None:
    with pytest.raises(UnsafePickle, match="system"):
        unpickle_bytes(written({"a": Calls(os.system, "true")}), {})


def test_calls_inside_nested_streams_are_refused() -> None:
    hidden = Calls(torch.storage._load_from_bytes, legacy(Calls(os.system, "true")))
    with pytest.raises(UnsafePickle, match="system"):
        unpickle_bytes(pickle.dumps(hidden), PERSISTENCE)


def test_nothing_is_imported(monkeypatch) -> None:
    def refuse(name, *rest, **kwargs):
        raise AssertionError(f"imported {name}")

    data = b"cantigravity\nfly\n(tR."
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(UnsafePickle, match=r"antigravity\.fly"):
        unpickle_bytes(data, {})


def test_an_allowed_name_is_not_a_way_to_its_attributes() -> None:
    data = b"\x80\x04\x8c\x0bcollections\x8c\x14OrderedDict.__init__\x93)R."
    with pytest.raises(UnsafePickle, match=r"OrderedDict\.__init__"):
        unpickle_bytes(data, {})


def test_results_cannot_be_called() -> None:
    with pytest.raises(UnsafePickle, match="call a dict"):
        unpickle_bytes(b"}(tR.", {})


def test_source_text_of_persistent_objects_is_dropped_unread() -> None:
    meta = {"type": "class", "version": 6, "module_src": "raise SystemExit", "class_name": "G", "state": {"a": 1}}
    data = b"\x80\x02ctorch_utils.persistence\n_reconstruct_persistent_obj\n" + pickle.dumps(meta, 2)[2:-1] + b"\x85R."
    found = unpickle_bytes(data, PERSISTENCE)
    assert (found.name, found.state) == ("G", {"a": 1})


def test_python_classes_cannot_be_given_a_state() -> None:
    with pytest.raises(CheckpointError, match="given a state"):
        unpickle_bytes(b"ccollections\nOrderedDict\n}b.", {})


# What would exhaust memory or the stack


ABSURD = {
    "bytes": b"\x8e" + struct.pack("<Q", 1 << 60),
    "text": b"\x8d" + struct.pack("<Q", 1 << 60),
    "bytearray": b"\x96" + struct.pack("<Q", 1 << 62),
    "frame": b"\x80\x04\x95" + struct.pack("<Q", 1 << 50) + b"N.",
    "number": b"\x8b" + struct.pack("<I", 1 << 31) + b"\x01.",
    "brackets": b"(" * 100_000 + b".",
    "lists": b"]" * 1_000_000 + b".",
    "memo": b"N" + b"".join(b"r" + struct.pack("<I", i) for i in range(3000)) + b".",
    "tuple key": b"}" + b")" + b"\x85" * 3000 + b"Ns.",
    "text number": b"I" + b"9" * 5000 + b"\n.",
    "protocol": b"\x80\x09N.",
}


@pytest.mark.parametrize("attack", ABSURD)
def test_absurd_announcements_are_refused_before_allocation(attack) -> None:
    tracemalloc.start()
    with pytest.raises(CheckpointError):
        unpickle_bytes(ABSURD[attack], PERSISTENCE, Limits(memo=2000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20


def test_a_memo_index_costs_no_more_than_the_object() -> None:
    assert unpickle_bytes(b"Nr\xff\xff\xff\xff.", {}) is None


def test_very_deep_lists_are_harmless() -> None:
    depth = 50_000
    found = unpickle_bytes(b"]" * depth + b"a" * (depth - 1) + b".", {})
    assert isinstance(found, list)


def announcing(numel: int) -> bytes:
    """A legacy torch stream whose one storage announces `numel` numbers."""
    whole = legacy(torch.zeros(300))
    number = b"M" + struct.pack("<H", 300)
    assert number in whole
    return whole.replace(number, b"\x8a\x08" + struct.pack("<q", numel))


@pytest.mark.parametrize("numel", [1 << 40, 1 << 62, -1, 301])
def test_storages_larger_than_the_file_are_refused(numel) -> None:
    with pytest.raises(CheckpointError):
        unpickle_bytes(announcing(numel), {})


def test_one_byte_string_read_many_times_is_refused() -> None:
    inner = legacy(torch.zeros(1000).untyped_storage())
    load = b"ctorch.storage\n_load_from_bytes\n"
    data = b"\x80\x03B" + struct.pack("<I", len(inner)) + inner + b"q\x000" + (load + b"h\x00\x85R0") * 500 + b"N."
    with pytest.raises(CheckpointError, match="refused"):
        unpickle_bytes(data, PERSISTENCE)


def test_one_stream_read_many_times_shares_its_instructions() -> None:
    inner = legacy(list(range(1000)))
    load = b"ctorch.storage\n_load_from_bytes\n"
    data = b"\x80\x03B" + struct.pack("<I", len(inner)) + inner + b"q\x000" + (load + b"h\x00\x85R0") * 50 + b"N."
    assert unpickle_bytes(data, PERSISTENCE, Limits(opcodes=100_000)) is None
    with pytest.raises(CheckpointError, match="instructions"):
        unpickle_bytes(data, PERSISTENCE, Limits(opcodes=20_000))


def test_views_outside_their_storage_are_refused() -> None:
    # offset, size, stride of a view of 16 bytes: too long, too far, too wide, before the start
    storage = b"ctorch._utils\n_rebuild_tensor_v2\n(ctorch.storage\n_load_from_bytes\n"
    inner = legacy(torch.zeros(4).untyped_storage())
    storage += b"B" + struct.pack("<I", len(inner)) + inner + b"\x85R"
    for view in (
        b"K\x00K\x11\x85K\x01\x85",
        b"K\xffK\x02\x85K\x01\x85",
        b"K\x00K\x02\x85Mxx\x85",
        b"J\xff\xff\xff\xff))",
    ):
        with pytest.raises(CheckpointError):
            unpickle_bytes(b"\x80\x03" + storage + view + b"\x89NtR.", PERSISTENCE)


def test_a_shared_module_tree_that_branches_without_end_is_refused() -> None:
    node = Stub("Leaf", state={"_parameters": {"p": torch.zeros(1)}})
    for _ in range(30):
        node = Stub("Node", state={"_modules": {"left": node, "right": node}})
    with pytest.raises(CheckpointError, match="deeper or wider"):
        list(module_tensors(node))


def test_a_module_that_contains_itself_is_refused() -> None:
    node = Stub("Node")
    node.state = {"_modules": {"self": node}}
    with pytest.raises(CheckpointError, match="deeper or wider"):
        list(module_tensors(node))


def test_compressed_zip_members_are_refused() -> None:
    with pytest.raises(CheckpointError, match="compressed"):
        unpickle_bytes(zipped({"a": torch.zeros(1 << 20)}, zipfile.ZIP_DEFLATED), {})


def test_a_zip_without_data_is_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("notes.txt", "hello")
    with pytest.raises(CheckpointError, match=r"data\.pkl"):
        unpickle_bytes(buffer.getvalue(), {})


def test_a_file_beyond_the_limit_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.pkl"
    with open(path, "wb") as file:
        file.truncate(1 << 20)
    with pytest.raises(CheckpointError, match=r"large\.pkl.*1048576 bytes"):
        unpickle(path, {}, Limits(file_bytes=1000))


# What is damaged


def test_a_missing_and_an_empty_file_say_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"absent\.pkl"):
        unpickle(tmp_path / "absent.pkl", {})
    (tmp_path / "empty.pkl").touch()
    with pytest.raises(CheckpointError, match="empty"):
        unpickle(tmp_path / "empty.pkl", {})


@pytest.mark.parametrize("written", [zipped, legacy, pickle.dumps])
def test_every_cut_gives_a_clear_error(written) -> None:
    whole = written(state())
    for end in range(0, len(whole) - 1, 7):
        with pytest.raises(CheckpointError):
            unpickle_bytes(whole[:end], PERSISTENCE)


def test_errors_share_one_base() -> None:
    assert issubclass(UnsafePickle, CheckpointError)
    assert issubclass(CheckpointError, NeuroviewError)


FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@FUZZ
@given(st.binary(max_size=200))
def test_garbage_never_raises_anything_else(garbage) -> None:
    for prefix in (b"", b"\x80\x04", b"PK\x03\x04"):
        with contextlib.suppress(CheckpointError):
            unpickle_bytes(prefix + garbage, PERSISTENCE)


WHOLE = {"zip": zipped(state()), "legacy": legacy(state()), "pickle": pickle.dumps(state())}


@FUZZ
@given(
    st.sampled_from(sorted(WHOLE)),
    st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_flipped_bytes_never_raise_anything_else(kind, changes) -> None:
    data = bytearray(WHOLE[kind])
    for place, value in changes:
        data[place % len(data)] = value
    with contextlib.suppress(CheckpointError):
        unpickle_bytes(bytes(data), PERSISTENCE)

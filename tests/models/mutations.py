"""Ways to damage a checkpoint on purpose, each a pure function of a hypothesis draw."""

from __future__ import annotations

import io
import zipfile

from hypothesis import strategies as st

OPCODES = bytes(range(0x28, 0x99)) + b"\x80\x95"
HOSTILE = (
    b"cos\nsystem\n",
    b"cposix\nsystem\n(S'true'\ntR.",
    b"\x8c\x02os\x8c\x06system\x93",
    b"\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R",
    b"\x8c\x08builtins\x8c\x04exec\x93",
    b"ibuiltins\neval\n",
    b"csubprocess\nPopen\n",
    b"\x8c\x07runpy\x8c\x0frun_module\x93",
    b"\x82\x01",
    b"R",
    b"b",
    b"Q",
    b"0",
    b"2" * 400,
    b"(" * 2000,
    b"]" * 5000,
    b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x8e\x00\x00\x00\x00\x01\x00\x00\x00",
    b"I99999999999999999999\n",
    b"\x8b\xff\xff\xff\x7f",
)
GLOBALS = (
    (b"torch_utils.persistence", b"os"),
    (b"_reconstruct_persistent_obj", b"system"),
    (b"collections", b"subprocess"),
    (b"OrderedDict", b"Popen"),
    (b"_rebuild_tensor_v2", b"_rebuild_wrapper_subclass"),
    (b"_rebuild_parameter", b"_rebuild_from_type_v2"),
    (b"torch._utils", b"builtins"),
    (b"_load_from_bytes", b"eval"),
    (b"FloatStorage", b"DoubleStorage"),
    (b"FloatStorage", b"LongStorage"),
    (b"generators.generators", b"os.path"),
)


@st.composite
def mutations(draw: st.DrawFn, original: bytes) -> bytes:
    """A damaged copy of a file; of a torch zip half of the time only the pickle inside, so that the zip stays sound."""
    if original.startswith(b"PK\x03\x04") and draw(st.booleans()):
        return _inside_zip(draw, original)
    return _damaged(draw, original)


def _inside_zip(draw: st.DrawFn, original: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(original)) as source, zipfile.ZipFile(made, "w") as target:
        for info in source.infolist():
            data = source.read(info)
            target.writestr(info, _damaged(draw, data) if info.filename.endswith("data.pkl") else data)
    return made.getvalue()


def _damaged(draw: st.DrawFn, original: bytes) -> bytes:
    data = bytearray(original)
    for _ in range(draw(st.integers(1, 3))):
        # Most of a file are numbers, whose damage nobody can notice; its beginning and end are structure.
        size = len(data)
        near = st.integers(0, min(size, 6000)) | st.integers(max(0, size - 6000), size) | st.integers(0, size)
        where = draw(near)
        match draw(st.integers(0, 6)):
            case 0:
                for offset, value in enumerate(draw(st.binary(min_size=1, max_size=4))):
                    if where + offset < len(data):
                        data[where + offset] ^= value
            case 1:
                del data[where:]
            case 2:
                data[where:where] = draw(st.sampled_from(HOSTILE))
            case 3:
                piece = draw(st.sampled_from(HOSTILE))
                data[where : where + len(piece)] = piece
            case 4:
                theirs, other = draw(st.sampled_from(GLOBALS))
                if draw(st.booleans()):  # of equal length, so that lengths in front of names stay right
                    other = (other + b"_" * len(theirs))[: len(theirs)]
                data = bytearray(bytes(data).replace(theirs, other, draw(st.sampled_from((1, -1)))))
            case 5:
                length = draw(st.integers(1, 2000))
                data[where:where] = data[max(0, where - length) : where]
            case _:
                for offset in range(draw(st.integers(1, 8))):
                    if where + offset < len(data):
                        data[where + offset] = draw(st.sampled_from(OPCODES))
    return bytes(data)

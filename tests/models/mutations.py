"""Ways to damage a checkpoint on purpose, as recipes that hypothesis draws and shrinks."""

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


Wound = tuple
"""(kind, where: a share of the region, region, detail): small and readable, unlike the bytes that it makes."""

_PLACES = st.tuples(st.sampled_from(("start", "end", "all")), st.floats(0, 1))
# Most of a file are numbers, whose damage nobody can notice; its beginning and end are structure.
_REGION = 6000

WOUNDS = st.one_of(
    st.tuples(st.just("flip"), _PLACES, st.binary(min_size=1, max_size=4)),
    st.tuples(st.just("cut"), _PLACES, st.none()),
    st.tuples(st.just("insert"), _PLACES, st.integers(0, len(HOSTILE) - 1)),
    st.tuples(st.just("overwrite"), _PLACES, st.integers(0, len(HOSTILE) - 1)),
    st.tuples(st.just("global"), _PLACES, st.tuples(st.integers(0, len(GLOBALS) - 1), st.booleans(), st.booleans())),
    st.tuples(st.just("repeat"), _PLACES, st.integers(1, 2000)),
    st.tuples(st.just("opcodes"), _PLACES, st.lists(st.sampled_from(OPCODES), min_size=1, max_size=8)),
)
RECIPES = st.tuples(st.booleans(), st.lists(WOUNDS, min_size=1, max_size=3))
"""Whether only the pickle inside of a torch zip is damaged, which keeps the zip sound; and how."""


def damaged(original: bytes, recipe: tuple[bool, list[Wound]]) -> bytes:
    """A damaged copy of a file."""
    inside, wounds = recipe
    if not (inside and original.startswith(b"PK\x03\x04")):
        return _hurt(original, wounds)
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(original)) as source, zipfile.ZipFile(made, "w") as target:
        for info in source.infolist():
            data = source.read(info)
            target.writestr(info, _hurt(data, wounds) if info.filename.endswith("data.pkl") else data)
    return made.getvalue()


def _hurt(original: bytes, wounds: list[Wound]) -> bytes:
    data = bytearray(original)
    for kind, (region, share), detail in wounds:
        size = len(data)
        first = max(0, size - _REGION) if region == "end" else 0
        last = min(size, _REGION) if region == "start" else size
        where = first + int(share * (last - first))
        if kind == "flip":
            for offset, value in enumerate(detail[: max(0, size - where)]):
                data[where + offset] ^= value
        elif kind == "cut":
            del data[where:]
        elif kind == "insert":
            data[where:where] = HOSTILE[detail]
        elif kind == "overwrite":
            data[where : where + len(HOSTILE[detail])] = HOSTILE[detail]
        elif kind == "global":
            index, fitted, everywhere = detail
            theirs, other = GLOBALS[index]
            if fitted:  # of equal length, so that the lengths in front of names stay right
                other = (other + b"_" * len(theirs))[: len(theirs)]
            data = bytearray(bytes(data).replace(theirs, other, -1 if everywhere else 1))
        elif kind == "repeat":
            data[where:where] = data[max(0, where - detail) : where]
        else:
            data[where : where + len(detail)] = bytes(detail)
    return bytes(data)

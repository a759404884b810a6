"""What each pickle instruction does to a `PickleMachine`.

Instructions are those of https://docs.python.org/3/library/pickletools.html, protocols 1 to 5, less the few that no
known checkpoint needs: classes by INST and OBJ, extension codes, out-of-band buffers, protocol 0's quoted strings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .pickle_machine import MARK, PickleMachine
from .pickle_values import is_plain_key

LONGEST_NAME = 400
LONGEST_NUMBER = 64  # bytes or digits
STOP = ord(".")


def run(machine: PickleMachine) -> Any:
    """Runs one pickle to its STOP and returns the object.

    Raises:
        UnsafePickle: a global is not on the allow-list.
        CheckpointError: damaged, cut short, or beyond a limit.
    """
    while True:
        machine.budget.opcodes -= 1
        if machine.budget.opcodes < 0 or len(machine.stack) > machine.limits.stack:
            limits = machine.limits
            raise machine.damaged(f"more than {limits.opcodes} instructions or {limits.stack} stacked values")
        code = machine.take(1)[0]
        if code == STOP:
            return machine.pop()
        handler = OPCODES.get(code)
        if handler is None:
            raise machine.damaged(f"instruction 0x{code:02x} is not one that checkpoints use")
        try:
            handler(machine)
        except (ValueError, TypeError, OverflowError, RecursionError, MemoryError) as error:
            raise machine.damaged(f"instruction 0x{code:02x} failed ({type(error).__name__})") from error


def _text(machine: PickleMachine, layout: str) -> str:
    return str(machine.take(machine.number(layout)), "utf-8", "surrogatepass")


def _whole(machine: PickleMachine, size: int) -> int:
    if size > LONGEST_NUMBER:
        raise machine.damaged(f"a whole number of {size} bytes")
    return int.from_bytes(machine.take(size), "little", signed=True)


def _text_number(machine: PickleMachine) -> int | bool:
    text = machine.line(LONGEST_NUMBER)
    if text in ("00", "01"):
        return text == "01"
    return int(text.removesuffix("L"))


def _proto(machine: PickleMachine) -> None:
    version = machine.number("<B")
    if version > 5:
        raise machine.damaged(f"pickle protocol {version}; protocols up to 5 are known")


def _frame(machine: PickleMachine) -> None:
    size = machine.number("<Q")
    if size > len(machine.data) - machine.position:
        raise machine.damaged(f"a frame of {size} bytes is announced but the file ends before")


def _mark(machine: PickleMachine) -> None:
    machine.marks += 1
    if machine.marks > machine.limits.marks:
        raise machine.damaged(f"nesting deeper than {machine.limits.marks}")
    machine.stack.append(MARK)


def _tuple_of(count: int) -> Callable[[PickleMachine], None]:
    def make(machine: PickleMachine) -> None:
        items = tuple(machine.pop() for _ in range(count))
        machine.stack.append(items[::-1])

    return make


def _dict(machine: PickleMachine) -> None:
    items = machine.pop_mark()
    made: dict[Any, Any] = {}
    machine.set_items(made, items)
    machine.stack.append(made)


def _setitem(machine: PickleMachine) -> None:
    value, key = machine.pop(), machine.pop()
    machine.set_items(machine.top(), [key, value])


def _setitems(machine: PickleMachine) -> None:
    items = machine.pop_mark()
    machine.set_items(machine.top(), items)


def _append(machine: PickleMachine) -> None:
    value = machine.pop()
    machine.extend(machine.top(), [value])


def _appends(machine: PickleMachine) -> None:
    items = machine.pop_mark()
    machine.extend(machine.top(), items)


def _members(machine: PickleMachine) -> list[Any]:
    items = machine.pop_mark()
    if not all(is_plain_key(item) for item in items):
        raise machine.damaged("a set has members that cannot be keys")
    return items


def _additems(machine: PickleMachine) -> None:
    items = _members(machine)
    target = machine.top()
    if type(target) is not set:
        raise machine.damaged(f"members are added to a {type(target).__name__}")
    target.update(items)


def _global(machine: PickleMachine) -> None:
    module = machine.line(LONGEST_NAME)
    machine.stack.append(machine.resolve(module, machine.line(LONGEST_NAME)))


def _stack_global(machine: PickleMachine) -> None:
    name, module = machine.pop(), machine.pop()
    if not (isinstance(name, str) and isinstance(module, str)):
        raise machine.damaged("a global's name is not text")
    machine.stack.append(machine.resolve(module, name))


def _reduce(machine: PickleMachine) -> None:
    args, target = machine.pop(), machine.pop()
    machine.stack.append(machine.build(target, args))


def _newobj_ex(machine: PickleMachine) -> None:
    named, args, target = machine.pop(), machine.pop(), machine.pop()
    if named:
        raise machine.damaged("an object is made with named arguments")
    machine.stack.append(machine.build(target, args))


def _build(machine: PickleMachine) -> None:
    state = machine.pop()
    machine.set_state(machine.top(), state)


def _persistent(machine: PickleMachine) -> None:
    identifier = machine.pop()
    if machine.persistent_load is None:
        raise machine.damaged("it refers to objects outside of itself")
    machine.stack.append(machine.persistent_load(identifier))


def _pop(machine: PickleMachine) -> None:
    if machine.stack and machine.stack[-1] is MARK:
        machine.pop_mark()
    else:
        machine.pop()


def _pop_mark(machine: PickleMachine) -> None:
    machine.pop_mark()


def _push(value: Callable[[PickleMachine], Any]) -> Callable[[PickleMachine], None]:
    def push(machine: PickleMachine) -> None:
        machine.stack.append(value(machine))

    return push


OPCODES: dict[int, Callable[[PickleMachine], None]] = {
    ord("\x80"): _proto,
    ord("\x95"): _frame,
    ord("("): _mark,
    ord("0"): _pop,
    ord("1"): _pop_mark,
    ord("2"): _push(lambda m: m.top()),
    ord("N"): _push(lambda m: None),
    ord("\x88"): _push(lambda m: True),
    ord("\x89"): _push(lambda m: False),
    ord("I"): _push(_text_number),
    ord("L"): _push(_text_number),
    ord("J"): _push(lambda m: m.number("<i")),
    ord("K"): _push(lambda m: m.number("<B")),
    ord("M"): _push(lambda m: m.number("<H")),
    ord("\x8a"): _push(lambda m: _whole(m, m.number("<B"))),
    ord("\x8b"): _push(lambda m: _whole(m, m.number("<I"))),
    ord("F"): _push(lambda m: float(m.line(LONGEST_NUMBER))),
    ord("G"): _push(lambda m: m.number(">d")),
    ord("X"): _push(lambda m: _text(m, "<I")),
    ord("\x8c"): _push(lambda m: _text(m, "<B")),
    ord("\x8d"): _push(lambda m: _text(m, "<Q")),
    ord("U"): _push(lambda m: str(m.take(m.number("<B")), "latin-1")),
    ord("T"): _push(lambda m: str(m.take(m.number("<I")), "latin-1")),
    ord("B"): _push(lambda m: bytes(m.take(m.number("<I")))),
    ord("C"): _push(lambda m: bytes(m.take(m.number("<B")))),
    ord("\x8e"): _push(lambda m: bytes(m.take(m.number("<Q")))),
    ord("\x96"): _push(lambda m: bytes(m.take(m.number("<Q")))),
    ord(")"): _push(lambda m: ()),
    ord("]"): _push(lambda m: []),
    ord("}"): _push(lambda m: {}),
    ord("\x8f"): _push(lambda m: set()),
    ord("t"): _push(lambda m: tuple(m.pop_mark())),
    ord("l"): _push(lambda m: m.pop_mark()),
    ord("\x85"): _tuple_of(1),
    ord("\x86"): _tuple_of(2),
    ord("\x87"): _tuple_of(3),
    ord("\x91"): _push(lambda m: frozenset(_members(m))),
    ord("d"): _dict,
    ord("s"): _setitem,
    ord("u"): _setitems,
    ord("a"): _append,
    ord("e"): _appends,
    ord("\x90"): _additems,
    ord("q"): lambda m: m.remember(m.number("<B")),
    ord("r"): lambda m: m.remember(m.number("<I")),
    ord("p"): lambda m: m.remember(int(m.line(LONGEST_NUMBER))),
    ord("\x94"): lambda m: m.remember(len(m.memo)),
    ord("h"): lambda m: m.recall(m.number("<B")),
    ord("j"): lambda m: m.recall(m.number("<I")),
    ord("g"): lambda m: m.recall(int(m.line(LONGEST_NUMBER))),
    ord("c"): _global,
    ord("\x93"): _stack_global,
    ord("R"): _reduce,
    ord("\x81"): _reduce,  # NEWOBJ takes class and arguments in the same order
    ord("\x92"): _newobj_ex,
    ord("b"): _build,
    ord("Q"): _persistent,
}

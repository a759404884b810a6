"""A pickle machine that can only build data: its state, its stack, and how names become data.

Python's own unpickler resolves a name to an object and calls it; a subclass can only forbid names. This one has no
such machinery: a global is a name, REDUCE and NEWOBJ look it up in a table of our builders, and names outside it raise
`UnsafePickle`. Sizes are checked against the bytes that are left before anything is allocated. What each instruction
does is in `pickle_opcodes`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

from .errors import CheckpointError, UnsafePickle
from .pickle_values import Budget, Global, Limits, is_plain_key


class _Mark:
    pass


MARK = _Mark()
Builder = Callable[..., Any]  # called as builder(machine, *args)
Allowed = Mapping[str, Builder]
PersistentLoad = Callable[[Any], Any]


class PickleMachine:
    """The state in which one stream of pickles is read; `pickle_opcodes.run` reads the next and moves `position`.

    Args:
        data: the bytes; kept as a view, byte strings are copied out of it.
        allowed: our builders by the global's full name, e.g. 'collections.OrderedDict'.
        limits: see `Limits`.
        persistent_load: resolves persistent ids (torch's storages); None refuses them.
        budget: what may still be spent; None: the size of `data`, and the limits' instructions.
        depth: how many streams this one is nested in.
    """

    def __init__(
        self,
        data: memoryview,
        allowed: Allowed,
        limits: Limits,
        *,
        persistent_load: PersistentLoad | None = None,
        budget: Budget | None = None,
        depth: int = 0,
    ) -> None:
        self.data, self.position, self.allowed, self.limits = data, 0, allowed, limits
        self.persistent_load, self.depth = persistent_load, depth
        self.budget = Budget(len(data), limits.opcodes) if budget is None else budget
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.marks = 0

    # Reading bytes

    def take(self, size: int) -> memoryview:
        """The next `size` bytes, or an error when the file ends before."""
        if size < 0 or size > len(self.data) - self.position:
            left = len(self.data) - self.position
            raise self.damaged(f"{size} bytes are announced but {left} are left; the file is cut short or garbled")
        start = self.position
        self.position += size
        return self.data[start : self.position]

    def number(self, layout: str) -> Any:
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def line(self, longest: int) -> str:
        window = bytes(self.data[self.position : self.position + longest + 1])
        end = window.find(b"\n")
        if end < 0:
            raise self.damaged("a text line has no end")
        self.position += end + 1
        return window[:end].decode("utf-8", "replace")

    def damaged(self, why: str) -> CheckpointError:
        return CheckpointError(f"damaged pickle near byte {self.position}: {why}. Fetch or export the file again.")

    def charge(self, size: int) -> None:
        """Counts bytes about to be allocated: all tensors together cannot exceed the file they come from."""
        if size < 0 or size > self.budget.bytes:
            raise CheckpointError(
                f"{size} more bytes of tensors are announced, the file can hold only {self.budget.bytes} more; refused"
            )
        self.budget.bytes -= size

    # Stack

    def pop(self) -> Any:
        if not self.stack:
            raise self.damaged("a value is missing on the stack")
        value = self.stack.pop()
        if value is MARK:
            raise self.damaged("a bracket stands where a value is expected")
        return value

    def top(self) -> Any:
        if not self.stack:
            raise self.damaged("a value is missing on the stack")
        return self.stack[-1]

    def pop_mark(self) -> list[Any]:
        for index in range(len(self.stack) - 1, -1, -1):
            if self.stack[index] is MARK:
                items = self.stack[index + 1 :]
                del self.stack[index:]
                self.marks -= 1
                return items
        raise self.damaged("a closing bracket without an opening one")

    # Building

    def resolve(self, module: str, name: str) -> Global:
        full = f"{module}.{name}"
        if full not in self.allowed:
            raise UnsafePickle(
                f"the file asks for {full[:200]!r}, which is not on the allow-list of this format; nothing was run. "
                "If you trust its maker, export the model as safetensors; if it is a released model, please report it."
            )
        return Global(full)

    def build(self, target: Any, args: Any) -> Any:
        if not isinstance(target, Global):
            raise UnsafePickle(f"the file tries to call a {type(target).__name__}; only allow-listed names are built")
        if not isinstance(args, tuple):
            raise self.damaged(f"arguments of {target.name} are a {type(args).__name__}, expected a tuple")
        try:
            return self.allowed[target.name](self, *args)
        except CheckpointError:
            raise
        except (TypeError, ValueError, KeyError, IndexError, OverflowError, RuntimeError, AttributeError) as error:
            raise self.damaged(f"{target.name} cannot be built from its arguments ({error})") from error

    def set_items(self, target: Any, items: list[Any]) -> None:
        if type(target) is not dict or len(items) % 2:
            raise self.damaged(f"key and value pairs are added to a {type(target).__name__}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not is_plain_key(key):
                raise self.damaged(f"a {type(key).__name__} is used as a key")
            target[key] = value

    def extend(self, target: Any, items: list[Any]) -> None:
        if type(target) is not list:
            raise self.damaged(f"items are appended to a {type(target).__name__}")
        target.extend(items)

    def set_state(self, target: Any, state: Any) -> None:
        setter = getattr(target, "set_state", None)
        if setter is not None and not isinstance(target, Global):
            setter(self, state)
        elif type(target) is not dict:  # a state dict's `_metadata` attribute is of no use to us
            raise self.damaged(f"a {type(target).__name__} is given a state")

    def remember(self, index: int) -> None:
        if index < 0 or len(self.memo) >= self.limits.memo:
            raise self.damaged(f"more than {self.limits.memo} remembered objects")
        self.memo[index] = self.top()

    def recall(self, index: int) -> None:
        if index not in self.memo:
            raise self.damaged(f"object {index} is recalled but was never remembered")
        self.stack.append(self.memo[index])

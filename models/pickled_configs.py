"""Settings that a pickle holds as OmegaConf objects, which trainings driven by Hydra leave behind: as plain values.

Such an object is a tree of nodes, each with its type, flags and parent; `_content` of a container and `_val` of a leaf
are all that matters. A value may be an interpolation such as '${spec.map}', of which the file need not hold the target.
"""

from __future__ import annotations

from typing import Any

from .errors import CheckpointError
from .pickle_builders import never_built, stubs
from .pickle_machine import Allowed, PickleMachine
from .pickle_values import Stub

MOST_NODES = 20_000
DEEPEST = 20
_CONTAINERS = ("omegaconf.dictconfig.DictConfig", "omegaconf.listconfig.ListConfig")
_LEAVES = tuple(
    f"omegaconf.nodes.{name}Node"
    for name in ("Any", "String", "Integer", "Float", "Boolean", "Interpolation", "Bytes", "Path")
)
_TYPES = ("Any", "Union", "Optional", "Dict", "List", "Tuple")
_BUILTINS = ("dict", "list", "tuple", "str", "int", "long", "float", "bool", "bytes", "object")


def _empty_dict(machine: PickleMachine, *_: Any) -> dict[Any, Any]:
    """`defaultdict`, whose factory is dropped; items follow by themselves."""
    return {}


CONFIGS: Allowed = {
    **stubs(*_CONTAINERS, *_LEAVES, "omegaconf.base.Metadata", "omegaconf.base.ContainerMetadata"),
    "collections.defaultdict": _empty_dict,
    # Types stand in the metadata as values and are never called. Protocol 2 has Python 2's name of the module.
    **dict.fromkeys((f"{module}.{name}" for module in ("builtins", "__builtin__") for name in _BUILTINS), never_built),
    **dict.fromkeys((f"typing.{name}" for name in _TYPES), never_built),
}
"""What such objects name."""


class _Unknown:
    """A value that the file does not hold."""


_UNKNOWN = _Unknown()


def plain_settings(value: Any) -> Any:
    """Dictionaries and lists in place of OmegaConf's, at any depth; interpolations and missing values are left out.

    Raises:
        CheckpointError: the tree is deeper or larger than any real configuration.
    """
    seen = [0]

    def walk(node: Any, depth: int) -> Any:
        seen[0] += 1
        if depth > DEEPEST or seen[0] > MOST_NODES:
            raise CheckpointError("the settings in the file are deeper or larger than any real ones; refused")
        if isinstance(node, Stub) and node.name in _LEAVES:
            node = node.state.get("_val")
        elif isinstance(node, Stub) and node.name in _CONTAINERS:
            node = node.state.get("_content")
        if isinstance(node, str) and ("${" in node or node == "???"):
            return _UNKNOWN
        if isinstance(node, dict):
            parts = {key: walk(part, depth + 1) for key, part in node.items()}
            return {key: part for key, part in parts.items() if part is not _UNKNOWN}
        if isinstance(node, (list, tuple)):
            return [part for part in (walk(item, depth + 1) for item in node) if part is not _UNKNOWN]
        return node

    found = walk(value, 0)
    return None if found is _UNKNOWN else found

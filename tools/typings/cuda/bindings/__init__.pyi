"""cuda-python is compiled and ships no annotations; without these lines none of its modules seems to exist."""

from typing import Any

def __getattr__(name: str) -> Any: ...

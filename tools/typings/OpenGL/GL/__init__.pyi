"""PyOpenGL makes its functions at run time; what a type checker reads in its source is not what they take."""

from typing import Any

def __getattr__(name: str) -> Any: ...

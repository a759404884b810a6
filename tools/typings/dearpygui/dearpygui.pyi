"""Dear PyGui's own annotations call its context managers `int | str`; without these lines every `with` is an error."""

from typing import Any

def __getattr__(name: str) -> Any: ...

# Written by registry/scripts/stubs.py.
from typing import Any

def __getattr__(name: str) -> Any: ...

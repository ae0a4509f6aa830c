# Written by registry/scripts/stubs.py.
from typing import Any

import lamina_digits.digits  # noqa: F401
from lamina_digits import digits as digits

def __getattr__(name: str) -> Any: ...

"""The settings every part reads: the default float type, the fuzz factor, the image layout, the backend's name.

They start from the files `keras.json` of Keras 2 (in $KERAS_HOME, or ~/.keras) and `lamina.json` (in $LAMINA_HOME, or
~/.lamina), and from the variables KERAS_BACKEND, LAMINA_BACKEND, LAMINA_FLOATX, LAMINA_EPSILON and
LAMINA_IMAGE_DATA_FORMAT: what is named later wins.  Nothing is written.
"""

from __future__ import annotations

import json
import math
import os
import reprlib
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_FLOATS = ("float16", "float32", "float64")
_FORMATS = ("channels_last", "channels_first")


def floatx() -> str:
    """The dtype of weights and inputs that name none: 'float16', 'float32' or 'float64'."""
    return _floatx


def set_floatx(floatx: str) -> None:
    """Set the default float type.  Raises ValueError for anything but the three float types."""
    global _floatx
    if floatx not in _FLOATS:
        raise ValueError(f"Unknown floatx type: {floatx!r}; it must be one of {', '.join(_FLOATS)}")
    _floatx = str(floatx)


def epsilon() -> float:
    """The small number that keeps divisions and logarithms away from zero; 1e-7 at first."""
    return _epsilon


def set_epsilon(e: float) -> None:
    """Set the fuzz factor.  Raises ValueError for a negative number and for NaN."""
    global _epsilon
    _epsilon = _small(e)


def image_data_format() -> str:
    """'channels_last' (rows, columns, channels) or 'channels_first' (channels, rows, columns)."""
    return _image_data_format


def set_image_data_format(data_format: str) -> None:
    """Set the default image layout.  Raises ValueError for an unknown one."""
    global _image_data_format
    if data_format not in _FORMATS:
        raise ValueError(f"Unknown data_format: {data_format!r}; it must be one of {', '.join(_FORMATS)}")
    _image_data_format = str(data_format)


def backend() -> str:
    """The name code may ask for to tell backends apart: "lamina", unless a file or KERAS_BACKEND chose another.

    It is a name only: arrays, layouts and numbers are the same under every one.
    """
    return _backend


def homes(environ: Mapping[str, str] = os.environ) -> list[Path]:
    """Where settings and cached files may be, Keras's directory first; they need not exist."""
    pairs = (("KERAS_HOME", ".keras"), ("LAMINA_HOME", ".lamina"))
    return [
        Path(os.path.expanduser(environ[name])) if environ.get(name) else _home() / folder
        for name, folder in pairs
    ]


def _home() -> Path:
    """The directory of whoever runs this; the root for a user without one, as containers have."""
    try:
        return Path.home()
    except RuntimeError:
        return Path("/")


def settings(environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """The settings to start with: defaults, then the files, then the environment.

    A file or variable that cannot be understood is named in a warning and left out.
    """
    found: dict[str, Any] = {
        "floatx": "float32",
        "epsilon": 1e-7,
        "image_data_format": "channels_last",
        "backend": "lamina",
    }
    for source, given in _sources(environ):
        for name, value in given.items():
            if name not in found:
                continue
            try:
                found[name] = _CHECKS[name](value)
            except (TypeError, ValueError) as error:
                warnings.warn(
                    f"{source}: {name} is left at {found[name]!r}: {error}", RuntimeWarning, stacklevel=2
                )
    return found


def _sources(environ: Mapping[str, str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for folder, file in zip(homes(environ), ("keras.json", "lamina.json"), strict=True):
        path = folder / file
        try:
            given = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(given, dict):
                raise ValueError("it holds no JSON object")
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError, RecursionError) as error:
            warnings.warn(f"{path} is left out: {error}", RuntimeWarning, stacklevel=2)
            continue
        yield str(path), given
    for prefix, names in (("KERAS_", ("backend",)), ("LAMINA_", tuple(_CHECKS))):
        given = {name: environ[prefix + name.upper()] for name in names if environ.get(prefix + name.upper())}
        yield "the environment", given


def _choice(*allowed: str) -> Any:
    def check(value: Any) -> str:
        if value not in allowed:
            raise ValueError(f"{reprlib.repr(value)} is none of {', '.join(allowed)}")
        return str(value)

    return check


def _small(value: Any) -> float:
    """An epsilon.  An infinite one would make every number it is added to infinite."""
    number = float(value) if not isinstance(value, int) or abs(value) < 1 << 63 else math.inf
    if not 0 <= number < math.inf:
        raise ValueError(f"epsilon is a small number, 0 or more; met {reprlib.repr(value)}")
    return number


_CHECKS: dict[str, Any] = {
    "floatx": _choice(*_FLOATS),
    "epsilon": _small,
    "image_data_format": _choice(*_FORMATS),
    "backend": _choice("lamina", "tensorflow", "theano", "cntk"),
}

_start = settings()
_floatx: str = _start["floatx"]
_epsilon: float = _start["epsilon"]
_image_data_format: str = _start["image_data_format"]
_backend: str = _start["backend"]

"""What surrounds the tensors: settings, names and counters, the session, the layout of images."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from lamina import config
from lamina.backend import phase
from lamina.config import epsilon, floatx, image_data_format, set_epsilon, set_floatx, set_image_data_format
from lamina.function import Function, Update
from lamina.tensor import Tensor, scope

__all__ = [
    "backend", "cast_to_floatx", "clear_session", "epsilon", "floatx", "get_session", "get_uid", "image_data_format",
    "image_dim_ordering",
    "manual_variable_initialization", "name_scope", "normalize_data_format", "reset_uids", "set_epsilon", "set_floatx",
    "set_image_data_format", "set_image_dim_ordering", "set_session",
]  # fmt: skip


def backend() -> str:
    """The name of the backend: "lamina", unless keras.json or KERAS_BACKEND chose another name to answer.

    Under every name tensors, kernels and layouts follow Keras's TensorFlow backend.
    """
    return config.backend()


def cast_to_floatx(x: Any) -> np.ndarray:
    """A NumPy array (or what makes one) in the default float type."""
    return np.asarray(x, dtype=config.floatx())


def normalize_data_format(value: str | None) -> str:
    """The image layout `value` stands for: the default one when None.  Raises ValueError for an unknown one."""
    if value is None:
        return config.image_data_format()
    data_format = str(value).lower()
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(f"Unknown data_format {value!r}: it is neither 'channels_last' nor 'channels_first'")
    return data_format


def image_dim_ordering() -> str:
    """Keras 1's name of the image layout: "tf" for channels_last, "th" for channels_first."""
    return "th" if config.image_data_format() == "channels_first" else "tf"


def set_image_dim_ordering(dim_ordering: str) -> None:
    """Set the image layout by Keras 1's name for it.  Raises ValueError for anything but "tf" and "th"."""
    if dim_ordering not in ("tf", "th"):
        raise ValueError(f"Unknown dim_ordering: {dim_ordering!r}; it must be 'tf' or 'th'")
    config.set_image_data_format("channels_first" if dim_ordering == "th" else "channels_last")


# ---- names and counters

_uids: Counter[str] = Counter()
_lock = threading.Lock()


def get_uid(prefix: str = "") -> int:
    """1 at the first call with this prefix, then 2, 3, ...: what makes the names dense_1 and dense_2."""
    with _lock:
        _uids[prefix] += 1
        return _uids[prefix]


def reset_uids() -> None:
    """Let every counter of `get_uid` start again."""
    with _lock:
        _uids.clear()


def name_scope(name: str) -> AbstractContextManager[None]:
    """Context manager: tensors and variables made inside belong to the layer `name`."""
    return scope(name)


# ---- the session

_session: Any = None
_manual_initialization = False


class Session:
    """What runs tensors outside a function, for code written against TensorFlow's sessions."""

    def run(self, fetches: Any, feed_dict: Mapping[Tensor, Any] | None = None) -> Any:
        """The values of `fetches` (a tensor, an update, or lists and dicts of them) in the same structure.

        feed_dict: arrays for placeholders, the learning phase among them.  Updates that are fetched are assigned.
        """
        feeds = dict(feed_dict or {})
        found: list[Tensor] = []
        _collect(fetches, found)
        values = iter(
            Function(list(feeds), found, [t for t in found if isinstance(t, Update)])(list(feeds.values()))
        )
        return _rebuild(fetches, values)

    def close(self) -> None:
        """Nothing is held, so nothing is freed."""

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def _collect(fetches: Any, found: list[Tensor]) -> None:
    if isinstance(fetches, Tensor):
        found.append(fetches)
    elif isinstance(fetches, Mapping):
        for item in fetches.values():
            _collect(item, found)
    elif isinstance(fetches, list | tuple):
        for item in fetches:
            _collect(item, found)
    else:
        raise TypeError(f"a session runs tensors, and lists or dicts of them; met {fetches!r}")


def _rebuild(fetches: Any, values: Any) -> Any:
    if isinstance(fetches, Tensor):
        return next(values)
    if isinstance(fetches, Mapping):
        return {key: _rebuild(item, values) for key, item in fetches.items()}
    return type(fetches)([_rebuild(item, values) for item in fetches])


def get_session() -> Any:
    """The session: what `set_session` was given, else one of ours."""
    global _session
    if _session is None:
        _session = Session()
    return _session


def set_session(session: Any) -> None:
    """Let `get_session` answer `session`.  Nothing else depends on it: variables keep their own values."""
    global _session
    _session = session


def manual_variable_initialization(value: bool) -> None:
    """Keras's flag, kept for code that sets it: here a variable has its value from the start."""
    global _manual_initialization
    _manual_initialization = bool(value)


def clear_session() -> None:
    """Start afresh: counters at 1, the learning phase an input again.  Existing models go on working."""
    global _session
    reset_uids()
    phase.reset()
    _session = None

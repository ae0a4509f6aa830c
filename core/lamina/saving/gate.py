"""The one gate: what a file, a JSON text or a config may bring in.

Every road in (`load_model`, `load_weights`, `model_from_json`, `model_from_yaml`, `model_from_config`, `from_config`,
`layers.deserialize`, unpickling) passes here, and is safe unless somebody said otherwise:

* A config may only *name* what is registered or passed in `custom_objects`; the registry finds it.  Keys such as
  "module" are never followed.  Nothing is imported, opened, unpickled or unmarshalled because a file says so.
* A config is plain data of bounded depth, count and length: `parse_json` and `check_config`.
* Code is let in by its reader's leave alone.  A layer whose config may hold code (Lambda) asks in `from_config`:

      function = gate.allow_code(config.get("name"), custom_objects)   # raises UnsafeFile unless allowed
      if function is None:                                             # the caller trusts the file
          function = <the function unmarshalled from config["function"]>

  The answer is the function passed as `custom_objects={"lambda_1": fn}` or through a CustomObjectScope, or None
  after `load_model(..., safe_mode=False)` or inside `with trusted():`.  In `get_config` such a layer wraps what it
  writes in `Code`, which carries the live function: a config that never left this process needs no leave, and no
  file can forge one, for JSON makes no `Code`.
* The weights a file makes a model build are paid for by the bytes it holds: `Layer.add_weight` calls
  `charge(name, shape, dtype)`, which does nothing except while a file is being loaded.

All of it is kept in context variables: a thread that loads a trusted file opens nothing for its neighbours.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np

from lamina.saving.errors import DamagedFile, UnsafeFile
from lamina_registry import get_custom_objects, shown
from lamina_registry.errors import summary, tidy

DEEPEST = 100  # levels; a model nested in a model takes four
MOST_NODES = 500_000  # about 8,000 layers; Keras's largest application has 60,000 nodes
LONGEST_TEXT = 1 << 26  # characters
# Of layers in nested models: a model that calls one twice, which calls one twice, and so on, doubles them each time.
MOST_CALLS = 20_000
_SLACK = 1 << 23  # bytes that compression may add whatever the size of the file
_GROWTH = 2  # and how many times the size of the file it may reach in all

_code_allowed: ContextVar[bool] = ContextVar("lamina_code_allowed", default=False)
_allowance: ContextVar[Allowance | None] = ContextVar("lamina_allowance", default=None)
_calls: ContextVar[list[int] | None] = ContextVar("lamina_calls", default=None)


class Allowance:
    """How many bytes of arrays a file may still ask for: a small file cannot make a large model."""

    def __init__(self, stored: int, where: str):
        self.stored = stored
        self.left = _SLACK + _GROWTH * stored
        self._where = where

    def spend(self, size: int, what: str) -> None:
        """Take `size` bytes for `what`.  Raises UnsafeFile when the file holds too little to justify them."""
        if size > self.left:
            raise UnsafeFile(
                f"{self._where} holds {self.stored:,} bytes and {what} would take {size:,}, more than the "
                f"{self.left:,} still allowed; if you trust the file, rewrite it uncompressed (h5repack "
                "-f NONE) and load that"
            )
        self.left -= size


@contextlib.contextmanager
def passing(safe_mode: bool | None = True, allowance: Allowance | None = None) -> Iterator[None]:
    """While something is loaded: whether it may bring code, and how large it may be.

    safe_mode: only False itself lets code in; None is safe.  allowance: what `charge` takes from.
    """
    code = _code_allowed.set(safe_mode is False)
    size = _allowance.set(allowance)
    try:
        yield
    finally:
        _allowance.reset(size)
        _code_allowed.reset(code)


def trusted() -> contextlib.AbstractContextManager[None]:
    """`with trusted(): Model.from_config(config)` runs the bytecode that a config from elsewhere holds.

    That code can do anything you can: use it for configs that you wrote yourself.
    """
    return passing(safe_mode=False)


def allow_code(layer_name: str, custom_objects: Mapping[str, Any] | None = None) -> Callable[..., Any] | None:
    """The function passed for this layer, or None when the code in its config may be run.

    Raises UnsafeFile otherwise, saying how to allow it.
    """
    for known in (custom_objects or {}, get_custom_objects()):
        function = known.get(layer_name)
        if callable(function):
            return function
    if _code_allowed.get():
        return None
    name = shown(layer_name)
    raise UnsafeFile(
        f"The layer {name} holds Python bytecode, which can do anything and is not run. Pass its "
        f"function, custom_objects={{{name}: fn}}, or, if you trust the file, load it with safe_mode=False "
        "(a config: inside `with lamina.saving.trusted():`)"
    )


class Code(tuple[Any, ...]):
    """(bytecode, defaults, closure) as Keras writes them, with the live function they were made from."""

    function: Callable[..., Any]

    def __new__(cls, parts: Sequence[Any], function: Callable[..., Any]) -> Code:
        code = super().__new__(cls, parts)
        code.function = function
        return code

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (tuple(self),)  # a copy or pickle has no live function, and so needs leave

    def __copy__(self) -> Code:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Code:
        return self


def charge(name: str, shape: Sequence[int | None], dtype: Any = "float32") -> None:
    """Pay for a weight about to be made, when it is a file that asks for it.

    Raises UnsafeFile when the file's bytes do not justify it: a model of 10 GB in a file of 2 KB.
    """
    allowance = _allowance.get()
    if allowance is not None:
        size = math.prod(int(length or 0) for length in shape) * np.dtype(dtype).itemsize
        allowance.spend(size, f"the weight {shown(name)} of shape {tuple(shape)}")


@contextlib.contextmanager
def counting_calls() -> Iterator[None]:
    """While a model is rebuilt from its config, and all that is nested in it.  Errors are made safe to print."""
    if _calls.get() is not None:
        yield
        return
    calls = _calls.set([0])
    try:
        yield
    except Exception as error:
        tidy(error)
        raise
    finally:
        _calls.reset(calls)


def count_call(name: str) -> None:
    """Note that the nested model of this name calls one of its layers, when it is a config that asks for it.

    Raises UnsafeFile for more calls than any model needs.
    """
    count = _calls.get()
    if count is not None:
        count[0] += 1
        if count[0] > MOST_CALLS:
            raise UnsafeFile(
                f"{shown(name)} and the models nested in it take more than {MOST_CALLS:,} calls of layers to build, "
                "which no model needs"
            )


def parse_json(text: str, where: str) -> Any:
    """The data of a JSON text, within the gate's limits.  Raises DamagedFile or UnsafeFile naming `where`."""
    if len(text) > LONGEST_TEXT:
        raise UnsafeFile(
            f"{where} is a config of {len(text):,} characters; at most {LONGEST_TEXT:,} are read"
        )
    # Counted before it is parsed: "[[],[],..." takes thirty times its length in memory.
    if text.count(",") + text.count("[") + text.count("{") > 2 * MOST_NODES:
        raise _too_many(where)
    try:
        data = json.loads(text, object_pairs_hook=_named_once)
    except RecursionError:
        raise _too_deep(where) from None
    except ValueError as error:
        raise DamagedFile(f"{where} is no JSON: {error}") from error
    check_config(data, where)
    return data


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; readers differ in which of two values of one name they take."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice, _ = Counter(names).most_common(1)[0]
        raise ValueError(f"it has the name {shown(twice)} twice")
    return found


def check_config(config: Any, where: str) -> None:
    """Refuse a config that is not plain data, or is deeper, larger or longer than any model's.

    Live objects that a `get_config` of this process put there (arrays, dtypes, functions) pass; a file has none.
    """
    nodes = 0
    level: list[Any] = [config]
    for _ in range(DEEPEST):
        following: list[Any] = []
        for item in level:
            if isinstance(item, Mapping):
                if not all(isinstance(key, str | int) for key in item):
                    raise DamagedFile(f"{where}: a config has keys that are not text")
                following.extend(item.values())
            elif isinstance(item, list | tuple):
                following.extend(item)
        nodes += len(level)
        if nodes + len(following) > MOST_NODES:
            raise _too_many(where)
        if not following:
            return
        level = following
    raise _too_deep(where)


def array_of(value: Any) -> np.ndarray[Any, Any]:
    """The array of numbers that a config keeps as a number or as nested lists.  Raises DamagedFile for anything else.

    Of texts, an array would take the length of the longest for each.
    """
    level = [value]
    for _ in range(DEEPEST):
        if not all(isinstance(item, int | float | list | tuple) for item in level):
            break
        level = [inner for item in level if isinstance(item, list | tuple) for inner in item]
        if not level:
            with contextlib.suppress(ValueError):
                found = np.array(value)
                if found.dtype != object:
                    return found
            break
    raise DamagedFile(f"A config's array should be of numbers, in lists of equal lengths, not {shown(value)}")


@contextlib.contextmanager
def rebuilding(where: str) -> Iterator[None]:
    """Name the file in whatever goes wrong while its model is rebuilt.

    A config that lacks what it should have makes KeyErrors and the like deep inside `from_config`: these become
    DamagedFile.  ValueError and TypeError are a layer's own words, and what the machine lacks is no fault of the
    file: these keep their kind, with a note.
    """
    try:
        yield
    except RecursionError:
        raise _too_deep(where) from None
    except (ValueError, TypeError, ImportError, MemoryError, OSError, Warning) as error:
        tidy(error)
        error.add_note(f"(while rebuilding the model of {where})")
        raise
    except Exception as error:
        raise DamagedFile(f"{where} does not describe a model that can be built: {summary(error)}") from error


def _too_many(where: str) -> UnsafeFile:
    return UnsafeFile(f"{where} has a config of more than {MOST_NODES:,} entries, which no model needs")


def _too_deep(where: str) -> UnsafeFile:
    return UnsafeFile(f"{where} has a config more than {DEEPEST} levels deep, which no model needs")

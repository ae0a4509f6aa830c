"""LambdaCallback: a callback of a few functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lamina.callbacks import Callback


class LambdaCallback(Callback):
    """Calls the functions it is given.

    on_epoch_begin, on_epoch_end: function(epoch, logs).  on_batch_begin, on_batch_end: function(batch, logs).
    on_train_begin, on_train_end: function(logs).
    kwargs: become attributes.

    Raises TypeError for an event that there is not, and for what is no function.
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_batch_begin: Callable[..., Any] | None = None,
        on_batch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        given = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_batch_begin": on_batch_begin,
            "on_batch_end": on_batch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
        }
        for event, function in given.items():
            if function is not None and not callable(function):
                raise TypeError(f"LambdaCallback calls a function at {event}, met {function!r}")
        for name in kwargs:
            if name.startswith("on_"):
                raise TypeError(f"LambdaCallback knows no event {name}, only {', '.join(given)}")
        # The others stay the base's, and training does not call them.
        self.__dict__.update(kwargs, **{event: function for event, function in given.items() if function})

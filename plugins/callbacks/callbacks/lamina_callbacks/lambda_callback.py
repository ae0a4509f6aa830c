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
        # The others stay the base's, and training does not call them.
        self.__dict__.update(kwargs, **{event: function for event, function in given.items() if function})

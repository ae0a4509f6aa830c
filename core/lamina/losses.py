"""Losses of the installed plugins: functions of (y_true, y_pred)."""

from lamina_registry import facade, verbs

__getattr__, __dir__ = facade("losses")
get, serialize, deserialize = verbs("losses")

"""Metrics of the installed plugins: functions of (y_true, y_pred) that are watched and not minimised."""

from lamina_registry import facade, verbs

__getattr__, __dir__ = facade("metrics")
get, serialize, deserialize = verbs("metrics")

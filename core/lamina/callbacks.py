"""Callbacks of the installed plugins, and those that training itself needs."""

from lamina_registry import facade

__getattr__, __dir__ = facade(
    "callbacks",
    {
        "BaseLogger": "lamina.training.callbacks:BaseLogger",
        "Callback": "lamina.training.callbacks:Callback",
        "CallbackList": "lamina.training.callbacks:CallbackList",
        "History": "lamina.training.callbacks:History",
        "ProgbarLogger": "lamina.training.callbacks:ProgbarLogger",
    },
)

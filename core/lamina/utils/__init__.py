"""Utilities of the installed plugins, and the scopes of custom objects."""

from lamina_registry import facade

__getattr__, __dir__ = facade(
    "utils",
    {
        "CustomObjectScope": "lamina_registry:CustomObjectScope",
        "Progbar": "lamina.training.progbar:Progbar",
        "Sequence": "lamina.training.sequence:Sequence",
        "custom_object_scope": "lamina_registry:custom_object_scope",
        "get_custom_objects": "lamina_registry:get_custom_objects",
        "normalize": "lamina.utils.np_utils:normalize",
        "print_summary": "lamina.engine.summary:print_summary",
        "to_categorical": "lamina.utils.np_utils:to_categorical",
    },
)

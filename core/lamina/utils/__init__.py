"""Utilities of the installed plugins, and the scopes of custom objects."""

from lamina_registry import facade

__getattr__, __dir__ = facade(
    "utils",
    {
        "CustomObjectScope": "lamina_registry:CustomObjectScope",
        "Progbar": "lamina.training.progbar:Progbar",
        "Sequence": "lamina.training.sequence:Sequence",
        "custom_object_scope": "lamina_registry:custom_object_scope",
        "data_utils": "lamina.utils.data_utils",
        "generic_utils": "lamina.utils.generic_utils",
        "get_custom_objects": "lamina_registry:get_custom_objects",
        "io_utils": "lamina.utils.io_utils",
        "layer_utils": "lamina.utils.layer_utils",
        "normalize": "lamina.utils.np_utils:normalize",
        "np_utils": "lamina.utils.np_utils",
        "print_summary": "lamina.engine.summary:print_summary",
        "to_categorical": "lamina.utils.np_utils:to_categorical",
    },
)

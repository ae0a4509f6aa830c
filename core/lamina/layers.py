"""Layers: those of the installed plugins, and what every layer is made with."""

from lamina_registry import facade, places, register, verbs

_CORE = {
    "InputLayer": "lamina.engine.input_layer:InputLayer",
    "Model": "lamina.engine.model:Model",
    "Sequential": "lamina.engine.sequential:Sequential",
}
for _name, _home in _CORE.items():  # layers that files name and no plugin offers
    register(_name, _home, "layers", package="lamina-core")

__getattr__, __dir__ = facade(
    "layers",
    {
        "Input": "lamina.engine.input_layer:Input",
        "InputSpec": "lamina.engine.layer:InputSpec",
        "Layer": "lamina.engine.layer:Layer",
    },
)
_, serialize, deserialize = verbs("layers")

# Where Keras 2 has its layers besides.
places(
    "advanced_activations convolutional convolutional_recurrent core cudnn_recurrent embeddings local merge noise "
    "normalization pooling recurrent wrappers".split()
)

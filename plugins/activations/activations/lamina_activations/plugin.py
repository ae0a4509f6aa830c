"""Activation functions and activation layers by name."""

from lamina_registry import hookimpl

API = 1


@hookimpl
def activations():
    return {
        "elu": "lamina_activations.functions:elu",
        "exponential": "lamina_activations.functions:exponential",
        "hard_sigmoid": "lamina_activations.functions:hard_sigmoid",
        "linear": "lamina_activations.functions:linear",
        "relu": "lamina_activations.functions:relu",
        "selu": "lamina_activations.functions:selu",
        "sigmoid": "lamina_activations.functions:sigmoid",
        "softmax": "lamina_activations.functions:softmax",
        "softplus": "lamina_activations.functions:softplus",
        "softsign": "lamina_activations.functions:softsign",
        "tanh": "lamina_activations.functions:tanh",
    }


@hookimpl
def layers():
    return {
        "ELU": "lamina_activations.elu:ELU",
        "LeakyReLU": "lamina_activations.leaky_relu:LeakyReLU",
        "PReLU": "lamina_activations.prelu:PReLU",
        "ReLU": "lamina_activations.relu:ReLU",
        "Softmax": "lamina_activations.softmax:Softmax",
        "ThresholdedReLU": "lamina_activations.thresholded_relu:ThresholdedReLU",
    }

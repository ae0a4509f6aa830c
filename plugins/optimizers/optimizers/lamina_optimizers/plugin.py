"""Optimizers by name; adam and ADAM find Adam."""

from lamina_registry import hookimpl

API = 1


@hookimpl
def optimizers():
    return {
        "Adadelta": "lamina_optimizers.adadelta:Adadelta",
        "Adagrad": "lamina_optimizers.adagrad:Adagrad",
        "Adam": "lamina_optimizers.adam:Adam",
        "Adamax": "lamina_optimizers.adamax:Adamax",
        "Nadam": "lamina_optimizers.nadam:Nadam",
        "RMSprop": "lamina_optimizers.rmsprop:RMSprop",
        "SGD": "lamina_optimizers.sgd:SGD",
        "TFOptimizer": "lamina_optimizers.tf_optimizer:TFOptimizer",
    }

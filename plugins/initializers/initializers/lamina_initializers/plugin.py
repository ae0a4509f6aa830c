"""Initializers by name.  The names in lower case are Keras's other names for the classes."""

from lamina_registry import hookimpl

API = 1


@hookimpl
def initializers():
    return {
        "Constant": "lamina_initializers.constants:Constant",
        "Identity": "lamina_initializers.constants:Identity",
        "Ones": "lamina_initializers.constants:Ones",
        "Orthogonal": "lamina_initializers.orthogonal:Orthogonal",
        "RandomNormal": "lamina_initializers.random:RandomNormal",
        "RandomUniform": "lamina_initializers.random:RandomUniform",
        "TruncatedNormal": "lamina_initializers.random:TruncatedNormal",
        "VarianceScaling": "lamina_initializers.scaled:VarianceScaling",
        "Zeros": "lamina_initializers.constants:Zeros",
        "constant": "lamina_initializers.constants:Constant",
        "glorot_normal": "lamina_initializers.scaled:glorot_normal",
        "glorot_uniform": "lamina_initializers.scaled:glorot_uniform",
        "he_normal": "lamina_initializers.scaled:he_normal",
        "he_uniform": "lamina_initializers.scaled:he_uniform",
        "identity": "lamina_initializers.constants:Identity",
        "lecun_normal": "lamina_initializers.scaled:lecun_normal",
        "lecun_uniform": "lamina_initializers.scaled:lecun_uniform",
        "normal": "lamina_initializers.random:RandomNormal",
        "one": "lamina_initializers.constants:Ones",
        "ones": "lamina_initializers.constants:Ones",
        "orthogonal": "lamina_initializers.orthogonal:Orthogonal",
        "random_normal": "lamina_initializers.random:RandomNormal",
        "random_uniform": "lamina_initializers.random:RandomUniform",
        "truncated_normal": "lamina_initializers.random:TruncatedNormal",
        "uniform": "lamina_initializers.random:RandomUniform",
        "zero": "lamina_initializers.constants:Zeros",
        "zeros": "lamina_initializers.constants:Zeros",
    }

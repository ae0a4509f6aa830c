"""Layers by name."""

from lamina_registry import hookimpl

API = 1


@hookimpl
def layers():
    return {
        "AlphaDropout": "lamina_noise.noise:AlphaDropout",
        "GaussianDropout": "lamina_noise.noise:GaussianDropout",
        "GaussianNoise": "lamina_noise.noise:GaussianNoise",
    }

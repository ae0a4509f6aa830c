"""Constraints by name.  The names in lower case are Keras's other names for the classes."""

from lamina_registry import hookimpl

API = 1


@hookimpl
def constraints():
    return {
        "MaxNorm": "lamina_constraints.norm:MaxNorm",
        "MinMaxNorm": "lamina_constraints.norm:MinMaxNorm",
        "NonNeg": "lamina_constraints.non_neg:NonNeg",
        "UnitNorm": "lamina_constraints.norm:UnitNorm",
        "max_norm": "lamina_constraints.norm:MaxNorm",
        "maxnorm": "lamina_constraints.norm:MaxNorm",
        "min_max_norm": "lamina_constraints.norm:MinMaxNorm",
        "non_neg": "lamina_constraints.non_neg:NonNeg",
        "nonneg": "lamina_constraints.non_neg:NonNeg",
        "unit_norm": "lamina_constraints.norm:UnitNorm",
        "unitnorm": "lamina_constraints.norm:UnitNorm",
    }

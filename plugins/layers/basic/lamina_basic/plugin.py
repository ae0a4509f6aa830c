"""Layers by name."""

from lamina_registry import hookimpl

API = 1


@hookimpl
def layers():
    return {
        "Activation": "lamina_basic.activation:Activation",
        "ActivityRegularization": "lamina_basic.activity_regularization:ActivityRegularization",
        "Dense": "lamina_basic.dense:Dense",
        "Dropout": "lamina_basic.dropout:Dropout",
        "Flatten": "lamina_basic.reshape:Flatten",
        "Lambda": "lamina_basic.lambda_layer:Lambda",
        "Masking": "lamina_basic.masking:Masking",
        "Permute": "lamina_basic.reshape:Permute",
        "RepeatVector": "lamina_basic.reshape:RepeatVector",
        "Reshape": "lamina_basic.reshape:Reshape",
        "SpatialDropout1D": "lamina_basic.dropout:SpatialDropout1D",
        "SpatialDropout2D": "lamina_basic.dropout:SpatialDropout2D",
        "SpatialDropout3D": "lamina_basic.dropout:SpatialDropout3D",
    }

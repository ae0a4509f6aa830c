"""Pooling: layers and backend functions by name."""

from lamina_registry import hookimpl

API = 1


@hookimpl
def layers():
    return {
        "AveragePooling1D": "lamina_pooling.average_pooling:AveragePooling1D",
        "AveragePooling2D": "lamina_pooling.average_pooling:AveragePooling2D",
        "AveragePooling3D": "lamina_pooling.average_pooling:AveragePooling3D",
        "AvgPool1D": "lamina_pooling.average_pooling:AveragePooling1D",
        "AvgPool2D": "lamina_pooling.average_pooling:AveragePooling2D",
        "AvgPool3D": "lamina_pooling.average_pooling:AveragePooling3D",
        "GlobalAveragePooling1D": "lamina_pooling.global_average_pooling:GlobalAveragePooling1D",
        "GlobalAveragePooling2D": "lamina_pooling.global_average_pooling:GlobalAveragePooling2D",
        "GlobalAveragePooling3D": "lamina_pooling.global_average_pooling:GlobalAveragePooling3D",
        "GlobalAvgPool1D": "lamina_pooling.global_average_pooling:GlobalAveragePooling1D",
        "GlobalAvgPool2D": "lamina_pooling.global_average_pooling:GlobalAveragePooling2D",
        "GlobalAvgPool3D": "lamina_pooling.global_average_pooling:GlobalAveragePooling3D",
        "GlobalMaxPool1D": "lamina_pooling.global_max_pooling:GlobalMaxPooling1D",
        "GlobalMaxPool2D": "lamina_pooling.global_max_pooling:GlobalMaxPooling2D",
        "GlobalMaxPool3D": "lamina_pooling.global_max_pooling:GlobalMaxPooling3D",
        "GlobalMaxPooling1D": "lamina_pooling.global_max_pooling:GlobalMaxPooling1D",
        "GlobalMaxPooling2D": "lamina_pooling.global_max_pooling:GlobalMaxPooling2D",
        "GlobalMaxPooling3D": "lamina_pooling.global_max_pooling:GlobalMaxPooling3D",
        "MaxPool1D": "lamina_pooling.max_pooling:MaxPooling1D",
        "MaxPool2D": "lamina_pooling.max_pooling:MaxPooling2D",
        "MaxPool3D": "lamina_pooling.max_pooling:MaxPooling3D",
        "MaxPooling1D": "lamina_pooling.max_pooling:MaxPooling1D",
        "MaxPooling2D": "lamina_pooling.max_pooling:MaxPooling2D",
        "MaxPooling3D": "lamina_pooling.max_pooling:MaxPooling3D",
    }


@hookimpl
def ops():
    return {
        "pool2d": "lamina_pooling.functions:pool2d",
        "pool3d": "lamina_pooling.functions:pool3d",
    }

"""Layers by name."""

from lamina_registry import hookimpl

API = 1


@hookimpl
def layers():
    return {
        "ConvLSTM2D": "lamina_convlstm.conv_lstm2d:ConvLSTM2D",
        "ConvLSTM2DCell": "lamina_convlstm.conv_lstm2d:ConvLSTM2DCell",
    }

"""Where programs for Keras 2 import from, beside the places that its guides name."""

import importlib

import numpy as np
import pytest

from lamina import backend as K
from lamina.layers import Input
from lamina.models import Model
from lamina.testing import predict

PLACES = {
    "layers.advanced_activations": "ELU LeakyReLU PReLU ReLU Softmax ThresholdedReLU",
    "layers.convolutional": "Conv1D Conv2D Convolution2D MaxPooling2D SeparableConv2D UpSampling2D ZeroPadding2D",
    "layers.convolutional_recurrent": "ConvLSTM2D",
    "layers.core": "Activation Dense Dropout Flatten Lambda Masking Permute RepeatVector Reshape SpatialDropout1D",
    "layers.cudnn_recurrent": "CuDNNGRU CuDNNLSTM",
    "layers.embeddings": "Embedding",
    "layers.local": "LocallyConnected1D LocallyConnected2D",
    "layers.merge": "Add Concatenate Dot _Merge add concatenate dot multiply",
    "layers.noise": "AlphaDropout GaussianDropout GaussianNoise",
    "layers.normalization": "BatchNormalization",
    "layers.pooling": "AveragePooling2D GlobalAveragePooling2D MaxPooling1D",
    "layers.recurrent": "GRU GRUCell LSTM LSTMCell RNN SimpleRNN StackedRNNCells",
    "layers.wrappers": "Bidirectional TimeDistributed Wrapper",
    "engine": "InputSpec Layer Model",
    "engine.base_layer": "InputSpec Layer Node",
    "engine.topology": "Container Input InputSpec Layer Network Node get_source_inputs",
    "engine.training": "Model",
    "legacy.interfaces": "legacy_add_weight_support legacy_get_updates_support",
    "models": "Input Model Sequential load_model",
    "objectives": "categorical_crossentropy get mean_squared_error mse",
    "utils.data_utils": "Sequence get_file",
    "utils.generic_utils": "CustomObjectScope Progbar",
    "utils.io_utils": "HDF5Matrix",
    "utils.layer_utils": "print_summary",
    "utils.np_utils": "normalize to_categorical",
}


@pytest.mark.parametrize(("place", "names"), PLACES.items())
def test_names_are_where_programs_import_them_from(place, names):
    module = importlib.import_module(f"lamina.{place}")
    missing = [name for name in names.split() if not hasattr(module, name)]
    assert missing == []


def test_a_merge_layer_of_ones_own_is_made_from_the_base_that_keras_has():
    from lamina.layers.merge import _Merge

    class Between(_Merge):
        def _merge_function(self, inputs):
            return 0.25 * inputs[0] + 0.75 * inputs[1]

    inputs = [Input((2,)), Input((2,))]
    model = Model(inputs, Between()(inputs))
    assert predict(model, [np.zeros((3, 2)), np.ones((3, 2))]).tolist() == [[0.75, 0.75]] * 3


def test_an_optimizer_made_after_those_of_keras_keeps_its_decorator():
    from lamina.legacy import interfaces
    from lamina.optimizers import Optimizer

    class Plain(Optimizer):
        @interfaces.legacy_get_updates_support
        def get_updates(self, loss, params):
            return [
                K.update_sub(p, 0.5 * g)
                for p, g in zip(params, self.get_gradients(loss, params), strict=True)
            ]

        def get_config(self):
            return {}

    x = K.variable([2.0])
    for asked in (
        lambda: Plain().get_updates(K.sum(x * x), [x]),
        lambda: Plain().get_updates([x], [], K.sum(x * x)),
    ):
        K.set_value(x, [2.0])
        K.function([], [], updates=asked())([])
        assert K.get_value(x) == [0.0]

"""What every convolution says of wrong arguments and inputs, and every function of K here of wrong layouts."""

import inspect

import numpy as np
import pytest

from lamina import backend as K
from lamina import layers
from lamina.layers import Input, Masking
from lamina.models import Model

FILTERS = [
    layers.Conv1D,
    layers.Conv2D,
    layers.Conv2DTranspose,
    layers.Conv3D,
    layers.Conv3DTranspose,
    layers.SeparableConv1D,
    layers.SeparableConv2D,
]
LAYERS = [*FILTERS, layers.DepthwiseConv2D]
SHAPES = [
    getattr(layers, f"{what}{rank}D") for what in ("Cropping", "UpSampling", "ZeroPadding") for rank in (2, 3)
]


def make(layer, **arguments):
    filters = {"filters": 2} if layer in FILTERS else {}
    return layer(**{**filters, "kernel_size": 3, "name": "c", **arguments})


def rank_of(layer):
    return int(layer.__name__.rpartition("D")[0][-1])


ARGUMENTS = [
    ({"filters": 0}, ValueError, "c: filters is the number of channels of the output, a whole .* met 0"),
    ({"filters": 2.5}, ValueError, "c: filters .* met 2.5"),
    ({"filters": None}, TypeError, "c: filters .* met None"),
    ({"filters": "8"}, TypeError, "c: filters .* met '8'"),
    ({"kernel_size": 0}, ValueError, "c: kernel_size is a whole number above 0, or a tuple of .* met 0"),
    (
        {"kernel_size": (3, 3, 3, 3)},
        ValueError,
        r"c: kernel_size .* one for each spatial axis; met \(3, 3, 3, 3\)",
    ),
    ({"kernel_size": "3"}, ValueError, "c: kernel_size .* met '3'"),
    ({"strides": -1}, ValueError, "c: strides is a whole number above 0.* met -1"),
    ({"strides": 1.5}, ValueError, "c: strides .* met 1.5"),
    ({"dilation_rate": 0}, ValueError, "c: dilation_rate .* met 0"),
    (
        {"strides": 2, "dilation_rate": 2},
        ValueError,
        "c: strides=.* and dilation_rate=.* cannot both .* leave one",
    ),
    ({"padding": "full"}, ValueError, "c: padding is one of 'valid', 'same'.* met 'full'"),
    ({"padding": None}, ValueError, "c: padding .* met None"),
    (
        {"data_format": "first"},
        ValueError,
        "c: Unknown data_format 'first': it is neither 'channels_last' nor",
    ),
    ({"output_padding": 2, "strides": 2}, ValueError, r"c: output_padding is less than the stride .*\(2, 2"),
    ({"output_padding": 1}, ValueError, "c: output_padding is less than the stride"),
    ({"output_padding": -1}, ValueError, "c: output_padding is a whole number, 0 or more.* met -1"),
    (
        {"depth_multiplier": 0},
        ValueError,
        "c: depth_multiplier is the number of filters for each channel.* met 0",
    ),
    ({"depth_multiplier": "2"}, TypeError, "c: depth_multiplier .* met '2'"),
    ({"activation": "reloo"}, ValueError, "reloo"),
    ({"bias_regularizer": "l3"}, ValueError, "l3"),
    ({"stride": 2}, TypeError, "stride. Did you mean strides?"),
]


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(("arguments", "error", "told"), ARGUMENTS)
def test_a_wrong_argument_is_named(layer, arguments, error, told):
    if arguments.keys() - inspect.signature(layer).parameters.keys() - {"dilation_rate", "stride"}:
        error, told = TypeError, "Keyword argument not understood|multiple values for argument 'filters'"
    with pytest.raises(error, match=told):
        make(layer, **arguments)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("first", [False, True])
def test_a_wrong_input_is_named(layer, first):
    rank = rank_of(layer)
    data_format = "channels_first" if first else "channels_last"

    def call(sizes, channels):
        return make(layer, data_format=data_format)(
            Input((channels, *sizes) if first else (*sizes, channels))
        )

    with pytest.raises(ValueError, match=f"layer c: expected ndim={rank + 2}, found ndim={rank + 1}"):
        make(layer)(Input((8,) * rank))
    with pytest.raises(ValueError, match=r"c needs weights for each channel.* axis -?1 .*input_shape"):
        call([8] * rank, None)
    if not layer.__name__.endswith("Transpose"):
        with pytest.raises(
            ValueError, match=f"c: .* spans 3 positions .* axis {rank - 1}, which has 2: .*'same'"
        ):
            call([8] * (rank - 1) + [2], 4)
    with pytest.raises(ValueError, match="c: .*spatial axis 0,? .*has 0 positions.* at least one"):
        call([0] + [8] * (rank - 1), 4)
    with pytest.raises(TypeError, match="Layer c does not support masking"):
        make(layer)(Masking()(Input((8,) * rank + (4,))))
    built = make(layer, data_format=data_format)
    built(Input((4, *[8] * rank) if first else (*[8] * rank, 4)))
    with pytest.raises(ValueError, match="layer c: expected axis -?1 of input shape to have value 4"):
        built(Input((5, *[8] * rank) if first else (*[8] * rank, 5)))


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_inputs_that_turn_out_to_have_no_position_are_an_error_when_running(layer, padding):
    rank = rank_of(layer)
    inputs = Input((*[None] * rank, 3))
    model = Model(inputs, make(layer, padding=padding)(inputs))
    with pytest.raises(ValueError, match="c: .*0 positions.* at least one"):
        model.predict(np.zeros((2, *[0] * rank, 3)))


@pytest.mark.parametrize("layer", SHAPES)
def test_an_unknown_layout_is_named(layer):
    with pytest.raises(ValueError, match="p: Unknown data_format 'last': it is neither 'channels_last' nor"):
        layer(data_format="last", name="p")


X = {rank: K.placeholder((None, *[8] * rank, 2)) for rank in (1, 2, 3)}
W = {rank: K.placeholder((*[3] * rank, 2, 2)) for rank in (1, 2, 3)}
ONE = {rank: K.placeholder((*[1] * rank, 4, 2)) for rank in (1, 2)}


@pytest.mark.parametrize(
    "call",
    [
        lambda **k: K.conv1d(X[1], W[1], **k),
        lambda **k: K.conv2d(X[2], W[2], **k),
        lambda **k: K.conv2d_transpose(X[2], W[2], (None, 10, 10, 2), **k),
        lambda **k: K.conv3d(X[3], W[3], **k),
        lambda **k: K.conv3d_transpose(X[3], W[3], (None, 10, 10, 10, 2), **k),
        lambda **k: K.depthwise_conv2d(X[2], W[2], **k),
        lambda **k: K.separable_conv1d(X[1], W[1], ONE[1], **k),
        lambda **k: K.separable_conv2d(X[2], W[2], ONE[2], **k),
    ],
    ids=["conv1d", "conv2d", "conv2d_transpose", "conv3d", "conv3d_transpose", "depthwise_conv2d", "separable_conv1d",
         "separable_conv2d"],
)  # fmt: skip
def test_a_function_refuses_layouts_and_paddings_it_does_not_know(call):
    call()
    with pytest.raises(
        ValueError, match="data_format 'rows': it is neither 'channels_last' nor 'channels_first'"
    ):
        call(data_format="rows")
    with pytest.raises(ValueError, match="conv.*: padding is one of 'valid', 'same'.* met 'full'"):
        call(padding="full")
    with pytest.raises(ValueError, match="conv.*: strides is a whole number above 0.* met 0"):
        call(strides=0)

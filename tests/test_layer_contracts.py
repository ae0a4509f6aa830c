"""What holds for every layer there is: which masks it takes, what kinds of numbers, which parts act on its weights."""

import inspect

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lamina import backend as K
from lamina import layers as every
from lamina.layers import (
    GRU,
    LSTM,
    Bidirectional,
    Dense,
    Input,
    Layer,
    LSTMCell,
    SimpleRNN,
    TimeDistributed,
)
from lamina.models import Model, Sequential, clone_model
from lamina_registry import names

STEPS, IMAGE, VOLUME = (6, 3), (6, 5, 3), (4, 5, 4, 2)

# What a layer is made with and called on; one input of three axes if nothing else is said.
ARGUMENTS = {
    "Activation": ("tanh",),
    "ActivityRegularization": (0.1,),
    "AlphaDropout": (0.5,),
    "BatchNormalization": (),
    "Bidirectional": (lambda: LSTM(2),),
    "Conv1D": (2, 2),
    "Conv2D": (2, 2),
    "Conv2DTranspose": (2, 2),
    "Conv3D": (2, 2),
    "Conv3DTranspose": (2, 2),
    "ConvLSTM2D": (2, 2),
    "ConvLSTM2DCell": (2, 2),
    "CuDNNGRU": (2,),
    "CuDNNLSTM": (2,),
    "Dense": (2,),
    "DepthwiseConv2D": (2,),
    "Dot": (2,),
    "Dropout": (0.5,),
    "Embedding": (9, 2),
    "GRU": (2,),
    "GRUCell": (2,),
    "GaussianDropout": (0.5,),
    "GaussianNoise": (0.5,),
    "LSTM": (2,),
    "LSTMCell": (2,),
    "Lambda": (lambda: K.tanh,),
    "LocallyConnected1D": (2, 2),
    "LocallyConnected2D": (2, 2),
    "Permute": ((2, 1),),
    "RNN": (lambda: LSTMCell(2),),
    "RepeatVector": (2,),
    "SeparableConv1D": (2, 2),
    "SeparableConv2D": (2, 2),
    "Reshape": ((-1,),),
    "SimpleRNN": (2,),
    "SimpleRNNCell": (2,),
    "SpatialDropout1D": (0.5,),
    "SpatialDropout2D": (0.5,),
    "SpatialDropout3D": (0.5,),
    "StackedRNNCells": (lambda: [LSTMCell(2), LSTMCell(2)],),
    "TimeDistributed": (lambda: Dense(2),),
}
SHAPES = {
    "ConvLSTM2D": (3, 5, 5, 2),
    "ConvLSTM2DCell": (5, 5, 2),
    "DepthwiseConv2D": IMAGE,
    "GRUCell": (3,),
    "LSTMCell": (3,),
    "RepeatVector": (3,),
    "SimpleRNNCell": (3,),
    "StackedRNNCells": (3,),
}
MERGES = {"Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract"}
CELLS = {"ConvLSTM2DCell", "GRUCell", "LSTMCell", "SimpleRNNCell", "StackedRNNCells"}
# One name for each class.  Models are for other tests, and `Wrapper` does nothing by itself.
LAYERS = sorted(
    {
        name
        for name in names("layers")
        if isinstance(getattr(every, name), type) and getattr(every, name).__name__ == name
    }
    - {"InputLayer", "Model", "Sequential", "Wrapper"}
)
CALLED = [name for name in LAYERS if name not in CELLS]

PASSES = {
    "Activation", "ActivityRegularization", "AlphaDropout", "BatchNormalization", "Dense", "Dropout", "ELU",
    "GaussianDropout", "GaussianNoise", "LeakyReLU", "Masking", "PReLU", "ReLU", "Softmax", "SpatialDropout1D",
    "SpatialDropout2D", "SpatialDropout3D", "ThresholdedReLU", "TimeDistributed",
}  # fmt: skip
PASSES |= MERGES - {"Dot"}
STOPS = {
    "Bidirectional", "ConvLSTM2D", "Dot", "Embedding", "GRU", "GlobalAveragePooling1D", "LSTM", "Lambda", "RNN",
    "SimpleRNN",
}  # fmt: skip
DRAWS = {"AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise"} | {
    f"SpatialDropout{n}D" for n in "123"
}


@pytest.fixture(autouse=True)
def _fresh_names():
    K.clear_session()


def make(name, /, **more):
    arguments = [
        argument() if inspect.isfunction(argument) else argument for argument in ARGUMENTS.get(name, ())
    ]
    return getattr(every, name)(*arguments, **more)


def shape_of(name):
    ndim = next((n for n in (2, 3) if f"{n}D" in name), 1)
    return SHAPES.get(name, (STEPS, IMAGE, VOLUME)[ndim - 1])


def inputs_of(name, dtype=None):
    shape = shape_of(name)
    return [Input(shape, dtype=dtype) for _ in range(2 if name in MERGES else 1)]


def called(layer, inputs):
    return layer(inputs if len(inputs) > 1 else inputs[0])


class Steps(Layer):
    """Its input, with the steps masked that hold nothing but 0."""

    def call(self, x):
        return x

    def compute_mask(self, x, mask=None):
        return K.any(K.not_equal(x, 0), axis=list(range(2, K.ndim(x))))


# ---- masks


def test_every_mask_is_accounted_for():
    assert PASSES | STOPS < set(CALLED)
    assert not PASSES & STOPS


@pytest.mark.parametrize("name", [name for name in CALLED if len(shape_of(name)) > 1])
def test_a_mask_is_passed_on_stopped_or_refused(name):
    inputs = inputs_of(name)
    layer = make(name)
    masked = [Steps()(x) for x in inputs]
    if name not in PASSES | STOPS:
        with pytest.raises(TypeError, match=rf"{layer.name}.*mask"):
            called(layer, masked)
        return
    output = called(layer, masked)
    shape = (4, *shape_of(name))
    data = [np.random.default_rng(n).integers(1, 9, shape).astype("float32") for n in range(len(inputs))]
    data[0][:2, 1:] = 0
    (found,) = K.function([*inputs, K.learning_phase()], [output])([*data, 1])
    assert np.isfinite(found).all()
    if name in STOPS:
        assert layer.output_mask is None
        return
    (mask,) = K.function(inputs, [layer.output_mask])(data)
    expected = (data[0] != 0).any(axis=tuple(range(2, len(shape))))
    if name == "Concatenate":
        # Each input's mask as far as its features go.
        assert mask.shape[:2] == expected.shape and (mask.reshape(4, shape[1], -1)[..., 0] == expected).all()
    else:
        assert (mask == expected).all()


@pytest.mark.parametrize(
    "make_sequences",
    [
        lambda: LSTM(2, return_sequences=True),
        lambda: GRU(2, return_sequences=True, reset_after=True),
        lambda: SimpleRNN(2, return_sequences=True),
        lambda: Bidirectional(LSTM(2, return_sequences=True)),
        lambda: TimeDistributed(TimeDistributed(Dense(2))),
        lambda: every.RNN([LSTMCell(2), LSTMCell(3)], return_sequences=True),
    ],
)
def test_layers_that_answer_sequences_pass_masks_on(make_sequences):
    layer = make_sequences()
    nested = isinstance(layer, TimeDistributed)
    x = Input((4, 3, 2) if nested else (4, 3))
    data = np.ones((2, *K.int_shape(x)[1:]), "float32")
    data[0, 2:] = 0
    layer(Steps()(x))
    (mask,) = K.function([x], [layer.output_mask])([data])
    expected = np.array([[1, 1, 0, 0], [1, 1, 1, 1]], bool)
    # Within a masked step every step is masked.
    assert (mask == (np.stack([expected] * 3, axis=-1) if nested else expected)).all()


# ---- kinds of numbers


# Merging is arithmetic, which keeps the kind of its numbers: a sum of booleans is one, and 0 - 1 is 255 in a uint8.
KINDS = [
    (name, dtype)
    for name in CALLED
    for dtype in ("int32", "int64", "float64", *(() if name in MERGES else ("uint8", "bool")))
]


@pytest.mark.parametrize(("name", "dtype"), KINDS)
def test_numbers_of_any_kind_are_computed_as_floats(name, dtype):
    layer, other = make(name), make(name)
    data = [
        np.random.default_rng(n).integers(0, 3, (4, *shape_of(name))).astype(dtype)
        for n in range(2 if name in MERGES else 1)
    ]
    inputs, others = inputs_of(name, dtype), inputs_of(name)
    found, expected = called(layer, inputs), called(other, others)
    weights = [np.random.default_rng(0).uniform(0.1, 1, w.shape) for w in other.get_weights()]
    layer.set_weights(weights)
    other.set_weights(weights)
    for phase in (0,) if name in DRAWS else (0, 1):
        (one,) = K.function([*inputs, K.learning_phase()], [found])([*data, phase])
        (two,) = K.function([*others, K.learning_phase()], [expected])([*data, phase])
        assert_allclose(one.astype("float64"), two, rtol=1e-4, atol=1e-5)
    if layer.trainable_weights:
        assert None not in K.gradients(K.sum(found), layer.trainable_weights)


FORMS = {
    "Fortran": np.asfortranarray,
    "reversed": lambda x: np.ascontiguousarray(x[::-1, ..., ::-1])[::-1, ..., ::-1],
    "every second": lambda x: np.repeat(np.repeat(x, 2, axis=0), 2, axis=-1)[::2, ..., ::2],
    "of another axis order": lambda x: np.ascontiguousarray(np.moveaxis(x, 0, -1)).transpose(
        -1, *range(x.ndim - 1)
    ),
    "swapped": lambda x: x.astype(x.dtype.newbyteorder()),
    "objects": lambda x: x.astype(object),
    "lists": np.ndarray.tolist,
}


@pytest.mark.parametrize("name", CALLED)
def test_numbers_of_any_form_are_the_same_numbers(name):
    inputs = inputs_of(name)
    model = Model(inputs, called(make(name), inputs))
    data = [
        np.random.default_rng(n).uniform(0, 2, (4, *shape_of(name))).astype("float32")
        for n in range(len(inputs))
    ]
    expected = model.predict(data)
    assert np.isfinite(expected).all()
    for form, change in FORMS.items():
        given = [change(x) for x in data]
        # A list of one array is that array, so a list that is the array itself stands in one.
        assert_allclose(model.predict(given), expected, rtol=1e-5, atol=1e-6, err_msg=form)
    fixed = [x.copy() for x in data]
    for x in fixed:
        x.flags.writeable = False
    assert_allclose(model.predict(fixed), expected, rtol=1e-6)


# ---- around a layer


@pytest.mark.parametrize("known", [True, False], ids=["known", "open"])
@pytest.mark.parametrize("name", [name for name in CALLED if name not in MERGES])
def test_a_layer_at_every_step_is_the_layer_on_its_own(name, known):
    one, every_step = make(name), TimeDistributed(make(name))
    x, steps = Input(shape_of(name)), Input((3 if known else None, *shape_of(name)))
    alone = Model(x, one(x))
    along = Model(steps, every_step(steps))
    along.set_weights([np.random.default_rng(0).uniform(0, 1, w.shape) for w in along.get_weights()])
    alone.set_weights(along.get_weights())
    data = np.random.default_rng(1).uniform(0, 2, (2, 3, *shape_of(name))).astype("float32")
    expected = np.stack([alone.predict(data[:, step]) for step in range(3)], axis=1)
    assert_allclose(along.predict(data), expected, rtol=1e-4, atol=1e-5)
    assert along.output_shape == (None, 3 if known else None, *alone.output_shape[1:])
    assert len(along.trainable_weights) == len(alone.trainable_weights)


@pytest.mark.parametrize("name", [name for name in CALLED if name not in MERGES])
def test_a_layer_in_models_in_models_is_the_layer_on_its_own(name):
    x = Input(shape_of(name))
    inner = Model(x, make(name, name="core")(x))
    outer = Sequential([inner])
    y = Input(shape_of(name))
    model = Model(y, outer(y))
    data = np.random.default_rng(1).uniform(0, 2, (2, *shape_of(name))).astype("float32")
    assert (model.predict(data) == inner.predict(data)).all()
    for again in (type(model).from_config(model.get_config()), clone_model(model)):
        assert [w.shape for w in again.weights] == [w.shape for w in inner.weights]
        again.set_weights(model.get_weights())
        assert (again.predict(data) == inner.predict(data)).all()


# ---- parts


def parts(kind):
    """The layers that take parts of this kind, and the arguments they take them as."""
    return [
        (name, argument)
        for name in CALLED
        for argument in inspect.signature(getattr(every, name)).parameters
        if argument.endswith(f"_{kind}") and not argument.startswith("activity")
    ]


def of(weights, argument):
    """The weights among these that an argument is about: kernel_constraint is about the kernels."""
    which = argument.rsplit("_", 1)[0]
    return [w for w in weights if w.name.split("/")[-1].split(":")[0].startswith(which)]


@pytest.mark.parametrize(("name", "argument"), parts("regularizer"))
def test_every_weight_has_the_regularizer_that_is_said_to_be_its_own(name, argument):
    seen = []

    def regularizer(w):
        seen.append(w)
        return K.sum(w) * 0 + 3

    layer = make(name, **{argument: regularizer})
    inputs = inputs_of(name)
    called(layer, inputs)
    wanted = of(layer.trainable_weights, argument)
    assert wanted and {id(w) for w in seen} == {id(w) for w in wanted}
    assert [K.eval(loss) for loss in layer.losses] == [3] * len(wanted)
    called(layer, inputs_of(name))  # once, not once a call
    assert len(layer.losses) == len(wanted)


@pytest.mark.parametrize(("name", "argument"), parts("constraint"))
def test_every_weight_has_the_constraint_that_is_said_to_be_its_own(name, argument):
    layer = make(name, **{argument: lambda w: w * 0 + 7})
    inputs = inputs_of(name)
    output = called(layer, inputs)
    wanted = of(layer.trainable_weights, argument)
    assert wanted and all((w.constraint is not None) == any(w is v for v in wanted) for w in layer.weights)
    model = Model(inputs, output)
    model.compile("sgd", "mse")
    data = [np.ones((2, *shape_of(name)), "float32")] * len(inputs)
    model.train_on_batch(data, np.zeros((2, *model.output_shape[1:])))
    for w in layer.trainable_weights:
        assert (K.get_value(w) == 7).all() == any(w is v for v in wanted)


@pytest.mark.parametrize(
    "name",
    [name for name in CALLED if "activity_regularizer" in inspect.signature(getattr(every, name)).parameters],
)
def test_activity_is_regularized_once_for_every_call(name):
    layer = make(name, activity_regularizer=lambda y: K.sum(K.square(y)))
    x = Input(shape_of(name))
    data = np.random.default_rng(0).uniform(0, 1, (3, *shape_of(name))).astype("float32")
    output = layer(x)
    (loss,) = layer.get_losses_for(x)
    found, value = K.function([x], [output, loss])([data])
    assert value == pytest.approx((found.astype("float64") ** 2).sum(), rel=1e-4)
    layer(Input(shape_of(name)))
    assert len(layer.losses) == 2 and layer.get_losses_for(None) == []


# ---- errors that are documented for many


def takes(argument):
    return [name for name in LAYERS if argument in inspect.signature(getattr(every, name)).parameters]


@pytest.mark.parametrize("name", LAYERS)
def test_an_unknown_argument_is_refused_by_every_layer(name):
    with pytest.raises(TypeError, match="unit_count"):
        make(name, unit_count=3)


@pytest.mark.parametrize("name", takes("data_format"))
def test_an_unknown_layout_is_refused_in_the_name_of_the_layer(name):
    with pytest.raises(ValueError, match=r"mine.*'channels'.*'channels_last'.*'channels_first'"):
        make(name, data_format="channels", name="mine")


@pytest.mark.parametrize("name", takes("padding"))
def test_an_unknown_padding_is_refused_in_the_name_of_the_layer(name):
    wrong = {"padding": ((1, 1),) * 4} if "ZeroPadding" in name else {"padding": "full"}
    with pytest.raises(ValueError, match=r"mine.*(padding|border mode)"):
        make(name, name="mine", **wrong)


@pytest.mark.parametrize("name", takes("dilation_rate"))
def test_strides_and_dilation_do_not_go_together(name):
    with pytest.raises(ValueError, match="mine.*strides.*dilation_rate|mine.*dilation_rate.*strides"):
        make(name, name="mine", strides=2, dilation_rate=2)


@pytest.mark.parametrize(
    "name", [name for name in LAYERS if "activation" in ARGUMENTS or name in takes("activation")]
)
def test_an_unknown_activation_is_named(name):
    arguments = ("relo",) if name == "Activation" else None
    with pytest.raises(ValueError, match="'relo'. Close to it: relu"):
        if arguments:
            getattr(every, name)(*arguments)
        else:
            make(name, activation="relo")


@pytest.mark.parametrize("name", sorted(MERGES))
@pytest.mark.parametrize("count", [0, 1, 3])
def test_merging_needs_several_inputs_that_fit(name, count):
    tensors = [Input(STEPS) for _ in range(count)]
    layer = make(name)
    if count == 3:
        if name not in ("Dot", "Subtract"):
            assert K.int_shape(layer(tensors))[:2] == (None, 6)
            return
    elif count == 1:
        with pytest.raises(ValueError, match=layer.name):
            layer(tensors[0])
    with pytest.raises(ValueError, match=layer.name):
        layer(tensors)


@pytest.mark.parametrize("name", sorted(MERGES))
def test_what_does_not_fit_together_is_not_merged(name):
    layer = make(name)
    with pytest.raises(ValueError, match=rf"{layer.name}.*5"):
        layer([Input((6, 3)), Input((5, 4))])
    function = getattr(every, name.lower())
    with pytest.raises(ValueError, match=name.lower()):
        function([Input(STEPS)], *ARGUMENTS.get(name, ()))


@pytest.mark.parametrize("name", CALLED)
def test_a_tensor_of_too_few_axes_is_taken_or_refused_in_the_name_of_the_layer(name):
    layer = make(name, name="mine")
    inputs = [Input(()) for _ in range(2 if name in MERGES else 1)]
    try:
        found = Model(inputs, called(layer, inputs)).predict([np.ones(3)] * len(inputs))
    except ValueError as error:
        assert "mine" in str(error)
    else:
        assert found.shape[0] == 3 and np.isfinite(found).all()


LINE, IMAGES, VOLUMES = (K.placeholder((None, *[6] * n, 3)) for n in (1, 2, 3))
# The arguments behind the first, and what x is.
FUNCTIONS = {
    "bias_add": (IMAGES, K.zeros((3,))),
    "conv1d": (LINE, K.zeros((2, 3, 4))),
    "conv2d": (IMAGES, K.zeros((2, 2, 3, 4))),
    "conv2d_transpose": (IMAGES, K.zeros((2, 2, 4, 3)), (None, 7, 7, 4)),
    "conv3d": (VOLUMES, K.zeros((2, 2, 2, 3, 4))),
    "conv3d_transpose": (VOLUMES, K.zeros((2, 2, 2, 4, 3)), (None, 7, 7, 7, 4)),
    "depthwise_conv2d": (IMAGES, K.zeros((2, 2, 3, 1))),
    "local_conv1d": (LINE, K.zeros((5, 6, 4)), (2,), (1,)),
    "local_conv2d": (IMAGES, K.zeros((25, 12, 4)), (2, 2), (1, 1), (5, 5)),
    "pool2d": (IMAGES, (2, 2)),
    "pool3d": (VOLUMES, (2, 2, 2)),
    "resize_images": (IMAGES, 2, 2),
    "resize_volumes": (VOLUMES, 2, 2, 2),
    "separable_conv1d": (LINE, K.zeros((2, 3, 1)), K.zeros((1, 3, 4))),
    "separable_conv2d": (IMAGES, K.zeros((2, 2, 3, 1)), K.zeros((1, 1, 3, 4))),
    "spatial_2d_padding": (IMAGES,),
    "spatial_3d_padding": (VOLUMES,),
}


def test_every_function_with_a_layout_is_accounted_for():
    known = {
        name
        for name in dir(K)
        if inspect.isfunction(getattr(K, name))
        and "data_format" in inspect.signature(getattr(K, name)).parameters
    }
    assert known - {"normalize_data_format", "set_image_data_format"} == set(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_unknown_layout_is_refused_by_every_function(name):
    function = getattr(K, name)
    assert K.is_tensor(function(*FUNCTIONS[name], data_format="channels_last"))
    for wrong in ("channels", "tf", 1):
        with pytest.raises(ValueError, match=rf"{wrong!r}.*'channels_last'.*'channels_first'"):
            function(*FUNCTIONS[name], data_format=wrong)


@pytest.mark.parametrize("name", ["pool2d", "pool3d"])
def test_an_unknown_way_to_pool_is_refused(name):
    with pytest.raises(ValueError, match="'max' or 'avg'; met 'sum'"):
        getattr(K, name)(*FUNCTIONS[name], pool_mode="sum")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: K.set_learning_phase(2), "2"),
        (lambda: K.is_keras_tensor(np.ones(3)), "symbolic"),
        (lambda: K.function([LINE], [LINE], learning_phase=1), "learning_phase"),
    ],
)
def test_other_errors_that_the_documentation_of_k_tells_of(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lamina import backend as K
from lamina import layers
from lamina.layers import (
    RNN,
    Activation,
    ActivityRegularization,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Input,
    Lambda,
    Layer,
    Masking,
    SimpleRNNCell,
    TimeDistributed,
    Wrapper,
)
from lamina.models import Model, Sequential, clone_model, load_model, model_from_json
from lamina.testing import Case, parametrize_layers, predict
from lamina_registry import CustomObjectScope


def encoder():
    """A model of two layers, one of which differs in training."""
    x = Input((2,))
    return Model(x, Dense(3, activation="tanh")(Dropout(0.5)(x)))


EVERYTHING = {"kernel_regularizer": "l2", "bias_regularizer": "l1", "activity_regularizer": "l1_l2"}


def stepwise(x, kernel, bias):
    return x @ kernel + bias


@parametrize_layers(
    Case(TimeDistributed, lambda: {"layer": Dense(3)}, shape=(4, 2), reference=stepwise, id="Dense"),
    Case(
        TimeDistributed, lambda: {"layer": Dense(3)}, shape=(None, 2), reference=stepwise, id="unknown time"
    ),
    Case(
        TimeDistributed,
        lambda: {"layer": Dense(3)},
        shape=(4, 2),
        batch=3,
        reference=stepwise,
        id="fixed batch",
    ),
    Case(
        TimeDistributed, lambda: {"layer": Dense(3)}, shape=(None, 2), batch=3, id="fixed batch, unknown time"
    ),
    Case(TimeDistributed, lambda: {"layer": Dense(3, **EVERYTHING)}, shape=(4, None, 2), id="penalties"),
    Case(TimeDistributed, lambda: {"layer": Conv2D(2, 2)}, shape=(2, 3, 4, 1), mask="refused", id="Conv2D"),
    Case(TimeDistributed, lambda: {"layer": BatchNormalization()}, shape=(4, 2), id="BatchNormalization"),
    Case(TimeDistributed, lambda: {"layer": Dropout(0.5)}, shape=(4, 2), id="Dropout"),
    Case(TimeDistributed, lambda: {"layer": Flatten()}, shape=(4, 2, 3), mask="refused", id="Flatten"),
    Case(TimeDistributed, lambda: {"layer": Masking()}, shape=(4, 2, 3), id="Masking"),
    Case(
        TimeDistributed,
        lambda: {"layer": Embedding(7, 3)},
        shape=(4, 2),
        dtype="int32",
        low=0,
        high=7,
        mask="passed",
        id="Embedding",
    ),
    Case(TimeDistributed, lambda: {"layer": encoder()}, shape=(4, 2), mask="passed", id="Model"),
    Case(
        TimeDistributed,
        lambda: {"layer": Sequential([Dense(3, input_shape=(2,)), BatchNormalization(), Dense(1)])},
        shape=(4, 2),
        mask="passed",
        id="Sequential",
    ),
    Case(
        TimeDistributed,
        lambda: {"layer": Sequential([Dense(3), Activation("relu")])},
        shape=(None, 2),
        id="Sequential not built",
    ),
    Case(TimeDistributed, lambda: {"layer": TimeDistributed(Dense(3))}, shape=(4, None, 2), id="twice"),
    Case(
        TimeDistributed,
        lambda: {"layer": layers.Concatenate()},
        shape=[(4, 2), (4, 3)],
        reference=lambda x, y: np.concatenate([x, y], -1),
        id="several inputs",
    ),
)
def test_conforms(case, check):
    check(case)


# ---- shapes


@pytest.mark.parametrize(
    ("layer", "shape", "out"),
    [
        (lambda: Dense(8), (None, 10, 16), (None, 10, 8)),
        (lambda: Dense(8), (32, 10, 16), (32, 10, 8)),
        (lambda: Dense(8), (None, None, 16), (None, None, 8)),
        (lambda: Dense(8), (32, None, 16), (32, None, 8)),
        (lambda: Conv2D(64, 3), (None, 10, 299, 299, 3), (None, 10, 297, 297, 64)),
        (lambda: Conv2D(4, 3), (None, None, None, None, 3), (None, None, None, None, 4)),
        (encoder, (None, 5, 2), (None, 5, 3)),
    ],
)
def test_shapes_are_those_of_the_layer_with_time_put_in(layer, shape, out):
    assert TimeDistributed(layer()).compute_output_shape(shape) == out
    assert TimeDistributed(layer())(Input(batch_shape=shape)).shape == out


def test_sequences_of_another_length_are_welcome():
    layer = TimeDistributed(Dense(3))
    assert layer(Input((4, 2))).shape == (None, 4, 3)
    assert layer(Input((7, 2))).shape == (None, 7, 3)
    assert layer(Input((None, 2))).shape == (None, None, 3)


def test_sizes_that_only_the_layer_before_knows_are_kept():
    x = Lambda(lambda x: K.reshape(x, K.shape(x) * 1), output_shape=(4, 2))(Input((4, 2)))
    layer = TimeDistributed(Dense(3))
    assert layer(x).shape == (None, 4, 3)


def test_no_steps_give_no_steps():
    assert predict(TimeDistributed(Dense(3)), np.zeros((2, 0, 4), "float32")).shape == (2, 0, 3)


def test_every_step_is_what_the_layer_makes_of_it():
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 4, 1)).astype("float32")
    layer = Conv2D(2, 3)
    y = predict(TimeDistributed(layer), x)
    for step in range(3):
        assert_allclose(y[:, step], predict(layer, x[:, step]), rtol=1e-5, atol=1e-6)


def test_a_layer_of_several_outputs_gives_several():
    class Halves(Layer):
        def call(self, inputs):
            return [inputs[:, :2], inputs[:, 2:] * 2]

    x = np.arange(24.0).reshape(2, 3, 4)
    a, b = predict(TimeDistributed(Halves()), x)
    assert_array_equal(a, x[..., :2])
    assert_array_equal(b, x[..., 2:] * 2)


# ---- weights


def test_the_weights_are_the_layers_own():
    wrapper = TimeDistributed(Dense(3), name="td")
    wrapper(Input((4, 2)))
    assert [w.name for w in wrapper.weights] == ["td/kernel:0", "td/bias:0"]
    assert wrapper.weights == wrapper.layer.weights
    assert wrapper.count_params() == 9


def test_get_weights_has_the_order_of_the_model_and_weights_has_trainable_ones_first():
    inner = Sequential([Dense(3, input_shape=(2,)), BatchNormalization(), Dense(1)])
    wrapper = TimeDistributed(inner)
    wrapper(Input((4, 2)))
    assert [a.shape for a in wrapper.get_weights()] == [(2, 3), (3,), (3,), (3,), (3,), (3,), (3, 1), (1,)]
    assert [w.shape for w in wrapper.weights] == [(2, 3), (3,), (3,), (3,), (3, 1), (1,), (3,), (3,)]


def test_weights_given_to_the_layer_are_what_it_starts_from():
    kernel, bias = np.ones((2, 3)), np.arange(3)
    wrapper = TimeDistributed(Dense(3, weights=[kernel, bias]))
    wrapper(Input((4, 2)))
    assert_array_equal(wrapper.get_weights()[1], bias)
    wrapper = TimeDistributed(Dense(3), weights=[kernel, bias])
    wrapper(Input((4, 2)))
    assert_array_equal(wrapper.get_weights()[0], kernel)


def test_a_layer_that_has_weights_keeps_them():
    layer = Dense(3)
    layer(Input((2,)))
    before = layer.get_weights()
    wrapper = TimeDistributed(layer)
    wrapper(Input((4, 2)))
    assert_array_equal(wrapper.get_weights()[0], before[0])
    assert wrapper.weights == layer.weights


def test_frozen_is_the_wrapper_where_the_layer_is():
    wrapper = TimeDistributed(Dense(3, trainable=False))
    wrapper(Input((4, 2)))
    assert not wrapper.trainable and not wrapper.trainable_weights and len(wrapper.non_trainable_weights) == 2
    wrapper.trainable = True
    assert wrapper.layer.trainable and len(wrapper.trainable_weights) == 2


# ---- losses and updates


def test_penalties_count_once():
    x = Input((4, 2))
    wrapper = TimeDistributed(Dense(3, **EVERYTHING))
    model = Model(x, wrapper(x))
    assert len(wrapper.get_losses_for(None)) == 2
    assert len(wrapper.get_losses_for(x)) == 1
    assert len(wrapper.losses) == len(model.losses) == 3


def test_an_activity_penalty_is_that_of_all_steps():
    x = Input((2, 2))
    wrapper = TimeDistributed(Activation("linear"))
    wrapper.layer.activity_regularizer = lambda y: K.sum(K.square(y))
    wrapper(x)
    (loss,) = wrapper.get_losses_for(x)
    assert K.function([x], [loss])([np.array([[[1, 2], [3, 4]]])])[0] == 30


def test_losses_inside_a_model_are_found():
    x = Input((4, 2))
    inner = Sequential([ActivityRegularization(l2=1.0, input_shape=(2,)), Dense(1, kernel_regularizer="l2")])
    wrapper = TimeDistributed(inner)
    model = Model(x, wrapper(x))
    assert len(wrapper.get_losses_for(x)) == 1
    assert len(model.losses) == 2


class Coded(Model):
    """A model that is written as code."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.normalize = BatchNormalization(momentum=0.5)
        self.regularize = ActivityRegularization(l2=1.0)

    def call(self, inputs):
        return self.regularize(self.normalize(inputs))


@pytest.mark.parametrize(
    "make",
    [
        lambda: BatchNormalization(momentum=0.5),
        lambda: Sequential([BatchNormalization(momentum=0.5, input_shape=(2,))]),
        lambda: TimeDistributed(BatchNormalization(momentum=0.5)),
        Coded,
    ],
    ids=["layer", "model", "wrapper", "code"],
)
def test_training_runs_the_updates_of_what_is_inside(make):
    inner = make()
    shape = (3, 2, 2) if isinstance(inner, TimeDistributed) else (3, 2)
    x = Input(shape)
    wrapper = TimeDistributed(inner)
    model = Model(x, wrapper(x))
    assert len(wrapper.get_updates_for(x)) == len(model.updates) == 2
    model.compile("sgd", "mse")
    data = np.random.default_rng(0).normal(4, 1, (5, *shape))
    model.train_on_batch(data, data)
    mean = model.get_weights()[2]
    assert_allclose(mean, data.reshape(-1, 2).mean(0) / 2, rtol=1e-5)
    wrapper.trainable = False
    assert model.updates == []


@pytest.mark.parametrize(
    ("inner", "differs"),
    [
        ([Dropout(0.5, input_shape=(2,))], True),
        ([Dense(3, input_shape=(2,)), BatchNormalization()], True),
        ([Dropout(0.5, input_shape=(2,)), Dense(3)], False),
        ([Sequential([Dense(3, input_shape=(2,)), Dropout(0.5)])], True),
        ([Sequential([Dropout(0.5, input_shape=(2,)), Dense(3)])], False),
        ([Dense(3, input_shape=(2,))], False),
    ],
)
def test_a_model_tells_that_it_differs_in_training_where_its_last_layer_does(inner, differs):
    # Of Keras 2.2.4, whose files were trained like this: fit feeds a learning phase to models that ask for it.
    x = Input((4, 2))
    assert Model(x, TimeDistributed(Sequential(inner))(x)).uses_learning_phase is differs
    y = TimeDistributed(Sequential(inner))(x)
    again = Model(x, Dropout(0.5)(y))
    assert again.uses_learning_phase


def test_a_model_written_as_code_differs_in_training_where_any_layer_does():
    x = Input((4, 2))
    code = Coded()
    code(Input((2,)))
    assert Model(x, TimeDistributed(code)(x)).uses_learning_phase


def test_a_model_called_again_finds_its_updates_again():
    inner = Sequential([BatchNormalization(input_shape=(2,))])
    x, wrapper = Input((3, 2)), TimeDistributed(inner)
    outer = Model(x, wrapper(x))
    again = Input((3, 2))
    outer(again)
    assert len(outer.get_updates_for(again)) == 2
    assert not set(outer.get_updates_for(again)) & set(outer.get_updates_for(x))


def test_training_reaches_the_layer():
    found = predict(TimeDistributed(Dropout(0.5)), np.ones((4, 5, 6), "float32"), training=True)
    assert set(np.unique(found)) == {0.0, 2.0}
    x = Input((5, 6))
    y = TimeDistributed(Sequential([Dropout(0.5, input_shape=(6,))]))(x, training=False)
    assert_array_equal(
        K.function([x, K.learning_phase()], [y])([np.ones((2, 5, 6)), 1])[0], np.ones((2, 5, 6))
    )


def test_a_layer_inside_keeps_state_for_each_sample_and_step():
    inner = RNN(SimpleRNNCell(1, activation="linear", use_bias=False), stateful=True)
    model = Sequential([TimeDistributed(inner, batch_input_shape=(1, 2, 2, 1))])
    model.set_weights([np.ones((1, 1)), np.ones((1, 1))])
    x = np.array([[[[1], [2]], [[10], [20]]]])
    assert model.stateful
    assert_array_equal(model.predict(x, batch_size=1), [[[3], [30]]])
    assert_array_equal(model.predict(x, batch_size=1), [[[6], [60]]])
    model.reset_states()
    assert_array_equal(model.predict(x, batch_size=1), [[[3], [30]]])


# ---- masks


def mask_of(model, x):
    return K.function(model.inputs, [model.layers[-1].output_mask])([x])[0]


def test_a_mask_of_steps_passes():
    model = Sequential(
        [Masking(input_shape=(None, 2)), TimeDistributed(Dense(3)), TimeDistributed(Activation("relu"))]
    )
    assert_array_equal(mask_of(model, np.array([[[1, 2], [0, 0], [0, 3]]])), [[True, False, True]])


def test_a_mask_inside_steps_reaches_the_layer_as_it_is():
    class Kept(Layer):
        """How many positions of each sample are not masked."""

        def call(self, inputs, mask=None):
            return K.sum(K.cast(mask, "float32"), axis=-1, keepdims=True)

        def compute_mask(self, inputs, mask=None):
            return None

    model = Sequential([TimeDistributed(Masking(), input_shape=(3, 2, 1)), TimeDistributed(Kept())])
    x = np.array([[[[1], [2]], [[0], [3]], [[0], [0]]]])
    assert_array_equal(model.predict(x), [[[2], [1], [0]]])
    # The layer stops the mask, and the steps of which nothing was left stay masked.
    assert_array_equal(mask_of(model, x), [[True, True, False]])


def test_words_that_are_padding_are_masked_in_every_sentence():
    model = Sequential([TimeDistributed(Embedding(5, 2, mask_zero=True), input_shape=(3, 2))])
    assert_array_equal(mask_of(model, np.array([[[1, 0], [0, 0], [2, 3]]])), [[[1, 0], [0, 0], [1, 1]]])


def test_a_layer_that_makes_a_mask_needs_none():
    model = Sequential([TimeDistributed(Masking(), input_shape=(None, 2))])
    assert_array_equal(mask_of(model, np.array([[[0, 0], [1, 0]]])), [[False, True]])


def test_a_layer_without_masking_refuses_one():
    with pytest.raises(TypeError, match="flatten_.* does not support masking"):
        Sequential([Masking(input_shape=(3, 4, 2)), TimeDistributed(Flatten())])


def test_a_model_is_run_once_for_output_and_mask():
    inner = Sequential([Masking(input_shape=(2,)), BatchNormalization()])
    x = Input((3, 2))
    wrapper = TimeDistributed(inner)
    wrapper(Masking()(x))
    assert len(inner.layers[1].updates) == 2 * 2  # for the model's own input, and for the folded one


def test_samples_masked_as_a_whole_are_masked_at_every_step():
    class Seen(Layer):
        """The mask that reaches it."""

        def call(self, inputs, mask=None):
            return K.cast(K.expand_dims(mask), "float32")

        def compute_mask(self, inputs, mask=None):
            return mask

    x = Input((2, None, 1))
    masked = Lambda(lambda x: x, mask=lambda x, mask: K.not_equal(x[:, :, 0, 0], 0))(x)
    layer = TimeDistributed(TimeDistributed(Seen()))
    y = layer(masked)
    found, mask = K.function([x], [y, layer.output_mask])([np.array([[[[0], [1], [2]], [[3], [0], [4]]]])])
    assert_array_equal(found, [[[[0], [0], [0]], [[1], [1], [1]]]])
    assert_array_equal(mask, found[..., 0].astype(bool))


# ---- configs and files


def test_the_config_is_that_of_keras():
    config = json.loads(json.dumps(TimeDistributed(Dense(3, name="d"), name="td").get_config()))
    assert list(config) == ["name", "trainable", "layer"]
    assert list(config["layer"]) == ["class_name", "config"]
    assert (config["layer"]["class_name"], config["layer"]["config"]["name"]) == ("Dense", "d")
    first = TimeDistributed(Dense(3), input_shape=(4, 2)).get_config()
    assert list(first) == ["name", "trainable", "batch_input_shape", "dtype", "layer"]


class Doubled(Layer):
    """Twice the input."""

    def call(self, inputs):
        return 2 * inputs


def test_custom_objects_hold_at_depth():
    wrapper = TimeDistributed(Sequential([TimeDistributed(Doubled(), input_shape=(3, 2))]))
    config = wrapper.get_config()
    with pytest.raises(ValueError, match="Doubled"):
        TimeDistributed.from_config(config)
    again = TimeDistributed.from_config(config, custom_objects={"Doubled": Doubled})
    assert isinstance(again.layer.layers[0].layer, Doubled)
    with CustomObjectScope({"Doubled": Doubled}):
        assert isinstance(TimeDistributed.from_config(config).layer.layers[0].layer, Doubled)
    model = Sequential([TimeDistributed(Doubled(), input_shape=(3, 2))])
    text = model.to_json()
    again = model_from_json(text, custom_objects={"Doubled": Doubled})
    assert again.to_json() == text


def test_from_config_leaves_its_config_alone():
    config = TimeDistributed(Dense(3)).get_config()
    before = json.dumps(config)
    TimeDistributed.from_config(config)
    assert json.dumps(config) == before


@pytest.mark.parametrize(
    "config", [{"name": "td"}, [], {"layer": 3}, {"layer": {"class_name": "Adam", "config": {}}}]
)
def test_a_config_without_a_layer_is_refused(config):
    with pytest.raises(ValueError):
        TimeDistributed.from_config(config)


def test_code_in_a_wrapped_lambda_is_not_run(tmp_path):
    model = Sequential([TimeDistributed(Lambda(lambda x: x + 1), input_shape=(3, 2))])
    with pytest.warns(UserWarning, match="bytecode"):
        model.save(tmp_path / "m.h5")
    with pytest.raises(ValueError, match="bytecode"):
        load_model(tmp_path / "m.h5")
    again = load_model(tmp_path / "m.h5", safe_mode=False, compile=False)
    assert_array_equal(again.predict(np.zeros((1, 3, 2))), np.ones((1, 3, 2)))


def test_a_frozen_model_inside_stays_frozen_through_a_file(tmp_path):
    inner = Sequential([Dense(3, input_shape=(2,))])
    inner.trainable = False
    model = Sequential([TimeDistributed(inner, input_shape=(4, 2)), TimeDistributed(Dense(1))])
    model.compile("sgd", "mse")
    model.save(tmp_path / "m.h5")
    again = load_model(tmp_path / "m.h5")
    assert len(again.trainable_weights) == 2
    x = np.random.default_rng(0).standard_normal((2, 4, 2))
    assert_array_equal(again.predict(x), model.predict(x))


def test_a_clone_needs_no_registration():
    model = Sequential([TimeDistributed(Doubled(), input_shape=(3, 2))])
    assert_array_equal(clone_model(model).predict(np.ones((1, 3, 2))), np.full((1, 3, 2), 2))


# ---- models


def test_a_video_model_of_the_manual_learns():
    frame = Input((4, 4, 1))
    vision = Model(frame, Flatten()(Conv2D(2, 3, activation="relu")(frame)))
    video = Input((3, 4, 4, 1))
    y = Dense(1)(Flatten()(TimeDistributed(vision)(video)))
    model = Model(video, y)
    model.compile("adam", "mse")
    model.optimizer.lr = 0.02
    x = np.random.default_rng(0).standard_normal((32, 3, 4, 4, 1))
    losses = model.fit(x, x[:, 1].mean((1, 2)), epochs=30, batch_size=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 3


def test_one_layer_can_be_shared_in_and_out_of_time():
    dense = Dense(3)
    x, z = Input((4, 2)), Input((2,))
    model = Model([x, z], [TimeDistributed(dense)(x), dense(z)])
    assert len(model.weights) == 2
    a = np.random.default_rng(0).standard_normal((2, 4, 2))
    steps, alone = model.predict([a, a[:, 0]])
    assert_allclose(steps[:, 0], alone, rtol=1e-6)
    assert dense.output is not None  # called once as itself


# ---- errors


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: TimeDistributed(Dense(3), name="td")(Input((4,))),
            r"td takes sequences .* met shape \(None, 4\)",
        ),
        (lambda: TimeDistributed(Conv2D(3, 2))(Input((4, 5, 5))), "expected ndim=4, found ndim=3"),
        (lambda: TimeDistributed(Dense(3)).compute_output_shape((None, 4)), "takes sequences"),
        (lambda: TimeDistributed(Dense(3))(Input((4, None))), "no fixed size"),
    ],
)
def test_what_is_wrong_is_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_other_features_are_refused():
    layer = TimeDistributed(Dense(3))
    layer(Input((4, 2)))
    with pytest.raises(ValueError, match=r"expected shape=\(None, None, 2\)"):
        layer(Input((4, 5)))


@pytest.mark.parametrize(
    ("thing", "words"), [(3, "met 3"), (Dense, r"an instance, Dense\(...\)"), (K.exp, "wraps")]
)
def test_only_layers_are_wrapped(thing, words):
    with pytest.raises(TypeError, match=words):
        TimeDistributed(thing)
    with pytest.raises(TypeError, match=words):
        Wrapper(thing)

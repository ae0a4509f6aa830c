import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lamina import backend as K
from lamina.layers import (
    GRU,
    LSTM,
    RNN,
    Bidirectional,
    CuDNNLSTM,
    Dense,
    Embedding,
    Input,
    Layer,
    Masking,
    SimpleRNN,
    TimeDistributed,
)
from lamina.models import Model, Sequential, clone_model, load_model
from lamina.testing import Case, parametrize_layers, predict


@parametrize_layers(
    *[
        Case(
            Bidirectional,
            lambda mode=mode: {"layer": SimpleRNN(3), "merge_mode": mode},
            shape=(4, 2),
            mask="stopped",
            id=f"SimpleRNN, {mode}",
        )
        for mode in ("sum", "mul", "concat", "ave", None)
    ],
    *[
        Case(
            Bidirectional,
            lambda mode=mode: {"layer": GRU(3, return_sequences=True), "merge_mode": mode},
            shape=(4, 2),
            id=f"GRU sequences, {mode}",
        )
        for mode in ("sum", "mul", "concat", "ave")
    ],
    Case(
        Bidirectional,
        lambda: {"layer": LSTM(3, return_sequences=True, return_state=True)},
        shape=(None, 2),
        id="LSTM with states, unknown time",
    ),
    Case(
        Bidirectional,
        lambda: {
            "layer": LSTM(
                2,
                return_sequences=True,
                go_backwards=True,
                kernel_regularizer="l2",
                recurrent_regularizer="l1",
                bias_regularizer="l2",
                activity_regularizer="l1_l2",
                kernel_constraint="max_norm",
                recurrent_constraint="non_neg",
                bias_constraint="unit_norm",
            )
        },
        shape=(4, 2),
        id="LSTM with everything",
    ),
    Case(
        Bidirectional,
        lambda: {"layer": SimpleRNN(3, stateful=True)},
        shape=(4, 2),
        batch=3,
        mask="stopped",
        id="stateful",
    ),
)
def test_conforms(case, check):
    check(case)


class Sum(Layer):
    """A cell that adds up what it is given, constants among it."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def call(self, inputs, states, constants=None):
        total = states[0] + inputs + (constants[0] if constants else 0)
        return total, [total]


STEPS = np.array([[[1.0], [10.0], [100.0]]])


# ---- directions


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("concat", [[[1, 111], [11, 110], [111, 100]]]),
        ("sum", [[[112], [121], [211]]]),
        ("mul", [[[111], [1210], [11100]]]),
        ("ave", [[[56], [60.5], [105.5]]]),
    ],
)
def test_the_backward_sequence_is_put_in_the_order_of_time(mode, expected):
    layer = Bidirectional(RNN(Sum(1), return_sequences=True), merge_mode=mode)
    assert_array_equal(predict(layer, STEPS), expected)


def test_merge_mode_none_gives_both():
    forward, backward = predict(Bidirectional(RNN(Sum(1), return_sequences=True), merge_mode=None), STEPS)
    assert_array_equal(forward, [[[1], [11], [111]]])
    assert_array_equal(backward, [[[111], [110], [100]]])


def test_a_layer_that_goes_backwards_goes_forwards_as_the_backward_layer():
    layer = Bidirectional(RNN(Sum(1), return_sequences=True, go_backwards=True), merge_mode=None)
    assert layer.forward_layer.go_backwards and not layer.backward_layer.go_backwards
    forward, backward = predict(layer, STEPS)
    # As in Keras: the backward layer's sequence is turned round whichever way it ran.
    assert_array_equal(forward, [[[100], [110], [111]]])
    assert_array_equal(backward, [[[111], [11], [1]]])


@pytest.mark.parametrize("mode", ["concat", None])
def test_states_follow_the_output(mode):
    layer = Bidirectional(LSTM(3, return_state=True), merge_mode=mode)
    x = Input((4, 2))
    made = layer(x)
    outputs = 2 if mode is None else 1
    assert [y.shape[-1] for y in made] == [3] * 2 + [3] * 4 if mode is None else [6] + [3] * 4
    found = K.function([x], made)([np.random.default_rng(0).standard_normal((2, 4, 2))])
    last = np.concatenate(found[:outputs], -1)
    assert_array_equal(last, np.concatenate([found[outputs], found[outputs + 2]], -1))


@pytest.mark.parametrize(
    ("layer", "mode", "out"),
    [
        (lambda: LSTM(10, return_sequences=True), "concat", (None, 5, 20)),
        (lambda: LSTM(10), "concat", (None, 20)),
        (lambda: LSTM(10), "sum", (None, 10)),
        (lambda: GRU(10), None, [(None, 10), (None, 10)]),
        (lambda: LSTM(10, return_state=True), "ave", [(None, 10)] * 5),
    ],
)
def test_shapes_are_those_of_the_manual(layer, mode, out):
    wrapper = Bidirectional(layer(), merge_mode=mode)
    assert wrapper.compute_output_shape((None, 5, 8)) == out
    wrapper(Input((5, 8)))
    assert wrapper.output_shape == out


# ---- weights, losses, updates


def test_names_tell_the_directions_apart():
    wrapper = Bidirectional(LSTM(3, name="lstm"), name="both")
    wrapper(Input((4, 2)))
    assert (wrapper.layer.name, wrapper.forward_layer.name, wrapper.backward_layer.name) == (
        "lstm",
        "forward_lstm",
        "backward_lstm",
    )
    assert [w.name for w in wrapper.weights] == [
        f"both/{way}_lstm/{name}:0"
        for way in ("forward", "backward")
        for name in ("kernel", "recurrent_kernel", "bias")
    ]
    assert wrapper.forward_layer.get_config()["go_backwards"] is False
    assert wrapper.backward_layer.get_config()["go_backwards"] is True


def test_weights_are_the_forward_layers_then_the_backward_layers():
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape) for shape in [(2, 3), (3, 3), (3,)] * 2]
    wrapper = Bidirectional(SimpleRNN(3), weights=arrays)
    wrapper(Input((4, 2)))
    for met, expected in zip(wrapper.forward_layer.get_weights(), arrays[:3], strict=True):
        assert_allclose(met, expected, rtol=1e-6)
    for met, expected in zip(wrapper.backward_layer.get_weights(), arrays[3:], strict=True):
        assert_allclose(met, expected, rtol=1e-6)
    with pytest.raises(ValueError, match="shape"):
        wrapper.set_weights([*arrays[:5], np.zeros(4)])
    assert_allclose(wrapper.get_weights()[0], arrays[0], rtol=1e-6)


def test_frozen_are_both_ways():
    wrapper = Bidirectional(SimpleRNN(3))
    wrapper(Input((4, 2)))
    assert len(wrapper.trainable_weights) == 6
    wrapper.trainable = False
    assert not wrapper.trainable_weights and len(wrapper.non_trainable_weights) == 6
    assert wrapper.get_config()["trainable"] is False
    again = Bidirectional.from_config(wrapper.get_config())
    assert not again.forward_layer.trainable and not again.backward_layer.trainable


def test_penalties_of_both_ways_count_and_that_on_the_output_once():
    x = Input((4, 2))
    wrapper = Bidirectional(
        SimpleRNN(3, kernel_regularizer="l1", bias_regularizer="l1", activity_regularizer="l2")
    )
    model = Model(x, wrapper(x))
    assert len(wrapper.get_losses_for(None)) == 4
    assert len(wrapper.get_losses_for(x)) == 1
    assert len(wrapper.losses) == len(model.losses) == 5


def test_losses_and_updates_of_either_layer_are_found():
    x = Input((4, 2))
    wrapper = Bidirectional(SimpleRNN(3))
    wrapper(x)
    counter = K.variable(0)
    for layer in (wrapper.forward_layer, wrapper.backward_layer):
        layer.add_loss(K.sum(x), inputs=x)
        layer.add_loss(K.sum(layer.cell.kernel))
        layer.add_update([(counter, K.sum(x))], inputs=x)
        layer.add_update([(counter, counter + 1)])
    assert len(wrapper.losses) == len(wrapper.updates) == 4
    assert len(wrapper.get_losses_for(None)) == len(wrapper.get_losses_for(x)) == 2
    assert len(wrapper.get_updates_for(None)) == len(wrapper.get_updates_for(x)) == 2


# ---- masks


def test_masked_steps_are_passed_over_both_ways():
    x = Input((3, 1))
    y = Bidirectional(RNN(Sum(1), return_sequences=True))(Masking()(x))
    found = K.function([x], [y])([np.array([[[1], [0], [100]]])])[0]
    # A masked step repeats the output before it: the earlier step's forwards, the later step's backwards.
    assert_array_equal(found, [[[1, 101], [1, 100], [101, 100]]])


@pytest.mark.parametrize(
    ("config", "mode", "masks"),
    [
        ({"return_sequences": True}, "sum", [True]),
        ({"return_sequences": True}, None, [True, True]),
        ({}, "sum", [False]),
        ({}, None, [False, False]),
        ({"return_sequences": True, "return_state": True}, "concat", [True, False, False]),
        ({"return_state": True}, None, [False, False, False, False]),
    ],
)
def test_a_mask_passes_with_the_sequence(config, mode, masks):
    wrapper = Bidirectional(SimpleRNN(3, **config), merge_mode=mode)
    wrapper(Masking()(Input((4, 2))))
    found = wrapper.output_mask if isinstance(wrapper.output_mask, list) else [wrapper.output_mask]
    assert [mask is not None for mask in found] == masks
    assert all(mask is wrapper.input_mask for mask in found if mask is not None)


def test_padding_changes_nothing():
    model = Sequential(
        [
            Embedding(9, 4, mask_zero=True, input_length=None),
            Bidirectional(LSTM(3, return_sequences=True)),
            Bidirectional(GRU(2)),
        ]
    )
    assert_allclose(
        model.predict(np.array([[3, 4, 5, 0, 0]])), model.predict(np.array([[3, 4, 5]])), rtol=1e-5
    )


# ---- states and constants


def test_the_state_of_a_stateful_layer_goes_on_from_batch_to_batch():
    model = Sequential([Bidirectional(RNN(Sum(1), stateful=True), batch_input_shape=(1, 3, 1))])
    assert model.stateful and model.layers[0].stateful
    assert_array_equal(model.predict(STEPS), [[111, 111]])
    assert_array_equal(model.predict(STEPS), [[222, 222]])
    model.reset_states()
    assert_array_equal(model.predict(STEPS), [[111, 111]])


def test_the_first_half_of_the_initial_states_is_the_forward_layers():
    x, a, b = Input((3, 1)), Input((1,)), Input((1,))
    layer = Bidirectional(RNN(Sum(1), return_sequences=True, return_state=True))
    model = Model([x, a, b], layer(x, initial_state=[a, b]))
    found = model.predict([STEPS, np.array([[1000.0]]), np.array([[2000.0]])])
    assert_array_equal(found[0], [[[1001, 2111], [1011, 2110], [1111, 2100]]])
    assert_array_equal(np.concatenate(found[1:]), [[1111], [2111]])
    listed = Model([x, a, b], layer([x, a, b]))
    assert_array_equal(listed.predict([STEPS, np.array([[1000.0]]), np.array([[2000.0]])])[0], found[0])


def test_states_that_no_layer_made_may_start_it():
    x = Input((3, 1))
    start = [K.variable([[1000.0]]), K.variable([[2000.0]])]
    y = Bidirectional(RNN(Sum(1)))(x, initial_state=start)
    assert_array_equal(K.function([x], [y])([STEPS])[0], [[1111, 2111]])


def test_an_encoder_hands_its_states_to_a_decoder():
    source, target = Input((None, 2)), Input((None, 3))
    _, *states = Bidirectional(LSTM(4, return_state=True))(source)
    y = Bidirectional(LSTM(4, return_sequences=True))(target, initial_state=states)
    model = Model([source, target], Dense(1)(y))
    model.compile("adam", "mse")
    rng = np.random.default_rng(0)
    x = [rng.standard_normal((8, 5, 2)), rng.standard_normal((8, 4, 3))]
    model.fit(x, np.zeros((8, 4, 1)), verbose=0)
    again = Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    assert_array_equal(again.predict(x), model.predict(x))


def test_constants_reach_both_ways():
    x, c = Input((3, 1)), Input((1,))
    layer = Bidirectional(RNN(Sum(1), return_sequences=True))
    model = Model([x, c], layer(x, constants=[c]))
    arrays = [STEPS, np.array([[1000.0]])]
    found = model.predict(arrays)
    assert_array_equal(found, [[[1001, 3111], [2011, 2110], [3111, 1100]]])
    assert layer.get_config()["num_constants"] == 1
    again = Model.from_config(model.get_config(), custom_objects={"Sum": Sum})
    assert_array_equal(again.predict(arrays), found)


def test_states_and_constants_together():
    x, a, b, c = (Input(shape) for shape in [(3, 1), (1,), (1,), (1,)])
    layer = Bidirectional(RNN(Sum(1)))
    model = Model([x, a, b, c], layer(x, initial_state=[a, b], constants=c))
    arrays = [STEPS, *(np.array([[n]]) for n in (1e4, 2e4, 1000.0))]
    assert_array_equal(model.predict(arrays), [[13111, 23111]])
    again = Model.from_config(model.get_config(), custom_objects={"Sum": Sum})
    assert_array_equal(again.predict(arrays), [[13111, 23111]])


# ---- configs and files


def test_the_config_is_that_of_keras():
    config = json.loads(
        json.dumps(Bidirectional(SimpleRNN(3, name="r"), merge_mode=None, name="b").get_config())
    )
    assert list(config) == ["name", "trainable", "layer", "merge_mode"]
    assert config["merge_mode"] is None
    assert (config["layer"]["class_name"], config["layer"]["config"]["name"]) == ("SimpleRNN", "r")


@pytest.mark.parametrize("mode", ["sum", "mul", "concat", "ave", None])
def test_the_config_makes_the_same_layer_again(mode):
    wrapper = Bidirectional(GRU(3, return_sequences=True), merge_mode=mode, input_shape=(4, 2))
    config = json.loads(json.dumps(wrapper.get_config()))
    again = Bidirectional.from_config(config)
    assert json.loads(json.dumps(again.get_config())) == config
    x = np.random.default_rng(0).standard_normal((2, 4, 2))
    y = predict(wrapper, x)
    again.build((None, 4, 2))
    again.set_weights(wrapper.get_weights())
    assert_array_equal(predict(again, x), y)


def test_a_cell_of_ones_own_needs_no_registration_to_be_wrapped():
    wrapper = Bidirectional(RNN([Sum(1), Sum(1)]))
    assert [type(cell) for cell in wrapper.backward_layer.cell.cells] == [Sum, Sum]
    with pytest.raises(ValueError, match="Sum"):
        Bidirectional.from_config(wrapper.get_config())
    again = Bidirectional.from_config(wrapper.get_config(), custom_objects={"Sum": Sum})
    assert isinstance(again.forward_layer.cell.cells[1], Sum)


def test_a_file_brings_all_back(tmp_path):
    model = Sequential(
        [
            TimeDistributed(Dense(3), input_shape=(4, 2)),
            Bidirectional(LSTM(3, return_sequences=True)),
            Bidirectional(GRU(2), merge_mode="sum"),
        ]
    )
    model.compile("adam", "mse")
    x = np.random.default_rng(0).standard_normal((8, 4, 2))
    model.fit(x, np.ones((8, 2)), verbose=0)
    model.save(tmp_path / "m.h5")
    again = load_model(tmp_path / "m.h5")
    assert_array_equal(again.predict(x), model.predict(x))
    assert again.train_on_batch(x, np.ones((8, 2))) == model.train_on_batch(x, np.ones((8, 2)))
    assert clone_model(model).to_json() == model.to_json()


def test_sentences_of_words_are_read_both_ways_at_both_levels():
    words = Input((5,))
    sentence = Model(words, Bidirectional(GRU(3))(Embedding(9, 4, mask_zero=True)(words)))
    document = Input((3, 5))
    model = Model(document, Dense(1)(Bidirectional(GRU(2))(TimeDistributed(sentence)(document))))
    model.compile("adam", "mse")
    x = np.random.default_rng(0).integers(0, 9, (16, 3, 5))
    losses = model.fit(x, np.ones((16, 1)), epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


# ---- errors


@pytest.mark.parametrize("mode", ["add", "concatenate", "", 1, ["sum"]])
def test_another_merge_mode_is_refused(mode):
    with pytest.raises(ValueError, match="Merge mode should be one of"):
        Bidirectional(LSTM(3), merge_mode=mode)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Bidirectional(Dense(3)), "a Dense, has no go_backwards"),
        (
            lambda: Bidirectional(Sequential([LSTM(3, input_shape=(4, 2))])),
            "a Sequential, has no go_backwards",
        ),
        (lambda: Bidirectional(Bidirectional(LSTM(3))), "a Bidirectional, has no go_backwards"),
        (lambda: Bidirectional(TimeDistributed(LSTM(3))), "a TimeDistributed, has no go_backwards"),
        (lambda: Bidirectional(CuDNNLSTM(3))(Masking()(Input((4, 2)))), "lstm_.* does not support masking"),
        (lambda: Bidirectional(LSTM), r"an instance, LSTM\(...\)"),
        (lambda: Bidirectional(None), "wraps a layer"),
    ],
)
def test_only_recurrent_layers_run_both_ways(make, words):
    with pytest.raises(TypeError, match=words):
        make()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda layer, x, s: layer(x, initial_state=[s]), "an odd number"),
        (lambda layer, x, s: layer(x, initial_state=[s] * 4), "has 1 states but was passed 2"),
        (
            lambda layer, x, s: layer(x, initial_state=[s, K.variable(np.zeros((1, 3)))]),
            "mix of Keras tensors",
        ),
        (lambda layer, x, s: layer([x, s, s], initial_state=[s, s]), "twice"),
        (lambda layer, x, s: layer(x, initial_state=[x[:, 0, :], x[:, 0, :]]), "not compatible"),
        (lambda layer, x, s: layer(x, constants=[s]), "does not support constants"),
        (lambda layer, x, s: layer(s), "expected ndim=3, found ndim=2"),
        (lambda layer, x, s: layer(x, initial_state=[np.zeros((1, 3))] * 2), "are tensors, met ndarray"),
    ],
)
def test_what_is_wrong_with_a_call_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call(Bidirectional(RNN(SimpleRNN(3).cell)), Input((4, 2)), Input((3,)))


def test_a_stateful_layer_needs_a_batch_size():
    with pytest.raises(ValueError, match="batch size"):
        Bidirectional(SimpleRNN(3, stateful=True))(Input((4, 2)))

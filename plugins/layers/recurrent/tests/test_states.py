"""RNN over cells of one's own; initial states, constants, states kept from batch to batch, masks."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lamina import backend as K
from lamina.layers import (
    GRU,
    LSTM,
    RNN,
    Dense,
    GRUCell,
    Input,
    Layer,
    LSTMCell,
    Masking,
    SimpleRNN,
    SimpleRNNCell,
    StackedRNNCells,
)
from lamina.models import Model, Sequential, load_model, model_from_json


class MinimalRNNCell(Layer):
    """The cell of Keras's documentation: attributes before super().__init__(), no mask, no training."""

    def __init__(self, units, **kwargs):
        self.units = units
        self.state_size = units
        super().__init__(**kwargs)

    def build(self, input_shape):
        self.kernel = self.add_weight(
            shape=(input_shape[-1], self.units), initializer="uniform", name="kernel"
        )
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, self.units), initializer="uniform", name="recurrent_kernel"
        )
        self.built = True

    def call(self, inputs, states):
        prev_output = states[0]
        h = K.dot(inputs, self.kernel)
        output = h + K.dot(prev_output, self.recurrent_kernel)
        return output, [output]


class Adding:
    """A cell that is no layer: the state is the sum of all inputs, the output twice that."""

    state_size = 2

    def call(self, inputs, states):
        total = states[0] + inputs
        return 2 * total, [total]


class Conditioned(Layer):
    """A cell that is given a constant."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def call(self, inputs, states, constants):
        (shift,) = constants
        output = inputs + shift + states[0]
        return output, [output]


def data(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


# ---- cells


def test_the_cell_of_the_documentation():
    x = Input((None, 5))
    cell = MinimalRNNCell(3)
    y = RNN(cell)(x)
    assert K.int_shape(y) == (None, 3)
    kernel, recurrent_kernel = (weight.value for weight in cell.weights)
    h = np.zeros((2, 3))
    for t in range(4):
        h = data(2, 4, 5)[:, t] @ kernel + h @ recurrent_kernel
    assert_allclose(Model(x, y).predict(data(2, 4, 5)), h, rtol=1e-5, atol=1e-6)


def test_a_list_of_cells_is_a_stack():
    x = Input((None, 5))
    layer = RNN([MinimalRNNCell(3), MinimalRNNCell(6)], return_state=True, name="r")
    y, *states = layer(x)
    assert isinstance(layer.cell, StackedRNNCells)
    assert [K.int_shape(each) for each in (y, *states)] == [(None, 6), (None, 6), (None, 3)]
    assert [w.shape for w in layer.weights] == [(5, 3), (3, 3), (3, 6), (6, 6)]
    assert layer.cell.state_size == (6, 3)
    last, first = RNN(layer.cell.cells[1]), RNN(layer.cell.cells[0], return_sequences=True)
    both = Model(x, [y, last(first(x))])
    stacked, chained = both.predict(data(2, 4, 5))
    assert_allclose(stacked, chained, rtol=1e-5, atol=1e-6)


def test_a_cell_may_be_no_layer():
    x = Input((None, 2))
    layer = RNN(Adding(), return_sequences=True)
    assert layer(x)._keras_shape == (None, None, 2)
    assert layer.weights == []
    assert "cell" not in layer.get_config()
    assert_allclose(Model(x, layer.output).predict([[[1, 2], [3, 4]]]), [[[2, 4], [8, 12]]])


def test_a_cell_may_say_the_size_of_its_output():
    class Wide(Adding):
        output_size = 4

        def call(self, inputs, states):
            return K.concatenate([inputs, states[0]]), [states[0] + inputs]

    x = Input((3, 2))
    y = RNN([Wide(), LSTMCell(3)])(x)
    assert K.int_shape(y) == (None, 3)


def test_cells_of_ones_own_go_through_files(tmp_path):
    class Kept(MinimalRNNCell):
        def get_config(self):
            return {**super().get_config(), "units": self.units}

    x = Input((None, 5))
    model = Model(x, RNN([Kept(3), Kept(2)])(x))
    model.save(str(tmp_path / "m.h5"))
    again = load_model(str(tmp_path / "m.h5"), custom_objects={"Kept": Kept}, compile=False)
    assert_array_equal(again.predict(data(2, 4, 5)), model.predict(data(2, 4, 5)))


def test_cells_share_weights_when_layers_share_cells():
    x, cell = Input((4, 2)), GRUCell(3)
    forth, back = RNN(cell), RNN(cell, go_backwards=True)
    forth(x), back(x)
    assert len(cell.weights) == 3 and forth.weights[0] is back.weights[0]


def test_a_cell_alone_is_a_layer_of_inputs_and_states():
    x, h, c = Input((2,)), Input((3,)), Input((3,))
    cell = LSTMCell(3)
    outputs = cell([x, h, c])
    steps = Input((1, 2))
    layer = RNN(cell, return_state=True)
    model = Model([steps, x, h, c], [*outputs, *layer(steps, initial_state=[h, c])])
    found = model.predict([data(2, 1, 2), data(2, 1, 2)[:, 0], data(2, 3, seed=1), data(2, 3, seed=2)])
    for alone, whole in zip(found[:3], found[3:], strict=True):
        assert_allclose(alone, whole, rtol=1e-6)


# ---- initial states


@pytest.mark.parametrize(("cls", "count"), [(LSTM, 2), (GRU, 1), (SimpleRNN, 1)])
def test_initial_states_come_by_keyword_or_in_the_list(cls, count):
    x, states = Input((4, 2)), [Input((3,)) for _ in range(count)]
    layer = cls(3, return_state=True)
    by_keyword = layer(x, initial_state=states if count > 1 else states[0])
    listed = layer([x, *states])
    zeros = layer(x)
    model = Model([x, *states], [*by_keyword, *listed, *zeros])
    arrays = [data(2, 4, 2), *[data(2, 3, seed=seed) for seed in range(count)]]
    found = model.predict(arrays)
    size = count + 1
    for one, other in zip(found[:size], found[size : 2 * size], strict=True):
        assert_array_equal(one, other)
    assert not np.allclose(found[0], found[2 * size])
    fresh = model.predict([arrays[0], *[np.zeros_like(array) for array in arrays[1:]]])
    assert_allclose(fresh[0], fresh[2 * size], rtol=1e-6)


def test_an_encoder_hands_its_states_to_a_decoder(tmp_path):
    source, target = Input((None, 3)), Input((None, 2))
    _, *states = LSTM(4, return_state=True)(source)
    decoded = LSTM(4, return_sequences=True)(target, initial_state=states)
    model = Model([source, target], Dense(2)(decoded))
    model.compile("sgd", "mse")
    arrays = [data(5, 4, 3), data(5, 6, 2)]
    loss = model.train_on_batch(arrays, data(5, 6, 2, seed=1))
    assert model.train_on_batch(arrays, data(5, 6, 2, seed=1)) < loss
    expected = model.predict(arrays)
    model.save(str(tmp_path / "m.h5"))
    assert_array_equal(load_model(str(tmp_path / "m.h5")).predict(arrays), expected)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    assert_array_equal(again.predict(arrays), expected)


def test_initial_states_may_be_tensors_of_ones_own():
    x = Input((4, 2))
    layer = SimpleRNN(3)
    y = layer(x, initial_state=K.variable(data(2, 3)))
    state = Input((3,))
    model = Model([x, state], [y, layer(x, initial_state=state)])
    ours, given = model.predict([data(2, 4, 2), data(2, 3)])
    assert_array_equal(ours, given)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x, h, c: LSTM(3)(x, initial_state=[h]), "has 2 states but was passed 1"),
        (lambda x, h, c: LSTM(4)(x, initial_state=[h, c]), "not compatible with `cell.state_size`"),
        (
            lambda x, h, c: LSTM(3)(x, initial_state=[h, K.zeros((2, 3))]),
            "either all outputs of layers or none",
        ),
        (lambda x, h, c: LSTM(3)(x, initial_state=[np.zeros((2, 3))] * 2), "are tensors, met ndarray"),
        (
            lambda x, h, c: LSTM(3)([x, h, c], initial_state=[h, c]),
            "in the list with the inputs or by keyword",
        ),
        (lambda x, h, c: LSTM(3)(x, constants=[h]), "does not support constants"),
        (lambda x, h, c: RNN(MinimalRNNCell(3))(x, constants=h), "does not support constants"),
        (lambda x, h, c: LSTM(3, unroll=True)(Input((None, 2))), "Cannot unroll a RNN"),
        (lambda x, h, c: LSTM(3, unroll=True)(Input((1, 2))), "Cannot unroll a RNN"),
        (lambda x, h, c: LSTM(3, stateful=True)(x), "needs to know its batch size"),
    ],
)
def test_what_is_wrong_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call(Input((4, 2)), Input((3,)), Input((3,)))


# ---- constants


def test_constants_reach_the_cell_at_every_step(tmp_path):
    x, shift = Input((None, 3)), Input((3,))
    y = RNN(Conditioned(3))(x, constants=shift)
    model = Model([x, shift], y)
    arrays = [data(2, 4, 3), data(2, 3, seed=1)]
    assert_allclose(model.predict(arrays), arrays[0].sum(1) + 4 * arrays[1], rtol=1e-5, atol=1e-6)
    assert model.layers[-1].get_config()["num_constants"] == 1
    model.save(str(tmp_path / "m.h5"))
    again = load_model(str(tmp_path / "m.h5"), custom_objects={"Conditioned": Conditioned}, compile=False)
    assert_array_equal(again.predict(arrays), model.predict(arrays))


class Weighted(MinimalRNNCell):
    """A cell with a weight for each number of its constant."""

    def build(self, input_shape):
        shape, constant = input_shape
        super().build(shape)
        self.shift = self.add_weight(shape=(constant[-1], self.units), initializer="uniform", name="shift")

    def call(self, inputs, states, constants):
        output, _ = super().call(inputs, states)
        output += K.dot(constants[0], self.shift)
        return output, [output]


@pytest.mark.parametrize("listed", [False, True])
def test_a_cell_is_built_for_constants_that_no_layer_made(listed):
    x, constant = Input(batch_shape=(2, 4, 3)), data(2, 5, seed=1)
    layer, given = RNN(Weighted(3)), K.constant(constant)
    y = layer(x, constants=[given] if listed else given)
    z = Input(batch_shape=(2, 5))
    model = Model([x, z], [y, layer(x, constants=z)])
    assert_array_equal(*model.predict([data(2, 4, 3), constant]))
    assert layer.cell.shift.shape == (5, 3)


def test_constants_and_states_together():
    x, shift, h = Input((None, 3)), Input((3,)), Input((3,))
    y = RNN(StackedRNNCells([Conditioned(3)]))(x, initial_state=[h], constants=[shift])
    arrays = [data(2, 4, 3), data(2, 3, seed=1), data(2, 3, seed=2)]
    expected = arrays[0].sum(1) + 4 * arrays[1] + arrays[2]
    assert_allclose(Model([x, shift, h], y).predict(arrays), expected, rtol=1e-5, atol=1e-6)


# ---- states kept


@pytest.mark.parametrize("cls", [LSTM, GRU, SimpleRNN])
def test_a_stateful_layer_goes_on_where_the_batch_before_ended(cls):
    whole, parts = Sequential(), Sequential()
    whole.add(cls(3, batch_input_shape=(2, 6, 4)))
    parts.add(cls(3, batch_input_shape=(2, 3, 4), stateful=True))
    parts.set_weights(whole.get_weights())
    x = data(2, 6, 4)
    expected = whole.predict(x, batch_size=2)
    first = parts.predict(x[:, :3], batch_size=2)
    assert_allclose(parts.predict(x[:, 3:], batch_size=2), expected, rtol=1e-5, atol=1e-6)
    assert not np.allclose(parts.predict(x[:, :3], batch_size=2), first)
    parts.reset_states()
    assert_array_equal(parts.predict(x[:, :3], batch_size=2), first)


def test_training_and_testing_move_the_state_too():
    model = Sequential([SimpleRNN(3, batch_input_shape=(2, 3, 4), stateful=True), Dense(1)])
    model.compile("sgd", "mse")
    layer = model.layers[0]
    seen = [layer.states[0].value]
    model.train_on_batch(data(2, 3, 4), data(2, 1))
    seen.append(layer.states[0].value)
    model.test_on_batch(data(2, 3, 4), data(2, 1))
    seen.append(layer.states[0].value)
    model.predict_on_batch(data(2, 3, 4))
    seen.append(layer.states[0].value)
    assert_array_equal(seen[0], np.zeros((2, 3)))
    assert len({array.tobytes() for array in seen}) == 4


def test_states_are_set_from_arrays():
    layer = LSTM(3, batch_input_shape=(2, 4, 5), stateful=True)
    model = Sequential([layer])
    h, c = data(2, 3), data(2, 3, seed=1)
    layer.reset_states(states=[h, c])
    assert_array_equal(layer.states[0].value, h)
    x, state, cell = Input((4, 5)), Input((3,)), Input((3,))
    free = LSTM(3)
    expected = Model([x, state, cell], free(x, initial_state=[state, cell]))
    free.set_weights(layer.get_weights())
    met = model.predict(data(2, 4, 5), batch_size=2)
    assert_allclose(met, expected.predict([data(2, 4, 5), h, c]), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="expects 2 states, but it received 1"):
        layer.reset_states(h)
    with pytest.raises(
        ValueError, match=r"State 1 is incompatible .* expected shape=\(2, 3\), found shape=\(3, 2\)"
    ):
        layer.reset_states([h, c.T])
    assert not np.allclose(layer.states[0].value, h)  # moved on by predict, and left alone by the failures


def test_only_a_stateful_layer_has_states_to_reset():
    with pytest.raises(AttributeError, match="must be stateful"):
        LSTM(3).reset_states()


def test_states_of_a_stack_are_kept(tmp_path):
    model = Sequential([RNN([LSTMCell(2), GRUCell(3)], batch_input_shape=(2, 3, 4), stateful=True)])
    model.predict(data(2, 3, 4), batch_size=2)
    assert [state.shape for state in model.layers[0].states] == [(2, 3), (2, 2), (2, 2)]
    assert all(np.any(state.value) for state in model.layers[0].states)
    model.save(str(tmp_path / "m.h5"))
    again = load_model(str(tmp_path / "m.h5"), compile=False)
    assert not any(np.any(state.value) for state in again.layers[0].states)


# ---- masks


def padded(*shape):
    x = data(*shape)
    x[0, 2:] = 0
    x[1, :2] = 0
    return x


@pytest.mark.parametrize(
    "make", [lambda: LSTM(3), lambda: GRU(3), lambda: SimpleRNN(3), lambda: RNN(GRUCell(3))]
)
def test_masked_steps_are_as_if_they_were_not_there(make):
    x = Input((4, 2))
    layer = make()
    masked = Model(x, layer(Masking()(x)))
    whole = Input((2, 2))
    short = Model(whole, layer(whole))
    array = padded(2, 4, 2)
    expected = short.predict(np.stack([array[0, :2], array[1, 2:]]))
    assert_allclose(masked.predict(array), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("make", [lambda: LSTM(3), lambda: RNN(LSTMCell(3))])
def test_a_mask_may_have_an_axis_of_its_own(make):
    x, flat, high = Input((4, 2)), Input((4,)), Input((4, 1))
    layer = make()
    model = Model([x, flat, high], [layer(x, mask=flat), layer(x, mask=high)])
    mask = np.array([[1, 0, 1, 1], [0, 0, 1, 0]])
    assert_array_equal(*model.predict([data(2, 4, 2), mask, mask[..., None]]))


@pytest.mark.parametrize("step_by_step", [False, True])
def test_before_the_first_step_taken_there_is_no_output_to_repeat(step_by_step):
    x, h = Input((4, 2)), Input((3,))
    layer = (
        RNN(SimpleRNNCell(3), return_sequences=True) if step_by_step else SimpleRNN(3, return_sequences=True)
    )
    layer_of_state = Model([x, h], layer(Masking()(x), initial_state=h))
    outputs = layer_of_state.predict([padded(2, 4, 2), data(2, 3)])
    assert_array_equal(outputs[1, :2], np.zeros((2, 3)))
    assert_array_equal(outputs[0, 2:], np.repeat(outputs[0, 1:2], 2, axis=0))


def test_the_mask_goes_on_with_sequences_only():
    x = Masking()(Input((4, 2)))
    sequences = LSTM(3, return_sequences=True, return_state=True)
    sequences(x)
    assert [mask is not None for mask in sequences.output_mask] == [True, False, False]
    last = LSTM(3)
    last(x)
    assert last.output_mask is None


# ---- lengths


@pytest.mark.parametrize("cls", [LSTM, GRU, SimpleRNN])
def test_one_length_after_another(cls):
    x = Input((None, 2))
    layer = cls(3, return_sequences=True)
    model = Model(x, layer(x))
    for length in (1, 5, 2):
        assert model.predict(data(2, length, 2)).shape == (2, length, 3)
    assert_allclose(
        model.predict(data(2, 5, 2))[:, :2], model.predict(data(2, 5, 2)[:, :2]), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("make", [lambda **k: LSTM(3, **k), lambda **k: RNN(LSTMCell(3), **k)])
def test_over_no_steps_the_output_is_zeros_and_the_states_are_the_initial_ones(make):
    x, h, c = Input((None, 2)), Input((3,)), Input((3,))
    layer = make(return_state=True)
    model = Model([x, h, c], [*layer(x), *layer(x, initial_state=[h, c])])
    found = model.predict([data(2, 0, 2), data(2, 3), data(2, 3, seed=1)])
    for array in found[:4]:
        assert_array_equal(array, np.zeros((2, 3)))
    assert_array_equal(found[4], data(2, 3))
    assert_array_equal(found[5], data(2, 3, seed=1))


@pytest.mark.parametrize("cls", [LSTM, GRU, SimpleRNN])
@pytest.mark.parametrize(("batch", "length"), [(2, 0), (0, 3), (0, 0), (1, 1)])
def test_gradients_over_no_steps_or_no_samples_are_zeros(cls, batch, length):
    x, layer = Input((None, 2)), cls(3, return_sequences=True)
    loss = K.sum(layer(x)) + K.sum(K.square(RNN(layer.cell)(x)))
    f = K.function([x], [loss, *K.gradients(loss, [x, *layer.weights])])
    total, *slopes = f([data(batch, length, 2)])
    assert np.isfinite(total) and all(np.isfinite(slope).all() for slope in slopes)
    if not batch * length:
        assert total == 0 and not any(slope.any() for slope in slopes)


# ---- dropout


@pytest.mark.parametrize("implementation", [1, 2])
@pytest.mark.parametrize("cls", [LSTM, GRU])
def test_dropout_is_for_training_and_drawn_anew_for_each_batch(cls, implementation):
    x = Input((4, 2))
    layer = cls(3, dropout=0.5, recurrent_dropout=0.5, implementation=implementation)
    y = layer(x)
    assert y._uses_learning_phase
    f = K.function([x, K.learning_phase()], [y])
    array = data(2, 4, 2)
    assert_array_equal(f([array, 0])[0], f([array, 0])[0])
    assert not np.allclose(f([array, 1])[0], f([array, 1])[0])


def test_a_rate_of_1_leaves_out_nothing_as_in_keras():
    x = Input((4, 2))
    y = LSTM(3, dropout=1.0, recurrent_dropout=1.0)(x)
    assert not y._uses_learning_phase


def test_a_layer_called_twice_draws_for_each_call():
    x, z = Input((4, 2)), Input((4, 2))
    layer = RNN(GRUCell(3, dropout=0.5))
    model = Model([x, z], [layer(x), layer(z)])
    assert model.uses_learning_phase
    one, other = model.predict([data(2, 4, 2), data(2, 4, 2)])
    assert_array_equal(one, other)
    model.compile("sgd", "mse")
    model.train_on_batch([data(2, 4, 2)] * 2, [data(2, 3)] * 2)

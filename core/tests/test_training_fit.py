"""fit, evaluate and predict: batches, epochs, validation, streams, repeatability."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lamina import backend as K
from lamina.engine.input_layer import Input
from lamina.engine.layer import Layer
from lamina.engine.model import Model
from lamina.engine.optimizer import Optimizer
from lamina.models import Sequential
from lamina.training.callbacks import Callback
from lamina.training.sequence import Sequence


class Scale(Layer):
    """w * x, with one weight w that starts at 1."""

    def build(self, input_shape):
        self.w = self.add_weight(name="w", shape=(), initializer=lambda shape, dtype=None: K.ones(shape))
        super().build(input_shape)

    def call(self, inputs):
        return self.w * inputs


class Noise(Layer):
    """x plus noise, in training."""

    def call(self, inputs):
        return K.in_train_phase(inputs + K.random_normal(K.shape(inputs)), inputs)


class Sgd(Optimizer):
    def __init__(self, lr=0.01, **kwargs):
        super().__init__(**kwargs)
        self.lr = lr

    def get_updates(self, loss, params):
        return [
            K.update_sub(p, self.lr * g)
            for p, g in zip(params, self.get_gradients(loss, params), strict=True)
        ]


def squared(y_true, y_pred):
    return K.mean(K.square(y_true - y_pred), axis=-1)


def scale_model(*before, lr=0.01):
    x = y = Input(shape=(1,))
    for layer in before:
        y = layer(y)
    model = Model(x, Scale()(y))
    model.compile(Sgd(lr), squared)
    return model


X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
Y = np.zeros_like(X)


# ---- fit


def test_a_step_of_descent():
    model = scale_model()
    assert model.train_on_batch(X[:4], Y[:4]) == pytest.approx(7.5)
    assert model.get_weights()[0] == pytest.approx(1 - 0.01 * 2 * 7.5)


def test_epochs_average_over_samples_while_weights_move():
    model = scale_model()
    history = model.fit(X, Y, batch_size=4, epochs=1, shuffle=False, verbose=0)
    w = 1 - 0.01 * 15
    assert history.history == {"loss": [pytest.approx((4 * 7.5 + 1 * (5 * w) ** 2) / 5)]}
    assert history.epoch == [0]
    assert model.history is history
    assert model.get_weights()[0] == pytest.approx(w - 0.01 * 2 * 25 * w)


def test_every_batch_has_32_samples_by_default():
    sizes = []

    class Sizes(Callback):
        def on_batch_begin(self, batch, logs=None):
            sizes.append((batch, logs["size"]))

    scale_model().fit(np.zeros((70, 1)), np.zeros(70), verbose=0, callbacks=[Sizes()])
    assert sizes == [(0, 32), (1, 32), (2, 6)]


def test_epochs_count_from_the_initial_one():
    history = scale_model().fit(X, Y, epochs=5, initial_epoch=3, verbose=0)
    assert history.epoch == [3, 4]


def test_every_sample_is_seen_once_an_epoch():
    model = scale_model(lr=0.0)
    for shuffle in (True, "batch", False):
        assert model.fit(X, Y, batch_size=2, shuffle=shuffle, verbose=0).history["loss"] == [
            pytest.approx(11)
        ]


def test_the_validation_split_is_the_tail_before_shuffling():
    model = scale_model(lr=0.0)
    history = model.fit(X, Y, validation_split=0.4, epochs=2, verbose=0).history
    assert history["loss"] == pytest.approx([(1 + 4 + 9) / 3] * 2)
    assert history["val_loss"] == pytest.approx([(16 + 25) / 2] * 2)
    assert list(history) == ["val_loss", "loss"]


def test_validation_data_may_be_weighted():
    model = scale_model(lr=0.0)
    history = model.fit(X, Y, validation_data=(X, Y, np.array([0, 0, 0, 0, 1])), verbose=0)
    assert history.history["val_loss"] == [pytest.approx(25)]
    assert model.fit(X, Y, validation_data=[X, Y], verbose=0).history["val_loss"] == [pytest.approx(11)]


def test_a_model_without_weights_to_train_fits():
    x = Input(shape=(1,))
    model = Model(x, Scale(trainable=False)(x))
    model.compile(Sgd(), squared)
    model.fit(X, Y, verbose=0)
    assert model.get_weights()[0] == 1


def test_inputs_and_targets_may_be_tensors_in_steps():
    x = Input(tensor=K.constant(X[:4]))
    model = Model(x, Scale()(x))
    model.compile(Sgd(0.0), squared, target_tensors=K.constant(Y[:4]))
    history = model.fit(steps_per_epoch=3, epochs=2, verbose=0)
    assert history.history["loss"] == pytest.approx([7.5, 7.5])
    assert model.evaluate(steps=2, verbose=0) == pytest.approx(7.5)
    assert model.predict(None, steps=2).shape == (8, 1)
    assert model.fit(steps_per_epoch=1, validation_steps=1, verbose=0).history["val_loss"] == pytest.approx(
        [7.5]
    )


def test_a_batch_that_fails_leaves_the_weights_of_the_one_before():
    class Break(Callback):
        def on_batch_begin(self, batch, logs=None):
            if batch == 2:
                raise KeyError("broken")

    model, other = scale_model(), scale_model()
    with pytest.raises(KeyError, match="broken"):
        model.fit(X, Y, batch_size=1, shuffle=False, verbose=0, callbacks=[Break()])
    other.fit(X[:2], Y[:2], batch_size=1, shuffle=False, verbose=0)
    assert model.get_weights() == other.get_weights()
    model.fit(X, Y, verbose=0)


def test_the_model_may_be_used_while_it_trains():
    class Peek(Callback):
        def on_batch_end(self, batch, logs=None):
            seen.append(float(self.model.predict(np.ones(1))[0, 0]))
            self.model.evaluate(X, Y, verbose=0)

    seen = []
    model = scale_model()
    model.fit(X, Y, batch_size=2, verbose=0, callbacks=[Peek()])
    assert seen[-1] == pytest.approx(float(model.get_weights()[0]))
    assert len(set(seen)) == 3


# ---- evaluate and predict


def test_evaluate_averages_over_samples():
    assert scale_model().evaluate(X, Y, batch_size=2, verbose=0) == pytest.approx(11)


def test_predictions_of_all_batches_lie_in_one_array():
    model = scale_model()
    for batch_size in (1, 2, 5, 100):
        assert_array_equal(model.predict(X, batch_size=batch_size), X)
    assert model.predict(X).dtype == "float32"
    assert model.predict(X[:0]).shape == (0, 1)


def test_predictions_are_not_the_plans_own_buffers():
    model = scale_model()
    first = model.predict_on_batch(X)
    model.predict_on_batch(2 * X)
    assert_array_equal(first, X)


def test_an_output_that_loses_the_batch_is_refused():
    class Total(Layer):
        def call(self, inputs):
            return K.sum(inputs, axis=0, keepdims=True)

    x = Input(shape=(1,))
    with pytest.raises(ValueError, match="first axis must be the batch"):
        Model(x, Total(name="total")(x)).predict(X)


def test_predictions_follow_layers_added_later():
    model = Sequential([Scale(input_shape=(1,))])
    model.predict(X)
    model.add(Scale())
    model.layers[1].set_weights([np.array(2.0)])
    assert_array_equal(model.predict(X), 2 * X)


def test_dropout_and_noise_are_for_training():
    model = scale_model(Noise(), lr=0.0)
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(11)
    assert_array_equal(model.predict(X), X)
    assert model.train_on_batch(X, Y) != pytest.approx(11)


# ---- repeatability


def noisy_run(epochs, resume_at=None):
    np.random.seed(3)
    model = scale_model(Noise())
    if resume_at is None:
        model.fit(X, Y, batch_size=2, epochs=epochs, verbose=0)
        return model.get_weights()[0]
    model.fit(X, Y, batch_size=2, epochs=resume_at, verbose=0)
    state, weights = np.random.get_state(), model.get_weights()
    np.random.seed(3)
    again = scale_model(Noise())
    again.set_weights(weights)
    np.random.set_state(state)
    again.fit(X, Y, batch_size=2, epochs=epochs, initial_epoch=resume_at, verbose=0)
    return again.get_weights()[0]


def test_a_seed_repeats_a_run():
    assert noisy_run(4) == noisy_run(4)


def test_a_run_taken_up_again_goes_on_like_one_never_left():
    assert noisy_run(4, resume_at=2) == noisy_run(4)


# ---- streams


class Batches(Sequence):
    def __init__(self):
        self.asked, self.ended = [], 0

    def __len__(self):
        return 3

    def __getitem__(self, index):
        self.asked.append(index)
        return X[2 * index : 2 * index + 2], Y[2 * index : 2 * index + 2]

    def on_epoch_end(self):
        self.ended += 1


def forever():
    while True:
        yield from Batches()


def test_fit_generator_trains_like_fit():
    one, other = scale_model(), scale_model()
    history = one.fit(X, Y, batch_size=2, epochs=2, shuffle=False, verbose=0, validation_data=(X, Y))
    streamed = other.fit_generator(forever(), 3, epochs=2, verbose=0, validation_data=(X, Y))
    assert streamed.history["loss"] == history.history["loss"]
    # Validated in batches of the last batch's size, which sums in another order.
    assert streamed.history["val_loss"] == pytest.approx(history.history["val_loss"])
    assert other.get_weights() == one.get_weights()


def test_a_sequence_knows_its_length_and_hears_of_the_end():
    data, model = Batches(), scale_model(lr=0.0)
    assert model.fit_generator(data, epochs=2, verbose=0).history["loss"] == pytest.approx([11, 11])
    assert sorted(data.asked) == [0, 0, 1, 1, 2, 2]
    assert data.ended == 2
    data = Batches()
    model.fit_generator(data, epochs=2, verbose=0, shuffle=False)
    assert data.asked == [0, 1, 2, 0, 1, 2]


def test_a_sequence_says_what_it_lacks():
    assert len(list(Batches())) == 3
    with pytest.raises(NotImplementedError, match="__getitem__"):
        Sequence()[0]
    with pytest.raises(NotImplementedError, match="__len__"):
        scale_model().fit_generator(Sequence())


def test_streams_may_carry_weights_and_dicts():
    def items():
        yield {"x": X}, {"y": Y}, np.array([0, 0, 0, 0, 1.0])
        yield [X], [Y]

    x = Input(shape=(1,), name="x")
    model = Model(x, Scale(name="y")(x))
    model.compile(Sgd(0.0), squared)
    history = model.fit_generator(items(), 2, verbose=0)
    assert history.history["loss"] == [pytest.approx((25 + 11) / 2)]


def test_evaluate_and_predict_generators():
    model = scale_model()
    assert model.evaluate_generator(Batches()) == pytest.approx(11)
    assert model.evaluate_generator(forever(), 3) == pytest.approx(11)
    assert_array_equal(model.predict_generator(Batches()), X)
    assert_array_equal(model.predict_generator(iter([X[:2], X[2:]]), 2), X)


def test_a_part_of_a_batch_counts_as_a_step():
    """steps_per_epoch=len(x) / batch_size, which is 2.5 here, asks for three."""
    data, model = Batches(), scale_model()
    assert model.evaluate_generator(data, len(X) / 2) == pytest.approx(11)
    assert sorted(data.asked) == [0, 1, 2]
    assert len(model.predict_generator(Batches(), 0.5)) == 2
    for steps in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="steps_per_epoch must be at least 1"):
            model.fit_generator(Batches(), steps)


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_steps_over_arrays_leave_no_room_for_a_batch_size(method):
    data = (X,) if method == "predict" else (X, Y)
    steps = {"steps_per_epoch" if method == "fit" else "steps": 2}
    with pytest.raises(ValueError, match="steps.*=2 takes the whole of the data.*batch_size=4"):
        getattr(scale_model(), method)(*data, batch_size=4, **steps)


def test_validation_may_be_a_stream():
    model = scale_model(lr=0.0)
    history = model.fit_generator(Batches(), epochs=2, verbose=0, validation_data=Batches())
    assert history.history["val_loss"] == pytest.approx([11, 11])
    history = model.fit_generator(Batches(), verbose=0, validation_data=forever(), validation_steps=3)
    assert history.history["val_loss"] == pytest.approx([11])
    with pytest.raises(ValueError, match="validation_steps=None"):
        model.fit_generator(Batches(), verbose=0, validation_data=forever())


# ---- Sequential


def test_sequential_has_its_own_argument_orders():
    model = Sequential([Scale(input_shape=(1,))])
    model.compile(Sgd(0.0), squared, None, "temporal")
    assert model.sample_weight_mode == "temporal"
    model.compile(Sgd(0.0), squared, loss_weights=[2.0])
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(22)
    assert model.train_on_batch(X, Y, {0: 3.0}) == pytest.approx(66)
    assert model.train_on_batch(X, Y, None, np.array([0, 0, 0, 0, 1])) == pytest.approx(50)


def test_classes_and_probabilities():
    one = Sequential([Scale(input_shape=(1,))])
    assert_array_equal(one.predict_classes([0.2, 0.6]), [[0], [1]])
    three = Sequential([Scale(input_shape=(3,))])
    assert_array_equal(three.predict_classes([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2]]), [1, 0])
    assert_allclose(three.predict_proba([[0.1, 0.7, 0.2]]), [[0.1, 0.7, 0.2]])
    with pytest.warns(UserWarning, match="invalid probability"):
        three.predict_proba([[2.0, 0, 0]])


def test_a_sequential_learns_its_input_from_the_data():
    model = Sequential([Scale()])
    model.compile(Sgd(0.0), squared)
    with pytest.raises(RuntimeError, match="input_shape"):
        model.metrics_names  # noqa: B018
    assert model.fit(X, Y, verbose=0).history["loss"] == [pytest.approx(11)]
    assert model.input_shape == (None, 1)
    assert_array_equal(Sequential([Scale()]).predict(X), X)


def test_a_subclass_of_model_trains_by_its_call():
    class Twice(Model):
        def __init__(self):
            super().__init__()
            self.scale = Scale()

        def call(self, inputs):
            return self.scale(self.scale(inputs))

    model = Twice()
    model.compile(Sgd(0.01), squared)
    assert model.fit(X, Y, verbose=0).history["loss"] == [pytest.approx(11)]
    assert model.get_weights()[0] == pytest.approx(1 - 0.01 * 44)
    assert model.predict(X).shape == (5, 1)

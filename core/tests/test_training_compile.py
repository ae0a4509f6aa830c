"""compile: losses, weights, masks and metrics become one loss and named numbers, as Keras 2.2 scales them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lamina import backend as K
from lamina.engine.input_layer import Input
from lamina.engine.layer import Layer
from lamina.engine.model import Model
from lamina.engine.optimizer import Optimizer
from lamina_registry import CustomObjectScope, UnknownName, catalogue, register


class Scale(Layer):
    """w * x, with one weight w that starts at 1."""

    supports_masking = True

    def build(self, input_shape):
        self.w = self.add_weight(name="w", shape=(), initializer=lambda shape, dtype=None: K.ones(shape))
        super().build(input_shape)

    def call(self, inputs):
        return self.w * inputs


class Skip(Layer):
    """x, with time steps masked where all of x is 0."""

    def compute_mask(self, inputs, mask=None):
        return K.any(K.not_equal(inputs, 0), axis=-1)

    def call(self, inputs):
        return inputs


class Sgd(Optimizer):
    def __init__(self, lr=0.5, **kwargs):
        super().__init__(**kwargs)
        self.lr = lr

    def get_updates(self, loss, params):
        return [
            K.update_sub(p, self.lr * g)
            for p, g in zip(params, self.get_gradients(loss, params), strict=True)
        ]


def squared(y_true, y_pred):
    return K.mean(K.square(y_true - y_pred), axis=-1)


def distance(y_true, y_pred):
    return K.mean(K.abs(y_true - y_pred), axis=-1)


def scale_model(size=1, **names):
    x = Input(shape=(size,))
    return Model(x, Scale(**names)(x))


def two_outputs():
    x = Input(shape=(1,))
    return Model(x, [Scale(name="a")(x), Scale(name="b")(x)])


@pytest.fixture
def installed(monkeypatch):
    """A catalogue with nothing but what the test registers."""
    monkeypatch.setattr(catalogue, "_catalog", catalogue.Catalog([], {}))
    return lambda kind, *things: [
        register(thing.__name__, thing, kind, package="some-plugin") for thing in things
    ]


X = np.array([[1.0], [2.0], [3.0], [4.0]], "float32")
Y = np.zeros_like(X)


# ---- losses


def test_the_loss_is_the_mean_over_samples():
    model = scale_model()
    model.compile(Sgd(), squared)
    assert model.evaluate(X, Y, verbose=0) == pytest.approx((1 + 4 + 9 + 16) / 4)


def test_losses_are_found_by_name(installed):
    installed("losses", squared)
    model = scale_model()
    model.compile(Sgd(), "squared")
    assert model.loss_functions == [squared]
    assert model.loss == "squared"


def test_one_loss_serves_all_outputs_and_lists_and_dicts_choose():
    for losses in ([squared, distance], {"a": squared, "b": distance}):
        model = two_outputs()
        model.compile(Sgd(), losses)
        assert model.evaluate(X, [Y, Y], verbose=0) == pytest.approx([7.5 + 2.5, 7.5, 2.5])
    model.compile(Sgd(), squared)
    assert model.evaluate(X, [Y, Y], verbose=0) == pytest.approx([15.0, 7.5, 7.5])


@pytest.mark.parametrize("weights", [[1.0, 0.2], {"b": 0.2}])
def test_loss_weights_count_in_the_total_alone(weights):
    model = two_outputs()
    model.compile(Sgd(), squared, loss_weights=weights)
    assert model.metrics_names == ["loss", "a_loss", "b_loss"]
    assert model.evaluate(X, [Y, Y], verbose=0) == pytest.approx([7.5 + 0.2 * 7.5, 7.5, 7.5])


def test_an_output_missing_from_the_losses_takes_no_target():
    model = two_outputs()
    with pytest.warns(UserWarning, match='"b" missing from loss dictionary'):
        model.compile(Sgd(), {"a": squared})
    assert model.evaluate(X, Y, verbose=0) == pytest.approx([7.5, 7.5])
    assert model.targets[1] is None


def test_losses_of_layers_are_added_once_and_outside_the_losses_of_outputs():
    x = Input(shape=(1,))
    layer = Scale(name="a")
    y = layer(x)
    layer.add_loss(K.square(layer.w) * 10)
    model = Model(x, [y, Scale(name="b")(y)])
    model.compile(Sgd(), squared)
    assert model.evaluate(X, [Y, Y], verbose=0) == pytest.approx([10 + 15.0, 7.5, 7.5])


def test_a_model_may_be_trained_on_losses_of_its_layers_alone():
    x = Input(shape=(1,))
    layer = Scale()
    y = layer(x)
    layer.add_loss(K.mean(K.square(y)), inputs=x)
    model = Model(x, y)
    model.compile(Sgd(0.01))
    assert model.train_on_batch(X, None) == pytest.approx(7.5)
    assert model.get_weights()[0] == pytest.approx(1 - 0.01 * 15)


def test_targets_may_be_tensors():
    model = scale_model()
    model.compile(Sgd(), squared, target_tensors=K.constant(np.full((4, 1), 2.0)))
    assert model.train_on_batch(X, None) == pytest.approx((1 + 0 + 1 + 4) / 4)
    with pytest.raises(ValueError, match="expected no data"):
        model.train_on_batch(X, Y)


# ---- weights and masks


def test_sample_weights_divide_by_the_share_that_is_not_zero():
    model = scale_model()
    model.compile(Sgd(), squared)
    # (2*1 + 0*4 + 1*9 + 0*16) / 4 samples / (2 of 4 weights are not 0)
    assert model.evaluate(X, Y, verbose=0, sample_weight=np.array([2, 0, 1, 0])) == pytest.approx(
        11 / 4 / 0.5
    )
    assert model.evaluate(X, Y, verbose=0, sample_weight=np.zeros(4)) == 0


def test_absent_weights_give_the_numbers_of_weights_of_one():
    runs = []
    for weights in (None, np.ones(4)):
        model = scale_model()
        model.compile(Sgd(0.01), squared, weighted_metrics=[distance])
        losses = [model.train_on_batch(X, Y, sample_weight=weights) for _ in range(3)]
        runs.append([*np.ravel(losses), model.get_weights()[0]])
    assert_allclose(*runs, rtol=1e-6)


def test_absent_weights_leave_no_step_in_the_plan():
    model = scale_model()
    model.compile(Sgd(), squared)
    plan = model._fixed.function(True, [False]).explain([(4, 1), (4, 1)], 1)
    assert "not_equal" not in plan
    assert "not_equal" in model._fixed.function(True, [True]).explain([(4, 1), (4, 1), (4,)], 1)


def test_both_forms_of_the_train_function_share_the_optimizers_state():
    class Momentum(Optimizer):
        def get_updates(self, loss, params):
            self.weights = [K.zeros(K.int_shape(p)) for p in params]
            grads = self.get_gradients(loss, params)
            moves = [0.5 * v - 0.01 * g for v, g in zip(self.weights, grads, strict=True)]
            return [
                *[K.update(v, move) for v, move in zip(self.weights, moves, strict=True)],
                *[K.update_add(p, move) for p, move in zip(params, moves, strict=True)],
            ]

    model = scale_model()
    model.compile(Momentum(), squared)
    model.train_on_batch(X, Y)  # gradient 2 * 7.5: v = -0.15, w = 0.85
    model.train_on_batch(X, Y, sample_weight=np.ones(4))  # v = -0.075 - 0.1275
    assert len(model.optimizer.weights) == 1
    assert_allclose(model.optimizer.get_weights()[0], -0.2025, rtol=1e-5)
    assert_allclose(model.get_weights()[0], 0.85 - 0.2025, rtol=1e-5)


def test_masked_steps_count_for_nothing():
    x = Input(shape=(3, 2))
    model = Model(x, Scale()(Skip()(x)))
    model.compile(Sgd(), squared, metrics=[distance])
    data = np.array([[[1, 1], [2, 2], [0, 0]], [[3, 3], [0, 0], [0, 0]]], "float32")
    ones = np.ones_like(data)
    # Scores 0, 1 | 4, the masked ones 1 each and left out; 6 steps, half of them masked.
    assert model.evaluate(data, ones, verbose=0) == pytest.approx(
        [(0 + 1 + 4) / 6 / 0.5, (0 + 1 + 2) / 6 / 0.5]
    )
    assert model.evaluate(np.zeros_like(data), ones, verbose=0) == [0, 0]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("mode", [None, "temporal"])
def test_samples_of_no_steps_have_no_loss_and_move_no_weight(masked, mode):
    x = Input(shape=(None, 2))
    model = Model(x, Scale()(Skip()(x) if masked else x))
    model.compile(Sgd(), squared, sample_weight_mode=mode)
    nothing = np.zeros((3, 0, 2), "float32")
    weights = np.ones((3, 0)) if mode else np.ones(3)
    assert model.evaluate(nothing, nothing, verbose=0) == 0
    assert model.train_on_batch(nothing, nothing) == 0
    assert model.train_on_batch(nothing, nothing, sample_weight=weights) == 0
    assert model.get_weights() == [1]


def test_of_an_output_without_numbers_there_is_no_loss():
    x = Input(shape=(3, 0))
    model = Model(x, Scale(name="none")(x))
    with pytest.raises(ValueError, match=r"none: the output has shape \(None, 3, 0\).*loss=None"):
        model.compile(Sgd(), squared)


def test_temporal_weights_are_one_a_step():
    x = Input(shape=(2, 1))
    model = Model(x, Scale()(x))
    model.compile(Sgd(), squared, sample_weight_mode="temporal")
    data = np.array([[[1], [2]], [[3], [4]]], "float32")
    weights = np.array([[1, 0], [0, 2]])
    assert model.evaluate(data, 0 * data, verbose=0, sample_weight=weights) == pytest.approx(
        (1 + 32) / 4 / 0.5
    )


# ---- metrics


def test_metrics_are_named_after_their_functions():
    def mean_pred(y_true, y_pred):
        return K.mean(y_pred)

    model = scale_model()
    model.compile(Sgd(), squared, metrics=[distance, mean_pred, distance], weighted_metrics=[distance])
    assert model.metrics_names == ["loss", "distance", "mean_pred", "distance_1", "weighted_distance"]
    values = model.evaluate(X, Y, verbose=0, sample_weight=np.array([0, 0, 0, 1.0]))
    assert values == pytest.approx([16.0, 2.5, 2.5, 2.5, 4.0])


def test_metrics_of_several_outputs_carry_their_names():
    model = two_outputs()
    model.compile(Sgd(), squared, metrics={"b": distance})
    assert model.metrics_names == ["loss", "a_loss", "b_loss", "b_distance"]
    model.compile(Sgd(), squared, metrics=[distance])
    assert model.metrics_names == ["loss", "a_loss", "b_loss", "a_distance", "b_distance"]


def named(name):
    def scores(y_true, y_pred):
        return K.mean(y_pred, axis=-1)

    scores.__name__ = name
    return scores


@pytest.mark.parametrize(
    ("loss", "units", "expected"),
    [
        ("categorical_crossentropy", 3, "categorical_accuracy"),
        ("categorical_crossentropy", 1, "binary_accuracy"),
        ("binary_crossentropy", 3, "binary_accuracy"),
        ("sparse_categorical_crossentropy", 3, "sparse_categorical_accuracy"),
        ("squared", 3, "categorical_accuracy"),
    ],
)
def test_accuracy_takes_the_form_that_loss_and_width_call_for(installed, loss, units, expected):
    names = ["binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy"]
    metrics = {name: named(name) for name in names}
    installed("metrics", *metrics.values())
    installed("losses", named(loss))
    model = scale_model(units)
    for spelling in ("accuracy", "acc"):
        model.compile(Sgd(), loss, metrics=[spelling])
        assert model.metrics_names == ["loss", "acc"]
        assert model._fixed.objectives[0].metric(spelling)[0] is metrics[expected]


def test_a_strangers_binary_crossentropy_is_not_the_installed_one(installed):
    metrics = [named("binary_accuracy"), named("categorical_accuracy")]
    installed("metrics", *metrics)
    installed("losses", named("binary_crossentropy"))
    model = scale_model(3)
    model.compile(Sgd(), named("binary_crossentropy"), metrics=["acc"])
    assert model._fixed.objectives[0].metric("acc")[0] is metrics[1]


def test_losses_serve_as_metrics(installed):
    installed("losses", distance)
    model = scale_model()
    model.compile(Sgd(), squared, metrics=["distance"])
    assert model.metrics_names == ["loss", "distance"]


def test_a_metric_layer_keeps_its_own_count():
    class Count(Layer):
        stateful = True

        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.total = K.variable(0.0)

        def reset_states(self):
            K.set_value(self.total, 0.0)

        def __call__(self, y_true, y_pred):
            new = self.total + K.sum(K.cast(y_pred > 1.5, "float32"))
            self.add_update(K.update(self.total, new), inputs=[y_true, y_pred])
            return new

    model = scale_model()
    model.compile(Sgd(0.0), squared, metrics=[Count(name="count")])
    assert model.metrics_names == ["loss", "count"]
    history = model.fit(X, Y, batch_size=2, epochs=2, verbose=0, validation_data=(X[:2], Y[:2]))
    assert history.history["count"] == [3.0, 3.0]
    assert history.history["val_count"] == [1.0, 1.0]


# ---- what compile fixes


def test_weights_to_train_are_those_of_compile():
    layer = Scale(trainable=False)
    x = Input(shape=(1,))
    frozen, free = Model(x, layer(x)), Model(x, layer(x))
    frozen.compile(Sgd(0.01), squared)
    layer.trainable = True
    free.compile(Sgd(0.01), squared)
    with pytest.warns(UserWarning, match="Discrepancy between trainable weights"):
        frozen.fit(X, Y, verbose=0)
    assert layer.get_weights()[0] == 1
    free.fit(X, Y, verbose=0)
    assert layer.get_weights()[0] == pytest.approx(0.85)


def test_gradients_may_be_asked_of_the_total_loss():
    model = scale_model()
    model.compile(Sgd(), squared)
    feeds = [model.inputs[0], model.targets[0], model.sample_weights[0]]
    gradient = K.function(feeds, K.gradients(model.total_loss, model.trainable_weights))
    assert gradient([X, Y, np.ones(4)])[0] == pytest.approx(15.0)
    # As programs written against Keras 2's own names ask for it.
    assert model._feed_inputs + model._feed_targets + model._feed_sample_weights == feeds
    x, y, weights = model._standardize_user_data(X.tolist(), Y)
    assert gradient(x + y + weights)[0] == pytest.approx(15.0)
    assert model._standardize_user_data(X, Y, np.arange(4))[2][0].tolist() == [0, 1, 2, 3]
    assert model._standardize_user_data(X)[1:] == ([], [])


def test_a_compile_that_fails_leaves_the_model_as_it_was():
    model = scale_model()
    model.compile(Sgd(), squared)
    with pytest.raises(UnknownName):
        model.compile(Sgd(), "no_such_loss")
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(7.5)


def test_custom_objects_are_found_by_name():
    with CustomObjectScope({"squared": squared, "Sgd": Sgd}):
        model = scale_model()
        model.compile("Sgd", "squared")
    assert isinstance(model.optimizer, Sgd)


# ---- errors


def test_a_model_that_is_not_compiled_says_so():
    model = scale_model()
    for act in (model.fit, model.evaluate, model.train_on_batch, model.test_on_batch):
        with pytest.raises(RuntimeError, match="compile"):
            act(X, Y)
    assert not hasattr(model, "metrics_names")
    assert model.predict(X).shape == (4, 1)


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"loss": {"c": squared}}, ValueError, r"'c'.*\['a', 'b'\]"),
        ({"loss": [squared]}, ValueError, "2 outputs"),
        ({"loss": None}, ValueError, "no loss to optimize"),
        ({"loss": squared, "loss_weights": {"c": 1}}, ValueError, "'c'"),
        ({"loss": squared, "loss_weights": [1.0]}, ValueError, "loss_weights"),
        ({"loss": squared, "loss_weights": 2.0}, TypeError, "loss_weights"),
        ({"loss": squared, "metrics": "acc"}, TypeError, r"Write metrics=\['acc'\]"),
        ({"loss": squared, "metrics": {"c": "acc"}}, ValueError, "'c'"),
        ({"loss": squared, "metrics": ["no_such_metric"]}, UnknownName, "no_such_metric"),
        ({"loss": squared, "sample_weight_mode": "daily"}, ValueError, "'daily'"),
        ({"loss": squared, "metric": ["acc"]}, TypeError, "'metric'"),
        ({"loss": squared, "optimizer": 3}, ValueError, "optimizer"),
    ],
)
def test_arguments_that_cannot_be_interpreted(arguments, error, says):
    with pytest.raises(error, match=says):
        two_outputs().compile(**{"optimizer": Sgd(), **arguments})


def test_layers_added_after_compile_need_another():
    from lamina.models import Sequential

    model = Sequential([Scale(input_shape=(1,))])
    model.compile(Sgd(), squared)
    model.add(Scale())
    with pytest.raises(RuntimeError, match="compile"):
        model.fit(X, Y, verbose=0)

"""What Keras 2 promises of models, compile and fit, and no test of a single distribution holds."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lamina.callbacks import LambdaCallback
from lamina.layers import LSTM, BatchNormalization, Dense, Embedding, Input, Masking, TimeDistributed, add
from lamina.models import Model, Sequential
from lamina.optimizers import SGD

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(20, 3)), rng.normal(size=(20, 2))


def net(**settings):
    model = Sequential([Dense(2, input_shape=(3,))])
    model.compile(SGD(0.1), "mse", **settings)
    return model


# ---- models


def test_an_output_may_be_listed_twice():
    a, b = Input((3,)), Input((3,))
    p, q = Dense(2, name="p")(a), Dense(2, name="q")(add([a, b]))
    model = Model([a, b], [p, q, q])
    _, second, third = model.predict([X, X])
    assert_array_equal(second, third)
    model.compile(SGD(0.0), "mse", metrics=["mae"])
    assert model.metrics_names == [
        "loss", "p_loss", "q_loss", "q_loss",
        "p_mean_absolute_error", "q_mean_absolute_error", "q_mean_absolute_error_1",
    ]  # fmt: skip
    total, *losses = model.evaluate([X, X], [Y, Y, 2 * Y], verbose=0)[:4]
    assert total == pytest.approx(sum(losses)) and losses[1] != losses[2]


def test_an_input_may_be_an_output():
    a = Input((3,))
    model = Model(a, [a, Dense(2, name="d")(a)])
    assert_array_equal(model.predict(X)[0], X.astype("float32"))
    with pytest.warns(UserWarning, match="missing from loss dictionary"):
        model.compile("sgd", {"d": "mse"})
    assert np.isfinite(model.train_on_batch(X, Y)).all()


def test_an_index_goes_before_a_name():
    model = Sequential([Dense(2, input_dim=3, name="x"), Dense(3, name="y")])
    assert model.get_layer("x", 1).name == model.get_layer("x", index=1).name == "y"


# ---- fit


def test_nb_epoch_is_epochs_with_a_warning():
    with pytest.warns(UserWarning, match="`nb_epoch` argument in `fit` has been renamed `epochs`"):
        assert net().fit(X, Y, nb_epoch=2, verbose=0).epoch == [0, 1]


def test_validation_data_goes_before_a_split():
    seen = []
    model = net()
    count = LambdaCallback(on_batch_end=lambda batch, logs: seen.append(logs["size"]))
    told = model.fit(X, Y, validation_data=(X[:5], Y[:5]), validation_split=0.5, verbose=0, callbacks=[count])
    assert sum(seen) == 20
    assert told.history["val_loss"] == [pytest.approx(model.evaluate(X[:5], Y[:5], verbose=0))]


def test_the_validation_of_several_outputs_is_split_with_its_weights():
    a = Input((3,))
    model = Model(a, [Dense(2, name="p")(a), Dense(2, name="q")(a)])
    model.compile(SGD(0.0), "mse")
    weights = [np.r_[np.ones(10), np.zeros(5), np.full(5, 2.0)], np.arange(20.0)]
    told = model.fit(X, [Y, Y], sample_weight=weights, validation_split=0.5, verbose=0).history
    tail = model.evaluate(X[10:], [Y[10:]] * 2, sample_weight=[one[10:] for one in weights], verbose=0)
    assert [told[name][0] for name in ("val_loss", "val_p_loss", "val_q_loss")] == pytest.approx(tail)


@pytest.mark.parametrize(
    ("losses", "weights", "targets"),
    [
        ("binary_crossentropy", [1.0, 0.2], list),
        (
            {"main_output": "binary_crossentropy", "aux_output": "binary_crossentropy"},
            {"main_output": 1.0, "aux_output": 0.2},
            lambda ys: dict(zip(("main_output", "aux_output"), ys, strict=True)),
        ),
    ],
)
def test_losses_and_their_weights_come_as_lists_or_dicts(losses, weights, targets):
    a = Input((3,))
    outputs = [Dense(1, activation="sigmoid", name=name)(a) for name in ("main_output", "aux_output")]
    model = Model(a, outputs)
    model.compile(SGD(0.1), losses, loss_weights=weights)
    ones = np.ones((20, 1))
    total, main, aux = model.train_on_batch(X, targets([ones, 0 * ones]))
    assert total == pytest.approx(main + 0.2 * aux)


# ---- state


@pytest.mark.parametrize(
    "method", ["predict", "predict_classes", "predict_on_batch", "test_on_batch", "train_on_batch", "fit"]
)
def test_every_method_advances_the_states(method):
    model = Sequential([LSTM(3, stateful=True, batch_input_shape=(4, 2, 3))])
    model.compile(SGD(0.0), "mse")
    x, y = rng.normal(size=(4, 2, 3)), np.zeros((4, 3))
    fresh = model.predict_on_batch(x)
    after_one = model.predict_on_batch(x)
    model.reset_states()
    assert_array_equal(model.predict_on_batch(x), fresh)
    model.reset_states()
    data = (x,) if method.startswith("predict") else (x, y)
    options = {"batch_size": 4} if method in ("predict", "predict_classes") else {}
    options |= {"batch_size": 4, "verbose": 0, "shuffle": False} if method == "fit" else {}
    getattr(model, method)(*data, **options)
    assert_array_equal(model.predict_on_batch(x), after_one)


# ---- all together


def test_a_model_of_everything_trains_on_keras_numbers():
    """Masks, temporal weights, penalties, constraints, two outputs, momentum, clipping and a frozen layer."""
    words = Input((4,), name="words")
    signal = Input((4, 3), name="signal")
    read = Embedding(7, 3, mask_zero=True, embeddings_regularizer="l2")(words)
    steps = TimeDistributed(Dense(3, activation="softmax"), name="steps")(Masking()(signal))
    last = LSTM(4, recurrent_activation="sigmoid", activity_regularizer="l2", kernel_constraint="max_norm")(
        read
    )
    hidden = BatchNormalization()(Dense(4, activation="tanh", trainable=False)(last))
    model = Model([words, signal], [steps, Dense(1, activation="sigmoid", name="end")(hidden)])
    model.compile(
        SGD(0.1, momentum=0.5, nesterov=True, clipnorm=1.0),
        ["categorical_crossentropy", "binary_crossentropy"],
        metrics=["acc"],
        weighted_metrics=["mae"],
        loss_weights=[1.0, 0.5],
        sample_weight_mode={"steps": "temporal", "end": None},
    )
    draw = np.random.RandomState(3)
    model.set_weights([draw.uniform(0.1, 0.5, weight.shape) for weight in model.get_weights()])
    x = [draw.randint(0, 7, (10, 4)), draw.normal(size=(10, 4, 3))]
    x[0][:, 2:] *= draw.randint(0, 2, (10, 1))
    x[1][:, 3:] *= draw.randint(0, 2, (10, 1, 1))
    y = [np.eye(3)[draw.randint(0, 3, (10, 4))], draw.randint(0, 2, (10, 1))]
    weights = [draw.uniform(size=(10, 4)), draw.uniform(size=10)]
    told = model.fit(
        x, y, batch_size=4, epochs=2, shuffle=False, verbose=0, sample_weight=weights, validation_split=0.2
    )
    for name, numbers in EXPECTED.items():
        assert_allclose(told.history[name], numbers, rtol=2e-5, err_msg=name)
    assert told.history.keys() == EXPECTED.keys()


EXPECTED = {
    "val_loss": [0.8030903, 0.7905943],
    "val_steps_loss": [0.7028021, 0.6919908],
    "val_end_loss": [0.1178055, 0.1166329],
    "val_steps_acc": [0.5, 0.375],
    "val_steps_weighted_mean_absolute_error": [0.2868279, 0.2848865],
    "val_end_acc": [0.5, 0.5],
    "val_end_weighted_mean_absolute_error": [0.07664824, 0.07640626],
    "loss": [0.7884962, 0.7663736],
    "steps_loss": [0.5449442, 0.5254716],
    "end_loss": [0.3562778, 0.3544447],
    "steps_acc": [0.2197802, 0.2582418],
    "steps_weighted_mean_absolute_error": [0.2122, 0.208538],
    "end_acc": [0.375, 0.375],
    "end_weighted_mean_absolute_error": [0.2430919, 0.2427523],
}
# Written by running the same lines under Keras 2.2.4 on the 1.x interface of TensorFlow 2.21, with its moving averages
# set to have no correction for their start, as ours.

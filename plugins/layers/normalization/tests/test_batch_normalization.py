import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lamina import backend as K
from lamina.layers import BatchNormalization, Dense, Input
from lamina.models import Model, Sequential
from lamina.testing import Case, parametrize_layers


def at_rest(x, gamma, beta, mean, variance):
    return gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta


@parametrize_layers(
    Case(BatchNormalization, shape=(5,), reference=at_rest),
    Case(BatchNormalization, shape=(3, 4, 2), reference=at_rest),
    Case(BatchNormalization, {"axis": 1}, shape=(3, 4, 2)),
    Case(BatchNormalization, {"scale": False, "momentum": 0.5}, shape=(5,)),
    Case(BatchNormalization, {"center": False, "epsilon": 0.01}, shape=(5,)),
    Case(
        BatchNormalization,
        {
            "beta_initializer": "ones",
            "gamma_initializer": "he_normal",
            "moving_mean_initializer": "ones",
            "moving_variance_initializer": "ones",
            "beta_regularizer": "l1",
            "gamma_regularizer": "l2",
            "beta_constraint": "non_neg",
            "gamma_constraint": "max_norm",
        },
        shape=(4,),
        id="BatchNormalization with everything",
    ),
)
def test_conforms(case, check):
    check(case)


@pytest.mark.parametrize(("axis", "rest"), [(-1, (0, 1)), (1, (0, 2))])
def test_in_training_each_feature_has_mean_0_and_variance_1(axis, rest):
    x = np.random.default_rng(0).normal(3, 5, size=(64, 4, 6))
    inputs = Input((4, 6))
    outputs = BatchNormalization(axis=axis)(inputs)
    (found,) = K.function([inputs, K.learning_phase()], [outputs])([x, 1])
    assert_allclose(found.mean(axis=rest), 0, atol=1e-5)
    assert_allclose(found.std(axis=rest), 1, atol=1e-3)


def test_training_moves_the_averages_as_keras_does():
    model = Sequential([BatchNormalization(momentum=0.9, input_shape=(2,))])
    model.compile("sgd", "mse")
    x = np.array([[0.0, 2.0], [2.0, 6.0], [4.0, 4.0], [6.0, 8.0]])
    model.train_on_batch(x, x)
    _, _, mean, variance = model.get_weights()
    assert_allclose(mean, 0.1 * x.mean(0), rtol=1e-6)
    assert_allclose(variance, 0.9 + 0.1 * x.var(0) * 4 / (4 - 1.001), rtol=1e-6)


@pytest.mark.parametrize("length", [None, 2])
def test_a_shared_layer_moves_its_averages_by_all_that_it_sees(length):
    left, right = Input((length, 1)), Input((length, 1))
    shared = BatchNormalization(momentum=0.5)
    model = Model([left, right], [shared(left), shared(right)])
    model.compile("sgd", "mse")
    x = np.array([[[1.0], [3.0]]])
    model.train_on_batch([x, 10 * x], [x, x])
    (mean,) = shared.get_weights()[2]
    assert mean in ((0 * 0.5 + 2 * 0.5) * 0.5 + 20 * 0.5, (0 * 0.5 + 20 * 0.5) * 0.5 + 2 * 0.5)
    single = Input((length, 1))
    alone = Model(single, shared(single))
    alone.compile("sgd", "mse")
    alone.train_on_batch(x, x)
    assert shared.get_weights()[2] == [mean * 0.5 + 2 * 0.5]


def test_the_variance_of_images_is_corrected_twice_as_keras_does():
    model = Sequential([BatchNormalization(momentum=0.0, input_shape=(2, 2, 1))])
    model.compile("sgd", "mse")
    x = np.arange(8.0).reshape(2, 2, 2, 1)
    model.train_on_batch(x, x)
    assert_allclose(model.get_weights()[3], x.var() * 8 / (8 - 1.001) * 8 / 7, rtol=1e-6)


def test_a_frozen_layer_keeps_its_averages():
    model = Sequential([BatchNormalization(input_shape=(2,), trainable=False), Dense(1)])
    model.compile("sgd", "mse")
    before = model.layers[0].get_weights()
    model.train_on_batch(np.ones((3, 2)), np.ones((3, 1)))
    for a, b in zip(model.layers[0].get_weights(), before, strict=True):
        assert_allclose(a, b)


def test_a_constant_feature_becomes_beta():
    inputs = Input((3,))
    (found,) = K.function([inputs, K.learning_phase()], [BatchNormalization()(inputs)])(
        [np.full((8, 3), 7.0), 1]
    )
    assert_allclose(found, 0, atol=1e-4)


def test_training_false_uses_the_averages_whatever_the_phase():
    inputs = Input((3,))
    layer = BatchNormalization()
    (found,) = K.function([inputs, K.learning_phase()], [layer(inputs, training=False)])(
        [np.full((2, 3), 7.0), 1]
    )
    assert_allclose(found, 7 / np.sqrt(1.001), rtol=1e-6)
    assert not layer.updates


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (
            lambda: BatchNormalization(name="n")(Input((3, None))),
            ValueError,
            "^n keeps one mean .* no fixed size",
        ),
        (lambda: BatchNormalization(3, name="n")(Input((3,))), ValueError, "n: axis=3 is none of the 2 axes"),
        (
            lambda: BatchNormalization([1], name="n"),
            TypeError,
            r"n: axis is that of the features, .* met \[1\]",
        ),
        (lambda: BatchNormalization(momentum=2, name="n"), ValueError, "n: momentum .* at most 1; met 2"),
        (lambda: BatchNormalization(epsilon=-1, name="n"), ValueError, "n: epsilon .* at least 0; met -1"),
        (lambda: BatchNormalization(epsilon="0", name="n"), TypeError, "n: epsilon .* met '0'"),
    ],
)
def test_what_is_wrong_is_named(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_batches_of_no_steps_move_no_average():
    model = Sequential([BatchNormalization(input_shape=(None, 3))])
    model.compile("sgd", "mse")
    before = model.get_weights()
    assert model.train_on_batch(np.zeros((2, 0, 3)), np.zeros((2, 0, 3))) == 0
    for met, expected in zip(model.get_weights(), before, strict=True):
        assert_array_equal(met, expected)
    model.train_on_batch(np.ones((2, 4, 3)), np.ones((2, 4, 3)))
    assert_allclose(model.get_weights()[2], 0.01, rtol=1e-5)


@pytest.mark.parametrize(("epsilon", "count"), [(0, 1), (1e-3, 1), (1.0, 2)])
def test_a_variance_of_too_few_numbers_to_be_corrected_is_taken_as_it_is(epsilon, count):
    model = Sequential([BatchNormalization(epsilon=epsilon, input_shape=(1,))])
    model.compile("sgd", "mse")
    x = np.arange(count, dtype="float32")[:, None]
    model.train_on_batch(x, x)
    assert_allclose(model.get_weights()[3], 0.99 + 0.01 * x.var(), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool"])
def test_whole_numbers_are_normalised_like_others(dtype):
    x = np.random.default_rng(0).integers(0, 2, (6, 3)).astype(dtype)
    whole, normal = Input((3,), dtype=dtype), BatchNormalization(beta_initializer="ones")
    f = K.function([whole, K.learning_phase()], [normal(whole)])
    inputs = Input((3,))
    g = K.function([inputs, K.learning_phase()], [normal(inputs)])
    for phase in (0, 1):
        assert_array_equal(f([x, phase])[0], g([x.astype("float32"), phase])[0])
    assert all(
        gradient is not None for gradient in K.gradients(K.sum(normal(whole)), normal.trainable_weights)
    )


def test_a_model_with_it_trains_and_predicts():
    rng = np.random.default_rng(0)
    x = rng.normal(5, 3, size=(200, 4))
    y = (x[:, :1] > 5) * 1.0
    inputs = Input((4,))
    model = Model(inputs, Dense(1, activation="sigmoid")(BatchNormalization(momentum=0.8)(inputs)))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, epochs=30, batch_size=20, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert model.evaluate(x, y, verbose=0)[0] < history["loss"][0]

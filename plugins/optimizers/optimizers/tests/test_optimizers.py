"""Every optimizer against the formula of its docstring, step by step in NumPy, and a few facts of each."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lamina import backend as K
from lamina import optimizers
from lamina.optimizers import SGD, Adadelta, Adagrad, Adam, Adamax, Nadam, RMSprop
from lamina.testing import Case, parametrize_optimizers

E = 1e-7
NO_COUNT = {"check_state": "Keras's files leave out how many updates were made, and decay starts again"}


def sgd(lr, momentum=0.0, decay=0.0, nesterov=False):
    def train(p, grads):
        v = 0
        for i, g in enumerate(grads):
            step = lr / (1 + decay * i) * g
            v = momentum * v - step
            p = p + (momentum * v - step if nesterov else v)
        return p

    return train


def rmsprop(lr, rho=0.9, epsilon=E, decay=0.0):
    def train(p, grads):
        a = 0
        for i, g in enumerate(grads):
            a = rho * a + (1 - rho) * g * g
            p = p - lr / (1 + decay * i) * g / (np.sqrt(a) + epsilon)
        return p

    return train


def adagrad(lr, epsilon=E):
    def train(p, grads):
        a = 0
        for g in grads:
            a = a + g * g
            p = p - lr * g / (np.sqrt(a) + epsilon)
        return p

    return train


def adadelta(lr, rho=0.95, epsilon=E):
    def train(p, grads):
        a = d = 0
        for g in grads:
            a = rho * a + (1 - rho) * g * g
            u = g * np.sqrt(d + epsilon) / np.sqrt(a + epsilon)
            d = rho * d + (1 - rho) * u * u
            p = p - lr * u
        return p

    return train


def adam(lr, b1=0.9, b2=0.999, epsilon=E, decay=0.0, amsgrad=False):
    def train(p, grads):
        m = v = largest = 0
        for t, g in enumerate(grads, start=1):
            m = b1 * m + (1 - b1) * g
            v = b2 * v + (1 - b2) * g * g
            largest = np.maximum(largest, v) if amsgrad else v
            lr_t = lr / (1 + decay * (t - 1)) * np.sqrt(1 - b2**t) / (1 - b1**t)
            p = p - lr_t * m / (np.sqrt(largest) + epsilon)
        return p

    return train


def adamax(lr, b1=0.9, b2=0.999, epsilon=E):
    def train(p, grads):
        m = u = 0
        for t, g in enumerate(grads, start=1):
            m = b1 * m + (1 - b1) * g
            u = np.maximum(b2 * u, abs(g))
            p = p - lr / (1 - b1**t) * m / (u + epsilon)
        return p

    return train


def nadam(lr, b1=0.9, b2=0.999, epsilon=E, schedule_decay=0.004):
    def mu(t):
        return b1 * (1 - 0.5 * 0.96 ** (t * schedule_decay))

    def train(p, grads):
        m = v = 0
        schedule = 1
        for t, g in enumerate(grads, start=1):
            schedule = schedule * mu(t)
            m = b1 * m + (1 - b1) * g
            v = b2 * v + (1 - b2) * g * g
            ahead = (1 - mu(t)) * g / (1 - schedule) + mu(t + 1) * m / (1 - schedule * mu(t + 1))
            p = p - lr * ahead / (np.sqrt(v / (1 - b2**t)) + epsilon)
        return p

    return train


@parametrize_optimizers(
    Case(SGD, {"lr": 0.1}, reference=sgd(0.1)),
    Case(SGD, {"lr": 0.1, "momentum": 0.9, "decay": 0.5}, reference=sgd(0.1, 0.9, 0.5)),
    Case(SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}, reference=sgd(0.1, 0.9, nesterov=True)),
    Case(SGD, {"lr": 0.1, "clipvalue": 0.25}, reference=lambda p, gs: sgd(0.1)(p, np.clip(gs, -0.25, 0.25))),
    Case(SGD, {"lr": 0.1, "clipnorm": 1.0}),
    Case(RMSprop, {"lr": 0.01}, reference=rmsprop(0.01)),
    Case(RMSprop, {"lr": 0.01, "rho": 0.8, "epsilon": 1e-3}, reference=rmsprop(0.01, 0.8, 1e-3)),
    Case(RMSprop, {"lr": 0.01, "decay": 0.5}, reference=rmsprop(0.01, decay=0.5), fails=NO_COUNT),
    Case(Adagrad, {"lr": 0.1}, reference=adagrad(0.1)),
    Case(Adagrad, {"lr": 0.1, "epsilon": 1e-2}, reference=adagrad(0.1, 1e-2)),
    Case(Adadelta, reference=adadelta(1.0)),
    Case(Adadelta, {"lr": 0.5, "rho": 0.8, "epsilon": 1e-3}, reference=adadelta(0.5, 0.8, 1e-3)),
    Case(Adam, {"lr": 0.01}, reference=adam(0.01)),
    Case(
        Adam,
        {"lr": 0.01, "beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-3, "decay": 0.1},
        reference=adam(0.01, 0.8, 0.99, 1e-3, 0.1),
    ),
    Case(
        Adam,
        {"lr": 0.01, "beta_2": 0.5, "amsgrad": True},
        reference=adam(0.01, b2=0.5, amsgrad=True),
    ),
    Case(Adamax, {"lr": 0.02}, reference=adamax(0.02)),
    Case(Adamax, {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3}, reference=adamax(0.002, 0.8, 0.9, 1e-3)),
    Case(Nadam, {"lr": 0.02}, reference=nadam(0.02)),
    Case(
        Nadam,
        {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3, "schedule_decay": 0.4},
        reference=nadam(0.002, 0.8, 0.9, 1e-3, 0.4),
    ),
)
def test_conforms(case, check):
    check(case)


def trained(optimizer, start, *gradients, constraint=None):
    """The parameter after a step along each gradient: the loss is p * g, whose gradient is g."""
    p = K.variable(start, constraint=constraint)
    g = K.placeholder(np.shape(start))
    step = K.function([g], [], optimizer.get_updates(K.sum(p * g), [p]))
    for each in gradients:
        step([each])
    return K.get_value(p)


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("sgd", ["lr", "momentum", "decay", "nesterov"]),
        ("rmsprop", ["lr", "rho", "decay", "epsilon"]),
        ("adagrad", ["lr", "decay", "epsilon"]),
        ("adadelta", ["lr", "rho", "decay", "epsilon"]),
        ("adam", ["lr", "beta_1", "beta_2", "decay", "epsilon", "amsgrad"]),
        ("adamax", ["lr", "beta_1", "beta_2", "decay", "epsilon"]),
        ("nadam", ["lr", "beta_1", "beta_2", "epsilon", "schedule_decay"]),
    ],
)
def test_names_and_configs_are_those_of_keras(name, keys):
    for spelling in (name, name.upper()):
        optimizer = optimizers.get(spelling)
        assert type(optimizer).__name__.lower() == name
        assert list(optimizer.get_config()) == keys


@pytest.mark.parametrize(
    ("optimizer", "shapes"),
    [
        (SGD, [(), (2, 3), (3,)]),
        (RMSprop, [(2, 3), (3,)]),
        (Adagrad, [(2, 3), (3,)]),
        (Adadelta, [(2, 3), (3,), (2, 3), (3,)]),
        (Adam, [(), (2, 3), (3,), (2, 3), (3,), (1,), (1,)]),
        (Adamax, [(), (2, 3), (3,), (2, 3), (3,)]),
        (Nadam, [(), (2, 3), (3,), (2, 3), (3,)]),
    ],
)
def test_the_state_is_that_of_keras_files(optimizer, shapes):
    made = optimizer()
    params = [K.zeros((2, 3)), K.zeros((3,))]
    made.get_updates(sum(K.sum(K.square(p)) for p in params), params)
    assert [w.shape for w in made.get_weights()] == shapes


def test_the_first_step_of_adam_is_the_learning_rate():
    # m / sqrt(v) = 0.1 g / sqrt(0.001 g^2), times sqrt(0.001) / 0.1: the sign of g.
    assert_allclose(trained(Adam(lr=0.5), [0.0, 0.0], [1e3, -1e-2]), [-0.5, 0.5], rtol=1e-3)


def test_the_learning_rate_can_be_changed_between_steps():
    p = K.variable(0.0)
    optimizer = SGD(lr=1.0)
    step = K.function([], [], optimizer.get_updates(2 * p, [p]))
    step([])
    K.set_value(optimizer.lr, 0.25)
    step([])
    assert K.get_value(p) == -2.5
    assert optimizer.get_config()["lr"] == 0.25
    assert K.get_value(optimizer.iterations) == 2


def test_decay_counts_the_updates_made():
    # 1 / 1 + 1 / 1.5 + 1 / 2.
    found = trained(SGD(lr=1.0, decay=0.5), [0.0], [-1.0], [-1.0], [-1.0])
    assert_allclose(found, [1 + 1 / 1.5 + 1 / 2], rtol=1e-6)


def test_clipnorm_is_the_norm_of_all_gradients():
    p, q = K.variable([0.0]), K.variable([0.0])
    K.function([], [], SGD(lr=1.0, clipnorm=1.0).get_updates(K.sum(3 * p + 4 * q), [p, q]))([])
    assert_allclose([K.get_value(p), K.get_value(q)], [[-0.6], [-0.8]], rtol=1e-6)


def test_a_constraint_holds_after_the_step():
    found = trained(RMSprop(lr=0.1), [0.05, 1.0], [1.0, 1.0], constraint=lambda w: K.maximum(w, 0))
    assert found[0] == 0 and 0 < found[1] < 1


def test_epsilon_none_is_that_of_the_backend():
    before = K.epsilon()
    try:
        K.set_epsilon(1e-4)
        assert Adam().epsilon == 1e-4
    finally:
        K.set_epsilon(before)


def test_nadam_goes_on_where_it_was():
    optimizer = Nadam()
    trained(optimizer, [0.0], [1.0], [1.0], [1.0])
    again = Nadam()
    trained(again, [0.0])
    again.set_weights(optimizer.get_weights())
    assert_allclose(K.get_value(again.m_schedule), K.get_value(optimizer.m_schedule), rtol=1e-6)


def test_state_is_named_after_the_parameters():
    p = K.variable([1.0], name="dense_1/kernel")
    optimizer = SGD()
    optimizer.get_updates(K.sum(p), [p])
    assert [w.name for w in optimizer.weights] == ["SGD/iterations:0", "dense_1/kernel/v:0"]


@pytest.mark.parametrize("optimizer", [SGD, RMSprop, Adagrad, Adadelta, Adam, Adamax, Nadam])
def test_all_parameters_are_updated_in_one_pass(optimizer):
    x = K.placeholder((None, 3))
    params = [K.variable(np.ones(shape)) for shape in ((3, 4), (4,), (4, 2), (2,))]
    kernel, bias, second, last = params
    loss = K.mean(K.square(K.bias_add(K.dot(K.relu(K.bias_add(K.dot(x, kernel), bias)), second), last)))
    K.function([x], [], optimizer().get_updates(loss, params))([np.ones((5, 3))])
    # Only where the update is one expression for all of them do they lie in one buffer.
    assert len({id(p.storage.base) for p in params}) == 1

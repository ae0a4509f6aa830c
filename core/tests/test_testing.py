"""The conformance kit: it passes what keeps its promises, and each check catches what breaks its own."""

import dataclasses
import sys
import time

import numpy as np
import pytest

from lamina import backend as K
from lamina import devices
from lamina.devices import Device
from lamina.engine.layer import Layer
from lamina.engine.optimizer import Optimizer
from lamina.op import elementwise, op
from lamina.ops.rules import same
from lamina.testing import (
    PROMISES,
    Case,
    classes,
    collect,
    common,
    functions,
    layers,
    one_hot,
    optimizers,
    parametrize_layers,
    parametrize_losses,
    parametrize_ops,
    parametrize_optimizers,
    parts,
    predict,
    probabilities,
    signs,
)


class Scale(Layer):
    """f(x) = a x, with a learned for each channel."""

    supports_masking = True

    def __init__(self, start=1.0, **kwargs):
        super().__init__(**kwargs)
        self.start = start

    def build(self, input_shape):
        self.a = self.add_weight(
            "a", (input_shape[-1],), initializer=lambda shape: K.constant(self.start, shape=shape)
        )
        super().build(input_shape)

    def call(self, inputs):
        return inputs * self.a


class Descent(Optimizer):
    """p <- p - rate * (g + friction * last step), the plainest optimizer with a state."""

    def __init__(self, rate=0.1, friction=0.5, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate
        self.friction = friction

    def get_updates(self, loss, params):
        gradients = self.get_gradients(loss, params)
        self.weights = [K.zeros(K.int_shape(p), K.dtype(p)) for p in params]
        self.updates = []
        for p, g, last in zip(params, gradients, self.weights, strict=True):
            step = self.friction * last + g
            new = p - self.rate * step
            self.updates += [K.update(last, step), K.update(p, p.constraint(new) if p.constraint else new)]
        return self.updates

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "friction": self.friction}


def squared(y_true, y_pred):
    return K.mean(K.square(y_true - y_pred), axis=-1)


@elementwise(result="float")
def cube(xp, x, a):
    return a * x * x * x


@cube.vjp
def _(g, y, x, a):
    return 3 * g * a * x * x, g * x * x * x


@parametrize_layers(
    Case(Scale, shape=(5,), reference=lambda x, a: x * a),
    Case(Scale, {"start": 2.0}, shape=(None, 3)),
    Case(Scale, shape=(4,), batch=2, id="a fixed batch"),
)
def test_a_good_layer_passes(case, check):
    check(case)


@parametrize_optimizers(
    Case(Descent, reference=lambda p, g: p - 0.1 * (g[0] + (g[1] + g[0] / 2) + (g[2] + g[1] / 2 + g[0] / 4))),
    Case(Descent, {"rate": 0.01, "clipnorm": 1.0}),
)
def test_a_good_optimizer_passes(case, check):
    check(case)


@parametrize_losses(Case(squared, shape=(3, 4), reference=lambda t, p: ((t - p) ** 2).mean(-1)))
def test_a_good_loss_passes(case, check):
    check(case)


@parametrize_ops(
    Case(cube, shape=[(3, 4), (4,)], reference=lambda x, a: a * x**3),
    Case(cube, shape=[(None, 4), (None, 1)]),
)
def test_a_good_op_passes(case, check):
    check(case)


# ---- each check catches what breaks its promise


def caught(check, kind, target, told="", **case):
    with pytest.raises(AssertionError, match=told) as failure:
        check(Case(target, kind=kind, **case))
    assert "expected:" in str(failure.value)


class Forgetful(Scale):
    def get_config(self):
        return {"name": self.name, "trainable": self.trainable}


class Unwritable(Scale):
    def get_config(self):
        return {**super().get_config(), "start": object()}


class Reverting(Scale):
    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "start": -1.0})


class Liar(Scale):
    def compute_output_shape(self, input_shape):
        return (input_shape[0], 7, *input_shape[2:])


class Single(Scale):
    def call(self, inputs):
        return K.cast(inputs * self.a, "float32")


class Averaging(Scale):
    def call(self, inputs):
        return inputs - K.mean(inputs, axis=0, keepdims=True)


class Unmasked(Scale):
    supports_masking = False


class Stubborn(Scale):
    def set_weights(self, weights):
        pass


class Frozen(Scale):
    @property
    def trainable_weights(self):
        return list(self._trainable_weights)


class Mirrored(Layer):
    """Channels in reverse order."""

    def __init__(self, data_format="channels_last", **kwargs):
        super().__init__(**kwargs)
        self.data_format = data_format

    def call(self, inputs):
        return K.reverse(inputs, -1 if self.data_format == "channels_last" else 1)


class Careless(Mirrored):
    def call(self, inputs):
        return K.reverse(inputs, -1)


class Kept(Mirrored):
    """Needs to know how many samples there are."""

    def build(self, input_shape):
        self.seen = self.add_weight("seen", input_shape[:1], initializer="zeros", trainable=False)
        super().build(input_shape)


class Anonymous(Scale):
    def get_config(self):
        return {"start": self.start}


class Prepared(Scale):
    """Declares an argument that every layer has."""

    def __init__(self, start=1.0, weights=None, **kwargs):
        super().__init__(start, weights=weights, **kwargs)


def test_config():
    layers.check_config(Case(Prepared, shape=(4,), kind="layers"))
    caught(layers.check_config, "layers", Anonymous, "also name")
    caught(layers.check_config, "layers", Forgetful, "start")
    caught(layers.check_config, "layers", Unwritable, "plain data")
    caught(layers.check_config, "layers", Reverting, "made from the config")


def test_shape():
    caught(layers.check_shape, "layers", Liar, "shape of output 0", shape=(None, 3))


def test_dtype():
    caught(common.check_dtype, "layers", Single, "float64")


def test_single():
    caught(common.check_single, "layers", Averaging, "alone")


def test_mask():
    layers.check_mask(Case(Unmasked, shape=(4, 3), kind="layers"))
    caught(layers.check_mask, "layers", Unmasked, "passed", shape=(4, 3), mask="passed")
    caught(layers.check_mask, "layers", Scale, "refused|TypeError", shape=(4, 3), mask="refused")
    caught(layers.check_mask, "layers", Scale, "stops", shape=(4, 3), mask="stopped")


def test_weights():
    caught(layers.check_weights, "layers", Stubborn, "set_weights")
    caught(layers.check_weights, "layers", Frozen, "frozen")


def test_data_format():
    layers.check_data_format(Case(Mirrored, shape=(5, 5, 2), kind="layers"))
    layers.check_data_format(Case(Kept, shape=(5, 5, 2), batch=2, kind="layers"))
    caught(layers.check_data_format, "layers", Careless, "channels_first", shape=(5, 5, 2))


def op_with_rule(rule):
    @elementwise(result="float")
    def square(xp, x):
        return x * x

    square.vjp(rule)
    return square


def test_gradient():
    common.check_gradient(Case(op_with_rule(lambda g, y, x: (2 * g * x,)), kind="ops"))
    caught(common.check_gradient, "ops", op_with_rule(lambda g, y, x: (g * x,)), "gradient")
    caught(common.check_gradient, "ops", op_with_rule(lambda g, y, x: (None,)), "gradient")


def test_second_gradient():
    # Right once; but the rule hides x from the next differentiation.
    hidden = op_with_rule(lambda g, y, x: (2 * g * K.stop_gradient(x),))
    common.check_gradient(Case(hidden, kind="ops"))
    caught(common.check_second_gradient, "ops", hidden, "gradient")


def test_kernels():
    @op(infer=same)
    def double(xp, x):
        return x + x

    @double.kernel("numpy")
    def _(x):
        return lambda out, array: np.multiply(array, 2 + 1e-3, out=out)

    caught(functions.check_kernels, "ops", double, "kernel 'numpy'")
    caught(functions.check_plan, "ops", double, "plan")


def test_threads():
    shared = np.zeros(4096)

    @op(infer=same)
    def hasty(xp, x):
        flat = shared[: x.size].reshape(x.shape)
        flat[...] = x
        time.sleep(0.002)  # lets the other threads in
        return flat + x

    caught(common.check_threads, "ops", hasty, "threads", shape=(64, 64))


def test_empty():
    @op(infer=same)
    def shifted(xp, x):
        return x - xp.max(x)

    with pytest.raises(Exception, match="zero-size"):
        common.check_empty(Case(shifted, kind="ops", shape=(None, 2)))


def test_reference():
    caught(common.check_reference, "layers", Scale, "reference", reference=lambda x, a: x * a + 1e-3)


def test_imports(tmp_path, monkeypatch):
    (tmp_path / "nosy").mkdir()
    (tmp_path / "nosy/__init__.py").write_text("def f(x):\n    return x\n")
    (tmp_path / "nosy/other.py").write_text("import lamina.config\n\nlamina.config._floatx = 'float16'\n")
    monkeypatch.syspath_prepend(tmp_path)
    import nosy  # noqa: F401

    caught(common.check_imports, "ops", sys.modules["nosy"].f, r"other.py:3")
    (tmp_path / "nosy/other.py").unlink()
    (tmp_path / "nosy/another.py").write_text("from lamina.tensor import _scope\n")
    caught(common.check_imports, "ops", sys.modules["nosy"].f, r"another.py:1.*\n.*lamina.tensor._scope")


def test_losses():
    caught(functions.check_reduction, "losses", lambda t, p: K.sum(t - p), "shape")
    caught(
        functions.check_finite, "losses", lambda t, p: K.mean(K.log(p), axis=-1), "predictions are 0 and 1"
    )


def test_optimizers():
    class Careless(Descent):
        def get_updates(self, loss, params):
            for p in params:
                p.constraint = None
            updates = super().get_updates(loss, params)
            self.weights = []
            return updates

    caught(optimizers.check_state, "optimizers", Careless, "resumed")
    caught(optimizers.check_constraint, "optimizers", Careless, "constrained")
    caught(optimizers.check_descent, "optimizers", Descent, "loss after", config={"rate": -0.1})
    caught(optimizers.check_reference, "optimizers", Descent, "three steps", reference=lambda p, g: p)


def test_initializers():
    generator = np.random.default_rng()

    class Wild:
        def __init__(self, seed=None):
            self.seed = seed

        def __call__(self, shape, dtype=None):
            return generator.random(shape).astype("float32")

        def get_config(self):
            return {"seed": self.seed}

    caught(parts.check_seed, "initializers", Wild, "once more")
    caught(parts.check_values, "initializers", Wild, "dtype in float64")


def test_constraints():
    class Halve:
        def __call__(self, w):
            return w / 2

        def get_config(self):
            return {}

    caught(parts.check_projection, "constraints", Halve, "twice")


# ---- cases


def test_a_case_says_what_it_is():
    assert str(Case(Scale, {"start": 2.0}, shape=(4,))) == "Scale(start=2.0) on (4,)"
    assert str(Case(cube, shape=[(3, 4), (4,)])) == "cube() on (3, 4) and (4,)"


def test_draws_are_what_they_are_called():
    rng = np.random.default_rng(0)
    np.testing.assert_allclose(probabilities(rng, (5, 3)).sum(-1), np.ones(5))
    assert (one_hot(rng, (5, 3)).sum(-1) == 1).all()
    assert set(np.unique(signs(rng, (50,)))) == {-1.0, 1.0}
    assert set(np.unique(classes(3)(rng, (50,)))) == {0, 1, 2}


def test_a_known_failure_is_expected_and_strict():
    mark = parametrize_layers(Case(Averaging, fails={"check_single": "a mean over the batch"})).mark
    marks = {parameter.values[1].__name__: parameter.marks for parameter in mark.args[1]}
    assert [mark.kwargs for mark in marks["check_single"]] == [
        {"strict": True, "reason": "a mean over the batch"}
    ]
    assert not marks["check_config"]


def test_a_failure_that_names_no_check_is_refused():
    with pytest.raises(ValueError, match=r"check_singel; the checks that apply .*check_single"):
        parametrize_layers(Case(Averaging, fails={"check_singel": "a mean over the batch"}))


def test_checks_leave_no_trace():
    before = np.random.get_state()[1].tolist(), K.floatx(), K.learning_phase()
    common.check_dtype(Case(Scale, kind="layers"))
    assert (np.random.get_state()[1].tolist(), K.floatx(), K.learning_phase()) == before


def test_every_check_says_what_it_promises():
    for promises in PROMISES.values():
        for check in promises:
            assert check.__doc__ and check.__name__.startswith("check_")


def test_predict_runs_a_layer_on_arrays():
    np.testing.assert_allclose(predict(Scale(2.0), [[1.0, 2.0]]), [[2.0, 4.0]])
    assert dataclasses.replace(Case(Scale), kind="layers").shapes == [(4,)]


def test_every_check_runs_on_every_device_present(monkeypatch):
    class Twin(Device):
        name = "twin"

    monkeypatch.setitem(devices._devices, "twin", Twin())
    monkeypatch.setattr(collect, "names", lambda kind: ["absent", "twin"])
    assert collect.devices() == ["cpu", "twin"]

    seen = []

    class Watched(Scale):
        def build(self, input_shape):
            seen.append(devices.current_device().name)
            super().build(input_shape)

    for parameter in parametrize_layers(Case(Watched, shape=(None, 3))).mark.args[1]:
        case, check = parameter.values
        seen.clear()
        check(case)
        assert set(seen) <= {"twin" if parameter.id.endswith("-twin") else "cpu"}, parameter.id

import numpy as np
import pytest

from lamina.engine.parts import Constraint, Initializer, Regularizer


class Ramp(Initializer):
    def __init__(self, start=0.0, shape=(2,)):
        self.start = start
        self.shape = shape


class Forgetful(Regularizer):
    def __init__(self, rate):
        self.speed = rate


class Closed(Constraint):
    def __init__(self, function):
        self.function = function


def test_the_config_is_the_constructors_arguments():
    assert Ramp(np.float32(0.5)).get_config() == {"start": 0.5, "shape": (2,)}
    assert list(Ramp().get_config()) == ["start", "shape"]
    assert Constraint().get_config() == {}


def test_a_config_makes_the_thing_again():
    again = Ramp.from_config(Ramp(3.0, (4, 5)).get_config())
    assert (again.start, again.shape) == (3.0, (4, 5))


@pytest.mark.parametrize(("thing", "name"), [(Forgetful(2), "self.rate"), (Closed(abs), "self.function")])
def test_an_argument_that_cannot_be_written_is_named(thing, name):
    with pytest.raises(NotImplementedError, match=name):
        thing.get_config()


def test_the_bases_ask_for_nothing_and_an_initializer_for_values():
    w = np.ones(3)
    assert Regularizer()(w) == 0.0
    assert Constraint()(w) is w
    with pytest.raises(NotImplementedError, match="Ramp must say"):
        Ramp()((3,))

"""Stacks of layers: adding, taking off, building now or later, models as parts."""

import time

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from lamina import backend as K
from lamina.engine import Input, Layer, Model, Sequential


@pytest.fixture(autouse=True)
def _fresh_names():
    K.clear_session()


class Dense(Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[-1], self.units), initializer=np.ones)

    def call(self, inputs):
        return K.dot(inputs, self.kernel)


class Twins(Layer):
    def call(self, x):
        return [x + 1, x * 2]


def predict(model, array):
    return K.function(model.inputs, model.outputs)([np.asarray(array, "float32")])[0]


def names(model):
    return [layer.name for layer in model.layers]


def test_a_list_and_a_series_of_adds_make_the_same_model():
    model = Sequential([Dense(3, input_shape=(2,)), Dense(1)])
    other = Sequential(name="other")
    other.add(Dense(3, input_shape=(2,)))
    other.add(Dense(1))
    assert model.name == "sequential_1" and names(model) == ["dense_1", "dense_2"]
    assert names(other) == ["dense_3", "dense_4"] and other.model is other
    assert_array_equal(predict(model, [[1, 2]]), [[9]])
    assert_array_equal(predict(other, [[1, 2]]), [[9]])
    assert model.input_shape == (None, 2) and model.output_shape == (None, 1)
    assert model.input_names == ["dense_1_input"] and model.output_names == ["dense_2"]
    assert model.get_layer("dense_2") is model.get_layer(index=1) is model.layers[-1]
    assert len(model.weights) == len(model.get_weights()) == 2


def test_the_first_layer_may_fix_the_batch_and_the_dtype():
    model = Sequential([Dense(3, batch_input_shape=(8, 2), dtype="float64")])
    assert model.input_shape == (8, 2) and model.inputs[0].dtype == "float64"


def test_pop_takes_the_top_off():
    model = Sequential([Dense(3, input_shape=(2,)), Dense(1)])
    model.pop()
    assert names(model) == ["dense_1"] and model.output_shape == (None, 3)
    assert model.layers[0]._outbound_nodes == []
    assert_array_equal(predict(model, [[1, 2]]), [[3, 3, 3]])
    model.add(Dense(2))
    assert_array_equal(predict(model, [[1, 2]]), [[9, 9]])
    model.pop()
    model.pop()
    assert model.layers == [] and model.inputs is None and not model.built
    with pytest.raises(TypeError, match="There are no layers in the model sequential_1"):
        model.pop()
    model.add(Dense(1, input_shape=(4,)))
    assert model.output_shape == (None, 1)


def test_without_an_input_shape_the_model_is_built_later():
    model = Sequential([Dense(3), Dense(1)])
    assert not model.built and model.inputs is None and names(model) == ["dense_1", "dense_2"]
    assert model.weights == [] and model.compute_output_shape((None, 2)) == (None, 1)
    with pytest.raises(
        ValueError, match=r"sequential_1 is built for one input, as in build\(\(None, 784\)\): met None"
    ):
        model.build()
    with pytest.raises(ValueError, match="sequential_1 has never been called"):
        model.summary()
    model.build((None, 2))
    assert model.built and model.input_names == ["sequential_1_input"]
    assert_array_equal(predict(model, [[1, 2]]), [[9]])
    model.add(Dense(2))
    assert model.output_shape == (None, 2)
    model.build((None, 7))
    assert model.input_shape == (None, 2)


def test_a_call_builds_too():
    model = Sequential([Dense(3), Dense(1)])
    x = Input((2,))
    y = model(x)
    assert model.built and model.input_shape == (None, 2)
    assert y._keras_history == (model, 1, 0)
    assert_array_equal(predict(Model(x, y), [[1, 2]]), [[9]])
    with pytest.raises(ValueError, match="sequential_2 has no layers to build"):
        Sequential()(x)


def test_pop_before_building():
    model = Sequential([Dense(3), Dense(1)])
    model.pop()
    assert names(model) == ["dense_1"]


def test_a_model_may_be_any_part_of_a_stack():
    x = Input((2,))
    inner = Model(x, Dense(3)(x), name="inner")
    stack = Sequential([Dense(1, input_shape=(3,))], name="stack")
    model = Sequential([inner, stack])
    assert names(model) == ["inner", "stack"] and model.input_names == ["inner_input"]
    assert_array_equal(predict(model, [[1, 2]]), [[9]])
    late = Sequential([Sequential([Sequential([Dense(3, input_shape=(2,))])]), Dense(1)])
    assert late.output_shape == (None, 1)
    later = Sequential([Sequential([Dense(3)])])
    assert not later.built
    later.build((None, 2))
    assert_array_equal(predict(later, [[1, 2]]), [[3, 3, 3]])


def test_an_input_layer_may_be_added():
    x = Input((2,), name="x")
    model = Sequential([x._keras_history[0], Dense(3)])
    assert model.inputs == [x] and names(model) == ["dense_1"] and model.output_shape == (None, 3)
    model.pop()
    assert model.layers == [] and model.output_shape == (None, 2)


def test_what_cannot_be_added_is_named():
    model = Sequential([Dense(3, input_shape=(2,), name="d")], name="stack")
    with pytest.raises(TypeError, match="must be an instance of class Layer. Found: 'relu'"):
        model.add("relu")
    with pytest.raises(TypeError, match=r"Found: .*Dense.*: add an instance, Dense\(...\)"):
        model.add(Dense)
    with pytest.raises(ValueError, match="The name 'd' is used twice in stack"):
        model.add(Dense(1, name="d"))
    with pytest.raises(TypeError, match="single output tensor, and twins_1 has 2"):
        model.add(Twins())
    with pytest.raises(TypeError, match="single output tensor, and twins_2 has 2"):
        Sequential([Twins(input_shape=(2,))])
    with pytest.raises(
        ValueError, match="Cannot add an empty model to a Sequential model: sequential_2 has no layers"
    ):
        Sequential([Sequential()])
    two = Model([a := Input((2,)), b := Input((2,))], [Dense(1)(a), Dense(1)(b)], name="two")
    with pytest.raises(ValueError, match="two has 2 inputs, and a Sequential has one"):
        Sequential([two])
    assert names(model) == ["d"] and model.output_shape == (None, 3)


def test_a_misfit_while_adding_names_the_layer_and_leaves_the_stack():
    class Picky(Dense):
        def build(self, input_shape):
            raise ValueError(f"{self.name} wants more axes than {input_shape}")

    model = Sequential([Dense(3, input_shape=(2,))])
    with pytest.raises(ValueError, match=r"picky_1 wants more axes than \(None, 3\)"):
        model.add(Picky(2))
    assert names(model) == ["dense_1"]


def test_what_a_stack_adds_to_the_loss_survives_more_layers():
    model = Sequential([Dense(3, input_shape=(2,))])
    model.add_loss(0.5)
    model.add(Dense(1))
    assert model.losses == [0.5]


def test_a_stack_of_160_layers_builds_in_well_under_a_second():
    start = time.perf_counter()
    Sequential([Dense(4, input_shape=(4,)), *(Dense(4) for _ in range(160))])
    assert time.perf_counter() - start < 1

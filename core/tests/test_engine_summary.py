"""summary(): the table, to the letter."""

import numpy as np
import pytest

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
        self.bias = self.add_weight("bias", (self.units,), initializer=np.zeros)

    def call(self, inputs):
        return K.dot(inputs, self.kernel) + self.bias


class Concatenate(Layer):
    def call(self, inputs):
        return K.concatenate(inputs)


def lines(model, **arguments):
    found = []
    model.summary(print_fn=found.append, **arguments)
    return found


def test_a_stack(capsys):
    model = Sequential([Dense(64, input_shape=(784,)), Dense(10)])
    model.layers[0].trainable = False
    model.summary()
    assert capsys.readouterr().out.splitlines() == [
        "_________________________________________________________________",
        "Layer (type)                 Output Shape              Param #   ",
        "=================================================================",
        "dense_1 (Dense)              (None, 64)                50240     ",
        "_________________________________________________________________",
        "dense_2 (Dense)              (None, 10)                650       ",
        "=================================================================",
        "Total params: 50,890",
        "Trainable params: 650",
        "Non-trainable params: 50,240",
        "_________________________________________________________________",
    ]


def test_a_graph_says_what_is_connected_to_what():
    a, b = Input((140, 256)), Input((140, 256))
    shared = Dense(64, name="a_shared_layer_with_a_long_name")
    merged = Concatenate()([shared(a), shared(b)])
    model = Model([a, b], Dense(1)(merged))
    assert lines(model) == [
        "_" * 98,
        "Layer (type)                    Output Shape         Param #     Connected to                     ",
        "=" * 98,
        "input_1 (InputLayer)            (None, 140, 256)     0                                            ",
        "_" * 98,
        "input_2 (InputLayer)            (None, 140, 256)     0                                            ",
        "_" * 98,
        "a_shared_layer_with_a_long_name (None, 140, 64)      16448       input_1[0][0]                    ",
        "                                                                 input_2[0][0]                    ",
        "_" * 98,
        "concatenate_1 (Concatenate)     (None, 140, 128)     0           a_shared_layer_with_a_long_name[0",
        "                                                                 a_shared_layer_with_a_long_name[1",
        "_" * 98,
        "dense_1 (Dense)                 (None, 140, 1)       129         concatenate_1[0][0]              ",
        "=" * 98,
        "Total params: 16,577",
        "Trainable params: 16,577",
        "Non-trainable params: 0",
        "_" * 98,
    ]


def test_a_graph_that_is_a_plain_chain_has_no_connections():
    x = Input((4,))
    inner = Sequential([Dense(3, input_shape=(4,))], name="inner")
    model = Model(x, Dense(2)(inner(x)))
    assert lines(model)[1:8] == [
        "Layer (type)                 Output Shape              Param #   ",
        "=================================================================",
        "input_1 (InputLayer)         (None, 4)                 0         ",
        "_________________________________________________________________",
        "inner (Sequential)           (None, 3)                 15        ",
        "_________________________________________________________________",
        "dense_2 (Dense)              (None, 2)                 8         ",
    ]


def test_a_layer_called_twice_shows_its_calls_in_this_model_only():
    x, y = Input((4,)), Input((4,))
    shared = Dense(4)
    shared(y)
    model = Model(x, shared(shared(x)))
    rows = lines(model)
    assert rows[1].endswith("Connected to                     ")
    assert rows[5:7] == [
        "dense_1 (Dense)                 (None, 4)            20          input_1[0][0]                    ",
        "                                                                 dense_1[1][0]                    ",
    ]


def test_a_layer_of_several_shapes_is_multiple():
    shared = Dense(2)
    a, b = Input((3, 4)), Input((4,))
    model = Model([a, b], [shared(a), shared(b)])
    assert any(
        row.startswith("dense_1 (Dense)                 multiple             10 ") for row in lines(model)
    )


def test_width_and_columns_can_be_chosen():
    model = Sequential([Dense(64, input_shape=(784,))])
    assert lines(model, line_length=40)[1] == "Layer (type)      Output Shape    Param "
    assert (
        lines(model, positions=[0.3, 0.6, 1.0])[3]
        == "dense_1 (Dense)    (None, 64)          50240                     "
    )
    assert (
        lines(model, line_length=40, positions=[20, 32, 40])[3] == "dense_1 (Dense)     (None, 64)  50240   "
    )


def test_a_model_that_is_not_built_says_how():
    with pytest.raises(ValueError, match="sequential_1 has never been called.*input_shape"):
        Sequential([Dense(3)]).summary()


def test_a_name_cannot_do_anything_to_the_terminal(capsys):
    Sequential([Dense(2, input_shape=(3,), name="a\x1b[31mb\nc")]).summary()
    assert r"a\x1b[31mb\nc (Dense)" in capsys.readouterr().out

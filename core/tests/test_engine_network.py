"""Graphs of layers: what belongs to a model, in which order, and models as layers."""

import gc
import time
import weakref

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from lamina import backend as K
from lamina.engine import Input, InputLayer, Layer, Model, Network, get_source_inputs


@pytest.fixture(autouse=True)
def _fresh_names():
    K.clear_session()


class Dense(Layer):
    """x @ kernel, with a kernel of ones, and a counter that is not trained."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[-1], self.units), initializer=np.ones)
        self.seen = self.add_weight("seen", (), initializer=np.zeros, trainable=False)
        super().build(input_shape)

    def call(self, inputs):
        return K.dot(inputs, self.kernel)


class Add(Layer):
    supports_masking = True

    def call(self, inputs):
        return inputs[0] + inputs[1]

    def compute_mask(self, inputs, mask=None):
        return None if mask is None else mask[0]


class Twins(Layer):
    def call(self, x):
        return [x + 1, x * 2]


class Mask(Layer):
    def call(self, x):
        return x

    def compute_mask(self, inputs, mask=None):
        return K.not_equal(inputs, 0.0)


def predict(model, *arrays):
    return K.function(model.inputs, model.outputs)([np.asarray(array, "float32") for array in arrays])


def names(layers):
    return [layer.name for layer in layers]


# ---- inputs


def test_an_input_is_a_placeholder_with_a_history():
    x = Input(shape=(None, 3), name="x", dtype="int32")
    layer, node_index, tensor_index = x._keras_history
    assert K.is_placeholder(x) and K.is_keras_tensor(x)
    assert isinstance(layer, InputLayer) and (node_index, tensor_index) == (0, 0)
    assert layer.input is x and layer.output is x and layer.input_shape == (None, None, 3)
    assert x._keras_shape == (None, None, 3) and x.dtype == "int32" and layer.name == "x"
    assert Input(batch_shape=(10, 32))._keras_shape == (10, 32)
    assert Input(shape=())._keras_shape == (None,)
    assert Input((2,))._keras_history[0].name == "input_3"


def test_an_input_may_wrap_a_tensor():
    given = K.placeholder((None, 4), dtype="float64")
    x = Input(tensor=given)
    assert x is given and x._keras_history[0].dtype == "float64" and x._keras_history[0].is_placeholder
    fixed = Input(tensor=K.constant([[1.0, 2.0]]))
    model = Model([x, fixed], [Twins()(fixed)[1], Twins()(x)[0]])
    assert model._feed_input_names == ["input_1"] and model._feed_inputs == [x]
    assert_array_equal(K.function([x], model.outputs)([np.zeros((1, 4))])[0], [[2, 4]])


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({}, ValueError, "input_1 needs a shape"),
        ({"shape": 5}, TypeError, r"input_1: a shape is a tuple of sizes and None, met 5: write \(5,\)"),
        ({"shape": ("a",)}, TypeError, "met "),
        ({"shape": (-5,)}, ValueError, r"sizes of a shape are 0 to 2\*\*31 - 1.*met \(-5,\)"),
        ({"shape": (5,), "batch_shape": (None, 5)}, ValueError, "not both"),
        ({"tensor": np.ones(3)}, TypeError, "wraps a tensor"),
    ],
)
def test_an_input_without_a_usable_shape_says_so(arguments, kind, words):
    with pytest.raises(kind, match=words):
        Input(**arguments)


# ---- graphs


def test_a_model_holds_the_layers_between_its_ends_in_keras_order():
    a, b = Input((3,), name="a"), Input((3,), name="b")
    deep = Dense(3, name="deep2")(Dense(3, name="deep1")(b))
    shallow = Dense(3, name="shallow")(a)
    Dense(2, name="aside")(shallow)
    out = Dense(1, name="out")(Add(name="add")([shallow, deep]))
    other = Dense(1, name="other")(shallow)
    model = Model([a, b], [out, other])
    # Farthest from the outputs first; within one depth as met going back from the outputs.
    assert names(model.layers) == ["b", "a", "deep1", "shallow", "deep2", "add", "out", "other"]
    assert {depth: len(nodes) for depth, nodes in model._nodes_by_depth.items()} == {
        0: 2,
        1: 1,
        2: 2,
        3: 2,
        4: 1,
    }
    assert model.input_names == ["a", "b"] and model.output_names == ["out", "other"]
    assert model.inputs == [a, b] and model.outputs == [out, other]
    assert model.input == [a, b] and model.output_shape == [(None, 1), (None, 1)]


def test_a_shared_layer_stands_where_its_farther_call_is():
    x = Input((3,), name="x")
    shared = Dense(3, name="shared")
    model = Model(x, shared(Dense(3, name="mid")(shared(x))))
    assert names(model.layers) == ["x", "shared", "mid"]
    assert_array_equal(predict(model, [[1, 1, 1]])[0], [[27, 27, 27]])


def test_legacy_names_of_the_ends_are_taken():
    x = Input((3,))
    y = Dense(2)(x)
    assert Model(input=[x], output=y).outputs == [y]
    assert Model(x, y, name="given").name == "given" and Model(x, [y]).name == "model_2"


def test_an_output_may_be_repeated_and_an_input_unused():
    x, idle = Input((2,)), Input((1,), name="idle")
    y = Dense(2)(x)
    model = Model([x, idle], [y, y])
    assert len(predict(model, [[1, 1]], [[0]])) == 2
    assert "idle" in names(model.layers)
    z = Model([x, idle], Dense(1)(y))([Input((2,)), Input((1,))])
    assert K.int_shape(z) == (None, 1)


def test_a_chain_of_thousands_of_layers_is_no_problem():
    x = y = Input((1,))
    for _ in range(1500):
        y = Mask()(y)
    assert len(Model(x, y).layers) == 1501


def test_a_160_layer_model_builds_in_well_under_a_second():
    start = time.perf_counter()
    x = y = Input((4,))
    for _ in range(80):
        y = Add()([y, Dense(4)(y)])
    Model(x, y)
    assert time.perf_counter() - start < 1


# ---- what cannot be a model


def test_a_disconnected_graph_names_tensor_and_layer():
    a, b = Input((3,), name="a"), Input((3,), name="b")
    out = Add(name="sum")([Dense(3, name="d")(a), b])
    words = r"Graph disconnected: cannot obtain value for tensor .*b.* at layer 'b'.*issue: \['a', 'd'\]. Add the Input"
    with pytest.raises(ValueError, match=words):
        Model(a, out)


def test_a_tensor_no_layer_made_points_to_lambda():
    x = Input((3,))
    with pytest.raises(ValueError, match="Output tensors to a Model must be the output of a layer.*Lambda"):
        Model(x, K.relu(x))
    with pytest.raises(
        ValueError, match="Graph disconnected: .*at layer 'dense_1'.*No layer made this tensor.*Lambda"
    ):
        Model(x, Dense(2)(K.relu(x)))


def test_inputs_come_from_input():
    x = Input((3,), name="x")
    h = Dense(2, name="h")(x)
    y = Dense(1)(h)
    with pytest.raises(
        ValueError, match="inputs must come from `Input`.*made by layer h: make a new Input of shape"
    ):
        Model(h, y)
    with pytest.raises(ValueError, match="Input tensors to a Model must come from `Input`"):
        Model(K.placeholder((None, 3)), y)
    with pytest.raises(ValueError, match="list of inputs passed to the Model is redundant"):
        Model([x, x], y)
    with pytest.raises(TypeError, match="Model needs outputs"):
        Model(x)
    with pytest.raises(TypeError, match="Model needs inputs and outputs"):
        Model()


def test_two_layers_of_one_name_are_refused():
    x = Input((3,))
    with pytest.raises(ValueError, match="The name 'same' is used 2 times in the model"):
        Model(x, Dense(1, name="same")(Dense(2, name="same")(x)))


# ---- layers of a model


def test_get_layer_finds_by_name_or_index():
    x = Input((3,), name="x")
    model = Model(x, Dense(1, name="top")(x), name="m")
    assert model.get_layer("top") is model.get_layer(index=1) is model.get_layer("x", 1) is model.layers[1]
    with pytest.raises(ValueError, match=r"No such layer: bottom. The layers of m are \['x', 'top'\]"):
        model.get_layer("bottom")
    with pytest.raises(ValueError, match="layer at index 2 but m only has 2 layers"):
        model.get_layer(index=2)
    with pytest.raises(ValueError, match="Provide either a layer name or layer index"):
        model.get_layer()


def test_weights_are_those_of_the_layers():
    x = Input((2,))
    first, second = Dense(3, name="first"), Dense(1, name="second")
    model = Model(x, second(first(x)))
    assert model.trainable_weights == [first.kernel, second.kernel]
    assert model.non_trainable_weights == [first.seen, second.seen]
    assert model.weights == [first.kernel, second.kernel, first.seen, second.seen]
    assert [array.shape for array in model.get_weights()] == [(2, 3), (), (3, 1), ()]
    assert model.count_params() == 11
    values = [np.full((2, 3), 2.0), 0, np.full((3, 1), 3.0), 1]
    model.set_weights(values)
    assert_array_equal(predict(model, [[1, 1]])[0], [[36]])
    with pytest.raises(ValueError, match=r'"model_1" with a list of 3 arrays, but it has 4 weights'):
        model.set_weights(values[:3])
    with pytest.raises(ValueError, match=r"second/kernel:0 .* has shape \(3, 1\)"):
        model.set_weights([np.zeros((2, 3)), 0, np.zeros((1, 3)), 1])
    assert_array_equal(model.get_weights()[0], values[0])


def test_trainable_holds_for_a_layer_a_nested_model_and_the_whole():
    x = Input((2,))
    inner = Model(x, Dense(2, name="in")(x), name="inner")
    y = Input((2,))
    top = Dense(1, name="top")
    model = Model(y, top(inner(y)))
    inside = inner.get_layer("in")
    assert model.trainable_weights == [inside.kernel, top.kernel]
    inner.trainable = False
    assert model.trainable_weights == [top.kernel]
    assert model.non_trainable_weights == [inside.kernel, inside.seen, top.seen]
    assert inside.trainable_weights == [inside.kernel]
    inner.trainable, model.trainable = True, False
    assert model.trainable_weights == [] and len(model.non_trainable_weights) == len(model.weights) == 4
    with pytest.raises(AttributeError, match="has the weights of its layers"):
        model.trainable_weights = []


def test_a_layer_inside_and_beside_a_nested_model_is_trained_once():
    x = Input((2,))
    shared = Dense(2)
    inner = Model(x, shared(x))
    y = Input((2,))
    model = Model(y, Add()([inner(y), shared(y)]))
    assert model.trainable_weights == [shared.kernel]
    assert model.count_params() == 5


# ---- models as layers


def test_a_model_is_a_layer():
    x = Input((2,))
    inner = Model(x, Twins()(Dense(2)(x)), name="inner")
    a, b = Input((2,)), Input((5, 2))
    plus, times = inner(a)
    assert plus._keras_history == (inner, 1, 0) and times._keras_history == (inner, 1, 1)
    assert K.int_shape(inner(b)[0]) == (None, 5, 2)
    assert_array_equal(predict(Model(a, [plus, times]), [[1, 2]]), [[[4, 4]], [[6, 6]]])
    assert inner.compute_output_shape((7, 2)) == [(7, 2), (7, 2)]
    assert inner.compute_output_shape((None, 2)) == [(None, 2), (None, 2)]
    assert inner.input is x and len(inner._inbound_nodes) == 3
    assert inner.get_output_at(1) == [plus, times]


def test_a_model_called_twice_on_one_tensor_has_two_nodes_of_one_computation():
    x = Input((2,))
    inner = Model(x, Dense(2)(x))
    y = Input((2,))
    first, second = inner(y), inner(y)
    assert first is not second
    assert first._keras_history == (inner, 1, 0) and second._keras_history == (inner, 2, 0)
    assert inner(x)._keras_history == (inner, 3, 0) and inner.outputs[0]._keras_history[0].name == "dense_1"


def test_a_model_called_on_the_wrong_tensors_names_itself():
    a, b = Input((2,), name="a"), Input((2,), name="b")
    inner = Model([a, b], Add()([a, b]), name="inner")
    with pytest.raises(ValueError, match="Layer inner expects 2 inputs, but it received 1"):
        inner(Input((2,)))
    single = Model(a, Dense(1, name="d")(a), name="single")
    with pytest.raises(ValueError, match=r"single takes 1 inputs \(a\), and it was called on 2 tensors"):
        single([a, b])
    with pytest.raises(ValueError, match=r"single.*|d"):
        single(Input((3,)))


def test_training_reaches_the_layers_that_declare_it():
    class Phase(Layer):
        def call(self, x, training=None):
            return x + 10 * K.cast(training, "float32") if training is not None else x

    x = Input((1,))
    model = Model(x, Dense(1)(Phase()(x)))
    y = Input((1,))
    assert_array_equal(predict(Model(y, model(y)), [[1]])[0], [[1]])
    assert_array_equal(predict(Model(y, model(y, training=True)), [[1]])[0], [[11]])


def test_masks_pass_through_a_model():
    x = Input((2,))
    inner = Model(x, Add()([Mask()(x), x]))
    assert_array_equal(K.function([x], [inner.output_mask])([np.array([[0, 3]])])[0], [[False, True]])
    y = Input((2,))
    inner(y)
    assert_array_equal(
        K.function([y], [inner.get_output_mask_at(1)])([np.array([[5, 0]])])[0], [[True, False]]
    )
    z = Input((2,))
    plain = Model(z, Dense(2, name="plain")(z))
    with pytest.raises(TypeError, match="Layer plain does not support masking"):
        plain(Mask()(Input((2,))))


def test_source_inputs_are_found_through_the_graph():
    a, b = Input((2,)), Input((2,))
    hidden = Add()([Dense(2)(b), a])
    assert get_source_inputs(Twins()(Add()([hidden, hidden]))[0]) == [b, a]
    assert get_source_inputs(a) == [a]
    assert get_source_inputs(K.placeholder((1,)))[0].shape == (1,)


# ---- losses, updates, state


class Counting(Layer):
    """Counts calls, and steps; with a loss on its input and one on nothing."""

    def build(self, input_shape):
        self.count = self.add_weight("count", (), initializer=np.zeros, trainable=False)
        self.add_loss(K.constant(0.5))

    def call(self, x):
        self.add_update(K.update_add(self.count, K.sum(x)), x)
        self.add_loss(K.sum(x), x)
        return x * 2

    def reset_states(self):
        K.set_value(self.count, 0)


def value(tensors, *pairs):
    feeds, arrays = zip(*pairs, strict=True)
    return [
        float(found) for found in K.function(list(feeds), tensors)([np.asarray(a, "float32") for a in arrays])
    ]


def test_losses_and_updates_are_those_of_the_models_own_calls():
    shared = Counting()
    a, b = Input((1,)), Input((1,))
    one, other = Model(a, shared(a)), Model(b, shared(b))
    assert len(one.losses) == len(other.losses) == 2 and len(shared.losses) == 3
    assert value(one.losses, (a, [[3]])) == [3, 0.5]
    assert value(other.losses, (b, [[4]])) == [4, 0.5]
    assert len(one.updates) == 1 and one.updates != other.updates


def test_a_nested_models_losses_follow_the_call_and_not_the_original():
    x = Input((1,))
    inner = Model(x, Counting()(x))
    middle_in = Input((1,))
    middle = Model(middle_in, inner(middle_in))
    y = Input((1,))
    outer = Model(y, middle(y))
    assert value(outer.losses, (y, [[7]])) == [7, 0.5]
    assert len(outer.updates) == 1 and len(middle.updates) == 1
    assert value([outer.updates[0]], (y, [[7]])) == [7]
    assert outer.updates != middle.updates != inner.updates
    assert len(outer.get_losses_for(None)) == 1 and len(outer.get_losses_for(y)) == 1


def test_a_models_own_losses_count_and_equal_numbers_are_two_losses():
    x = Input((1,))
    model = Model(x, Dense(1)(x))
    model.add_loss(0.25)
    model.add_loss(0.25)
    model.add_loss(None)
    assert model.losses == [0.25, 0.25]


def test_frozen_parts_do_not_update_and_stateful_ones_do():
    x = Input((1,))
    layer = Counting()
    inner = Model(x, layer(x))
    y = Input((1,))
    outer = Model(y, inner(y))
    assert len(outer.updates) == 1 and outer.state_updates == [] and not outer.stateful
    for part in (layer, inner, outer):
        part.trainable = False
        assert outer.updates == []
        layer.stateful = True
        assert len(outer.updates) == len(outer.state_updates) == 1 and outer.stateful and inner.stateful
        layer.stateful, part.trainable = False, True


def test_reset_states_reaches_the_stateful_layers():
    x = Input((1,))
    layer = Counting()
    layer.stateful = True
    model = Model(x, layer(x))
    K.set_value(layer.count, 5)
    y = Input((1,))
    Model(y, model(y)).reset_states()
    assert K.get_value(layer.count) == 0


def test_a_model_knows_whether_it_minds_the_learning_phase():
    class Noisy(Layer):
        def call(self, x):
            return K.in_train_phase(x + 1, x)

    class Says(Layer):
        uses_learning_phase = True

    x = Input((1,))
    assert not Model(x, Dense(1)(x)).uses_learning_phase
    assert Model(x, Dense(1)(Noisy()(x))).uses_learning_phase
    assert Model(x, Says()(x)).uses_learning_phase


# ---- networks whose graph is in their code


class Own(Network):
    def __init__(self):
        super().__init__(name="own")
        self.first = Dense(3)
        self.rest = [Counting(), Dense(1)]

    def call(self, inputs):
        hidden = self.first(inputs)
        for layer in self.rest:
            hidden = layer(hidden)
        return hidden


def test_a_subclassed_network_is_called_like_a_layer():
    network = Own()
    assert names(network.layers) == ["dense_1", "counting_1", "dense_2"]
    x = Input((2,))
    model = Model(x, network(x))
    assert_array_equal(predict(model, [[1, 1]])[0], [[12]])
    assert len(network.weights) == 5 and K.int_shape(model.output) == (None, 1)
    assert value(model.losses, (x, [[1, 1]])) == [6, 0.5]
    assert len(model.updates) == 1
    with pytest.raises(NotImplementedError, match="own is made by the code of Own, which no config can hold"):
        network.get_config()


def test_a_subclassed_network_gets_its_ends_from_build():
    network = Own()
    with pytest.raises(AttributeError, match="own has no output yet"):
        network.output  # noqa: B018
    network.build((None, 2))
    assert network.built and network.output_names == ["output_1"]
    assert_array_equal(predict(network, [[1, 1]])[0], [[12]])
    assert value(network.losses, (network.inputs[0], [[1, 1]])) == [6, 0.5]


# ---- the end


def test_nothing_keeps_a_model_alive():
    x = Input((3,))
    inner = Model(x, Counting()(x))
    model = Model(x, Dense(2)(inner(x)))
    model.compute_output_shape((5, 3))
    model.get_config()
    watched = [weakref.ref(thing) for thing in (model, inner, *model.layers, *model.weights)]
    del x, inner, model
    gc.collect()
    assert [reference() for reference in watched] == [None] * len(watched)

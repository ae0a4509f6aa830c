"""One layer: its weights, its call, its masks, its nodes, and what it says when something is wrong."""

import gc
import weakref

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from lamina import backend as K
from lamina.engine import Input, InputSpec, Layer, Model


@pytest.fixture(autouse=True)
def _fresh_names():
    K.clear_session()


def ones(shape):
    return np.ones(shape)


def zeros(shape, dtype=None):
    return np.zeros(shape, dtype)


class Dense(Layer):
    def __init__(self, units, regularizer=None, activity_regularizer=None, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.regularizer = regularizer
        self.activity_regularizer = activity_regularizer

    def build(self, input_shape):
        self.kernel = self.add_weight(
            "kernel", (input_shape[-1], self.units), initializer=ones, regularizer=self.regularizer
        )
        self.bias = self.add_weight("bias", (self.units,), initializer=zeros)
        self.input_spec = InputSpec(min_ndim=2, axes={-1: input_shape[-1]})
        super().build(input_shape)

    def call(self, inputs):
        return K.dot(inputs, self.kernel) + self.bias


class Halves(Layer):
    """Two outputs: the left and the right half of the features."""

    def call(self, x):
        size = K.int_shape(x)[-1] // 2
        return [x[:, :size], x[:, size:]]


class Sum(Layer):
    def build(self, input_shape):
        assert isinstance(input_shape, list)
        super().build(input_shape)

    def call(self, inputs):
        assert isinstance(inputs, list)
        return inputs[0] + inputs[1]


def run(output, *pairs):
    tensors, arrays = zip(*pairs, strict=True)
    return K.function(list(tensors), [output])([np.asarray(array, "float32") for array in arrays])[0]


# ---- construction


def test_names_are_the_class_in_snake_case_and_a_number():
    class PReLU(Layer):
        pass

    class Conv2DTranspose(Layer):
        pass

    class _Hidden(Layer):
        pass

    assert [PReLU().name, PReLU().name] == ["p_re_lu_1", "p_re_lu_2"]
    assert Conv2DTranspose().name == "conv2d_transpose_1"
    assert _Hidden().name == "private__hidden_1"
    assert Dense(1, name="mine").name == "mine"


def test_an_unknown_keyword_is_named():
    with pytest.raises(TypeError, match="Keyword argument not understood: unit"):
        Dense(3, unit=3)


def test_attributes_may_come_before_super_init():
    class Early(Layer):
        def __init__(self, units):
            self.units = units
            self.supports_masking = True
            self.extra = self.add_weight("extra", (units,), initializer=ones)
            super().__init__()

    layer = Early(2)
    assert layer.supports_masking and layer.units == 2
    assert layer.weights == [layer.extra]


def test_a_layer_that_never_called_super_init_says_so():
    class Forgetful(Layer):
        def __init__(self):
            pass

    with pytest.raises(RuntimeError, match=r"Forgetful .*super\(\).__init__"):
        Forgetful()(Input((2,)))


def test_input_shape_comes_with_or_without_the_batch_axis():
    assert Dense(1, input_shape=(3,)).batch_input_shape == (None, 3)
    assert Dense(1, input_shape=[3], batch_size=8).batch_input_shape == (8, 3)
    assert Dense(1, batch_input_shape=(8, 3), dtype="float64").dtype == "float64"
    assert not hasattr(Dense(1), "batch_input_shape")
    with pytest.raises(TypeError, match=r"dense_5: input_shape: a shape is a tuple .* met 3"):
        Dense(1, input_shape=3)
    for size, error in ((0, ValueError), (-1, ValueError), (2.5, ValueError), ("8", TypeError)):
        with pytest.raises(error, match=rf"dense_\d+: batch_size .* met {size!r}"):
            Dense(1, input_shape=(3,), batch_size=size)


# ---- call


def test_the_first_call_builds_and_every_call_shares_the_weights():
    layer = Dense(2)
    a, b = Input((3,)), Input((3,))
    assert not layer.built and layer.weights == []
    y, z = layer(a), layer(b)
    assert layer.built and len(layer.weights) == 2
    layer.set_weights([[[1, 2], [3, 4], [5, 6]], [10, 20]])
    assert_array_equal(run(y, (a, [[1, 0, 0]])), [[11, 22]])
    assert_array_equal(run(z, (b, [[0, 0, 1]])), [[15, 26]])


def test_several_inputs_and_outputs_are_real_lists():
    x = Input((4,))
    left, right = Halves()(x)
    total = Sum()((left, right))
    assert K.int_shape(total) == (None, 2)
    assert_array_equal(run(total, (x, [[1, 2, 3, 4]])), [[4, 6]])


def test_keywords_reach_a_call_that_declares_them():
    class Scaled(Layer):
        def call(self, x, by=1, training=None):
            return x * by

    x = Input((1,))
    assert_array_equal(run(Scaled()(x, by=3, training=True), (x, [[2]])), [[6]])
    with pytest.raises(TypeError, match=r"scaled_2 cannot take to: Scaled.call declares \(x, by, training\)"):
        Scaled()(x, to=3)


def test_an_output_that_is_an_input_becomes_a_tensor_of_its_own():
    class Same(Layer):
        def call(self, x):
            return x

    x = Input((2,))
    same = Same()
    y = same(x)
    assert y is not x and same.output is y
    assert x._keras_history[0].name == "input_1" and y._keras_history == (same, 0, 0)
    assert_array_equal(run(y, (x, [[1, 2]])), [[1, 2]])


def test_a_layer_made_of_layers_owns_its_output():
    class Block(Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.inner = Dense(2)

        def call(self, x):
            return self.inner(x)

    block = Block()
    y = block(Input((3,)))
    assert y._keras_history[0] is block
    assert block.inner.output._keras_history[0] is block.inner


def test_what_is_no_tensor_is_refused_by_name():
    with pytest.raises(
        ValueError, match=r"dense_1 was called with an input that isn't a symbolic tensor: ndarray"
    ):
        Dense(2)(np.ones((2, 3)))

    class Nothing(Layer):
        def call(self, x):
            pass

    with pytest.raises(TypeError, match=r"nothing_1: Nothing.call answered None; it must answer a tensor"):
        Nothing()(Input((2,)))


@pytest.mark.parametrize(
    ("spec", "shape", "words"),
    [
        (InputSpec(ndim=3), (4,), r"expected ndim=3, found ndim=2 \(shape \(None, 4\)\)"),
        (InputSpec(min_ndim=3), (4,), "expected min_ndim=3, found ndim=2"),
        (InputSpec(max_ndim=2), (4, 4), "expected max_ndim=2, found ndim=3"),
        (InputSpec(axes={-1: 5}), (4,), "expected axis -1 of input shape to have value 5, found shape"),
        (InputSpec(axes={3: 5}), (4,), "expected an axis 3, found shape"),
        (InputSpec(shape=(None, 5)), (4,), r"expected shape=\(None, 5\), found shape=\(None, 4\)"),
        (InputSpec(dtype="int32"), (4,), "expected dtype=int32, found dtype=float32"),
    ],
)
def test_a_misfit_names_the_layer_what_it_expected_and_what_it_found(spec, shape, words):
    layer = Layer(name="picky")
    layer.input_spec = spec
    with pytest.raises(ValueError, match=f"Input 0 is incompatible with layer picky: {words}"):
        layer(Input(shape))


def test_a_wrong_number_of_inputs_is_counted():
    layer = Sum()
    layer.input_spec = [InputSpec(ndim=2), InputSpec(ndim=2)]
    with pytest.raises(ValueError, match="sum_1 expects 2 inputs, but it received 1 input tensors"):
        layer(Input((3,)))


def test_the_second_call_is_held_to_what_build_fixed():
    layer = Dense(2)
    layer(Input((3,)))
    with pytest.raises(ValueError, match="dense_1: expected axis -1 of input shape to have value 3"):
        layer(Input((4,)))


def test_a_build_that_fails_leaves_no_weights():
    class Fragile(Layer):
        broken = True

        def build(self, input_shape):
            self.add_weight("first", (2,), initializer=ones, regularizer=K.sum)
            if self.broken:
                raise ValueError("not yet")

    layer = Fragile()
    with pytest.raises(ValueError, match="not yet"):
        layer(Input((2,)))
    assert layer.weights == [] and layer.losses == [] and not layer.built
    layer.broken = False
    layer(Input((2,)))
    assert len(layer.weights) == 1 and len(layer.losses) == 1


# ---- weights


def test_weights_are_named_after_layer_and_weight():
    layer = Dense(2, name="top")
    layer(Input((3,)))
    assert [weight.name for weight in layer.weights] == ["top/kernel:0", "top/bias:0"]


def test_initial_weights_are_taken_at_the_first_call():
    layer = Dense(1, weights=[[[2.0], [3.0]], [1.0]])
    layer(Input((2,)))
    assert_array_equal(layer.get_weights()[0], [[2], [3]])
    assert_array_equal(layer.get_weights()[1], [1])


def test_set_weights_sets_all_or_none():
    layer = Dense(2)
    layer(Input((3,)))
    with pytest.raises(
        ValueError, match=r'"dense_1" with a list of 1 arrays, but it has 2 weights: dense_1/kernel:0'
    ):
        layer.set_weights([np.zeros((3, 2))])
    with pytest.raises(
        ValueError, match=r"dense_1/bias:0 .* has shape \(2,\), .* provided weight shape \(3,\)"
    ):
        layer.set_weights([np.zeros((3, 2)), np.zeros(3)])
    assert_array_equal(layer.get_weights()[0], np.ones((3, 2)))


def test_add_weight_takes_what_keras_takes():
    class Kinds(Layer):
        def build(self, input_shape):
            self.a = self.add_weight(shape=(2,), name="a", initializer=zeros, dtype="float64")
            self.b = self.add_weight("b", (), initializer=ones, trainable=False)
            self.c = self.add_weight("c", (1,), initializer=ones, constraint=abs)

    layer = Kinds()
    layer(Input((1,)))
    assert layer.a.dtype == "float64" and layer.b.dtype == "float32"
    assert layer.trainable_weights == [layer.a, layer.c] and layer.non_trainable_weights == [layer.b]
    assert layer.weights == [layer.a, layer.c, layer.b]
    assert layer.c.constraint is abs and layer.a.constraint is None
    assert layer.count_params() == 4


def test_add_weight_takes_the_shape_first_as_in_keras_1():
    class ShapeFirst(Layer):
        def build(self, input_shape):
            self.a = self.add_weight((2, 3), initializer=ones, name="a")
            self.b = self.add_weight([4], "b", trainable=False)

    layer = ShapeFirst()
    layer(Input((1,)))
    assert (layer.a.name, layer.a.shape) == ("shape_first_1/a:0", (2, 3))
    assert layer.b.shape == (4,) and layer.non_trainable_weights == [layer.b]
    with pytest.raises(TypeError, match="name"):
        layer.add_weight((2,), initializer=ones)


def test_the_layers_float_type_is_that_of_its_weights():
    layer = Dense(2, dtype="float64")
    layer(Input((3,), dtype="float64"))
    assert {weight.dtype for weight in layer.weights} == {"float64"}
    whole = Dense(2, dtype="int32")
    whole(Input((3,)))
    assert {weight.dtype for weight in whole.weights} == {"float32"}


def test_a_weight_of_unknown_size_names_layer_and_weight():
    with pytest.raises(ValueError, match=r"dense_1 needs a weight 'kernel' of shape \(None, 2\)"):
        Dense(2)(Input((None,)))


def test_an_initializer_of_another_shape_is_refused():
    class Odd(Layer):
        def build(self, input_shape):
            self.add_weight("w", (2,), initializer=lambda shape: np.zeros(3))

    with pytest.raises(
        ValueError, match=r"odd_1: the initializer of the weight 'w' made .* \(3,\); .* for \(2,\)"
    ):
        Odd()(Input((2,)))


def test_an_initializer_may_stand_where_keras_has_the_dtype():
    layer = Layer(name="x")
    assert layer.add_weight("short", (2,), ones).dtype == "float32"
    assert layer.add_weight("long", (2,), np.float64, ones).dtype == "float64"


def test_freezing_moves_weights_and_stops_updates():
    layer = Dense(2)
    layer(Input((3,)))
    layer.add_update((layer.bias, layer.bias + 1))
    layer.trainable = False
    assert layer.trainable_weights == []
    assert layer.non_trainable_weights == layer.weights == [layer.kernel, layer.bias]
    assert layer.updates == [] and layer.get_updates_for(None) == []
    layer.stateful = True
    assert len(layer.updates) == 1


def test_counting_before_building_says_how_to_build():
    with pytest.raises(RuntimeError, match="`count_params` on dense_1, but the layer isn't built"):
        Dense(2).count_params()


# ---- losses and updates


def test_losses_are_kept_by_the_inputs_they_depend_on():
    layer = Dense(1, regularizer=K.sum, activity_regularizer=K.sum)
    a, b = Input((2,)), Input((2,))
    layer(a)
    layer(b)
    (weight_loss,) = layer.get_losses_for(None)
    (loss_a,) = layer.get_losses_for(a)
    (loss_b,) = layer.get_losses_for([b])
    assert layer.losses == [weight_loss, loss_a, loss_b]
    assert_array_equal(run(loss_b, (b, [[1, 2], [3, 4]])), 10)
    assert K.eval(weight_loss) == 2


def test_updates_made_in_call_belong_to_all_inputs_of_the_call():
    class Counting(Layer):
        def build(self, input_shape):
            self.count = self.add_weight("count", (), initializer=zeros, trainable=False)

        def call(self, inputs):
            self.add_update([K.update_add(self.count, 1)], inputs[0])
            self.add_update((self.count, self.count * 2))
            return inputs[0]

    layer = Counting()
    a, b = Input((1,)), Input((1,))
    layer([a, b])
    assert len(layer.get_updates_for([a, b])) == 1
    assert layer.get_updates_for(a) == []
    assert len(layer.get_updates_for(None)) == 1
    assert len(layer.updates) == 2


# ---- masks


class Masked(Layer):
    """Passes its input on, with a mask."""

    def call(self, x):
        return x

    def compute_mask(self, inputs, mask=None):
        return K.not_equal(inputs, 0.0)


def test_a_mask_arrives_where_call_declares_it_and_passes_where_it_is_supported():
    class Through(Layer):
        supports_masking = True

        def call(self, x):
            return x * 2

    class Using(Layer):
        supports_masking = True

        def call(self, x, mask=None):
            return x * K.cast(mask, "float32")

    x = Input((3,))
    through, using = Through(), Using()
    y = using(through(Masked()(x)))
    assert through.output_mask is through.input_mask is using.input_mask
    assert_array_equal(run(using.output_mask, (x, [[1, 0, 2]])), [[True, False, True]])
    assert_array_equal(run(y, (x, [[1, 0, 2]])), [[2, 0, 4]])


def test_a_mask_at_a_layer_without_support_is_an_error():
    with pytest.raises(
        TypeError, match="Layer dense_1 does not support masking, but was passed an input_mask"
    ):
        Dense(2)(Masked()(Input((3,))))
    with pytest.raises(TypeError, match="Layer sum_1 does not support masking"):
        Sum()([Input((3,)), Masked()(Input((3,)))])


def test_masks_of_several_inputs_and_outputs_are_lists():
    class Both(Layer):
        supports_masking = True

        def call(self, inputs, mask=None):
            assert mask[0] is None and mask[1] is not None
            return [inputs[0] * 2, inputs[1] * 3]

    both = Both()
    both([Input((3,)), Masked()(Input((3,)))])
    assert both.output_mask[0] is None and both.output_mask[1] is both.input_mask[1]
    halves = Halves()
    halves(Input((4,)))
    assert halves.output_mask == [None, None]


# ---- nodes


def test_a_layer_called_once_has_input_and_output():
    x = Input((3,))
    layer = Dense(2)
    y = layer(x)
    assert layer.input is x and layer.output is y
    assert layer.output == y
    assert layer.input_shape == (None, 3) and layer.output_shape == (None, 2)
    assert layer.input_mask is None
    assert y._keras_history == (layer, 0, 0) and y._keras_shape == (None, 2)


def test_a_shared_layer_points_to_its_nodes():
    class Flat(Layer):
        def call(self, x):
            return K.batch_flatten(x)

    layer = Flat(name="shared")
    a, b = Input((3, 2)), Input((3, 2))
    y, z = layer(a), layer(b)
    for name in ("input", "output", "input_mask", "output_mask"):
        words = f"shared has multiple inbound nodes, hence the notion of .* Use `get_{name}_at\\(node_index\\)` instead"
        with pytest.raises(AttributeError, match=words):
            getattr(layer, name)
    assert layer.get_input_at(1) is b and layer.get_output_at(0) is y and layer.get_output_at(1) is z
    assert layer.input_shape == (None, 3, 2) and layer.output_shape == (None, 6)
    layer(Input((4, 2)))
    with pytest.raises(AttributeError, match=r"shared .*Use `get_output_shape_at\(node_index\)`"):
        layer.output_shape  # noqa: B018
    assert layer.get_input_shape_at(2) == (None, 4, 2) and layer.get_output_shape_at(2) == (None, 8)
    with pytest.raises(
        ValueError, match="the output of shared at node 3, but the layer has only 3 inbound nodes"
    ):
        layer.get_output_at(3)
    assert layer.get_output_at(-2) is z and layer.get_input_shape_at(-1) == (None, 4, 2)
    with pytest.raises(ValueError, match="at node -4, but the layer has only 3 inbound nodes"):
        layer.get_input_at(-4)


def test_a_layer_never_called_says_so():
    layer = Dense(2)
    with pytest.raises(AttributeError, match="dense_1 is not connected, no input to return"):
        layer.input  # noqa: B018
    with pytest.raises(
        AttributeError, match="dense_1 has never been called and thus has no defined output shape"
    ):
        layer.output_shape  # noqa: B018
    with pytest.raises(RuntimeError, match="dense_1 has never been called and thus has no defined output"):
        layer.get_output_at(0)
    assert not hasattr(layer, "output")


def test_a_node_knows_where_its_inputs_come_from():
    x = Input((4,), name="x")
    halves, total = Halves(name="halves"), Sum(name="total")
    total(halves(x))
    (node,) = total._inbound_nodes
    assert node.get_config() == {
        "outbound_layer": "total",
        "inbound_layers": ["halves", "halves"],
        "node_indices": [0, 0],
        "tensor_indices": [0, 1],
    }
    assert halves._outbound_nodes == [node, node]
    assert node.input_shapes == [(None, 2), (None, 2)] and node.output_shapes == [(None, 2)]


# ---- output shapes


def test_the_output_shape_follows_from_call_and_leaves_no_trace():
    np.random.seed(3)
    before = np.random.get_state()[1].tolist()
    layer = Dense(5, regularizer=K.sum, activity_regularizer=K.sum)
    assert layer.compute_output_shape((None, 7)) == (None, 5)
    assert layer.compute_output_shape((2, 4, 7)) == (2, 4, 5)
    assert Halves().compute_output_shape((None, 6)) == [(None, 3), (None, 3)]
    assert Sum().compute_output_shape([(None, 6), (3, 1)]) == (3, 6)
    assert not layer.built and layer.weights == [] and layer.losses == [] and layer._inbound_nodes == []
    assert np.random.get_state()[1].tolist() == before


def test_tracing_does_not_build_the_layers_inside():
    class Wrapper(Layer):
        def __init__(self, layer, **kwargs):
            super().__init__(**kwargs)
            self.layer, self.more = layer, [Dense(2)]

        def build(self, input_shape):
            self.layer.build(input_shape)
            super().build(input_shape)

        def call(self, x):
            return self.more[0](self.layer.call(x))

    wrapper = Wrapper(Dense(3))
    assert wrapper.compute_output_shape((None, 4)) == (None, 2)
    assert not wrapper.layer.built and not wrapper.more[0].built and wrapper.layer.weights == []
    assert K.int_shape(wrapper(Input((9,)))) == (None, 2)


def test_tracing_leaves_layers_alone_that_no_attribute_leads_to():
    hidden, x = Dense(3), Input((4,))
    inner = Model(x, Dense(2)(x))

    class Closure(Layer):
        def call(self, x):
            return K.concatenate([hidden(x), inner(x), hidden(x)])

    assert Closure().compute_output_shape((None, 4)) == (None, 8)
    assert not hidden.built and hidden.weights == [] and hidden._inbound_nodes == []
    assert len(inner._inbound_nodes) == 1


def test_a_promised_shape_wins_and_may_not_contradict_the_call():
    class Promising(Layer):
        promise = (None, 4)

        def call(self, x):
            return K.placeholder((None, None)) if self.promise[1] == 4 else x

        def compute_output_shape(self, input_shape):
            return self.promise

    y = Promising()(Input((3,)))
    assert y._keras_shape == (None, 4) == y._keras_history[0].output_shape
    wrong = Promising()
    wrong.promise = (None, 5)
    words = (
        r"promising_2: compute_output_shape promises \(None, 5\) for inputs of .*, and call makes \(None, 3\)"
    )
    with pytest.raises(ValueError, match=words):
        wrong(Input((3,)))


# ---- the end


def test_nothing_keeps_a_layer_alive():
    layer = Dense(2, activity_regularizer=K.sum)
    layer.compute_output_shape((None, 3))
    layer(Input((3,)))
    kernel, layer = weakref.ref(layer.kernel), weakref.ref(layer)
    gc.collect()
    assert layer() is None and kernel() is None

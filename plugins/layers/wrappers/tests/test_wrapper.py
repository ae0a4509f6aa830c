import numpy as np
import pytest
from numpy.testing import assert_array_equal

from lamina import backend as K
from lamina.layers import BatchNormalization, Dense, Dropout, Input, Masking, Wrapper
from lamina.models import Model, Sequential
from lamina.testing import Case, parametrize_layers, predict


@parametrize_layers(
    Case(
        Wrapper,
        lambda: {"layer": Dense(3)},
        shape=(4,),
        reference=lambda x, kernel, bias: x @ kernel + bias,
        id="Dense",
    ),
    Case(Wrapper, lambda: {"layer": BatchNormalization()}, shape=(3, 4), id="BatchNormalization"),
    Case(Wrapper, lambda: {"layer": Sequential([Dropout(0.5, input_shape=(4,)), Dense(2)])}, id="Sequential"),
)
def test_conforms(case, check):
    check(case)


class Scaled(Wrapper):
    """factor * what the layer makes, with the factor learned: a wrapper with a weight of its own."""

    def __init__(self, layer, start=1.0, **kwargs):
        super().__init__(layer, **kwargs)
        self.start = start

    def build(self, input_shape=None):
        super().build(input_shape)
        self.factor = self.add_weight("factor", (), initializer=lambda shape: np.full(shape, self.start))

    def call(self, inputs, mask=None, training=None):
        return self.factor * super().call(inputs, mask, training)


def test_a_wrapper_of_ones_own_needs_few_lines():
    wrapper = Scaled(Dense(1, weights=[np.ones((2, 1)), np.zeros(1)]), start=3.0)
    assert_array_equal(predict(wrapper, [[1.0, 2.0]]), [[9.0]])
    assert list(wrapper.get_config()) == ["name", "trainable", "layer", "start"]
    assert [array.shape for array in wrapper.get_weights()] == [(2, 1), (1,), ()]
    wrapper.set_weights([np.zeros((2, 1)), np.ones(1), 5.0])
    assert_array_equal(predict(wrapper, [[1.0, 2.0]]), [[5.0]])
    wrapper.trainable = False
    assert not wrapper.trainable_weights and len(wrapper.non_trainable_weights) == 3


def test_weights_are_set_all_or_none():
    wrapper = Scaled(Dense(1))
    wrapper(Input((2,)))
    before = wrapper.get_weights()
    with pytest.raises(ValueError, match="factor"):
        wrapper.set_weights([np.ones((2, 1)), np.ones(1), np.ones(3)])
    with pytest.raises(ValueError, match="list of 2 arrays, but it has 3 weights"):
        wrapper.set_weights([np.ones((2, 1)), np.ones(1)])
    for array, old in zip(wrapper.get_weights(), before, strict=True):
        assert_array_equal(array, old)


def test_a_wrapper_learns_with_what_it_wraps():
    model = Sequential([Scaled(Dense(1), input_shape=(2,))])
    model.compile("adam", "mse")
    model.optimizer.lr = 0.05
    x = np.random.default_rng(0).standard_normal((64, 2))
    losses = model.fit(x, x.sum(1, keepdims=True) * 2, epochs=60, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 10


def test_build_without_a_shape_leaves_the_layer_to_the_subclass():
    wrapper = Wrapper(Dense(3))
    wrapper.build()
    assert wrapper.built and not wrapper.layer.built


def test_losses_updates_and_masks_are_the_layers():
    x = Input((3, 2))
    wrapper = Wrapper(BatchNormalization(gamma_regularizer="l2"))
    y = wrapper(Masking()(x))
    model = Model(x, y)
    assert len(wrapper.losses) == len(model.losses) == 1
    assert len(model.updates) == 2
    assert wrapper.output_mask is wrapper.input_mask


def test_state_is_the_layers():
    wrapper = Wrapper(Dense(3))
    assert wrapper.stateful is False
    with pytest.raises(AttributeError, match="a Dense, has no reset_states"):
        wrapper.reset_states()


def test_an_instance_is_wrapped_only():
    with pytest.raises(ValueError, match="'layer'"):
        Wrapper.from_config({"name": "w"})
    assert K.is_keras_tensor(Wrapper(Dense(1))(Input((2,))))

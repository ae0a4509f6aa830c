import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lamina import backend as K
from lamina.layers import Input, Lambda, Masking, deserialize, serialize
from lamina.models import Model, load_model
from lamina.saving import DamagedFile, UnsafeFile, trusted
from lamina.testing import Case, parametrize_layers, predict

ELSEWHERE = {
    "check_config": "bytecode that went through JSON is not run",
    "check_save": "bytecode in a file is not run",
}


def scaled(x, factor=2.0):
    return x * factor


@parametrize_layers(
    Case(
        Lambda,
        {"function": K.abs},
        shape=(3, 4),
        reference=abs,
        mask="stopped",
        fails={"check_config": "Keras's config has no mask"},
    ),
    Case(
        Lambda,
        {"function": scaled, "arguments": {"factor": 3.0}},
        shape=(4,),
        reference=lambda x: 3 * x,
        mask="stopped",
        fails=ELSEWHERE,
    ),
    Case(
        Lambda,
        {"function": lambda xs: xs[0] - xs[1], "output_shape": (4,)},
        shape=[(4,), (4,)],
        reference=lambda x, y: x - y,
        fails=ELSEWHERE,
        id="Lambda of two inputs",
    ),
)
def test_conforms(case, check):
    check(case)


def antirectifier(x):
    x -= K.mean(x, axis=1, keepdims=True)
    x = K.l2_normalize(x, axis=1)
    return K.concatenate([K.relu(x), K.relu(-x)], axis=1)


def test_the_function_leaves_its_input_alone():
    x = Input((2,))
    y = Lambda(antirectifier)(x)
    # (3, 1) less its mean is (1, -1), of length sqrt(2).
    found, given = K.function([x], [y, x])([np.array([[3.0, 1.0]])])
    assert_allclose(found, [[2**-0.5, 0, 0, 2**-0.5]], rtol=1e-6)
    assert_array_equal(given, [[3.0, 1.0]])


def test_several_outputs_are_a_list():
    def both(xs):
        x, y = xs
        return [x * y, K.sum(x * y, axis=-1)]

    layer = Lambda(both, lambda shapes: [shapes[0], shapes[1][:-1]])
    product, total = layer([Input((3,)), Input((3,))])
    assert product.shape == (None, 3) and total.shape == (None,)
    assert layer.compute_output_shape([(None, 3), (None, 3)]) == [(None, 3), (None,)]


def test_output_shape_adds_what_is_not_known():
    x = Input((None, 3))
    y = Lambda(lambda x: x, output_shape=(5, 3))(x)
    assert K.int_shape(y) == (None, 5, 3)
    assert K.int_shape(x) == (None, None, 3)


def test_output_shape_may_have_other_axes_of_size_1():
    x = np.arange(6.0).reshape(2, 3)
    total = Lambda(lambda x: K.sum(x, axis=-1), output_shape=(1,))
    assert_allclose(predict(total, x), [[3.0], [12.0]])
    mean = Lambda(lambda x: K.mean(x, axis=-1, keepdims=True), output_shape=())
    assert_allclose(predict(mean, x), [1.0, 4.0])
    assert Lambda(lambda x: x, output_shape=(1, 3, 1))(Input((3,)))._keras_shape == (None, 1, 3, 1)


@pytest.mark.parametrize("output_shape", [(7,), lambda shape: (shape[0], 7), (3, 2)])
def test_an_output_shape_that_is_wrong_is_named(output_shape):
    with pytest.raises(ValueError, match="leave output_shape out"):
        Lambda(lambda x: x, output_shape=output_shape)(Input((3,)))


@pytest.mark.parametrize("arguments", [{"function": 3}, {"function": abs, "output_shape": 3}])
def test_other_kinds_are_refused(arguments):
    with pytest.raises(TypeError):
        Lambda(**arguments)


def test_the_mask_is_given_to_a_function_that_asks():
    x = Input((3, 2))
    y = Lambda(lambda x, mask: x + K.expand_dims(K.cast(mask, "float32")))(Masking()(x))
    found = K.function([x], [y])([np.array([[[0, 0], [1, 1], [0, 0]]])])[0]
    assert_array_equal(found, [[[0, 0], [2, 2], [0, 0]]])


def test_the_mask_of_the_output_is_what_was_given():
    layer = Lambda(lambda x: x, mask=lambda x, mask: mask)
    x, mask = Input((3, 2)), K.placeholder((None, 3), dtype="bool")
    assert layer.supports_masking and layer.compute_mask(x, mask) is mask
    assert Lambda(lambda x: x).compute_mask(x, mask) is None


def test_a_config_without_the_mask_says_so():
    with pytest.warns(UserWarning, match="has no place for its mask"):
        Lambda(lambda x: x, mask=lambda x, mask: mask).get_config()


# ---- configs and files


def test_the_config_is_that_of_keras():
    config = Lambda(lambda x: x, arguments={"a": 1}, name="l").get_config()
    assert list(config) == [
        "name", "trainable", "function", "function_type", "output_shape", "output_shape_type", "arguments",
    ]  # fmt: skip
    code, defaults, closure = json.loads(json.dumps(config["function"]))
    assert isinstance(code, str) and defaults is None and closure is None
    assert (config["function_type"], config["output_shape"], config["output_shape_type"]) == (
        "lambda",
        None,
        "raw",
    )


def test_a_config_that_stays_here_needs_no_leave():
    by = 3.0
    layer = Lambda.from_config(Lambda(lambda x: x * by).get_config())
    assert_array_equal(predict(layer, [[2.0]]), [[6.0]])


def stored(layer):
    return json.loads(json.dumps(serialize(layer)))


def test_bytecode_from_elsewhere_is_not_run():
    with pytest.raises(UnsafeFile, match=r"custom_objects=\{'l': fn\}"):
        deserialize(stored(Lambda(lambda x: x * 2, name="l")))


def test_the_function_may_be_passed_by_the_name_of_the_layer():
    config = stored(Lambda(lambda x: x * 2, output_shape=lambda shape: shape, name="l"))
    layer = deserialize(config, custom_objects={"l": lambda x: x * 5})
    assert_array_equal(predict(layer, [[1.0]]), [[5.0]])


def test_bytecode_of_a_trusted_config_runs_with_defaults_and_closure():
    by = 3.0
    config = stored(Lambda(lambda x, more=1.0: K.abs(x) * by + more, output_shape=lambda shape: shape))
    with trusted():
        layer = deserialize(config)
    assert_array_equal(predict(layer, [[-2.0]]), [[7.0]])


def test_bytecode_of_another_python_is_named():
    config = stored(Lambda(lambda x: x, name="l"))
    config["config"]["function"][0] = "AAAA"
    with trusted(), pytest.raises(ValueError, match="this version of Python does not read"):
        deserialize(config)


def test_functions_of_k_go_by_name():
    config = stored(Lambda(K.abs))
    assert (config["config"]["function"], config["config"]["function_type"]) == ("abs", "function")
    assert_array_equal(predict(deserialize(config), [[-2.0]]), [[2.0]])


def test_other_functions_by_name_are_asked_for():
    config = stored(Lambda(K.abs, name="l"))
    config["config"]["function"] = "system"
    with pytest.raises(ValueError, match=r"custom_objects=\{'system': fn\}"):
        deserialize(config)
    layer = deserialize(config, custom_objects={"system": K.square})
    assert_array_equal(predict(layer, [[-2.0]]), [[4.0]])


def test_arrays_among_the_arguments_come_back(tmp_path):
    x = Input((2,))
    model = Model(x, Lambda(scaled, arguments={"factor": np.array([2.0, 3.0])}, name="l")(x))
    path = str(tmp_path / "model.h5")
    with pytest.warns(UserWarning, match="bytecode"):
        model.save(path)
    with pytest.raises(UnsafeFile):
        load_model(path)
    for how in ({"custom_objects": {"l": scaled}}, {"safe_mode": False}):
        again = load_model(path, compile=False, **how)
        assert_array_equal(again.predict(np.array([[1.0, 1.0]])), [[2.0, 3.0]])


def test_a_config_without_a_function_is_told():
    with pytest.raises(ValueError, match="the Lambda 'l' has no 'function'"):
        deserialize({"class_name": "Lambda", "config": {"name": "l"}})


def test_an_array_of_texts_is_no_argument():
    arguments = {"x": {"type": "ndarray", "value": ["long" * 1000, ""]}}
    with pytest.raises(DamagedFile, match="of numbers"):
        deserialize({"class_name": "Lambda", "config": {"function": "square", "arguments": arguments}})

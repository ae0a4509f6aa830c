"""Configs of Keras 3 and tf.keras, in the words of Keras 2.2."""

import pytest

from lamina.saving import DamagedFile
from lamina.saving.dialect import in_keras_2, is_keras_2, translated, translated_training, widened


@pytest.mark.parametrize("version", ["2.2.4", "2.0.8", "2.1", "1.2.2", None])
def test_these_versions_speak_as_we_do(version):
    assert is_keras_2(version)


@pytest.mark.parametrize("version", ["2.2.4-tf", "2.3.1", "2.15.0", "3.0.0", "3.15.1", ""])
def test_these_do_not(version):
    assert not is_keras_2(version)


def layer(class_name, /, **config):
    return {"module": "keras.layers", "class_name": class_name, "config": config, "registered_name": None}


def test_what_says_as_before_is_dropped_and_the_rest_is_kept():
    conv = layer("Conv2D", filters=4, groups=1, quantization_config=None, activation="relu")
    assert translated(conv) == {"class_name": "Conv2D", "config": {"filters": 4, "activation": "relu"}}
    grouped = layer("Conv2D", filters=4, groups=2)
    assert translated(grouped)["config"] == {"filters": 4, "groups": 2}  # for the layer to refuse


@pytest.mark.parametrize(
    "policy, dtype", [("float32", "float32"), ("float64", "float64"), ("mixed_float16", "float32")]
)
def test_a_dtype_policy_becomes_the_dtype_of_the_weights(policy, dtype):
    described = {
        "module": "keras",
        "class_name": "DTypePolicy",
        "config": {"name": policy},
        "registered_name": None,
    }
    assert translated(layer("Dense", dtype=described))["config"] == {"dtype": dtype}


@pytest.mark.parametrize(
    "name, scaling",
    [
        ("GlorotUniform", {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": 7}),
        ("HeNormal", {"scale": 2.0, "mode": "fan_in", "distribution": "normal", "seed": 7}),
        ("LecunUniform", {"scale": 1.0, "mode": "fan_in", "distribution": "uniform", "seed": 7}),
    ],
)
def test_scaled_initializers_become_what_the_functions_of_keras_2_wrote(name, scaling):
    dense = layer("Dense", kernel_initializer=layer(name, seed=7))
    assert translated(dense)["config"]["kernel_initializer"] == {
        "class_name": "VarianceScaling",
        "config": scaling,
    }


def test_names_that_changed():
    assert translated(layer("L2", l2=0.1)) == {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.1}}
    assert translated(layer("Custom>Mine", a=1)) == {"class_name": "Mine", "config": {"a": 1}}
    assert translated(layer("LeakyReLU", negative_slope=0.3))["config"] == {"alpha": 0.3}
    assert translated(layer("BatchNormalization", axis=[3]))["config"] == {"axis": 3}
    assert translated(layer("InputLayer", batch_shape=[None, 3], ragged=False))["config"] == {
        "batch_input_shape": [None, 3]
    }
    activation = {"module": "m", "class_name": "function", "config": "swish", "registered_name": "swish"}
    assert translated(layer("Dense", activation=activation))["config"] == {"activation": "swish"}


def test_a_mirrored_backward_layer_goes_and_another_stays():
    forward = layer("LSTM", name="forward_lstm", units=3, go_backwards=False)
    backward = layer("LSTM", name="backward_lstm", units=3, go_backwards=True)
    other = layer("GRU", name="backward_gru", units=3, go_backwards=True)
    assert (
        "backward_layer"
        not in translated(layer("Bidirectional", layer=forward, backward_layer=backward))["config"]
    )
    assert (
        "backward_layer" in translated(layer("Bidirectional", layer=forward, backward_layer=other))["config"]
    )


def tensor(name, node=0, position=0):
    history = {"shape": [None, 5], "dtype": "float32", "keras_history": [name, node, position]}
    return {"class_name": "__keras_tensor__", "config": history}


def node(*args, **kwargs):
    return {"args": list(args), "kwargs": kwargs}


def named(name, *nodes, kind="Dense", **config):
    return {
        "class_name": kind,
        "name": name,
        "config": {"name": name, **config},
        "inbound_nodes": list(nodes),
    }


def functional(layers, ends, starts):
    config = {"name": "m", "trainable": True, "layers": layers, "input_layers": starts, "output_layers": ends}
    return {"class_name": "Functional", "config": config}


def nodes(model):
    return {layer["name"]: layer["inbound_nodes"] for layer in model["config"]["layers"]}


def test_calls_become_inbound_nodes():
    model = translated(
        functional(
            [
                named("a", kind="InputLayer"),
                named("b", node(tensor("a")), node(tensor("b"))),
                named("c", node([tensor("b"), tensor("a")]), kind="Add"),
                named(
                    "d",
                    node(tensor("c"), initial_state=[tensor("b", 1)], mask=None, training=False),
                    kind="LSTM",
                ),
            ],
            ["d", 0, 0],
            [["a", 0, 0]],
        )
    )
    assert model["class_name"] == "Model"
    assert nodes(model) == {
        "a": [],
        "b": [[["a", 0, 0, {}]], [["b", 0, 0, {}]]],
        "c": [[["b", 0, 0, {}], ["a", 0, 0, {}]]],
        "d": [[["c", 0, 0, {}], ["b", 1, 0, {}]]],
    }
    assert model["config"]["output_layers"] == [["d", 0, 0]]
    assert model["config"]["input_layers"] == [["a", 0, 0]]


def test_calls_of_nested_models_count_their_own_making():
    inner = functional(
        [named("i", kind="InputLayer"), named("j", node(tensor("i")))], ["j", 0, 0], ["i", 0, 0]
    )
    inner = {**inner, "name": "inner", "inbound_nodes": [node(tensor("a")), node(tensor("inner"))]}
    seq = {"class_name": "Sequential", "config": {"name": "seq", "layers": []}, "name": "seq"}
    seq["inbound_nodes"] = [node(tensor("inner", 1))]
    model = translated(
        functional(
            [named("a", kind="InputLayer"), inner, seq], [["inner", 2, 0], ["seq", 0, 0]], {"x": ["a", 0, 0]}
        )
    )
    assert nodes(model)["inner"] == [[["a", 0, 0, {}]], [["inner", 1, 0, {}]]]
    assert nodes(model)["seq"] == [[["inner", 2, 0, {}]]]
    assert model["config"]["output_layers"] == [["inner", 2, 0], ["seq", 1, 0]]
    assert model["config"]["input_layers"] == [["a", 0, 0]]


def test_calls_of_tf_keras_are_left_as_they_are():
    calls = [[["a", 0, 0, {"mask": None}]]]
    model = translated(functional([named("b", *calls)], [["b", 0, 0]], [["a", 0, 0]]))
    assert nodes(model)["b"] == calls


def test_a_call_that_keras_2_cannot_express_is_named():
    with pytest.raises(DamagedFile, match="'value'"):
        translated(functional([named("b", node(tensor("a"), value=tensor("c")))], ["b", 0, 0], ["a", 0, 0]))


@pytest.mark.parametrize("ends", [None, 3, [3], [["a"]], [["a", None, 0]], {"x": None}])
def test_ends_that_are_none_are_damage(ends):
    with pytest.raises(DamagedFile, match="ends"):
        translated(functional([], ends, [["a", 0, 0]]))


@pytest.mark.parametrize("call", [{"args": None}, {"args": [{"class_name": "__keras_tensor__"}]}, {}])
def test_broken_calls_are_damage_or_nothing(call):
    try:
        translated(functional([named("b", call)], [["b", 0, 0]], [["a", 0, 0]]))
    except DamagedFile:
        pass


def test_optimizers_lose_what_came_later():
    config = {
        "name": "adam",
        "learning_rate": 0.01,
        "beta_1": 0.9,
        "weight_decay": None,
        "use_ema": False,
        "jit_compile": True,
    }
    read = translated_training({"optimizer_config": {"class_name": "Custom>Adam", "config": config}}, [])
    assert read["optimizer_config"] == {"class_name": "Adam", "config": {"lr": 0.01, "beta_1": 0.9}}
    config = {"learning_rate": 0.01, "weight_decay": 0.1}
    read = translated_training({"optimizer_config": {"class_name": "Adam", "config": config}}, [])
    assert read["optimizer_config"]["config"] == {
        "lr": 0.01,
        "weight_decay": 0.1,
    }  # for the optimizer to refuse


def test_momentum_is_new_to_rmsprop_and_old_to_sgd():
    def read(name, **config):
        return translated_training({"optimizer_config": {"class_name": name, "config": config}}, [])[
            "optimizer_config"
        ]

    assert read("RMSprop", rho=0.9, momentum=0.0, centered=False, ema_momentum=0.99)["config"] == {"rho": 0.9}
    assert read("RMSprop", momentum=0.5)["config"] == {"momentum": 0.5}  # for the optimizer to refuse
    assert read("SGD", momentum=0.0)["config"] == {"momentum": 0.0}


def test_losses_and_metrics_become_names():
    mse = {"class_name": "MeanSquaredError", "config": {"reduction": "auto", "name": "mean_squared_error"}}
    huber = {"class_name": "Huber", "config": {"delta": 2.0, "name": "h"}}
    accuracy = {
        "class_name": "MeanMetricWrapper",
        "config": {"name": "accuracy", "fn": "categorical_accuracy"},
    }
    mae = {"class_name": "MeanMetricWrapper", "config": {"name": "m", "fn": "mean_absolute_error"}}

    def read(loss, metrics, **rest):
        return translated_training({"loss": loss, "metrics": metrics, **rest}, ["x", "y"])

    assert read(mse, ["accuracy"])["loss"] == "mean_squared_error"
    assert read([mse, None, huber], None)["loss"] == ["mean_squared_error", None, huber]
    assert read({"x": mse, "y": "mae"}, None)["loss"] == {"x": "mean_squared_error", "y": "mae"}
    assert read(mse, [[accuracy, mae]])["metrics"] == ["accuracy", "mean_absolute_error"]
    assert read(mse, [[accuracy], [mae]])["metrics"] == {"x": ["accuracy"], "y": ["mean_absolute_error"]}
    assert read(mse, None)["metrics"] == []
    assert read(mse, None, loss_weights=[1, None])["loss_weights"] == [1, 1.0]


def test_the_config_given_is_left_as_it_was():
    described = layer("InputLayer", batch_shape=[None, 3])
    translated(described)
    assert described == layer("InputLayer", batch_shape=[None, 3])


def test_a_sequential_gains_the_input_layer_that_keras_3_looks_for():
    dense = {
        "class_name": "Dense",
        "config": {"name": "d", "batch_input_shape": [None, 3], "dtype": "float32"},
    }
    model = {"class_name": "Sequential", "config": {"name": "s", "layers": [dense]}}
    first, second = widened(model)["config"]["layers"]
    assert first == {
        "class_name": "InputLayer",
        "config": {"batch_input_shape": [None, 3], "dtype": "float32", "sparse": False, "name": "d_input"},
    }
    assert second == dense
    assert widened(widened(model)) == widened(model)


def test_a_wrapped_layer_gains_the_module_that_keras_3_looks_for():
    wrapper = {
        "class_name": "TimeDistributed",
        "config": {"layer": {"class_name": "Dense", "config": {"units": 3}}},
    }
    assert widened(wrapper)["config"]["layer"]["module"] == "keras.layers"


def test_other_configs_are_not_widened():
    old = {
        "class_name": "Sequential",
        "config": [{"class_name": "Dense", "config": {"batch_input_shape": [None, 3]}}],
    }
    model = functional(
        [named("a", kind="InputLayer"), named("b", [["a", 0, 0, {}]])], [["b", 0, 0]], [["a", 0, 0]]
    )
    for config in (old, model, {"class_name": "Sequential", "config": {"name": "empty", "layers": []}}):
        assert widened(config) == config


# --- what has another meaning now -------------------------------------------------------------------------------------


def test_the_hard_sigmoid_of_keras_3_is_marked_as_its_own():
    config = {
        "class_name": "Sequential",
        "config": {
            "layers": [
                {"class_name": "LSTM", "config": {"activation": "tanh", "recurrent_activation": "hard_sigmoid"}},
                {"class_name": "Dense", "config": {"name": "hard_sigmoid", "activation": {
                    "class_name": "function", "config": "hard_sigmoid", "registered_name": "hard_sigmoid"}}},
            ]
        },
    }  # fmt: skip
    lstm, dense = in_keras_2(config, "3.15.1")["config"]["layers"]
    assert lstm["config"] == {"activation": "tanh", "recurrent_activation": "keras>hard_sigmoid"}
    assert dense["config"] == {"name": "hard_sigmoid", "activation": "keras>hard_sigmoid"}
    for version in ("2.15.0", "2.2.4", "", None):
        lstm, _ = in_keras_2(config, version)["config"]["layers"]
        assert lstm["config"]["recurrent_activation"] == "hard_sigmoid"


def test_bilinear_upsampling_of_later_kerases_warns():
    config = {"class_name": "UpSampling2D", "config": {"name": "up", "interpolation": "bilinear"}}
    with pytest.warns(UserWarning, match="'up' was written by a Keras whose bilinear"):
        assert in_keras_2(config, "2.15.0") == config
    config["config"]["interpolation"] = "nearest"
    assert in_keras_2(config, "2.15.0") == config


def test_what_classes_took_from_their_base_is_dropped():
    separable = {
        "class_name": "SeparableConv1D",
        "config": {"filters": 2, "kernel_initializer": {}, "kernel_constraint": 3},
    }
    assert translated(separable)["config"] == {"filters": 2}
    local = {"class_name": "LocallyConnected2D", "config": {"implementation": 1}}
    assert translated(local)["config"] == {}
    for config in ({"implementation": 2}, {"kernel_initializer": "zeros"}):
        kept = {"class_name": "LocallyConnected2D", "config": config}
        assert translated(kept) == kept


def test_bidirectional_layers_of_later_kerases_are_masked_as_those_of_keras_2():
    inner = {"class_name": "LSTM", "config": {"units": 2, "zero_output_for_mask": True}}
    config = {"class_name": "Bidirectional", "config": {"layer": inner, "backward_layer": inner}}
    layer = {"class_name": "LSTM", "config": {"units": 2}}
    assert translated(config)["config"] == {"layer": layer}
    assert translated(inner) == inner  # by itself it would be another layer
    assert translated({**config, "config": {"layer": None}})["config"] == {"layer": None}


def test_spatial_dropout_loses_what_keras_3_does_not_take():
    config = {"rate": 0.2, "noise_shape": None, "trainable": True, "seed": None}
    described = {"class_name": "SpatialDropout2D", "config": config}
    assert widened(described)["config"] == {"rate": 0.2, "seed": None}
    frozen = {"class_name": "SpatialDropout2D", "config": {"trainable": False}}
    assert widened(frozen) == frozen
    assert widened({**described, "class_name": "Dropout"})["config"] == config


def test_the_decay_of_nadam_is_that_of_its_schedule():
    found = translated_training({"optimizer_config": {"class_name": "Nadam", "config": {"decay": 0.004}}}, [])
    assert found["optimizer_config"]["config"] == {"schedule_decay": 0.004}

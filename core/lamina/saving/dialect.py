"""Configs of later Kerases, put into Keras 2.2's words, and ours made clear to them.

Keras 3, tf.keras and Keras 2.3 write the same HDF5 layout around configs that have moved on: other keys for the same
thing, keys for what came later, inbound nodes as calls.  What they say beyond Keras 2.2 is dropped where it says
"as before" and left in place where it does not, so that the layer itself refuses what it cannot do.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from lamina.saving.errors import DamagedFile
from lamina_registry import shown

# Keys that came after Keras 2.2, with the values that mean what Keras 2.2 does.
_LATER: dict[str, tuple[Any, ...]] = {
    "autocast": (True,),
    "groups": (1,),
    "input_axes": (None,),
    "keepdims": (False,),
    "lora_alpha": (None,),
    "lora_rank": (None,),
    "optional": (False,),
    "output_axes": (None,),
    "quantization_config": (None,),
    "ragged": (False,),
    "renorm": (False,),
    "renorm_clipping": (None,),
    "renorm_momentum": (0.99,),
    "seed": (None,),
    "sparse": (False,),
    "synchronized": (False,),
    "time_major": (False,),
    "zero_output_for_mask": (False,),
}
# Keys that some classes have for arguments of their base class, which they do not use.
_UNUSED = {
    "SeparableConv1D": ("kernel_initializer", "kernel_regularizer", "kernel_constraint"),
    "SeparableConv2D": ("kernel_initializer", "kernel_regularizer", "kernel_constraint"),
}
_LATER_OF_CLASS: dict[str, dict[str, tuple[Any, ...]]] = {
    "LocallyConnected1D": {"implementation": (1,)},  # the others lay the kernel out in another form
    "LocallyConnected2D": {"implementation": (1,)},
}
# Keys of Keras 2.2 for what Keras 3 does without being told.
_EARLIER = {
    name: {"noise_shape": None, "trainable": True}
    for name in ("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")
}
_LATER_OPTIMIZER: dict[str, tuple[Any, ...]] = {
    "centered": (False,),
    "clipnorm": (None,),
    "clipvalue": (None,),
    "global_clipnorm": (None,),
    "gradient_accumulation_steps": (None,),
    "initial_accumulator_value": (0.1,),  # the accumulators themselves are stored
    "is_legacy_optimizer": (True, False),
    "jit_compile": (True, False, "auto"),
    "loss_scale_factor": (None,),
    "use_ema": (False,),
    "weight_decay": (None, 0.0),
}
_SCALED = {  # Keras 2.2 had functions of these names, which wrote a VarianceScaling
    f"{author}{kind}": {"scale": scale, "mode": mode, "distribution": kind.lower()}
    for author, scale, mode in (("Glorot", 1.0, "fan_avg"), ("He", 2.0, "fan_in"), ("Lecun", 1.0, "fan_in"))
    for kind in ("Normal", "Uniform")
}
_RENAMED = {"Functional": "Model", "OrthogonalInitializer": "Orthogonal"}
_MODELS = ("Functional", "Model", "Sequential")


def is_keras_2(version: str | None) -> bool:
    """Whether a `keras_version` is one whose configs are ours: 2.0 to 2.2, and not TensorFlow's copy of it."""
    return version is None or re.fullmatch(r"[01]\..*|2\.[0-2](\.\d+)?", version) is not None


def in_keras_2(config: Any, version: str | None) -> Any:
    """A model's config that a Keras of this version wrote in Keras 2.2's words; `config` itself is left as it was.

    Warns of what will compute something else.
    """
    if is_keras_2(version) and _mapping(config).get("class_name") != "Functional":
        return narrowed(config)
    major = re.match(r"\d+", version or "")
    config = translated(config)
    return _with_marks(config) if major and int(major[0]) >= 3 else config


def _with_marks(config: Any) -> Any:
    """A config of Keras 3 with its hard_sigmoid marked as its own, which is relu6(x + 3) / 6.

    Custom objects answer to the marked name, too; without one for it, it is unknown.
    """
    if isinstance(config, list):
        return [_with_marks(item) for item in config]
    if not isinstance(config, dict):
        return config
    return {
        key: "keras>hard_sigmoid"
        if key.endswith("activation") and value == "hard_sigmoid"
        else _with_marks(value)
        for key, value in config.items()
    }


def translated(config: Any) -> Any:
    """A model's, layer's or other object's config in Keras 2.2's words; `config` itself is left as it was."""
    if isinstance(config, list):
        return [translated(item) for item in config]
    if not isinstance(config, dict):
        return config
    if isinstance(config.get("class_name"), str) and "config" in config:
        return _object(config)
    return {key: translated(value) for key, value in config.items()}


def _object(described: dict[str, Any]) -> Any:
    name, config = described["class_name"], described["config"]
    if name == "DTypePolicy" and isinstance(config, dict):
        return _dtype(config.get("name"))
    if name == "function" and isinstance(config, str):
        return config
    if not isinstance(config, dict):
        return {
            key: translated(value)
            for key, value in described.items()
            if key not in ("module", "registered_name")
        }
    if name in _MODELS and isinstance(config.get("layers"), list):
        config = _network(config)
    else:
        later = {**_LATER, **_LATER_OF_CLASS.get(name, {})}
        config = {
            key: translated(value)
            for key, value in config.items()
            if key not in _UNUSED.get(name, ()) and (key not in later or value not in later[key])
        }
    name, config = _renamed(name, config)
    kept = {key: value for key, value in described.items() if key in ("name", "inbound_nodes")}
    return {**kept, "class_name": name, "config": config}


def _renamed(name: str, config: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Class name and config under the names they had in Keras 2.2."""
    name = _RENAMED.get(name, name.removeprefix("Custom>"))
    if name in _SCALED:
        return "VarianceScaling", {**_SCALED[name], "seed": config.get("seed")}
    if name == "VarianceScaling" and str(config.get("distribution")).endswith("truncated_normal"):
        return name, {**config, "distribution": "normal"}
    if name in ("L1", "L2"):
        return "L1L2", {"l1": 0.0, "l2": 0.0, **config}
    if name == "InputLayer" and "batch_shape" in config:
        config = {**config, "batch_input_shape": config["batch_shape"]}
        del config["batch_shape"]
    if name == "LeakyReLU" and "negative_slope" in config:
        config = {**config, "alpha": config["negative_slope"]}
        del config["negative_slope"]
    if name == "BatchNormalization" and isinstance(config.get("axis"), list) and len(config["axis"]) == 1:
        config = {**config, "axis": config["axis"][0]}
    if name == "Bidirectional":
        config = _without_mirror(config)
    if name == "UpSampling2D" and config.get("interpolation") == "bilinear":
        warnings.warn(
            f"{shown(config.get('name'))} was written by a Keras whose bilinear interpolation is between the centres "
            "of pixels. Keras 2's is between their corners: the model will predict other numbers",
            stacklevel=2,
        )
    return name, config


def _dtype(policy: Any) -> Any:
    """The dtype of a policy's variables: mixed_float16 computes in float16 and keeps float32."""
    return "float32" if isinstance(policy, str) and policy.startswith("mixed_") else policy


def _without_mirror(config: dict[str, Any]) -> dict[str, Any]:
    """A Bidirectional's config without its backward layer, where that is only the forward one reversed.

    Later Kerases have the layers of every Bidirectional answer zeros for masked steps, where Keras 2's repeat the last
    output.  What respects the mask does not see the difference.
    """
    config = {**config}
    for key in ("layer", "backward_layer"):
        if isinstance(config.get(key), dict):
            inner = {**_mapping(config[key].get("config"))}
            inner.pop("zero_output_for_mask", None)
            config[key] = {**config[key], "config": inner}
    forward, backward = (dict(config.get(key) or {}) for key in ("layer", "backward_layer"))
    for layer in (forward, backward):
        layer["config"] = {
            key: value
            for key, value in dict(layer.get("config") or {}).items()
            if key not in ("name", "go_backwards")
        }
    return {key: value for key, value in config.items() if key != "backward_layer" or forward != backward}


# --- graphs -----------------------------------------------------------------------------------------------------------


def _network(config: dict[str, Any]) -> dict[str, Any]:
    """A model's config: its layers translated, its inbound nodes as Keras 2's lists."""
    nested = {
        str(layer.get("name") or _mapping(layer.get("config")).get("name")): layer.get("class_name")
        for layer in config["layers"]
        if isinstance(layer, dict) and layer.get("class_name") in _MODELS
    }
    layers = []
    later = False
    for layer in config["layers"]:
        layer = translated(layer)
        if isinstance(layer, dict) and any(
            isinstance(node, dict) for node in layer.get("inbound_nodes") or ()
        ):
            later = True
            layer = {**layer, "inbound_nodes": [_node(node, nested) for node in layer["inbound_nodes"]]}
        layers.append(layer)
    kept: dict[str, Any] = {key: config[key] for key in ("name", "build_input_shape") if key in config}
    for key in ("input_layers", "output_layers"):
        if key in config:
            ends = _ends(config[key])
            if later and key == "output_layers":
                # Keras 3 counts the nodes of a nested Sequential from its first call, Keras 2 from its own making.
                ends = [
                    [name, node + (nested.get(str(name)) == "Sequential"), *rest]
                    for name, node, *rest in ends
                ]
            kept[key] = ends
    return {**kept, "layers": layers}


def _ends(ends: Any) -> list[list[Any]]:
    """Input or output layers as a list of [name, node, tensor], however they were grouped."""
    if isinstance(ends, Mapping):
        ends = list(ends.values())
    if isinstance(ends, list) and len(ends) == 3 and isinstance(ends[0], str):
        ends = [ends]
    if not isinstance(ends, list) or not all(
        isinstance(end, list) and len(end) >= 3 and isinstance(end[1], int) for end in ends
    ):
        raise DamagedFile(
            f"A model's config should list its ends as [layer, node, tensor], not {shown(ends)}"
        )
    return ends


def _node(node: Any, nested: Mapping[str, Any]) -> Any:
    """One call of a layer, args and kwargs in Keras 3, as Keras 2's list of [layer, node, tensor, kwargs]."""
    if not isinstance(node, dict):
        return node
    kwargs = dict(_mapping(node.get("kwargs")))
    # Keras 2 passes the initial state of a recurrent layer among its inputs.
    states = kwargs.pop("initial_state", None)
    kwargs = {
        key: value
        for key, value in kwargs.items()
        if value is not None and not (key == "training" and value is False)
    }
    if any(_tensors(value) for value in kwargs.values()):
        raise DamagedFile(
            f"A layer is called with a tensor as its argument {shown(next(iter(kwargs)))}, "
            "which Keras 2's models cannot express"
        )
    ends = []
    for tensor in _tensors([node.get("args"), states]):
        history = _mapping(tensor.get("config")).get("keras_history")
        name, index, position = _ends([history])[0][:3]
        # A nested model has a first node of its own, which Keras 3 leaves out of this count.
        ends.append([name, index + (name in nested), position, kwargs])
    return ends


def _tensors(value: Any) -> list[dict[str, Any]]:
    """The descriptions of tensors in nested lists, in order."""
    if isinstance(value, dict):
        return [value] if value.get("class_name") == "__keras_tensor__" else []
    if isinstance(value, list):
        return [tensor for item in value for tensor in _tensors(item)]
    return []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def widened(config: Any) -> Any:
    """A model's config with what Keras 3 needs to read it and Keras 2 passes over.

    Keras 3 takes the input shape of a Sequential from an InputLayer only, and finds the layer in a wrapper, or the
    cell in an RNN, by its module.  With these it reads the models of Keras 2 (with compile=False, for it has no
    optimizer that takes `lr`).
    """
    if isinstance(config, list):
        return [widened(item) for item in config]
    if not isinstance(config, dict):
        return config
    config = {key: widened(value) for key, value in config.items()}
    earlier = _EARLIER.get(str(config.get("class_name")), {})
    if earlier and isinstance(config.get("config"), dict):
        kept = {key: value for key, value in config["config"].items() if earlier.get(key, ...) != value}
        config["config"] = kept
    for key in ("layer", "cell"):
        if key in config:
            config[key] = _placed(config[key])
    if isinstance(config.get("cells"), list):
        config["cells"] = [_placed(cell) for cell in config["cells"]]
    if config.get("class_name") == "Sequential" and isinstance(config.get("config"), dict):
        config["config"] = {**config["config"], "layers": _with_input(config["config"].get("layers"))}
    return config


def _placed(described: Any) -> Any:
    """An object in a layer's config with the module that Keras 3 has it in."""
    if not isinstance(described, dict) or not isinstance(described.get("class_name"), str):
        return described
    module = "keras" if described["class_name"] in _MODELS else "keras.layers"
    return {"module": module, "registered_name": None, **described}


def narrowed(config: Any) -> Any:
    """A model's config without what `widened` gave it."""
    if isinstance(config, list):
        return [narrowed(item) for item in config]
    if not isinstance(config, dict):
        return config
    config = {key: narrowed(value) for key, value in config.items()}
    if config.get("class_name") == "Sequential" and isinstance(config.get("config"), dict):
        layers = config["config"].get("layers")
        if isinstance(layers, list) and len(layers) > 1 and _with_input(layers[1:]) == layers:
            config["config"] = {**config["config"], "layers": layers[1:]}
    return config


def _with_input(layers: Any) -> Any:
    """The layers of a Sequential, after the InputLayer that its first layer implies."""
    first = _mapping(_mapping(layers[0]).get("config")) if isinstance(layers, list) and layers else {}
    if "batch_input_shape" not in first or layers[0].get("class_name") == "InputLayer":
        return layers
    described = {key: first[key] for key in ("batch_input_shape", "dtype") if key in first}
    described = {**described, "sparse": False, "name": f"{first.get('name')}_input"}
    return [{"class_name": "InputLayer", "config": described}, *layers]


# --- training ---------------------------------------------------------------------------------------------------------


def translated_training(config: dict[str, Any], output_names: Sequence[str]) -> dict[str, Any]:
    """A training config in Keras 2.2's words: optimizer, loss, metrics and loss_weights."""
    weights = config.get("loss_weights")
    if isinstance(weights, list):
        weights = [1.0 if weight is None else weight for weight in weights]
    return {
        "optimizer_config": _optimizer(_mapping(config.get("optimizer_config"))),
        "loss": _each(_loss, config.get("loss")),
        "metrics": _metrics(config.get("metrics"), output_names),
        "weighted_metrics": _metrics(config.get("weighted_metrics"), output_names) or None,
        "sample_weight_mode": config.get("sample_weight_mode"),
        "loss_weights": weights,
    }


def _optimizer(described: Mapping[str, Any]) -> dict[str, Any]:
    name = str(described.get("class_name")).removeprefix("Custom>")
    later = {**_LATER_OPTIMIZER, **({"momentum": (0.0,)} if name == "RMSprop" else {})}
    config = {
        key: value
        for key, value in _mapping(described.get("config")).items()
        if key != "name" and not key.startswith("ema_") and (key not in later or value not in later[key])
    }
    if "learning_rate" in config:
        config["lr"] = config.pop("learning_rate")
    if name == "Nadam" and "decay" in config:
        config["schedule_decay"] = config.pop("decay")
    return {"class_name": name, "config": config}


def _each(change: Any, value: Any) -> Any:
    """`change` applied to a value, or to each of a list or dict of them, one per output."""
    if isinstance(value, list):
        return [_each(change, item) for item in value]
    if isinstance(value, dict) and "class_name" not in value:
        return {key: _each(change, item) for key, item in value.items()}
    return change(value)


def _loss(loss: Any) -> Any:
    """A loss as a function's name: Keras 2.2 has no loss objects, so one with settings of its own stays as it is."""
    if not isinstance(loss, dict):
        return loss
    config = _mapping(loss.get("config"))
    plain = {
        "from_logits": (False,),
        "label_smoothing": (0, 0.0),
        "axis": (-1,),
        "ignore_class": (None,),
        "reduction": ("auto", "sum_over_batch_size"),
        "fn": (config.get("fn"),),
        "dtype": (config.get("dtype"),),
        "name": (config.get("name"),),
    }
    if all(key in plain and value in plain[key] for key, value in config.items()):
        return _snake(str(loss["class_name"]))
    return translated(loss)


def _metrics(metrics: Any, output_names: Sequence[str]) -> Any:
    """Metrics by name; a list per output becomes a dict by output, which is Keras 2.2's way to say it."""
    metrics = _each(_metric, metrics) or []
    if isinstance(metrics, list) and metrics and all(isinstance(item, list | None) for item in metrics):
        if len(metrics) == 1:
            return metrics[0] or []
        return {name: item for name, item in zip(output_names, metrics, strict=False) if item}
    return metrics


def _metric(metric: Any) -> Any:
    if not isinstance(metric, dict):
        return metric
    config = _mapping(metric.get("config"))
    if config.get("name") in ("acc", "accuracy"):
        return "accuracy"
    return config.get("fn") if isinstance(config.get("fn"), str) else _snake(str(metric["class_name"]))


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()

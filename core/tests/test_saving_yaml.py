"""YAML configs: what Keras 2 wrote is read, and nothing that YAML could do besides."""

import pytest

yaml = pytest.importorskip("lamina.saving.yaml", reason="PyYAML is not installed", exc_type=ImportError)

from lamina.saving import DamagedFile, UnsafeFile, gate  # noqa: E402

# As Keras 2.2.4 with PyYAML 5 writes a model: tuples with a tag, repeated values as aliases.
KERAS = """\
backend: tensorflow
class_name: Sequential
config:
  layers:
  - class_name: Conv2D
    config:
      batch_input_shape: !!python/tuple [null, 9, 8, 3]
      dilation_rate: &id001 !!python/tuple [1, 1]
      epsilon: 1.0e-07
      name: !!python/unicode 'conv2d_1'
      strides: *id001
      trainable: true
keras_version: 2.2.4
"""


def test_what_keras_wrote_is_read():
    assert yaml.load(KERAS, "f") == {
        "backend": "tensorflow",
        "class_name": "Sequential",
        "config": {
            "layers": [
                {
                    "class_name": "Conv2D",
                    "config": {
                        "batch_input_shape": (None, 9, 8, 3),
                        "dilation_rate": (1, 1),
                        "epsilon": 1e-7,
                        "name": "conv2d_1",
                        "strides": (1, 1),
                        "trainable": True,
                    },
                }
            ]
        },
        "keras_version": "2.2.4",
    }


def test_what_is_written_is_read_again():
    data = {"a": [1, 1e-7, 2.5, None, True, "x: y", "2001-01-01", "null", "1:30"], "b": {"c": {}}, "d": []}
    data["e"] = data["a"]
    assert yaml.load(yaml.dump(data), "f") == data


def test_arguments_reach_the_writer():
    assert yaml.dump({"b": [1], "a": 2}, default_flow_style=False, sort_keys=False) == "b:\n- 1\na: 2\n"


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['echo']",
        "!!python/object/new:os.system ['echo']",
        "!!python/object:__main__.X {}",
        "!!python/name:os.system",
        "!!python/module:os",
        "a: !!binary aGk=",
        "!!set {a}",
        "!!omap [a: 1]",
        "!mine {}",
        "a: {<<: {b: 1}}",
        "a: &a [1]\nb: {<<: *a}",
        "&a [*a]",
        "&a {b: *a}",
        "[" * 5000 + "]" * 5000,
        "- " * 5000,
    ],
)
def test_what_no_config_needs_is_unsafe(text):
    with pytest.raises(UnsafeFile, match=r"^model.yaml "):
        yaml.load(text, "model.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "a: [1",
        "{[1]: 2}",
        "\0",
        "a: *b",
        "%YAML 9",
        "1:" * 1000 + "1",
        "0x" + "f" * 100,
        "? [a]\n: b",
        "- a\nb",
    ],
)
def test_what_is_no_yaml_is_damaged(text):
    with pytest.raises(DamagedFile, match=r"^model.yaml"):
        yaml.load(text, "model.yaml")


def test_aliases_count_as_often_as_they_are_used():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(UnsafeFile, match="more than 100,000 entries"):
        yaml.load("\n".join(lines), "f")


def test_length_is_bounded(monkeypatch):
    monkeypatch.setattr(yaml, "_LONGEST_TEXT", 5)
    with pytest.raises(UnsafeFile, match="6 characters"):
        yaml.load("abcdef", "f")


def test_depth_is_that_of_the_gate():
    yaml.load("[" * (gate.DEEPEST - 2) + "]" * (gate.DEEPEST - 2), "f")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{a: 1, b: 2, a: 3}", "twice"),
        ("{2305843009213693951: 0}", "keys that are not text"),
        ("? [a]\n: 1", "keys that are not text"),
    ],
)
def test_keys_are_short_and_there_once(text, message):
    with pytest.raises(DamagedFile, match=message):
        yaml.load(text, "f")


def test_small_numbers_are_keys():
    assert yaml.load("{1: a, -20: b}", "f") == {1: "a", -20: "b"}

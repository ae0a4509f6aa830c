"""The gate: plain data of bounded size, names that are known, code only by leave, memory only by the byte."""

import copy
import json
import pickle
import threading

import numpy as np
import pytest

from lamina.saving import DamagedFile, UnsafeFile, gate, trusted
from lamina.saving.gate import Allowance, Code, allow_code, charge, check_config, parse_json, passing
from lamina_registry import CustomObjectScope


def nested(levels):
    value = 0
    for _ in range(levels):
        value = [value]
    return value


def test_json_comes_through():
    assert parse_json('{"a": [1, 2.5, null, true, "x"], "b": {}}', "f") == {
        "a": [1, 2.5, None, True, "x"],
        "b": {},
    }


@pytest.mark.parametrize("text", ["", "{", "nul", '{"a": 1,}', "\0", "[1", "\ud800", "1" * 5000])
def test_text_that_is_no_json_is_damaged(text):
    with pytest.raises(DamagedFile, match=r"model.h5 is no JSON"):
        parse_json(text, "model.h5")


@pytest.mark.parametrize("levels", [gate.DEEPEST + 1, 2_000, 200_000])
def test_depth_is_bounded(levels):
    with pytest.raises(UnsafeFile, match=r"model.h5 has a config more than 100 levels deep"):
        parse_json("[" * levels + "]" * levels, "model.h5")


def test_a_name_given_twice_is_damage():
    with pytest.raises(DamagedFile, match="it has the name 'a' twice"):
        parse_json('{"b": {"a": 1, "c": 2, "a": 1}}', "f")


def test_one_of_many_names_twice_is_found_at_once():
    names = [f'"{number}": 0' for number in range(100_000)]
    with pytest.raises(DamagedFile, match="it has the name '99999' twice"):
        parse_json("{" + ", ".join([*names, names[-1]]) + "}", "f")


def test_the_deepest_config_comes_through():
    check_config(nested(gate.DEEPEST - 1), "f")
    with pytest.raises(UnsafeFile):
        check_config(nested(gate.DEEPEST), "f")


def test_count_is_bounded_before_anything_is_parsed(monkeypatch):
    monkeypatch.setattr(json, "loads", lambda text: pytest.fail("parsed"))
    with pytest.raises(UnsafeFile, match="more than 500,000 entries"):
        parse_json("[" + "[]," * 600_000 + "[]]", "f")


def test_length_is_bounded(monkeypatch):
    monkeypatch.setattr(gate, "LONGEST_TEXT", 10)
    with pytest.raises(UnsafeFile, match="11 characters"):
        parse_json('"123456789"', "f")


def test_count_is_bounded_in_configs_that_are_no_text():
    shared = [0] * 1000
    for _ in range(3):
        shared = [shared] * 1000
    with pytest.raises(UnsafeFile, match="entries"):
        check_config(shared, "f")


def test_a_config_that_contains_itself_is_refused():
    config = {}
    config["config"] = config
    with pytest.raises(UnsafeFile, match="levels deep"):
        check_config(config, "f")


def test_keys_are_text():
    with pytest.raises(DamagedFile, match="not text"):
        check_config({("a",): 1}, "f")


# --- code -------------------------------------------------------------------------------------------------------------


def test_code_is_refused_unless_allowed():
    with pytest.raises(
        UnsafeFile, match=r"'lambda_1' holds Python bytecode.*custom_objects=\{'lambda_1': fn\}"
    ):
        allow_code("lambda_1")


def test_the_function_of_a_layer_is_found_by_the_name_of_the_layer():
    assert allow_code("lambda_1", {"lambda_1": abs}) is abs
    with CustomObjectScope({"lambda_1": len}):
        assert allow_code("lambda_1") is len
        assert allow_code("lambda_1", {"lambda_1": abs}) is abs
        with pytest.raises(UnsafeFile):
            allow_code("lambda_2")


@pytest.mark.parametrize("safe_mode", [True, None, 0, "no", [], ""])
def test_anything_but_false_is_safe(safe_mode):
    with passing(safe_mode), pytest.raises(UnsafeFile):
        allow_code("lambda_1")


def test_false_and_trusted_allow_code_and_only_inside():
    with passing(safe_mode=False):
        assert allow_code("lambda_1") is None
        with passing(), pytest.raises(UnsafeFile):  # a file loaded while a trusted one is
            allow_code("lambda_1")
        assert allow_code("lambda_1") is None
    with trusted():
        assert allow_code("lambda_1") is None
    with pytest.raises(UnsafeFile):
        allow_code("lambda_1")


def test_trust_does_not_reach_other_threads():
    met = []

    def neighbour():
        try:
            allow_code("lambda_1")
        except UnsafeFile as error:
            met.append(error)

    with trusted():
        thread = threading.Thread(target=neighbour)
        thread.start()
        thread.join()
    assert len(met) == 1


def test_a_hostile_name_is_escaped_in_the_message():
    with pytest.raises(UnsafeFile) as caught:
        allow_code("\x1b[2J\u202e" + "x" * 1000)
    assert "\x1b" not in str(caught.value) and "\u202e" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_code_carries_its_function_in_this_process_and_never_out_of_it():
    code = Code(("abc", None, None), abs)
    assert code == ("abc", None, None)
    assert code.function is abs
    assert copy.deepcopy({"function": code})["function"].function is abs
    assert json.loads(json.dumps(code)) == ["abc", None, None]
    assert type(pickle.loads(pickle.dumps(code))) is tuple


# --- memory -----------------------------------------------------------------------------------------------------------


def test_weights_cost_nothing_outside_a_load():
    charge("kernel", (1 << 40,), "float32")


def test_weights_are_paid_for_by_the_bytes_of_the_file():
    with passing(allowance=Allowance(1_000_000, "model.h5")):
        charge("kernel", (1000, 250), "float32")
        with pytest.raises(
            UnsafeFile, match=r"model.h5 holds 1,000,000 bytes and the weight 'bomb' of shape"
        ):
            charge("bomb", (1 << 20, 1 << 20), "float32")


def test_many_small_weights_are_counted_together():
    with passing(allowance=Allowance(0, "model.h5")), pytest.raises(UnsafeFile):
        for index in range(100):
            charge(f"kernel_{index}", (1 << 18,), np.float64)


@pytest.mark.parametrize("value", [1, 0.5, True, [], [[1, 2], [3, 4]], [[0.5]]])
def test_arrays_of_numbers_come_through(value):
    assert gate.array_of(value).tolist() == value


@pytest.mark.parametrize(
    "value", [["x" * 100_000] + [""] * 100_000, "x", [None], {}, [[1], 2], [10**40], nested(200)]
)
def test_arrays_of_anything_else_are_refused(value):
    with pytest.raises(DamagedFile, match="array should be of numbers"):
        gate.array_of(value)


# --- words for failures -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [KeyError("layers"), IndexError(), AttributeError("x"), ZeroDivisionError(), SyntaxError("x")]
)
def test_untyped_failures_of_a_broken_config_become_damage(error):
    with pytest.raises(DamagedFile, match=f"model.h5 does not describe .*{type(error).__name__}"):
        with gate.rebuilding("model.h5"):
            raise error


@pytest.mark.parametrize("kind", [ValueError, TypeError, UnsafeFile, MemoryError, UserWarning])
def test_words_of_the_layer_itself_are_kept(kind):
    with pytest.raises(kind, match=r"^units must be positive") as caught, gate.rebuilding("model.h5"):
        raise kind("units must be positive")
    assert "model.h5" in caught.value.__notes__[0]


def test_recursion_is_unsafe():
    def forever():
        forever()

    with pytest.raises(UnsafeFile, match="levels deep"), gate.rebuilding("model.h5"):
        forever()


def test_what_a_stranger_wrote_is_safe_to_print():
    with pytest.raises(ValueError) as caught, gate.rebuilding("model.h5"):
        raise ValueError("no layer is called \x1b[2J" + "x" * 100_000)
    assert "\x1b" not in str(caught.value) and len(str(caught.value)) < 4000


def test_what_a_config_from_elsewhere_says_is_safe_to_print():
    with pytest.raises(ValueError) as caught, gate.counting_calls():
        raise ValueError("no layer is called \x1b[2J")
    assert str(caught.value) == "no layer is called \\x1b[2J"

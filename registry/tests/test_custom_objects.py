"""Custom objects: what a scope adds, restores, and keeps to its thread."""

import threading

import pytest

from lamina_registry import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    objects_named,
    registered_name,
)


def test_a_scope_adds_names_and_takes_them_back():
    with CustomObjectScope({"a": 1}, {"b": 2}) as scope:
        assert isinstance(scope, CustomObjectScope)
        assert get_custom_objects() == {"a": 1, "b": 2}
        with custom_object_scope({"a": 3}):
            assert get_custom_objects() == {"a": 3, "b": 2}
        assert get_custom_objects()["a"] == 1
    assert get_custom_objects() == {}


def test_a_scope_ends_with_an_error_too():
    with pytest.raises(KeyError), CustomObjectScope({"a": 1}):
        raise KeyError
    assert get_custom_objects() == {}


def test_what_is_added_inside_a_scope_ends_with_it():
    with CustomObjectScope():
        get_custom_objects()["a"] = 1
    assert get_custom_objects() == {}


def test_what_is_added_outside_stays():
    get_custom_objects()["a"] = 1
    try:
        with CustomObjectScope({"b": 2}):
            assert get_custom_objects() == {"a": 1, "b": 2}
        assert get_custom_objects() == {"a": 1}
    finally:
        get_custom_objects().clear()


def test_a_scope_belongs_to_its_thread():
    seen = []
    with CustomObjectScope({"a": 1}):
        thread = threading.Thread(target=lambda: seen.append(dict(get_custom_objects())))
        thread.start()
        thread.join()
    assert seen == [{}]


def test_a_scope_can_be_entered_again_and_by_several_threads():
    scope, seen, entered = CustomObjectScope({"a": 1}), [], threading.Barrier(2)

    def enter():
        with scope, scope:
            entered.wait(10)
            seen.append(dict(get_custom_objects()))
        seen.append(dict(get_custom_objects()))

    threads = [threading.Thread(target=enter) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(map(len, seen)) == [0, 0, 1, 1]


def test_custom_objects_are_dicts():
    with pytest.raises(TypeError, match="dict from names to objects"):
        CustomObjectScope(["a"])


def test_what_configs_name_and_no_plugin_offers_is_collected():
    def mine(x):
        return x

    other = type("mine", (), {})
    assert registered_name("losses", mine) == "mine"  # outside, nobody asks
    with objects_named() as outer:
        registered_name("losses", mine)
        with objects_named() as inner:
            registered_name("metrics", other)
        registered_name("metrics", mine)
        with pytest.raises(ValueError, match="are both called 'mine'"):
            registered_name("layers", other)
    assert outer == {"mine": mine} and inner == {"mine": other}

"""Where the settings come from, and which source wins."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lamina.config import homes, settings


@pytest.fixture
def environ(tmp_path):
    return {"KERAS_HOME": str(tmp_path / "keras"), "LAMINA_HOME": str(tmp_path / "lamina")}


def write(environ, home, file, text):
    folder = homes(environ)[["KERAS_HOME", "LAMINA_HOME"].index(home)]
    folder.mkdir(exist_ok=True)
    (folder / file).write_text(text)


def test_without_files_the_defaults_are_keras_own(environ):
    assert settings(environ) == {
        "floatx": "float32",
        "epsilon": 1e-7,
        "image_data_format": "channels_last",
        "backend": "lamina",
    }


def test_keras_json_is_read(environ):
    given = {
        "floatx": "float64",
        "epsilon": 1e-5,
        "image_data_format": "channels_first",
        "backend": "tensorflow",
    }
    write(environ, "KERAS_HOME", "keras.json", json.dumps(given))
    assert settings(environ) == given


def test_our_own_file_wins_over_keras_and_the_environment_over_both(environ):
    write(environ, "KERAS_HOME", "keras.json", '{"floatx": "float16", "epsilon": 0.1, "backend": "theano"}')
    write(environ, "LAMINA_HOME", "lamina.json", '{"floatx": "float64", "epsilon": 0.2}')
    environ |= {"LAMINA_EPSILON": "0.3", "KERAS_BACKEND": "cntk"}
    found = settings(environ)
    assert (found["floatx"], found["epsilon"], found["backend"]) == ("float64", 0.3, "cntk")
    assert settings(environ | {"LAMINA_BACKEND": "lamina"})["backend"] == "lamina"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "left out"),
        ("[1]", "holds no JSON object"),
        ('{"floatx": "float8"}', "'float8' is none of float16, float32, float64"),
        ('{"epsilon": "small"}', "could not convert"),
        ('{"image_data_format": "channel_last"}', "is none of channels_last, channels_first"),
    ],
)
def test_what_cannot_be_understood_is_named_and_left_out(environ, text, told):
    write(environ, "KERAS_HOME", "keras.json", text)
    with pytest.warns(RuntimeWarning, match=told):
        assert settings(environ)["floatx"] == "float32"


def test_unknown_settings_are_nobody_else_s_business(environ):
    write(environ, "KERAS_HOME", "keras.json", '{"theme": "dark"}')
    assert settings(environ)["floatx"] == "float32"


def test_the_home_directory_is_where_keras_looks(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert homes({}) == [tmp_path / ".keras", tmp_path / ".lamina"]


def test_a_user_without_a_home_has_the_root(monkeypatch):
    def nobody():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nobody)
    assert homes({}) == [Path("/.keras"), Path("/.lamina")]
    assert settings({})["floatx"] == "float32"


def test_keras_backend_chooses_the_name_that_is_answered(environ):
    code = "from lamina import backend as K; print(K.backend(), K.floatx())"
    variables = {**os.environ, **environ, "KERAS_BACKEND": "theano", "LAMINA_FLOATX": "float64"}
    found = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == ["theano", "float64"]


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"epsilon": 1%s}' % ("0" * 400), '{"epsilon": NaN}', '{"epsilon": -1}']
)
def test_a_file_that_no_program_wrote_is_told_of(environ, text):
    write(environ, "KERAS_HOME", "keras.json", text)
    with pytest.warns(RuntimeWarning, match=r"keras\.json"):
        assert settings(environ)["epsilon"] == 1e-7

"""Models that tf_keras and Keras 3 wrote are read, and predict what they predicted there.

files.zip holds what `exchange.py write` made in the folders tf_keras and keras, without NAME_weights.h5 and most of the
optimizers; README.md has the versions.
"""

import io
import runpy
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lamina import backend as K
from lamina import layers, models
from lamina.models import load_model
from lamina_registry import UnknownName

HERE = Path(__file__).parent
CASES = runpy.run_path(str(HERE / "cases.py"))
FILES = zipfile.ZipFile(HERE / "files.zip")
MODELS = sorted(name[:-3] for name in FILES.namelist() if name.endswith(".h5") and "optimizer" not in name)
OTHERWISE = "keras/hard_sigmoid"  # Keras 3's is another function


def file(name):
    return io.BytesIO(FILES.read(f"{name}.h5"))


def check(model, name):
    inputs = CASES["drawn"](name.partition("/")[2])
    found = model.predict(inputs if len(inputs) > 1 else inputs[0])
    wanted = np.load(io.BytesIO(FILES.read(f"{name}.npz")))
    found = found if isinstance(found, list) else [found]
    for one, key in zip(found, wanted.files, strict=True):
        assert_allclose(one, wanted[key], rtol=2e-6, atol=2e-6)  # float32, sums of some hundred terms


@pytest.mark.parametrize("name", [name for name in MODELS if name != OTHERWISE])
def test_a_whole_model_predicts_what_it_did_there(name):
    check(load_model(file(name), compile=False), name)


@pytest.mark.parametrize("name", [name for name in MODELS if name != OTHERWISE])
def test_a_model_built_here_takes_its_weights(name):
    build, _ = CASES["CASES"][name.partition("/")[2]]
    model = build(layers, models)
    model.load_weights(file(name))
    check(model, name)


def test_a_function_of_another_meaning_is_asked_for():
    with pytest.raises(
        UnknownName, match=r"'keras>hard_sigmoid'(.|\n)*custom_objects=\{'hard_sigmoid': ...\}"
    ):
        load_model(file(OTHERWISE), compile=False)
    theirs = {"hard_sigmoid": lambda x: K.clip(x / 6 + 0.5, 0.0, 1.0)}
    check(load_model(file(OTHERWISE), theirs, compile=False), OTHERWISE)


@pytest.mark.parametrize("package", ["tf_keras", "keras"])
@pytest.mark.parametrize("name", ["adam", "nadam"])
def test_training_begins_afresh_with_the_settings_there(package, name):
    with pytest.warns(UserWarning, match="freshly initialized optimizer"):
        model = load_model(file(f"{package}/optimizer_{name}"))
    cls, arguments = CASES["OPTIMIZERS"][name]
    assert type(model.optimizer).__name__ == cls and model.loss == "mse"
    config = model.optimizer.get_config()
    if package == "tf_keras":  # Keras 3 has no decay, and its Nadam no schedule
        assert {key: config[key] for key in arguments} == pytest.approx(arguments)
    assert config["lr"] == pytest.approx(0.01)
    x, y = CASES["batches"]()
    model.train_on_batch(x[0], y[0])

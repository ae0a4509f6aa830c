"""Built wheels, installed in a clean environment outside the repository, are all that a user needs."""

import json
import zipfile

SMOKE = """
import numpy as np
import lamina
from lamina.layers import Dense, Dropout
from lamina.models import Sequential, load_model

assert "site-packages" in lamina.__file__, lamina.__file__
model = Sequential([Dense(8, activation="relu", input_shape=(4,)), Dropout(0.1), Dense(1)])
model.compile("adam", "mse", metrics=["mae"])
x = np.random.RandomState(0).rand(64, 4)
history = model.fit(x, x.sum(1), epochs=20, verbose=0).history["loss"]
assert history[-1] < history[0], history
model.save("model.h5")
np.testing.assert_array_equal(load_model("model.h5").predict(x), model.predict(x))
"""

ALONE = """
import lamina, lamina.backend as K, lamina.layers
assert K.eval(K.sum(K.ones((2, 3)))) == 6
assert dir(lamina.layers)
try:
    lamina.layers.Dense
except ValueError as error:
    print(error)
"""


def test_all_wheels_together_train_save_and_load(environment, wheels):
    environment.install(*wheels.values())
    (environment.folder / "smoke.py").write_text(SMOKE)
    environment.run("python", "-W", "error", "smoke.py")
    plugins = json.loads(environment.run("lamina", "plugins", "list", "--json"))
    assert {plugin["package"] for plugin in plugins} == wheels.keys() - {
        "lamina",
        "lamina-core",
        "lamina-registry",
    }
    assert {plugin["status"] for plugin in plugins} == {"ready"}
    environment.run("lamina", "doctor")


def test_the_core_alone_imports_and_says_what_to_install(environment, wheels):
    environment.install(wheels["lamina-core"], wheels["lamina-registry"])
    told = environment.run("python", "-W", "error", "-c", ALONE)
    assert "pip install lamina-basic" in told
    assert json.loads(environment.run("lamina", "plugins", "list", "--json")) == []


def test_a_wheel_holds_its_package_and_nothing_else(wheels):
    for name, path in wheels.items():
        with zipfile.ZipFile(path) as wheel:
            folders = {entry.partition("/")[0] for entry in wheel.namelist()}
        package = {"lamina-core": {"lamina"}, "lamina": set()}.get(name, {name.replace("-", "_")})
        assert {folder for folder in folders if not folder.endswith(".dist-info")} == package

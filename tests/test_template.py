"""`lamina new` from end to end: what it renders is built, installed beside the wheels, passes its own tests, and its
layer is found again in a saved model by a process that was told nothing of it."""

import shutil
import subprocess
import sys

SAVE = """
import numpy as np
from lamina.layers import Input, Snake
from lamina.models import Model

x = Input((3,))
model = Model(x, Snake(frequency_initializer="uniform")(x))
model.save("snake.h5")
np.save("expected.npy", model.predict(np.eye(3)))
"""

LOAD = """
import numpy as np
from lamina.models import load_model

np.testing.assert_array_equal(load_model("snake.h5", compile=False).predict(np.eye(3)), np.load("expected.npy"))
"""


def test_a_new_plugin_works_as_it_is(environment, wheels, build, tmp_path):
    environment.install(*wheels.values(), "pytest")
    environment.run("lamina", "new", "lamina-tidal", "--author", "Ada Example", "--into", tmp_path / "tidal")
    project = tmp_path / "tidal"
    build(project, tmp_path)
    environment.install(*tmp_path.glob("lamina_tidal-*.whl"))

    # Away from the project, so that the installed wheel is what is tested.
    shutil.copytree(project / "tests", tmp_path / "elsewhere")
    told = environment.run(
        "python", "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", tmp_path / "elsewhere"
    )
    assert " passed" in told and "failed" not in told

    for program in (SAVE, LOAD):
        environment.run("python", "-W", "error", "-c", program)
    assert "lamina-tidal" in environment.run("lamina", "plugins", "why", "Snake")

    for check in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *check, "--no-cache", "."], cwd=project, capture_output=True
        )
        assert done.returncode == 0, done.stdout.decode()

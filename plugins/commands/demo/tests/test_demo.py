import subprocess
import sys

import pytest

from lamina.models import load_model
from lamina_demo.demo import main


def test_it_learns_saves_and_loads(tmp_path, capsys):
    assert main(["--epochs", "1", "--save", str(tmp_path / "digits.h5")]) == 0
    printed = capsys.readouterr().out
    assert "Epoch 1/1" in printed and "Total params" in printed
    assert "the predictions are identical" in printed
    assert "read as" in printed and "Try next" in printed
    assert load_model(tmp_path / "digits.h5").output_shape == (None, 10)


@pytest.mark.slow
def test_it_reads_97_of_100_images():
    command = [sys.executable, "-m", "lamina_demo.demo"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    accuracy = float(printed.partition("it reads ")[2].partition("%")[0])
    assert accuracy >= 97

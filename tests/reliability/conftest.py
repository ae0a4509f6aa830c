"""Each file here is a program as well: its tests run it in a process of its own and judge what it counted.

    python tests/reliability/test_saves.py killed save 200 DIRECTORY

prints what a test checks as one line of JSON.  The short runs belong to every test run; those marked slow have the
numbers that are promised.
"""

import json
import os
import subprocess
import sys

import pytest


@pytest.fixture
def measured(request, tmp_path):
    """measured(what, *arguments): what the test's own file counts, run as a program in an empty folder."""

    def run(what, *arguments, **environ):
        program = [sys.executable, str(request.path), what, *map(str, arguments), str(tmp_path)]
        done = subprocess.run(
            program,
            env={**os.environ, "PYTHONHASHSEED": "random", **environ},
            capture_output=True,
            text=True,
            timeout=3600,
        )
        assert done.returncode == 0, f"exit status {done.returncode}\n{done.stderr[-3000:]}"
        return json.loads(done.stdout.splitlines()[-1])

    return run

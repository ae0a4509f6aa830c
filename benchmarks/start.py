"""What `import lamina` costs beside `import numpy`, and how much that grows with the plugins installed.

python benchmarks/start.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time


def seconds(code: str) -> float:
    """Median wall time of a fresh process that runs `code`."""
    times = []
    for _ in range(9):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    empty, numpy = seconds("pass"), seconds("import numpy")
    print(f"python {empty * 1e3:.0f} ms, numpy + {(numpy - empty) * 1e3:.0f} ms")
    for code in (
        "import lamina",
        "from lamina.layers import Dense",
        "from lamina.models import Sequential, load_model",
    ):
        print(f"{code}: numpy + {(seconds('import numpy; ' + code) - numpy) * 1e3:.0f} ms")


if __name__ == "__main__":
    main()

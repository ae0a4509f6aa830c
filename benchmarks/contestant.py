"""One library in one process: builds a workload, then times an epoch whenever it is told to.

    python contestant.py LIBRARY WORKLOAD

LIBRARY: lamina, keras-jax, keras-torch, keras-tensorflow or tf_keras.  Reads lines from standard input: "fit" and
"predict" are answered with the CPU seconds this process spent on a step, "memory" with the most bytes it has held.
"""

from __future__ import annotations

import os
import resource
import sys
import time
import warnings
from types import SimpleNamespace

warnings.filterwarnings("ignore")


def load(library: str) -> SimpleNamespace:
    """The modules of the library a workload uses."""
    if library == "lamina":
        from lamina import layers
        from lamina.models import Model, Sequential
    elif library == "tf_keras":
        from tf_keras import Model, Sequential, layers
    else:
        os.environ["KERAS_BACKEND"] = library.removeprefix("keras-")
        from keras import Model, Sequential, layers
    if library == "keras-torch":
        import torch

        torch.set_num_threads(1)
    return SimpleNamespace(layers=layers, Model=Model, Sequential=Sequential)


def main() -> None:
    answers, sys.stdout = sys.stdout, sys.stderr
    library, workload = sys.argv[1:]
    from workloads import WORKLOADS

    model, x, y, batch = WORKLOADS[workload](load(library))
    steps = len(x) // batch
    jobs = {
        "fit": lambda: model.fit(x, y, batch_size=batch, epochs=1, verbose=0),
        "predict": lambda: model.predict(x, batch_size=batch, verbose=0),
    }
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        if line.strip() == "memory":  # ru_maxrss counts KiB on Linux
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, file=answers, flush=True)
            continue
        job = jobs.get(line.strip())
        if job is None:
            break
        start = time.process_time()
        job()
        print((time.process_time() - start) / steps, file=answers, flush=True)


if __name__ == "__main__":
    main()

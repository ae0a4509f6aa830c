"""Times Lamina against other libraries: same model, same data, `fit` and `predict` as a user calls them.

    python benchmarks/compare.py --peers /path/to/venv/bin/python keras-jax keras-torch [--only tiny mlp] [--rounds 7]

Every library runs in a process of its own on one core (`--core`, with all thread counts at one and OPENBLAS_CORETYPE
and OPENBLAS_L2_SIZE unset); the processes take turns, one epoch each a round, and only one runs at a time.  Printed
are medians of the CPU time of a step and of the ratio to Lamina within a round, which a busy machine disturbs least.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


class Contestant:
    """A library at work in its own process."""

    def __init__(self, library: str, python: str, workload: str, core: int) -> None:
        environment = {
            k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
        }
        environment |= dict.fromkeys(THREADS, "1")
        environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        environment["TF_CPP_MIN_LOG_LEVEL"] = "3"
        environment["LAMINA_KERNELS"] = os.environ.get("LAMINA_KERNELS", "numpy")
        self.library = library
        self.process = subprocess.Popen(
            ["taskset", "-c", str(core), python, str(HERE / "contestant.py"), library, workload],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin, self.process.stdout
        if self.stdout.readline().strip() != "ready":
            raise SystemExit(f"{library} failed to start: run contestant.py {library} {workload} to see why")

    def time(self, job: str) -> float:
        """CPU seconds of one step of `job`."""
        print(job, file=self.stdin, flush=True)
        return float(self.stdout.readline())

    def stop(self) -> None:
        print("quit", file=self.stdin, flush=True)
        self.process.wait(10)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--peers", nargs="+", default=[], help="a Python that has the peers, then their names"
    )
    parser.add_argument("--only", nargs="+", default=["tiny", "mlp"], help="workloads")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--core", type=int, default=0)
    arguments = parser.parse_args()
    python, *libraries = arguments.peers or [sys.executable]
    print(f"{'workload':10s} {'job':8s} {'library':18s} {'us/step':>10s} {'lamina takes':>13s}")
    for workload in arguments.only:
        contestants = [Contestant("lamina", sys.executable, workload, arguments.core)]
        contestants += [Contestant(library, python, workload, arguments.core) for library in libraries]
        for job in ("fit", "predict"):
            rounds = [[c.time(job) for c in contestants] for _ in range(arguments.rounds)]
            for column, contestant in enumerate(contestants):
                step = statistics.median(times[column] for times in rounds)
                ratio = statistics.median(times[0] / times[column] for times in rounds)
                print(
                    f"{workload:10s} {job:8s} {contestant.library:18s} {step * 1e6:10.1f} {ratio:12.2f}x",
                    flush=True,
                )
        for contestant in contestants:
            contestant.stop()


if __name__ == "__main__":
    main()

"""Times Lamina against other libraries: same model, same data, `fit` and `predict` as a user calls them.

    python benchmarks/compare.py --peers keras-jax=/path/to/python tf_keras=/path/to/python [--only tiny] [--rounds 7]

Every library runs in a process of its own on one core (`--core`, with all thread counts at one and OPENBLAS_CORETYPE
and OPENBLAS_L2_SIZE unset); the processes take turns, one epoch each a round, and only one runs at a time.  Printed
are medians of the CPU time of a step and of the ratio to Lamina within a round, which a busy machine disturbs least,
and the most memory that a process has held until the end of that job.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

from workloads import WORKLOADS

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

    def ask(self, question: str) -> float:
        """CPU seconds of one step of "fit" or "predict"; bytes for "memory"."""
        print(question, file=self.stdin, flush=True)
        return float(self.stdout.readline())

    def stop(self) -> None:
        print("quit", file=self.stdin, flush=True)
        self.process.wait(10)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers", nargs="*", default=[], metavar="LIBRARY=PYTHON", help="and where it is")
    parser.add_argument("--only", nargs="+", default=list(WORKLOADS), choices=list(WORKLOADS))
    parser.add_argument("--jobs", nargs="+", default=["fit", "predict"], choices=["fit", "predict"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--core", type=int, default=0)
    arguments = parser.parse_args()
    libraries = [("lamina", sys.executable), *(peer.split("=", 1) for peer in arguments.peers)]
    print("| workload | job | library | ms / step | Lamina takes | peak MB |\n|---|---|---|---|---|---|")
    for workload in arguments.only:
        contestants = [Contestant(library, python, workload, arguments.core) for library, python in libraries]
        for job in arguments.jobs:
            for contestant in contestants:  # compile, plan, warm up
                contestant.ask(job)
            rounds = [[c.ask(job) for c in contestants] for _ in range(arguments.rounds)]
            for column, contestant in enumerate(contestants):
                step = statistics.median(times[column] for times in rounds)
                ratio = statistics.median(times[0] / times[column] for times in rounds)
                print(
                    f"| {workload} | {job} | {contestant.library} | {step * 1e3:.3f} | {ratio:.2f} x"
                    f" | {contestant.ask('memory') / 1e6:.0f} |",
                    flush=True,
                )
        for contestant in contestants:
            contestant.stop()


if __name__ == "__main__":
    main()

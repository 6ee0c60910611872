"""How much faster gradients are on several threads.

    python -m tests.benchmarks.threads [--threads N] [--only NAME ...] [--markdown FILE]

Prints for each problem the time of value and gradient on one thread over that with `parallel=True`,
and how many of its loops are shared. The numbers are medians of interleaved calls.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("NUMBA_NUM_THREADS", str(os.cpu_count()))

import numba

from tests.benchmarks.measuring import difference, medians
from tests.benchmarks.problem import PROBLEMS


def measured(name: str) -> tuple[float, int]:
    """One thread's time over that of all, and the number of loops that they share."""
    import adcompile as ad

    problem = PROBLEMS[name]
    args = problem.arguments()
    one = problem.derivative()
    several = ad.value_and_grad(problem.function, problem.wrt, parallel=True)
    assert difference(problem, several(*args), one(*args)) <= problem.tolerance
    times = medians({"one": lambda: one(*args), "several": lambda: several(*args)})
    shared = several.explain(*args).of("parallel")
    return times["one"] / times["several"], len(shared)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=numba.config.NUMBA_NUM_THREADS)
    parser.add_argument("--only", nargs="*", default=[], help="parts of the names of problems")
    parser.add_argument("--markdown", type=Path, help="write the table here, too")
    chosen = parser.parse_args()
    numba.set_num_threads(chosen.threads)
    head = f"{chosen.threads} threads"
    lines = [f"| problem | {head} | shared loops |", "| --- | --- | --- |"]
    print("\n".join(lines))
    for name, problem in PROBLEMS.items():
        if problem.ours is None and (not chosen.only or any(p in name for p in chosen.only)):
            ratio, loops = measured(name)
            if loops:
                lines.append(f"| {name} | {ratio:.2f} | {loops} |")
                print(lines[-1], flush=True)
    if chosen.markdown:
        chosen.markdown.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    import tests.benchmarks.problems  # noqa: F401  (fills PROBLEMS)

    main()

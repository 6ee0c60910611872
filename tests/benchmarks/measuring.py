"""The measurement of one problem in one process: one core, one thread, medians.

Enters: the name of a problem. Leaves: a dictionary of times in seconds, printed as JSON when run as
a script. The candidates take turns, so that what disturbs the machine disturbs them all.
"""

from __future__ import annotations

import os

for _name in ("OMP", "OPENBLAS", "MKL", "NUMBA", "VECLIB"):  # read when the libraries are loaded
    os.environ.setdefault(f"{_name}_NUM_THREADS", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

import json
import resource
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tests.benchmarks.problem import PROBLEMS, Problem

BUDGET = 1.5  # seconds for each candidate's repeats
ROUNDS = 15  # at most


def medians(candidates: Mapping[str, Callable[[], Any]]) -> dict[str, float]:
    """The median time of each candidate, a few calls each in turn.

    The first call of each turn is not timed: it finds the caches as another candidate left them.
    """
    single = {}
    for name, run in candidates.items():
        run()
        start = time.perf_counter()
        run()
        single[name] = time.perf_counter() - start
    inner = {name: max(1, round(0.002 / t)) for name, t in single.items()}  # calls a sample
    rounds = {
        name: int(min(ROUNDS, max(1, BUDGET / (t * (inner[name] + 1)))))
        for name, t in single.items()
    }
    samples: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(max(rounds.values())):
        for name, run in candidates.items():
            if turn < rounds[name]:
                run()
                start = time.perf_counter()
                for _ in range(inner[name]):
                    run()
                samples[name].append((time.perf_counter() - start) / inner[name])
    return {name: statistics.median(taken) for name, taken in samples.items()}


def parts(result: Any) -> list[np.ndarray]:
    """Value and gradients as vectors, matrices row by row."""
    if isinstance(result, (tuple, list)):
        return [part for r in result for part in parts(r)]
    if hasattr(result, "detach"):
        result = result.detach().numpy()
    if hasattr(result, "toarray"):
        result = result.toarray()
    return [np.asarray(result, dtype=float).ravel()]


def difference(problem: Problem, found: Any, ours: Any) -> float:
    """The largest difference of a part of two results, relative to its largest element."""
    gaps = [0.0]
    for one, other in zip(parts(found), parts(ours), strict=True):
        assert one.shape == other.shape, f"{problem.name}: {one.shape} numbers, ours {other.shape}"
        if one.size:
            gaps.append(float(np.max(np.abs(one - other)) / max(np.max(np.abs(other)), 1e-300)))
    return max(gaps)


def peak() -> float:
    """The largest memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measured(problem: Problem, peers: bool = True) -> dict[str, Any]:
    """All times of one problem; a peer that fails is named with its error."""
    args = problem.arguments()
    before, start = peak(), time.perf_counter()
    derivative = problem.derivative()
    ours = derivative(*args)
    compiling = time.perf_counter() - start
    memory = peak() - before
    primal = problem.primal()
    candidates: dict[str, Callable[[], Any]] = {
        "value": lambda: primal(*args),
        "gradient": lambda: derivative(*args),
    }
    by_hand = problem.by_hand
    if by_hand is not None:
        candidates["by hand"] = lambda: by_hand(*args)
    failures: dict[str, str] = {}
    small: dict[str, Callable[[], Any]] = {}
    small_args = problem.small()
    for name, peer in problem.peers.items() if peers else ():
        slow = name in problem.slow
        try:
            run = peer(*(small_args if slow else args))
            found = run()
        except Exception as error:
            failures[name] = f"{type(error).__name__}: {str(error).splitlines()[:1]}"
            continue
        wanted = derivative(*small_args) if slow else ours
        gap = difference(problem, found, wanted)
        if not gap <= problem.tolerance:
            failures[name] = f"differs by {gap:.1e}"
        (small if slow else candidates)[name] = run
    if by_hand is not None:
        gap = difference(problem, by_hand(*args), ours)
        if not gap <= problem.tolerance:
            failures["by hand"] = f"differs by {gap:.1e}"
    times = medians(candidates)
    ratios = {n: t / times["gradient"] for n, t in times.items() if n not in ("value", "gradient")}
    if small:
        small["gradient"] = lambda: derivative(*small_args)
        slow_times = medians(small)
        ratios.update({n: t / slow_times["gradient"] for n, t in slow_times.items()})
        del ratios["gradient"]
    return {
        "name": problem.name,
        "value": times["value"],
        "gradient": times["gradient"],
        "ratios": ratios,
        "compile": compiling,
        "memory": memory,
        "failures": failures,
    }


def main() -> None:
    """Measure the problem that is named, and print the dictionary."""
    import tests.benchmarks.problems  # noqa: F401  (fills PROBLEMS)

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    warnings.simplefilter("ignore")
    print(json.dumps(measured(PROBLEMS[sys.argv[1]])))


if __name__ == "__main__":
    main()

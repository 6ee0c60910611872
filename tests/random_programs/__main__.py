"""The campaign: many programs, checked in every way, each failure reduced and printed.

    python -m tests.random_programs --count 20000 --seed 0 --jobs 2

Resumable: the programs are those of the seeds from `--seed` on.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

os.environ.setdefault("NUMBA_OPT", "1")  # compiling takes longest; read when Numba is imported

from tests.random_programs.checks import Outcome, check
from tests.random_programs.one import outcome_of
from tests.random_programs.program import draw_program
from tests.random_programs.reduce import reduced, script


def outcomes(seeds: range, jobs: int, compiled: int) -> Iterator[tuple[int, Outcome]]:
    """The outcome of each seed; one in `compiled` is compiled, none if that is 0."""
    items = [(seed, compiled > 0 and seed % compiled == 0) for seed in seeds]
    if jobs == 1:
        yield from map(outcome_of, items)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(outcome_of, items, chunksize=4)


def minimal(seed: int, outcome: Outcome, most: int = 1500) -> str:
    """The smallest program that fails as a seed's did, as a script."""
    compiled = outcome.stage == "compiled"
    again = lambda program: check(program, outcome.needs, compiled).same(outcome)
    found = reduced(draw_program(seed), again, most)
    return script(found, outcome)


def main() -> int:
    """Run the campaign; gives 1 if a program failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument(
        "--compile-every", type=int, default=20, metavar="K",
        help="compile one program in K with Numba; 0 for none",
    )  # fmt: skip
    parser.add_argument("--minimise", type=int, default=10, help="at most so many failures")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    start, kinds, done = time.perf_counter(), Counter[str](), Counter[str]()
    refusals: Counter[str] = Counter()
    failures: dict[str, list[tuple[int, Outcome]]] = defaultdict(list)
    seeds = range(chosen.seed, chosen.seed + chosen.count)
    for seed, outcome in outcomes(seeds, chosen.jobs, chosen.compile_every):
        kinds[outcome.kind] += 1
        done.update(outcome.done)
        if outcome.kind == "refused":
            refusals[outcome.text] += 1
        if outcome.kind in ("failed", "invalid"):
            failures[outcome.text].append((seed, outcome))
            print(f"seed {seed}: {outcome.kind}: {outcome.text}", flush=True)
        if sum(kinds.values()) % 100 == 0:
            print(f"... {dict(kinds)} up to seed {seed}", flush=True)
    print(summary(kinds, done, refusals, time.perf_counter() - start), flush=True)
    for seen in list(failures.values())[: chosen.minimise]:
        seed, outcome = seen[0]
        print(f"\n{len(seen)} programs fail so: seeds {[s for s, _ in seen][:20]}")
        if outcome.kind == "failed":
            print(minimal(seed, outcome), flush=True)
    return 1 if failures else 0


def summary(
    kinds: Counter[str], done: Counter[str], refusals: Counter[str], seconds: float
) -> str:  # fmt: skip
    """What was run, with the part of the total that each check reached."""
    total = sum(kinds.values())
    lines = [
        f"{total} programs in {seconds:.0f} s: {_share(kinds, total)}",
        f"checks made: {_share(done, total)}",
        *(f"  refused {count}: {reason}" for reason, count in refusals.most_common()),
    ]
    return "\n".join(lines)


def _share(counts: Counter[Any], total: int) -> str:
    return ", ".join(f"{name} {n} ({n / max(total, 1):.1%})" for name, n in counts.most_common())


if __name__ == "__main__":
    raise SystemExit(main())

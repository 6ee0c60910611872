"""How the time of a gradient grows with the size of its problem.

    python -m tests.benchmarks.scaling [--chart FILE]

Points of a Gaussian mixture, and steps of a recurrence, over three decades. Prints the time for one
point or step, relative to that of the largest size: 1 everywhere is linear growth.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.measuring import medians
from tests.benchmarks.problem import PROBLEMS
from tests.benchmarks.problems import gmm

SIZES: dict[str, tuple[str, str, tuple[int, ...], Callable[[int], tuple[Any, ...]]]] = {
    "Gaussian mixture": (
        "GMM d10 k25", "points", (100, 316, 1000, 3162, 10_000, 31_623, 100_000),
        lambda n: gmm.arguments(10, 25, n),
    ),
    "recurrence": (
        "recurrence 1e6", "steps", (10_000, 31_623, 100_000, 316_228, 1_000_000, 3_162_278,
                                    10_000_000),
        lambda n: (0.7, n),
    ),
}  # fmt: skip


def growth(name: str) -> tuple[tuple[int, ...], list[float]]:
    """Sizes, and the time of value and gradient at each of them."""
    problem, _, sizes, arguments = SIZES[name]
    derivative = PROBLEMS[problem].derivative()
    times = []
    for size in sizes:
        args = arguments(size)
        times.append(medians({"gradient": lambda args=args: derivative(*args)})["gradient"])
    return sizes, times


def chart(found: dict[str, tuple[tuple[int, ...], list[float]]], path: Path) -> None:
    """Time against size on logarithmic axes, both relative to the smallest; linear is dashed."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4.5))
    for name, (sizes, times) in found.items():
        relative = [n / sizes[0] for n in sizes]
        label = f"{name}, {sizes[0]:,} to {sizes[-1]:,} {SIZES[name][1]}"
        axes.loglog(relative, [t / times[0] for t in times], "o-", label=label)
    axes.loglog([1, 1000], [1, 1000], "k--", linewidth=0.8, label="linear")
    axes.set_xlabel("size over the smallest")
    axes.set_ylabel("time over that of the smallest")
    axes.legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chart", type=Path, help="draw time against size here (SVG, PNG)")
    chosen = parser.parse_args()
    found = {}
    for name in SIZES:
        found[name] = sizes, times = growth(name)
        last = times[-1] / sizes[-1]
        each = [f"{n:,}: {t / n / last:.2f}" for n, t in zip(sizes, times, strict=True)]
        print(f"{name}, time for one of n {SIZES[name][1]}:  " + "  ".join(each))
    if chosen.chart:
        chart(found, chosen.chart)


if __name__ == "__main__":
    main()

"""Our gradients beside the plain C value of the same functions, and beside derivatives in C++.

    python -m tests.benchmarks.plain

Compiles `plain.c` with `cc -O3 -march=native`, checks its values against ours, and prints our time
for value and gradient over the time of the C value. The same quotient is known of other tools on
another machine (GradBench, https://github.com/gradbench/gradbench: derivatives of ADBench by hand
in C++, and by Tapenade): since it leaves the machine out, it stands beside ours.
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.measuring import medians
from tests.benchmarks.problem import PROBLEMS

# of each problem: the function in C, and milliseconds on one machine: of the value in C++, wanted
# for value and gradient, of the gradient by hand in C++, and by Tapenade if there is one
KNOWN: dict[str, tuple[str, tuple[float, float, float, float | None]]] = {
    "GMM d10 k25": ("gmm", (1.10, 2.0, 2.9, 3.7)),
    "GMM d32 k50": ("gmm", (12.5, 20.0, 33.0, 36.0)),
    "GMM d64 k50": ("gmm", (51.0, 85.0, 146.0, 151.0)),
    "LSTM l2 c1024": ("lstm", (1.42, 3.0, 7.5, 5.2)),
    "LSTM l4 c4096": ("lstm", (11.2, 25.0, 104.0, 43.0)),
    "logsumexp arrays": ("logsumexp", (8.3, 3.0, 7.9, None)),
    "least squares loops": ("least_squares", (13.5, 15.0, 28.0, None)),
}


def _sizes(name: str, args: Sequence[Any]) -> tuple[int, ...]:
    """What C has to be told of the arrays."""
    if name == "gmm":
        return len(args[4]), *args[1].shape
    if name == "lstm":
        return len(args[2]) // 2, *args[3].shape
    return (len(args[0]),)


def library() -> ctypes.CDLL:
    """The functions in C; raises CalledProcessError or FileNotFoundError without a compiler."""
    folder = tempfile.mkdtemp()
    made = Path(folder) / "plain.so"
    source = Path(__file__).with_name("plain.c")
    command = ["cc", "-O3", "-march=native", "-shared", "-fPIC", source, "-o", made, "-lm"]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(made))


def in_c(name: str, args: Sequence[Any], plain: ctypes.CDLL) -> Callable[[], float]:
    """The call of a function in C with the arguments of the one in Python."""
    function = plain[name]
    function.restype = ctypes.c_double
    kinds = {float: ctypes.c_double, int: ctypes.c_long}
    given = [
        a.ctypes.data_as(ctypes.c_void_p) if isinstance(a, np.ndarray) else kinds[type(a)](a)
        for a in (*args, *_sizes(name, args))
    ]
    return lambda: float(function(*given))


def main() -> None:
    """Measure and print."""
    plain = library()
    print("| problem | ours | wanted | by hand in C++ | Tapenade |\n|" + " --- |" * 5)
    for problem, (name, (value, *known)) in KNOWN.items():
        args = PROBLEMS[problem].arguments()
        derivative = PROBLEMS[problem].derivative()
        run = in_c(name, args, plain)
        np.testing.assert_allclose(run(), derivative(*args)[0], rtol=1e-10)
        times = medians({"ours": lambda: derivative(*args), "plain": run})
        ours = times["ours"] / times["plain"]
        others = ("" if t is None else f"{t / value:.2f}" for t in known)
        print(f"| {problem} | {ours:.2f} | {' | '.join(others)} |", flush=True)


if __name__ == "__main__":
    import tests.benchmarks.problems  # noqa: F401  (fills PROBLEMS)

    main()

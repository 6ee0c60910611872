"""What is read and not written later is not saved; what is written later is."""

import numpy as np
import pytest

import adcompile as ad
from tests.random_programs.running import loaded

U = np.sin(np.arange(1.0, 13.0)) + 1.5


def prefix(u):
    y = np.zeros(len(u))
    y[0] = u[0]
    for i in range(1, len(u)):
        y[i] = y[i - 1] * np.sin(u[i]) + u[i]
    return np.sum(y * y)


def backwards(u):
    y = u * 1.0
    for i in range(len(u) - 2, -1, -1):
        y[i] = y[i + 1] * y[i]
    return np.sum(y)


def table(u):
    n = len(u)
    cost = np.zeros((n + 1, n + 1))
    for i in range(n):
        for j in range(n):
            least = cost[i, j] * cost[i, j + 1] + np.cos(cost[i + 1, j])
            cost[i + 1, j + 1] = u[i] * u[j] * 0.1 + 0.2 * least
    return cost[n, n]


def table_for_each(u):
    total = 0.0
    for k in range(3):
        y = np.zeros(len(u))
        for i in range(1, len(u)):
            y[i] = np.tanh(y[i - 1] * u[i] + u[k])
        total += y[len(u) - 1] ** 2
    return total


def overwritten(u):
    y = u * 1.0
    for i in range(1, len(u)):
        y[i - 1] = y[i] * y[i - 1]
    return np.sum(y)


def overwritten_later(u):
    y = u * 1.0
    total = 0.0
    for i in range(1, len(u)):
        total += y[i - 1] ** 3
    for i in range(len(u)):
        y[i] = 0.5
    return total + np.sum(y)


def overwritten_in_the_next_round(u):
    y = u * 1.0
    for _ in range(3):
        for i in range(1, len(u)):
            y[i] = np.sin(y[i - 1]) * y[i]
    return np.sum(y)


def wrapped(u):
    y = u * 1.0
    for i in range(len(u)):
        y[i] = y[i - 1] * y[i]
    return np.sum(y)


def by_twos(u):
    y = u * 1.0
    for i in range(2, len(u), 2):
        y[i] = y[i - 1] * y[i - 2]
        y[i - 1] = np.sin(y[i])
    return np.sum(y * u)


def in_a_branch(u):
    y = u * 1.0
    for i in range(1, len(u)):
        if u[i] > 1.5:
            y[i] = y[i - 1] * u[i]
        else:
            y[i - 1] = y[i] * u[i]
    return np.sum(y)


STAY = [prefix, table, table_for_each]
CHANGE = [
    overwritten, overwritten_later, overwritten_in_the_next_round, wrapped, by_twos, in_a_branch,
    backwards,
]  # fmt: skip


def agrees(function, u):
    """Reverse mode against forward mode, which saves nothing."""
    gradient = ad.grad(function, target="python")(u)
    slopes = [ad.jvp(function, (u,), (e,), target="python")[1] for e in np.eye(len(u))]
    np.testing.assert_allclose(gradient, slopes, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("function", STAY + CHANGE)
def test_gradient(function):
    agrees(function, U)


@pytest.mark.parametrize("function", STAY)
def test_nothing_is_read_of_a_tape_that_is_still_there(function):
    saved = ad.grad(function).explain(U).saved
    assert not any("overwritten" in decision.because for decision in saved), saved


@pytest.mark.share(3)
@pytest.mark.parametrize("seed", range(60))
def test_random_offsets(seed):
    rng = np.random.default_rng(seed)
    step = int(rng.choice([1, -1, 2]))
    loop = {1: "range(3, n - 3)", -1: "range(n - 4, 2, -1)", 2: "range(3, n - 3, 2)"}[step]
    lines = ["import numpy as np", "", "def program(u):", "    n = len(u)", "    y = u * 1.0",
             "    m = np.outer(u, u)", f"    for i in {loop}:"]  # fmt: skip
    indent = "        "
    if rng.random() < 0.5:
        lines.append(f"{indent}for j in range(3, n - 3):")
        indent += "    "
    else:
        lines.append(f"{indent}j = i")
    for _ in range(int(rng.integers(1, 4))):
        a, b, c, d, e, f = rng.integers(-2, 3, 6)
        if rng.random() < 0.5:
            lines.append(f"{indent}m[i + {a}, j + {b}] = np.tanh(m[i + {c}, j + {d}] * y[i + {e}])")
        else:
            lines.append(f"{indent}y[j + {a}] = np.sin(y[i + {b}] * y[j + {c}] + m[{f} + 3, i])")
    lines.append("    return np.sum(y) + np.sum(m * m)")
    agrees(loaded("\n".join(lines) + "\n").program, U)

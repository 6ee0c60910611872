"""Rests that a branch takes of what is known before the loop are taken before it.

LLVM takes them for a vector of iterations only if the first one goes into the branch.
"""

import re

import numpy as np

import adcompile as ad


def two_states(x, steps):
    n = len(x)
    s = 0.0
    u = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            u[i, j] = x[i] * 2 + 0.1 * j
    for _ in range(2):
        v = np.zeros((n, n))
        for i in range(n):
            for j in range(n):
                v[i, j] = x[i] * 1 + 0.1 * j
        w = np.zeros((n, n))
        for _ in range(1, steps):
            p = np.empty((n, n))
            for i in range(n):
                for j in range(n):
                    p[i, j] = 0.3 * v[(i + 2) % n, min(j + 1, n - 1)] - 0.2 * w[max(i - 1, 0), j]
                    p[i, j] += w[(i + 1) % n, (j - 1) % n] if v[i, (j - 1) % n] > 0.4 else 0.0
            u, v, w = p, p, u
            s += w[n - 1, 0] * x[n - 1]
    return s


def quotients(x, w, k):
    total = 0.0
    for j in range(len(x)):
        if x[j] > 0.4:
            total += w[(k + 1) % len(w)] * w[k // 3 - j // 3] * x[j]
    return total


X = np.linspace(0.2, 0.9, 40)


def test_no_memory_is_read_that_is_not_there():
    np.testing.assert_allclose(ad.jit(two_states)(X, 3), two_states(X, 3), rtol=1e-12)


def test_they_stand_before_the_loop():
    source = ad.jit(quotients).source(X, X, 5, stage="compiled")
    before, after = source.split("    for j in range", 1)
    code = "\n".join(line for line in after.splitlines() if "#" not in line)
    assert "% " in before and "k // 3" in before
    assert "% " not in code and re.search(r"j // 3", code)
    np.testing.assert_allclose(ad.jit(quotients)(X, X, 5), quotients(X, X, 5), rtol=1e-13)
    assert ad.jit(quotients)(X[:0], X, 5) == 0.0


def of_what_a_loop_found(x, w):
    """The integer is one of several results of a loop inside."""
    total = 0.0
    for i in range(len(x)):
        best, place, second = -1.0, 0, 0
        for j in range(len(x)):
            if x[j] * x[i] > best:
                second = place
                place = j + i
                best = x[j] * x[i]
        if x[i] > 0.2:
            total += w[place % len(w)] * best + w[second % len(w)]
    return total


def test_of_what_a_loop_found():
    x, w = np.sin(np.arange(1.0, 9.0)), np.cos(np.arange(3.0))
    found = ad.value_and_grad(of_what_a_loop_found, (0, 1))(x, w)
    wanted = ad.value_and_grad(of_what_a_loop_found, (0, 1), target="python")(x, w)
    np.testing.assert_allclose(found[0], wanted[0])
    for one, other in zip(found[1], wanted[1], strict=True):
        np.testing.assert_allclose(one, other)

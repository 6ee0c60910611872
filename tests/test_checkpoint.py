"""Loops that the reverse sweep runs again in pieces: results, refusals, memory."""

import subprocess
import sys

import numpy as np
import pytest

import adcompile as ad

X = np.array([0.3, 0.5, 0.9])
TARGETS = pytest.mark.parametrize("target", ["cpu", "python"])


def rebound(x, n):
    s, t = x.copy(), 0.0
    for i in ad.checkpoint(range(n)):
        s = np.sin(s) + 0.1 * x * i
        t += s[0] * 0.01
    return np.sum(s) + t


def written(x, n):
    s = x.copy()
    for i in ad.checkpoint(range(1, 2 * n, 2)):
        for j in range(len(x)):
            s[j] = np.sin(s[j]) + s[j - 1] * x[j] / i
    return np.sum(s * s)


def inside_a_loop(x, n):
    total = 0.0
    for k in range(2):
        s = x * k
        for i in ad.checkpoint(range(n, 0, -1)):
            if s[1] > 1.0:
                s[1] *= 0.5
            s += 0.1 * np.cos(s) * i
        total += np.sum(s * x)
    return total


def nested(x, n):
    s = x.copy()
    for i in ad.checkpoint(range(n)):
        for _ in ad.checkpoint(range(i)):
            s[0] = np.sin(s[1]) + s[2] * x[0]
            s = s[::-1] * 1.1
    return np.sum(s)


def over_rows(x, n):
    m = np.outer(np.arange(1.0, n + 1), x)
    total = 1.0
    for row in ad.checkpoint(m):
        total = np.sin(total * row[0]) + np.sum(row * x)
    return total


def read_before(x, n):
    s, t = x * 0.5, x[0]
    if n > 1:
        t = np.tanh(x[1] * s[n % 3])
    for _ in range(2):
        for i in ad.checkpoint(range(n)):
            if s[0] * i > 5.0:
                t *= 2.0
            else:
                s += 0.1 * np.where(x > 2.0, x, x[0])
            t *= 0.7
    return t + np.sum(s * x)


def called_again(x, n):
    s, t = x * 0.5, x[0]
    if n != 1:
        t = np.tanh(x[1] * s[0])
    for i in ad.checkpoint(range(n)):
        if s[0] * i > 5.0:
            t *= 2.0
        else:
            s += 0.1 * np.where(x > 2.0, x, x[0])
        t *= 0.7
    return t + (called_again(s, n - 1) if n > 0 else np.sum(s * x))


FUNCTIONS = [rebound, written, inside_a_loop, nested, over_rows, read_before, called_again]


def _slope(f, x, v, h=1e-6):
    return (f(x + h * v) - f(x - h * v)) / (2 * h)


@pytest.mark.share(5, of="cpu")
@TARGETS
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_same_as_finite_differences(function, target):
    v = np.array([1.0, -0.5, 2.0])
    for n in (0, 1, 2, 7):
        assert ad.jit(function, target=target)(X, n) == pytest.approx(function(X, n), rel=1e-12)
        wanted = _slope(lambda x: function(x, n), X, v)
        gradient = ad.grad(function, target=target)
        assert gradient(X, n) @ v == pytest.approx(wanted, rel=1e-6, abs=1e-7)
        _, slope = ad.jvp(function, (X, n), (v, None), target=target)
        assert slope == pytest.approx(gradient(X, n) @ v, rel=1e-12)
        wanted = _slope(lambda x: gradient(x, n), X, v)
        found = ad.hvp(function, target=target)(X, n, v)
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_refusals():
    def left(x):
        for i in ad.checkpoint(range(10)):
            x = x * i
            if x > 3:
                break
        return x

    with pytest.raises(ad.UnsupportedSyntax, match="left early"):
        ad.grad(left)(1.0)

    def two_names(x):
        other = x[1:]
        for i in ad.checkpoint(range(3)):
            x[i] += 1.0
            other[i] *= 2.0
        return np.sum(x)

    with pytest.raises(ad.UnsupportedSyntax, match="through two names"):
        ad.grad(two_names)(np.ones(4))


def given_from_outside(x):
    a, q = x.copy(), x + 0.6
    for _ in ad.checkpoint(range(3)):
        a = q
    a *= -0.7
    return np.sum(q)


def given_at_times(x):
    a, q = x.copy(), x + 0.6
    for i in ad.checkpoint(range(3)):
        if i == 1:
            a = q
    q *= -0.7
    return np.sum(a)


def part_given(x):
    a, q = x[1:] * 2.0, x + 0.6
    for _ in range(2):
        for _ in ad.checkpoint(range(3)):
            a = q[1:]
        a[0] *= 3.0
    return np.sum(q * q)


def twins(x):
    a, b = x + 0.6, x * 2.0
    for _ in ad.checkpoint(range(3)):
        b = a * 0.5
        a = b
    a *= -0.7
    return np.sum(b * b)


@pytest.mark.parametrize(
    "function", [given_from_outside, given_at_times, part_given, twins], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("transform", [ad.jit, ad.grad])
def test_arrays_that_the_loop_gives_another_name(transform, function):
    """Segments hand copies on, so that a write under one name would not be seen under another."""
    with pytest.raises(ad.NotDifferentiable, match="two names may share its memory"):
        transform(function, target="python")(X)


_MEMORY = """
import resource
import numpy as np
import adcompile as ad

def simulated(x, n):
    s = x.copy()
    for _ in ad.checkpoint(range(n)):
        for j in range(len(x)):
            s[j] = np.sin(s[j]) + 0.1 * x[j]
    return np.sum(s * s)

gradient = ad.grad(simulated)
x = np.linspace(0, 1, 16)
gradient(x, 10)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
gradient(x, 1_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_of_a_million_steps(tmp_path):
    """Saving 16 floats of 1e6 iterations takes 122 MiB; about 2 sqrt(n) of them 0.25 MiB."""
    pytest.importorskip("resource")
    script = tmp_path / "script.py"
    script.write_text(_MEMORY)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 8 * 1024  # KiB


def test_memory_is_that_of_the_square_root():
    gradient = ad.grad(written)
    small, large = (gradient.explain(np.ones(8), n).tape_bytes for n in (10_000, 1_000_000))
    assert 9 * small < large < 11 * small
    assert large < 8 * 8 * 4 * 1000


def test_a_loop_that_hands_nothing_on():
    def program(x, z):
        for k in range(3):
            for i in ad.checkpoint(range(len(z))):
                _ = z[i] * k
        return x * x

    assert ad.grad(program, target="python")(3.0, X) == 6.0


def test_extents_that_are_found_equal_after_the_loop():
    def program(x, v, m):
        s = x
        for i in ad.checkpoint(range(m.shape[0])):
            m[:, 1:] *= s
            s *= 0.7
        return s * x + np.sum(v * np.zeros(m.shape[0]))

    assert ad.grad(program, target="python")(3.0, X, np.ones((3, 2))) == pytest.approx(6 * 0.7**3)

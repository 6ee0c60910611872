"""Printing and random numbers: order, replay, refusals."""

import subprocess
import sys

import numpy as np
import pytest

import adcompile as ad

X = np.array([1.0, 2.0, 3.0])
TARGETS = pytest.mark.parametrize("target", ["cpu", "python"])


def talking(x, n):
    s = 0.0
    for i in range(n):
        s = s + np.sum(np.sin(x * s)) + 1.0
        print("step", i, f"{s:.3f} {x[0]!s} {{x}} {n:>4d}|")
        if s > 2.0:
            print(x[1:], x[::-1], x.size, end="!\n", sep=", ")
    print()
    return s


@TARGETS
def test_printing(target, capfd):
    talking(X, 2)
    wanted = capfd.readouterr().out
    assert "!" in wanted
    for run in (ad.jit(talking, target=target), ad.grad(talking, prints=True, target=target)):
        run(X, 2)
        sys.stdout.flush()
        assert capfd.readouterr().out == wanted
    ad.grad(talking, target=target)(X, 2)
    sys.stdout.flush()
    assert capfd.readouterr().out == ""
    assert "print('step', i, f'" in ad.grad(talking, prints=True).source("f8[:], i8")


def test_printing_from_the_disk_cache(tmp_path, monkeypatch):
    script = tmp_path / "script.py"
    script.write_text(
        "import numpy as np\nimport adcompile as ad\n"
        "def f(x):\n    print(f'{x:.2f}')\n    return x * x\n"
        "print(ad.grad(f, prints=True)(3.0))\n"
    )
    monkeypatch.setenv("ADCOMPILE_CACHE_DIR", str(tmp_path / "cache"))
    for _ in range(2):
        done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
        assert done.stdout == "3.00\n6.0\n"


def test_what_cannot_be_printed():
    with pytest.raises(ad.TypeMismatch, match="print of dict"):
        ad.jit(lambda x: print({"a": 1}))(1.0)
    with pytest.raises(ad.UnsupportedSyntax, match="format that only the run knows"):
        ad.jit(lambda x: print(f"{x:{x}}"))(1.0)


def drawing(x):
    np.random.seed(3)
    s = 0.0
    for i in range(3):
        a = np.random.random()
        b = np.random.rand()
        s += (b - a) * x[i] ** 2
        s += np.sum(np.random.normal(x[0], x[1], (2,)) * x[2]) * np.random.randint(5)
        if s > 1.0:
            s *= np.random.exponential(x[0])
    noise = np.random.randn(3, 2)
    s += np.sum(np.random.uniform(0.0, x)) + np.sum(noise * noise * np.sum(x**2))
    return s + np.random.lognormal(0.1, x[0]) * np.random.randint(2, 9, 4)[1]


def unused(x):
    np.random.seed(1)
    np.random.random()
    np.random.random(2)
    return x[0] * np.random.random()


@TARGETS
@pytest.mark.parametrize("function", [drawing, unused])
def test_draws_are_replayed(function, target):
    value = ad.jit(function, target=target)
    assert value(X) == pytest.approx(function(X), rel=1e-13)  # both generators are MT19937
    step = 1e-6
    slopes = [(function(X + e) - function(X - e)) / (2 * step) for e in np.eye(3) * step]
    np.testing.assert_allclose(ad.grad(function, target=target)(X), slopes, rtol=1e-6, atol=1e-8)
    _, slope = ad.jvp(function, (X,), (np.ones(3),), target=target)
    assert slope == pytest.approx(sum(slopes), rel=1e-6)
    found = ad.hvp(function, target=target)(X, np.ones(3))
    gradient = ad.grad(function, target=target)
    wanted = (gradient(X + step) - gradient(X - step)) / (2 * step)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)


def test_draws_go_on():
    f = ad.jit(lambda x: x * np.random.random())
    assert len({f(1.0) for _ in range(5)}) == 5


def _segments(x):
    for _ in ad.checkpoint(range(3)):
        x = x * np.random.random()
    return np.sum(x)


@pytest.mark.parametrize(
    "run",
    [
        lambda: ad.jacrev(drawing)(X),
        lambda: ad.jacfwd(drawing)(X),
        lambda: ad.hessian(drawing)(X),
        lambda: ad.vjp(drawing, X)[1](1.0),
        lambda: ad.linearize(drawing, X)[1](X),
        lambda: ad.grad(lambda x: ad.checkpoint(drawing)(x))(X),
        lambda: ad.grad(_segments)(X),
    ],
)
def test_running_again_is_refused(run):
    with pytest.raises(ad.UnsupportedOperation, match="draw the numbers before"):
        run()

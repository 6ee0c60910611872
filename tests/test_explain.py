"""What `explain` says, and that its sizes are those that a run allocates."""

import linecache
import sys

import numpy as np
import pytest

import adcompile as ad
from adcompile.graph.types import Static
from tests.programs.corpus import CORPUS
from tests.programs.gmm import gmm_loops
from tests.test_corpus import copied, float_positions


def measured(gradient, args, monkeypatch):
    """Bytes of the tapes that a run under NumPy allocates: of each line the largest."""
    found = {}
    empty = np.empty

    def counted(*shape, **options):
        made = empty(*shape, **options)
        frame = sys._getframe(1)
        line = frame.f_code.co_filename, frame.f_lineno
        target = linecache.getline(*line).split("=")[0]
        if line[0].startswith("<adcompile") and "_tape" in target:
            found[line] = max(found.get(line, 0), made.nbytes)
        return made

    gradient(*args)
    with monkeypatch.context() as patch:
        patch.setattr(np, "empty", counted)
        gradient(*args)
    return sum(found.values())


def tapes(explanation):
    return [d for d in explanation.saved if d.storage == "array"]


@pytest.mark.share(3)
@pytest.mark.parametrize(("function", "args"), CORPUS, ids=[f.__name__ for f, _ in CORPUS])
def test_tapes_are_as_large_as_said(function, args, monkeypatch):
    gradient = ad.grad(function, tuple(float_positions(args)), target="python")
    said = gradient.explain(*[Static(a) if isinstance(a, str) else a for a in copied(args)])
    sizes = [d.nbytes for d in tapes(said)]
    assert None not in sizes
    assert sum(sizes) == measured(gradient, copied(args), monkeypatch)
    assert said.tape_bytes == sum(d.nbytes for d in said.saved if d.storage != "stack")


def simulated(x, n):
    s = x.copy()
    t = 0.0
    for k in range(n):
        u = np.sin(s)
        s = s + 0.1 * u * x
        t += np.exp(u[0] * x[1]) * t
        for j in range(len(x)):
            s[j] = s[j] * x[j]
    return np.sum(s) + t


def overwritten(x):
    y = np.sin(x)
    z = y * y
    y[1:] = 2.0
    for j in range(len(x) - 1):
        z[j] = z[j + 1] * y[j]
    return np.sum(y * z)


def until(x):
    s = x[0]
    while s > 0.1:
        s = s * np.sin(s)
    return s


def segments(x, n):
    s = x.copy()
    for _ in ad.checkpoint(range(n)):
        for j in range(len(x)):
            s[j] = np.sin(s[j]) + 0.1 * x[j]
    return np.sum(s * s)


def in_turn(x, n):
    total = 0.0
    for k in range(n):
        if k > 2:
            for j in ad.checkpoint(range(k)):
                total = np.sin(total) + x[j]
    return total


def in_a_branch(x, n):
    total = x[0]
    if n > 3:
        for j in ad.checkpoint(range(n)):
            total = np.sin(total) + x[j % 3]
    return total


X = np.linspace(0.2, 0.9, 5)


@pytest.mark.parametrize(
    ("function", "args"),
    [(simulated, (X, 7)), (overwritten, (X,)), (segments, (X, 1000)), (in_a_branch, (X, 50))],
    ids=lambda p: getattr(p, "__name__", ""),
)
def test_sizes_of_arguments(function, args, monkeypatch):
    gradient = ad.grad(function, target="python")
    said = gradient.explain(*args)
    assert sum(d.nbytes for d in tapes(said)) == measured(gradient, args, monkeypatch) > 0
    second = ad.hvp(function, target="python")
    tangent = (*args, X[:1].repeat(len(args[0])))
    said = second.explain(*tangent)
    assert sum(d.nbytes for d in tapes(said)) == measured(second, tangent, monkeypatch)


def test_all_that_is_saved_is_in_memory_at_once():
    """Tapes and copies, as the memory that lives at the end of the forward sweep."""
    gradient = ad.grad(overwritten, target="python")
    x = np.linspace(0.1, 0.7, 10_000)
    gradient(x)
    total = gradient.explain(x).tape_bytes
    assert total == 8 * 10_000 + 8 * 9_999


def test_sizes_that_only_a_run_can_tell():
    said = ad.grad(in_turn).explain(np.ones(50), 40)
    assert None in [d.nbytes for d in tapes(said)]
    assert said.tape_bytes is None


def test_types_give_formulas():
    said = ad.grad(simulated).explain("f8[:], i8")
    assert said.tape_bytes is None
    by_name = {(d.what, d.line - simulated.__code__.co_firstlineno): d for d in said.saved}
    carried = by_name["t", 3]
    assert carried.loops == ((carried.line, "max(n, 0)"),)
    assert (carried.size, carried.dtype, carried.storage) == ("8", "float64", "array")
    assert carried.because == f"it is carried around the loop at line {carried.line}"
    assert by_name["s", 4].size == "x.shape[0] * 8"
    assert by_name["s", 4].because.startswith("it is overwritten")
    element = by_name["s[j]", 8]
    assert element.loops == ((carried.line, "max(n, 0)"), (carried.line + 4, "x.shape[0]"))
    assert {d.what for d in said.of("recomputed")} == {"x[1]", "x[j]"}
    assert [d.what for d in said.of("adjoint")] == ["x", "u"]  # that of s is handed on
    text = str(said)
    assert "8 bytes per iteration of the loop at line" in text
    assert "x[j]\n      indices, and memory that stays as it is, suffice" in text


def test_defaults_count():
    def powers(x, n=4, scale=2.0):
        y = 1.0
        for _ in range(n):
            y = y * x[0] * scale
        return y

    gradient = ad.grad(powers)
    assert gradient.explain(X).tape_bytes == 4 * 8
    assert gradient.explain(X, 9).tape_bytes == 9 * 8


def test_stacks_grow_with_the_iterations():
    said = ad.grad(until).explain(X)
    assert [(d.what, d.storage, d.size) for d in said.saved] == [
        ("np.sin(s)", "stack", "8"), ("s", "stack", "8"),
    ]  # fmt: skip
    assert said.tape_bytes == 0
    assert "in a growing stack" in str(said)


def test_copied_and_written_arguments():
    def scaled(x):
        x *= 2.0
        return np.sum(x * x)

    (copy,) = ad.grad(scaled).explain(X).of("copied")
    assert (copy.what, copy.nbytes) == ("x", X.nbytes)
    given = ad.grad(scaled, inplace=("x",)).explain(X)
    assert not given.of("copied")
    assert [d.what for d in given.of("in place")] == ["x"]


def test_fused_and_temporary():
    def chained(x):
        y = np.tanh(x * 2.0)
        return np.sum(y * np.exp(-x))

    said = ad.jit(chained).explain(X)
    assert not said.of("temporary")
    assert "np.tanh(x * 2.0)" in str(said) or "y" in {d.what for d in said.of("fused")}
    assert not said.saved
    assert "nothing is saved" in str(said)
    assert [d.what for d in ad.grad(chained).explain(X).of("kept")]


def test_a_mixture_needs_its_results_and_one_iteration(monkeypatch):
    """The loop over the points has no tape: what a call allocates does not grow with them."""
    gradient = ad.value_and_grad(gmm_loops, (0, 1, 2, 3))
    d, k = 32, 20

    def allocated(n):
        rng = np.random.default_rng(0)
        shapes = (k, (k, d), (k, d), (k, d * (d - 1) // 2), (n, d))
        args = *(rng.normal(size=s) for s in shapes), 1.0, 0, 0.0
        space, sizes = {}, []
        source = gradient.source(*args, stage="compiled")
        exec(compile(source, "<compiled>", "exec"), space)
        with monkeypatch.context() as patch:
            for name in ("empty", "zeros"):
                make = getattr(np, name)

                def counted(*a, make=make, **o):
                    made = make(*a, **o)
                    sizes.append(made.nbytes)
                    return made

                patch.setattr(np, name, counted)
            results = space[gradient.__name__](*args)[1]
        return sum(sizes), sum(r.nbytes for r in results), gradient.explain(*args).tape_bytes

    (few, results, tape), (many, _, again) = allocated(3), allocated(6)
    assert few == many and tape == again
    scratch = 8 * (2 * (k + 2 * d) + 3 * k * d + 2 * k)  # arrays, their adjoints, their values
    assert few <= 1.2 * (results + scratch)

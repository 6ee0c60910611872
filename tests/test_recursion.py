"""Recursion: its cost, its depth, its caches, and memory that is shared or written on the way.

The programs of `tests/programs/recursion.py` go through `tests/test_corpus.py` with all others.
"""

import math
import re
import subprocess
import sys

import jax
import numpy as np
import pytest

import adcompile as ad
from adcompile.execute.cpu import calls_itself
from adcompile.graph.interpret import interpret
from adcompile.graph.types import type_of
from tests.programs import recursion as programs

V = np.random.default_rng(0).uniform(0.3, 1.7, 6)


def central_difference(function, x, step=1e-6):
    """The gradient of a function of one array, by plain Python and NumPy."""
    result = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        ahead, behind = x.copy(), x.copy()
        ahead[place] += step
        behind[place] -= step
        result[place] = (function(ahead) - function(behind)) / (2 * step)
    return result


def pushes(function, *args):
    """How often the gradient of a function saves a value."""
    count = 0

    class Counting(list):
        def append(self, item):
            nonlocal count
            count += 1
            super().append(item)

    gradient = ad.grad(function, target="python")
    source = gradient.source(*args).replace("= []", "= Counting()")
    space = {"Counting": Counting}
    exec(source, space)
    space[f"grad_{function.__name__}"](*args)
    return count


@pytest.mark.parametrize(
    ("function", "args"),
    [
        (programs.power_by_recursion, lambda n: (1.01, n)),
        (programs.tuple_by_recursion, lambda n: (0.1, 0.1, n)),
        (programs.continued_fraction, lambda n: (np.ones(n + 1), 0)),
        (programs.sum_by_halves, lambda n: (np.ones(n + 1) * 0.5,)),
        (programs.weighted_order_statistics, None),
    ],
)
def test_what_is_saved_grows_linearly_with_the_depth(function, args):
    if args is None:  # quicksort of a sorted array: every comparison is saved
        sorted_costs = [pushes(_sorted, np.arange(1.0, n + 1)) for n in (8, 16)]
        assert sorted_costs[1] <= 4.5 * sorted_costs[0]
        return
    once, twice, four = (pushes(function, *args(n)) for n in (8, 16, 32))
    assert four - twice == 2 * (twice - once) > 0


def _sorted(x):
    a = x * 1.0
    programs._sort(a, 0, len(a) - 1)
    return np.sum(a * a)


def test_what_can_be_had_again_is_not_saved():
    def tail(x, n):
        return x * x if n == 0 else tail(x + 1.0, n - 1)

    assert pushes(tail, 1.0, 20) == 0


def test_deep_recursion():
    gradient = ad.grad(programs.power_by_recursion)
    expected = 10_000 * 1.0001**9_999
    assert gradient(1.0001, 10_000) == pytest.approx(expected)
    with pytest.raises(RecursionError, match="calls itself too deeply"):
        gradient(1.0001, 10_000_000)
    assert gradient(1.0001, 10) == pytest.approx(10 * 1.0001**9)
    with pytest.raises(RecursionError):
        ad.grad(programs.power_by_recursion, target="python")(1.0001, 10_000)


def test_deep_recursion_with_large_frames():
    """In a process of its own: compiled code that goes too deep takes the process with it."""
    script = "from tests.test_recursion import deep; deep()"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")


def deep():
    """Functions with small and large frames, called ever more deeply."""

    def plain(x, k):
        return x[0] if k <= 0 else plain(x * 0.99, k - 1)

    def called(x, k):
        return x[0] if k <= 0 else np.tanh(called(x, k - 1) * x[1]) + 0.1

    def arrays(x, k):
        pair, other = np.zeros(2), np.empty(3)
        for i in range(2):
            pair[i] = np.tanh(x[i]) * np.exp(-x[i] * x[i])
            other[i] = np.sin(pair[i])
        other[2] = pair[0]
        return np.sum(pair) if k <= 0 else arrays(x * 0.5 + pair, k - 1) + other[1] * other[2]

    for function in (plain, called, arrays):
        for derived in (ad.jit(function), ad.value_and_grad(function)):
            for depth in (1_000, 5_000, 10_000, 20_000, 30_000, 100_000, 1_000_000):
                try:
                    derived(np.ones(2), depth)
                except RecursionError:
                    break
            else:
                raise AssertionError(f"{function.__name__} never was too deep")
            derived(np.ones(2), 10)


def by_kind(tree, x):
    if isinstance(tree, list):
        return by_kind(tree[0], x) + 10.0 * by_kind(tree[1], x)
    return x if tree == "a" else 7.0 * x


def powers(n, x, factor):
    return x if n <= 0 else factor * powers(n - 1, x, factor)


def applied(n, x, f):
    return x if n <= 0 else f(applied(n - 1, x, f))


def two_factors(n, x):
    return powers(n, x, 2) + 10.0 * powers(n, x, 3)


def two_functions(n, x):
    return applied(n, x, lambda v: 2.0 * v) + 10.0 * applied(n, x, lambda v: 3.0 * v)


@pytest.mark.parametrize("target", ["cpu", "python"])
@pytest.mark.parametrize("function", [two_factors, two_functions])
def test_procedures_of_one_name_are_told_apart(function, target):
    assert function(2, 1.5) == 141.0
    assert ad.jit(function, target=target)(2, 1.5) == 141.0
    assert ad.value_and_grad(function, argnums=1, target=target)(2, 1.5) == (141.0, 94.0)


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_constants_of_what_has_nothing_to_save(target):
    for tree, slope in ((["a", "b"], 71.0), (["b", "a"], 17.0), (["b", ["a", "b"]], 717.0)):
        assert ad.value_and_grad(by_kind, argnums=1, target=target)(tree, 2.0) == (2 * slope, slope)


def repeated(f, x, n):
    return x if n <= 0 else f(repeated(f, x, n - 1))


def test_a_hessian_with_a_function_as_an_argument():
    """What is found out about a copy as loops leaves the graph as it is."""

    def thrice(x):
        return repeated(np.sin, x, 3) + repeated(lambda t: t * t, x, 2)

    found = ad.hessian(thrice)(0.5)
    assert found == pytest.approx(ad.grad(ad.grad(thrice))(0.5), rel=1e-14)
    assert ad.jacobian(thrice)(0.5) == pytest.approx(ad.grad(thrice)(0.5), rel=1e-14)


def test_a_second_process_finds_no_half_code(tmp_path):
    """Machine code of functions that call themselves is not kept; the result is the same."""
    script = tmp_path / "script.py"
    script.write_text(
        "import adcompile as ad\nfrom tests.programs.recursion import horner_by_recursion\n"
        "import numpy as np\nprint(ad.grad(horner_by_recursion)(np.ones(4), 0.5))\n"
    )
    runs = [
        subprocess.run([sys.executable, script], capture_output=True, text=True, check=True,
                       env={"PYTHONPATH": ":".join(sys.path), "ADCOMPILE_CACHE_DIR": str(tmp_path)})
        for _ in range(2)
    ]  # fmt: skip
    assert runs[0].stdout == runs[1].stdout == "[1.    0.5   0.25  0.125]\n"
    assert calls_itself("def f(x):\n    return g(x)\ndef g(x):\n    return f(x)\n")
    assert not calls_itself("def f(x):\n    return g(x)\ndef g(x):\n    return x\n")


def test_graphs_are_interpreted():
    for function, args in [
        (programs.power_by_halves, (1.1, 13)), (programs.fills_a_table, (0.6, 6)),
        (programs.adaptive_simpson, (1.7, 2.0)), (programs.merge_sort, (V, V)),
    ]:  # fmt: skip
        compiled = ad.value_and_grad(function)
        graph = compiled.__adcompile_graph__([type_of(a) for a in args])
        value, gradient = interpret(graph, *args)
        expected = ad.value_and_grad(function, target="python")(*args)
        assert value == pytest.approx(expected[0], rel=1e-14)
        np.testing.assert_allclose(gradient, expected[1], rtol=1e-13)


def test_against_jax():
    def horner(c, x):
        return c[0] if len(c) == 1 else c[0] + x * horner(c[1:], x)

    with jax.enable_x64(True):
        expected = jax.hessian(lambda x: horner(jax.numpy.asarray(V), x))(0.6)
    found = ad.grad(ad.grad(programs.horner_by_recursion, 1), 1)(V, 0.6)
    assert found == pytest.approx(float(expected), rel=1e-12)


def test_closed_forms():
    gradient = ad.grad(programs.power_by_halves)
    assert gradient(1.1, 13) == pytest.approx(13 * 1.1**12)
    assert ad.grad(gradient)(1.1, 13) == pytest.approx(13 * 12 * 1.1**11)
    third = ad.grad(ad.grad(gradient), target="python")
    assert third(1.1, 13) == pytest.approx(13 * 12 * 11 * 1.1**10)
    assert ad.grad(programs.newton_by_recursion)(2.0) == pytest.approx(1.5 * math.sqrt(2.0))


def test_other_transformations():
    f = programs.horner_by_recursion
    hessian = ad.hessian(f, 0)(V, 0.6)
    np.testing.assert_allclose(hessian, np.zeros((6, 6)), atol=1e-14)
    for transform in (ad.jacfwd, ad.jacrev):
        np.testing.assert_allclose(transform(f)(V, 0.6), 0.6 ** np.arange(6), rtol=1e-13)
    batch = np.stack([V, V * 2.0])
    rows = ad.vmap(ad.grad(f, 1), in_axes=(0, None))(batch, 0.6)
    np.testing.assert_allclose(rows, [ad.grad(f, 1)(row, 0.6) for row in batch], rtol=1e-13)
    again = ad.grad(lambda c, x: ad.checkpoint(f)(c, x) ** 2, 1)(V, 0.6)
    assert again == pytest.approx(2 * f(V, 0.6) * ad.grad(f, 1)(V, 0.6))


def test_numbers_that_stay_are_static():
    def along(x, n, axis=0):
        return np.sum(np.sum(x, axis=axis) ** 2) if n == 0 else along(x * x, n - 1, axis)

    def both(x):
        return along(x, 1, 0) + along(x, 2, 1)

    x = V.reshape(2, 3)
    np.testing.assert_allclose(ad.grad(both)(x), central_difference(both, x), rtol=1e-6)


def test_prints_and_draws_happen_once(capsys):
    def noisy(x, n):
        if n == 0:
            return x
        print("at", n)
        return noisy(x, n - 1) * (1.0 + np.random.random())

    np.random.seed(1)
    factors = np.prod([1.0 + np.random.random() for _ in range(3)])
    np.random.seed(1)
    # the draws are multiplied on the way back, so their order does not matter
    assert ad.grad(noisy, prints=True, target="python")(2.0, 3) == pytest.approx(factors)
    assert capsys.readouterr().out == "at 3\nat 2\nat 1\n"
    np.random.seed(1)
    ad.grad(noisy)(2.0, 3)
    assert capsys.readouterr().out == ""


# -- memory ----------------------------------------------------------------------------------------


def _products(x, y):
    total = 0.0
    for i in range(len(y)):
        total += x[0] * y[i] * y[i]
    return total if len(x) < 2 else total * 0.3 + _products(x[1:], y[:-1]) * x[0]


def one_array_twice(x):
    return _products(x, x) * _products(x[1:], x[:-1])


def _written_by_the_caller(w, x, n):
    if n == 0:
        return np.sum(x)
    h = np.tanh(w @ x)
    y = h + x
    s = _written_by_the_caller(w, y, n - 1)
    y[0] = s
    return s + np.sum(y * h)


def saved_then_written(x):
    return _written_by_the_caller(np.reshape(x, (2, 3))[:, :2], x[:2] * 1.0, 3)


def _equal_to_its_argument(x, n):
    v = x + 0.0
    if n == 0:
        return np.sum(v * v)
    w = x.copy()
    w[0] = w[1] * 2.0
    s = _equal_to_its_argument(w, n - 1)
    w[1] = s
    return s * np.sum(v * v * v) + np.sum(w * w)


def neutral_operations_do_not_share_memory(x):
    z = x * 0.4
    s = _equal_to_its_argument(z, 2)
    z[0] = s
    return np.sum(z * z * z) + s


def _halves(x, depth):
    if len(x) < 2 or depth == 0:
        x[0] = math.sin(x[0])
        return
    left, right = x[: len(x) // 2], x[len(x) // 2 :]
    _halves(left, depth - 1)
    right[0] = right[0] * left[0]
    _halves(right, depth - 1)
    left[0] += right[len(right) - 1] * x[0]


def views_written_in_turn(x):
    y = x.copy()
    for k in range(3):
        _halves(y, k)
    return np.sum(y * y * x)


def _stops_early(t, i, limit):
    for j in range(i, len(t)):
        if t[j] > limit:
            t[j] = t[j] * 0.5
            u = _stops_early(t, j, limit * 1.1)
            t[i] += u * 0.1
            return u + t[j]
        t[j] = t[j] * t[j] + 0.2
    return t[i] * limit


def writes_before_an_early_return(x):
    t = x.copy()
    total = 0.0
    for k in range(3):
        total += _stops_early(t, k, 1.3) * t[k]
    return total


def closure_with_a_memo(x):
    memo = np.zeros(len(x))

    def value(k):
        if k < 2:
            return x[k]
        if memo[k] != 0.0:
            return memo[k]
        memo[k] = value(k - 1) * x[k] + math.sin(value(k - 2))
        return memo[k]

    total = value(len(x) - 1)
    memo[2] = memo[3] * total
    return total * memo[4] + memo[2]


def _alternating(a, b, n):
    if n > 0:
        for i in range(1, len(a)):
            a[i] = b[i] * a[i - 1] + b[i - 1]
        _alternating(b, a, n - 1)


def arguments_change_places(x):
    a, b = x.copy(), x * x
    _alternating(a, b, 3)
    return np.sum(a * b)


def _blocks(a, b, c):
    if len(a) == 1:
        c[0, 0] += a[0, 0] * b[0, 0]
        return
    h = len(a) // 2
    for i in range(2):
        for j in range(2):
            for k in range(2):
                _blocks(
                    a[i * h : (i + 1) * h, k * h : (k + 1) * h],
                    b[k * h : (k + 1) * h, j * h : (j + 1) * h],
                    c[i * h : (i + 1) * h, j * h : (j + 1) * h],
                )


def blocks_of_a_matrix(x):
    a = np.reshape(x[:4], (2, 2))
    b = np.reshape(x[2:], (2, 2))
    c = np.zeros((2, 2))
    _blocks(a, b, c)
    return np.sum(c * c)


def _same_twice(x, n):
    if n == 0:
        return x, x, 1.0
    a, b, c = _same_twice(x * 1.1, n - 1)
    return a * b, a * b, c


def one_value_returned_twice(x):
    a, b, c = _same_twice(x[0], 3)
    return a + 3.0 * b + c * x[1]


def _running_products(a, k):
    if k > 0:
        a[k] = a[k - 1] * a[k]
        _running_products(a, k - 1)


def iterations_that_stand_alone(x):
    total = 0.0
    scratch = np.zeros(3)
    for i in range(2, len(x)):
        scratch[0], scratch[1], scratch[2] = x[i], x[i - 1], x[i - 2] * x[i]
        _running_products(scratch, 2)
        total += scratch[2] * scratch[1] + scratch[0]
    for i in range(len(x)):
        total += programs.sum_by_halves(x[i:]) * programs.power_by_halves(x[i], 3)
    return total


def _rows(a, i):
    if i == len(a):
        return 1.0
    row = a[i]
    if row[0] > 1.2:
        row[0] = row[0] * row[1]
        return _rows(a, i + 1) * row[0]
    for j in range(i + 1, len(a)):
        factor = a[j, i] / (row[i] + 2.0)
        a[j] -= factor * row
    return _rows(a, i + 1) + row[0]


def rows_that_change_below(x):
    a = np.reshape(x, (2, 3)) * 1.0
    return _rows(a, 0) * np.sum(a**2)


MEMORY = [
    rows_that_change_below,
    iterations_that_stand_alone,
    one_array_twice, saved_then_written, neutral_operations_do_not_share_memory,
    views_written_in_turn, writes_before_an_early_return, closure_with_a_memo,
    arguments_change_places, blocks_of_a_matrix, one_value_returned_twice,
]  # fmt: skip


@pytest.mark.share(2)
@pytest.mark.parametrize("function", MEMORY)
def test_memory_on_the_way(function):
    expected = central_difference(function, V.copy())
    for target in ("cpu", "python"):
        gradient = ad.grad(function, target=target)
        np.testing.assert_allclose(gradient(V), expected, rtol=1e-6, atol=1e-8)
    direction = np.random.default_rng(1).standard_normal(6)
    _, tangent = ad.jvp(function, (V,), (direction,), target="python")
    assert tangent == pytest.approx(float(expected @ direction), rel=1e-6)
    _, forward = ad.jvp(gradient, (V,), (direction,), target="python")
    step = 1e-5
    second = (gradient(V + step * direction) - gradient(V - step * direction)) / (2 * step)
    np.testing.assert_allclose(forward, second, rtol=1e-5, atol=1e-6)
    reverse = ad.grad(lambda x: np.sum(gradient(x) * direction), target="python")(V)
    np.testing.assert_allclose(reverse, forward, rtol=1e-9, atol=1e-10)


def test_written_arguments_are_left_alone_unless_inplace():
    def doubled(x, n):
        if n < len(x):
            x[n] = x[n] * 2.0
            doubled(x, n + 1)
        return np.sum(x)

    x = V.copy()
    ad.jit(doubled)(x, 0)
    np.testing.assert_array_equal(x, V)
    ad.jit(doubled, inplace=("x",))(x, 0)
    np.testing.assert_array_equal(x, 2 * V)


def test_the_source_is_plain_python():
    source = ad.grad(programs.power_by_recursion).source(1.1, 3)
    assert re.findall(r"^def (\w+)", source, re.MULTILINE) == [
        "power_by_recursion_forward", "power_by_recursion_backward", "grad_power_by_recursion",
    ]  # fmt: skip
    graph = str(ad.grad(programs.power_by_recursion).graph(1.1, 3))
    assert "power_by_recursion_backward(" in graph and "invoke" not in graph


def test_what_is_saved_is_explained():
    report = ad.grad(programs.power_by_recursion).explain(1.5, 4)
    assert [d.storage for d in report.saved] == ["stack"]
    assert "per run of the function, in a growing stack" in str(report)

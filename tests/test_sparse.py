"""Sparse Jacobians and Hessians against dense ones."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp

import adcompile as ad
from tests.random_programs.program import draw_program
from tests.random_programs.running import loaded

TARGETS = pytest.mark.parametrize("target", ["cpu", "python"])
MODES = pytest.mark.parametrize("mode", ["auto", "fwd", "rev"])
RNG = np.random.default_rng(0)
X = RNG.standard_normal(9)


def tridiagonal(x):
    y = np.zeros(len(x))
    for i in range(len(x)):
        y[i] = x[i] ** 3 - 2.0 * x[i]
        if i > 0:
            y[i] += np.sin(x[i - 1])
        if i < len(x) - 1:
            y[i] += np.exp(x[i + 1])
    return y


def banded(x):
    y = 3.0 * x + x**3
    y[1:] -= x[:-1]
    y[2:] += x[:-2] * x[2:]
    return np.concatenate((y, x - 1.0))


def poisson(u):
    """Minus the 5-point Laplacian, and a nonlinear source."""
    full = np.zeros((u.shape[0] + 2, u.shape[1] + 2))
    full[1:-1, 1:-1] = u
    neighbours = full[2:, 1:-1] + full[:-2, 1:-1] + full[1:-1, 2:] + full[1:-1, :-2]
    return 4.0 * u - neighbours + np.exp(u)


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def rosenbrock_loop(x):
    total = 0.0
    for i in range(len(x) - 1):
        total += 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
    return total


def arrow(x):
    return np.sum(x[1:] ** 3 * x[0]) + x[0] ** 4


def springs(x, first, second, length):
    """The energy of a graph of springs between points of the plane, edge by edge."""
    total = 0.0
    for e in range(len(first)):
        dx = x[first[e], 0] - x[second[e], 0]
        dy = x[first[e], 1] - x[second[e], 1]
        total += (np.sqrt(dx * dx + dy * dy) - length) ** 2
    return total


def springs_at_once(x, first, second, length):
    d = x[first] - x[second]
    return np.sum((np.sqrt(np.sum(d * d, axis=1)) - length) ** 2)


def reprojection(parameters, cameras, camera_of, point_of, seen):
    """Residuals of a bundle adjustment: cameras of four numbers, then points of three."""
    count = len(camera_of)
    error = np.zeros(2 * count)
    for k in range(count):
        c = 4 * camera_of[k]
        p = 4 * cameras + 3 * point_of[k]
        angle = parameters[c]
        x = np.cos(angle) * parameters[p] - np.sin(angle) * parameters[p + 1]
        y = np.sin(angle) * parameters[p] + np.cos(angle) * parameters[p + 1]
        z = parameters[p + 2] + 5.0
        error[2 * k] = parameters[c + 3] * (x + parameters[c + 1]) / z - seen[k, 0]
        error[2 * k + 1] = parameters[c + 3] * (y + parameters[c + 2]) / z - seen[k, 1]
    return error


EDGES = np.array([0, 1, 2, 3, 0]), np.array([1, 2, 3, 4, 4])
BUNDLE = 2, np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 2, 0]), RNG.standard_normal((5, 2))

# function, arguments, how many places are other than zero, colours at most
JACOBIANS = {
    "tridiagonal": (tridiagonal, (X,), 25, 3),
    "banded": (banded, (X,), 33, 3),
    "poisson": (poisson, (RNG.standard_normal((4, 5)),), 82, 7),
    "reprojection": (reprojection, (RNG.standard_normal(17), *BUNDLE), 60, 7),
    "diagonal": (lambda x: np.sin(x) * 2.0, (X,), 9, 1),
    "scalar": (lambda x: x**2, (1.5,), 1, 1),
    "row": (lambda x: np.sum(x[2:5] ** 2), (X,), 3, 1),
    "column": (lambda x: X * x, (1.5,), 9, 1),
    "float32": (lambda x: np.sin(x) * x, (X.astype(np.float32),), 9, 1),
    "nothing": (lambda x: np.ones(3) + 0.0 * np.sum(np.floor(x)), (X,), 0, 0),
    "columns_of_one": (lambda x: x * x[:, :1], (RNG.standard_normal((3, 1)),), 3, 1),
}
HESSIANS = {
    "rosenbrock": (rosenbrock, (X,), 25, 3),
    "rosenbrock_loop": (rosenbrock_loop, (X,), 25, 3),
    "arrow": (arrow, (X,), 25, 2),
    "springs": (springs, (RNG.standard_normal((5, 2)), *EDGES, 1.0), 60, 8),
    "springs_at_once": (springs_at_once, (RNG.standard_normal((5, 2)), *EDGES, 1.0), 60, 8),
    "energy": (
        lambda u: np.sum((u[1:] - u[:-1]) ** 4) + np.sum((u[:, 1:] - u[:, :-1]) ** 4),
        (RNG.standard_normal((4, 5)),), 82, 9,
    ),
    "scalar": (lambda x: x**3, (1.5,), 1, 1),
    "linear": (lambda x: np.sum(3.0 * x), (X,), 0, 0),
}  # fmt: skip


def _dense(found, arguments):
    return np.reshape(found, (-1, np.size(arguments[0])))


def _same(found, wanted):
    assert isinstance(found, sp.csr_array)
    assert found.has_canonical_format or found.nnz == 0
    assert found.dtype == wanted.dtype
    rtol = 1e-5 if wanted.dtype == np.float32 else 1e-11
    np.testing.assert_allclose(found.toarray(), wanted, rtol=rtol, atol=rtol)


@pytest.mark.share(5, of="cpu")
@pytest.mark.parametrize(
    ("mode", "target"), [("auto", "cpu"), ("auto", "python"), ("fwd", "python"), ("rev", "python")]
)
@pytest.mark.parametrize("name", JACOBIANS)
def test_detected_jacobians(name, mode, target):
    function, arguments, places, colours = JACOBIANS[name]
    jacobian = ad.jacobian(function, sparsity="detect", mode=mode, check=True, target=target)
    found = jacobian(*arguments)
    _same(found, _dense(ad.jacfwd(function, target="python")(*arguments), arguments))
    assert found.nnz == places == jacobian.pattern(*arguments).nnz
    if mode == "auto":
        assert jacobian.sweeps(*arguments) <= colours


@pytest.mark.share(5, of="cpu")
@TARGETS
@pytest.mark.parametrize("name", HESSIANS)
def test_detected_hessians(name, target):
    function, arguments, places, colours = HESSIANS[name]
    hessian = ad.hessian(function, sparsity="detect", check=True, target=target)
    found = hessian(*arguments)
    _same(found, _dense(ad.hessian(function, target="python")(*arguments), arguments))
    assert found.nnz == places
    assert hessian.sweeps(*arguments) <= colours


def products(x):
    return (x[1:] * x[:-1]).T


def filled(x):
    y = np.zeros((2, x.shape[1], x.shape[0]))
    for i in range(x.shape[0]):
        y[1, :, i] = x[i] ** 2
    return y


@TARGETS
@pytest.mark.parametrize("function", [products, filled])
def test_elements_are_counted_row_by_row(function, target):
    """Whatever the layout of argument and result is in memory."""
    x = RNG.standard_normal((3, 2))
    jacobians = [
        ad.jacobian(function, sparsity="detect", mode=mode, check=True, target=target)
        for mode in ("fwd", "rev")
    ]
    for point in (x, np.asfortranarray(x), x[::-1]):
        wanted = _dense(ad.jacfwd(function, target="python")(point), (x,))
        for jacobian in jacobians:
            _same(jacobian(point), wanted)


@TARGETS
def test_nothing_by_nothing(target):
    for shape in ((0,), (0, 3)):
        found = ad.jacobian(lambda x: x * 2.0, sparsity="detect", target=target)(np.zeros(shape))
        assert found.shape == (0, 0)
        found = ad.hessian(lambda x: np.sum(x * x), sparsity="detect", target=target)
        assert found(np.zeros(shape)).shape == (0, 0)


def test_scipy_takes_them():
    import scipy.optimize

    start = np.full(50, 0.5)
    jacobian = ad.jacobian(banded, sparsity="detect")
    found = scipy.optimize.least_squares(ad.jit(banded), start, jacobian)
    assert found.success and np.max(np.abs(jacobian(found.x).T @ found.fun)) < 1e-3
    found = scipy.optimize.minimize(
        ad.jit(rosenbrock), start, jac=ad.grad(rosenbrock), method="trust-constr",
        hess=ad.hessian(rosenbrock, sparsity="detect"),
    )  # fmt: skip
    np.testing.assert_allclose(found.x, np.ones(50), atol=1e-6)


@TARGETS
def test_patterns_that_are_given(target):
    pattern = np.abs(np.subtract.outer(range(9), range(9))) <= 1
    wanted = ad.jacfwd(tridiagonal, target="python")(X)
    pairs = sp.coo_array((np.zeros(25), np.nonzero(pattern)))  # places that are stored, also zeros
    for given_pattern in (pattern, pairs, sp.csc_matrix(pattern), sp.diags_array(
        [np.ones(8), np.ones(9), np.ones(8)], offsets=[-1, 0, 1]
    )):  # fmt: skip
        found = ad.jacobian(tridiagonal, sparsity=given_pattern, target=target)(X)
        _same(found, wanted)
        assert found.nnz == 25
    wide = ad.jacobian(tridiagonal, sparsity=np.ones((9, 9)), target=target)(X)
    _same(wide, wanted)
    assert wide.nnz == 81  # zeros are stored where the pattern has a place
    empty = ad.jacobian(tridiagonal, sparsity=np.zeros((9, 9)), target=target)(X)
    assert empty.nnz == 0 and empty.shape == (9, 9)


@TARGETS
def test_patterns_that_do_not_fit(target):
    square = np.eye(9, dtype=bool)
    with pytest.raises(ad.ShapeError, match="has 8 columns, but the argument has 9 elements"):
        ad.jacobian(tridiagonal, sparsity=square[:, :8], target=target)(X)
    for mode in ("fwd", "rev"):
        with pytest.raises(ad.ShapeError, match="another number of rows"):
            ad.jacobian(tridiagonal, sparsity=square[:8], mode=mode, target=target)(X)
    with pytest.raises(ad.ShapeError, match="symmetric"):
        ad.hessian(rosenbrock, sparsity=np.triu(np.ones((9, 9))), target=target)
    with pytest.raises(ad.ShapeError, match="1 axes"):
        ad.jacobian(tridiagonal, sparsity=np.ones(9), target=target)
    for wrong in ("dense", [[1, 0], [0, 1]]):
        with pytest.raises(ad.TypeMismatch, match="sparsity="):
            ad.jacobian(tridiagonal, sparsity=wrong, target=target)
    with pytest.raises(ad.TypeMismatch, match="mode="):
        ad.jacobian(tridiagonal, mode="both")


@TARGETS
@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_the_check_finds_missing_entries(mode, target):
    pattern = np.abs(np.subtract.outer(range(9), range(9))) <= 1
    pattern[4, 5] = False
    jacobian = ad.jacobian(tridiagonal, sparsity=pattern, mode=mode, check=True, target=target)
    with pytest.raises(ad.SparsityError, match="misses entries"):
        jacobian(X)
    hessian = ad.hessian(rosenbrock, sparsity=np.eye(9, dtype=bool), check=True, target=target)
    with pytest.raises(ad.SparsityError, match=r"test_sparse\.py"):
        hessian(X)


def test_one_argument_and_one_result():
    with pytest.raises(ad.TypeMismatch, match="by one argument"):
        ad.jacobian(lambda x, y: x * y, (0, 1), sparsity="detect")
    with pytest.raises(ad.NotDifferentiable, match="one array or number"):
        ad.jacobian(lambda p: p[0] * p[1], sparsity="detect")((X, X))
    with pytest.raises(ad.NotDifferentiable, match="one array or number"):
        ad.jacobian(lambda x: (x, x), sparsity="detect")(X)
    with pytest.raises(ad.NotDifferentiable):
        ad.jacobian(lambda n: n * 2.0, sparsity="detect")(3)


def test_the_pattern_follows_what_decides_about_it():
    """Edges and shapes make other patterns, numbers do not."""
    hessian = ad.hessian(springs, sparsity="detect", check=True)
    x = RNG.standard_normal((5, 2))
    dense = ad.hessian(springs)
    for first, second in (EDGES, EDGES[::-1], ((EDGES[0] + 2) % 5, EDGES[1])):
        for length in (1.0, 2.0):
            found = hessian(x, first, second, length)
            _same(found, dense(x, first, second, length).reshape(10, 10))
    assert len(hessian._plans) == 3
    assert hessian(x[:4], np.array([0]), np.array([3]), 1.0).shape == (8, 8)


def test_conditions_on_other_arguments_decide():
    def function(x, p, flag=True):
        if p > 0.0 and flag:
            return x * 2.0
        return x[::-1] * 3.0

    jacobian = ad.jacobian(function, sparsity="detect")
    np.testing.assert_allclose(jacobian(X, 1.0).toarray(), 2.0 * np.eye(9))
    np.testing.assert_allclose(jacobian(X, -1.0).toarray(), 3.0 * np.eye(9)[::-1])
    np.testing.assert_allclose(jacobian(X, 1.0, flag=False).toarray(), 3.0 * np.eye(9)[::-1])
    np.testing.assert_allclose(jacobian(p=1.0, x=X).toarray(), 2.0 * np.eye(9))


def test_names_of_tables_may_be_names_of_parameters():
    jacobian = ad.jacobian(lambda seeds, size: seeds * size, sparsity="detect")
    np.testing.assert_allclose(jacobian(X, size=2.0).toarray(), 2.0 * np.eye(9))


def test_results_are_the_callers_own():
    jacobian = ad.jacobian(tridiagonal, sparsity="detect")
    first = jacobian(X)
    first.indices[:] = 0
    first.indptr[:] = 0
    _same(jacobian(X), ad.jacfwd(tridiagonal)(X))


def through_complex(x):
    z = (x + 1j * np.sin(x)) ** 2
    y = np.zeros(len(x))
    y[1:] = z.real[1:] + z.imag[:-1]
    return y


def test_complex_numbers():
    """Inside of a real function they are like any other; else there is no pattern."""
    for mode in ("fwd", "rev"):
        found = ad.jacobian(through_complex, sparsity="detect", mode=mode, target="python")(X)
        np.testing.assert_allclose(found.toarray(), ad.jacfwd(through_complex)(X), atol=1e-12)
        assert found.nnz == 16
        for function, point in ((lambda z: abs(z) ** 2, X + 1j), (lambda x: x * 1j, X)):
            with pytest.raises(ad.NotDifferentiable, match="complex128"):
                ad.jacobian(function, sparsity="detect", mode=mode, target="python")(point)
    with pytest.raises(ad.TypeMismatch, match="real numbers"):
        ad.jacobian(lambda z: z * z, sparsity="detect", holomorphic=True)
    by_rows = ad.jacobian(lambda z: np.sum(abs(z) ** 2), target="python")(X + 1j)
    np.testing.assert_allclose(by_rows, 2.0 * np.conj(X + 1j))
    by_columns = ad.jacobian(lambda x: x * 1j, target="python")(X)
    np.testing.assert_allclose(by_columns, 1j * np.eye(9))
    found = ad.jacobian(lambda z: z * z, holomorphic=True, target="python")(X + 1j)
    np.testing.assert_allclose(found, 2.0 * np.diag(X + 1j))


@ad.custom_vjp
def cubes(x):
    return x**3


cubes.defvjp(lambda x: (x**3, x), lambda x, g: (3.0 * x * x * g,))


@ad.custom_jvp
def rounded(x):
    return np.floor(x)


rounded.defjvp(lambda primals, tangents: (np.floor(primals[0]), 1.0 * tangents[0]))


def test_rules_of_ones_own():
    """A function with a reverse rule is swept in reverse; a rule decides about the pattern."""
    found = ad.jacobian(lambda x: cubes(x) + x, sparsity="detect", check=True)(X)
    np.testing.assert_allclose(found.toarray(), np.diag(3.0 * X**2 + 1.0))
    found = ad.jacobian(lambda x: rounded(x[1:]) * 2.0, sparsity="detect")(X)
    np.testing.assert_allclose(found.toarray(), 2.0 * np.eye(9)[1:])
    with pytest.raises(ad.NotDifferentiable):
        ad.jacobian(lambda x: cubes(x) + x, sparsity="detect", mode="fwd")(X)


def test_sparse_results_do_not_go_into_compiled_code():
    jacobian = ad.jacobian(tridiagonal, sparsity="detect")
    for function in (
        lambda x: np.sum(jacobian(x)),
        lambda x: np.sum(ad.jacobian(tridiagonal, sparsity="detect")(x)),
        lambda x: np.sum(ad.hessian(rosenbrock, sparsity="detect")(x)),
    ):
        with pytest.raises(ad.UnsupportedOperation, match="SciPy array"):
            ad.jit(function, target="python")(X)


def test_source_shows_the_loop_over_colours():
    source = ad.jacobian(tridiagonal, sparsity="detect", mode="fwd").source(X)
    assert "for colour in range(seed_starts.shape[0] - 1):" in source
    assert "for colour" in ad.hessian(arrow, sparsity="detect").source(X, stage="compiled")
    assert "for colour" not in ad.jacobian(tridiagonal, sparsity="detect").source(X)


def test_scipy_sparse_is_imported_only_when_needed(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\nimport adcompile as ad\nimport numpy as np\n"
        "def f(x):\n    return x * x\n"
        "ad.jacobian(f, target='python')(np.ones(3))\n"
        "assert 'scipy' not in sys.modules\n"
        "ad.jacobian(f, sparsity='detect', target='python')(np.ones(3))\n"
        "assert 'numba' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# -- dense ---------------------------------------------------------------------------------------


def tall(x):
    return np.concatenate((x, x * x, x[1:]))


def wide(x):
    return np.sum(x.reshape(3, -1) ** 2, axis=1)


@TARGETS
@MODES
@pytest.mark.parametrize("function", [tall, wide, tridiagonal, rosenbrock])
def test_dense_jacobians(function, mode, target):
    found = ad.jacobian(function, mode=mode, target=target)(X)
    np.testing.assert_allclose(found, ad.jacfwd(function, target="python")(X), rtol=1e-12)


def test_the_mode_is_chosen_by_shape():
    """By the types where they tell, else by the run."""
    types = "f8[:]"
    assert "jacobian[:, i]" in ad.jacobian(lambda x: np.cumsum(x)).source(types)
    assert "_bar" in ad.jacobian(rosenbrock).source(types)
    assert "_dot" not in ad.jacobian(rosenbrock).source(types)
    assert "_dot" in ad.jacobian(lambda x: x * X).source("f8")
    outer = ad.jacobian(lambda x: np.outer(x, x)).source(types)
    assert "_bar" not in outer
    chosen = ad.jacobian(tall).source(types)
    assert "if x.shape[0] <= " in chosen and "_bar" in chosen


def test_the_dtype_is_that_of_the_result():
    x, w = X.astype(np.float32), RNG.standard_normal((3, 9))
    for mode in ("auto", "fwd"):
        assert ad.jacobian(lambda x: w @ x.astype(np.float64), mode=mode)(x).dtype == np.float64
    for mode in ("auto", "fwd", "rev"):
        made = ad.jacobian(lambda x: w @ x.astype(np.float64), mode=mode, sparsity="detect")
        assert made(x).dtype == np.float64


def test_dense_jacobians_of_several_and_inside():
    by_a, by_b = ad.jacobian(lambda a, b: a * b, (0, 1))(X, 2.0)
    np.testing.assert_allclose(by_a, 2.0 * np.eye(9))
    np.testing.assert_allclose(by_b, X)
    for function in (tall, lambda x: x[1:] * x[:-1]):
        found = ad.grad(lambda x: np.sum(ad.jacobian(function)(x) ** 2))(X)
        wanted = ad.grad(lambda x: np.sum(ad.jacfwd(function)(x) ** 2))(X)
        np.testing.assert_allclose(found, wanted, rtol=1e-12)


# -- what cannot be detected, and what may be anything -------------------------------------------


def _until_small(x):
    while x[0] > 1.0:
        x = x * 0.5
    return x


def _looked_up(x):
    return x[int(x[0])] * x


def _masked(x):
    return np.sum(x[x > 0.0]) * x


def _counted(x):
    y = x.copy()
    for i in range(int(abs(x[0]))):
        y[0] += x[i]
    return y


REFUSED = {
    _until_small: ("how often the loop runs", "while x[0] > 1.0"),
    _looked_up: ("which elements are used", "return x[int(x[0])]"),
    _masked: ("which elements are", "x[x > 0.0]"),
    _counted: ("the number of iterations", "for i in range(int"),
}


@pytest.mark.parametrize("function", REFUSED)
def test_what_is_not_detected(function):
    what, line = REFUSED[function]
    with pytest.raises(ad.SparsityError) as caught:
        ad.jacobian(function, sparsity="detect", target="python")(X)
    text = str(caught.value)
    assert what in text and line in text and "pass sparsity=" in text and "test_sparse.py" in text
    pattern = np.ones((9, 9), bool)
    found = ad.jacobian(function, sparsity=pattern, check=True, target="python")(np.abs(X))
    wanted = ad.jacfwd(function, target="python")(np.abs(X))
    np.testing.assert_allclose(found.toarray(), wanted)


@pytest.mark.share(2)
@pytest.mark.parametrize("seed", range(25))
def test_patterns_of_random_programs(seed):
    """Every entry that is other than zero at some point lies in the pattern."""
    program = draw_program(seed)
    vector = seed % 2 == 1
    text = program.text
    if vector:
        start = text.rindex("    return ")
        end = text[start:].strip().removeprefix("return ")
        text = text[:start] + f"    return np.concatenate((a, b * 2.0 + s, c[:, 0] * ({end})))\n"
    module = loaded(text)
    number = 1 + seed % 3
    options = {"target": "python"}
    if vector:
        dense = ad.jacfwd(module.program, number, **options)
        made = ad.jacobian(module.program, number, sparsity="detect", mode="fwd", **options)
    else:
        dense = ad.hessian(module.program, number, **options)
        made = ad.hessian(module.program, number, sparsity="detect", **options)
    args = program.arguments(module)
    try:
        dense(*args)
        pattern = made.pattern(*args).toarray()
    except ad.AdcompileError:
        return  # a result of another kind, or a pattern that depends on the values
    for other in range(3):
        point = list(args)
        point[number] = program.arguments(module, other)[number]
        wanted = np.reshape(dense(*point), pattern.shape)
        if np.isfinite(wanted).all():
            assert not wanted[~pattern].any(), text
            np.testing.assert_allclose(made(*point).toarray(), wanted, atol=1e-9)


def test_the_hessian_of_a_loop_that_looks_for_the_largest():
    def function(x):
        m = x[0]
        for i in range(1, len(x)):
            if x[i] > m:
                m = x[i]
        return m**3

    found = ad.hessian(function, sparsity="detect", target="python")(np.array([1.0, 3.0, 2.0]))
    np.testing.assert_allclose(found.toarray(), np.diag([0.0, 18.0, 0.0]))


def left_early(x, k):
    if k == 1:
        t = np.sin(x)
    else:
        if k > 5:
            return x[0] * x[1]
        t = x * x
    return np.sum(t * x)


@pytest.mark.parametrize("k", [0, 1, 7])
def test_functions_that_return_early(k):
    dense = ad.hessian(left_early, target="python")(X, k)
    found = ad.hessian(left_early, sparsity="detect", target="python")(X, k)
    np.testing.assert_allclose(found.toarray(), dense, atol=1e-14)

"""Routines that are compiled once: found on disk, and right.

Small matrices: the loops give what the algebra library gives, errors included.
"""

import subprocess
import sys
import tempfile
from itertools import product

import numba
import numpy as np
import pytest
import scipy.linalg

from adcompile.emit import cpu
from adcompile.execute import library, routines


@numba.njit(error_model="numpy")
def inverse(a):
    return library.inv(a)


@numba.njit(error_model="numpy")
def determinant(a):
    return library.det(a)


DTYPES = ["float64", "float32", "complex128"]


def matrix(rng, shape, dtype):
    a = rng.standard_normal(shape)
    return (a + 1j * rng.standard_normal(shape) if dtype == "complex128" else a).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_inverses_and_determinants(dtype, order):
    rng = np.random.default_rng(1)
    tolerance = 2e-2 if dtype == "float32" else 1e-10
    for _ in range(20):
        for n in range(8):
            a = np.asarray(matrix(rng, (n, n), dtype), order=order)
            if n > 1:
                a[0, 0] = 0  # the first pivot is elsewhere
            if n == 1:
                a[0, 0] += 2
            before = a.copy()
            np.testing.assert_allclose(inverse(a) @ a, np.eye(n), tolerance, tolerance)
            assert inverse(a).flags.f_contiguous
            np.testing.assert_allclose(determinant(a), np.linalg.det(a), tolerance, tolerance)
            np.testing.assert_array_equal(a, before)


def test_the_error_is_as_small_as_the_library_s():
    rng = np.random.default_rng(2)
    for n in range(2, 6):
        mine, theirs = [], []
        for _ in range(200):
            a = rng.standard_normal((n, n)) * np.exp(3 * rng.standard_normal((n, 1)))
            size = np.linalg.norm(a) * np.linalg.norm(np.linalg.inv(a)) * 2e-16
            mine.append(np.linalg.norm(inverse(a) @ a - np.eye(n)) / size)
            theirs.append(np.linalg.norm(np.linalg.inv(a) @ a - np.eye(n)) / size)
        assert np.max(mine) < 5 * np.max(theirs)


@pytest.mark.parametrize("n", [1, 2, 5, 7])
def test_singular_matrices(n):
    a = np.ones((n, n)) if n > 1 else np.zeros((1, 1))
    with pytest.raises(np.linalg.LinAlgError):
        inverse(a)
    assert determinant(a) == 0.0


@pytest.mark.parametrize("n", [1, 2, 5, 7])
def test_what_is_not_finite_is_refused_as_by_the_compiler_s_own(n):
    a = np.eye(n)
    a[0, -1] = np.nan
    for function in (inverse, determinant):
        with pytest.raises(np.linalg.LinAlgError):
            function(a)


# -- all routines ----------------------------------------------------------------------------------

ORDER = """
import sys
import numpy as np
import adcompile as ad

def ordered(x):
    return np.sum(np.sort(x) * np.arange(3.0)) + {number}

assert ad.jit(ordered)(np.array([3.0, 1.0, 2.0])) == 8.0 + {number}
(code,) = [m for name, m in sys.modules.items() if name.startswith("adcompile_argsort")]
found, made = code.argsort.stats.cache_hits, code.argsort.stats.cache_misses
print(sum(found.values()), sum(made.values()))
"""


def test_every_routine_has_a_name_for_the_emitter():
    assert cpu._ROUTINES == library.ROUTINES.keys() <= vars(routines).keys()


NUMPYS = {
    "solve": np.linalg.solve, "cholesky": np.linalg.cholesky, "slogdet": np.linalg.slogdet,
    "eigh": np.linalg.eigh, "qr": np.linalg.qr, "pinv": np.linalg.pinv, "inv": np.linalg.inv,
    "det": np.linalg.det, "argsort": np.argsort,
    "svd": lambda a: np.linalg.svd(a, full_matrices=False),
}  # fmt: skip


@pytest.mark.parametrize("name", NUMPYS)
def test_routines_are_numpys(name):
    function = library.ROUTINES[name]
    a = matrix(np.random.default_rng(4), (4, 4), "float64")
    a = a @ a.T + np.eye(4)
    args = {"solve": (a, a[0].copy()), "argsort": (a[0].copy(),)}.get(name, (a,))
    space = {"function": function}
    names = "ab"[: len(args)]
    exec(f"def call({', '.join(names)}): return function({', '.join(names)})", space)
    found = numba.njit(space["call"])(*args)
    wanted = NUMPYS[name](*args)
    for one, other in zip(
        found if isinstance(found, tuple) else [found],
        wanted if isinstance(wanted, tuple) else [wanted],
        strict=True,
    ):
        np.testing.assert_allclose(np.abs(one), np.abs(other), rtol=1e-11, atol=1e-13)


# -- factors -------------------------------------------------------------------------------------


@numba.njit(error_model="numpy")
def of_factors(a, b, c):
    packed, pivots = library.lu(a)
    vectors = library.lu_solve(packed, pivots, b, False), library.lu_solve(packed, pivots, b, True)
    matrices = library.lu_solve(packed, pivots, c, False), library.lu_solve(packed, pivots, c, True)
    return *vectors, *matrices, library.lu_inv(packed, pivots), library.lu_det(packed, pivots)


@numba.njit(error_model="numpy")
def sign_and_logarithm(a):
    packed, pivots = library.lu(a)
    return library.lu_slogdet(packed, pivots)


@numba.njit(error_model="numpy")
def triangular(a, b, lower, transposed, unit):
    return library.trsm(a, b, lower, transposed, unit)


def right_sides(rng, n, dtype):
    return matrix(rng, (n,), dtype), matrix(rng, (n, 3), dtype), matrix(rng, (3, n), dtype).T


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_all_that_is_done_with_factors(dtype, order):
    rng = np.random.default_rng(5)
    tolerance = 1e-3 if dtype in ("float32", "complex64") else 1e-11
    for n in (0, 1, 2, 5, 30):
        a = np.asarray(
            matrix(rng, (n, n), dtype) / (n + 1) + 2 * np.eye(n)[::-1], dtype, order=order
        )
        b, *others = right_sides(rng, n, dtype)
        before = a.copy()
        for c in others:
            wanted = (
                *(np.linalg.solve(x, b) for x in (a, a.T)),
                *(np.linalg.solve(x, c) for x in (a, a.T)),
                np.linalg.inv(a), np.linalg.det(a),
            )  # fmt: skip
            for one, other in zip(of_factors(a, b, c), wanted, strict=True):
                np.testing.assert_allclose(one, other, tolerance, tolerance)
        np.testing.assert_array_equal(a, before)
        if not dtype.startswith("complex"):
            wanted = np.linalg.slogdet(a)
            np.testing.assert_allclose(sign_and_logarithm(a), wanted, tolerance, tolerance)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", [*product((False, True), repeat=3)], ids=str)
def test_triangular_systems_of_matrices(dtype, order, kind):
    rng = np.random.default_rng(6)
    lower, transposed, unit = kind
    for n in (1, 2, 7, 40):
        a = np.asarray(matrix(rng, (n, n), dtype) / n + 2 * np.eye(n), dtype, order=order)
        for b in right_sides(rng, n, dtype)[1:]:
            given = b.copy()
            wanted = scipy.linalg.solve_triangular(
                a, b, trans=int(transposed), lower=lower, unit_diagonal=unit
            )
            tolerance = 1e-4 if dtype == "float32" else 1e-11
            np.testing.assert_allclose(triangular(a, b, *kind), wanted, tolerance, tolerance)
            np.testing.assert_array_equal(b, given)
    assert triangular(np.zeros((0, 0), dtype), np.zeros((0, 3), dtype), *kind).shape == (0, 3)


@pytest.mark.parametrize("n", [1, 3, 8])
def test_factors_of_what_cannot_be_solved(n):
    singular = np.ones((n, n)) if n > 1 else np.zeros((1, 1))
    endless = np.eye(n)
    endless[-1, 0] = np.inf
    for a, text in ((singular, "Singular"), (endless, "infinite")):
        with pytest.raises(np.linalg.LinAlgError, match=text):
            of_factors(a, np.ones(n), np.ones((n, 2)))
    assert sign_and_logarithm(singular) == (0.0, -np.inf)
    with pytest.raises(np.linalg.LinAlgError, match="infinite"):
        sign_and_logarithm(endless)


def test_the_first_call_in_a_process_loads_scipy():
    text = (
        "import sys, numpy as np, adcompile as ad\n"
        "def f(a, b): return np.sum(np.linalg.solve(a, b))\n"
        "g = ad.jit(f)\n"
        "before = 'scipy' in sys.modules\n"
        "print(before, g(2.0 * np.eye(9), np.ones(9)), g(np.eye(9), np.ones(9)))\n"
    )
    with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
        file.write(text)
        file.flush()
        for _ in range(2):  # compiled, from the disk
            run = [sys.executable, file.name]
            found = subprocess.run(run, capture_output=True, text=True, check=True).stdout
            assert found.split() == ["False", "4.5", "9.0"]


def test_the_next_function_finds_the_code(tmp_path, monkeypatch):
    monkeypatch.setenv("ADCOMPILE_CACHE_DIR", str(tmp_path))
    counts = []
    for number in range(2):
        program = tmp_path / f"program_{number}.py"
        program.write_text(ORDER.format(number=number))
        run = [sys.executable, str(program)]
        counts.append(
            subprocess.run(run, capture_output=True, text=True, check=True).stdout.split()
        )
    assert counts == [["0", "1"], ["1", "0"]]  # found on disk, compiled

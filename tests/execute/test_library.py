"""Routines that are compiled once: found on disk, and right.

Small matrices: the loops give what the algebra library gives, errors included.
"""

import subprocess
import sys

import numba
import numpy as np
import pytest

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


@pytest.mark.parametrize("name", sorted(library.ROUTINES))
def test_routines_are_numpys(name):
    function = library.ROUTINES[name]
    a = matrix(np.random.default_rng(4), (4, 4), "float64")
    a = a @ a.T + np.eye(4)
    args = {"solve": (a, a[0].copy()), "argsort": (a[0].copy(),)}.get(name, (a,))
    space = {"function": function}
    names = "ab"[: len(args)]
    exec(f"def call({', '.join(names)}): return function({', '.join(names)})", space)
    found = numba.njit(space["call"])(*args)
    wanted = function(*args)
    for one, other in zip(
        found if isinstance(found, tuple) else [found],
        wanted if isinstance(wanted, tuple) else [wanted],
        strict=True,
    ):
        np.testing.assert_allclose(np.abs(one), np.abs(other), rtol=1e-11, atol=1e-13)


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

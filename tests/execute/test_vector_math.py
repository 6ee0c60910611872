"""Functions of several elements at once: accuracy, special values, and that they are there."""

import math
import re

import numpy as np
import pytest

import adcompile as ad
from adcompile.execute import exact, vector_math
from adcompile.execute.cpu import compile_source

needs_library = pytest.mark.skipif(
    not vector_math.AVAILABLE, reason="needs libmvec of glibc 2.35 or later on x86-64"
)
_PLACES = {  # where the function is defined, if not everywhere; the widest that is not infinite
    "exp": (-80, 80), "expm1": (-30, 80), "log": (1e-6, 1e6), "log1p": (-0.999, 1e6),
    "log2": (1e-6, 1e6), "log10": (1e-6, 1e6), "sinh": (-80, 80), "cosh": (-80, 80),
    "asin": (-1, 1), "acos": (-1, 1), "acosh": (1, 1e6), "atanh": (-0.9999, 0.9999),
    "erf": (-6, 6), "erfc": (-5, 9), "tan": (-1.5, 1.5),
}  # fmt: skip
_NUMPY = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh",
          "acosh": "arccosh", "atanh": "arctanh"}  # fmt: skip
_SPECIAL = [0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, 1e-310, 1e300, -1e300, 1.0, -1.0]


def applied(name, x):
    source = (
        f"import math\nimport numpy as np\n\n\ndef apply(x):\n    y = np.empty_like(x)\n"
        f"    for i in range(len(x)):\n        y[i] = math.{name}(x[i])\n    return y\n"
    )
    fast = compile_source(source, "apply")
    return fast(x), compile_source(source, "apply", fastmath=False)(x), fast


def precise(name, x):
    if name in ("erf", "erfc"):
        return np.array([float(getattr(math, name)(float(v))) for v in x], np.longdouble)
    return getattr(np, _NUMPY.get(name, name))(x.astype(np.longdouble))


@needs_library
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", vector_math._UNARY)
def test_within_four_units_in_the_last_place(name, dtype):
    low, high = _PLACES.get(name, (-30, 30))
    x = np.random.default_rng(0).uniform(low, high, 40_000).astype(dtype)
    found, plain, fast = applied(name, x)
    unit = np.spacing(np.abs(plain))
    assert np.max(np.abs(found - precise(name, x)) / unit) <= 4.0
    assert name in vector_math._OWN or f"v_{name}" in "".join(fast.inspect_asm().values())
    with np.errstate(over="ignore"):
        special = np.array(_SPECIAL).astype(dtype)
    many = np.tile(special, 16)
    found, plain, _ = applied(name, many)
    np.testing.assert_allclose(found, plain, rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(found[many == 0], plain[many == 0])


@needs_library
@pytest.mark.parametrize("name", ["atan2", "hypot", "pow"])
def test_functions_of_two(name):
    source = (
        f"import math\nimport numpy as np\n\n\ndef apply(x, y):\n    z = np.empty_like(x)\n"
        f"    for i in range(len(x)):\n        z[i] = math.{name}(x[i], y[i])\n    return z\n"
    )
    x, y = np.random.default_rng(0).uniform(0.1, 5.0, (2, 10_000))
    fast = compile_source(source, "apply")
    plain = compile_source(source, "apply", fastmath=False)(x, y)
    np.testing.assert_allclose(fast(x, y), plain, rtol=1e-15)
    assert f"vv_{name}" in "".join(fast.inspect_asm().values())


@needs_library
def test_vectors_on_the_stack_lie_in_one_line_of_the_cache():
    """Else a loop may take twice as long, by the place of the stack: another in each process."""
    source = (
        "import math\n\n\ndef apply(x, a, b):\n    s, t, u = 0.0, 0.0, 0.0\n"
        "    for i in range(len(x)):\n        e = math.log(a + b * x[i])\n"
        "        s += e\n        t += e * x[i]\n        u += e * e\n    return s, t, u\n"
    )
    fast = compile_source(source, "apply")
    fast(np.ones(100), 0.5, 0.5)
    code = "".join(fast.inspect_asm().values())
    widest = 64 if "zmm" in code else 32 if "ymm" in code else 16
    assert "alignstack(" in "".join(fast.inspect_llvm().values())
    assert widest == 16 or re.search(rf"andq\s+\$-{widest}, %rsp", code)


@needs_library
def test_a_gradient_is_vectorised():
    def loss(x):
        return np.sum(np.sin(x) * np.exp(-x))

    gradient = ad.grad(loss)
    gradient(np.ones(3))
    kernels = gradient._for_calls.overloads.values()
    assert any("v_sin" in k.library.get_asm_str() for k in kernels)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_exp_at_every_size(dtype):
    low, high = (-745.2, 709.8) if dtype == np.float64 else (-104.0, 88.8)
    tiny = np.geomspace(1e-30, 1, 100_001)
    near = [low, high, 1e30, -1e30, 0.0, -0.0, math.inf, -math.inf]  # the ends of what is finite
    near = [
        *near,
        *np.linspace(low - 1, low + 40, 100_001),
        *np.linspace(high - 1, high + 1, 9_999),
    ]
    x = np.concatenate([np.linspace(low, high, 400_001), tiny, -tiny, near]).astype(dtype)
    found = applied("exp", x)[0]
    assert found.dtype == dtype
    with np.errstate(over="ignore", under="ignore"):
        wanted = np.exp(x.astype(np.longdouble))
        rounded = wanted.astype(dtype)
        unit = np.spacing(rounded)
    np.testing.assert_array_equal(np.isinf(found), np.isinf(rounded))
    finite = np.isfinite(found)
    assert np.max(np.abs(found[finite] - wanted[finite]) / unit[finite]) <= 1.1
    assert np.all(np.isnan(applied("exp", np.full(20, math.nan, dtype))[0]))
    assert np.all(applied("exp", np.zeros(20, dtype))[0] == 1)


def test_exp_is_computed_for_several_elements():
    fast = applied("exp", np.ones(3))[2]
    assert "mulpd" in "".join(fast.inspect_asm().values())


def test_exp_in_a_chain_of_steps_is_that_of_the_library():
    def relaxed(x):
        state, total = 0.5, 0.0
        for i in range(len(x)):
            state = np.exp(-state * x[i])
            total += np.exp(x[i])
        return state + total

    def by_rows(x):
        table = np.zeros((len(x), 3))
        for i in range(1, len(x)):
            table[i, 0] = np.exp(-table[i - 1, 0] * x[i])
        return np.sum(table)

    x = np.linspace(0.1, 1.0, 30)
    for function in (relaxed, by_rows):
        compiled = ad.jit(function)
        text = compiled.source(x, stage="compiled")
        assert set(re.findall(r"exact\.exp\(.", text)) == {"exact.exp(-"}
        assert ("math.exp(" in text) == (function is relaxed)
        np.testing.assert_allclose(compiled(x), function(x), rtol=1e-14)
        assert "exact.exp" not in ad.jit(function, fastmath=False).source(x, stage="compiled")
        wanted = ad.value_and_grad(function, target="python")(x)
        for mine, other in zip(ad.value_and_grad(function)(x), wanted, strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_tanh_at_every_size(dtype):
    smallest, last = (1e-307, 21.0) if dtype == np.float64 else (1e-37, 12.0)
    steps = np.concatenate([np.geomspace(smallest, 1, 200_001), np.linspace(0, last, 400_001)])
    with np.errstate(over="ignore"):
        x = np.concatenate([steps, -steps, _SPECIAL]).astype(dtype)
    found, wanted = applied("tanh", x)[0], np.tanh(x.astype(np.longdouble))
    finite = ~np.isnan(x)
    unit = np.spacing(np.abs(wanted[finite]).astype(dtype))
    assert np.max(np.abs(found[finite] - wanted[finite]) / unit) <= 3.0
    assert np.max(np.abs(found[finite])) == 1.0
    assert np.all(np.isnan(found[~finite]))
    np.testing.assert_array_equal(np.signbit(found[finite]), np.signbit(x[finite]))
    np.testing.assert_array_equal(found[: len(steps)], -found[len(steps) : 2 * len(steps)])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_tanh_is_computed_for_several_elements(dtype):
    fast = applied("tanh", np.ones(3, dtype))[2]
    assert f"divp{'d' if dtype == np.float64 else 's'}" in "".join(fast.inspect_asm().values())


def test_extrema_keep_nan():
    for one, other in [(1.0, 2.0), (2.0, 1.0), (math.nan, 1.0), (1.0, math.nan)]:
        np.testing.assert_equal(exact.maximum(one, other), np.maximum(one, other))
        np.testing.assert_equal(exact.minimum(one, other), np.minimum(one, other))
    for dtype in (np.float64, np.float32):
        x = np.arange(50, dtype=dtype)
        assert ad.jit(lambda v: np.max(v))(x) == 49
        x[17] = np.nan
        assert np.isnan(ad.jit(lambda v: np.max(v))(x))
        assert np.isnan(ad.jit(lambda v: np.min(v))(x))

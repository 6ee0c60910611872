"""Special functions: accuracy against mpmath, domain edges against SciPy, how they are spelled.

The bounds are those of the records' notes. Each function is compiled once over an array.
"""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import scipy.special as sp

import adcompile as ad
from adcompile.graph.ir import RECORDS

mp = pytest.importorskip("mpmath")
mp.mp.dps = 40


def _spread(low, high, count=60):
    return np.geomspace(low, high, count)


_RNG = np.random.default_rng(5)
_LINE = np.concatenate([-_spread(1e-8, 25), _spread(1e-8, 25), np.linspace(-9, 9, 181)])
_POSITIVE = np.concatenate([_spread(1e-150, 1e150, 120), np.linspace(0.02, 30, 150)])
_UNIT = np.concatenate([_spread(1e-300, 0.4), np.linspace(0.01, 0.99, 99), 1 - _spread(1e-15, 0.1)])
_NEGATIVE = -_RNG.uniform(0.01, 60, 120)
_CIRCLE = np.concatenate([_spread(1e-8, 1e4, 80), np.linspace(-60, 60, 241)])


def _log_ndtr(x):
    return mp.log(mp.ncdf(x))


def _ndtri(p):
    return mp.findroot(lambda x: mp.ncdf(x) / p - 1, sp.ndtri(float(p)))


def _spherical(n, x):
    z = abs(x)
    size = mp.sqrt(mp.pi / (2 * z)) * mp.besselj(n + mp.mpf(1) / 2, z) if z else mp.mpf(n == 0)
    return -size if x < 0 and n % 2 else size


# name, function as users write it, mpmath's, arguments, bound of the error relative to
# max(scale, |value|)
_ACCURATE = [
    ("erf", lambda x: sp.erf(x), mp.erf, _LINE, 4e-16, 0),
    ("erfc", lambda x: sp.erfc(x), mp.erfc, _LINE, 1e-15, 0),
    ("erfcx", lambda x: sp.erfcx(x), lambda x: mp.exp(x * x) * mp.erfc(x), _LINE, 1e-15, 0),
    ("erfinv", lambda x: sp.erfinv(x), mp.erfinv, np.r_[_UNIT[:159], -_UNIT[60:159]], 1e-15, 0),
    ("erfcinv", lambda x: sp.erfcinv(x), lambda y: -_ndtri(y / 2) / mp.sqrt(2),
     _spread(1e-300, 0.8), 1e-15, 0),
    ("ndtr", lambda x: sp.ndtr(x), mp.ncdf, _LINE[_LINE > -6], 1e-14, 0),
    ("ndtr-tail", lambda x: sp.ndtr(x), mp.ncdf, np.linspace(-37, -6, 50), 3e-13, 0),
    ("log_ndtr", lambda x: sp.log_ndtr(x), _log_ndtr, np.r_[_LINE[_LINE < 2], -100.0], 2e-15, 0),
    ("log_ndtr-tail", lambda x: sp.log_ndtr(x), _log_ndtr, np.linspace(2, 8, 50), 2e-14, 0),
    ("ndtri", lambda x: sp.ndtri(x), _ndtri, _UNIT[:110], 1e-15, 0),
    ("expit", lambda x: sp.expit(x), lambda x: 1 / (1 + mp.exp(-x)),
     np.r_[_LINE, np.linspace(-700, 700, 99)], 1e-15, 0),
    ("logit", lambda x: sp.logit(x), lambda x: mp.log(x / (1 - x)),
     np.r_[_UNIT, 0.5 + 1e-9], 1e-15, 0),
    ("log_expit", lambda x: sp.log_expit(x), lambda x: -mp.log1p(mp.exp(-x)),
     np.r_[_LINE, -1000.0, -700.0, 30.0], 1e-15, 0),
    ("entr", lambda x: sp.entr(x), lambda x: -x * mp.log(x), _POSITIVE, 1e-15, 0),
    ("gamma", lambda x: sp.gamma(x), mp.gamma, np.r_[_POSITIVE[(_POSITIVE > 1e-100) &
     (_POSITIVE < 170)], _NEGATIVE], 2e-15, 0),
    ("gammaln", lambda x: sp.gammaln(x), lambda x: mp.log(abs(mp.gamma(x))),
     np.r_[_POSITIVE[_POSITIVE < 1e5], _NEGATIVE], 2e-15, 1),
    ("digamma", lambda x: sp.digamma(x), mp.digamma, np.r_[_POSITIVE, _NEGATIVE], 2e-15, 1),
    ("trigamma", lambda x: sp.polygamma(1, x), lambda x: mp.psi(1, x), _POSITIVE, 2e-15, 0),
    ("trigamma-negative", lambda x: sp.polygamma(1, x), lambda x: mp.psi(1, x), _NEGATIVE,
     2e-14, 0),
    ("tetragamma", lambda x: sp.polygamma(2, x), lambda x: mp.psi(2, x),
     _POSITIVE[(_POSITIVE > 1e-50) & (_POSITIVE < 1e50)], 2e-15, 0),
    ("polygamma-5", lambda x: sp.polygamma(5, x), lambda x: mp.psi(5, x),
     _POSITIVE[(_POSITIVE > 1e-30) & (_POSITIVE < 1e30)], 2e-15, 0),
    ("zeta", lambda x: sp.zeta(3.0, x), lambda x: mp.zeta(3, x), np.linspace(0.1, 20, 50), 2e-15,
     0),
    ("exp10", lambda x: sp.exp10(x), lambda x: mp.mpf(10) ** x, _LINE, 1e-15, 0),
    ("j0", lambda x: sp.j0(x), lambda x: mp.besselj(0, x), _CIRCLE, 1e-15, 1),
    ("j1", lambda x: sp.j1(x), lambda x: mp.besselj(1, x), _CIRCLE, 1e-15, 1),
    ("jv-4", lambda x: sp.jv(4, x), lambda x: mp.besselj(4, x), _CIRCLE, 1e-15, 1),
    ("i0", lambda x: sp.i0(x), lambda x: mp.besseli(0, x), np.clip(_CIRCLE, -700, 700), 2e-15, 0),
    ("i1", lambda x: sp.i1(x), lambda x: mp.besseli(1, x), np.clip(_CIRCLE, -700, 700), 2e-15, 0),
    ("i0e", lambda x: sp.i0e(x), lambda x: mp.besseli(0, x) * mp.exp(-abs(x)), _CIRCLE, 2e-15, 0),
    ("ive-3", lambda x: sp.ive(3, x), lambda x: mp.besseli(3, x) * mp.exp(-abs(x)), _CIRCLE,
     2e-15, 0),
    ("spherical_jn-2", lambda x: sp.spherical_jn(2, x), lambda x: _spherical(2, x), _CIRCLE,
     1e-15, 1),
]  # fmt: skip
_NAMES = [case[0] for case in _ACCURATE]


def _exactly(function, points):
    """The exact values, infinite at poles."""
    values = []
    for x in points:
        try:
            values.append(mp.re(function(mp.mpf(float(x)))))
        except (ZeroDivisionError, ValueError):
            values.append(mp.inf)
    return values


def _error(found, wanted, scale):
    return max(
        float(abs(mp.mpf(float(f)) - w) / max(mp.mpf(scale), abs(w)))
        for f, w in zip(found, wanted, strict=True) if w != 0 and abs(w) < 1e308
    )  # fmt: skip


@pytest.mark.share(2)
@pytest.mark.parametrize("case", _ACCURATE, ids=_NAMES)
def test_accuracy(case):
    _, function, exact, points, bound, scale = case
    wanted = _exactly(exact, points)
    compiled = ad.jit(function)
    assert _error(compiled(points), wanted, scale) < bound
    with np.errstate(all="ignore"):
        single = points.astype(np.float32)
    single = single[np.isfinite(single) & (np.abs(single) > 1e-30)]
    wanted = _exactly(exact, single)
    found = compiled(single)
    assert found.dtype == np.float32
    inside = [k for k, w in enumerate(wanted) if 1e-37 < abs(w) < 3e38]
    # functions made of float32 steps lose what the steps lose, kernels only the last rounding
    tail = 1e-4 if case[0].endswith("tail") else 1e-5 if case[0] == "ndtr" else 1e-6
    assert _error(found[inside], [wanted[k] for k in inside], max(scale, 1e-37)) < tail


_PAIRS = {
    "betaln": (lambda a, b: sp.betaln(a, b),
               lambda a, b: mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b), 2e-15),
    "beta": (lambda a, b: sp.beta(a, b), mp.beta, 2e-13),
    "xlogy": (lambda a, b: sp.xlogy(a, b), lambda a, b: a * mp.log(b), 1e-15),
    "xlog1py": (lambda a, b: sp.xlog1py(a, b), lambda a, b: a * mp.log1p(b), 1e-15),
    "rel_entr": (lambda a, b: sp.rel_entr(a, b), lambda a, b: a * mp.log(a / b), 1e-15),
    "kl_div": (lambda a, b: sp.kl_div(a, b), lambda a, b: a * mp.log(a / b) - a + b, 1e-15),
}  # fmt: skip


@pytest.mark.parametrize("name", _PAIRS)
def test_accuracy_of_two_arguments(name):
    function, exact, bound = _PAIRS[name]
    a, b = 10 ** _RNG.uniform(-5, 5, (2, 400))
    if name == "rel_entr":
        b[:100] = a[:100] * (1 + _RNG.uniform(-1e-3, 1e-3, 100))
    wanted = [exact(mp.mpf(float(x)), mp.mpf(float(y))) for x, y in zip(a, b, strict=True)]
    scales = {"betaln": np.ones(400), "kl_div": np.maximum(a, b)}
    scale = scales.get(name, np.full(400, 1e-290))
    found = ad.jit(function)(a, b)
    errors = [
        abs(mp.mpf(float(f)) - w) / max(mp.mpf(float(s)), abs(w))
        for f, w, s in zip(found, wanted, scale, strict=True)
    ]
    assert float(max(errors)) < bound


# -- edges ---------------------------------------------------------------------------------------

_EDGES = np.array([
    0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 1e-300, 30.0, -30.0, 1000.0, -1000.0, np.inf,
    -np.inf, np.nan,
])  # fmt: skip
_UNARY = (
    "erf erfc erfcx erfinv erfcinv ndtr log_ndtr ndtri expit logit log_expit entr gamma digamma "
    "exp10 j0 j1 i0 i1 i0e i1e"
).split()


@pytest.mark.parametrize("target", ["cpu", "python"])
@pytest.mark.parametrize("name", _UNARY)
def test_edges_are_those_of_scipy(name, target):
    function = getattr(sp, name)
    edges = _EDGES[np.isfinite(_EDGES)] if name in ("j0", "j1", "i0", "i1") else _EDGES
    with np.errstate(all="ignore"):
        found = ad.jit(lambda x: function(x), target=target)(edges)
        np.testing.assert_allclose(found, function(edges), rtol=1e-12)


@pytest.mark.parametrize("name", ["xlogy", "xlog1py", "rel_entr", "kl_div"])
def test_edges_of_two_arguments(name):
    grid = np.array([0.0, 1.0, -1.0, 2.0, np.inf, np.nan])
    a, b = (m.ravel() for m in np.meshgrid(grid, grid))
    function = getattr(sp, name)
    with np.errstate(all="ignore"):
        found = ad.jit(lambda a, b: function(a, b))(a, b)
        wanted = function(a, b)
    finite = np.isfinite(a) & np.isfinite(b)
    np.testing.assert_allclose(found[finite], wanted[finite])


def _compiled(function):
    return ad.jit(lambda x: function(x))


def test_limits_of_bessel_functions():
    ends = np.array([np.inf, -np.inf])
    for function, wanted in ((sp.j0, [0, 0]), (sp.j1, [0, 0]), (sp.i0e, [0, 0]),
                             (sp.i0, [np.inf, np.inf]), (sp.i1, [np.inf, -np.inf])):  # fmt: skip
        np.testing.assert_array_equal(_compiled(function)(ends), wanted)


def test_poles():
    poles = np.array([0.0, -1.0, -2.0])
    for order in (1, 2):
        found = ad.jit(lambda x, n=order: sp.polygamma(n, x))(poles)
        np.testing.assert_array_equal(found, sp.polygamma(order, poles))
    np.testing.assert_array_equal(ad.jit(lambda x: sp.gammaln(x))(poles), np.inf)
    assert ad.jit(lambda a, b: sp.beta(a, b))(0.0, 1.0) == np.inf


@pytest.mark.parametrize("items", [
    [[-np.inf, -np.inf], [0.0, 1.0]], [[np.inf, 0.0], [1.0, -np.inf]], [[np.nan, 0.0], [1000.0, 1.0]],
])  # fmt: skip
@pytest.mark.parametrize("name", ["logsumexp", "softmax", "log_softmax"])
def test_infinite_logits_are_those_of_scipy(name, items):
    x = np.array(items)
    function = getattr(sp, name)
    with np.errstate(all="ignore"):
        found = ad.jit(lambda x: function(x, axis=1))(x)
        np.testing.assert_allclose(found, function(x, axis=1), rtol=1e-14)


# -- spellings -----------------------------------------------------------------------------------


def test_functions_of_math():
    def f(x):
        return math.erf(x) + 2.0 * math.erfc(x) + math.gamma(x) - math.lgamma(x)

    for target in ("cpu", "python"):
        value, slope = ad.value_and_grad(f, target=target)(1.7)
        assert value == pytest.approx(f(1.7), rel=1e-14)
        step = 1e-6
        assert slope == pytest.approx((f(1.7 + step) - f(1.7 - step)) / (2 * step), rel=1e-8)


def test_weighted_logsumexp():
    a, b = _RNG.normal(size=(3, 4)), np.abs(_RNG.normal(size=(3, 4)))
    b[0, 0], a[0, 0] = 0.0, 1e6

    def f(a, b):
        return np.sum(sp.logsumexp(a, axis=1, b=b, keepdims=True) ** 2)

    value, (a_bar, b_bar) = ad.value_and_grad(f, (0, 1))(a, b)
    assert value == pytest.approx(f(a, b), rel=1e-13)
    step = 1e-6
    direction = _RNG.normal(size=(3, 4))
    direction[0, 0] = 0.0
    expected = (f(a + step * direction, b) - f(a - step * direction, b)) / (2 * step)
    assert np.sum(a_bar * direction) == pytest.approx(expected, rel=1e-7)
    expected = (f(a, b + step * direction) - f(a, b - step * direction)) / (2 * step)
    assert np.sum(b_bar * direction) == pytest.approx(expected, rel=1e-7)


def test_higher_orders_follow():
    third = ad.grad(ad.grad(ad.grad(lambda x: sp.gammaln(x))))
    assert third(2.5) == pytest.approx(float(sp.polygamma(2, 2.5)), rel=1e-13)
    third = ad.grad(ad.grad(ad.grad(lambda x: sp.j1(x))))
    assert third(0.0) == pytest.approx(-3 / 8, rel=1e-14)


def test_what_has_no_rule_is_refused():
    with pytest.raises(ad.AdcompileError, match=r"order 0\.5"):
        ad.jit(lambda x: sp.jv(0.5, x))(1.0)
    with pytest.raises(ad.AdcompileError, match="exponent"):
        ad.grad(lambda s: sp.zeta(s, 2.0))(3.0)
    with pytest.raises(ad.AdcompileError, match="return_sign"):
        ad.jit(lambda x: sp.logsumexp(x, return_sign=True))(np.ones(2))


def test_names_like_kernels_are_free_for_users():
    def f(_kernel_digamma):
        return sp.digamma(_kernel_digamma) * _kernel_digamma

    assert ad.grad(f)(2.0) == pytest.approx(
        float(sp.digamma(2.0) + 2.0 * sp.polygamma(1, 2.0)), rel=1e-13
    )


def test_the_page_states_the_bounds_of_the_records():
    page = (Path(__file__).resolve().parents[2] / "docs" / "special.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \|[^|]*\| (.*?) ?\|$", page, re.MULTILINE))
    own = {
        name: record.notes
        for name, record in RECORDS.items()
        if getattr(record.evaluate, "__module__", "") == "adcompile.ops.softmax"
        or "scipy.special" in str(record.show if isinstance(record.show, str) else record.scalar)
        or record.scalar in ("math.erf({0})", "math.erfc({0})", "math.gamma({0})", "math.lgamma({0})")
    }  # fmt: skip
    assert rows == own

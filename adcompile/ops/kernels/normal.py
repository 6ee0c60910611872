"""The error functions' relatives: the scaled complement, and the inverses.

Enters: float64 numbers. Leaves: the value; infinite or not a number where SciPy's is.
"""

from __future__ import annotations

import math

# Wichura, The percentage points of the normal distribution (Applied Statistics, 1988): numerators
# and denominators for the middle, for the tails, and for the far tails
_MIDDLE_UP = (
    2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
    13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608,
)  # fmt: skip
_MIDDLE_DOWN = (
    5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
    5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1.0,
)  # fmt: skip
_TAIL_UP = (
    7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177,
    1.27045825245236838258, 3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959,
    1.42343711074968357734,
)  # fmt: skip
_TAIL_DOWN = (
    1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966,
    0.14810397642748007459, 0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187,
    1.0,
)  # fmt: skip
_FAR_UP = (
    2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386,
    0.026532189526576123093, 0.29656057182850489123, 1.7848265399172913358, 5.4637849111641143699,
    6.6579046435011037772,
)  # fmt: skip
_FAR_DOWN = (
    2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5,
    7.868691311456132591e-4, 0.0148753612908506148525, 0.13692988092273580531,
    0.59983220655588793769, 1.0,
)  # fmt: skip


def _kernel_ratio(up: tuple[float, ...], down: tuple[float, ...], x: float) -> float:
    """The quotient of two polynomials, coefficients from the highest power."""
    top, bottom = 0.0, 0.0
    for k in range(len(up)):
        top = top * x + up[k]
        bottom = bottom * x + down[k]
    return top / bottom


def _kernel_quantile(middle: float, tail: float) -> float:
    """The normal quantile of 0.5 + middle, where `tail` is the smaller of it and one minus it."""
    if not 0.0 <= tail <= 0.5:
        return math.nan
    if abs(middle) <= 0.425:
        return middle * _kernel_ratio(_MIDDLE_UP, _MIDDLE_DOWN, 0.180625 - middle * middle)
    if tail == 0.0:
        return math.copysign(math.inf, middle)
    depth = math.sqrt(-math.log(tail))
    if depth <= 5.0:
        value = _kernel_ratio(_TAIL_UP, _TAIL_DOWN, depth - 1.6)
    else:
        value = _kernel_ratio(_FAR_UP, _FAR_DOWN, depth - 5.0)
    return value if middle > 0.0 else -value


def _kernel_ndtri(p: float) -> float:
    """The quantile function of the normal distribution."""
    return _kernel_quantile(p - 0.5, min(p, 1.0 - p))


def _kernel_erfinv(y: float) -> float:
    """The inverse of the error function."""
    if abs(y) < 1e-8:  # where the middle fraction is its value at 0: exact also for the smallest
        return y * (0.5 * math.sqrt(math.pi))
    return _kernel_quantile(0.5 * y, 0.5 * (1.0 - abs(y))) * math.sqrt(0.5)


def _kernel_erfcinv(y: float) -> float:
    """The inverse of the complementary error function."""
    return -_kernel_quantile(0.5 * (y - 1.0), 0.5 * min(y, 2.0 - y)) * math.sqrt(0.5)


def _kernel_erfcx(x: float) -> float:
    """exp(x * x) * erfc(x): DLMF 7.12.1 beyond 12, the product with an exact square before."""
    if x < -27.0:
        return math.inf
    if x < 12.0:
        whole = math.floor(x * 4096.0) / 4096.0  # its square is exact
        rest = (x - whole) * (x + whole)
        value = math.exp(whole * whole) * math.erfc(x)
        return value + value * math.expm1(rest)
    u = 0.5 / (x * x)
    total, term = 1.0, 1.0
    for k in range(12):
        term *= -(2.0 * k + 1.0) * u
        total += term
    return total / (x * math.sqrt(math.pi))

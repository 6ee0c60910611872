"""The gamma family: digamma, polygamma, the Hurwitz zeta function, beta and its logarithm.

Enters: float64 numbers. Leaves: the value; poles as SciPy gives them. Recurrences, reflections and
asymptotic series are those of the Digital Library of Mathematical Functions, chapter 5.
"""

from __future__ import annotations

import math

# Bernoulli numbers B(2k) / 2k, / (2k)! and / (2k (2k - 1)), k = 1, 2, ...
_DIGAMMA = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12, -3617 / 8160)
_ZETA = (
    1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000,
    1 / 74724249600, -3617 / 10670622842880000, 43867 / 5109094217170944000,
)  # fmt: skip
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)


def _kernel_digamma(x: float) -> float:
    """The logarithmic derivative of gamma (DLMF 5.5.2, 5.5.4, 5.11.2)."""
    result = 0.0
    if x <= 0.0:
        if x == 0.0:
            return math.copysign(math.inf, -x)
        if x == math.floor(x):
            return math.nan
        result = -math.pi / math.tan(math.pi * (x - math.floor(x + 0.5)))
        x = 1.0 - x
    while x < 10.0:
        result -= 1.0 / x
        x += 1.0
    u = 1.0 / (x * x)
    series, power = 0.0, u
    for coefficient in _DIGAMMA:
        series += coefficient * power
        power *= u
    return result + (math.log(x) - 0.5 / x - series)


def _kernel_hurwitz(s: float, q: float) -> float:
    """The sum of (q + k) ** -s over k >= 0, for s > 1 and q > 0 (DLMF 25.11.5)."""
    total = 0.0
    while q < 10.0 + s:
        term = q**-s
        total += term
        q += 1.0
        if term < 1e-19 * total:
            return total
    first = q**-s
    factor, u = s * first / q, 1.0 / (q * q)
    tail = q * first / (s - 1.0) + 0.5 * first
    order = s
    for coefficient in _ZETA:
        tail += coefficient * factor
        factor *= (order + 1.0) * (order + 2.0) * u
        order += 2.0
    return total + tail


def _kernel_zeta(s: float, q: float) -> float:
    """The Hurwitz zeta function for s > 1; for negative q and whole s by the sum over all k."""
    if s <= 1.0:
        return math.inf if s == 1.0 else math.nan
    if q > 0.0:
        return _kernel_hurwitz(s, q)
    if q == math.floor(q):
        return math.inf
    if s != math.floor(s):
        return math.nan
    # sums over all integers have period 1
    after = -q - math.floor(-q)
    mirrored = _kernel_hurwitz(s, after) - _kernel_hurwitz(s, 1.0 - q)
    sign = 1.0 if s % 2.0 == 0.0 else -1.0
    return _kernel_hurwitz(s, 1.0 - after) + sign * mirrored


def _kernel_polygamma(n: float, x: float) -> float:
    """The n-th derivative of digamma, n >= 1 (DLMF 5.15.1)."""
    sign = -1.0 if n % 2.0 == 0.0 else 1.0
    return sign * math.gamma(n + 1.0) * _kernel_zeta(n + 1.0, x)


def _kernel_stirling(x: float) -> float:
    """What Stirling's formula for the logarithm of gamma lacks, for x >= 10 (DLMF 5.11.1)."""
    u = 1.0 / (x * x)
    series, power = 0.0, 1.0 / x
    for coefficient in _STIRLING:
        series += coefficient * power
        power *= u
    return series


def _kernel_betaln(a: float, b: float) -> float:
    """The logarithm of |beta|, without differences of large logarithms."""
    small, large = (a, b) if a < b else (b, a)
    if small <= 0.0 or large == math.inf or small < 1e-290:
        if large == math.inf and small > 0.0:
            return -math.inf
        return math.lgamma(small) + (math.lgamma(large) - math.lgamma(small + large))
    if large < 10.0:
        return math.log(math.gamma(small) / (math.gamma(small + large) / math.gamma(large)))
    both = small + large
    rest = _kernel_stirling(large) - _kernel_stirling(both)
    rest -= (large - 0.5) * math.log1p(small / large)
    if small < 10.0:
        return math.lgamma(small) + (rest + small - small * math.log(both))
    rest += _kernel_stirling(small) - 0.5 * math.log(small) + 0.5 * math.log(2.0 * math.pi)
    return rest - small * math.log1p(large / small)


def _kernel_beta(a: float, b: float) -> float:
    """gamma(a) gamma(b) / gamma(a + b)."""
    small, large = (a, b) if a < b else (b, a)
    if small > 1e-290 and small + large < 170.0:
        return math.gamma(small) / (math.gamma(small + large) / math.gamma(large))
    value = math.exp(_kernel_betaln(a, b))
    for factor in (small, large, small + large):
        if factor < 0.0 and math.floor(factor) % 2.0 != 0.0:
            value = -value
    return value

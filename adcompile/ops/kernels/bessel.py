"""Bessel functions of whole order: J, the scaled I, and the spherical j.

Enters: an order n >= 0 and a float64 number. Leaves: the value, by the power series, Miller's
recurrence downwards, or Hankel's expansion (DLMF 10.2, 10.17, 10.25, 10.40, 10.53, 10.74).
"""

from __future__ import annotations

import math


def _kernel_hankel(order: float, z: float) -> float:
    """J of order 0 or 1 for z >= 25 (DLMF 10.17.3)."""
    even, odd, term = 1.0, 0.0, 1.0
    for k in range(1, 50):
        step = 2.0 * k - 1.0
        term *= (4.0 * order - step * step) / (8.0 * k * z)
        if k % 2 == 1:
            odd += term if k % 4 == 1 else -term
        else:
            even += term if k % 4 == 0 else -term
        if abs(term) < 1e-18:
            break
    plus, minus = math.cos(z) + math.sin(z), math.sin(z) - math.cos(z)
    if order == 0.0:
        return (even * plus - odd * minus) / math.sqrt(math.pi * z)
    return (even * minus + odd * plus) / math.sqrt(math.pi * z)


def _kernel_series(n: float, z: float, sign: float) -> float:
    """The power series of J (sign -1) or I (sign 1), without the power in front."""
    u, term, total, k = sign * 0.25 * z * z, 1.0, 1.0, 1.0
    while abs(term) > 1e-18 * abs(total):
        term *= u / (k * (n + k))
        total += term
        k += 1.0
    return total


def _kernel_power(n: float, z: float) -> float:
    """(z / 2) ** n / n!."""
    result, k = 1.0, 1.0
    while k <= n:
        result *= 0.5 * z / k
        k += 1.0
    return result


def _kernel_jv(n: float, x: float) -> float:
    """J of whole order."""
    if x != x:
        return x
    z, sign = abs(x), -1.0 if x < 0.0 and n % 2.0 == 1.0 else 1.0
    if z == math.inf:
        return 0.0
    if z * z < 4.0 * (n + 1.0):
        return sign * _kernel_power(n, z) * _kernel_series(n, z, -1.0)
    if z >= 25.0 and z > n:
        before, here, k = _kernel_hankel(0.0, z), _kernel_hankel(1.0, z), 1.0
        if n == 0.0:
            return before
        while k < n:
            before, here = here, 2.0 * k / z * here - before
            k += 1.0
        return sign * here
    most = max(n, z)
    k = 2.0 * math.floor(0.5 * (most + 20.0 + 6.0 * math.sqrt(most)))
    after, here, total, found = 0.0, 1e-250, 0.0, 0.0
    while k > 0.0:
        if k % 2.0 == 0.0:
            total += here
        after, here = here, 2.0 * k / z * here - after
        k -= 1.0
        if k == n:
            found = here
        if abs(here) > 1e100:
            after, here = after * 1e-200, here * 1e-200
            total, found = total * 1e-200, found * 1e-200
    return sign * found / (2.0 * total + here)


def _kernel_ive(n: float, x: float) -> float:
    """exp(-|x|) I of whole order."""
    if x != x:
        return x
    z, sign = abs(x), -1.0 if x < 0.0 and n % 2.0 == 1.0 else 1.0
    if z == math.inf:
        return 0.0
    if z < 30.0:
        return sign * _kernel_power(n, z) * _kernel_series(n, z, 1.0) * math.exp(-z)
    if z >= n * n:
        total, term, k = 1.0, 1.0, 1.0
        while abs(term) > 1e-18 and k < 60.0:
            step = 2.0 * k - 1.0
            term *= (step * step - 4.0 * n * n) / (8.0 * k * z)
            total += term
            k += 1.0
        return sign * total / math.sqrt(2.0 * math.pi * z)
    k = math.floor(math.sqrt(n * n + 80.0 * z)) + 20.0
    after, here, total, found = 0.0, 1e-250, 0.0, 0.0
    while k > 0.0:
        total += here
        after, here = here, 2.0 * k / z * here + after
        k -= 1.0
        if k == n:
            found = here
        if abs(here) > 1e100:
            after, here = after * 1e-200, here * 1e-200
            total, found = total * 1e-200, found * 1e-200
    return sign * found / (2.0 * total + here)


def _kernel_iv(n: float, x: float) -> float:
    """I of whole order."""
    half = math.exp(0.5 * abs(x))
    return half * _kernel_ive(n, x) * half if abs(x) != math.inf else x ** (2.0 - n % 2.0)


def _kernel_spherical_jn(n: float, x: float) -> float:
    """The spherical Bessel function of the first kind (DLMF 10.51.1, 10.53.1)."""
    z, sign = abs(x), -1.0 if x < 0.0 and n % 2.0 == 1.0 else 1.0
    if z == math.inf:
        return 0.0
    if z > n + 1.0:
        before, here, k = math.cos(z) / z, math.sin(z) / z, 0.0
        while k < n:
            before, here = here, (2.0 * k + 1.0) / z * here - before
            k += 1.0
        return sign * here
    front, k = 1.0, 1.0
    while k <= n:
        front *= z / (2.0 * k + 1.0)
        k += 1.0
    return sign * front * _kernel_series(n + 0.5, z, -1.0)

"""exp and tanh in instructions that LLVM does for several elements.

Enters: an LLVM float. Leaves: a function of it.
* exp is within 1.1 units in the last place, also where it is subnormal. x is k log(2) + r, with k
  whole and |r| < 0.35; exp(r) is a polynomial, and 2^k two factors, as it may be too small for one.
* tanh is within 3 units. With e = exp(2 |x|) - 1 it is e / (e + 2), and has the sign of x. 2 |x| is
  k log(2) + r as above, and e = 2^k (exp(r) - 1) + (2^k - 1), where nothing cancels: small numbers
  keep all their digits.
exp takes 0.7 to 0.9 of the time of glibc's vectors, tanh half. In a chain of steps libm's exp is
sooner there, its tanh is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from llvmlite import ir as _ir

_LOG2_E = 1.4426950408889634


@dataclass(frozen=True)
class _Precision:
    """What the formulas need to know of a type.

    bits          of the fraction of a number, without the first
    log2          log(2) in two parts, k times the first of which is exact
    low, high     below and above, exp is 0 and infinite
    exp_series    (exp(r) - 1 - r) / r^2 by powers of r, an interpolation at Chebyshev's points of
                  |r| <= log(2) / 2 computed with 60 digits: relative error 2e-17, or 1e-8
    one_from      all tanh(x) from here on round to 1
    tanh_series   the same relative to exp(r) - 1: error 8e-19, or 1.4e-8
    """

    number: Any
    integer: Any
    bits: int
    bias: int
    log2: tuple[float, float]
    low: float
    high: float
    exp_series: tuple[float, ...]
    one_from: float
    tanh_series: tuple[float, ...]


_SINGLE = _Precision(
    _ir.FloatType(), _ir.IntType(32), 23, 127, (0.693359375, -2.12194440e-4), -104.0, 89.0,
    (0.5, 0.16666576845993977, 0.04166655443768594, 0.008363202971575855, 0.0013926213466332444),
    9.02,
    (0.4999999701976776, 0.1666654348373413, 0.04166743904352188, 0.008366634137928486,
     0.0013870751718059182),
)  # fmt: skip
_DOUBLE = _Precision(
    _ir.DoubleType(), _ir.IntType(64), 52, 1023,
    (6.93147180369123816490e-01, 1.90821492927058770002e-10), -746.0, 710.0,
    (
        0.5000000000000001, 0.16666666666666669, 0.04166666666662399, 0.008333333333330051,
        0.0013888888917281794, 0.00019841269863105968, 2.480152119021773e-05,
        2.7557268378684192e-06, 2.7620138719733994e-07, 2.5100424157005067e-08,
    ),
    19.1,
    (
        0.5, 0.1666666666666667, 0.04166666666666667, 0.008333333333326084, 0.0013888888888883711,
        0.0001984126987500228, 2.480158732567746e-05, 2.755725517000089e-06,
        2.755727347871858e-07, 2.5105312729622103e-08, 2.09147553258932e-09,
    ),
)  # fmt: skip


class _Arithmetic:
    """Operations with flags of their own: what is small must be added to what is small first."""

    def __init__(self, builder: Any) -> None:
        operations = builder.fmul, builder.fadd, builder.fsub
        self.times, self.plus, self.minus = (partial(o, flags=("contract",)) for o in operations)


def exp(builder: Any, x: Any) -> Any:
    """The instructions for exp(x)."""
    kind, do = _precision(x), _Arithmetic(builder)
    number, integer = kind.number, kind.integer
    near = x  # NaN is the NaN it is
    for order, end in (("<", number(kind.low)), (">", number(kind.high))):
        near = builder.select(builder.fcmp_ordered(order, near, end), end, near)
    k, whole = _rounded(builder, do, do.times(near, number(_LOG2_E)), kind)
    r = _rest(do, near, k, kind)
    power = do.plus(_grown(do, r, kind.exp_series), number(1))
    even = 4 * (kind.bias + 1)  # makes what is halved positive
    twice = builder.add(whole, integer(even))
    half = builder.lshr(twice, integer(1))
    for part in (half, builder.sub(twice, half)):
        exponent = builder.sub(part, integer(even // 2))
        power = do.times(power, _power_of_two(builder, exponent, kind))
    return power


def tanh(builder: Any, x: Any) -> Any:
    """The instructions for tanh(x)."""
    kind, do = _precision(x), _Arithmetic(builder)
    number, integer = kind.number, kind.integer
    bits = builder.bitcast(x, integer)
    sign = builder.and_(bits, integer(1 << (integer.width - 1)))
    size = builder.bitcast(builder.xor(bits, sign), number)
    end = number(kind.one_from)
    near = builder.select(builder.fcmp_ordered(">", size, end), end, size)
    k, whole = _rounded(builder, do, do.times(near, number(2 * _LOG2_E)), kind)
    r = _rest(do, do.plus(near, near), k, kind)
    power = _power_of_two(builder, whole, kind)
    grown = do.times(power, _grown(do, r, kind.tanh_series))
    e = do.plus(grown, do.minus(power, number(1)))
    quotient = builder.fdiv(e, do.plus(e, number(2)), flags=("contract",))
    return builder.bitcast(builder.or_(builder.bitcast(quotient, integer), sign), number)


def _precision(x: Any) -> _Precision:
    return _SINGLE if x.type == _SINGLE.number else _DOUBLE


def _rounded(builder: Any, do: _Arithmetic, x: Any, kind: _Precision) -> tuple[Any, Any]:
    """The whole number next to x, as a float and as an integer."""
    large = kind.number(1.5 * 2.0**kind.bits)  # adding it leaves the number in the last bits
    shifted = do.plus(x, large)
    bits = (builder.bitcast(v, kind.integer) for v in (shifted, large))
    return do.minus(shifted, large), builder.sub(*bits)


def _rest(do: _Arithmetic, x: Any, k: Any, kind: _Precision) -> Any:
    """x - k log(2)."""
    for part in kind.log2:
        x = do.minus(x, do.times(k, kind.number(part)))
    return x


def _grown(do: _Arithmetic, r: Any, series: tuple[float, ...]) -> Any:
    """exp(r) - 1."""
    return do.plus(r, do.times(do.times(r, r), _polynomial(do, r, series, r.type)))


def _power_of_two(builder: Any, exponent: Any, kind: _Precision) -> Any:
    """The float 2^exponent."""
    biased = builder.add(exponent, kind.integer(kind.bias))
    return builder.bitcast(builder.shl(biased, kind.integer(kind.bits)), kind.number)


def _polynomial(do: _Arithmetic, r: Any, series: tuple[float, ...], number: Any) -> Any:
    """The sum of coefficients times powers, by pairs (Estrin's scheme): few wait for others."""
    terms = [number(c) for c in series]
    while len(terms) > 1:
        pairs = zip(terms[::2], [*terms[1::2], None], strict=False)
        terms = [low if high is None else do.plus(do.times(high, r), low) for low, high in pairs]
        r = do.times(r, r)
    return terms[0]

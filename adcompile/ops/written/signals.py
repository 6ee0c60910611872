"""Sliding sums, interpolation, integrals and slopes of sampled functions, windows.

Enters: vectors of samples. Leaves: functions of the compiled language.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import math

import numpy as np

from adcompile.ops.spellings import unsupported, written


def _slide(a, v, start, length):
    """`length` elements of the full convolution from `start` on."""
    out = np.zeros(length, (a[0] * v[0]).dtype)
    for k in range(len(v)):
        low, high = max(0, k - start), min(length, len(a) + k - start)
        weight, shift = v[k], start - k
        for i in range(low, high):
            out[i] += weight * a[i + shift]
    return out


def _convolved(a, v, mode):
    """The convolution of a longer with a shorter vector, or the part of it that `mode` names."""
    if mode == "full":
        return _slide(a, v, 0, len(a) + len(v) - 1)
    if mode == "same":
        return _slide(a, v, (len(v) - 1) // 2, len(a))
    if mode != "valid":
        unsupported("this mode is not known", '"full", "same" or "valid"')
    return _slide(a, v, len(v) - 1, len(a) - len(v) + 1)


@written(np.convolve)
def convolve(a, v, mode="full"):
    """Sums of products of one vector with the other reversed and moved along."""
    one, other = np.atleast_1d(a), np.atleast_1d(v)
    if mode == "full":
        return _convolved(one, other, mode)
    if len(other) > len(one):
        result = _convolved(other, one, mode)
    else:
        result = _convolved(one, other, mode)
    return result


@written(np.correlate)
def correlate(a, v, mode="valid"):
    """Sums of products of one vector with the other moved along."""
    one, other = np.atleast_1d(a), np.atleast_1d(v)
    if mode == "full":
        return _convolved(one, other[::-1], mode)
    if len(other) > len(one):
        result = _convolved(other, one[::-1], mode)[::-1].copy()
    else:
        result = _convolved(one, other[::-1], mode)
    return result


@written(np.interp)
def interp(x, xp, fp, left=None, right=None):
    """Linear between samples; at a sample the slope to its right counts, at the last the left."""
    place = np.float64(x) if np.ndim(x) == 0 else np.asarray(x).astype(np.float64)
    knots, values = np.asarray(xp).astype(np.float64), np.asarray(fp).astype(np.float64)
    last = len(knots) - 1
    first = np.searchsorted(knots, place, "right") - 1
    first = np.minimum(np.maximum(first, 0), max(last - 1, 0))
    second = np.minimum(first + 1, last)
    width = np.where(second > first, knots[second] - knots[first], 1.0)
    slope = (values[second] - values[first]) / width
    result = slope * (place - knots[first]) + values[first]
    below = values[0] if left is None else left
    above = values[last] if right is None else right
    result = np.where(place < knots[0], below, result)
    return np.where(place > knots[last], above, result)


@written(np.unwrap)
def unwrap(p, discont=None, axis=-1, *, period=2.0 * math.pi):
    """Angles without jumps: multiples of the period, which are constant, are added."""
    x = np.moveaxis(np.asarray(p), axis, -1)
    jump = x[..., 1:] - x[..., :-1]
    half = period / 2
    inside = np.mod(jump + half, period) - half
    inside = np.where((inside == -half) & (jump > 0), half, inside)
    least = half if discont is None else discont
    change = np.where(np.abs(jump) < least, 0.0, inside - jump)
    out = x.copy()
    out[..., 1:] += np.cumsum(change, axis=-1)
    return np.moveaxis(out, -1, axis)


@written(np.trapezoid)
def trapezoid(y, x=None, dx=1.0, axis=-1):
    """The integral by the trapezoidal rule."""
    samples = np.moveaxis(np.asarray(y), axis, -1)
    means = (samples[..., 1:] + samples[..., :-1]) / 2.0
    if x is None:
        return np.sum(means * dx, axis=-1)
    places = np.asarray(x)
    if places.ndim > 1:
        places = np.moveaxis(places, axis, -1)
    return np.sum(means * (places[..., 1:] - places[..., :-1]), axis=-1)


@written(np.gradient)
def gradient(f, *varargs, axis=None, edge_order=1):
    """Central differences inside, one-sided ones at the ends."""
    if edge_order != 1:
        unsupported("`np.gradient` with edge_order=2")
    x = np.asarray(f)
    every = (0, 1, 2, 3, 4, 5)[: x.ndim]
    axes = every if axis is None else axis if isinstance(axis, tuple) else (axis,)
    steps = varargs if len(varargs) == len(axes) else (varargs or (1.0,)) * len(axes)
    slopes = tuple([_slope(x, step, k) for k, step in zip(axes, steps, strict=True)])
    return slopes[0] if len(slopes) == 1 else slopes


def _slope(x, step, axis):
    """The differences along one axis, for equal steps or the places of the samples."""
    lines = np.moveaxis(x, axis, -1)
    out = np.empty_like(lines)
    if np.ndim(step) == 0:
        out[..., 1:-1] = (lines[..., 2:] - lines[..., :-2]) / (2.0 * step)
        first, last = step, step
    else:
        widths = step[1:] - step[:-1]
        before, after = widths[:-1], widths[1:]
        rise = before * before * lines[..., 2:] - after * after * lines[..., :-2]
        rise = rise + (after * after - before * before) * lines[..., 1:-1]
        out[..., 1:-1] = rise / (before * after * (before + after))
        first, last = widths[0], widths[-1]
    out[..., 0] = (lines[..., 1] - lines[..., 0]) / first
    out[..., -1] = (lines[..., -1] - lines[..., -2]) / last
    return np.moveaxis(out, -1, axis)


# -- windows -------------------------------------------------------------------------------------


def _steps(count):
    """From -1 to 1 in equal steps; 0 for one step."""
    return np.arange(1 - count, count, 2) / max(count - 1, 1)


@written(np.bartlett)
def bartlett(M):  # noqa: N803  (NumPy's name)
    """A triangle."""
    return 1.0 - np.abs(_steps(M))


@written(np.blackman)
def blackman(M):  # noqa: N803
    """Blackman's window."""
    t = math.pi * _steps(M)
    return 0.42 + 0.5 * np.cos(t) + 0.08 * np.cos(2.0 * t)


@written(np.hamming)
def hamming(M):  # noqa: N803
    """Hamming's window."""
    return 0.54 + 0.46 * np.cos(math.pi * _steps(M))


@written(np.hanning)
def hanning(M):  # noqa: N803
    """Hann's window."""
    return 0.5 + 0.5 * np.cos(math.pi * _steps(M))


@written(np.kaiser)
def kaiser(M, beta):  # noqa: N803
    """Kaiser's window."""
    t = _steps(M)
    out = np.empty(M)
    for i in range(M):
        out[i] = _bessel_i0(beta * math.sqrt(max(1.0 - t[i] * t[i], 0.0))) / _bessel_i0(beta)
    return out


def _bessel_i0(x):
    """The modified Bessel function of order 0, by its series of positive terms."""
    quarter = 0.25 * x * x
    term, total, k = 1.0 + 0.0 * quarter, 1.0 + 0.0 * quarter, 1
    while term > 1e-18 * total:
        term = term * quarter / (k * k)
        total = total + term
        k += 1
    return total

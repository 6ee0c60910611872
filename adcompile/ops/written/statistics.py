"""Quantiles, weighted means, covariances, and counts in bins.

Enters: arrays. Leaves: functions of the compiled language; what falls between two elements in order
is interpolated, so that both carry a derivative, and so does the place.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import math

import numpy as np

from adcompile.ops.spellings import unsupported, written


def _in_order(a, axis):
    """Floats, sorted along the first axis."""
    x = np.asarray(a)
    if x.dtype.kind != "f":
        x = x.astype(np.float64)
    if axis is None:
        return np.sort(x.ravel())
    return np.sort(np.moveaxis(x, axis, 0), axis=0)


def _require_shares(q):
    shares = np.asarray(q)
    fit = shares >= 0 and shares <= 1 if np.ndim(q) == 0 else np.all((shares >= 0) & (shares <= 1))
    if not fit:
        raise ValueError("a quantile is of a share between 0 and 1")


def _between(first, second, part):
    """Between two numbers, from the nearer one."""
    step = second - first
    return np.where(part >= 0.5, second - step * (1.0 - part), first + step * part)


def _with_axis(result, a, axis, keepdims):
    if not keepdims:
        return result
    if axis is None:
        return np.broadcast_to(result, (1,) * np.ndim(a)).copy()
    return np.expand_dims(result, axis)


@written(np.quantile)
def quantile(a, q, axis=None, *, method="linear", keepdims=False):
    """What a share `q` of the elements is below; NaN if some element is."""
    if method != "linear":
        unsupported("a quantile by another method", 'method="linear"')
    _require_shares(q)
    lines = _in_order(a, axis)
    count = len(lines)
    place = np.asarray(q) * (count - 1)
    low = np.floor(place)
    first = low.astype(np.int64)
    second = np.minimum(first + 1, count - 1)
    part = place - low
    if np.ndim(q) == 0:
        part = part.astype(lines.dtype)
    else:
        if keepdims:
            unsupported("several quantiles with keepdims=True", "take one after the other")
        part = part.reshape((-1,) + (1,) * (lines.ndim - 1))
    result = _between(lines[first], lines[second], part)
    result = np.where(np.isnan(lines[-1]), math.nan, result)
    return _with_axis(result, a, axis, keepdims)


@written(np.percentile)
def percentile(a, q, axis=None, *, method="linear", keepdims=False):
    """What `q` percent of the elements are below."""
    return np.quantile(a, np.asarray(q) / 100.0, axis, method=method, keepdims=keepdims)


@written(np.median)
def median(a, axis=None, *, keepdims=False):
    """The element in the middle, or the mean of both."""
    return np.quantile(a, 0.5, axis, keepdims=keepdims)


@written(np.nanquantile)
def nanquantile(a, q, axis=None, *, method="linear", keepdims=False):
    """What a share `q` of the numbers is below."""
    if method != "linear":
        unsupported("a quantile by another method", 'method="linear"')
    _require_shares(q)
    lines = _in_order(a, axis)
    if np.ndim(q) > 0 and lines.ndim > 1:
        unsupported("several quantiles along an axis", "take one after the other")
    count = np.sum(~np.isnan(lines), axis=0)
    place = np.asarray(q) * (count - 1)
    low = np.floor(place)
    first = low.astype(np.int64)
    second = np.minimum(first + 1, count - 1)
    part = place - low
    if np.ndim(q) == 0:
        part = part.astype(lines.dtype)
    if lines.ndim == 1:
        result = _between(lines[first], lines[second], part)
    else:
        below = np.take_along_axis(lines, first[None], 0)[0]
        above = np.take_along_axis(lines, second[None], 0)[0]
        result = _between(below, above, part)
    return _with_axis(result, a, axis, keepdims)


@written(np.nanpercentile)
def nanpercentile(a, q, axis=None, *, method="linear", keepdims=False):
    """What `q` percent of the numbers are below."""
    return np.nanquantile(a, np.asarray(q) / 100.0, axis, method=method, keepdims=keepdims)


@written(np.nanmedian)
def nanmedian(a, axis=None, *, keepdims=False):
    """The number in the middle, or the mean of both."""
    return np.nanquantile(a, 0.5, axis, keepdims=keepdims)


@written(np.average)
def average(a, axis=None, weights=None, *, keepdims=False):
    """The mean with weights; a vector of weights belongs to the axis."""
    x = np.asarray(a)
    if weights is None:
        return np.mean(x, axis=axis, keepdims=keepdims)
    w = np.asarray(weights)
    if w.ndim == x.ndim:
        total = np.sum(w, axis=axis, keepdims=keepdims)
    else:
        if w.ndim != 1 or axis is None:
            unsupported("weights of another shape", "one weight for each place along the axis")
        total = np.sum(w)
        w = w.reshape((-1,) + (1,) * (x.ndim - 1 - axis % x.ndim))
    return np.sum(x * w, axis=axis, keepdims=keepdims) / total


# -- covariance ----------------------------------------------------------------------------------


def _variables(m, rowvar):
    """One row for each variable."""
    x = np.atleast_2d(m).astype(np.float64)
    if np.ndim(m) == 2 and not rowvar:
        return x.T
    return x


@written(np.cov)
def cov(m, y=None, rowvar=True, bias=False, ddof=None):
    """The covariances of variables, in float64; of one vector its variance."""
    x = _variables(m, rowvar)
    if y is not None:
        x = np.concatenate((x, _variables(y, rowvar)))
    less = ddof if ddof is not None else 0 if bias else 1
    apart = x - np.mean(x, axis=1, keepdims=True)
    result = apart @ apart.T / (x.shape[1] - less)
    if y is None and np.ndim(m) == 1:
        return result[0, 0]
    return result


@written(np.corrcoef)
def corrcoef(x, y=None, rowvar=True):
    """Correlations between variables."""
    shared = np.cov(x, y, rowvar)
    if y is None and np.ndim(x) == 1:
        return shared / shared
    spread = np.sqrt(np.diag(shared))
    return np.clip(shared / spread[:, None] / spread, -1.0, 1.0)


# -- bins ----------------------------------------------------------------------------------------


@written(np.bincount)
def bincount(x, weights=None, minlength=0):
    """How often each number occurs, or the sum of the weights."""
    places = np.asarray(x)
    size = minlength
    for i in range(len(places)):
        if places[i] < 0:
            raise ValueError("'list' argument must have no negative elements")
        size = max(size, int(places[i]) + 1)
    if weights is None:
        counts = np.zeros(size, np.int64)
        for i in range(len(places)):
            counts[places[i]] += 1
        return counts
    sums = np.zeros(size)
    values = np.asarray(weights)
    for i in range(len(places)):
        sums[places[i]] += values[i]
    return sums


@written(np.histogram)
def histogram(a, bins=10, range=None, density=None, weights=None):
    """How many elements each bin holds, or their weights, and the edges of the bins."""
    if density:
        unsupported("a histogram with density=True", "divide by the sum and the widths")
    x = np.asarray(a).ravel()
    if np.ndim(bins) > 0:
        edges = np.asarray(bins)
    else:
        low, high = (np.min(x), np.max(x)) if range is None else range
        flat = low == high
        low, high = np.where(flat, low - 0.5, low), np.where(flat, high + 0.5, high)
        edges = np.linspace(low, high, bins + 1)
    return _tally(x, edges, weights), edges


def _tally(x, edges, weights):
    """The bins are open above, but for the last."""
    last = len(edges) - 1
    place = np.searchsorted(edges, x, "right") - 1
    if weights is None:
        counts = np.zeros(last, np.int64)
        for i in range(len(x)):
            k = last - 1 if x[i] == edges[last] else place[i]
            if k >= 0 and k < last:
                counts[k] += 1
        return counts
    sums = np.zeros(last, np.asarray(weights).dtype)
    values = np.asarray(weights).ravel()
    for i in range(len(x)):
        k = last - 1 if x[i] == edges[last] else place[i]
        if k >= 0 and k < last:
            sums[k] += values[i]
    return sums

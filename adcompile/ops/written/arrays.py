"""Products, polynomials, and arrays with elements put in or taken out.

Enters: arrays. Leaves: functions of the compiled language; what is only known when the function is
compiled (axes, numbers of axes, dtypes) is decided then.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np

from adcompile.ops.spellings import unsupported, written


@written(np.cumprod, method="cumprod")
def cumprod(a, axis=None):
    """Running products along an axis, or of the flattened array."""
    x = np.asarray(a)
    if x.dtype.kind != "f" and x.dtype.kind != "c":
        x = x.astype(np.int64)
    if axis is None or x.ndim == 1:
        line = x.ravel()
        out = np.empty_like(line)
        total = x.dtype.type(1)
        for i in range(len(line)):
            total = total * line[i]
            out[i] = total
        return out
    lines = np.moveaxis(x, axis, 0)
    columns = lines.reshape(len(lines), -1)
    products = np.empty_like(columns)
    for j in range(columns.shape[1]):
        total = x.dtype.type(1)
        for i in range(columns.shape[0]):
            total = total * columns[i, j]
            products[i, j] = total
    return np.moveaxis(products.reshape(lines.shape), 0, axis)


@written(np.nancumprod)
def nancumprod(a, axis=None):
    """Running products that pass over what is no number."""
    x = np.asarray(a)
    return np.cumprod(np.where(np.isnan(x), x.dtype.type(1), x), axis)


@written(np.delete)
def delete(arr, obj, axis=None):
    """Without the elements, or slices along an axis, at the given places."""
    x = np.asarray(arr)
    lines = x.ravel() if axis is None else np.moveaxis(x, axis, 0)
    if np.ndim(obj) == 0:
        place = np.where(obj < 0, obj + len(lines), obj)
        left = np.concatenate((lines[:place], lines[place + 1 :]))
    else:
        keep = np.ones(len(lines), np.bool_)
        keep[np.asarray(obj)] = False
        left = lines[keep]
    return left if axis is None else np.moveaxis(left, 0, axis)


@written(np.insert)
def insert(arr, obj, values, axis=None):
    """With elements, or slices along an axis, put in before a place."""
    if np.ndim(obj) != 0:
        unsupported("`np.insert` at several places", "call it for one place after the other")
    x = np.asarray(arr)
    lines = x.ravel() if axis is None else np.moveaxis(x, axis, 0)
    if lines.ndim == 1:
        new = np.atleast_1d(values).ravel()
    elif np.ndim(values) < lines.ndim:
        new = np.broadcast_to(np.asarray(values), lines.shape[1:])[None]
    else:
        new = np.asarray(values)
    joined = np.concatenate((lines[:obj], new.astype(x.dtype), lines[obj:]))
    return joined if axis is None else np.moveaxis(joined, 0, axis)


@written(np.fill_diagonal)
def fill_diagonal(a, val, wrap=False):
    """Write the main diagonal."""
    if wrap:
        unsupported("`np.fill_diagonal` with wrap=True")
    if a.ndim == 2:
        count = min(a.shape[0], a.shape[1])
    else:
        count = len(a)
    items = np.atleast_1d(val).ravel()
    for i in range(count):
        a[(i,) * a.ndim] = items[i % len(items)]


@written(np.array_equal)
def array_equal(a1, a2, equal_nan=False):
    """Whether shapes and elements are equal."""
    x, y = np.atleast_1d(a1), np.atleast_1d(a2)
    if np.ndim(a1) != np.ndim(a2):
        return False
    same = True
    for m, n in zip(x.shape, y.shape, strict=True):
        same = same and m == n
    one, other = x.ravel(), y.ravel()
    for i in range(len(one) if same else 0):
        both = equal_nan and one[i] != one[i] and other[i] != other[i]
        if one[i] != other[i] and not both:
            same = False
    return same


@written(np.asarray_chkfinite)
def asarray_chkfinite(a, dtype=None):
    """The array, if all of it is finite."""
    x = np.asarray(a, dtype)
    if not np.all(np.isfinite(x)):
        raise ValueError("array must not contain infs or NaNs")
    return x


@written(np.vander)
def vander(x, N=None, increasing=False):  # noqa: N803  (NumPy's name)
    """The powers of every element, in rows."""
    line = np.asarray(x)
    count = len(line) if N is None else N
    if line.dtype.kind == "c":
        unsupported("`np.vander` of complex numbers")
    dtype = np.float64 if line.dtype.kind == "f" else np.int64
    out = np.empty((len(line), count), dtype)
    for i in range(len(line)):
        power = dtype(1)
        for k in range(count):
            out[i, k] = power
            power = power * line[i]
    return out if increasing else out[:, ::-1]


# -- polynomials, the highest power first --------------------------------------------------------


@written(np.polyval)
def polyval(p, x):
    """The value at one or several places, by Horner's rule."""
    coefficients = np.asarray(p)
    if np.ndim(x) == 0:
        value = coefficients[0] + 0.0 * x
        for k in range(1, len(coefficients)):
            value = value * x + coefficients[k]
        return value
    places = np.asarray(x)
    values = np.zeros_like(places * coefficients[0]) + coefficients[0]
    for k in range(1, len(coefficients)):
        values = values * places + coefficients[k]
    return values


@written(np.polyadd)
def polyadd(a1, a2):
    """The sum of two polynomials."""
    x, y = np.asarray(a1), np.asarray(a2)
    size = max(len(x), len(y))
    out = np.zeros(size, (x[0] + y[0]).dtype)
    for k in range(len(x)):
        out[size - len(x) + k] += x[k]
    for k in range(len(y)):
        out[size - len(y) + k] += y[k]
    return out


@written(np.polysub)
def polysub(a1, a2):
    """The difference of two polynomials."""
    return np.polyadd(a1, -np.asarray(a2))


@written(np.polyder)
def polyder(p, m=1):
    """The derivative of a polynomial."""
    if m != 1:
        unsupported("`np.polyder` of another order", "call it several times")
    coefficients = np.asarray(p)
    degree = len(coefficients) - 1
    return coefficients[:-1] * np.arange(degree, 0, -1)


@written(np.polyint)
def polyint(p, m=1, k=0):
    """The integral of a polynomial, with the constant `k`."""
    if m != 1:
        unsupported("`np.polyint` of another order", "call it several times")
    coefficients = np.asarray(p)
    parts = coefficients / np.arange(len(coefficients), 0, -1)
    return np.append(parts, k)

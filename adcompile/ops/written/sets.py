"""Arrays as sets of numbers.

Enters: arrays, flattened. Leaves: functions of the compiled language. Which elements are equal is
taken as constant; of equal elements the first in the sorted order carries the derivative.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
from __future__ import annotations

import numpy as np

from adcompile.ops.spellings import written


def _differs(line):
    """Where a sorted vector differs from its neighbour before."""
    new = line[1:] != line[:-1]
    if line.dtype.kind == "f":
        return new & ~(np.isnan(line[1:]) & np.isnan(line[:-1]))
    return new


@written(np.unique)
def unique(ar):
    """The different elements, in order."""
    line = np.sort(np.asarray(ar).ravel())
    keep = np.ones(len(line), np.bool_)
    keep[1:] = _differs(line)
    return line[keep]


@written(np.union1d)
def union1d(ar1, ar2):
    """What is in one or the other."""
    return np.unique(np.concatenate((np.asarray(ar1).ravel(), np.asarray(ar2).ravel())))


def _both(ar1, ar2, assume_unique):
    """All elements of two sets, in order."""
    if assume_unique:
        return np.sort(np.concatenate((np.asarray(ar1).ravel(), np.asarray(ar2).ravel())))
    return np.sort(np.concatenate((np.unique(ar1), np.unique(ar2))))


@written(np.intersect1d)
def intersect1d(ar1, ar2, assume_unique=False):
    """What is in both."""
    line = _both(ar1, ar2, assume_unique)
    return line[:-1][line[1:] == line[:-1]]


@written(np.setxor1d)
def setxor1d(ar1, ar2, assume_unique=False):
    """What is in one of both only."""
    line = _both(ar1, ar2, assume_unique)
    keep = np.ones(len(line), np.bool_)
    for i in range(len(line) - 1):
        if line[i] == line[i + 1]:
            keep[i] = False
            keep[i + 1] = False
    return line[keep]


@written(np.isin)
def isin(element, test_elements, assume_unique=False, invert=False):
    """Whether each element is among others."""
    line = np.sort(np.asarray(test_elements).ravel())
    padded = np.concatenate((line, np.zeros(1, line.dtype)))
    place = np.searchsorted(line, element)
    found = (place < len(line)) & (padded[place] == element)
    return ~found if invert else found


@written(np.setdiff1d)
def setdiff1d(ar1, ar2, assume_unique=False):
    """What is in the first only."""
    line = np.asarray(ar1).ravel() if assume_unique else np.unique(ar1)
    return line[np.isin(line, ar2, invert=True)]


@written(np.trim_zeros)
def trim_zeros(filt, trim="fb"):
    """Without the zeros at the front and at the back."""
    first, last = 0, len(filt)
    if trim != "b":
        while first < last and filt[first] == 0:
            first += 1
    if trim != "f":
        while last > first and filt[last - 1] == 0:
            last -= 1
    return filt[first:last]

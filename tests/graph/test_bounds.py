"""What is known of index arithmetic before the program runs."""

import numpy as np
import pytest

from adcompile import pipeline
from adcompile.graph.bounds import Bounds
from adcompile.graph.types import parse_types


def _loads(function, types):
    """Each element read of the function, with the region that it is in."""
    graph = pipeline.lower_function(function, parse_types(types))
    bounds = Bounds(graph)

    def walk(region):
        for op in region.ops:
            if op.name == "load":
                yield op, region
            for inner in op.regions:
                yield from walk(inner)

    return bounds, list(walk(graph.body))


def _within(function, types):
    bounds, loads = _loads(function, types)
    return [bounds.within(op.inputs[0], op.inputs[1:], region) for op, region in loads]


def stencil(a):
    total = 0.0
    for i in range(1, len(a) - 1):
        total += a[i - 1] + a[i] + a[i + 1] * a[len(a) - 1 - i]
    return total


def beyond(a):
    total = 0.0
    for i in range(len(a)):
        total += a[i - 1] + a[i + 1] + a[2 * i]
    return total


def triangle(a):
    total = 0.0
    for i in range(a.shape[0]):
        for j in range(i, a.shape[1]):
            total += a[i, j] + a[i, j - i]
    return total


def counted(a, m):
    total = 0.0
    b = np.zeros(m)
    for i in range(m):
        total += b[i] + b[m - 1 - i] + a[i]
    return total


def backwards(a):
    total = 0.0
    for i in range(len(a) - 1, 0, -1):
        total += a[i] + a[i - 1]
    return total


@pytest.mark.parametrize(
    ("function", "types", "wanted"),
    [
        (stencil, "f8[:]", [True] * 4),
        (beyond, "f8[:]", [False] * 3),
        (triangle, "f8[:, :]", [True] * 2),
        (counted, "f8[:], i8", [True, True, False]),
        (backwards, "f8[:]", [True] * 2),
    ],
)
def test_indices_within_extents(function, types, wanted):
    assert _within(function, types) == wanted


def climbing(a):
    total, place, back = 0.0, 0, 9
    for i in range(len(a)):
        for _ in range(i):
            total += a[place] + a[back]
            place += 1
        back -= 1
    return total


def test_what_loops_only_add_to_is_never_negative():
    bounds, loads = _loads(climbing, "f8[:]")
    known = [bounds.never_negative(op.inputs[1], region) for op, region in loads]
    assert known == [True, False]


def narrow(a, k):
    total = 0.0
    for i in range(len(a)):
        total += a[np.int32(i) * k]
    return total


def test_narrow_integers_may_overflow():
    bounds, loads = _loads(narrow, "f8[:], i4")
    assert [bounds.never_negative(op.inputs[1], r) for op, r in loads] == [False]


def inside(a):
    total = 0.0
    for i in range(max(len(a) - 2, 0)):
        total += a[i] + a[i + 2] + a[i + 3]
    return total


def test_a_maximum_is_what_lets_the_loop_run():
    assert _within(inside, "f8[:]") == [True, True, False]

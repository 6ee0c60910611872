"""Passes over element reads and writes: shared, hoisted, carried; values stay what they were."""

import numpy as np

import adcompile as ad
from adcompile import pipeline
from adcompile.graph.interpret import interpret
from adcompile.graph.types import parse_types
from adcompile.graph.verify import verify
from adcompile.optimize.buffers import reuse_buffers
from adcompile.optimize.loads import hoist_loads, share_loads
from adcompile.optimize.signs import decide_signs
from adcompile.optimize.sums import add_once, carry_sums


def _after(function, types, *passes):
    graph = pipeline.lower_function(function, parse_types(types))
    for run in passes:
        run(graph)
        verify(graph)
    return graph


def _count(region, name):
    return sum(op.name == name for op in region.ops)


def repeated(a, b, k):
    a[0] = a[1] * a[1]
    a[2] += a[0]
    b[k] = a[1] + a[2]
    return a[0] + a[1] + a[2] + b[0]


def test_elements_are_read_again_only_where_they_may_have_changed():
    a, b = np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0])
    graph = _after(repeated, "f8[3], f8[2], i8", share_loads)
    assert _count(graph.body, "load") == 3  # a[1], a[2] after +=, and b[0]
    assert interpret(graph, a.copy(), b.copy(), 0) == repeated(a, b, 0)


def restored(a, n):
    total = 0.0
    for _ in range(n):
        b = np.empty(2)
        b[0] = a[1]
        b[1] = a[0]
        total += a[1] - 2.0 * b[0]
        a = b
        a[0] = b[0]
    return total


def test_new_memory_is_no_older_one_and_what_is_there_is_not_stored():
    graph = _after(restored, "f8[2], i8", share_loads)
    (loop,) = (op for op in graph.body.ops if op.name == "for")
    assert _count(loop.regions[0], "load") == 2  # a[0] and a[1]; b is what was stored
    assert _count(loop.regions[0], "store") == 2
    for n in range(4):
        a = np.array([1.0, 3.0])
        assert interpret(graph, a.copy(), n) == restored(a, n)


def handed_back(a, n):
    b = a * 1.0
    for _ in range(n):
        first = b[0]
        a[0] = 5.0 + first
        b = a
        a = np.empty(2)
        a[0] = b[0] + first
        a[1] = b[0]
    return b[0] + a[0]


def test_arrays_that_take_turns_are_read_again():
    graph = _after(handed_back, "f8[2], i8", share_loads)
    for n in range(4):
        a = np.array([1.0, 3.0])
        assert interpret(graph, a.copy(), n) == handed_back(a.copy(), n)


def overlapping(a):
    b = a[::-1]
    first = a[0]
    b[-1] = 7.0
    return first + a[0]


def test_a_write_through_a_view_is_seen():
    graph = _after(overlapping, "f8[3]", share_loads)
    assert interpret(graph, np.arange(3.0)) == 7.0


def wrapped_around(a):
    first = a[2]
    a[-1] = 7.0
    return first + a[2]


def test_an_index_counted_from_the_end_may_be_the_same_element():
    graph = _after(wrapped_around, "f8[3]", share_loads)
    assert interpret(graph, np.arange(3.0)) == 9.0


def scaled(a, b, c):
    for i in range(len(a)):
        for j in range(len(a)):
            b[i] += a[i] * a[j]
        for j in range(len(c)):
            c[j] = a[0] + c[0]
    return np.sum(b) + np.sum(c)


def test_reads_leave_the_loops_that_do_not_change_them():
    graph = _after(scaled, "f8[:], f8[:], f8[:]", hoist_loads)
    outer = next(op for op in graph.body.ops if op.name == "for").regions[0]
    inner = [op.regions[0] for op in outer.ops if op.name == "for"]
    assert _count(inner[0], "load") == 1  # a[j]
    assert _count(inner[1], "load") == 1  # c[0]; a[0] is there since the outer loop runs
    for n in (0, 3):
        a, b, c = np.arange(n) + 1.0, np.ones(n), np.arange(2.0)
        wanted = scaled(a, b.copy(), c.copy())
        assert interpret(graph, a, b.copy(), c.copy()) == wanted


def summed(a, x, k):
    for i in range(len(x)):
        a[0] += x[i]
        a[k] += x[i]
    for i in range(len(x)):
        a[1] += x[i] * a[2]
    return a[0]


def test_sums_into_one_element_are_carried():
    graph = _after(summed, "f8[3], f8[:], i8", carry_sums)
    first, second = (op.regions[0] for op in graph.body.ops if op.name == "for")
    assert _count(first, "accumulate_at") == 2  # `k` may be 0
    assert _count(second, "accumulate_at") == 1  # a[2] is read, and may not be apart
    graph = _after(_only, "f8[3], f8[:]", carry_sums)
    (loop,) = (op.regions[0] for op in graph.body.ops if op.name == "for")
    assert _count(loop, "accumulate_at") == 0
    a, x = np.arange(3.0), np.array([0.1, 0.2, 0.3])
    assert interpret(graph, a.copy(), x) == 0.1 + 0.2 + 0.3


def test_what_only_adds_is_added_once():
    graph = _after(summed, "f8[3], f8[:], i8", add_once)
    first, second = (op.regions[0] for op in graph.body.ops if op.name == "for")
    assert _count(first, "accumulate_at") == 0  # also if `k` is 0
    assert _count(second, "accumulate_at") == 1  # a[2] is read
    for k in range(3):
        a, x = np.arange(3.0), np.array([0.1, 0.2, 0.3])
        assert abs(interpret(graph, a.copy(), x, k) - summed(a.copy(), x, k)) < 1e-15
    # an element that may not exist is left alone where no iteration runs
    assert interpret(graph, np.arange(3.0), np.ones(0), 7) == 0.0


def pairs(a, x):
    for i in range(len(x)):
        for j in range(i + 1, len(x)):
            a[j] += x[i] * x[j]
            a[i] -= x[i] + x[j]
            if x[j] > 0.0:
                a[0] += 1.0
    return a[0] * a[1]


def backwards(a, x):
    for i in range(len(x)):
        for j in range(len(x) - 1, i, -2):
            a[j] += x[i]
            a[i] += x[j]
    return a[0] * a[1]


def test_sums_over_pairs():
    x = np.sin(np.arange(1.0, 8.0))
    for function in (pairs, backwards):
        graph = _after(function, "f8[:], f8[:]", add_once)
        inner = [op for op in graph.body.walk() if op.name == "for"][-1]
        assert _count(inner.regions[0], "accumulate_at") == 1
        found = interpret(graph, np.zeros(7), x)
        np.testing.assert_allclose(found, function(np.zeros(7), x), rtol=1e-14)


def _only(a, x):
    for i in range(len(x)):
        a[0] += x[i]
    return a[0]


def test_decided_signs():
    def function(a):
        total = 0.0
        for i in range(len(a)):
            total += a[i] if i < 0 else 2.0 * a[i - 1] if i - 1 < 0 else a[0]
        return total

    graph = _after(function, "f8[:]", decide_signs)
    comparisons = [op for op in graph.body.walk() if op.name == "lt"]
    assert len(comparisons) == 1
    assert interpret(graph, np.arange(3.0) + 1.0) == function(np.arange(3.0) + 1.0)


def scratch_in_loops(x, m):
    total, last = 0.0, np.zeros(len(x))
    for i in range(len(x)):
        row = np.full(len(x), x[i])
        other = np.zeros(m)
        for j in range(len(x)):
            cell = np.zeros((2, 3))
            cell[1, j % 3] = row[j] + 1.0
            row[j] = np.sum(cell)
        fresh = row * 2.0
        if x[i] > 0.5:
            last = fresh
        total += row[0] * row[-1] + len(other)
    return total + np.sum(last)


def test_arrays_of_one_iteration_are_made_once():
    graph = _after(scratch_in_loops, "f8[:], i8")
    graph = pipeline.schedule_loops(graph)
    reuse_buffers(graph)
    verify(graph)
    outer = max((op for op in graph.body.ops if op.name == "for"), key=_size).regions[0]
    made = [op for op in outer.walk() if op.name in ("full", "empty")]
    assert len(made) == 2  # of `m`, which may be negative where no iteration is; and `fresh`
    for n in (0, 1, 4):
        x = np.linspace(0.2, 0.9, n)
        assert interpret(graph, x, 2) == scratch_in_loops(x, 2)


def _size(op):
    return sum(1 for _ in op.regions[0].walk())


def shorter_tapes(c, t):
    """The inner loop has fewer steps than the outer one, none at most where that has none."""
    x = t * 1.0
    for j in range(len(c)):
        y = x
        for _ in range(j):
            y = y * t * c[j]
        x = x * y
    return np.sum(x)


def test_an_array_made_before_a_loop_that_never_runs():
    for n in (0, 1, 3):
        c, t = np.linspace(0.5, 0.9, n), np.ones(3)
        blocks = ad.hessian(shorter_tapes, (0, 1))(c, t)
        expected = ad.hessian(shorter_tapes, (0, 1), target="python")(c, t)
        for row, wanted in zip(blocks, expected, strict=True):
            for block, other in zip(row, wanted, strict=True):
                np.testing.assert_allclose(block, other, rtol=1e-12)


def scratch_in_branches(x):
    total, kept = 0.0, np.zeros(2)
    for i in range(len(x)):
        if x[i] > 0.5:
            pair = np.empty(2)
            pair[0] = x[i]
            pair[1] = total
            total += pair[0] * pair[1] + kept[0]
            if i % 3 == 0:
                kept = np.empty(2)
                kept[0] = total
                kept[1] = x[i]
    return total + kept[1]


def test_small_arrays_of_branches_are_made_once():
    graph = pipeline.schedule_loops(_after(scratch_in_branches, "f8[:]"))
    reuse_buffers(graph)
    verify(graph)
    (loop,) = (op for op in graph.body.ops if op.name == "for")
    assert sum(op.name == "empty" for op in loop.walk()) == 1  # what the next iteration sees
    for n in (0, 1, 7):
        x = np.linspace(0.2, 0.9, n)
        assert interpret(graph, x) == scratch_in_branches(x)

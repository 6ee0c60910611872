"""Calls that go straight to machine code: containers, arguments by name, arrays that are written."""

import copy
import dataclasses
from collections import OrderedDict, namedtuple
from typing import Any

import numpy as np
import pytest

import adcompile as ad

X = np.array([1.0, 2.0, 3.0])
Pair = namedtuple("Pair", "first second")


class Items(list):
    pass


@dataclasses.dataclass
class Model:
    w: Any
    inner: Any
    name: str = dataclasses.field(default="model", metadata={"static": True})


def summed(tree, factor):
    """What any of the structures below comes to."""
    return factor * _summed(tree)


def _summed(tree):
    total = 0.0
    if isinstance(tree, dict):
        for key in tree:
            total += _summed(tree[key])
    elif isinstance(tree, (tuple, list)):
        for part in tree:
            total += _summed(part)
    elif isinstance(tree, Model):
        total += _summed(tree.w) + 2 * _summed(tree.inner)
    elif tree is not None and not isinstance(tree, str):
        total += np.sum(tree)
    return total


STRUCTURES = [
    {"b": X, "a": 1.0},
    {"a": 1.0, "b": X},
    {"a": 1.0, "b": X, "c": 2.0},
    {"a": (1.0, None), "b": [X, {"c": 3.0}]},
    {"a": ("text", 2.0), "b": []},
    {"a": ("other text", 2.0), "b": []},
    {1: X, "1": 2.0},
    OrderedDict(b=X, a=2.0),
    [X, [2.0, (3.0,)]],
    [X, [2.0, (3.0, 4.0)]],
    Items([X, 1.0]),
    Pair(X, [1.0]),
    (X, Pair(1.0, 2.0)),
    Model(X, {"a": 2.0}),
    Model(X, {"a": 2.0}, "other model"),
    Model(X, None),
    [None, 1.0],
]


def alike(one, other):
    """Whether two results are the same containers of the same numbers."""
    if type(one) is not type(other) and not isinstance(one, (float, np.ndarray)):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(alike(one[k], other[k]) for k in one)
    if isinstance(one, (tuple, list)):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, Model):
        pairs = ((one.w, other.w), (one.inner, other.inner), (one.name, other.name))
        return all(alike(*pair) for pair in pairs)
    return np.array_equal(one, other)


def test_each_structure_keeps_its_own():
    """All of them by one function, more than have lines of their own, again and again."""
    gradient, reference = ad.grad(summed), ad.grad(summed, target="python")
    wanted = [reference(tree, 2.0) for tree in STRUCTURES]
    for _ in range(2):
        for tree, slopes in zip(STRUCTURES, wanted, strict=True):
            for _ in range(2):
                assert alike(gradient(tree, 2.0), slopes)
    assert gradient.__wrapped__ is summed
    assert len(gradient._structured) == len(STRUCTURES)


@pytest.mark.parametrize("tree", STRUCTURES)
def test_no_general_call_for_what_is_known(tree, monkeypatch):
    gradient = ad.grad(summed)
    wanted = gradient(tree, 2.0)

    def general(*_, **__):
        raise AssertionError

    monkeypatch.setattr(gradient._kind, "__call__", general)
    assert alike(gradient(tree, 2.0), wanted)
    assert alike(gradient(tree, factor=2.0), wanted)
    assert alike(gradient(factor=2.0, tree=copy.deepcopy(tree)), wanted)
    with pytest.raises(AssertionError):
        gradient([tree, tree], 2.0)


class Stubborn(dict):
    pass


@pytest.mark.parametrize(
    "changed",
    [
        {"a": 1.0}, {"a": 1.0, "c": X}, {"a": 1.0, "b": X, "c": X}, {"a": 1.0, "b": [X]},
        {"a": (1.0,), "b": X}, {"a": X, "b": 1.0}, {"a": np.float32(1), "b": X}, [1.0, X],
        OrderedDict(a=1.0, b=X), {"a": 1, "b": X}, {"a": 1.0, "b": X[:, None] * X},
    ],
)  # fmt: skip
def test_another_structure_is_compiled_for_itself(changed):
    run, reference = ad.jit(summed), ad.jit(summed, target="python")
    assert run({"a": 1.0, "b": X}, 2.0) == 14.0
    assert run(changed, 2.0) == reference(changed, 2.0)
    assert run({"a": 1.0, "b": X}, 2.0) == 14.0


def test_what_cannot_be_taken_apart_is_refused_as_before():
    gradient = ad.grad(summed)
    gradient({"a": 1.0, "b": X}, 2.0)
    for wrong in (Stubborn(a=1.0, b=X), {"a": 1.0, "b": "text"}, {"a": 1.0, "b": X.astype("O")}):
        try:
            ad.grad(summed)(wrong, 2.0)
        except (ad.AdcompileError, TypeError) as error:
            with pytest.raises(type(error)) as caught:
                gradient(wrong, 2.0)
            assert str(caught.value) == str(error)
            assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_plain_arguments_and_containers_in_turn():
    value_and_grad = ad.value_and_grad(summed)
    for _ in range(3):
        value, slopes = value_and_grad(X, 2.0)
        assert value == 12.0 and slopes.tolist() == [2.0] * 3
        for tree in ([X, 1.0], Pair(X, 1.0)):
            value, slopes = value_and_grad(tree, 2.0)
            assert value == 14.0 and type(slopes) is type(tree)
            assert slopes[0].tolist() == [2.0] * 3 and slopes[1] == 2.0


def test_containers_in_containers():
    def outermost(p):
        return np.sum(p[0])

    def nested(depth):
        whole = [X]
        for _ in range(depth):
            whole = [X, whole]
        return whole

    gradient = ad.grad(outermost)
    for depth in (5, 30):
        found = gradient(nested(depth))
        assert alike(gradient(nested(depth)), found)
        for _ in range(depth):
            found = found[1]
        assert found[0].tolist() == [float(depth == 0)] * 3
    for depth in (250, 2000):
        with pytest.raises(ad.UnsupportedSyntax, match="nested too deeply"):
            gradient(nested(depth))


def test_other_arguments_may_be_of_any_kind():
    def mixed(tree, other):
        total = 2.0 * tree["k"]
        if other is None:
            return total + 5.0
        if isinstance(other, (tuple, list)):
            return total + other[0] * len(other)
        return total + (other["k"] if isinstance(other, dict) else other)

    run, gradient, tree = ad.jit(mixed), ad.grad(mixed), {"k": 1.0}
    others = [2.0, None, (2.0,), [2.0], (2.0, None), {"k": 4.0}, 3, np.float32(2)]
    for _ in range(3):
        for other in [*others, *others[::-1]]:
            assert run(tree, other) == run(tree, other=other) == mixed(tree, other)
            assert gradient(tree, other) == {"k": 2.0}


@dataclasses.dataclass
class Counted:
    x: float
    n: Any = dataclasses.field(metadata={"static": True})


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_equal_static_values_are_told_apart(target):
    def by_class(item):
        if isinstance(item.n, tuple):
            return item.x * (7.0 if isinstance(item.n[0], int) else 8.0)
        if isinstance(item.n, bool):
            return item.x * 2.0
        return item.x * (3.0 if isinstance(item.n, int) else 5.0)

    def by_key(d):
        total = 0.0
        for key in d:
            total += d[key] * (2.0 if isinstance(key, bool) else 3.0)
        return {**d, "total": total}

    run, keys = ad.jit(by_class, target=target), ad.jit(by_key, target=target)
    for _ in range(2):
        for n in (1, True, 1.0, (1,), (1.0,)):
            for _ in range(2):
                assert run(Counted(2.0, n)) == by_class(Counted(2.0, n))
        for key in (1, True, 1.0, "1"):
            for _ in range(2):
                found = keys({key: 2.0})
                assert found == by_key({key: 2.0})
                assert [type(k) for k in found] == [type(key), str]


def test_static_fields_are_compared():
    def powered(model, x):
        return np.sum(model.w * x) if model.name == "model" else np.sum(model.w * x * x)

    gradient = ad.grad(powered)
    for _ in range(2):
        np.testing.assert_array_equal(gradient(Model(X, None), X).w, X)
        found = gradient(Model(X, None, "other"), X)
        np.testing.assert_array_equal(found.w, X * X)
        assert found.name == "other" and found.inner is None


def test_a_field_that_is_not_there():
    gradient = ad.grad(summed)
    whole, part = Model(X, [1.0]), Model(X, [1.0])
    del part.name
    for _ in range(2):
        for model in (whole, part):
            assert gradient(model, 2.0).inner == [4.0]
        assert gradient(whole, 2.0).name == "model"


def test_results_are_containers_each_time():
    def several(x, y):
        return {"sum": x + y, "rest": [x * y, None, "text"], "none": ()}

    run = ad.jit(several)
    for x in (1.0, 2.0, 3, np.float32(2), X, X):
        for _ in range(2):
            found = run(x, 2.0)
            assert list(found) == ["sum", "rest", "none"]
            np.testing.assert_array_equal(found["sum"], x + 2.0)
            np.testing.assert_array_equal(found["rest"][0], x * 2.0)
            assert found["rest"][1:] == [None, "text"] and found["none"] == ()
    assert run(X, X)["sum"] is not run(X, X)["sum"]
    assert run(X, np.ones(1))["sum"].tolist() == [2.0, 3.0, 4.0]
    with pytest.raises(ad.ShapeError, match=r"x \+ y"):
        run(X, np.ones(2))


def test_errors_of_containers_name_the_line():
    def loss(p):
        return np.sum(p["a"] * p["b"])

    gradient = ad.grad(loss)
    for _ in range(2):
        np.testing.assert_array_equal(gradient({"a": X, "b": X})["b"], X)
        with pytest.raises(ad.ShapeError, match=r'np\.sum\(p\["a"\] \* p\["b"\]\)'):
            gradient({"a": X, "b": X[1:]})
        assert gradient({"a": X, "b": np.ones(1)})["b"].tolist() == [6.0]


@pytest.mark.parametrize("pack", [lambda x, y: (x, y), lambda x, y: ({"x": x, "y": [y]},)])
def test_extents_of_one(pack, monkeypatch):
    """Their own machine code is found by the extents; what fits neither is refused."""

    def of_two(x, y):
        return np.sum(x * y)

    def of_one(tree):
        return np.sum(tree["x"] * tree["y"][0])

    function = of_one if len(pack(X, X)) == 1 else of_two
    gradient, reference = (ad.grad(function, target=target) for target in ("cpu", "python"))
    table = np.outer(X, X[:2])
    cases = [(table, table), (table, X[:, None]), (table, X[None, :2]), (table, np.ones((1, 1)))]
    cases += [(b, a) for a, b in cases] + [(X[:, None], X[None, :]), (np.ones((1, 1)),) * 2]
    wanted = [reference(*pack(*case)) for case in cases]

    def found(slopes):
        return slopes if isinstance(slopes, np.ndarray) else slopes["x"]

    for _ in range(2):
        for case, slopes in zip(cases, wanted, strict=True):
            np.testing.assert_allclose(found(gradient(*pack(*case))), found(slopes))
        with pytest.raises(ad.ShapeError):
            gradient(*pack(table, np.ones((2, 2))))
    gradient = ad.grad(function)
    for case in cases[:3]:
        gradient(*pack(*case))
    for name in ("_after_failed_check", "_call_structured", "_call_with_care"):
        monkeypatch.setattr(ad.function.CompiledFunction, name, None)
    for case, slopes in zip(cases[:3], wanted, strict=False):
        np.testing.assert_allclose(found(gradient(*pack(*case))), found(slopes))


def step(w, x, rate):
    for i in range(len(x)):
        w[i] -= rate * x[i]


def test_arrays_that_are_written():
    update = ad.jit(step, inplace=("w",))
    for make in (np.zeros, lambda n: np.zeros(2 * n)[::2], lambda n: np.zeros(2 * n)[::-2]):
        memory = make(6)
        for _ in range(3):
            w = memory[:3]
            update(w, X, 0.5)
            update(w, memory[3:], 0.5)
        np.testing.assert_array_equal(w, -1.5 * X)
        for other in (w, memory[2:5], memory[1:3], memory[2::-1]):
            with pytest.raises(ad.TypeMismatch, match="share memory, and `step` writes `w`"):
                update(w, other, 0.5)
        np.testing.assert_array_equal(w, -1.5 * X)
    with pytest.raises(ad.TypeMismatch, match="read-only"):
        fixed = np.zeros(3)
        fixed.flags.writeable = False
        update(fixed, X, 0.5)
    update(memory[:0], memory[:0], 0.5)
    update(memory[3:], np.zeros((0,)), 0.5)


def test_arrays_that_only_some_types_write():
    def sometimes(x, y):
        if x.ndim == 2:
            x[0, 0] = 2 * y[0, 0]
        return np.sum(x * y)

    table = np.arange(1.0, 7.0).reshape(2, 3)
    for inplace in ((), ("x",)):
        run = ad.jit(sometimes, inplace=inplace)
        for _ in range(2):
            assert run(X, X) == 14.0
            for _ in range(2):
                with pytest.raises(ad.TypeMismatch, match="share memory"):
                    run(table, table)
            assert table[0, 0] == 1.0
            assert run(table.copy(), table) == 92.0
        fixed = table.copy()
        fixed.flags.writeable = False
        if inplace:
            with pytest.raises(ad.TypeMismatch, match="read-only"):
                run(fixed, table)
        else:
            assert run(fixed, table) == 92.0


def test_the_first_call_refuses_before_it_writes():
    update = ad.jit(step, inplace=("w",))
    memory = np.zeros(3)
    with pytest.raises(ad.TypeMismatch, match="share memory"):
        update(memory, memory, 0.5)
    update(memory[:1], np.ones(1), 0.5)
    assert memory.tolist() == [-0.5, 0.0, 0.0]


def test_arrays_between_each_other():
    def shift(a, b):
        for i in range(len(a)):
            for j in range(a.shape[1]):
                a[i, j] += b[i, j]

    update = ad.jit(shift, inplace=("a",))
    table = np.arange(24.0).reshape(4, 6)
    update(table[:, :3].copy(), table[:, 3:].copy())
    with pytest.raises(ad.TypeMismatch, match="share memory"):
        update(table[:, :3], table[:, 3:])  # between the first byte and the last
    before = table.copy()
    update(table[:2], table[2:])
    np.testing.assert_array_equal(table[:2], before[:2] + before[2:])


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_what_is_written_is_written_once(target):
    """An extent of 1 that only the run can know is known before it writes."""

    def twice_written(x, y, n):
        x[:] = x + 1.0
        if n > 1:
            x[:] = x * y
        return np.sum(x)

    run = ad.jit(twice_written, inplace=("x",), target=target)
    for y in (np.array([1.5]), 2 * X, np.array([1.5]), np.array([2.0])):
        for n in (1, 2):
            for _ in range(2):
                x, wanted = np.arange(3.0), np.arange(3.0)
                assert run(x, y, n) == twice_written(wanted, y, n)
                np.testing.assert_array_equal(x, wanted)
    x = np.arange(3.0)
    with pytest.raises((ad.ShapeError, ValueError), match=r"must be equal|broadcast"):
        run(x, np.ones(2), 2)
    assert x.tolist() in ([1.0, 2.0, 3.0], [0.0, 1.0, 2.0])


def test_containers_that_are_written():
    def descend(p, x, rate):
        p["w"] -= rate * x
        p["b"][0] -= rate
        return np.sum(p["w"])

    run = ad.jit(descend, inplace=("p",))
    p = {"w": np.zeros(3), "b": np.zeros(1)}
    for k in range(1, 4):
        assert run(p, X, 0.5) == -3.0 * k
    assert p["b"][0] == -1.5
    memory = np.zeros(4)
    with pytest.raises(ad.TypeMismatch, match="share memory"):
        run({"w": memory[:3], "b": memory[2:3]}, X, 0.5)
    assert not memory.any()


@pytest.mark.parametrize("count", [20, 50])
def test_many_arrays_that_are_written(count):
    def descend(p, rate):
        for w in p:
            w -= rate

    run = ad.jit(descend, inplace=("p",))
    p = [np.zeros(2) for _ in range(count)]
    for _ in range(3):
        run(p, 0.5)
    assert all(w.tolist() == [-1.5, -1.5] for w in p)
    with pytest.raises(ad.TypeMismatch, match="share memory"):
        run([*p[1:], p[1]], 0.5)


def test_arguments_by_name():
    def weighted(x, y, factor=2.0, power=2):
        return factor * x**power + y

    def full(x, y):
        return x * x * y

    for function, calls in (
        (full, [((3.0, 2.0), {}), ((3.0,), {"y": 2.0}), ((), {"y": 2.0, "x": 3.0}), ((3,), {"y": 2})]),
        (weighted, [
            ((3.0, 1.0), {}), ((3.0,), {"y": 1.0}), ((3.0, 1.0), {"power": 3}),
            ((3.0, 1.0, 4.0, 3), {}), ((), {"y": 1.0, "x": 2.0, "factor": 5.0}),
        ]),
    ):  # fmt: skip
        run = ad.jit(function)
        for _ in range(3):
            for args, kwargs in calls:
                assert run(*args, **kwargs) == function(*args, **kwargs)
        for args, kwargs in (
            ((), {}), ((1.0,), {}), ((1.0,) * 5, {}), ((1.0, 2.0), {"x": 1.0}), ((1.0,), {"z": 2.0}),
        ):  # fmt: skip
            with pytest.raises(ad.TypeMismatch, match=rf"`{function.__name__}\(x, y"):
                run(*args, **kwargs)


def test_names_of_arguments_are_free():
    def odd(made, run, other, flat, own, args, kwargs):
        return made * run * other["flat"] * flat * own * args * kwargs

    gradient = ad.grad(odd)
    for _ in range(3):
        assert gradient(1.0, 2.0, {"flat": 3.0}, 1.0, 1.0, args=2.0, kwargs=1.0) == 12.0


def test_integers_beyond_63_bits_are_of_a_type_of_their_own():
    scaled = ad.grad(lambda n, x: n * x, 1)
    assert scaled(1, 2.0) == 1.0
    for call in (lambda n: scaled(n, 2.0), lambda n: scaled(n=n, x=2.0)):
        assert call(2**63) == 2.0**63
        for beyond in (2**64, -(2**63) - 1):
            with pytest.raises(ad.TypeMismatch, match=r"argument `n` .* beyond 64 bits"):
                call(beyond)


def test_an_array_and_a_tuple_after_each_other():
    gradient = ad.grad(lambda q: q[0] * q[1])
    np.testing.assert_array_equal(gradient(np.array([2.0, 3.0])), [3.0, 2.0])
    assert gradient((2.0, 3.0)) == (3.0, 2.0)
    assert gradient([2.0, 3.0]) == [3.0, 2.0]
    np.testing.assert_array_equal(gradient(np.array([2.0, 3.0])), [3.0, 2.0])


def test_foreign_bytes_are_refused_after_unaligned_ones():
    unaligned = np.zeros(33, dtype="u1")[1:].view("f8").reshape(2, 2)
    unaligned[:] = 1.0
    gradient = ad.grad(lambda x: np.sum(x * x))
    np.testing.assert_array_equal(gradient(unaligned), 2.0 * unaligned)
    with pytest.raises(ad.TypeMismatch, match="foreign byte order"):
        gradient(np.ones((2, 2)).astype(">f8"))

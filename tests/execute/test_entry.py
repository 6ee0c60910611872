"""Calls from Python that go straight to machine code: what they accept, give back, and hand on."""

import gc
import pickle
import subprocess
import sys
import traceback
import weakref

import numba
import numpy as np
import pytest
from numba.core.runtime import _nrt_python, rtsys

import adcompile as ad
from adcompile.execute.cpu import compile_for, compile_source
from adcompile.execute.entry import entered


class Other(Exception):
    """A call was handed on."""


def hand_on(*args, **kwargs):
    raise Other(args, kwargs)


def entry_for(function, *args):
    """The entry that a first call makes; calls that it does not take raise `Other`."""
    function = ad.jit(function)
    function(*args)
    (result,) = function._fitted.overloads.values()
    entry = entered(result, hand_on, hand_on)
    assert entry is not hand_on
    return entry


def twice(x):
    return x + x


def first(x, k):
    return x[k], k + 1


FLOATS = np.arange(6.0).reshape(2, 3)


class Float(float):
    pass


class Array(np.ndarray):
    pass


def read_only(x):
    x.flags.writeable = False
    return x


def unaligned(x):
    return np.frombuffer(b"0" + x.tobytes(), x.dtype, offset=1).reshape(x.shape)


NUMBERS = [
    (1.5, [np.float64(2.0)], [1, True, 1j, np.float32(1), Float(1), np.array(1.0), "1", None]),
    (3, [np.int64(-4), -5, 2**61], [1.0, True, np.int32(1), np.uint64(1), 2**63, -(2**70), 1j]),
    (True, [np.bool_(False), False], [1, 0.0, np.int8(1)]),
    (1 + 2j, [np.complex128(3j)], [1.0, np.complex64(1j)]),
    (np.float32(1.5), [np.float32(2)], [1.5, np.float64(1.5), np.float16(1)]),
    (np.complex64(1.5j), [np.complex64(2)], [1j, np.complex128(1.5)]),
    (np.int32(7), [np.int32(-8)], [7, np.int64(7), np.uint32(7)]),
    (np.uint8(7), [np.uint8(8)], [7, np.int8(7)]),
    (FLOATS, [FLOATS[1:], FLOATS + 1, np.zeros((0, 3)), FLOATS[:1]], [
        FLOATS.T, FLOATS[:, ::2], FLOATS[0], FLOATS.astype("f4"), FLOATS.astype(">f8"),
        FLOATS.view(Array), np.ma.masked_array(FLOATS), read_only(FLOATS.copy()),
        unaligned(FLOATS), FLOATS.tolist(), 1.0, (FLOATS,),
    ]),
    (FLOATS.T, [(FLOATS + 1).T], [FLOATS, FLOATS[:, ::2], FLOATS.ravel()]),
    (FLOATS[:, ::2], [FLOATS[::-1, ::-1], FLOATS[:, :2]], [FLOATS, FLOATS.T]),
    (read_only(FLOATS.copy()), [read_only(FLOATS + 1)], [FLOATS]),
    (np.arange(4, dtype="i4"), [np.arange(5, dtype="i4")], [np.arange(4), np.arange(4.0)]),
]  # fmt: skip


@pytest.mark.parametrize(("made_for", "taken", "handed_on"), NUMBERS)
def test_only_arguments_of_its_types_are_taken(made_for, taken, handed_on):
    entry = entry_for(twice, made_for)
    for item in [made_for, *taken]:
        np.testing.assert_array_equal(entry(item), twice(item))
    for item in handed_on:
        with pytest.raises(Other) as caught:
            entry(item)
        assert caught.value.args[0][0] is item


def test_tuples_are_looked_into():
    def inside(p):
        (x, k), y = p
        return x[k] * y

    entry = entry_for(inside, ((FLOATS[0], 1), 2.0))
    assert entry(((FLOATS[1], 2), 3.0)) == 15.0
    for parts in (((FLOATS, 1), 2.0), ((FLOATS[0], 2**63), 2.0), ((FLOATS[0], 1.0), 2.0)):
        with pytest.raises(Other):
            entry(parts)
    for whole in (([FLOATS[0], 1], 2.0), ((FLOATS[0], 1),), ((FLOATS[0], 1), 2.0, 3.0)):
        with pytest.raises(Other):
            entry(whole)


def test_calls_of_another_form_are_handed_on_as_they_are():
    entry = entry_for(first, FLOATS[0], 1)
    assert entry(FLOATS[1], 2) == (5.0, 3)
    for args, kwargs in (((FLOATS[0],), {}), ((1, 2, 3), {}), ((FLOATS[0],), {"k": 1}), ((), {})):
        with pytest.raises(Other) as caught:
            entry(*args, **kwargs)
        assert caught.value.args == (args, kwargs)


def written(text, *args):
    """The entry of a function that is not adcompile's: whose results may be parts of arguments."""
    dispatcher = compile_source(text, "made", cache=False)
    entry = entered(compile_for(dispatcher, tuple(map(numba.typeof, args))), hand_on, hand_on)
    assert entry is not hand_on
    return entry


def test_arguments_by_name():
    text = "def made(a, b, c):\n    return a * 100 + b * 10 + c\n"
    compiled = compile_for(compile_source(text, "made", cache=False), (numba.int64,) * 3)
    entry = entered(compiled, hand_on, hand_on, ("a", "b", "c"))
    assert entry(1, 2, c=3) == entry(1, c=3, b=2) == entry(b=2, c=3, a=1) == entry(1, 2, 3) == 123
    assert entry(**{"".join(["c"]): 3, "a": 1, "b": 2}) == 123
    for args, kwargs in (
        ((1, 2), {"b": 3}), ((1, 2), {"d": 3}), ((1, 2, 3), {"a": 3}), ((1,), {"b": 2}),
        ((1, 2), {"c": 3.0}), ((), {"a": 1, "b": 2, "d": 3}), ((1, 2, 3, 4), {}),
    ):  # fmt: skip
        with pytest.raises(Other) as caught:
            entry(*args, **kwargs)
        assert caught.value.args == (args, kwargs)
    unnamed = entered(compiled, hand_on, hand_on)
    assert unnamed(1, 2, 3) == 123
    with pytest.raises(Other):
        unnamed(1, 2, c=3)


def test_what_is_given_back():
    entry = written(
        "import numpy as np\n\n\ndef made(x, n):\n    return (x, x[1:], n > 1, np.zeros(3), "
        "np.zeros((n, 200)), (np.ones(2) * x[0], n))\n", np.arange(4.0), 2,
    )  # fmt: skip
    for n in (0, 1, 5):
        x = np.arange(1.0, 4.0)
        own, part, flag, small, large, (ones, number) = entry(x, n)
        assert own is x
        assert np.shares_memory(part, x) and part.tolist() == [2.0, 3.0]
        assert flag is (n > 1) and number == n
        assert small.flags.owndata and small.flags.writeable and small.tolist() == [0.0] * 3
        assert large.shape == (n, 200) and not large.any()
        assert ones.tolist() == [1.0, 1.0]
        del x, own
        gc.collect()
        assert part.tolist() == [2.0, 3.0]


def test_an_array_that_is_given_back_twice_is_one_memory():
    entry = written("def made(x):\n    y = x * 2\n    return y, y, y[:2]\n", np.ones(3))
    one, same, part = entry(np.arange(3.0))
    one[0] = 7.0
    assert same[0] == part[0] == 7.0


def test_a_function_may_give_nothing():
    assert written("def made(x):\n    x[0] = 1.0\n", np.ones(3))(np.zeros(3)) is None


def test_a_row_of_a_larger_array_keeps_its_numbers():
    def last(x):
        y = np.outer(x, x)
        return y[-1], y.T

    x = np.arange(1.0, 4.0)
    row, turned = entry_for(last, x)(x)
    gc.collect()
    np.testing.assert_array_equal(row, 3 * x)
    np.testing.assert_array_equal(turned, np.outer(x, x))


@pytest.mark.parametrize("kind", ["f4", "f8", "c8", "c16", "i4", "i8", "u1", "?"])
@pytest.mark.parametrize("shape", [(3,), (0,), (2, 3), (200, 3)])
def test_arrays_of_each_kind(kind, shape):
    def kept(x):
        return x.copy()

    x = np.arange(np.prod(shape)).reshape(shape).astype(kind)
    y = entry_for(kept, x)(x)
    assert y.dtype == x.dtype and y.dtype is np.dtype(kind)
    np.testing.assert_array_equal(y, x)


@pytest.fixture
def counting():
    """The memory that compiled code asks for, and gives back, is counted."""
    before = _nrt_python.memsys_stats_enabled()
    _nrt_python.memsys_enable_stats()
    yield rtsys.get_allocation_stats
    if not before:
        _nrt_python.memsys_disable_stats()


def test_nothing_is_left_behind(counting):
    def work(x, n, p):
        return x, x[1:], np.zeros(2), np.zeros(500) + np.linalg.solve(p[0], p[1])[0] * n

    x, p, singular = np.ones(4), (np.eye(2), np.ones(2)), (np.zeros((2, 2)), np.ones(2))
    function = ad.jit(work)
    function(x, 1, p)
    (result,) = function._fitted.overloads.values()
    entry = entered(result, hand_on, hand_on)

    def kept(call, args, error=None, times=100):
        """References and pieces of memory that a call leaves, on average."""
        counted = [x, *p, *singular, np.dtype("f8"), np.ndarray, entry]
        before = [counting(), *map(sys.getrefcount, counted)]
        for _ in range(times):
            if error is None:
                call(*args)
            else:
                with pytest.raises(error):
                    call(*args)
        gc.collect()
        after = [counting(), *map(sys.getrefcount, counted)]
        memory = [stats.mi_alloc - stats.mi_free for stats in (before[0], after[0])]
        pairs = zip([*before[1:], memory[0]], [*after[1:], memory[1]], strict=True)
        return [(new - old) // times for old, new in pairs]

    kept(entry, (x, 1, p))
    assert not any(kept(entry, (x, 1, p)))
    assert not any(kept(entry, (x, 1.0, p), Other))
    # an error leaves what the machine code had at hand then, however it was called
    ours = kept(entry, (x, 1, singular), Other)
    assert ours == kept(result.entry_point, (x, 1, singular), np.linalg.LinAlgError)


def test_arrays_with_a_description_of_their_own_are_taken():
    entry = entry_for(twice, FLOATS)
    for other in (pickle.loads(pickle.dumps(FLOATS)), FLOATS.astype(np.dtype("f8", metadata={}))):
        np.testing.assert_array_equal(entry(other), twice(FLOATS))
    entry = entry_for(twice, np.arange(3))
    with pytest.raises(Other):
        entry(np.arange(3, dtype=np.longlong))


def test_an_error_keeps_the_line_that_raised_it():
    def checked(x):
        if x[0] < 0:
            raise KeyError("negative")
        return x * 2

    function = ad.jit(checked)
    function(FLOATS[0] + 1)
    with pytest.raises(KeyError) as caught:
        function(FLOATS[0] - 1)
    (note,) = caught.value.__notes__
    assert note.startswith("in `checked`, compiled from ") and "test_entry.py:" in note
    lines = traceback.format_tb(caught.value.__traceback__)
    assert "raise KeyError('negative')" in lines[-1] or 'raise KeyError("negative")' in lines[-1]


def test_an_error_goes_with_the_arguments():
    def solved(a, b):
        return np.linalg.solve(a, b)

    function = ad.jit(solved)
    function(np.eye(2), np.ones(2))
    (result,) = function._fitted.overloads.values()
    seen = []
    entry = entered(result, hand_on, lambda error, args: seen.append((error, args)) or "instead")
    a, b = np.zeros((2, 2)), np.ones(2)
    assert entry(a, b) == "instead"
    ((error, args),) = seen
    assert isinstance(error, np.linalg.LinAlgError) and args[0] is a and args[1] is b
    with pytest.raises(np.linalg.LinAlgError, match=r"[Ss]ingular"):
        function(a, b)


def test_shapes_that_do_not_fit_name_the_line():
    def mixed(x, y):
        return np.sum(x * y)

    gradient = ad.grad(mixed)
    x = np.arange(3.0)
    np.testing.assert_array_equal(gradient(x, x), x)
    with pytest.raises(ad.ShapeError, match=r"np\.sum\(x \* y\)"):
        gradient(x, np.ones(2))
    np.testing.assert_array_equal(gradient(x, np.ones(1)), np.ones(3))  # compiled anew
    np.testing.assert_array_equal(gradient(x, x + 1), x + 1)


def test_all_types_of_calls_stay_known():
    function = ad.jit(twice)
    kinds = [1.0, 1, True, 1j, np.float32(1), np.int32(1), np.uint8(1), np.ones(1), np.ones((1, 1))]
    for _ in range(2):
        for item in [*kinds, np.array(2.0), np.memmap]:
            if item is np.memmap:
                with pytest.raises(ad.TypeMismatch):
                    function(item)
            else:
                np.testing.assert_array_equal(function(item), twice(item))
    assert len(function._fitted.overloads) == len(kinds)


def test_arguments_may_be_left_out():
    def scaled(x, factor=2.0, power=2):
        return factor * x**power

    gradient = ad.grad(scaled)
    for args in ((3.0,), (3.0, 4.0), (3.0, 4.0, 3), (np.float32(3),)):
        for _ in range(3):
            assert gradient(*args) == ad.grad(scaled, target="python")(*args)
    assert gradient(3.0, power=1) == 2.0


def test_a_function_goes_when_nothing_holds_it():
    def local(x):
        return x * x

    gradient = ad.grad(local)
    gradient(1.0)
    gone = weakref.ref(gradient)
    call = type(gradient).__dict__["__call__"].__func__
    assert call(3.0) == 6.0
    del gradient
    gc.collect()
    assert gone() is not None and call(3.0) == 6.0  # as a method holds its object
    del call
    gc.collect()
    assert gone() is None


def test_machine_code_from_the_disk_has_its_entry(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import numpy as np, adcompile as ad\n"
        "def loss(x):\n    return np.sum(x ** 3)\n"
        "g = ad.value_and_grad(loss)\n"
        "print(*(g(np.ones(k))[1].tolist() for k in (1, 2, 3)))\n"
        "print(type(type(g).__dict__['__call__'].__func__).__name__)\n"
    )
    for _ in range(2):
        output = subprocess.run(
            [sys.executable, script], capture_output=True, text=True, check=True,
            env={"PATH": "/usr/bin:/bin", "ADCOMPILE_CACHE_DIR": str(tmp_path / "cache")},
        ).stdout.split("\n")  # fmt: skip
        assert output[:2] == ["[3.0] [3.0, 3.0] [3.0, 3.0, 3.0]", "builtin_function_or_method"]


def test_compiled_code_calls_what_python_calls():
    gradient = ad.grad(lambda x: np.sum(x * x))
    x = np.arange(3.0)
    np.testing.assert_array_equal(gradient(x), 2 * x)

    @numba.njit
    def outer(x):
        return gradient(x)[1] + 1

    assert outer(x) == 3.0

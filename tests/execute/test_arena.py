"""Memory of a recorded call, handed out again; no device is needed."""

import numpy as np
import pytest

import adcompile as ad
from adcompile.execute import arena
from adcompile.execute.arena import Arena, forgotten_if_it_fails


def _empty(shape, dtype=np.float32):
    """As kernels' host functions ask for memory."""
    used = arena.current()
    make = lambda: np.empty(shape, dtype)
    return make() if used is None else used.take(shape, dtype, make)


def _call(count=2):
    return [_empty((3, k + 1)) for k in range(count)]


def test_replayed_calls_get_the_recorded_memory():
    memory = Arena()
    with memory.recording():
        first = _call()
    assert first[0] is not first[1]
    for _ in range(2):
        with memory.replaying("queue"):
            assert arena.current() is memory
            assert memory.stream == "queue"
            again = _call()
        assert [id(a) for a in again] == [id(a) for a in first]
    assert memory.stream == 0
    assert arena.current() is None
    assert _call()[0] is not first[0]


def test_no_two_arrays_of_a_call_share_memory():
    memory = Arena()
    with memory.recording():
        _empty((2,))[...] = 1  # nobody refers to it any more
        other = _empty((2,))
    with memory.replaying(0):
        first = _empty((2,))
        assert _empty((2,)) is other
    assert not np.shares_memory(first, other)


@pytest.mark.parametrize(
    ("again", "message"),
    [
        (lambda: _call(1), "1 arrays, not 2"),
        (lambda: _call(3), "more than 2 arrays"),
        (lambda: _empty((4, 1)), r"float32 of shape \(4, 1\), not an array of float32"),
        (lambda: _empty((3, 1), np.float64), "an array of float64"),
    ],
)
def test_other_requests_are_errors(again, message):
    memory = Arena()
    with memory.recording():
        _call()
    with pytest.raises(ad.errors.DeviceError, match=message):
        with memory.replaying(0):
            again()
    with memory.replaying(0):
        _call()


def test_a_call_that_fails_leaves_nothing():
    memory = Arena()
    with memory.recording():
        kept = _empty((1,))
        with pytest.raises(ValueError, match="extents"), forgotten_if_it_fails():
            _call()
            raise ValueError("extents")
        other = _empty((5,))
    with memory.replaying(0):
        assert _empty((1,)) is kept
        assert _empty((5,)) is other


def test_an_error_of_the_call_is_the_one_that_is_seen():
    memory = Arena()
    with memory.recording():
        _call()
    with pytest.raises(ZeroDivisionError):
        with memory.replaying("queue"):
            raise ZeroDivisionError
    assert memory.stream == 0
    assert arena.current() is None

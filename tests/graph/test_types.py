"""Types: texts, runtime values, promotion as in NumPy 2."""

import itertools

import numpy as np
import pytest

from adcompile.errors import TypeMismatch
from adcompile.graph.types import Scalar, parse_types, promote, type_of, type_text


@pytest.mark.parametrize(
    "text",
    [
        "f8",
        "f4",
        "i8",
        "b1",
        "f8[::1]",
        "f8[:, ::1]",
        "f4[::1, :]",
        "f8[:, :]",
        "(f8, (i8, f4[::1]))",
    ],
)
def test_texts_are_read_and_written(text):
    (type_,) = parse_types(text)
    assert type_text(type_) == text


def test_several_types_and_known_extents():
    first, second = parse_types("float64[3, :], (f8, i8)")
    assert first.shape[0] == 3 and first.dtype == "float64"
    assert second == (Scalar("float64", True), Scalar("int64", True))


@pytest.mark.parametrize("text", ["double", "f8[", "c32", "f8]", "[f8]"])
def test_wrong_texts(text):
    with pytest.raises(TypeMismatch):
        parse_types(text)


def test_layouts_of_runtime_arrays():
    x = np.ones((2, 3))
    assert [type_of(a).layout for a in (x, x.T, x[:, ::2])] == ["C", "F", "A"]


@pytest.mark.parametrize("value", [np.clongdouble(1j), object(), {1.0}, np.ones(2, ">f8")])
def test_unsupported_values(value):
    with pytest.raises(TypeMismatch):
        type_of(value)


_STRONG = ["float32", "float64", "int32", "int64", "uint8", "complex64", "complex128"]


@pytest.mark.parametrize(("one", "other"), list(itertools.product(_STRONG, _STRONG)))
def test_promotion_of_arrays(one, other):
    wanted = np.result_type(np.ones(1, one), np.ones(1, other)).name
    assert promote([Scalar(one), Scalar(other)]) == (wanted, False)


@pytest.mark.parametrize(("dtype", "number"), list(itertools.product(_STRONG, [2, 2.5, True, 1j])))
def test_python_numbers_are_weak(dtype, number):
    wanted = (np.ones(1, dtype) + number).dtype.name
    assert promote([Scalar(dtype), type_of(number)])[0] == wanted


def test_weak_with_weak_stays_weak():
    assert promote([type_of(1), type_of(2.0)]) == ("float64", True)

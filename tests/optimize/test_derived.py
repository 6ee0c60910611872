"""Arrays of what is quickly computed of other arrays' elements: gone where they may be."""

import numpy as np
import pytest

import adcompile as ad

X = np.sin(np.arange(1.0, 12.0))


def neighbours(y, z):
    total = 0.0
    for i in range(1, len(y) - 1):
        total += y[i - 1] * z[i + 1] + z[i]
    return total


def scaled(x, c):
    y, z = np.empty(len(x)), np.empty(len(x))
    for i in range(len(x)):
        y[i] = np.sin(x[i])
        z[i] = c * y[i]
    total = 0.0
    for i in range(1, len(x) - 1):
        total += y[i - 1] * z[i + 1] + np.cos(z[-i])
    return total


def moved(x, c):
    """Two operations on an element; rows that every sweep fills anew."""
    y, z = np.empty(len(x)), np.empty(len(x))
    total = 0.0
    for k in range(3):
        for i in range(len(x)):
            y[i] = np.sin(x[i] * k)
            z[i] = 1.0 - c * y[i]
        for i in range(2, len(x)):
            total += y[i - 2] * z[i] + z[i - 1] * y[i - 1] * z[i]
    return total


def read_between(x, c):
    """Reads what the last sweep has stored, when the other array is already new."""
    y, z = np.zeros(len(x)), np.empty(len(x))
    for i in range(len(x)):
        z[i] = 0.5
    total = 0.0
    for k in range(3):
        for i in range(len(x)):
            y[i] = np.sin(x[i] * k)
            total += z[i] * y[i - 1]
            z[i] = c * y[i]
    return total


def read_between_in_a_loop(x, c):
    y, z = np.empty(len(x)), np.empty(len(x))
    total = 0.0
    for k in range(1, 4):
        for i in range(len(x)):
            y[i] = np.sin(x[i] * k)
            for j in range(i if k == 1 else len(x)):
                total += z[j] * y[i]
            z[i] = c * y[i]
    return total


def by_another_number(x, c):
    """The factor is not the same for all elements."""
    y, z = np.empty(len(x)), np.empty(len(x))
    for i in range(len(x)):
        y[i] = np.sin(x[i])
        z[i] = x[i] * y[i]
    total = 0.0
    for i in range(1, len(x) - 1):
        total += y[i - 1] * z[i + 1] * c + z[i] * y[i]
    return total


def by_a_later_number(x, c):
    """The factor is not known where the arrays are made."""
    y, z = np.empty(len(x)), np.empty(len(x))
    total = 0.0
    for k in range(3):
        factor = np.cos(c * k + total)
        for i in range(len(x)):
            y[i] = np.sin(x[i])
            z[i] = factor * y[i]
        for i in range(2, len(x)):
            total += y[i - 2] * z[i] + z[i - 1]
    return total


def of_another_length(x, c):
    y, z = np.empty(len(x)), np.empty(len(x) + 1)
    z[len(x)] = c
    for i in range(len(x)):
        y[i] = np.sin(x[i])
        z[i] = c * y[i]
    total = 0.0
    for i in range(1, len(x) - 1):
        total += y[i - 1] * z[-i]
    return total


def in_single_precision(x, c):
    """What is stored is rounded."""
    y, z = np.empty(len(x), dtype=np.float32), np.empty(len(x))
    for i in range(len(x)):
        wave = np.sin(x[i])
        y[i] = wave
        z[i] = c * wave
    return neighbours(y, z)


def written_once_more(x, c):
    y, z = np.empty(len(x)), np.empty(len(x))
    for i in range(len(x)):
        y[i] = np.sin(x[i])
        z[i] = c * y[i]
    z[len(x) // 2] = 3.0
    return neighbours(y, z)


def handed_out(x, c):
    y, z = np.empty(len(x)), np.empty(len(x))
    for i in range(len(x)):
        y[i] = np.sin(x[i])
        z[i] = c * y[i]
    return neighbours(y, z) + np.sort(z)[1]


GONE = [scaled, moved]
KEPT = [
    read_between, read_between_in_a_loop, by_another_number, by_a_later_number,
    of_another_length, in_single_precision, written_once_more, handed_out,
]  # fmt: skip


def without(function):
    return ad.jit(function, passes={"derive_elements": False})


def arrays_in(derived):
    return derived.source(X, 0.7, stage="compiled").count("np.empty(")


@pytest.mark.parametrize("function", GONE + KEPT)
def test_values_stay_the_same(function):
    for transform in (ad.jit, lambda f, **kwargs: ad.value_and_grad(f, (0, 1), **kwargs)):
        found, wanted = transform(function), transform(function, passes={"derive_elements": False})
        plain = transform(function, target="python")
        for n in range(2, len(X)):
            args = X[:n].copy(), 0.7
            if function is not read_between_in_a_loop:  # it reads what is not there, at first
                np.testing.assert_allclose(flat(found(*args)), flat(plain(*args)), rtol=1e-11)
            np.testing.assert_allclose(flat(found(*args)), flat(wanted(*args)), rtol=1e-12)


def flat(result):
    return np.concatenate([np.ravel(part) for part in _leaves(result)])


def _leaves(result):
    return (
        [leaf for part in result for leaf in _leaves(part)]
        if isinstance(result, tuple)
        else [result]
    )


@pytest.mark.parametrize("function", GONE)
def test_gone(function):
    assert arrays_in(ad.jit(function)) < arrays_in(without(function))


@pytest.mark.parametrize("function", KEPT)
def test_kept(function):
    assert arrays_in(ad.jit(function)) == arrays_in(without(function)) > 0

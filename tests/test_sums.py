"""`sum` of what is written out, and of what only the run counts."""

import numpy as np
import pytest

import adcompile as ad

X = np.cos(np.arange(1.0, 8.0))


def start_with_effects(x):
    a = x.copy()

    def get():
        a[0] = a[0] * 2.0
        return a[0]

    return sum((v * v for v in (x[0], x[1])), get()) + a[0]


def items_with_effects(x):
    a = x.copy()

    def get():
        a[0] = a[0] * 2.0
        return (a[0], a[1], x[2])

    return sum(v * v for v in get()) + a[0]


def taken_from_a_list(x):
    items = [x[0], x[1], x[2]]
    total = sum((v * v for v in (x[0], x[1])), items.pop())
    return total + items[-1]


def truths(x):
    counted = sum(x[k] > -2.0 for k in range(3)) + sum([x[0] > -2.0, x[1] > -2.0])
    return (counted + sum(v > 0.0 for v in x)) * x[0]


def complex_items(x):
    return abs(sum(x[k] * (1 + 2j) ** k for k in range(len(x))))


def started(x):
    return sum((x[k] for k in range(len(x))), start=2.0) + sum((v for v in x), 1)


def powers(x):
    return np.sum(x**0) + x[0] ** 0 * x[1] + sum(x[0] ** k for k in range(5))


def names_around(x):
    """A function made before a comprehension does not see its names; one made inside does."""
    c = 2.0

    def scaled(v):
        return v * c

    inner = sum((lambda t, v=v: t * v)(v) for v in x)
    written_out = sum([scaled(x[c]) for c in range(3)])
    return inner + written_out + sum(scaled(x[c]) for c in range(len(x)))


def lists(x):
    """Sums of lists of as many items as the call says, and of more than are written out."""
    squares = sum([v * v for v in x]) + sum([x[k] for k in range(len(x)) if x[k] > 0.0], 1.0)
    return squares + sum([x[0] * 0.01 for k in range(400)]) + sum([1 for v in x])


NUMBER, NOTHING, NO_ROWS = np.array(2.5), np.zeros(0), np.zeros((0, 5))


def constants_without_elements(x):
    return np.sum(x * NUMBER) + np.sum(NOTHING) * x[0] + np.sum(NO_ROWS) + len(NOTHING)


@pytest.mark.parametrize(
    "function",
    [
        start_with_effects,
        lists,
        items_with_effects,
        taken_from_a_list,
        truths,
        complex_items,
        started,
        powers,
        names_around,
        constants_without_elements,
    ],
)
@pytest.mark.parametrize("options", [{}, {"target": "python"}, {"fastmath": False}])
def test_value_and_gradient(function, options):
    value, gradient = ad.value_and_grad(function, **options)(X)
    np.testing.assert_allclose(value, function(X), rtol=1e-12)
    steps = 1e-6 * np.eye(len(X))
    wanted = [(function(X + step) - function(X - step)) / 2e-6 for step in steps]
    np.testing.assert_allclose(gradient, wanted, rtol=1e-6, atol=1e-8)


HUGE, LARGER = (1, 2**63), (1, 2**64)


@pytest.mark.parametrize("chosen", [lambda x, k: HUGE[k] * x[0], lambda x, k: LARGER[k] * x[0]])
def test_integers_that_do_not_fit(chosen):
    with pytest.raises(ad.TypeMismatch, match="does not fit"):
        ad.jit(chosen)(X, 0)


def test_what_a_sum_cannot_start_from():
    with pytest.raises(ad.TypeMismatch, match="starts from a truth value"):
        ad.jit(lambda x: sum((v > 0.0 for v in x), True))(X)

"""Programs that compute something infinite or undefined on the side that is not taken.

Each entry has the arguments, the gradient, and the diagonal of the Hessian, worked out by hand.
"""

import numpy as np
from scipy import special


def log_where(x):
    return np.sum(np.where(x > 0, np.log(x), 0))


def sqrt_where(x):
    return np.sum(np.where(x > 0, np.sqrt(x), 0.0))


def scaled_log_where(x):
    return np.sum(2.0 * np.where(x > 0, 3.0 * np.log(x), 0.0))


def product_where(x):
    return np.sum(np.where(x > 0, x * np.log(x), 0.0))


def nested_where(x):
    return np.sum(np.where(x > 0, np.where(x > 1, np.log(x - 1), 0.0), 0.0))


def masked_division(x):
    return np.sum(np.where(x != 0, 1 / x, 0.0))


def masked_quotient(x):
    y = x * x
    return np.sum(np.where(y > 0, (x + 1.0) / y, 0.0))


def power_where(x):
    return np.sum(np.where(x > 0, x**0.5 + x**-1.0, 0.0))


def exp_where(x):
    return np.sum(np.where(x < 10, np.exp(x), 0.0))


def arccos_where(x):
    return np.sum(np.where(np.abs(x) < 1, np.arccos(x), 0.0))


def where_inside(x):
    return np.sum(np.sqrt(np.where(x > 0, x, 0.0)))


def sum_after_where(x):
    total = np.log(x[0])
    return np.sum(np.where(x > 5.0, total, 0.0)) + x[1] * x[1]


def unit_vector(x):
    length = np.sqrt(np.sum(x * x))
    unit = np.where(length > 0, x / length, 0.0)
    return np.sum(unit * np.array([1.0, 2.0, 3.0]))


def standardised(x):
    deviation = np.std(x)
    scores = np.where(deviation > 0, (x - np.mean(x)) / deviation, 0.0)
    return np.sum(scores * np.array([1.0, 2.0, 3.0]))


def masked_elements(x):
    y = np.log(x)
    return np.sum(y[x > 0])


def masked_write(x):
    y = np.sqrt(x)
    y[x <= 0] = 0.0
    return np.sum(y)


def slice_of_logs(x):
    return np.sum(np.log(x)[1:2])


def element_of_logs(x):
    y = 1.0 / x
    return y[1]


def branch_in_loop(x):
    total = 0.0
    for i in range(len(x)):
        y = np.log(x[i])
        if x[i] > 0:
            total += y
    return total


def choice_in_loop(x):
    total = 0.0
    for i in range(len(x)):
        y = np.sqrt(x[i])
        total += 2.0 * (y if x[i] > 0 else 0.0)
    return total


def stored_then_chosen(x):
    y = np.zeros(len(x))
    for i in range(len(x)):
        y[i] = np.log(x[i])
    total = 0.0
    for i in range(len(x)):
        if x[i] > 0:
            total += y[i]
    return total


def stored_then_masked(x):
    y = np.zeros(len(x))
    for i in range(len(x)):
        y[i] = 1.0 / x[i]
    return np.sum(np.where(x > 0, 3.0 * y, 0.0))


def return_early(x):
    y = np.log(x[0])
    if x[0] > 0:
        return y
    return x[1] * x[1]


def array_in_branch(x):
    y = np.log(x)
    if x[0] > 0:
        z = y * 2.0
    else:
        z = x * x
    return np.sum(z)


def smaller_than_infinity(x):
    return np.sum(np.minimum(1.0 / (x * x), 1.0))


def largest_beside_infinity(x):
    return np.max(np.where(x > 0, -1.0 / x, -np.inf))


def entropy(x):
    return np.sum(np.where(x > 0, special.entr(x), 0.0))


_X = np.array([0.0, 2.0, -1.0])
_ROOT = np.sqrt(2.0)
_E2, _E1 = np.exp(2.0), np.exp(-1.0)
_ZERO = [0.0, 0.0, 0.0]

MASKED = [
    (log_where, _X, [0, 0.5, 0], [0, -0.25, 0]),
    (sqrt_where, _X, [0, 0.5 / _ROOT, 0], [0, -0.125 / _ROOT, 0]),
    (scaled_log_where, _X, [0, 3, 0], [0, -1.5, 0]),
    (product_where, _X, [0, np.log(2) + 1, 0], [0, 0.5, 0]),
    (nested_where, np.array([1.0, 3.0, 0.0]), [0, 0.5, 0], [0, -0.25, 0]),
    (masked_division, _X, [0, -0.25, -1], [0, 0.25, -2]),
    (masked_quotient, _X, [0, -0.5, 1.0], [0, 5 / 8, 4.0]),
    (power_where, _X, [0, 0.5 / _ROOT - 0.25, 0], [0, -0.125 / _ROOT + 0.25, 0]),
    (exp_where, np.array([1000.0, 2.0, -1.0]), [0, _E2, _E1], [0, _E2, _E1]),
    (arccos_where, np.array([1.0, 0.5, -2.0]), [0, -1 / np.sqrt(0.75), 0],
     [0, -0.5 / 0.75**1.5, 0]),
    (where_inside, _X, [0, 0.5 / _ROOT, 0], [0, -0.125 / _ROOT, 0]),
    (sum_after_where, _X, [0, 4, 0], [0, 2, 0]),
    (unit_vector, np.zeros(3), _ZERO, _ZERO),
    (standardised, np.ones(3), _ZERO, _ZERO),
    (masked_elements, _X, [0, 0.5, 0], [0, -0.25, 0]),
    (masked_write, _X, [0, 0.5 / _ROOT, 0], [0, -0.125 / _ROOT, 0]),
    (slice_of_logs, _X, [0, 0.5, 0], [0, -0.25, 0]),
    (element_of_logs, _X, [0, -0.25, 0], [0, 0.25, 0]),
    (branch_in_loop, _X, [0, 0.5, 0], [0, -0.25, 0]),
    (choice_in_loop, _X, [0, 1 / _ROOT, 0], [0, -0.25 / _ROOT, 0]),
    (stored_then_chosen, _X, [0, 0.5, 0], [0, -0.25, 0]),
    (stored_then_masked, _X, [0, -0.75, 0], [0, 0.75, 0]),
    (return_early, _X, [0, 4, 0], [0, 2, 0]),
    (array_in_branch, _X, [0, 4, -2], [2, 2, 2]),
    (smaller_than_infinity, _X, [0, -0.25, 1.0], [0, 0.375, 3.0]),
    (largest_beside_infinity, _X, [0, 0.25, 0], [0, -0.25, 0]),
    (entropy, _X, [0, -np.log(2) - 1, 0], [0, -0.5, 0]),
]  # fmt: skip

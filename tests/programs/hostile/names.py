"""Names, attributes and calls that do not exist or do not fit."""

import functools
import math

import numpy as np

from tests.programs.hostile.register import hostile


def two(a, b):
    return a * b


def keyword_only(a, *, b):
    return a * b


def with_default(a, b=2.0):
    return a * b


@hostile()
def unknown_name(x):
    return x * facotr


@hostile()
def near_miss_of_a_local(x):
    total = x * 2
    return totl + x


@hostile()
def unknown_function(x):
    return relu(x)


@hostile()
def unknown_attribute_of_numpy(x):
    return np.sinn(x)


@hostile()
def unknown_attribute_of_math(x):
    return math.sine(x)


@hostile("f8[:]")
def unknown_attribute_of_an_array(x):
    return np.sum(x.ctypes)


@hostile()
def method_of_a_number(x):
    return x.hex()


@hostile("f8[:]")
def method_of_pandas(x):
    return x.rolling(3)


@hostile("f8[:]")
def method_misspelt(x):
    return x.summ()


@hostile("f8[:]")
def attribute_not_called(x):
    return np.sum(x) * x.mean


@hostile()
def too_few_for_a_function(x):
    return two(x)


@hostile()
def too_many_for_a_function(x):
    return two(x, x, x)


@hostile()
def unknown_keyword_of_a_function(x):
    return two(x, c=x)


@hostile()
def twice_the_same_argument(x):
    return two(x, a=x)


@hostile()
def keyword_only_by_position(x):
    return keyword_only(x, x)


@hostile()
def keyword_only_left_out(x):
    return keyword_only(x)


@hostile()
def too_many_for_a_nested_function(x):
    def inner(a):
        return a

    return inner(x, x)


@hostile()
def too_many_for_a_lambda(x):
    f = lambda a: a
    return f(x, x)


@hostile()
def too_few_for_a_partial(x):
    f = functools.partial(two)
    return f(x)


@hostile()
def calls_a_number(x):
    return x(2.0)


@hostile("f8[:]")
def calls_an_array(x):
    return x(0)


@hostile()
def calls_a_constant(x):
    k = 3
    return k(x)


@hostile()
def calls_a_module(x):
    return np(x)


@hostile()
def calls_a_string(x):
    name = "sin"
    return name(x)


@hostile()
def too_few_for_elementwise(x):
    return np.sin()


@hostile()
def too_many_for_elementwise(x):
    return np.sin(x, x)


@hostile()
def too_many_for_math(x):
    return math.sin(x, 2)


@hostile()
def too_few_for_binary(x):
    return np.hypot(x)


@hostile("f8[:]")
def too_many_for_binary(x):
    return np.sum(np.arctan2(x, x, x))


@hostile("f8[:]")
def too_few_for_a_reduction(x):
    return np.sum()


@hostile("f8[:]")
def too_many_for_a_reduction(x):
    return np.mean(x, 0, None, None, False, 7, 8)


@hostile("f8[:]")
def too_few_for_a_shape_function(x):
    return np.sum(np.reshape(x))


@hostile("f8[:]")
def too_few_for_stacking(x):
    return np.sum(np.concatenate())


@hostile("f8[:, :]")
def too_few_for_linalg(x):
    return np.sum(np.linalg.solve(x))


@hostile("f8[:]")
def too_few_for_creation(x):
    return np.sum(x) * np.sum(np.full(3))


@hostile("f8[:]")
def two_arguments_of_where(x):
    return np.sum(np.where(x > 0, x))


@hostile("f8[:]")
def unknown_keyword_of_a_reduction(x):
    return np.sum(x, axes=0)


@hostile("f8[:]")
def unknown_keyword_of_elementwise(x):
    return np.sum(np.exp(x, base=2))


@hostile("f8[:]")
def unknown_keyword_of_a_method(x):
    return x.sum(axs=0)


@hostile("f8[:]")
def out_of_elementwise(x):
    y = np.zeros_like(x)
    np.exp(x, out=y)
    return np.sum(y)


@hostile("f8[:]")
def out_of_a_reduction(x):
    y = np.zeros(1)
    np.sum(x, out=y)
    return y[0]


@hostile("f8[:], f8[:]")
def out_of_dot(x, y):
    z = np.zeros(1)
    return np.dot(x, y, out=z)


@hostile("f8[:]")
def where_of_elementwise(x):
    return np.sum(np.log(x, where=x > 0))


@hostile("f8[:]")
def where_of_a_reduction(x):
    return np.sum(x, where=x > 0)


@hostile("f8[:]")
def initial_of_a_reduction(x):
    return np.max(x, initial=0.0)


@hostile("f8[:]")
def order_of_a_copy(x):
    return np.sum(np.array(x, order="F", subok=True))


@hostile("f8[:]")
def range_of_three_floats(x):
    s = 0.0
    for i in range(0.5, 2.5):
        s += x[0] * i
    return s


@hostile("f8[:]")
def range_of_a_float(x):
    s = 0.0
    for i in range(x[0]):
        s += x[0] * i
    return s


@hostile("f8[:]")
def range_without_arguments(x):
    s = 0.0
    for i in range():
        s += x[0] * i
    return s


@hostile("f8[:]")
def range_step_zero(x):
    s = 0.0
    for i in range(0, 3, 0):
        s += x[i]
    return s


@hostile("f8[:]")
def enumerate_of_a_number(x):
    s = 0.0
    for i, v in enumerate(x[0]):
        s += v * i
    return s


@hostile("f8[:]")
def zip_of_a_number(x):
    s = 0.0
    for a, b in zip(x, 3):
        s += a * b
    return s


@hostile("f8[:]")
def map_builtin(x):
    return sum(map(lambda v: v * 2, x))


@hostile("f8[:]")
def sorted_builtin(x):
    return sorted(x)[0]


@hostile("f8[:]")
def iterator_builtin(x):
    it = iter(x)
    return next(it)


@hostile()
def len_of_a_number(x):
    return x * len(x)


@hostile()
def complex_builtin(x):
    return abs(bytes(x))

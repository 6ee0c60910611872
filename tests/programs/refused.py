"""Functions that are refused, each with what the error must say and the text under its caret."""

import dataclasses
import math
import os

import numpy as np

import adcompile as ad

REFUSED = []


def refused(types, message, under, **options):
    def enter(function):
        REFUSED.append((function, types, message, under, options))
        return function

    return enter


@refused("f8", "`try` is not in the compiled language", "try:")
def with_try(x):
    try:
        return x
    except ValueError:
        return 0.0


@refused("f8", "`with` is not", "with np.errstate():")
def with_with(x):
    with np.errstate():
        return x


@refused("f8", "`for` cannot go through a number", "x")
def over_something(x):
    for y in x:
        x = y
    return x


@refused("f8, i8", "the number of items is known only at run time", "[x * i for i in range(n)]")
def with_comprehension(x, n):
    return max([x * i for i in range(n)])


@refused("f8", "every path of `without_end` calls it again", "def without_end(x):")
def without_end(x):
    y = without_end(x - 1)
    return x if y < 0 else y


@refused("f8, i8", "gives values of different kinds", "if n == 0:")
def nested_ever_deeper(x, n):
    if n == 0:
        return x
    return (x, nested_ever_deeper(x, n - 1))


@refused("f8[:], i8", "calls itself with ever other kinds of arguments",
         "with_ever_more_axes(x[None], n - 1)")  # fmt: skip
def with_ever_more_axes(x, n):
    return np.sum(x) if n == 0 else with_ever_more_axes(x[None], n - 1)


@refused("f8[:], i8", "is once a 1-d float64 array and once a float64 scalar",
         "x * scalar_or_array(x, n - 1) if n > 0 else x[0]")  # fmt: skip
def scalar_or_array(x, n):
    return x * scalar_or_array(x, n - 1) if n > 0 else x[0]


@refused("f8, i8", "calls itself with ever other kinds of arguments",
         "_continued(x, n - 1, lambda t: then(t) * x)")  # fmt: skip
def continuation_passing(x, n):
    return _continued(x, n, lambda t: t)


def _continued(x, n, then):
    return then(x) if n == 0 else _continued(x, n - 1, lambda t: then(t) * x)


@refused("f8[:]", "`_scaled` calls itself and writes `y`, which it may also know by another name",
         "_scaled(y, y[1:], 2)")  # fmt: skip
def writes_under_two_names(x):
    y = x * 2.0
    _scaled(y, y[1:], 2)
    return y[0]


def _scaled(a, b, n):
    if n > 0:
        a[0] = a[0] * b[0]
        _scaled(a, b, n - 1)


@refused("f8[:]", "`_itself` may return the memory of `y`, and one of them is "
         "written", "_itself(y, 3)")  # fmt: skip
def writes_what_was_returned(x):
    y = x * 1.0
    z = _itself(y, 3)
    z[0] = 5.0
    return np.sum(y)


def _itself(x, n):
    return x if n == 0 else _itself(x, n - 1)


@refused("f8", "this list was made outside", "items.append(x)")
def appends_on_the_way(x):
    items = []
    return _appended(x, 3, items) + len(items)


def _appended(x, n, items):
    if n == 0:
        return x
    items.append(x)
    return _appended(x, n - 1, items)


@refused("f8, i8", "calls what a decorator or transformation made of it",
         "ad.grad(derived_from_itself)(x, n - 1)")  # fmt: skip
def derived_from_itself(x, n):
    return x * x if n == 0 else ad.grad(derived_from_itself)(x, n - 1)


@refused("f8", "there is no key 'b'", '{"a": x}["b"]')
def with_dict(x):
    return {"a": x}["b"]


@refused("f8", "`global` is not", "global REFUSED")
def with_global(x):
    global REFUSED
    return x


@refused("f8", "`undefined_name` is not defined", "undefined_name")
def with_undefined(x):
    return x + undefined_name  # noqa: F821


@refused("f8[:]", "`np.roots` has no derivative rule", "np.roots(x)")
def no_rule(x):
    return np.roots(x)[0]


@refused("f8[:]", "`np.insert` at several places", "np.insert(x, [0, 1], 2.0)")
def written_refuses(x):
    y = x * 2
    return np.insert(x, [0, 1], 2.0)[0] + y[0]


@refused("f8[:]", "a quantile by another method", 'np.quantile(x, 0.3, method="hazen")')
def written_in_an_expression(x):
    return np.median(x) + np.quantile(x, 0.3, method="hazen")


@refused(
    "f8[:, :]", "`np.vander`: got an unexpected keyword argument 'order'", 'np.vander(x, order="C")'
)
def written_without_keyword(x):
    return np.vander(x, order="C")[0, 0]


@refused("f8[:]", "`np.sort`: got an unexpected keyword", 'np.sort(x, order="a")')
def without_keyword(x):
    return np.sort(x, order="a")[0]


@refused("f8[:, :]", "axis 2 does not exist", "np.cumprod(x, axis=2)")
def written_without_axis(x):
    return np.cumprod(x, axis=2)[0, 0]


@refused("f8[:, :]", "this may be a view of `y`", "np.diag(y)")
def diagonal_of_a_written_array(x):
    y = x * 2
    d = np.diag(y)
    y[0, 0] = 3.0
    return np.sum(d)


@refused("f8", "`bitwise_and` needs integers", "x & 1")
def bits_of_floats(x):
    return x & 1


@refused("f8", "`math.ulp` has no derivative rule", "math.ulp(x)")
def no_math_rule(x):
    return math.ulp(x)


@refused("f8", "has no Python source", "os.getpid()")
def calls_c(x):
    return x * os.getpid()


@refused("f8[:]", "arrays have no method `tobytes`", "x.tobytes()")
def unknown_method(x):
    return x.tobytes()


@refused("f8[:]", "arrays have no attribute `strides`", "x.strides")
def unknown_attribute(x):
    return x.strides[0]


@refused("i8", "`n` is an integer and has no derivative", "def integer_argument(n):")
def integer_argument(n):
    return n * 2.0


@refused("f8[:]", "returns a 1-d array; a gradient needs a scalar", "x * 2")
def array_result(x):
    return x * 2


@refused("f8", "returns a tuple; a gradient needs a scalar", "def tuple_result(x):")
def tuple_result(x):
    return x, x


@refused("f8", "returns nothing", "def nothing(x):")
def nothing(x):
    x * 2


@refused("f8[3], f8[4]", "3 and 4 must be equal", "x + y")
def shapes_differ(x, y):
    return np.sum(x + y)


@refused("f8[3, 4], f8[3]", "4 and 3 must be equal", "x @ y")
def product_differs(x, y):
    return np.sum(x @ y)


@refused("f8[:, :]", "3 indices for an array of 2 axes", "x[0, 1, 2]")
def too_many_indices(x):
    return x[0, 1, 2]


@refused("f8[:]", "an index must be an integer", "x[y]")
def float_index(x):
    y = x[0]
    return x[y]


@refused("f8[:]", "an index must be an integer", "x[x[0] > 0]")
def scalar_mask(x):
    return np.sum(x[x[0] > 0])


@refused("f8[:]", "an array of 2 axes does not fit into 1 axes", "x[[0, 1]] = np.ones((2, 2))")
def too_many_axes_written(x):
    x[[0, 1]] = np.ones((2, 2))
    return np.sum(x)


@refused("f8[:]", "axis 1 does not exist in an array of 1 axis", "np.sum(x, axis=1)")
def wrong_axis(x):
    return np.sum(x, axis=1)


@refused("f8[:]", "a condition must be a scalar, not an array", "x > 0")
def array_condition(x):
    if x > 0:
        return np.sum(x)
    return 0.0


@refused("f8[:], f8", "is once a 1-d float64 array and once a float64 scalar", "x if y > 0 else y")
def kinds_differ(x, y):
    z = x if y > 0 else y
    return np.sum(z)


@refused("c16", "`lt` of complex numbers", "z < 2")
def order_of_complex(z):
    return abs(z) if z < 2 else 0.0


@refused("c16[:]", "`max` of complex numbers", "np.max(z)")
def largest_complex(z):
    return np.max(z)


@refused("c16", "`sign` of complex numbers", "np.sign(z)")
def sign_of_complex(z):
    return np.sign(z).real


@refused("c16", "this function takes real numbers", "math.exp(z)")
def real_function_of_complex(z):
    return math.exp(z)


@refused("c16", "does not fit into float64", "float(z)")
def complex_as_float(z):
    return float(z)


@refused("c16[:]", "does not fit into float64", "z.astype(np.float64)")
def complex_array_as_float(z):
    return np.sum(z.astype(np.float64))


@refused("f8[:], c16", "does not fit into float64", "x[0] = z")
def complex_into_real(x, z):
    x[0] = z
    return np.sum(x)


@refused("f8[:], c16[:]", "does not fit into float64", "x[:] = z")
def complex_array_into_real(x, z):
    x[:] = z
    return np.sum(x)


@refused("f8[:], c16", "does not fit into float64", "x *= z")
def real_array_times_complex(x, z):
    x *= z
    return np.sum(x)


@refused("c16[:]", "is a view of the array, and is written", "z.real[0] = 1.0")
def part_is_written(z):
    z.real[0] = 1.0
    return np.sum(z.real)


@refused("c16[:]", "written before the view is read", "z.imag")
def part_is_stale(z):
    part = z.imag
    z[0] = 1j
    return np.sum(part)


@refused("c16", "cannot be assigned", "z.real")
def part_is_assigned(z):
    z.real = 1.0
    return abs(z)


@refused("f8", "has no variable `z`", "def no_variable(x):", wrt="z")
def no_variable(x):
    y = x * 2
    return y


@refused("f8", "is assigned 2 times", "def assigned_twice(x):", wrt="y")
def assigned_twice(x):
    y = x * 2
    y = y * x
    return y


@refused(
    "f8", "argnums=3, but `wrong_position` has 1 arguments", "def wrong_position(x):", argnums=3
)
def wrong_position(x):
    return x


@refused("f8", "with has_aux=True", "def no_aux(x):", has_aux=True)
def no_aux(x):
    return x


@refused("f8", "must be known at compile time", "np.sum(y, axis=k)")
def axis_at_run_time(x):
    y = np.ones((2, 2)) * x
    k = int(x)
    return np.sum(np.sum(y, axis=k))


@refused("f8[:]", "`for` and also written in place", "for _ in range(3):")
def two_names_in_a_loop(v):
    a = v.copy()
    b = a
    for _ in range(3):
        b[0] = b[0] * 2
        b = b + 1.0
    return np.sum(a * b)


class _Own(Exception):
    pass


@refused("f8", "compiled code knows only Python's own exceptions", "raise _Own")
def raises_its_own(x):
    if x < 0:
        raise _Own
    return x


@refused("f8", "only exception classes can be raised", "raise x")
def raises_a_number(x):
    if x < 0:
        raise x
    return x


@refused("f8", "every path raises an error", "def always_raises(x):")
def always_raises(x):
    raise ValueError("no")


@refused("f8", "this decorator is not in the compiled language", "math.sqrt")
def decorated_inside(x):
    @math.sqrt
    def inner(y):
        return y

    return inner(x)


@refused("f8", "`inner` needs an argument for `z`", "inner(x)")
def too_few_arguments(x):
    def inner(y, z):
        return y * z

    return inner(x)


@refused("f8[:]", "with a size that is not known outside", "last")
def size_of_the_last_round(x):
    for i in range(1, len(x)):
        last = x[:i] * 2.0
    return np.sum(last)


@refused("f8", "`y` has no value yet", "y")
def read_too_early(x):
    z = y * x  # noqa: F821
    y = x
    return z + y


@refused("f8, f8[:]", "a tuple of different things", "zip((np.sin, np.cos), v, strict=False)")
def tuple_beside_array(x, v):
    for f, a in zip((np.sin, np.cos), v, strict=False):
        x = f(x) * a
    return x


@refused("f8", "may not be what it was", "f")
def function_changes_in_loop(x):
    f = lambda t: t
    for _ in range(3):
        x = f(x)
        f = lambda t: 2 * t
    return x


@refused("f8, i8", "this list was made outside the branch or loop", "items.append(x)")
def grows_in_a_loop(x, n):
    items = []
    for _ in range(n):
        items.append(x)
    return x


@refused("f8", "this dict was made outside the branch or loop", 'd["a"]')
def changed_in_a_branch(x):
    d = {"a": x}
    if x > 0:
        d["a"] = x * 2
    return d["a"]


@dataclasses.dataclass(frozen=True)
class _Frozen:
    w: float


@refused("f8", "`_Frozen` is frozen", "f.w")
def frozen(x):
    f = _Frozen(x)
    f.w = x
    return f.w


class _Plain:
    def __init__(self, w):
        self.w = w


@refused("f8", "`_Plain` is a class that is no dataclass", "_Plain(x)")
def plain_class(x):
    return _Plain(x).w


@refused("f8", "`_Frozen` has no attribute `v`", "_Frozen(x).v")
def no_attribute(x):
    return _Frozen(x).v


@refused("f8[:]", "a sum of arrays", "sum(x * v for v in x)")
def sum_of_arrays_of_the_run(x):
    return sum(x * v for v in x)[0]


@refused("f8[:], i8", "a list is indexed by constants only", "[x, x * x][n]")
def list_at_run_time(x, n):
    return [x, x * x][n]


@refused("f8", "gives values of different kinds", "if x > 0:")
def containers_differ(x):
    if x > 0:
        return {"a": x}
    return {"b": x}


@refused(
    "f8", "`with_dict_result` returns a dict; a gradient needs a scalar", "def with_dict_result(x):"
)
def with_dict_result(x):
    return {"a": x}

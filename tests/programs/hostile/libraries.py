"""Calls of what has no source, no rule, or belongs to other libraries."""

import collections
import dataclasses
import datetime
import decimal
import enum
import itertools
import math
import random
import statistics
import sys
import time

import numpy as np
import scipy.integrate
import scipy.optimize
import scipy.sparse

from tests.programs.hostile.register import hostile

GENERATOR = np.random.default_rng(0)
OLD_GENERATOR = np.random.RandomState(0)
SPARSE = scipy.sparse.eye(3)
MASKED = np.ma.masked_array([1.0, 2.0], [True, False])
MATRIX = np.asmatrix(np.eye(2))


class Plain:
    scale = 2.0

    def __init__(self, w):
        self.w = w

    def times(self, x):
        return self.w * x

    def counted(self, x):
        self.w = self.w + 1
        return self.w * x

    @property
    def doubled(self):
        return self.w * 2


PLAIN = Plain(np.arange(3000.0))


@dataclasses.dataclass
class Own:
    w: float

    def __init__(self, w):
        self.w = w * 2


@dataclasses.dataclass
class Checked:
    w: float

    def __add__(self, other):
        return Checked(self.w + other.w)


class Color(enum.Enum):
    RED = 1


class Slotted:
    __slots__ = ("w",)


class Weird:
    def __getattr__(self, name):
        raise RuntimeError("no attributes here")


WEIRD = Weird()


@hostile()
def draws_of_a_generator(x):
    return x * GENERATOR.normal()


@hostile()
def makes_a_generator(x):
    rng = np.random.default_rng(0)
    return x * rng.normal()


@hostile()
def draws_of_an_old_generator(x):
    return x * OLD_GENERATOR.rand()


@hostile()
def draws_of_python(x):
    return x * random.random()


@hostile()
def draws_of_an_unknown_kind(x):
    return x * np.random.zipf(2.0)


@hostile()
def shuffles(x):
    a = np.ones(3)
    np.random.shuffle(a)
    return x * a[0]


@hostile()
def root_of_scipy(x):
    return scipy.optimize.brentq(lambda t: t * t - x, 0.0, 2.0)


@hostile()
def minimum_of_scipy(x):
    return scipy.optimize.minimize(lambda t: (t - x) ** 2, 0.0).x[0]


@hostile()
def integral_of_scipy(x):
    return scipy.integrate.quad(lambda t: t * x, 0.0, 1.0)[0]


@hostile("f8[3]")
def sparse_product(x):
    return np.sum(SPARSE @ x)


@hostile("f8[3]")
def sparse_method(x):
    return np.sum(SPARSE.dot(x))


@hostile("f8[:]")
def jax_function(x):
    import_free = _jax_numpy()
    return import_free.sum(x)


def _jax_numpy():
    return sys.modules["jax"].numpy


@hostile("f8[:]")
def numpy_apply_along_axis(x):
    return np.sum(np.apply_along_axis(np.sum, 0, x))


@hostile("f8[:]")
def numpy_vectorize(x):
    return np.sum(np.vectorize(lambda v: v * 2)(x))


@hostile("f8[:]")
def numpy_frompyfunc(x):
    f = np.frompyfunc(abs, 1, 1)
    return np.sum(f(x))


@hostile("f8[:]")
def numpy_loadtxt(x):
    return np.sum(x * np.loadtxt("data.txt"))


@hostile("f8[:]")
def numpy_save(x):
    np.save("data.npy", x)
    return np.sum(x)


@hostile("f8[:]")
def numpy_testing(x):
    np.testing.assert_allclose(x, x)
    return np.sum(x)


@hostile("f8[:]")
def numpy_iterator(x):
    s = 0.0
    for v in np.nditer(x):
        s += v
    return s


@hostile("f8[:]")
def ufunc_reduceat(x):
    return np.sum(np.add.reduceat(x, [0, 1]))


@hostile("f8[:]")
def masked_global(x):
    return np.sum(x * MASKED)


@hostile("f8[:]")
def matrix_global(x):
    return np.sum(MATRIX * x)


@hostile("f8[:]")
def makes_a_matrix(x):
    return np.sum(np.matrix([[1.0]]) * x[0])


@hostile()
def math_nextafter(x):
    return math.nextafter(x, 2.0)


@hostile("f8[:]")
def math_of_an_array(x):
    return np.sum(math.sin(x))


@hostile("f8[:]")
def python_statistics(x):
    return statistics.mean(x)


@hostile()
def python_time(x):
    return x * time.time()


@hostile()
def python_datetime(x):
    return x * datetime.datetime.now().year


@hostile()
def python_decimal(x):
    return x * decimal.Decimal("1.5")


@hostile("f8[:]")
def python_itertools(x):
    s = 0.0
    for a, b in itertools.product(x, x):
        s += a * b
    return s


@hostile("f8[:]")
def python_counter(x):
    c = collections.Counter()
    return x[0] * len(c)


@hostile("f8[:]")
def python_deque(x):
    d = collections.deque([x[0]])
    return d[0]


@hostile()
def python_defaultdict(x):
    d = collections.defaultdict(float)
    d["a"] = x
    return d["a"]


@hostile()
def python_enum(x):
    return x * Color.RED


@hostile()
def python_recursion_limit(x):
    sys.setrecursionlimit(1000)
    return x


@hostile()
def makes_a_plain_object(x):
    return Plain(x).times(2.0)


@hostile("f8")
def large_array_of_a_plain_object(x):
    return np.sum(PLAIN.times(x))


@hostile("f8")
def plain_object_that_counts(x):
    return np.sum(PLAIN.counted(x))


@hostile()
def unknown_attribute_of_an_object(x):
    return x * PLAIN.height


@hostile()
def unset_slot(x):
    return x * Slotted().w


@hostile()
def object_that_fails(x):
    return x * WEIRD.anything


@hostile()
def own_init(x):
    return Own(x).w


@hostile()
def dataclass_with_too_many(x):
    return Checked(x, x).w


@hostile()
def dataclass_with_unknown_field(x):
    return Checked(v=x).w


@hostile()
def dataclass_times_number(x):
    return Checked(x) * 2.0


@hostile()
def object_times_number(x):
    return PLAIN * x


@hostile()
def isinstance_of_a_value(x):
    return x if isinstance(x, float) else 0.0


@hostile()
def string_method(x):
    return x * "a".join(["b", 3])


@hostile()
def getattr_unknown(x):
    return getattr(np, "sinn")(x)


@hostile()
def c_function_with_value(x):
    return sys.getsizeof(x) * x


@hostile()
def float_of_text(x):
    return x * float("abc")


@hostile()
def int_of_text(x):
    return x * int("1.5")


@hostile()
def huge_integer(x):
    return x * 10**400


@hostile()
def huge_integer_index(x):
    a = np.zeros(3)
    return x * a[2**70]

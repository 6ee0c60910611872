"""Python that is not in the compiled language."""

import contextlib
import math

import numpy as np

from tests.programs.hostile.register import hostile

STATE = {"calls": 0}
COUNT = 0


@hostile()
def try_finally(x):
    try:
        return x
    finally:
        x = 0.0


@hostile()
def with_two_managers(x):
    with np.errstate(all="ignore"), contextlib.suppress(ValueError):
        return np.log(x)


@hostile()
async def is_async(x):
    return x


@hostile()
def holds_async(x):
    async def inner(y):
        return y

    return x


@hostile()
def generator(x):
    yield x
    yield x * 2


@hostile()
def yields_from(x):
    yield from (x, x)


@hostile()
def yields_inside(x):
    def inner():
        yield x

    return sum(inner())


@hostile("f8, i8")
def matches(x, n):
    match n:
        case 0:
            return x
        case _:
            return x * 2


@hostile()
def walrus(x):
    if (y := x * 2) > 1:
        return y
    return x


@hostile("f8[:]")
def walrus_in_while(x):
    n = 0
    while (s := np.sum(x)) > n:
        n += 1
    return s


@hostile()
def starred_assignment(x):
    first, *rest = np.array([x, x * 2, x * 3])
    return first + rest[0]


@hostile()
def deletes(x):
    y = x * 2
    del y
    return x


@hostile("f8[:]")
def deletes_element(x):
    d = {"a": np.sum(x)}
    del d["a"]
    return np.sum(x)


@hostile()
def uses_global(x):
    global COUNT
    COUNT += 1
    return x * COUNT


@hostile()
def uses_nonlocal(x):
    n = 0.0

    def bump(y):
        nonlocal n
        n = n + y
        return y

    bump(x)
    return n


@hostile()
def set_literal(x):
    return sum({x, x * 2})


@hostile("f8[:]")
def set_comprehension(x):
    return sum({v * 2 for v in x})


@hostile()
def set_call(x):
    return x * len(set((1, 2, 2)))


@hostile()
def class_inside(x):
    class Box:
        w = 1.0

    return x * Box.w


@hostile()
def import_inside(x):
    import math as m

    return m.sin(x)


@hostile()
def from_import_inside(x):
    from math import sin

    return sin(x)


@hostile()
def import_in_branch(x):
    if x > 0:
        import math as m

        return m.sin(x)
    return x


@hostile()
def f_string_format(x):
    n = x * 2
    print(f"{x:{n}}")
    return x


@hostile()
def f_string_is_no_number(x):
    return x + f"{x}"


@hostile("f8, f8")
def is_of_values(x, y):
    if x is y:
        return x
    return y


@hostile("f8[:], f8[:]")
def is_not_of_arrays(x, y):
    return np.sum(x) if x is not y else np.sum(y)


@hostile("f8[:], f8[:]")
def in_a_tuple_of_arrays(x, y):
    if x in (1.0, y):
        return x
    return y


@hostile("f8[:]")
def in_an_array(x):
    if 0.5 in x:
        return np.sum(x)
    return x[0]


@hostile("f8[:]")
def not_in_an_array(x):
    return np.sum(x) if 1.0 not in x else x[0]


@hostile("f8[:]")
def slice_of_floats(x):
    return np.sum(x[0.5:2.5])


@hostile("f8[:]")
def slice_step_of_the_run(x):
    k = int(x[0])
    return np.sum(x[::k])


@hostile("f8[:]")
def slice_step_zero(x):
    return np.sum(x[::0])


@hostile("f8[:, :]")
def two_ellipses(x):
    return np.sum(x[..., 0, ...])


@hostile()
def ellipsis_is_no_number(x):
    return x + ...


@hostile()
def ellipsis_body(x): ...


@hostile("f8[:]")
def star_of_an_array(x):
    return np.hypot(*x)


@hostile()
def star_of_a_number(x):
    return max(*x)


@hostile()
def double_star_of_a_number(x):
    def inner(y):
        return y

    return inner(**x)


@hostile()
def star_parameters_inside(x):
    def inner(*ys):
        return ys[0]

    return inner(x, x)


@hostile("f8, f8")
def star_parameters(x, *ys):
    return x + ys[0]


@hostile("f8, f8")
def keyword_parameters(x, **ys):
    return x + ys["y"]


@hostile()
def keyword_only_missed(x):
    def inner(y, *, scale):
        return y * scale

    return inner(x, 2.0)


@hostile()
def positional_only_by_name(x):
    def inner(y, /):
        return y * 2

    return inner(y=x)


@hostile()
def evaluates(x):
    return eval("x * 2")


@hostile()
def executes(x):
    exec("y = x * 2")
    return x


@hostile()
def asks(x):
    return x * float(input("factor: "))


@hostile()
def reads_a_file(x):
    return x * len(open("data.txt").read())


@hostile()
def looks_at_locals(x):
    return locals()["x"]


@hostile()
def looks_at_globals(x):
    return x * globals()["COUNT"]


@hostile()
def bit_and_of_floats(x):
    return x & 1


@hostile()
def decorator_of_ones_own(x):
    def twice(f):
        return lambda y: f(f(y))

    @twice
    def inner(y):
        return y * 2

    return inner(x)


@hostile("f8[:]")
def lambda_default_that_changes(x):
    fs = [lambda y, k=k: y * x[k] for k in range(len(x))]
    return fs[0](1.0)


@hostile("f8, i8")
def tuple_of_the_run(x, n):
    t = tuple(x * i for i in range(n))
    return t[0]


@hostile("f8[:], i8")
def comprehension_with_condition(x, n):
    return sum([v for v in (1.0, 2.0) if v > x[0]])


@hostile()
def bytes_literal(x):
    return x + b"1"


@hostile()
def text_times_number(x):
    return x * "ab"


@hostile()
def raise_from(x):
    try_it = x
    if try_it < 0:
        raise ValueError("negative") from None
    return x


@hostile()
def bare_raise(x):
    if x < 0:
        raise
    return x


@hostile()
def raise_of_two_parts(x):
    if x < 0:
        raise ValueError("negative", 3)
    return x


@hostile()
def message_of_a_number(x):
    assert x > 0, x
    return x


@hostile()
def changes_a_global(x):
    STATE["calls"] = STATE["calls"] + 1
    return x


@hostile()
def assigns_an_attribute_of_a_module(x):
    math.tau = 3.0
    return x * math.tau


@hostile("f8[:]")
def assigns_shape(x):
    x.shape = (1, -1)
    return np.sum(x)


@hostile()
def annotation_without_value(x):
    y: float
    return x + y


@hostile()
def loop_over_text(x):
    for c in "abc":
        x = x * c
    return x


@hostile("f8, i8")
def for_over_dict_of_the_run(x, n):
    d = {n: x}
    for key in d:
        x = x * key
    return x


@hostile("f8, i8")
def dict_key_of_the_run(x, n):
    d = {0: x, 1: x * x}
    return d[n]

"""Branches, loops and variables that do not fit together."""

import dataclasses

import numpy as np

from tests.programs.hostile.register import hostile


@hostile("f8[:]")
def number_or_array_returned(x):
    if x[0] > 0:
        return np.sum(x)
    return x


@hostile("f8[:]")
def tuple_or_number_returned(x):
    if x[0] > 0:
        return x[0], x[0]
    return x[0]


@hostile()
def none_on_one_path(x):
    if x > 0:
        return x


@hostile()
def bare_return_on_one_path(x):
    if x > 0:
        return
    return x


@hostile()
def returns_none(x):
    return None


@hostile()
def returns_text(x):
    return "text"


@hostile()
def returns_a_function(x):
    return lambda y: x * y


@hostile()
def text_or_number(x):
    y = x if x > 0 else "none"
    return y


@hostile()
def none_or_number(x):
    y = None
    if x > 0:
        y = x
    return y * 2


@hostile("f8[:]")
def number_becomes_array(x):
    s = 0.0
    for i in range(3):
        s = s + x
    return np.sum(s)


@hostile("f8[:]")
def number_becomes_array_in_while(x):
    s = 0.0
    k = 0
    while k < 3:
        s = s + x
        k += 1
    return np.sum(s)


@hostile("f8[:]")
def array_becomes_number(x):
    s = x
    for i in range(3):
        s = np.sum(s)
    return s


@hostile("f8[:]")
def vector_becomes_matrix(x):
    s = x
    for i in range(3):
        s = np.outer(s, s)
    return np.sum(s)


@hostile("f8[:]")
def integers_become_floats(x):
    s = np.zeros(3, np.int64)
    for i in range(3):
        s = s + x
    return np.sum(s)


@hostile("f8[:]")
def tuple_grows_in_loop(x):
    t = ()
    for i in range(len(x)):
        t = (*t, x[i])
    return t[0]


@hostile("f8[:]")
def number_becomes_tuple(x):
    t = x[0]
    for i in range(len(x)):
        t = (t, x[i])
    return x[0]


@hostile("f8[:]")
def tuple_changes_order(x):
    t = (x[0], x)
    for i in range(len(x)):
        t = (t[1], t[0])
    return x[0]


@hostile()
def assigned_on_no_path_before(x):
    if x > 0:
        z = x
        del_it = z
    return unknown_after(x)


@hostile()
def used_before_assignment(x):
    y = y + x
    return y


@hostile()
def augmented_before_assignment(x):
    total += x
    return total


@hostile("f8[:]")
def loop_variable_before_loop(x):
    s = i * x[0]
    for i in range(3):
        s += x[i]
    return s


@hostile()
def conditional_function(x):
    f = np.sin if x > 0 else np.cos
    return f(x)


@hostile()
def function_of_one_side(x):
    if x > 0:
        f = np.sin
    else:
        f = np.cos
    return f(x)


@hostile()
def class_of_one_side(x):
    @dataclasses.dataclass
    class Inside:
        w: float

    return Inside(x).w


@hostile("f8, i8")
def list_changed_in_loop(x, n):
    items = [x, x]
    for i in range(n):
        items[0] = items[0] * 2
    return items[0]


@hostile("f8, i8")
def list_popped_in_loop(x, n):
    items = [x, x, x]
    for i in range(n):
        x = x + items.pop()
    return x


@hostile("f8, i8")
def list_of_the_run(x, n):
    items = [x] * n
    return items[0]


@hostile("f8, f8")
def string_divided(x, y):
    return x / "2"


@hostile()
def string_formatted(x):
    return "%f" % x


@hostile()
def none_times_number(x):
    return None * x


@hostile()
def function_times_number(x):
    return np.sin * x


@hostile()
def number_plus_tuple(x):
    return x + (1.0, "a")


@hostile()
def compares_with_text(x):
    if x > "a":
        return x
    return 0.0


@hostile()
def compares_with_none(x):
    if x < None:
        return x
    return 0.0


@hostile()
def always_fails_to_divide(x):
    return x * (1 // 0)


@hostile()
def never_ends(x):
    while True:
        x = x * 2
    return x


@hostile("f8[:]")
def returned_from_one_of_two_loops(x):
    for i in range(3):
        if x[i] > 0:
            return x[i]


@hostile("f8, f8")
def tuples_compared(x, y):
    if (x, 1.0) < (y, 2.0):
        return x
    return y


@hostile("f8, f8")
def lists_compared(x, y):
    return x if [x] == [y] else y


@hostile()
def texts_compared(x):
    if f"{x:.1f}" == "1.0":
        return x
    return x * 2


@hostile("f8, f8")
def index_in_a_list(x, y):
    return x * [x, y].index(y)


@hostile()
def type_of_a_number(x):
    return x if type(x) is float else 0.0


@hostile()
def text_of_a_number(x):
    return x * len("{}".format(x))


@hostile("f8, f8")
def largest_tuple(x, y):
    return max((x, y), (y, x))[0]


@hostile("f8, i8")
def repeated_tuple(x, n):
    return sum((x, x) * n)

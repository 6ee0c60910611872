"""Shapes, axes, indices and dtypes that do not fit."""

import numpy as np

from tests.programs.hostile.register import hostile

TABLE = np.arange(4.0)
FROZEN = np.arange(4.0)
FROZEN.flags.writeable = False
TEXTS = np.array(["a", "b"])
OBJECTS = np.array([1, None], dtype=object)
DATES = np.array(["2020-01-01"], dtype="datetime64[D]")
RECORDS = np.zeros(2, dtype=[("a", "f8"), ("b", "i4")])
HALF = np.ones(3, "f2")
BIG = np.zeros(5000)


@hostile("f8[:]")
def axis_too_large(x):
    return np.sum(np.cumsum(x, axis=1))


@hostile("f8[:, :]")
def axis_too_small(x):
    return np.sum(np.mean(x, axis=-3))


@hostile("f8[:, :]")
def axis_twice(x):
    return np.sum(np.sum(x, axis=(0, 0)))


@hostile("f8[:, :]")
def axis_of_a_float(x):
    return np.sum(np.sum(x, axis=1.0))


@hostile("f8[:, :]")
def axis_of_text(x):
    return np.sum(np.sum(x, axis="rows"))


@hostile("f8[:, :], i8")
def axis_of_an_argument(x, k):
    return np.sum(np.max(x, axis=k))


@hostile("f8[:, :], i8")
def axis_of_concatenate_at_run_time(x, k):
    return np.sum(np.concatenate((x, x), axis=k))


@hostile("f8[:, :]")
def keepdims_at_run_time(x):
    return np.sum(np.sum(x, axis=0, keepdims=x[0, 0] > 0))


@hostile("f8[:, :]")
def transpose_of_three_axes(x):
    return np.sum(np.transpose(x, (0, 1, 2)))


@hostile("f8[:, :]")
def transpose_of_one_axis_twice(x):
    return np.sum(np.transpose(x, (0, 0)))


@hostile("f8[6]")
def reshape_that_does_not_fit(x):
    return np.sum(np.reshape(x, (4, 2)))


@hostile("f8[6]")
def reshape_with_a_rest(x):
    return np.sum(x.reshape(4, -1))


@hostile("f8[6]")
def reshape_with_two_unknowns(x):
    return np.sum(x.reshape(-1, -1))


@hostile("f8[6]")
def reshape_with_a_negative(x):
    return np.sum(x.reshape(-2, 3))


@hostile("f8[6]")
def reshape_with_a_float(x):
    return np.sum(x.reshape(2.0, 3.0))


@hostile("f8[6]")
def reshape_in_fortran_order(x):
    return np.sum(np.reshape(x, (2, 3), order="F") ** 2)


@hostile()
def negative_extent(x):
    return x * np.sum(np.zeros(-3))


@hostile()
def negative_extent_of_two(x):
    return x * np.sum(np.ones((2, -1)))


@hostile()
def extent_of_a_float(x):
    return x * np.sum(np.zeros(2.5))


@hostile()
def extent_of_the_float_argument(x):
    return x * np.sum(np.zeros(x))


@hostile()
def extent_of_text(x):
    return x * np.sum(np.zeros("3"))


@hostile("f8[2, 3], f8[2, 3]")
def matmul_of_unequal(x, y):
    return np.sum(x @ y)


@hostile("f8[:], f8")
def matmul_with_a_number(x, y):
    return np.sum(x @ y)


@hostile("f8, f8")
def matmul_of_numbers(x, y):
    return x @ y


@hostile("f8[3], f8[4]")
def dot_of_unequal(x, y):
    return np.dot(x, y)


@hostile("f8[3], f8[3]")
def einsum_with_other_subscripts(x, y):
    return np.einsum("ij,j->", x, y)


@hostile("f8[3], f8[4]")
def einsum_of_unequal(x, y):
    return np.einsum("i,i->", x, y)


@hostile("f8[3]")
def einsum_without_text(x):
    return np.einsum(x, x)


@hostile("f8[2, 3]")
def solve_of_no_square(x):
    return np.sum(np.linalg.solve(x, np.ones(2)))


@hostile("f8[:]")
def inverse_of_a_vector(x):
    return np.sum(np.linalg.inv(x))


@hostile("f8[2, 3]")
def determinant_of_no_square(x):
    return np.linalg.det(x)


@hostile("f8[2], f8[3]")
def stack_of_unequal(x, y):
    return np.sum(np.stack((x, y)))


@hostile("f8[2, 2], f8[3, 3]")
def concatenate_of_unequal(x, y):
    return np.sum(np.concatenate((x, y)))


@hostile("f8[2], f8[2, 2]")
def concatenate_of_other_axes(x, y):
    return np.sum(np.concatenate((x, y)))


@hostile("f8[:]")
def concatenate_of_an_array(x):
    return np.sum(np.concatenate(x))


@hostile("f8[:]")
def concatenate_of_nothing(x):
    return np.sum(np.concatenate(()))


@hostile("f8[3]")
def broadcast_that_does_not_fit(x):
    return np.sum(np.broadcast_to(x, (2, 4)))


@hostile("f8[:]")
def too_many_indices_of_a_vector(x):
    return x[0, 0]


@hostile("f8[:]")
def index_of_a_float(x):
    return x[1.0]


@hostile("f8[:]")
def index_of_text(x):
    return x["a"]


@hostile("f8[:]")
def index_of_a_truth_value(x):
    return np.sum(x[True])


@hostile("f8[:]")
def index_array_of_floats(x):
    return np.sum(x[np.array([0.0, 1.0])])


@hostile("f8[3]")
def index_out_of_range(x):
    return x[3]


@hostile("f8[3]")
def index_far_below(x):
    return x[-4]


@hostile("f8[3]")
def write_out_of_range(x):
    x[5] = 1.0
    return np.sum(x)


@hostile("f8[4], b1[3]")
def mask_of_another_length(x, m):
    return np.sum(x[m])


@hostile()
def index_of_a_number(x):
    return x[0]


@hostile()
def write_to_a_number(x):
    x[0] = 1.0
    return x


@hostile("f8, f8")
def tuple_index_out_of_range(x, y):
    return (x, y)[2]


@hostile("f8, f8")
def list_index_out_of_range(x, y):
    items = [x, y]
    items[5] = x
    return items[0]


@hostile("f8, f8")
def tuple_index_of_a_float(x, y):
    pair = (x, y)
    return pair[0.5]


@hostile("f8, f8")
def unpacked_into_too_many(x, y):
    a, b, c = x, y
    return a


@hostile("f8[2]")
def array_unpacked_into_too_many(x):
    a, b, c = x
    return a + b + c


@hostile()
def number_unpacked(x):
    a, b = x
    return a + b


@hostile()
def writes_to_a_tuple(x):
    t = (x, x)
    t[0] = x * 2
    return t[0]


@hostile()
def writes_to_text(x):
    s = "ab"
    s[0] = "c"
    return x


@hostile("f8[3]")
def writes_to_a_broadcast_view(x):
    y = np.broadcast_to(x, (2, 3))
    y[0, 0] = 1.0
    return np.sum(y)


@hostile()
def writes_to_a_global_array(x):
    TABLE[0] = x
    return np.sum(TABLE)


@hostile()
def adds_to_a_global_array(x):
    TABLE[1] += x
    return np.sum(TABLE)


@hostile()
def writes_to_a_read_only_array(x):
    FROZEN[0] = x
    return np.sum(FROZEN)


@hostile()
def writes_to_a_view_of_a_global(x):
    view = TABLE[1:]
    view[:] = x
    return np.sum(TABLE)


@hostile("f8[:]")
def writes_an_array_into_an_element(x):
    x[0] = np.ones(2)
    return np.sum(x)


@hostile("f8[4]")
def writes_too_long_a_slice(x):
    x[:2] = np.ones(3)
    return np.sum(x)


@hostile("f8[:]")
def writes_text(x):
    x[0] = "a"
    return np.sum(x)


@hostile("f8[:]")
def writes_none(x):
    x[0] = None
    return np.sum(x)


@hostile()
def writes_a_float_to_integers(x):
    n = np.zeros(3, dtype=np.int64)
    n[0] = x
    return x * n[0]


@hostile()
def adds_a_float_to_integers(x):
    n = np.zeros(3, dtype=np.int64)
    n[0] += x
    return x * n[0]


@hostile("f8[:]")
def adds_floats_to_integers(x):
    n = np.zeros(3, dtype=np.int64)
    n += x
    return np.sum(x * n)


@hostile("f8[:]")
def divides_integers_in_place(x):
    n = np.ones(3, dtype=np.int64)
    n /= 2
    return np.sum(x * n)


@hostile("f8[3]")
def in_place_that_grows(x):
    x += np.ones((2, 3))
    return np.sum(x)


@hostile("f8[:]")
def unknown_dtype(x):
    return np.sum(x.astype("float65"))


@hostile("f8[:]")
def half_dtype(x):
    return np.sum(x.astype(np.float16))


@hostile("f8[:]")
def long_double(x):
    return np.sum(x.astype(np.longdouble)) if np.longdouble is not np.float64 else x


@hostile("f8[:]")
def object_dtype(x):
    return np.sum(x.astype(object))


@hostile("f8[:]")
def text_dtype(x):
    return np.sum(x.astype(str))


@hostile("f8[:]")
def date_dtype(x):
    return np.sum(x.astype("datetime64[D]"))


@hostile()
def structured_dtype(x):
    return x * np.zeros(2, dtype=[("a", "f8")])[0]["a"]


@hostile()
def half_zeros(x):
    return x * np.sum(np.zeros(3, "f2"))


@hostile()
def dtype_that_is_a_number(x):
    return x * np.sum(np.zeros(3, 5))


@hostile()
def big_endian_dtype(x):
    return x * np.sum(np.zeros(3, ">f8"))


@hostile()
def global_array_of_texts(x):
    return x * len(TEXTS[0])


@hostile()
def global_array_of_objects(x):
    return x * OBJECTS[0]


@hostile()
def global_array_of_dates(x):
    return x * (DATES[0] > DATES[0])


@hostile()
def global_array_of_records(x):
    return x * RECORDS["a"][0]


@hostile()
def global_array_of_halves(x):
    return x * np.sum(HALF)


@hostile()
def large_global_array(x):
    return x * np.sum(BIG)


@hostile("f8[:]")
def array_of_unequal_rows(x):
    return np.sum(np.array([[1.0, 2.0], [x[0]]]))


@hostile()
def array_of_texts(x):
    return x * len(np.array(["a", "b"]))


@hostile()
def array_of_nothing_known(x):
    return np.sum(np.array([None, x]))


@hostile("f8[:]")
def truth_of_an_array(x):
    if x:
        return np.sum(x)
    return x[0]


@hostile("f8[:]")
def not_of_an_array(x):
    if not x:
        return np.sum(x)
    return x[0]


@hostile("f8[:], f8[:]")
def comparison_of_arrays(x, y):
    if x == y:
        return np.sum(x)
    return np.sum(y)


@hostile("f8[:]")
def and_of_arrays(x):
    return np.sum(np.where(x > 0 and x < 1, x, 0.0))


@hostile("f8[:]")
def chained_comparison_of_arrays(x):
    return np.sum(np.where(0 < x < 1, x, 0.0))


@hostile("f8[:]")
def while_of_an_array(x):
    while x > 1:
        x = x / 2
    return np.sum(x)


@hostile("f8[:]")
def float_of_an_array(x):
    return float(x)


@hostile("f8[:]")
def math_of_an_array(x):
    import_free = np.sum(x)
    return import_free + max(x, 0.0)


@hostile("f8[:]")
def range_of_an_array(x):
    s = 0.0
    for i in range(x):
        s += i
    return s


@hostile("f8[:]")
def flatten_of_axes(x):
    return np.sum(x.reshape("flat"))


@hostile("f8[:]")
def linspace_at_run_time(x):
    return np.sum(np.linspace(0.0, 1.0, x[0]) * x[0])


@hostile("f8[3]")
def eye_of_a_float(x):
    return np.sum(np.eye(3.0) @ x)


@hostile("f8[:]")
def expand_dims_out_of_range(x):
    return np.sum(np.expand_dims(x, 3))


@hostile("f8[3, 2]")
def squeeze_of_three(x):
    return np.sum(np.squeeze(x, axis=0))


@hostile("f8[:]")
def diagonal_of_a_vector(x):
    return np.sum(np.trace(x))


@hostile("f8[:, :, :]")
def diagonal_of_a_cube(x):
    return np.sum(np.diag(x))


@hostile("f8[:]")
def norm_of_unknown_order(x):
    return np.linalg.norm(x, ord="large")

"""Arguments as they come: every dtype, layout, class and size, through every transformation."""

import threading
from decimal import Decimal
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

import adcompile as ad
from adcompile import pipeline


class _Own(np.ndarray):
    pass


def _read_only(array):
    array.flags.writeable = False
    return array


def smooth(x):
    return np.sum(np.sin(x) * x) + 0.5 * np.sum(x * x)


def each(x):
    return np.exp(0.1 * x) * x


def looped(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] ** 2 * x[i - 1]
    return total


def written(x):
    x[0] = x[1] * x[2]
    x *= 2.0
    return np.sum(x * x * x)


def number(x):
    return np.sin(x) * x


_TRANSFORMS = {
    "jit": lambda f, **o: ad.jit(f, **o),
    "grad": lambda f, **o: ad.grad(f, **o),
    "value_and_grad": lambda f, **o: ad.value_and_grad(f, **o),
    "jvp": lambda f, **o: lambda x: ad.jvp(f, (x,), (np.ones(np.shape(x)),), **o),
    "vjp": lambda f, **o: lambda x: ad.vjp(f, x, **o)[1](1.0),
    "jacfwd": lambda f, **o: ad.jacfwd(f, **o),
    "jacrev": lambda f, **o: ad.jacrev(f, **o),
    "hessian": lambda f, **o: ad.hessian(f, **o),
    "hvp": lambda f, **o: lambda x: ad.hvp(f, **o)(x, np.ones(np.shape(x))),
    "linearize": lambda f, **o: lambda x: ad.linearize(f, x, **o)[1](np.ones(np.shape(x))),
}
_LAYOUTS = {
    "plain": np.arange(1.0, 5.0),
    "backwards": np.arange(1.0, 5.0)[::-1],
    "strided": np.arange(8.0)[::2],
    "stretched": np.broadcast_to(2.0, (4,)),
    "read_only": _read_only(np.arange(4.0)),
    "unaligned": np.frombuffer(b"\0" + np.arange(4.0).tobytes(), "u1")[1:].view("f8"),
    "a_column": np.arange(12.0).reshape(4, 3)[:, 1],
    "not_finite": np.array([np.nan, 1.0, np.inf, 2.0]),
}


def _same(found, wanted):
    if isinstance(wanted, tuple):
        assert isinstance(found, tuple) and len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            _same(one, other)
        return
    assert np.shape(found) == np.shape(wanted)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


@pytest.mark.share(5, of="cpu")
@pytest.mark.parametrize("target", ["cpu", "python"])
@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("jit", written), ("grad", smooth), ("grad", looped), ("grad", written), ("jvp", looped),
        ("vjp", written), ("jacfwd", smooth), ("jacrev", written), ("hessian", looped),
        ("hvp", written), ("linearize", smooth),
    ],
)  # fmt: skip
def test_layouts(name, function, target):
    transform = _TRANSFORMS[name]
    run = transform(function, target=target)
    plain = transform(function, target="python")
    for value in _LAYOUTS.values():
        before = value.copy()
        with np.errstate(invalid="ignore"):
            _same(run(value), plain(np.array(value, order="C")))
        np.testing.assert_array_equal(value, before)


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_memory_maps_are_arrays(target, tmp_path):
    mapped = np.memmap(tmp_path / "numbers", dtype="f8", mode="w+", shape=(4,))
    mapped[:] = np.arange(4.0)
    for function in (smooth, written):
        for name in ("grad", "jvp"):
            run = _TRANSFORMS[name](function, target=target)
            for _ in range(2):
                _same(run(mapped), run(np.arange(4.0)))
    np.testing.assert_array_equal(mapped, np.arange(4.0))
    assert type(ad.grad(written, target=target)(mapped)) is np.ndarray


@pytest.mark.parametrize("target", ["cpu", "python"])
@pytest.mark.parametrize("name", sorted(_TRANSFORMS))
def test_an_array_of_no_axis_is_a_number(name, target):
    run = _TRANSFORMS[name](number, target=target)
    _same(run(np.array(1.5)), run(1.5))
    _same(run(1.5), run(np.array(1.5)))


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_arrays_of_no_axis_in_containers_and_beside_others(target):
    def scaled(p, x):
        return p["scale"] * np.sum(x * x) * p["pair"][0]

    p = {"scale": np.array(2.0), "pair": (np.array(3.0), 1.0)}
    gradient = ad.grad(scaled, target=target)
    for _ in range(2):
        found = gradient(p, np.ones(3))
        assert found == {"scale": 9.0, "pair": (6.0, 0.0)}
    assert ad.grad(number, target=target)(np.array(2.0, "f4")) == pytest.approx(
        np.sin(2.0) + 2.0 * np.cos(2.0), rel=1e-6
    )


@pytest.mark.parametrize("target", ["cpu", "python"])
@pytest.mark.parametrize("shape", [(0,), (3, 0)])
@pytest.mark.parametrize("name", sorted(_TRANSFORMS))
def test_no_elements(name, shape, target):
    found = _TRANSFORMS[name](smooth, target=target)(np.zeros(shape))
    shapes = {
        "jit": (), "value_and_grad": None, "jvp": None, "vjp": None, "hessian": shape + shape,
        "linearize": (),
    }  # fmt: skip
    wanted = shapes.get(name, shape)
    if wanted is not None:
        assert np.shape(found) == wanted
    elif name == "jvp":
        assert found == (0.0, 0.0)
    else:
        assert np.shape(found[-1]) == shape


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_vmap_of_layouts_and_of_nothing(target):
    run = ad.vmap(each, target=target)
    for value in _LAYOUTS.values():
        _same(run(value), each(value))
    assert run(np.zeros(0)).shape == (0,)
    rows = ad.vmap(ad.grad(smooth), target=target)
    matrix = np.arange(12.0).reshape(3, 4)
    for value in (matrix, np.asfortranarray(matrix), matrix[::-1], matrix[:, ::2]):
        _same(rows(value), np.array([ad.grad(smooth)(row) for row in value]))
    assert rows(np.zeros((0, 4))).shape == (0, 4)


_REFUSED = {
    "half": np.float16(1.5), "long_double": np.longdouble(1.5), "huge": 2**70,
    "decimal": Decimal("1.5"), "fraction": Fraction(3, 2), "set": {1.0}, "range": range(3),
    "generator": (i for i in range(3)), "object": object(),
    "big_endian": np.arange(4.0).astype(">f8"), "halves": np.ones(3, "f2"),
    "long_doubles": np.ones(3, np.longdouble), "objects": np.array([1.0, None], dtype=object),
    "texts": np.array(["a"]), "dates": np.array(["2020-01-01"], "M8[D]"),
    "records": np.zeros(2, [("a", "f8")]),
    "masked": np.ma.masked_array([1.0, 2.0, 3.0], [0, 1, 0]), "own": np.arange(4.0).view(_Own),
    "in_a_tuple": (np.ma.masked_array([1.0, 2.0, 3.0], [0, 1, 0]),),
    "in_a_dict": {"a": np.arange(4.0).view(_Own)}, "nested": [(np.ones(2), [Decimal(1)])],
    "none": None, "text": "a", "list": [1.0, 2.0], "nothing": (), "dict": {},
}  # fmt: skip


@pytest.mark.parametrize("target", ["cpu", "python"])
@pytest.mark.parametrize("transform", [ad.grad, ad.jit, ad.jacfwd, ad.jacrev, ad.hessian])
def test_what_is_no_number_or_plain_array(target, transform):
    run = transform(smooth, target=target)
    run(np.arange(4.0))  # compiled for the usual
    for name, value in _REFUSED.items():
        for _ in range(2):
            with pytest.raises(ad.AdcompileError) as caught:
                run(value)
            assert "test_values.py:" in str(caught.value), name
            assert "numba" not in str(caught.value).lower()


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_a_matrix_is_refused(target):
    with pytest.warns(PendingDeprecationWarning):
        matrix = np.asmatrix(np.eye(2))
    for run in (ad.grad(smooth, target=target), ad.vmap(each, target=target)):
        with pytest.raises(ad.TypeMismatch, match=r"numpy\.matrix"):
            run(matrix)
        run(np.eye(2))
        with pytest.raises(ad.TypeMismatch, match=r"np.asarray"):
            run(matrix)


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_the_argument_is_named(target):
    def pair(weights, x):
        return np.sum(weights * x)

    with pytest.raises(ad.TypeMismatch, match=r"argument `x` of `grad_pair`"):
        ad.grad(pair, target=target)(np.ones(3), np.ones(3, "f2"))


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_scalars_of_other_types(target):
    def scaled(x, n, flag):
        return x * n if flag else x

    gradient = ad.grad(scaled, target=target)
    for n in (3, np.int32(3), np.int8(3), np.uint64(3), np.array(3)):
        for flag in (True, np.bool_(True), np.array(True)):
            assert gradient(2.0, n, flag) == 3.0
    assert gradient(np.float32(2.0), 3, True) == 3.0
    for bad in (3, True, np.int32(3), np.bool_(True), np.array(3)):
        with pytest.raises(ad.AdcompileError):
            gradient(bad, 3, True)


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_overlapping_views_of_which_one_is_written(target):
    def moved(a, b):
        a[0] = b[1] * 2.0
        return np.sum(a * b)

    x = np.arange(6.0)
    for transform in (ad.grad, ad.jit, ad.value_and_grad):
        run = transform(moved, target=target)
        run(x[:3].copy(), x[3:])
        for a, b in ((x[:4], x[2:]), (x, x[::-1]), (x[:4], x[:4])):
            with pytest.raises(ad.TypeMismatch, match="share memory"):
                run(a[:4], b[:4])
    np.testing.assert_array_equal(x, np.arange(6.0))


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_the_same_array_twice(target):
    def product(a, b):
        return np.sum(a * b * b)

    x = np.arange(1.0, 4.0)
    _same(ad.grad(product, (0, 1), target=target)(x, x), (x * x, 2 * x * x))
    found = ad.grad(product, (0, 1), target=target)(x, x)
    assert not np.shares_memory(*found) and not np.shares_memory(found[0], x)


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_in_place_of_what_cannot_be_written(target):
    doubled = ad.jit(written, inplace="x", target=target)
    x = np.arange(4.0)
    doubled(x)
    assert x[1] == 2.0
    with pytest.raises(ad.TypeMismatch, match="read-only"):
        doubled(_read_only(np.arange(4.0)))
    with pytest.raises(ad.TypeMismatch, match="read-only"):
        doubled(np.broadcast_to(1.0, (4,)))


def test_an_argument_that_another_thread_changes():
    """The result is of some moment, or of a mixture; nothing else is touched."""
    x, going = np.ones(1000), True
    gradient = ad.grad(smooth)
    gradient(x)

    def change():
        while going:
            x[:] = 2.0
            x[:] = 1.0

    thread = threading.Thread(target=change)
    thread.start()
    results = [gradient(x) for _ in range(200)]
    going = False
    thread.join()
    low, high = sorted((gradient(np.ones(1))[0], gradient(2 * np.ones(1))[0]))
    for result in results:
        assert result.shape == (1000,) and np.all(np.isfinite(result))
        assert low - 3 <= result.min() and result.max() <= high + 3


def test_indices_are_checked_on_request():
    def beyond(x, k):
        y = x * 1.0
        y[k] = y[k] * 2.0
        return np.sum(y * y)

    def nothing_new(x, k):
        y = x * 1.0
        y[k] = y[k]
        return np.sum(y * y)

    x = np.arange(1.0, 4.0)
    transforms = (ad.grad, ad.value_and_grad, ad.jit, ad.jacfwd)
    for transform, function in product(transforms, (beyond, nothing_new)):
        checked = transform(function, boundscheck=True)
        slow = transform(function, target="python")
        for k in (0, 2, -1, -3):
            _same(checked(x, k), slow(x, k))
        for k in (3, -4, 1000):
            with pytest.raises(IndexError):
                checked(x, k)
            with pytest.raises(IndexError):
                slow(x, k)


def test_indices_of_the_adjoint_are_checked():
    def gathered(x, index):
        return np.sum(x[index] ** 2)

    def looped(x, index):
        total = 0.0
        for k in index:
            total += x[k] * 3.0  # the forward sweep reads nothing that the gradient needs
        return total

    x = np.arange(4.0)
    for function in (gathered, looped):
        checked = ad.grad(function, boundscheck=True)
        _same(checked(x, np.array([0, 3, 3])), ad.grad(function)(x, np.array([0, 3, 3])))
        with pytest.raises(IndexError):
            checked(x, np.array([0, 4]))


_SEEDS = ("a", None, [1.0, 2.0], np.ones(5), np.ones((4, 1)), object(), [[1.0], [1.0, 2.0]])


@pytest.mark.parametrize("seed", _SEEDS, ids=lambda seed: type(seed).__name__)
def test_tangents_and_cotangents_of_other_shapes(seed):
    x = np.arange(4.0)
    options = {"target": "python"}
    _, push = ad.linearize(each, x, **options)
    _, pull = ad.vjp(each, x, **options)
    calls = [lambda: ad.jvp(each, (x,), (seed,), **options), lambda: push(seed), lambda: pull(seed)]
    for call in [] if seed is None else calls:  # None: of what has no derivative
        with pytest.raises(ad.TypeMismatch, match=r"test_values.py:\d+: a (co)?tangent"):
            call()
    for call in (lambda: push(), lambda: push(x, x), lambda: ad.jvp(each, (x,), (), **options)):
        with pytest.raises(ad.TypeMismatch, match="1 primals but"):
            call()


def _written_out(folder, name, text):
    file = folder / f"{name}.py"
    file.write_text(text)
    space = {}
    exec(compile(text, str(file), "exec"), space)
    return space["f"]


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_what_is_nested_too_deeply(target, tmp_path):
    terms = " + ".join(["x * x"] * 900)
    chain = "\n".join(f"def f{k}(x):\n    return f{k + 1}(x) * 1.01" for k in range(400))
    texts = {
        "long_sum": f"def f(x):\n    return {terms}\n",
        "long_chain": f"{chain}\ndef f400(x):\n    return x\ndef f(x):\n    return f0(x)\n",
    }
    for name, text in texts.items():
        function = _written_out(tmp_path, name, text)
        gradient = ad.grad(function, target=target)
        for call in (lambda: gradient(0.5), lambda: gradient.source("f8")):
            with pytest.raises(ad.UnsupportedSyntax, match="nested too deeply"):
                call()
    tree, cycle = (1.0,), []
    for _ in range(3000):
        tree = (tree,)
    cycle.append(cycle)
    for item in (tree, cycle):
        with pytest.raises(ad.UnsupportedSyntax, match="nested too deeply"):
            ad.grad(lambda x: 1.0, target=target)(item)


def test_branches_in_branches_take_no_time(tmp_path):
    """Each was once printed twice as often as the one around it."""
    lines = ["def f(x):"] + ["    " * (k + 1) + f"if x > {k}:" for k in range(16)]
    text = "\n".join([*lines, "    " * 17 + "x = x * 2", "    return x", ""])
    source = ad.grad(_written_out(tmp_path, "branches", text)).source("f8")
    assert 16 <= source.count("x > ") <= 17


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_names_that_the_machinery_uses_too(target):
    def one(error, bound):
        return np.sum(error - bound) ** 2

    def two(_dispatch, _usual, _exact, _error, _own, _errors, self):
        return _dispatch * _usual * _exact * _error * _own * _errors * self

    def three(primals, tangents, tangent, cotangent):
        return primals * tangents * tangent * cotangent

    def four(x, ValueError, TypeError):
        return np.sum(x * ValueError * TypeError)

    gradient = ad.grad(one, target=target)
    for _ in range(2):
        _same(gradient(np.ones(3), np.zeros(1)), np.full(3, 6.0))
        with pytest.raises(ad.TypeMismatch, match="argument `bound`"):
            gradient(np.ones(3), object())
    seven = (2.0,) * 7
    gradient = ad.grad(two, target=target)
    assert [gradient(*seven), gradient(np.array(2.0), *seven[1:])] == [64.0, 64.0]
    args = (2.0, 3.0, 4.0, 5.0)
    assert ad.jvp(three, args, (1.0, 0.0, 0.0, 0.0), target=target) == (120.0, 60.0)
    assert ad.vjp(three, *args, target=target)[1](1.0) == (60.0, 40.0, 30.0, 24.0)
    assert ad.hvp(three, target=target)(*args, 1.0) == 0.0
    gradient = ad.grad(four, target=target)
    gradient(np.ones(3), 1.0, 2.0)
    with pytest.raises(ad.ShapeError):
        gradient(np.ones(3), np.ones(2), 2.0)


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_none_as_tangent_or_cotangent_is_zero(target):
    def pair(x, y, n):
        return x * y * n, y * y

    assert ad.jvp(pair, (2.0, 3.0, 4), (None, 1.0, None), target=target)[1] == (8.0, 6.0)
    _, pull = ad.vjp(pair, 2.0, 3.0, 4, target=target)
    assert pull((None, 1.0)) == (0.0, 6.0, None)
    _, pull = ad.vjp(each, np.arange(3.0), target=target)
    _same(pull(None)[0], np.zeros(3))
    _same(ad.jvp(each, (np.arange(3.0),), (None,), target=target)[1], np.zeros(3))


def test_what_is_no_function_or_option():
    calls = [
        lambda: ad.custom_vjp(3), lambda: ad.custom_jvp("f"), lambda: ad.jit(each, inplace=3),
        lambda: ad.check_grads(each, (1.0,), order="2"), lambda: ad.grad(each).source("f8[]"),
        lambda: ad.grad(3), lambda: ad.vmap(np.ones(3)), lambda: ad.debug(None),
        lambda: ad.grad(np.sin)(1.0), lambda: ad.grad(max)(1.0), lambda: ad.grad(dict)(1.0),
        lambda: ad.grad("x".join)(1.0),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(ad.AdcompileError):
            call()


def test_a_call_that_stretches_an_extent_of_1_reads_the_source_once(monkeypatch):
    def loss(b, x):
        return np.sum((x + b) ** 2)

    gradient, x = ad.grad(loss), np.arange(4.0)
    wanted = gradient(np.ones(1), x)

    def fail(function):
        raise AssertionError("it was read again")

    monkeypatch.setattr(pipeline, "place_of", fail)
    np.testing.assert_array_equal(gradient(np.ones(1), x), wanted)


def test_float_of_a_single_is_a_double():
    def product(x):
        z, w = float(x[0]), float(x[1])
        return z * w * w + z

    x = np.array([0.1, 0.3], np.float32)
    assert ad.jit(product)(x) == ad.jit(product, target="python")(x) == product(x)


def narrow_integers(w, k):
    a, b, c = np.uint8(k), np.int16(3), np.uint32(2 * k)
    wraps = np.uint8(k) + np.uint8(255)
    return w[a] * b + w[c] * np.int8(-1) + w[0] * np.uint64(5) * np.uint16(7) * wraps


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("target", ["cpu", "python"])
def test_integers_of_every_size_are_made_as_in_numpy(target):
    w = np.arange(1.0, 6.0)
    value, gradient = ad.value_and_grad(narrow_integers, target=target)(w, 2)
    assert value == narrow_integers(w, 2)
    np.testing.assert_array_equal(gradient, [35.0, 0.0, 3.0, 0.0, -1.0])


def test_quantiles_of_other_shares_raise():
    x = np.array([3.0, 1.0, 2.0])
    for share in (2.0, -0.1, np.nan):
        with pytest.raises(ValueError, match="between 0 and 1"):
            ad.jit(lambda x, q: np.quantile(x, q))(x, share)
    with pytest.raises(ValueError, match="between 0 and 1"):
        ad.jit(lambda x: np.percentile(x, (50.0, 101.0)))(x)
    with pytest.raises(ad.TypeMismatch, match="no integer"):
        ad.jit(lambda x: np.roll(x, 1.5))(x)

"""Complex numbers: programs against differences of plain Python, conventions, types, refusals."""

import numpy as np
import pytest

import adcompile as ad
from adcompile.graph.trees import leaves, mapped
from tests.programs.complex_programs import COMPLEX_PROGRAMS, HOLOMORPHIC

_ids = [function.__name__ for function, _ in COMPLEX_PROGRAMS]
_holomorphic_ids = [function.__name__ for function, _ in HOLOMORPHIC]


def copied(tree):
    return mapped(lambda leaf: leaf.copy() if isinstance(leaf, np.ndarray) else leaf, tree)


def by_differences(function, args, step=1e-6):
    """df/dx - i df/dy for each element of each argument, by plain Python."""
    items = [np.array(leaf) for leaf in leaves(args)]

    def value(number, index, change):
        moved = [item.copy() for item in items]
        moved[number][index] += change
        numbers = iter(m if m.ndim else m.item() for m in moved)
        return function(*mapped(lambda _: next(numbers), args))

    def slope(number, index, along):
        ahead, behind = (value(number, index, s * step * along) for s in (1, -1))
        return (ahead - behind) / (2 * step)

    gradients = []
    for number, item in enumerate(items):
        found = np.zeros_like(item)
        for index in np.ndindex(item.shape):
            found[index] = slope(number, index, 1.0)
            if np.iscomplexobj(item):
                found[index] -= 1j * slope(number, index, 1j)
        gradients.append(found)
    return gradients


def positions(args):
    return tuple(range(len(args)))


@pytest.mark.share(4, of="cpu")
@pytest.mark.parametrize("target", ["cpu", "python"])
@pytest.mark.parametrize(("function", "args"), COMPLEX_PROGRAMS, ids=_ids)
def test_gradient_against_differences(function, args, target):
    made = ad.value_and_grad(function, positions(args), target=target)
    value, gradient = made(*copied(args))
    assert value == pytest.approx(function(*copied(args)), rel=1e-12)
    wanted = by_differences(function, args)
    for found, expected, arg in zip(leaves(gradient), wanted, leaves(args), strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-7)
        assert np.asarray(found).dtype == np.asarray(arg).dtype


@pytest.mark.share(2)
@pytest.mark.parametrize(("function", "args"), COMPLEX_PROGRAMS, ids=_ids)
def test_both_modes_and_second_order(function, args):
    ad.check_grads(function, args, order=2, atol=1e-5, target="python")


@pytest.mark.share(4)
@pytest.mark.parametrize(("function", "args"), COMPLEX_PROGRAMS, ids=_ids)
def test_second_order_compiled(function, args):
    """A Hessian times a vector, compiled, against the same in plain Python."""

    def products(target):
        gradient = ad.grad(function, positions(args), target=target)
        return list(leaves(ad.jvp(gradient, args, args, target=target)))

    for found, wanted in zip(products("cpu"), products("python"), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("target", ["cpu", "python"])
@pytest.mark.parametrize(("function", "args"), HOLOMORPHIC, ids=_holomorphic_ids)
def test_holomorphic_derivative(function, args, target):
    everything = positions(args)
    value, gradient = ad.value_and_grad(function, everything, holomorphic=True, target=target)(
        *args
    )
    assert value == pytest.approx(function(*args), rel=1e-12)
    step = 1e-6
    for k, found in enumerate(gradient):
        direction = np.ones_like(args[k])
        moved = [[*args[:k], args[k] + s * step * direction, *args[k + 1 :]] for s in (1, -1)]
        slope = (function(*moved[0]) - function(*moved[1])) / (2 * step)
        assert np.sum(found) == pytest.approx(slope, rel=1e-7)
    for make in (ad.jacfwd, ad.jacrev):
        by = make(function, everything, holomorphic=True, target=target)(*args)
        for found, wanted in zip(by, gradient, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-10)


# -- conventions ---------------------------------------------------------------------------------


def test_gradient_of_a_real_function_is_the_conjugate_of_its_direction():
    def distance(z):
        return np.abs(z - (1 + 2j)) ** 2

    gradient = ad.grad(distance)
    assert gradient(3 + 1j) == pytest.approx(2 * (2 + 1j))  # df/dx - i df/dy
    z = 0j
    for _ in range(50):
        z -= 0.2 * np.conj(gradient(z))
    assert z == pytest.approx(1 + 2j, rel=1e-6)


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        (lambda z: z.real, 1),
        (lambda z: z.imag, -1j),
        (lambda z: np.conj(z).imag, 1j),
        (lambda z: z.conjugate().real, 1),
        (lambda z: abs(z), (3 - 4j) / 5),
        (lambda z: np.angle(z), -1j / (3 + 4j)),
        (lambda z: (z * z).imag, -1j * 2 * (3 + 4j)),
    ],
)
def test_functions_that_are_not_holomorphic(function, wanted):
    assert ad.grad(function)(3 + 4j) == pytest.approx(wanted)
    assert ad.jvp(function, (3 + 4j,), (1 - 2j,))[1] == pytest.approx((wanted * (1 - 2j)).real)


def test_kinks():
    for function in (abs, np.angle, np.linalg.norm):
        assert ad.grad(lambda z, f=function: f(z) if f is abs else f(1.0 * z))(0j) == 0
    assert np.all(ad.grad(lambda z: np.linalg.norm(z))(np.zeros(3, complex)) == 0)
    assert np.all(ad.grad(lambda z: np.sum(np.abs(z)))(np.zeros(3, complex)) == 0)
    assert ad.grad(lambda z, w: (z**w).real, 1)(0j, 2 + 1j) == 0


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_branch_cuts_are_those_of_numpy(target):
    above, below = complex(-2.0, 0.0), complex(-2.0, -0.0)
    for function in (np.sqrt, np.log, np.arccosh):
        made = ad.jit(lambda z, f=function: f(z) * (1 + 0j), target=target, fastmath=False)
        for z in (above, below):
            assert made(z) == pytest.approx(function(z))


def test_what_is_not_taken_leaves_no_trace():
    def function(z):
        return np.sum(np.where(np.abs(z) > 0, np.log(z), 0).real)

    with np.errstate(all="ignore"):
        found = ad.grad(function)(np.array([0j, 2j]))
    np.testing.assert_allclose(found, [0, -0.5j])


def test_division_by_zero_does_not_raise():
    assert not np.isfinite(ad.jit(lambda z: 1.0 / z)(0j))
    assert not np.isfinite(ad.jit(lambda z: np.reciprocal(z))(0j))
    assert not np.isfinite(ad.jit(lambda z, w: z / w)(1j, 0j))


def test_derivative_by_name_and_with_more_results():
    def function(z, x):
        u = z * x
        return np.sum(np.abs(u) ** 2), u

    z, x = np.array([1 + 1j, 2j]), np.array([2.0, 3.0])
    (gradient, aux) = ad.grad(function, (0, 1), has_aux=True)(z, x)
    np.testing.assert_allclose(gradient[0], 2 * np.conj(z) * x**2)
    np.testing.assert_allclose(gradient[1], 2 * np.abs(z) ** 2 * x)
    np.testing.assert_allclose(aux, z * x)
    by_name = ad.grad(function, wrt="u", has_aux=True)(z, x)[0]
    np.testing.assert_allclose(by_name, 2 * np.conj(z * x))


def test_mapped_over_elements():
    def one(z, c):
        return abs(z * c) if z.real > 0 else (z * z).imag

    zs = np.array([1 + 1j, -2 + 0.5j, 0.3j + 1])
    every = ad.vmap(ad.grad(one), in_axes=(0, None))(zs, 2j)
    np.testing.assert_allclose(every, [ad.grad(one)(z, 2j) for z in zs])


def test_called_in_numba_code():
    import numba

    gradient = ad.grad(lambda z: abs(z) ** 2)

    @numba.njit
    def twice(z):
        return gradient(z) * 2

    assert twice(1 + 2j) == pytest.approx(4 - 8j)


def test_rules_of_ones_own():
    @ad.custom_jvp
    def size(z):
        return z * z.conjugate()

    @size.defjvp
    def rule(primals, tangents):
        (z,), (dz,) = primals, tangents
        return z * z.conjugate(), dz * z.conjugate() + z * dz.conjugate()

    @ad.custom_vjp
    def square(z):
        return z * z

    square.defvjp(lambda z: (z * z, z), lambda z, g: (2 * z * g,))

    def with_own(z):
        return (size(1j * z) * z).imag + (square(z * z) * 1j).real

    def plainly(z):
        return (1j * z * (1j * z).conjugate() * z).imag + (z**4 * 1j).real

    assert ad.grad(with_own)(0.5 - 0.3j) == pytest.approx(ad.grad(plainly)(0.5 - 0.3j))


def test_second_derivative_of_a_squared_size_at_zero():
    for function in (
        lambda z: np.sum(np.abs(z) ** 2),
        lambda z: np.sum(np.square(np.abs(z))),
        lambda z: np.sum(abs(z) * abs(z)),
    ):
        found = ad.hvp(function)(np.zeros(2, complex), np.array([1.0, 1j]))
        np.testing.assert_allclose(found, [2.0, -2j])
        assert ad.hvp(function)(np.zeros(1), np.ones(1)) == 2.0


def test_a_size_squared_after_a_write_is_the_old_one():
    def function(z):
        size = np.abs(z)
        z[0] = 3.0
        return np.sum(size**2)

    z = np.array([1j, 2.0])
    np.testing.assert_allclose(ad.grad(function)(z), 2 * np.conj(z))


# -- types ---------------------------------------------------------------------------------------

_KINDS = ["b1", "i4", "i8", "f4", "f8", "c8", "c16"]
_MIXED = [
    lambda x: x * 1j,
    lambda x: x / (2 - 1j),
    lambda x: x + np.complex64(1j),
    lambda x: x - np.array([1j, 2.0]),
    lambda x: np.exp(1j * x),
    lambda x: abs(x * 1j),
    lambda x: np.angle(x * 1j + 1),
    lambda x: (x * 1j).imag,
    lambda x: np.mean(x * 1j),
    lambda x: np.stack((x, x * 1j)),
    lambda x: np.full(2, 1j) * x,
    lambda x: np.zeros_like(x, dtype=complex) + x,
    lambda x: x.astype(np.complex64),
    lambda x: np.var(x * 1j),
    lambda x: np.linalg.norm(x * 1j),
]


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("number", range(len(_MIXED)))
def test_results_have_the_type_that_numpy_gives(number, kind):
    function, x = _MIXED[number], np.array([1, 0]).astype(kind)
    wanted = np.asarray(function(x))
    found = np.asarray(ad.jit(function, target="python")(x))
    assert found.dtype == wanted.dtype
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_single_precision_stays():
    def function(z, x):
        w = np.exp(1j * x) * z / (1 + x)
        return np.sum(np.abs(w) ** 2 + w.imag)

    z, x = np.array([1 + 2j, 0.5j]), np.array([0.5, 0.25])
    wanted = ad.grad(function, (0, 1))(z, x)
    singles = z.astype(np.complex64), x.astype(np.float32)
    for target in ("cpu", "python"):
        found = ad.grad(function, (0, 1), target=target)(*singles)
        assert [f.dtype for f in found] == [np.complex64, np.float32]
        for f, w in zip(found, wanted, strict=True):
            np.testing.assert_allclose(f, w, rtol=1e-5)
    source = ad.grad(function, (0, 1)).source(*singles, stage="compiled")
    assert "float64" not in source
    assert "complex128" not in source
    ad.check_grads(function, singles)


def test_texts_of_types():
    source = ad.grad(lambda z, w: abs(z * np.sum(w))).source("c16, c8[::1]")
    assert "z_bar" in source


def test_constants_keep_the_signs_of_zeros():
    table = np.array([complex(-1.0, -0.0), complex(np.inf, np.nan), 1j])
    for number in (complex(-1.0, -0.0), complex(-0.0, 2.0), 3 - 2j, 1j):
        made = ad.jit(lambda z, c=number: np.sqrt(c) + 0 * z, target="python")
        assert made(1j) == np.sqrt(number)
    for target in ("cpu", "python"):
        found = ad.jit(lambda z: table * z, target=target)(1 + 0j)
        assert np.isnan(found[1].imag)


# -- refusals ------------------------------------------------------------------------------------


def test_complex_results_need_a_word():
    def function(z):
        return z * z

    for make in (ad.grad, ad.value_and_grad, ad.jacrev):
        with pytest.raises(ad.NotDifferentiable, match="needs a real result") as error:
            make(function)(1j)
        assert "holomorphic=True" in str(error.value)
    with pytest.raises(ad.NotDifferentiable, match="needs real arguments"):
        ad.jacfwd(function)(1j)
    with pytest.raises(ad.NotDifferentiable, match="needs real arguments"):
        ad.hessian(lambda z: abs(z) ** 2)(1j)


def test_holomorphic_needs_complex_numbers():
    for make in (ad.grad, ad.jacfwd, ad.jacrev):
        with pytest.raises(ad.NotDifferentiable, match="for complex results"):
            make(lambda z: abs(z), holomorphic=True)(1j)
        with pytest.raises(ad.NotDifferentiable, match="for complex arguments"):
            make(lambda x: x * 1j, holomorphic=True)(1.0)


def test_tangents_and_cotangents_of_real_values_are_real():
    with pytest.raises(ad.TypeMismatch, match="complex tangent"):
        ad.jvp(lambda x: x * 1j, (1.0,), (1j,))
    with pytest.raises(ad.TypeMismatch, match="complex tangent"):
        ad.jvp(lambda x: x * 1j, (np.ones(2),), (np.ones(2) * 1j,))
    _, pullback = ad.vjp(lambda z: abs(z), 1j)
    with pytest.raises(ad.TypeMismatch, match="complex cotangent"):
        pullback(1j)


@pytest.mark.parametrize(
    "name", ["eigh", "eigvalsh", "cholesky", "qr", "svd", "pinv", "slogdet", "matrix_rank"]
)
def test_factorisations_without_a_complex_rule(name):
    routine = getattr(np.linalg, name)
    with pytest.raises(ad.UnsupportedOperation, match="complex numbers"):
        if name == "svd":
            ad.jit(lambda a: routine(a, full_matrices=False)).source("c16[:, ::1]")
        else:
            ad.jit(lambda a: routine(a)).source("c16[:, ::1]")


def test_triangular_systems():
    from scipy import linalg

    rng = np.random.default_rng(0)
    a = rng.standard_normal((3, 3)) + 1j * rng.standard_normal((3, 3)) + 3 * np.eye(3)
    b = rng.standard_normal(3) + 1j * rng.standard_normal(3)
    for trans in ("N", "T", "C"):

        def function(a, b, trans=trans):
            x = linalg.solve_triangular(a, b, trans=trans, lower=True)
            return np.sum(np.abs(x) ** 2)

        found = ad.grad(function, (0, 1))(a, b)
        for f, w in zip(found, by_differences(function, (a, b)), strict=True):
            np.testing.assert_allclose(f, w, rtol=1e-6, atol=1e-7)


def test_views_of_parts_at_their_time():
    def function(z):
        total = 0.0
        for i in range(3):
            total += np.sum(z.imag**2)
            z[0] = 2 * z[0]
        kept = z.real.copy()
        z[1] = 0
        return total + np.sum(kept)

    z = np.array([1 + 2j, 3 - 1j])
    for target in ("cpu", "python"):
        found = ad.grad(function, target=target)(z)
        np.testing.assert_allclose(found, by_differences(function, (z,))[0], rtol=1e-6)
    np.testing.assert_allclose(z, [1 + 2j, 3 - 1j])


def test_a_part_as_a_result_is_not_the_argument():
    made, z = ad.jit(lambda z: z.real, target="python"), np.array([1 + 2j])
    made(z)[0] = 5.0
    assert z[0] == 1 + 2j

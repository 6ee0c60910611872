"""Linear algebra against differences of NumPy and SciPy, both modes, both orders, both targets."""

import types

import jax
import numpy as np
import pytest
import scipy.linalg as sl

import adcompile as ad

jax.config.update("jax_enable_x64", True)


def _draw(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


A = _draw(0, 4, 4) + 4 * np.eye(4)
S, b, B, R, W = A @ A.T, _draw(1, 4), _draw(2, 4, 3), _draw(3, 5, 3), _draw(4, 3, 5)
c = _draw(5, 5)
W4, W43, W53, W33, W35 = (_draw(7, *s) for s in ((4, 4), (4, 3), (5, 3), (3, 3), (3, 5)))


def svd(a):
    return np.linalg.svd(a, full_matrices=False)


def low_rank(a):
    u, s, vt = svd(a)
    return np.sum((a - np.outer(u[:, 0] * s[0], vt[0])) ** 3)


def density(x, cov):
    sign, logdet = np.linalg.slogdet(cov)
    return -0.5 * (x @ np.linalg.solve(cov, x) + sign * logdet)


def gaussian_process(k, y):
    factor = np.linalg.cholesky(k)
    alpha = sl.cho_solve((factor, True), y)
    other = y @ sl.cho_solve(sl.cho_factor(k), y)
    return np.sum(np.log(np.diag(factor))) + 0.5 * y @ alpha + other


def matrix_norms(a):
    orders = [np.linalg.norm(a, 1), np.linalg.norm(a, -1), np.linalg.norm(a, np.inf)]
    more = np.linalg.norm(a, 2) + np.linalg.norm(a, "nuc") + np.linalg.norm(a, "fro")
    return np.sum(np.array(orders)) + more + np.linalg.norm(a, -2)


def vector_norms(a):
    first = np.linalg.norm(a[0], 1) + np.linalg.norm(a[1], np.inf) + np.linalg.norm(a[2], 3)
    second = np.linalg.norm(a[3], -np.inf) + np.linalg.norm(a[0]) * np.linalg.norm(a, axis=0)[1]
    return first + second + np.sum(np.linalg.norm(a, axis=1, keepdims=True) * a)


# name -> (function, arguments...); of SYMMETRIC ones the first argument is a symmetric matrix
PROGRAMS = {
    "solve": (lambda a, b: np.sum(np.linalg.solve(a, b) ** 2), A, b),
    "solve_matrix": (lambda a, b: np.sum(np.linalg.solve(a.T, b) * W43), A, B),
    "inv": (lambda a: np.sum(np.linalg.inv(a) * W4), A),
    "det": (lambda a: np.linalg.det(a) ** 2, A / 4),
    "slogdet": (lambda a: np.linalg.slogdet(a)[1] * a[0, 0], A),
    "lower": (lambda a, b: np.sum(sl.solve_triangular(a, b, lower=True) * W43), A, B),
    "lower_t": (lambda a, b: np.sum(sl.solve_triangular(a, b, trans=1, lower=True) ** 2), A, b),
    "upper": (lambda a, b: np.sum(sl.solve_triangular(a, b) ** 2), A, b),
    "upper_t": (
        lambda a, b: np.sum(sl.solve_triangular(a, b, trans="T", unit_diagonal=True) * W43),
        A / 4,
        B,
    ),
    "qr": (lambda a: np.sum(np.linalg.qr(a)[0] * W53) + np.sum(np.linalg.qr(a)[1] * W33), R),
    "svd": (lambda a: np.sum(svd(a)[0] ** 2 * W53) + np.sum(svd(a)[2] ** 2 * W33), R),
    "svd_wide": (lambda a: np.sum(svd(a)[0] ** 2 * W33) + np.sum(svd(a)[2] ** 2 * W35), W),
    "svd_values": (lambda a: np.sum(np.linalg.svd(a, compute_uv=False) ** 3), R),
    "svd_product": (lambda a: np.sum((svd(a)[0] * svd(a)[1]) @ svd(a)[2] * W53), R),
    "low_rank": (low_rank, R),
    "pinv": (lambda a: np.sum(np.linalg.pinv(a) * W35), R),
    "pinv_wide": (lambda a: np.sum(np.linalg.pinv(a) * W53), W),
    "lstsq": (
        lambda a, b: np.sum(np.linalg.lstsq(a, b)[0] ** 2) + np.sum(np.linalg.lstsq(a, b)[1]),
        R,
        c,
    ),
    "rank": (lambda a: np.sum(a**2) * np.linalg.matrix_rank(a), R),
    "power": (lambda a: np.sum(np.linalg.matrix_power(a, 5) * W4), A / 4),
    "inverse_power": (lambda a: np.sum(np.linalg.matrix_power(a, -3) * W4), A),
    "no_power": (lambda a: np.sum(np.linalg.matrix_power(a, 0) @ a), A),
    "vector_norms": (vector_norms, R),
    "matrix_norms": (matrix_norms, R),
    "multi_dot": (
        lambda a, b: (
            np.sum(np.linalg.multi_dot([a, a, b]) * W43)
            + np.sum(np.linalg.multi_dot((a, a.T, b[:, 0])))
        ),
        A,
        B,
    ),
    "kron": (lambda a, b: np.sum(np.kron(a, b)[:9, 2] ** 2) + np.sum(np.kron(a[0], b[1])), R, B),
    "cross": (lambda a, b: np.sum(np.cross(a, b) * W53) + np.sum(np.cross(a[0], b[1])), R, W.T),
    "inner": (lambda a, b: np.sum(np.inner(a, b) ** 2) + np.inner(a[0], b[0]), R, W.T),
    "tensordot": (
        lambda a, b: (
            np.sum(np.tensordot(a, b, 1) ** 2)
            + np.sum(np.tensordot(a, b, ((0, 1), (1, 0)))) ** 2
            + np.sum(np.tensordot(a, b, 0)[1, 2] ** 2)
        ),
        R,
        W,
    ),
    "einsum": (
        lambda a, b: (
            np.sum(np.einsum("ij,jk->ik", a, b) ** 2)
            + np.einsum("ij,ji", a, b) ** 2
            + np.sum(np.einsum("ij->j", a) ** 3)
            + np.sum(np.einsum("ij,kj->kij", a, b.T) ** 2)
            + np.sum(np.einsum("ij,ji->i", a, b) ** 2)
        ),
        R,
        W,
    ),
    "einsum_diagonals": (
        lambda a, b: (
            np.einsum("ii", a) ** 2
            + np.sum(np.einsum("ii->i", a) ** 3)
            + np.sum(np.einsum("ij,jk,kl->il", a, a, b) * W43)
            + np.sum(np.einsum("i,j", b[:, 0], b[:, 1]) * W4)
            + np.einsum("i,i", b[:, 0], b[:, 1])
        ),
        A,
        B,
    ),
    "trace": (lambda a: np.trace(a) ** 2 + a.trace(), A),
    "density": (density, b, A),
    "cholesky": (lambda a: np.sum(np.linalg.cholesky(a) * W4), S),
    "eigh": (lambda a: np.linalg.eigh(a)[0] @ b + np.sum(np.linalg.eigh(a)[1] ** 2 * W4), S),
    "eigvalsh": (lambda a: np.sum(np.linalg.eigvalsh(a, UPLO="U") * b), S),
    "gaussian_process": (gaussian_process, S, b),
}
SYMMETRIC = {"cholesky", "eigh", "eigvalsh", "gaussian_process"}
NAMES = pytest.mark.parametrize("name", PROGRAMS)
ON_TARGETS = pytest.mark.parametrize(
    ("name", "target"), [(n, target) for target in ("cpu", "python") for n in PROGRAMS]
)


def _slope(f, args, directions, h=1e-6):
    ahead, behind = ([a + s * d for a, d in zip(args, directions, strict=True)] for s in (h, -h))
    return (f(*ahead) - f(*behind)) / (2 * h)


def _directions(name, args):
    made = [_draw(11 + k, *a.shape) for k, a in enumerate(args)]
    if name in SYMMETRIC:
        made[0] = made[0] + made[0].T
    return made


@pytest.mark.share(5, of="cpu")
@ON_TARGETS
def test_against_differences(name, target):
    f, *args = PROGRAMS[name]
    directions = _directions(name, args)
    numbers = tuple(range(len(args)))
    value, gradient = ad.value_and_grad(f, numbers, target=target)(*args)
    assert value == pytest.approx(f(*args), rel=1e-10)
    wanted = _slope(f, args, directions)
    found = sum(np.sum(g * d) for g, d in zip(gradient, directions, strict=True))
    assert found == pytest.approx(wanted, rel=2e-6, abs=1e-7)
    if target == "python":  # the compiler sees the same operations
        _, slope = ad.jvp(f, args, directions, target=target)
        assert slope == pytest.approx(found, rel=1e-9)


@NAMES
def test_second_order(name):
    f, *args = PROGRAMS[name]
    directions = _directions(name, args)
    numbers = tuple(range(len(args)))
    gradient = ad.grad(f, numbers, target="python")
    _, found = ad.jvp(gradient, args, directions, target="python")
    for k in numbers:
        wanted = _slope(lambda *xs: gradient(*xs)[k], args, directions)
        np.testing.assert_allclose(found[k], wanted, rtol=2e-4, atol=2e-5)


@pytest.mark.share(2)
@pytest.mark.parametrize("name", ["cholesky", "eigh", "solve", "qr", "svd_product", "pinv", "inv"])
def test_the_convention_is_that_of_jax(name):
    """Also for what the derivative of a symmetric matrix is."""
    f, *args = PROGRAMS[name]
    space = {**f.__globals__, "np": jax.numpy}
    space["svd"] = lambda a: jax.numpy.linalg.svd(a, full_matrices=False)
    wanted = jax.grad(types.FunctionType(f.__code__, space))(*args)
    np.testing.assert_allclose(ad.grad(f)(*args), wanted, rtol=1e-9, atol=1e-11)


@pytest.mark.share(3)
@pytest.mark.parametrize("name", ["solve", "det", "qr", "svd_product", "pinv", "eigh", "density"])
def test_single_precision_stays(name):
    f, *args = PROGRAMS[name]
    numbers = tuple(range(len(args)))
    gradient = ad.grad(f, numbers)(*(np.asarray(a, np.float32) for a in args))
    full = ad.grad(f, numbers, target="python")(*args)
    for g, w in zip(gradient, full, strict=True):
        assert g.dtype == np.float32
        np.testing.assert_allclose(g, w, rtol=2e-2, atol=2e-2 * np.max(np.abs(w)))


def test_layouts_and_single_elements():
    f = lambda a, b: np.sum(np.linalg.inv(a) @ np.linalg.solve(a, b))
    g = ad.grad(f)
    wide = np.zeros((8, 12))
    wide[::2, ::3] = A
    for a in (A, np.asfortranarray(A), wide[::2, ::3], np.ascontiguousarray(A.T).T):
        np.testing.assert_allclose(g(a, B), g(A, B), rtol=1e-12)
    one = np.full((1, 1), 2.0)
    np.testing.assert_allclose(ad.grad(lambda a: np.linalg.inv(a)[0, 0])(one), [[-0.25]])
    np.testing.assert_allclose(ad.grad(lambda a: np.linalg.eigh(a)[0][0])(one), [[1.0]])


def test_norm_at_zero_has_the_subgradient_zero():
    zero = np.zeros(3)
    for order in (None, 2, 3):
        assert not np.any(ad.grad(lambda x: np.linalg.norm(x, order))(zero))
    assert not np.any(ad.hessian(lambda x: np.linalg.norm(x))(zero))
    assert not np.any(ad.grad(lambda x: np.linalg.norm(x))(np.zeros((2, 2))))


def test_equal_eigenvalues():
    """The values have a derivative, the vectors have none."""
    assert np.all(np.isfinite(ad.grad(lambda a: np.sum(np.linalg.eigvalsh(a)))(np.eye(3))))
    found = ad.grad(lambda a: np.sum(np.linalg.eigh(a)[1][:, 0] * b[:3]))(np.eye(3))
    assert np.any(np.isnan(found))


def test_refusals():
    stack = np.ones((2, 3, 3))
    with pytest.raises(ad.UnsupportedOperation, match="stack of matrices"):
        ad.grad(lambda a: np.sum(np.linalg.inv(a)))(stack)
    with pytest.raises(ad.ShapeError, match="not square"):
        ad.grad(lambda a: np.linalg.det(a))(np.ones((2, 3)))
    with pytest.raises(ad.UnsupportedOperation, match="full_matrices"):
        ad.grad(lambda a: np.sum(np.linalg.svd(a)[1]))(np.ones((2, 3)))
    with pytest.raises(ad.ShapeError, match="einsum"):
        ad.grad(lambda a: np.sum(np.einsum("ijk->i", a)))(np.ones((2, 3)))
    with pytest.raises(np.linalg.LinAlgError):
        ad.grad(lambda a: np.sum(np.linalg.inv(a)))(np.ones((2, 2)))
    with pytest.raises(ad.UnsupportedOperation, match="sqrtm"):
        ad.grad(lambda a: np.sum(sl.sqrtm(a)))(np.ones((2, 2)))


def test_norm_of_what_is_no_number():
    for order in (None, 2, 3):
        found = ad.jit(lambda x, order=order: np.linalg.norm(x, order))(np.array([np.nan, 1.0]))
        assert np.isnan(found)

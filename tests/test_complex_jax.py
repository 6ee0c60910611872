"""A second opinion on complex numbers: JAX has the same conventions.

JAX has no writes in place, so programs that write stand here once more without.
"""

import types

import numpy as np
import pytest

import adcompile as ad
from adcompile.graph.trees import leaves, mapped
from tests.programs.complex_programs import COMPLEX_PROGRAMS, HOLOMORPHIC

jax = pytest.importorskip("jax")
jnp = jax.numpy


def spectrum(x):
    numbers = jnp.arange(5)
    return jnp.sum(jnp.abs(jnp.exp(-2j * jnp.pi * jnp.outer(numbers, numbers) / 5) @ x) ** 4)


def butterflies(z):
    half = 4
    while half > 0:
        for start in range(0, 8, 2 * half):
            for k in range(half):
                a, b = z[start + k], z[start + k + half]
                z = z.at[start + k].set(a + b)
                z = z.at[start + k + half].set((a - b) * jnp.exp(-1j * jnp.pi * k / half))
        half //= 2
    return jnp.sum(jnp.abs(z) ** 2 * jnp.arange(8))


def circuit(theta):
    state = jnp.array([1.0, 0, 0, 0], complex)
    for layer in range(2):
        c, s = jnp.cos(theta[layer] / 2), jnp.sin(theta[layer] / 2)
        p = jnp.exp(1j * theta[2 + layer])
        gate = jnp.array([[c, -1j * s], [-1j * s * p, c * p]])
        state = (jnp.kron(gate, jnp.eye(2)) @ state)[jnp.array([0, 1, 3, 2])]
        state = jnp.kron(jnp.eye(2), gate) @ state
    return jnp.vdot(state, jnp.array([1.0, -1.0, -1.0, 1.0]) * state).real


def bloch(theta, phi):
    up, down = jnp.cos(theta / 2), jnp.sin(theta / 2) * jnp.exp(1j * phi)
    w = up + 0.5 * down
    return jnp.abs(w) * jnp.angle(w) + (up * down).imag


def written(z, c):
    for i in range(1, 5):
        z = z.at[i].set(z[i - 1] * c + z[i] ** 2 + jnp.conj(z[0]))
    z = z.at[0].multiply(1j)
    return jnp.sum(z.real * z.imag)


def seen_through_views(z):
    z = z.at[1:-1].multiply(2j)
    z = z.at[::2].add(z[1] * jnp.conj(z[::2]))
    z = z.at[3:].add(z[:3])
    return jnp.sum(jnp.abs(z) ** 2) + jnp.sum(z[1:-1].imag)


def chosen(z, w):
    z = z.at[jnp.array([0, 3, 6])].add(w[jnp.array([1, 2, 3])])
    z = jnp.where(jnp.abs(z) > 1.0, 0.5j * z, z)
    picked = jnp.where(z.real > 0, z, jnp.conj(z) * w[0])
    return jnp.sum(jnp.abs(picked) ** 2) + jnp.sum(z[jnp.array([3, 0, 3, 6])].imag)


def real_beside_complex(z, x):
    w = z * x + x - z / (1.5 + x**2)
    w = jnp.concatenate((w[0], x, jnp.stack((x[0] + 0j, w[1, 2]))))
    w = w.at[2].set(x[1])
    return jnp.sum(w.real**2 - w.imag) + jnp.sum(abs(x ** (1 + 1j)) * x)


def made_of_parts(a, b):
    z = (a * b + 1j * (a + b)) * (1 - 2j)
    return z.real * z.imag + b * jnp.angle(-1.0 - a)


def by_cmath(z):
    a = jnp.exp(z) * jnp.log(z) + jnp.sqrt(z) / (jnp.log(z) / np.log(10.0))
    return a * jnp.sin(z) - jnp.tanh(z) + jnp.arccos(z) + jnp.log(z) / np.log(2.0)


def inverse_functions(z):
    # the derivative of arccosh that JAX has is not that of its value where the real part is negative
    left = jnp.log(-z + jnp.sqrt(-z - 1.0) * jnp.sqrt(-z + 1.0))
    a = jnp.arcsin(z) * jnp.arccos(z) + jnp.arctan(z)
    return a + jnp.arcsinh(z) - jnp.arccosh(z) * jnp.arctanh(z) + left


def _translated(function):
    """The program above of that name, or the function with `np` meaning `jax.numpy`."""
    if function.__name__ in globals():
        return globals()[function.__name__]
    space = {**function.__globals__, "np": jnp}
    return types.FunctionType(function.__code__, space, function.__name__)


def _direction(tree, seed):
    rng = np.random.default_rng(seed)

    def like(leaf):
        drawn = rng.standard_normal(np.shape(leaf))
        if np.iscomplexobj(leaf):
            drawn = drawn + 1j * rng.standard_normal(np.shape(leaf))
        return drawn if isinstance(leaf, np.ndarray) else type(leaf)(drawn)

    return mapped(like, tree)


def _copied(tree):
    return mapped(lambda leaf: leaf.copy() if isinstance(leaf, np.ndarray) else leaf, tree)


def _same(found, wanted):
    for one, other in zip(leaves(found), leaves(wanted), strict=True):
        np.testing.assert_allclose(one, np.asarray(other), rtol=1e-9, atol=1e-10)


def _everything(programs):
    return pytest.mark.parametrize(
        ("function", "args"), programs, ids=[function.__name__ for function, _ in programs]
    )


@pytest.mark.share(5)
@_everything(COMPLEX_PROGRAMS)
def test_gradient_of_a_real_function(function, args):
    with jax.enable_x64(True):
        wanted = jax.grad(_translated(function), tuple(range(len(args))))(*args)
        wanted = jax.tree.map(np.asarray, wanted)
    _same(ad.grad(function, tuple(range(len(args))))(*_copied(args)), wanted)


@pytest.mark.share(5)
@_everything(COMPLEX_PROGRAMS + HOLOMORPHIC)
def test_both_products(function, args):
    tangents = _direction(args, 1)
    value = function(*_copied(args))
    cotangent = _direction(value if np.iscomplexobj(value) else float(value), 2)
    with jax.enable_x64(True):
        translated = _translated(function)
        pushed = jax.jvp(translated, args, tangents)
        _, pullback = jax.vjp(translated, *args)
        pulled = pullback(jnp.asarray(cotangent))
        pushed, pulled = jax.tree.map(np.asarray, (pushed, pulled))
    _same(ad.jvp(function, _copied(args), tangents), pushed)
    _same(ad.vjp(function, *_copied(args))[1](cotangent), pulled)


@_everything(HOLOMORPHIC)
def test_gradient_of_a_holomorphic_function(function, args):
    everything = tuple(range(len(args)))
    with jax.enable_x64(True):
        wanted = jax.grad(_translated(function), everything, holomorphic=True)(*args)
        wanted = jax.tree.map(np.asarray, wanted)
    _same(ad.grad(function, everything, holomorphic=True)(*args), wanted)


def test_jacobians_and_second_order():
    def waves(x):
        return np.exp(1j * x) * x[0]

    def energy(z):
        return np.sum(np.abs(z) ** 2 * z.real)

    def cubes(z):
        return np.sum(z**3) * z[0]

    x, z = np.array([0.3, -0.7]), np.array([0.3 + 1j, -0.7 - 0.2j])
    with jax.enable_x64(True):
        pairs = [
            (ad.jacfwd(waves)(x), jax.jacfwd(_translated(waves))(x)),
            (ad.jacrev(energy)(z), jax.jacrev(_translated(energy))(z)),
            (
                ad.jacfwd(cubes, holomorphic=True)(z),
                jax.jacfwd(_translated(cubes), holomorphic=True)(z),
            ),
            (
                ad.hessian(cubes, holomorphic=True)(z),
                jax.hessian(_translated(cubes), holomorphic=True)(z),
            ),
            (
                ad.hvp(energy)(z, 1j * z),
                jax.jvp(jax.grad(_translated(energy)), (z,), (1j * z,))[1],
            ),
        ]
        pairs = [(ours, np.asarray(theirs)) for ours, theirs in pairs]
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)

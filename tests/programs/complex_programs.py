"""Programs with complex numbers, as users write them, each with arguments.

`COMPLEX_PROGRAMS` give a real number; `HOLOMORPHIC` give a complex one and have a complex
derivative.
"""

import cmath

import numpy as np

_rng = np.random.default_rng(5)


def _complex(*shape):
    return _rng.standard_normal(shape) + 1j * _rng.standard_normal(shape)


COMPLEX_PROGRAMS = []
HOLOMORPHIC = []


def program(*args):
    def enter(function):
        COMPLEX_PROGRAMS.append((function, args))
        return function

    return enter


def holomorphic(*args):
    def enter(function):
        HOLOMORPHIC.append((function, args))
        return function

    return enter


# -- signals -------------------------------------------------------------------------------------


@program(_rng.standard_normal(5))
def spectrum(x):
    n = len(x)
    out = np.zeros(n, dtype=complex)
    for k in range(n):
        for j in range(n):
            out[k] += x[j] * np.exp(-2j * np.pi * k * j / n)
    return np.sum(np.abs(out) ** 4)


@program(_complex(8))
def butterflies(z):
    n = len(z)
    half = n // 2
    z = z.copy()
    while half > 0:
        for start in range(0, n, 2 * half):
            for k in range(half):
                a = z[start + k]
                b = z[start + k + half]
                z[start + k] = a + b
                z[start + k + half] = (a - b) * np.exp(-1j * np.pi * k / half)
        half = half // 2
    return np.sum(np.abs(z) ** 2 * np.arange(n))


@program(_rng.standard_normal(3), _rng.uniform(-0.3, 0.3, 2))
def filter_response(b, a):
    total = 0.0
    for k in range(6):
        w = np.exp(1j * 0.5 * k)
        above = b[0] + b[1] * w + b[2] * w**2
        below = 1.0 + a[0] * w + a[1] * w**2
        total += np.log(abs(above / below)) ** 2
    return total


@program(1.5, 0.3, 0.2)
def impedance(r, inductance, capacity):
    total = 0.0
    for k in range(1, 5):
        w = 0.7 * k
        z = r + 1j * w * inductance + 1 / (1j * w * capacity)
        total += np.abs(z) + np.angle(z)
    return total


@program(_complex(6))
def analytic_signal(z):
    phase = np.angle(z)
    size = np.abs(z)
    return np.sum(size[1:] * np.cos(phase[1:] - phase[:-1]))


# -- quantum mechanics ---------------------------------------------------------------------------


@program(_complex(3), _rng.standard_normal((3, 3)))
def crank_nicolson(psi, h):
    h = h + h.T
    forward = np.eye(3) - 0.05j * h
    back = np.eye(3) + 0.05j * h
    for _ in range(4):
        psi = np.linalg.solve(back, forward @ psi)
    return np.sum(np.abs(psi) ** 2 * np.arange(3.0))


@program(_rng.standard_normal(4))
def circuit(theta):
    state = np.zeros(4, dtype=np.complex128)
    state[0] = 1.0
    for layer in range(2):
        c, s = np.cos(theta[layer] / 2), np.sin(theta[layer] / 2)
        p = np.exp(1j * theta[2 + layer])
        gate = np.array([[c, -1j * s], [-1j * s * p, c * p]])
        state = np.kron(gate, np.eye(2)) @ state
        swapped = state[3]
        state[3] = state[2]
        state[2] = swapped
        state = np.kron(np.eye(2), gate) @ state
    z = np.array([1.0, -1.0, -1.0, 1.0])
    return np.vdot(state, z * state).real


@program(_complex(4), _complex(4, 4))
def expectation(psi, a):
    norm = np.vdot(psi, psi).real
    hermitian = a + np.conj(a.T)
    return (np.conj(psi) @ hermitian @ psi).real / norm


@program(0.3, 1.2)
def bloch(theta, phi):
    up = np.cos(theta / 2)
    down = cmath.rect(np.sin(theta / 2), phi)
    size, turn = cmath.polar(up + 0.5 * down)
    return size * turn + (up * down).imag


# -- iterations ----------------------------------------------------------------------------------


@program(0.4 + 0.25j)
def escape(c):
    z = 0
    n = 0
    while abs(z) < 4.0 and n < 40:
        z = z * z + c
        n += 1
    return np.log(abs(z))


@program(_complex(3), 0.3 - 0.2j)
def several_orbits(start, c):
    total = 0.0
    for z in start:
        for _ in range(4):
            z = 0.3 * z * z + c
            if z.imag > 0.2:
                z = z.conjugate() - 0.1j
        total += abs(z)
    return total


@holomorphic(2.0 + 1.0j)
def cube_root(c):
    z = 1.0 + 0.5j
    for _ in range(12):
        z -= (z**3 - c) / (3 * z**2)
    return z


@holomorphic(0.3 - 0.2j)
def contour(z0):
    total = 0j
    for k in range(24):
        w = np.exp(2j * np.pi * k / 24)
        total += np.exp(w) / (w - z0) * w
    return total / 24


@holomorphic(_complex(4), 0.5 + 0.1j)
def polynomial(coefficients, z):
    value = 0j
    for k in range(len(coefficients)):
        value = value * z + coefficients[k]
    return value


@holomorphic(0.4 + 0.3j)
def elementary_of_one(z):
    a = np.exp(z) + np.log(z) * np.sqrt(z) - np.square(z)
    b = np.sin(z) * np.cos(z) + np.tan(z) - np.sinh(z) * np.cosh(z) + np.tanh(z)
    c = np.reciprocal(z) ** 3 + z**0.5 + 2.0**z + z**z
    return a * b / c


@holomorphic(1.4 + 0.3j)
def inverse_functions(z):
    a = np.arcsin(z) * np.arccos(z) + np.arctan(z)
    return a + np.arcsinh(z) - np.arccosh(z) * np.arctanh(z) + np.arccosh(-z)


@holomorphic(0.7 - 0.4j)
def by_cmath(z):
    a = cmath.exp(z) * cmath.log(z) + cmath.sqrt(z) / cmath.log10(z)
    return a * cmath.sin(z) - cmath.tanh(z) + cmath.acos(z) + cmath.log(z, 2.0)


# -- arrays --------------------------------------------------------------------------------------


@program(_complex(5), 0.5 - 0.4j)
def written(z, c):
    for i in range(1, len(z)):
        z[i] = z[i - 1] * c + z[i] ** 2
        z[i] += np.conj(z[0])
    z[0] *= 1j
    return np.sum(z.real * z.imag)


@program(_complex(6))
def seen_through_views(z):
    middle = z[1:-1]
    middle *= 2j
    z[::2] += middle[0] * np.conj(z[::2])
    rows = z.reshape(2, 3)
    rows[1] = rows[0] + rows.T[:, 1]
    return np.sum(np.abs(z) ** 2) + np.sum(middle.imag)


@program(_complex(7), _complex(4))
def chosen(z, w):
    places = np.array([3, 0, 3, 6])
    z[places] += w
    z[np.abs(z) > 1.0] *= 0.5j
    picked = np.where(z.real > 0, z, np.conj(z) * w[0])
    return np.sum(np.abs(picked) ** 2) + np.sum(z[places].imag)


@program(_complex(3, 4), _complex(4, 3))
def folded(a, b):
    total = np.abs(np.sum(a)) + np.sum(np.abs(np.mean(a, axis=0)) ** 2)
    total += np.abs(np.prod(b[0])) + np.sum(np.cumsum(a[0]).imag ** 2)
    return total + np.var(a) + np.std(b) + np.trace(a @ b).real


@program(_complex(3), _complex(3), _rng.standard_normal(3))
def products_of_vectors(u, v, x):
    total = np.vdot(u, v).imag + (u @ v).real + np.dot(x, u).imag + np.vdot(x, v).real
    return total + np.sum(np.abs(np.outer(u, x)) ** 2) + np.inner(u, v).imag


@program(_complex(3, 3), _complex(3), _rng.standard_normal((3, 3)))
def linear_algebra(a, b, m):
    a = a + 3 * np.eye(3)
    x = np.linalg.solve(a, b)
    y = np.linalg.solve(m + 4j * np.eye(3), m @ b)
    size = np.linalg.norm(x) + np.linalg.norm(a, 1) + np.linalg.norm(np.linalg.inv(a))
    return size + np.log(abs(np.linalg.det(a))) + np.vdot(x, y).real


@program(_complex(2, 3), _rng.standard_normal(3))
def real_beside_complex(z, x):
    w = z * x + x - z / (1.5 + x**2)
    w = np.concatenate((w[0], x, np.stack((x[0] + 0j, w[1, 2]))))
    w[2] = x[1]
    return np.sum(w.real**2 - w.imag) + np.sum(abs(x ** (1 + 1j)) * x)


@program((0.5 + 0.2j, _complex(3)), {"phase": 0.7, "z": -0.4 + 1j})
def in_containers(pair, named):
    c, z = pair
    turned = [item * np.exp(1j * named["phase"]) for item in (c, named["z"])]
    return abs(turned[0] + np.sum(z)) ** 2 + (turned[1] * c).real


def _power(z, n):
    if n == 0:
        return 1 + 0j
    half = _power(z, n // 2)
    return half * half * z if n % 2 else half * half


@program(0.3 + 0.4j, _complex(3))
def powers_by_recursion(z, w):
    total = 0.0
    for i in range(len(w)):
        total += abs(_power(w[i] + z, i + 4)) + _power(z, 3).imag
    return total


@program(0.3 + 0.4j, 1.3 - 0.2j)
def powers(z, w):
    return abs(z**w) + (z**-2).imag + abs((z + 2) ** 7) + (w ** abs(z)).real + abs(2 ** (1j * z))


@program(0.5, 0.8)
def made_of_parts(a, b):
    z = complex(a * b, a + b)
    if np.iscomplexobj(z):
        z *= complex(1, -2)
    return np.real(z) * np.imag(z) + np.imag(a) + np.real(b) * np.angle(-1.0 - a)

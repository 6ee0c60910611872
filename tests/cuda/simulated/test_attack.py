"""Programs that once went wrong on the device, or might, against the readable source."""

import numpy as np
import pytest

import adcompile as ad
from adcompile.errors import TypeMismatch, UnsupportedOperation
from adcompile.execute.toolkit import cuda
from adcompile.graph.trees import as_tuples, leaves
from tests.cuda.simulated.running import assert_close, checked, in_simulator, on_host
from tests.programs.corpus import CORPUS


def agrees(transform, function, *args, tolerance=1e-9):
    """Whether the kernels give what the readable source gives, in any order of threads."""
    wanted = leaves(as_tuples(transform(function, target="python")(*args)))
    with checked():
        got = on_host(transform(function, target="cuda")(*args))
    assert_close(got, wanted, tolerance)


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def test_threads_of_a_nest_have_scratch_of_their_own():
    (verlet,) = (case for case in CORPUS if case[0].__name__ == "verlet")
    agrees(ad.grad, verlet[0], *verlet[1])


def _filled_again(x, n):
    for _ in range(n):
        f = np.zeros(x.shape)
        for i in range(1, len(x)):
            f[i] += x[i] * x[i - 1]
        x = x + 0.1 * f
    return np.sum(x)


def test_the_host_fills_arrays_by_kernels():
    agrees(ad.grad, _filled_again, drawn(9), 3)
    text = ad.grad(_filled_again, target="cuda").source(drawn(9), 3)
    host = text[text.index("def grad__filled_again(") :]
    assert "] = 0.0" not in host


def _number_of_one_side(x, y):
    t = y * 0.5
    if x[0] > 0.0:
        t += np.tanh(x[1])
    return t * np.sum(x)


def test_a_number_that_one_side_of_a_branch_makes():
    for x in ([0.5, 2.0, 3.0], [-0.5, 2.0, 3.0]):
        agrees(ad.value_and_grad, _number_of_one_side, np.array(x), 0.3)


def _on_one_side_of_the_host(x, y, on):
    t = y * 0.5
    if on:
        t = np.tanh(np.sum(x)) * t
    return t * np.sum(x * x)


def test_a_number_that_one_side_on_the_host_makes():
    for on in (True, False):
        agrees(ad.value_and_grad, _on_one_side_of_the_host, drawn(5), 0.3, on)


def test_a_derivative_that_the_host_knows():
    pair = lambda f, target: ad.value_and_grad(f, (0, 1), target=target)
    agrees(pair, lambda x, y: np.sum(x) + np.sin(y), drawn(5), 0.3)


def _own_row(m):
    out = np.zeros(4)
    for i in range(4):
        t = np.zeros(30)
        for j in range(30):
            t[j] = m[i, j] ** 2
        for j in range(1, 30):
            out[i] += t[j] * t[j - 1]
    return np.sum(out)


def test_a_block_fills_an_array_of_known_size():
    agrees(ad.grad, _own_row, drawn(4, 30))


def _folds(x):
    return np.sum(x), np.prod(x[1:5]), np.max(x), np.min(x), np.mean(x), np.argmax(x)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint32", "bool"])
def test_sums_of_narrow_integers_do_not_overflow(dtype):
    x = (np.arange(40) * 6).astype(dtype)
    agrees(ad.jit, _folds, x)
    for target in ("python", "cuda"):
        got = on_host(ad.jit(_folds, target=target)(x))
        assert [float(g) for g in got] == [float(w) for w in _folds(x)]


def _stencil(u, n):
    y = u.copy()
    for _ in range(n):
        z = y.copy()
        for i in range(1, len(u) - 1):
            z[i] = y[i] + 0.1 * (y[i + 1] - 2 * y[i] + y[i - 1]) * y[i]
        y = z
    return np.sum(y**2)


def _nested_rounds(u, n):
    y = np.sin(u)
    for _ in range(n):
        for _ in range(2):
            y = y * y[::-1] + u
        if y[0] > 0.5:
            y = np.tanh(y[::-1])
    return np.sum(y)


def _rounds_until(u, n):
    y = np.sin(u)
    k = 0
    while k < n and np.sum(y) < 3.0:
        y = y[::-1] * 1.5 + u
        k += 1
    return np.sum(y)


@pytest.mark.parametrize("function", [_stencil, _nested_rounds, _rounds_until])
def test_a_thread_hands_arrays_on_from_round_to_round(function):
    u = drawn(3, 7)
    over = lambda transform: (
        lambda f, target: ad.vmap(transform(f), in_axes=(0, None), target=target)
    )
    agrees(over(lambda f: f), function, u, 3)
    if function is _stencil:
        agrees(over(ad.grad), function, u, 3)


def _moves(x, y):
    x[:] = x * 2 + y
    x[1:] = x[:-1]


def test_arrays_of_the_device_that_share_memory_are_refused():
    moves = ad.jit(_moves, target="cuda", inplace=("x",))
    x, y = drawn(7), drawn(7, seed=1)
    whole = cuda.to_device(x)
    for first, second in [(whole, whole), (whole[1:], whole[:-1]), (whole[::2], whole[1:5])]:
        with pytest.raises(TypeMismatch, match="share memory"):
            moves(first, second)
    assert np.array_equal(whole.copy_to_host(), x)
    with checked():
        moves(whole, cuda.to_device(y))
        moves(whole[:3], whole[3:6])
    _moves(x, y)
    _moves(x[:3], x[3:6])
    np.testing.assert_allclose(whole.copy_to_host(), x)


def _count_and_sum(x):
    count, total = 0, 0.0
    for i in range(len(x)):
        if x[i] > 0:
            count += 1
        if x[i] > 0.5:
            if x[i] < 2.0:
                total += x[i] ** 2
        else:
            total -= x[i]
    return total * count


def _either_sum_or_largest(x):
    s = 0.0
    for i in range(len(x)):
        if x[i] > 0:
            s += x[i]
        else:
            s = max(s, x[i])
    return s + np.sum(x)


def test_a_side_of_a_branch_folds():
    agrees(ad.jit, _count_and_sum, drawn(30))
    agrees(lambda f, target: ad.vmap(f, target=target), _count_and_sum, drawn(4, 9))
    with pytest.raises(UnsupportedOperation, match="needs `s` of the one before"):
        ad.jit(_either_sum_or_largest, target="cuda").source(drawn(30))


def _one_side_writes(x, c):
    s = 0.0
    if x[0] > 0:
        c[0] = x[1]
    else:
        c[1] = x[2]
        s = c[0] + c[1]
    return c[0] * np.sum(x) + s


def test_threads_wait_for_what_one_side_of_a_branch_writes():
    for x in ([0.5, 2.0, 3.0], [-0.5, 2.0, 3.0]):
        agrees(ad.jit, _one_side_writes, np.array(x), np.ones(2))


# -- the strict simulator itself -------------------------------------------------------------------


def _run(kernel):
    made = cuda.to_device(np.zeros(8))
    with checked():
        cuda.jit(kernel)[1, 8](made)


def _apart(a):
    i = cuda.threadIdx.x
    a[i] = 1.0
    cuda.syncthreads()
    a[(i + 1) % 8] += 1.0


def _neighbours(a):
    i = cuda.threadIdx.x
    a[i] = 1.0
    a[(i + 1) % 8] += 1.0


def _missed(a):
    if cuda.threadIdx.x > 2:
        cuda.syncthreads()


@in_simulator
def test_races_are_found():
    from tests.cuda.simulated.races import Race

    _run(_apart)
    with pytest.raises(Race):
        _run(_neighbours)
    with pytest.raises(Race, match="barrier"):
        _run(_missed)

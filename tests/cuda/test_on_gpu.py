"""What only a GPU shows: arrays of other libraries, threads, a lack of memory."""

import threading

import numpy as np
import pytest

import adcompile as ad
from tests.cuda.gpu import cuda, needs_gpu

pytestmark = needs_gpu


def _loss(x, w):
    return np.sum(np.tanh(x @ w) ** 2)


_both = ad.value_and_grad(_loss, (0, 1), target="cuda")
_wanted = ad.value_and_grad(_loss, (0, 1), target="python")


def _drawn(seed):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((33, 20)), rng.standard_normal((20, 7))


def _check(got, wanted):
    assert float(got[0]) == pytest.approx(wanted[0], rel=1e-12)
    for one, other in zip(got[1], wanted[1], strict=True):
        np.testing.assert_allclose(one.copy_to_host(), other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("library", ["cupy", "torch"])
def test_arrays_of_other_libraries_stay_where_they_are(library):
    module = pytest.importorskip(library)
    place = module.asarray if library == "cupy" else (lambda a: module.as_tensor(a, device="cuda"))
    for seed in range(5):
        x, w = _drawn(seed)
        on_device = place(x), place(w)
        got = _both(*on_device)
        _check(got, _wanted(x, w))
        back = module.as_tensor if library == "torch" else module.asarray
        doubled = back(got[1][0]) * 2 if library == "cupy" else back(got[1][0], device="cuda") * 2
        host = doubled.get() if library == "cupy" else doubled.cpu().numpy()
        np.testing.assert_allclose(host, 2 * _wanted(x, w)[1][0], rtol=1e-10, atol=1e-12)


def test_threads_call_one_function():
    """Later calls of a kind start what an earlier one wrote down, in whatever thread."""
    failures = []

    def work(first):
        try:
            for seed in range(first, first + 25):
                x, w = _drawn(seed)
                _check(_both(cuda.to_device(x), cuda.to_device(w)), _wanted(x, w))
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=work, args=(100 * k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def _outer(x):
    return np.sum(np.sin(x[:, None] * x) @ x)


def test_a_lack_of_memory_is_said():
    x = cuda.to_device(np.zeros(3_000_000))
    for _ in range(3):
        with pytest.raises(ad.errors.DeviceError, match="out of memory"):
            ad.grad(_outer, target="cuda")(x)
    small = cuda.to_device(np.linspace(0.0, 1.0, 30))
    got = ad.grad(_outer, target="cuda")(small).copy_to_host()
    wanted = ad.grad(_outer, target="python")(small.copy_to_host())
    np.testing.assert_allclose(got, wanted, rtol=1e-10)

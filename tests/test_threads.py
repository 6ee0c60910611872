"""Threads and processes: first calls at once, one cache for all, damaged and missing caches."""

import dataclasses
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import adcompile as ad

_THREADS = 16


@dataclasses.dataclass
class Layer:
    w: np.ndarray
    b: float


def cube(x):
    return np.sum(x * x * x)


def layered(layer, x):
    return np.sum(np.tanh(layer.w * x + layer.b))


def changed(x, y):
    x[0] = y[0] * 2.0
    return np.sum(x * y)


def scaled(x, factor=2.0, power=2):
    return factor * np.sum(x**power)


def nested(x):
    return ad.grad(lambda v: np.sum(v**4))(x)[0]


def _at_once(work):
    """Run `work(k)` in many threads that start together; gives the results, raises the errors."""
    barrier, results, errors = threading.Barrier(_THREADS), [None] * _THREADS, []

    def run(k):
        barrier.wait()
        try:
            results[k] = work(k)
        except BaseException as error:
            errors.append(error)

    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=run, args=(k,)) for k in range(_THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
            assert not thread.is_alive(), "a deadlock"
    finally:
        sys.setswitchinterval(switching)
    if errors:
        raise errors[0]
    return results


_DTYPES = ("f8", "f4")


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_one_function_with_different_types(target):
    gradient = ad.grad(cube, target=target)
    arguments = [
        np.ones((2,) * (1 + k % 2), _DTYPES[k // 2 % 2])[:: 1 + k // 4 % 2] * (k + 1)
        for k in range(_THREADS)
    ]
    for result, x in zip(_at_once(lambda k: gradient(arguments[k])), arguments, strict=True):
        np.testing.assert_allclose(result, 3 * x * x, rtol=1e-6)
        assert result.dtype == x.dtype


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_different_functions_of_one(target):
    x = np.arange(1.0, 4.0)
    wanted = {
        0: lambda: ad.grad(cube, target=target)(x),
        1: lambda: ad.jacfwd(cube, target=target)(x),
        2: lambda: ad.jvp(cube, (x,), (np.eye(3)[0],), target=target)[1],
        3: lambda: np.diag(ad.hessian(cube, target=target)(x)),
        4: lambda: ad.grad(nested, target=target)(x),
    }
    expected = {0: 3 * x * x, 1: 3 * x * x, 2: 3.0, 3: 6 * x, 4: [12.0, 0.0, 0.0]}
    for k, result in enumerate(_at_once(lambda k: wanted[k % 5]())):
        np.testing.assert_allclose(result, expected[k % 5])


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_structured_arguments(target):
    gradient = ad.grad(layered, target=target)
    x = np.arange(3.0)

    def work(k):
        return gradient(Layer(np.full(3, 0.1 * (k + 1)), float(k % 3)), x)

    for k, result in enumerate(_at_once(work)):
        slope = 1 - np.tanh(0.1 * (k + 1) * x + k % 3) ** 2
        assert isinstance(result, Layer)
        np.testing.assert_allclose(result.w, slope * x)
        np.testing.assert_allclose(result.b, np.sum(slope))


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_written_arguments_defaults_and_extents_of_one(target):
    written, defaults = ad.grad(changed, (0, 1), target=target), ad.grad(scaled, target=target)
    difference = ad.grad(lambda x, y: np.sum((x - y) ** 2), target=target)
    shared = np.arange(1.0, 4.0)

    def work(k):
        if k % 4 == 0:
            return written(shared, np.ones(3))[1]
        if k % 4 == 1:
            return defaults(shared, power=2 + k // 4 % 2)
        if k % 4 == 2:
            with pytest.raises(ad.TypeMismatch, match="share memory"):
                written(shared, shared)
            return None
        return difference(shared, np.ones(1))

    for k, result in enumerate(_at_once(work)):
        if k % 4 == 0:
            np.testing.assert_allclose(result, [4.0, 2.0, 3.0])
        if k % 4 == 1:
            power = 2 + k // 4 % 2
            np.testing.assert_allclose(result, 2.0 * power * shared ** (power - 1))
        if k % 4 == 3:
            np.testing.assert_allclose(result, 2 * (shared - 1))
    np.testing.assert_array_equal(shared, np.arange(1.0, 4.0))


def test_sources_and_refusals_at_once():
    gradient = ad.grad(cube)
    refusing = ad.grad(lambda x: np.sum(np.frexp(x)[0]))

    def work(k):
        if k % 2:
            with pytest.raises(ad.UnsupportedOperation):
                refusing(np.ones(2))
            return None
        return gradient.source("f8[:]"), gradient(np.ones(2)).tolist()

    assert len({str(result) for result in _at_once(work)[::2]}) == 1


# -- processes that share a cache ----------------------------------------------------------------

_SCRIPT = """
import sys, threading, numpy as np, adcompile as ad
def loss(w, x):
    return np.mean((x @ w) ** 2)
g = ad.grad(loss)
found = []
def work(dtype):
    found.append(g(np.ones(3, dtype), np.ones((4, 3), dtype)).tolist())
threads = [threading.Thread(target=work, args=(d,)) for d in ("f8", "f4", "f8", "f4")]
for t in threads: t.start()
for t in threads: t.join()
assert found == [[6.0, 6.0, 6.0]] * 4, found
hits = 0
for name in list(sys.modules):
    if name.startswith("adcompile_grad_loss"):
        hits += sum(sys.modules[name].grad_loss.stats.cache_hits.values())
print("hits", hits)
"""


def _start(folder, directory):
    script = folder / "script.py"
    if not script.exists():
        script.write_text(_SCRIPT)
    root = str(Path(ad.__file__).parents[1])
    environment = {
        "PATH": "/usr/bin:/bin", "ADCOMPILE_CACHE_DIR": str(directory), "PYTHONPATH": root,
        "TMPDIR": str(folder), "HOME": str(folder),
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, str(script)], env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def _finish(process):
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 0, output
    return output.strip().split("\n")[-1]


def test_processes_that_share_a_cache(tmp_path):
    cache = tmp_path / "cache"
    for process in [_start(tmp_path, cache) for _ in range(4)]:
        assert _finish(process).startswith("hits")
    assert _finish(_start(tmp_path, cache)) == "hits 2"
    assert not list(cache.glob("**/*tmp*"))


def test_damaged_files_are_made_again(tmp_path):
    cache = tmp_path / "cache"
    assert _finish(_start(tmp_path, cache)) == "hits 0"
    code = sorted(cache.glob("**/*.nbc"))
    index = sorted(cache.glob("**/*.nbi"))
    modules = sorted(cache.glob("*.py"))
    assert len(code) == len(index) == len(modules) == 2
    middle = code[0].stat().st_size // 2
    data = bytearray(code[0].read_bytes())
    data[middle] ^= 0xFF  # the pickle is whole, the machine code is not
    code[0].write_bytes(data)
    index[1].write_bytes(b"no index")
    assert _finish(_start(tmp_path, cache)) == "hits 0"
    assert _finish(_start(tmp_path, cache)) == "hits 2"
    code[0].write_bytes(code[0].read_bytes()[:100])
    code[1].write_bytes(b"")
    assert _finish(_start(tmp_path, cache)) == "hits 0"
    for path in modules:
        path.write_text("def grad_loss(w, x):\n    return x[0] * 0.0\n")
    assert _finish(_start(tmp_path, cache)).startswith("hits")
    assert _finish(_start(tmp_path, cache)) == "hits 2"


def test_no_place_for_a_cache(tmp_path):
    occupied = tmp_path / "a_file"
    occupied.write_text("")
    assert _finish(_start(tmp_path, occupied / "cache")) == "hits 0"


@pytest.mark.skipif(os.name == "nt" or os.getuid() == 0, reason="root may write anywhere")
def test_a_read_only_cache(tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(0o555)
    assert _finish(_start(tmp_path, cache)) == "hits 0"


def test_a_cache_that_is_removed_meanwhile(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import shutil, sys, numpy as np, adcompile as ad\n"
        "def f(x):\n    return np.sum(x * x)\n"
        "print(ad.grad(f)(np.ones(2)))\n"
        f"shutil.rmtree({str(tmp_path / 'cache')!r})\n"
        "print(ad.grad(f)(np.ones(2, 'f4')), ad.jit(f)(np.ones(3)))\n"
    )
    process = _start(tmp_path, tmp_path / "cache")
    assert _finish(process) == "[2. 2.] 3.0"


def products(x, y):
    """Whose shapes choose between two ways."""
    total = 0.0
    for i in range(x.shape[0]):
        for j in range(y.shape[1]):
            part = 0.0
            for k in range(x.shape[1]):
                part += x[i, k] * y[k, j]
            total += np.tanh(part) * part
    return total


def test_shapes_that_choose_other_ways_at_once():
    few, many = (np.ones((2, 3)), np.ones((3, 2))), (np.ones((300, 3)), np.ones((3, 200)))
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(12):
            derived = ad.grad(products)
            together = threading.Barrier(8)

            def call(k, derived=derived, together=together):
                together.wait()
                derived(*(few if k % 2 else many))

            with ThreadPoolExecutor(8) as pool:
                list(pool.map(call, range(8)))
            for args in (few, many, few):
                derived(*args)
    finally:
        sys.setswitchinterval(interval)

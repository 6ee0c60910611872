"""New arrays of compiled code: as NumPy makes them, large ones in large pages."""

import sys
from pathlib import Path

import numpy as np
import pytest

import adcompile as ad
from adcompile.execute import new_arrays
from adcompile.execute.cpu import compile_source

_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
needs_pages = pytest.mark.skipif(
    not sys.platform.startswith("linux") or not _PAGES.exists(), reason="needs Linux's large pages"
)


def made(text):
    source = f"import numpy as np\n\n\ndef make(n, m):\n    return {text}\n"
    return compile_source(source, "make", cache=False)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "int8", "uint64", "bool_"])
def test_full_of_a_number(dtype):
    numbers = ("0.7", "True", "-3", "k")
    shapes = ("n", "(n, m)", "(m, 0)", "()")
    text = ", ".join(f"np.full({s}, {v}, np.{dtype})" for s in shapes for v in numbers)
    text = text.replace("-3", "3") if dtype == "uint64" else text
    arrays = made(text.replace("k,", "n * m,"))(3, 4)
    given = {"np": np, "n": 3, "m": 4, "k": 12}
    for found, wanted in zip(arrays, eval(text, given), strict=True):
        assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("name", ["empty", "zeros"])
@pytest.mark.parametrize("dtype", ["float32", "complex128", "bool_", None])
def test_like_numpy(name, dtype):
    rest = f", np.{dtype}" if dtype else ""
    shapes = ("n", "(n,)", "(n, m)", "(m, 0, 2)", "()")
    text = ", ".join(f"np.{name}({shape}{rest})" for shape in shapes)
    arrays = made(text)(3, np.int32(4))
    for found, wanted in zip(arrays, eval(text, {"np": np, "n": 3, "m": 4}), strict=True):
        assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
        assert found.flags.c_contiguous and found.flags.writeable and found.flags.aligned
        if name == "zeros":
            np.testing.assert_array_equal(found, wanted)


def test_only_new_arrays_are_made_otherwise():
    assert new_arrays.float32 is np.float32 and new_arrays.linalg is np.linalg
    assert set(np.__all__) <= set(dir(new_arrays))


@pytest.mark.parametrize("name", ["empty", "zeros"])
def test_sizes_that_do_not_exist(name):
    with pytest.raises(ValueError, match="negative dimensions"):
        made(f"np.{name}((n, m))")(3, -1)
    with pytest.raises(ValueError, match="too big"):
        made(f"np.{name}((n, m))")(2**40, 2**40)


def test_zeros_in_used_memory():
    make = made("np.zeros(n, np.float32)")
    for size in (10, 1_000_000, 3_000_000):
        for _ in range(3):
            array = make(size, 0)
            assert not array.any()
            array += 1


def test_new_arrays_are_no_other_memory():
    source = (
        "import numpy as np\n\n\ndef run(x, n):\n"
        "    a, b, total = np.empty(n), np.zeros(n), np.zeros(1)\n"
        "    for i in range(n):\n        b[i] = 2.0 * x[i]\n        a[i] = b[i] + x[i]\n"
        "    for i in range(n):\n        total[0] += a[i] * b[i]\n"
        "    return total\n"
    )
    run = compile_source(source, "run")
    x = np.arange(100.0)
    np.testing.assert_allclose(run(x, 100), np.sum(6.0 * x * x))
    code = "".join(run.inspect_llvm().values())
    assert "fadd" in code and "memcheck" not in code  # no test for arrays that overlap
    assert "vector.reduce.fadd" in code  # the sum is not written in each iteration


def test_memory_is_freed_after_it_was_read():
    source = (
        "import numpy as np\n\n\ndef run(n):\n"
        "    a, total = np.full(n, 1.0, np.float64), 0.0\n"
        "    for k in range(200):\n"
        "        b = np.empty(n)\n"
        "        for i in range(n):\n            b[i] = a[i] + 1.0\n"
        "        a = b\n"
        "        c = np.full(n, -1.0, np.float64)\n"
        "        total += a[k % n] + c[k % n]\n"
        "    return total, a\n"
    )
    run = compile_source(source, "run")
    for n in (1, 3, 8, 1000):
        total, last = run(n)
        assert total == sum(k + 2.0 - 1.0 for k in range(200))
        np.testing.assert_array_equal(last, np.full(n, 201.0))


@needs_pages
def test_large_arrays_lie_in_large_pages():
    def f(x):
        return np.sum(x * x)

    x = np.ones(3_000_000)
    gradient = ad.grad(f)(x)
    np.testing.assert_array_equal(gradient, 2 * x)
    page = 2 << 20
    start, end = gradient.ctypes.data, gradient.ctypes.data + gradient.nbytes
    assert "hg" in flags(-(-start // page) * page) and "hg" in flags(end // page * page - 1)


def flags(address):
    """What Linux knows of the memory at an address."""
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        name, _, rest = line.partition(" ")
        if "-" in name and not name.endswith(":"):
            low, high = (int(end, 16) for end in name.split("-"))
            inside = low <= address < high
        elif inside and name == "VmFlags:":
            return rest.split()
    raise AssertionError("no such memory")

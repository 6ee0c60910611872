"""The kernels of matrix products under the real compiler: they compile, keep to registers, and do
no arithmetic in a wider type than that of their numbers. No GPU is needed."""

import functools

import numpy as np
import pytest

numba_cuda = pytest.importorskip("numba.cuda", reason="needs numba-cuda")
from numba import config  # noqa: E402

if config.ENABLE_CUDASIM or getattr(numba_cuda, "implementation", None) != "NVIDIA":
    pytest.skip("needs numba-cuda, and no simulator", allow_module_level=True)

from adcompile.errors import DeviceError  # noqa: E402
from adcompile.execute import headless, tiled  # noqa: E402

_DTYPES = ["f4", "f8", "c8", "c16"]
_TILES = [(dtype, tile) for dtype in _DTYPES for tile in tiled.TILES[np.dtype(dtype).itemsize]]
_ROWS = [(shape, shape in tiled.ALONG) for shape in tiled.ALONG + tiled.ACROSS]
# out, left and right by rows (C), by columns (F) or neither (A); whether left and right run along
# the inner extent; turned; wide
_VARIANTS = {
    "a @ b": ("CCC", True, False, False, False),
    "a @ b.T": ("CCF", True, True, False, False),
    "a.T @ b": ("CFC", False, False, False, False),
    "a.T @ b.T": ("CFF", False, True, False, False),
    "turned a @ b": ("FCC", False, True, True, False),
    "turned a.T @ b.T": ("FFF", True, False, True, False),
    "turned a.T @ b": ("FCF", False, False, True, False),
    "turned a @ b.T": ("FFC", True, True, True, False),
    "views": ("AAA", True, False, False, False),
    "views the other way": ("AAA", False, True, False, False),
    "turned views": ("AAA", True, True, True, False),
    "wide": ("CCC", True, False, False, True),
}
_OTHERS = ["a @ b", "views", "turned a @ b"]  # enough where the first is tried in full
_LAYOUTS = {"C": "[:,::1]", "F": "[::1,:]", "A": "[:,:]"}


def _compiled(kernel, arguments, capability):
    try:
        ptx = headless.ptx_of(kernel, f"void({', '.join(arguments)})", capability)
        return ptx, headless.resources(ptx, capability)
    except DeviceError as error:
        pytest.skip(str(error))


def _is_lean(ptx, used, dtype, threads):
    assert (used.spills, used.stack) == (0, 0), used
    assert used.registers * threads * 2 <= 2**16, "two blocks do not fit a multiprocessor"
    assert used.shared <= 48 * 1024
    if dtype in ("f4", "c8"):
        assert headless.float64_instructions(ptx) == []
    else:
        assert headless.float64_instructions(ptx), "this test sees no instruction on float64"


def _check_tile(dtype, tile, variant, capability):
    layouts, left, right, turned, wide = _VARIANTS[variant]
    kernel = tiled.tiled(np.dtype(dtype), tile, turned, left, right, wide)
    name = np.dtype(dtype).name
    ptx, used = _compiled(kernel, [name + _LAYOUTS[x] for x in layouts], capability)
    _is_lean(ptx, used, dtype, tile.threads)
    if min(tile.each, 16 // np.dtype(dtype).itemsize) > 1:
        assert "ld.shared.v" in ptx, "numbers are read one by one"


@pytest.mark.parametrize("variant", _VARIANTS)
@pytest.mark.parametrize("tile", tiled.TILES[4], ids=str)
def test_products_in_single_precision(tile, variant):
    _check_tile("f4", tile, variant, (9, 0))


@pytest.mark.parametrize("variant", _OTHERS)
@pytest.mark.parametrize(("dtype", "tile"), [x for x in _TILES if x[0] != "f4"], ids=str)
def test_products_in_other_precisions(dtype, tile, variant):
    _check_tile(dtype, tile, variant, (9, 0))


@pytest.mark.parametrize("variant", _OTHERS[:2])
@pytest.mark.parametrize(("dtype", "tile"), [x for x in _TILES if x[0] in ("f4", "f8")], ids=str)
def test_products_on_an_older_device(dtype, tile, variant):
    _check_tile(dtype, tile, variant, (8, 0))


@pytest.mark.parametrize("capability", [(8, 0), (9, 0)], ids=str)
@pytest.mark.parametrize(("shape", "along"), _ROWS, ids=str)
@pytest.mark.parametrize("dtype", _DTYPES)
def test_a_matrix_and_a_vector(dtype, shape, along, capability):
    name = np.dtype(dtype).name
    for turned, layout in ((not along, "C"), (along, "F"), (False, "A")):
        kernel = tiled.rowwise(np.dtype(dtype), shape, turned, along)
        arguments = [f"{name}[::1]", name + _LAYOUTS[layout], f"{name}[:]"]
        ptx, used = _compiled(kernel, arguments, capability)
        _is_lean(ptx, used, dtype, shape.threads)


def test_what_is_seen_of_float64():
    ptx = """
    .reg .f64 %fd<3>;
    .param .f64 argument
    { // .f64 in a comment: add.f64 %fd1, %fd2, %fd3;
    ld.param.u64 %rd1, [_Z_param_0];
    @%p1 bra $L__BB0_2;
    $L__BB0_2: @!%p2 add.rn.f64 %fd1,
        %fd2, %fd0;
    cvt.rn.f32.f64 	%f1, %fd1;
    mov.b64 %fd2, %rd1;
    fma.rn.f32 %f2, %f1, %f1, %f64;
    ret;
    }"""
    assert headless.float64_instructions(ptx) == [
        "$L__BB0_2: @!%p2 add.rn.f64 %fd1, %fd2, %fd0",
        "cvt.rn.f32.f64 %f1, %fd1",
    ]


def _function(body):
    """A kernel of (out, x), of 300 numbers that live at once or of an array in memory."""
    return numba_cuda.jit(body, launch_bounds=(1024, 2))


def test_what_is_seen_of_spills_and_stacks():
    count = 64

    def crowded(out, x):
        numbers = numba_cuda.local.array(count, np.float32)
        for i in range(count):
            numbers[i] = x[i]
        for k in range(x.shape[0]):
            for i in range(count):
                numbers[i] = numbers[i] * x[k] + numbers[count - 1 - i]
        for i in range(count):
            out[i] = numbers[i]

    def indexed(out, x):
        numbers = numba_cuda.local.array(count, np.float32)
        for i in range(count):
            numbers[i] = x[i]
        for i in range(count):
            out[i] = numbers[int(x[i])]

    arguments = ["float32[::1]", "float32[::1]"]
    _, used = _compiled(numba_cuda.jit(crowded, launch_bounds=(1024, 2)), arguments, (9, 0))
    assert used.registers <= 32 and used.spills > 0
    _, used = _compiled(numba_cuda.jit(crowded), arguments, (9, 0))
    assert used.registers > 64 and used.spills == 0
    _, used = _compiled(numba_cuda.jit(indexed), arguments, (9, 0))
    assert used.stack >= 4 * count


def test_functions_that_a_kernel_calls():
    asked = numba_cuda.dispatcher.get_current_device

    @numba_cuda.jit(device=True)
    def half(x):
        return x / 2

    def kernel(out, x):
        shared = numba_cuda.shared.array(256, np.float64)
        shared[numba_cuda.threadIdx.x] = half(x[numba_cuda.threadIdx.x])
        numba_cuda.syncthreads()
        out[numba_cuda.threadIdx.x] = shared[255 - numba_cuda.threadIdx.x]

    ptx, used = _compiled(kernel, ["float32[::1]", "float32[::1]"], (8, 0))
    assert ".target sm_80" in ptx and used.shared == 256 * 8
    assert headless.float64_instructions(ptx)
    assert numba_cuda.dispatcher.get_current_device is asked
    with pytest.raises(numba_cuda.core.errors.TypingError if hasattr(numba_cuda.core, "errors") else Exception):
        headless.ptx_of(kernel, "void(float32[::1], float32)")
    assert numba_cuda.dispatcher.get_current_device is asked

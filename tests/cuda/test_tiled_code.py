"""The kernels of matrix products under the real compiler: they compile, keep to registers, and do
no arithmetic in a wider type than that of their numbers. No GPU is needed."""

import numpy as np
import pytest

numba_cuda = pytest.importorskip("numba.cuda", reason="needs numba-cuda")
from numba import config  # noqa: E402
from numba.core import errors  # noqa: E402

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
_SOME = ["a @ b.T", "turned views", "wide"]  # enough for other tiles
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
def test_the_tile_with_the_most_registers(variant):
    _check_tile("f4", tiled.TILES[4][0], variant, (9, 0))


@pytest.mark.parametrize(("dtype", "tile"), _TILES[1:], ids=str)
def test_other_tiles(dtype, tile):
    for variant in _SOME if dtype in ("f4", "f8") else _SOME[:1]:
        _check_tile(dtype, tile, variant, (9, 0))


@pytest.mark.parametrize(("dtype", "tile"), [x for x in _TILES if x[0] in ("f4", "f8")], ids=str)
def test_an_older_device(dtype, tile):
    _check_tile(dtype, tile, "a @ b.T", (8, 0))


@pytest.mark.parametrize(("shape", "along"), _ROWS, ids=str)
@pytest.mark.parametrize("dtype", _DTYPES)
def test_a_matrix_and_a_vector(dtype, shape, along):
    name = np.dtype(dtype).name
    for layout, capability in (("A", (9, 0)), ("C" if along else "F", (8, 0))):
        kernel = tiled.rowwise(np.dtype(dtype), shape, False, along)
        arguments = [f"{name}[::1]", name + _LAYOUTS[layout], f"{name}[:]"]
        ptx, used = _compiled(kernel, arguments, capability)
        _is_lean(ptx, used, dtype, shape.threads)


@pytest.mark.parametrize("along", [False, True])
def test_a_vector_and_a_matrix(along):
    shape = (tiled.ALONG if along else tiled.ACROSS)[0]
    kernel = tiled.rowwise(np.dtype("f4"), shape, True, along)
    matrix = "float32" + _LAYOUTS["F" if along else "C"]
    ptx, used = _compiled(kernel, ["float32[::1]", matrix, "float32[::1]"], (9, 0))
    _is_lean(ptx, used, "f4", shape.threads)


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


def test_what_is_seen_of_spills_and_stacks():
    largest = tiled.tiled(np.dtype("f4"), tiled.TILES[4][0], False, True, False, False).py_func
    crowded = numba_cuda.jit(largest, launch_bounds=(256, 4))
    _, used = _compiled(crowded, ["float32[:,::1]"] * 3, (9, 0))
    assert used.registers <= 64 and used.spills > 0

    def indexed(out, x):
        numbers = numba_cuda.local.array(64, np.float32)
        for i in range(64):
            numbers[i] = x[i]
        for i in range(64):
            out[i] = numbers[int(x[i])]

    _, used = _compiled(indexed, ["float32[::1]"] * 2, (9, 0))
    assert used.stack >= 4 * 64


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
    with pytest.raises(errors.TypingError):
        headless.ptx_of(kernel, "void(float32[::1], float32)")
    assert numba_cuda.dispatcher.get_current_device is asked

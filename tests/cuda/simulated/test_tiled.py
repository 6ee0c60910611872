"""Products of matrices on simulated device arrays, against NumPy."""

import ctypes
from collections import defaultdict
from types import SimpleNamespace

import numpy as np
import pytest

from adcompile.errors import DeviceError
from adcompile.execute import headless, tiled
from adcompile.execute.device_view import view
from adcompile.execute.tiled import Rows, Tile, matmul_into
from adcompile.execute.toolkit import cuda
from tests.cuda.simulated.running import in_simulator

_PRECISION = {"f4": 1e-5, "f8": 1e-13, "c8": 1e-5, "c16": 1e-13}
_LAYOUTS = ["rows", "columns", "strided", "backwards"]


def _numbers(shape, dtype, seed):
    random = np.random.default_rng(seed)
    values = random.normal(size=shape)
    if np.dtype(dtype).kind == "c":
        values = values + 1j * random.normal(size=shape)
    return values.astype(dtype)


def _laid_out(values, layout):
    """Device array of these values, and whatever array it is a view of."""
    if layout == "rows":
        whole = laid = cuda.to_device(np.ascontiguousarray(values))
    elif layout == "columns":
        whole = cuda.to_device(np.ascontiguousarray(values.T))
        laid = view(whole).T
    elif layout == "strided":
        room = np.full([3 * n + 2 for n in values.shape], 7, values.dtype)
        part = (slice(1, 1 + 3 * values.shape[0], 3),) + (
            slice(2, 2 + 2 * values.shape[-1], 2),
        ) * (values.ndim - 1)
        room[part] = values
        whole = cuda.to_device(room)
        laid = view(whole)[part]
    else:
        part = (slice(None, None, -1),) * values.ndim
        whole = cuda.to_device(np.ascontiguousarray(values[part]))
        laid = view(whole)[part]
    assert np.array_equal(_read(laid), values)
    return laid, whole


def _read(array):
    """The elements as NumPy has them; the driver copies none backwards."""
    turned = tuple(slice(None, None, -1 if step < 0 else 1) for step in array.strides)
    return view(array)[turned].copy_to_host()[turned]


def _check(rows, inner, columns, dtype="f8", layouts=("rows", "rows", "rows"), run=matmul_into):
    """`run` writes the product and nothing but the product; extents of None make a vector."""
    a = _numbers([n for n in (rows, inner) if n is not None], dtype, 1)
    b = _numbers([n for n in (inner, columns) if n is not None], dtype, 2)
    filled = np.full([n for n in (rows, columns) if n is not None], 3, dtype)
    out, whole = _laid_out(filled, layouts[2])
    before = whole.copy_to_host()
    run(out, _laid_out(a, layouts[0])[0], _laid_out(b, layouts[1])[0])
    result, wanted = _read(out), a @ b
    assert result.dtype == wanted.dtype == np.dtype(dtype)
    assert np.allclose(result, wanted, rtol=0, atol=_PRECISION[dtype] * max(1, inner))
    changed = whole.copy_to_host() != before
    assert np.count_nonzero(changed) <= result.size  # nothing between the elements of a view
    return result


# 19 x 17 results are four tiles of the larger kind, with edges; 6 x 5 are four of the smaller
@pytest.mark.parametrize("out", ["rows", "columns"])
@pytest.mark.parametrize("b", _LAYOUTS)
@pytest.mark.parametrize("a", _LAYOUTS)
def test_every_order_in_memory(a, b, out):
    _check(6, 9, 5, "f4", (a, b, out))


@pytest.mark.parametrize(
    "layouts",
    [
        ("rows", "rows", "rows"),
        ("columns", "rows", "rows"),
        ("rows", "columns", "columns"),
        ("strided", "columns", "strided"),
    ],
    ids="-".join,
)
def test_larger_tiles_in_every_order(layouts):
    _check(19, 10, 17, "f8", layouts)


@pytest.mark.parametrize("dtype", ["f4", "f8", "c8", "c16"])
def test_each_dtype(dtype):
    _check(17, 9, 18, dtype)
    _check(5, 9, None, dtype)


@pytest.mark.parametrize(
    "extents",
    [(1, 1, 1), (16, 8, 32), (32, 16, 16), (1, 20, 7), (7, 1, 1), (5, 17, 1), (33, 3, 2)],
    ids=str,
)
def test_tiles_full_and_with_edges(extents):
    _check(*extents)


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize(
    "tile",
    [Tile(8, 4, 2), Tile(16, 16, 4), Tile(16, 4, 4), Tile(8, 16, 2), Tile(16, 1, 4)],
    ids=str,
)
def test_other_tiles(tile, wide):
    along = tile.width == 8

    def run(out, a, b):
        kernel = tiled.tiled(out.dtype, tile, False, along, not along, wide)
        kernel[1, tile.threads](out, a, b)

    _check(18, 9, 10, "f4" if wide else "f8", run=run)


@pytest.mark.parametrize(("dtype", "place"), [("f4", 0), ("f4", 1), ("f4", 2), ("f8", 0)])
def test_the_tiles_of_a_device_with_all_their_threads(dtype, place):
    tile = tiled.DEVICE_TILES[np.dtype(dtype).itemsize][place]

    def run(out, a, b):
        kernel = tiled.tiled(out.dtype, tile, False, True, False, False)
        kernel[1, tile.threads](out, a, b)

    _check(tile.width - 3, 3, tile.width - 5, dtype, run=run)


def test_the_number_of_blocks_decides_nothing():
    tile = Tile(4, 8, 1)

    def with_blocks(count):
        def run(out, a, b):
            tiled.tiled(out.dtype, tile, False, True, False, False)[count, tile.threads](out, a, b)

        return run

    results = [_check(9, 11, 6, "f4", run=with_blocks(count)) for count in (1, 2, 3)]
    assert np.array_equal(results[0], results[1]) and np.array_equal(results[0], results[2])


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("vector", ["rows", "strided", "backwards"])
@pytest.mark.parametrize("matrix", ["rows", "columns", "strided"])
def test_a_matrix_and_a_vector(matrix, vector, dtype):
    _check(7, 13, None, dtype, (matrix, vector, "rows"))
    _check(None, 13, 7, dtype, (vector, matrix, "strided"))


@pytest.mark.parametrize("extents", [(1, 1), (1, 40), (37, 1), (35, 3), (34, 9)], ids=str)
@pytest.mark.parametrize("layout", ["rows", "columns"])
def test_few_and_many_rows(extents, layout):
    _check(*extents, None, layouts=(layout, "rows", "rows"))


@pytest.mark.parametrize("shape", [Rows(1, 1), Rows(1, 16), Rows(8, 1), Rows(4, 4)], ids=str)
@pytest.mark.parametrize("along", [False, True])
def test_other_shares_of_rows(shape, along):
    def run(out, a, b):
        tiled.rowwise(out.dtype, shape, False, along)[2, shape.threads](out, a, b)

    _check(19, 21, None, "f8", run=run)


@pytest.mark.parametrize(
    "extents",
    [
        (3, 0, 4),
        (3, 0, None),
        (None, 0, 4),
        (0, 3, 4),
        (3, 4, 0),
        (0, 0, 0),
        (0, 3, None),
        (None, 3, 0),
    ],
    ids=str,
)
def test_extents_of_zero(extents):
    rows, inner, columns = extents
    result = _check(rows, inner, columns)
    assert not result.any()


@pytest.mark.parametrize(
    ("out", "a", "b", "flags"),
    [
        ("rows", "rows", "rows", (False, True, False)),
        ("rows", "columns", "columns", (False, False, True)),
        ("columns", "rows", "rows", (True, False, True)),
        ("columns", "columns", "columns", (True, True, False)),
    ],
)
def test_neighbouring_threads_read_and_write_neighbouring_numbers(out, a, b, flags, monkeypatch):
    taken = []
    make = tiled.tiled

    def kept(dtype, tile, *variant):
        taken.append(variant)
        return make(dtype, tile, *variant)

    monkeypatch.setattr(tiled, "tiled", kept)
    _check(3, 4, 5, "f4", (a, b, out))
    assert taken == [(*flags, False)]


@in_simulator
def test_small_results_have_small_tiles(monkeypatch):
    tiles = []
    idle = defaultdict(lambda: lambda *arguments: None)  # a kernel that does nothing
    monkeypatch.setattr(tiled, "tiled", lambda dtype, tile, *variant: tiles.append(tile) or idle)
    for extents in ((16, 16), (16, 17), (4, 3), (300, 400)):
        a, out = cuda.to_device(np.ones((extents[0], 2))), cuda.to_device(np.ones(extents))
        matmul_into(out, a, cuda.to_device(np.ones((2, extents[1]))))
    large, small = tiled.TILES[8]
    assert tiles == [small, large, small, large]


def test_not_a_number_stays_in_its_row():
    a, b = np.ones((5, 3)), np.ones((3, 4))
    a[2, 1] = np.nan
    out = cuda.to_device(np.zeros((5, 4)))
    matmul_into(out, cuda.to_device(a), cuda.to_device(b))
    assert np.array_equal(np.isnan(out.copy_to_host()), np.isnan(a @ b))


@in_simulator
def test_the_simulator_has_our_own_kernels_and_no_compiler():
    assert tiled.products_by() == "own kernel"
    with pytest.raises(DeviceError, match="compiles none"):
        headless.ptx_of(lambda out: None, "void(float32[::1])")
    with pytest.raises(DeviceError, match="assembles none"):
        headless.resources("")


class _Library:
    """The functions of cuBLAS on memory of the host, as its manual describes them."""

    Operation = SimpleNamespace(N=0, T=1)

    def __init__(self):
        self.streams = {}

    def create(self):
        self.streams[id(self)] = None
        return id(self)

    def set_stream(self, handle, stream):
        self.streams[handle] = stream

    def __getattr__(self, name):
        dtype = {"sgemm": "f4", "dgemm": "f8", "cgemm": "c8", "zgemm": "c16"}[name]

        def gemm(handle, transa, transb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
            assert handle in self.streams
            first = _column_major(a, dtype, *((k, m) if transa else (m, k)), lda)
            second = _column_major(b, dtype, *((n, k) if transb else (k, n)), ldb)
            result = _column_major(c, dtype, m, n, ldc)
            scale = _column_major(alpha, dtype, 1, 1, 1)[0, 0]
            assert (scale, _column_major(beta, dtype, 1, 1, 1)[0, 0]) == (1, 0)
            result[...] = (first.T if transa else first) @ (second.T if transb else second)

        return gemm


def _column_major(address, dtype, rows, columns, leading):
    assert leading >= max(1, rows)
    dtype = np.dtype(dtype)
    count = leading * (columns - 1) + rows
    memory = (ctypes.c_byte * (count * dtype.itemsize)).from_address(address)
    return np.lib.stride_tricks.as_strided(
        np.frombuffer(memory, dtype), (rows, columns), (dtype.itemsize, leading * dtype.itemsize)
    )


class _OnDevice:
    """What cuBLAS is given of a device array."""

    def __init__(self, array):
        self.shape, self.strides, self.dtype = array.shape, array.strides, array.dtype
        self.__cuda_array_interface__ = {"data": (array.ctypes.data, False)}


def _order(values, order):
    if order == "columns":
        return np.asfortranarray(values)
    if order == "gaps":
        room = np.full((values.shape[0] + 1, values.shape[1] + 3), 7, values.dtype)
        room[1:, 2:-1] = values
        return room[1:, 2:-1]
    if order == "gaps in columns":
        return _order(values.T, "gaps").T
    return np.ascontiguousarray(values)


_ORDERS = ["rows", "columns", "gaps", "gaps in columns"]


@in_simulator
@pytest.mark.parametrize("dtype", ["f4", "f8", "c8", "c16"])
@pytest.mark.parametrize(
    "extents", [(4, 3, 5), (1, 3, 5), (4, 1, 5), (4, 3, 1), (1, 1, 1)], ids=str
)
def test_what_cublas_is_told(extents, dtype, monkeypatch):
    monkeypatch.setattr(tiled.cuda, "get_current_device", lambda: SimpleNamespace(id=0))
    rows, inner, columns = extents
    a, b = _numbers((rows, inner), dtype, 1), _numbers((inner, columns), dtype, 2)
    for orders in np.ndindex(4, 4, 4):
        first, second = _order(a, _ORDERS[orders[0]]), _order(b, _ORDERS[orders[1]])
        out = _order(np.full((rows, columns), 3, dtype), _ORDERS[orders[2]])
        library = _Library()
        stream = SimpleNamespace(handle=17)
        assert tiled.by_cublas(library, _OnDevice(out), _OnDevice(first), _OnDevice(second), stream)
        assert np.allclose(out, a @ b, rtol=0, atol=10 * _PRECISION[dtype])
        assert list(library.streams.values()) == [17]


@pytest.mark.parametrize(
    "strange",
    [
        np.ones((4, 8))[:, ::2],
        np.ones((4, 4))[::-1],
        np.ones((4, 4))[:, ::-1],
        np.broadcast_to(np.ones(4), (4, 4)),
    ],
    ids=["every second", "rows backwards", "columns backwards", "one row"],
)
def test_what_cublas_does_not_take(strange):
    square = np.ones((4, 4))
    for place in range(3):
        arrays = [_OnDevice(strange if i == place else square) for i in range(3)]
        assert not tiled.by_cublas(_Library(), *arrays, 0)


def test_cublas_is_not_asked_for_sums_of_nothing():
    empty = _strided((4, 0), (8, 8)), _strided((0, 4), (32, 8))
    assert not tiled.by_cublas(_Library(), _OnDevice(np.ones((4, 4))), *empty, 0)


def test_rows_that_begin_within_a_number_are_not_for_cublas():
    square = _OnDevice(np.ones((4, 4)))
    assert tiled._layout(_strided((4, 4), (40, 8))) == (True, 5)
    assert tiled._layout(_strided((4, 4), (36, 8))) is None
    assert not tiled.by_cublas(_Library(), square, _strided((4, 4), (36, 8)), square, 0)


def test_the_stride_of_an_extent_of_one_means_nothing():
    assert tiled._layout(_strided((4, 1), (24, 5))) == (True, 3)
    assert tiled._layout(_strided((1, 4), (5, 24))) == (False, 3)
    assert tiled._layout(_strided((1, 1), (5, 7))) == (True, 1)


def _strided(shape, strides):
    array = SimpleNamespace(shape=shape, strides=strides, dtype=np.dtype("f8"))
    array.__cuda_array_interface__ = {"data": (0, False)}
    return array


def test_the_address_of_a_stream():
    stream = SimpleNamespace(handle=5)
    assert [tiled._address(x) for x in (0, stream, SimpleNamespace(stream=stream))] == [0, 5, 5]

"""Products of matrices on the device: by cuBLAS where it is installed, else by kernels of our own.

Enters: device arrays. Leaves: nothing; the product is written into an array that is there already.

A block of threads computes a square tile of the result. It goes along the inner extent slab by
slab: while it multiplies one slab, which all its threads read from shared memory, each thread
fetches its part of the next one into registers. A thread keeps its results in registers, too.
Shapes, strides and the device decide the order in which terms are added, not the run.
"""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

from adcompile.execute import launches
from adcompile.execute.toolkit import SIMULATED, cuda

_VECTOR = 16  # bytes that a thread reads from shared memory at once
_ALIGNMENT = None if SIMULATED else _VECTOR  # the simulator knows none
_MOST_BLOCKS = 2 if SIMULATED else 2**31 - 1  # kernels stride over tiles, any number gives the same
_LARGEST = 2**31 - 1  # an extent for cuBLAS, and for indices of 32 bits in our own kernels


@dataclass(frozen=True)
class Tile:
    """What a block does: `width` x `width` results, of which each thread has `each` x `each`.

    All are powers of two, and there are at least `width` and `depth` threads.

    depth  the part of the inner extent that lies in shared memory at a time
    """

    width: int
    depth: int
    each: int

    @property
    def threads(self) -> int:
        """The threads of a block."""
        return (self.width // self.each) ** 2

    @property
    def loads(self) -> int:
        """The numbers of a slab that each thread fetches."""
        return self.width * self.depth // self.threads

    def steps(self, along: bool) -> tuple[int, int]:
        """How far apart they are: on the inner extent, and on that of the result."""
        return (0, self.threads // self.depth) if along else (self.threads // self.width, 0)


@dataclass(frozen=True)
class Rows:
    """What a block does to a matrix and a vector: `rows` results by `lanes` threads each.

    Both are powers of two.
    """

    rows: int
    lanes: int

    @property
    def threads(self) -> int:
        """The threads of a block."""
        return self.rows * self.lanes


# From large to small, by the bytes of a number. What comes first does more with what it reads,
# what comes later gives the device more blocks.
DEVICE_TILES: dict[int, tuple[Tile, ...]] = {
    4: (Tile(128, 8, 8), Tile(64, 16, 4), Tile(32, 32, 2)),
    8: (Tile(64, 16, 4), Tile(32, 32, 2)),
    16: (Tile(32, 16, 2),),
}
TILES = DEVICE_TILES
ALONG = (Rows(8, 32), Rows(1, 256))  # rows that lie one after the other
ACROSS = (Rows(32, 8), Rows(8, 64))  # rows that lie side by side
if SIMULATED:  # each of whose threads is one of the system
    TILES = dict.fromkeys(DEVICE_TILES, (Tile(16, 8, 4), Tile(4, 8, 1)))
    ALONG, ACROSS = (Rows(2, 4), Rows(1, 8)), (Rows(4, 2), Rows(2, 4))


def products_by() -> str:
    """What multiplies matrices: "cuBLAS through nvmath-python" or "own kernel"."""
    return "own kernel" if _cublas() is None else "cuBLAS through nvmath-python"


def matmul_into(out: Any, a: Any, b: Any, stream: Any = 0) -> None:
    """Write `a @ b` into `out` without waiting for it.

    out, a, b  device arrays of one dtype (float32, float64, complex64 or complex128) with any
               strides: (n, m) of (n, k) and (k, m), (n,) of (n, k) and (k,), or (m,) of (k,)
               and (k, m). The extents are the caller's to check; k = 0 gives zeros. `out` has no
               memory in common with the others.
    stream     on which it is computed
    """
    if 0 in out.shape:
        return
    if a.ndim == 1:
        _by_vector(out, b, a, True, stream)
    elif b.ndim == 1:
        _by_vector(out, a, b, False, stream)
    elif (library := _cublas()) is None or not by_cublas(library, out, a, b, stream):
        by_tiles(out, a, b, stream)
    elif (recorder := launches.current()) is not None:
        recorder.launched([out, a, b], lambda: _again(library, out, a, b))


def by_tiles(out: Any, a: Any, b: Any, stream: Any) -> None:
    """Write `a @ b` into `out` by our own kernel; arguments are those of `matmul_into`."""
    rows, columns = out.shape
    counts = [
        (-(-rows // tile.width) * -(-columns // tile.width), tile)
        for tile in TILES[out.dtype.itemsize]
    ]
    blocks, tile = next((x for x in counts if x[0] >= _processors()), counts[-1])
    turned = not _runs_along(out, 1)
    left, right = (b, a) if turned else (a, b)
    along = _runs_along(left, 0 if turned else 1), _runs_along(right, 1 if turned else 0)
    kernel = tiled(out.dtype, tile, turned, *along, max(*out.shape, a.shape[1]) > _LARGEST)
    kernel[min(blocks, _MOST_BLOCKS), tile.threads, stream](out, left, right)


def _by_vector(out: Any, matrix: Any, vector: Any, turned: bool, stream: Any) -> None:
    """out = matrix @ vector or, turned, vector @ matrix."""
    extent = out.shape[0]
    along = _runs_along(matrix, 0 if turned else 1)
    many, few = ALONG if along else ACROSS
    shape = many if extent >= 4 * many.rows * _processors() else few
    kernel = rowwise(out.dtype, shape, turned, along)
    kernel[min(-(-extent // shape.rows), _MOST_BLOCKS), shape.threads, stream](out, matrix, vector)


def _runs_along(matrix: Any, axis: int) -> bool:
    """Whether neighbours on this axis of a matrix lie nearer to each other than on the other."""
    return abs(matrix.strides[axis]) <= abs(matrix.strides[1 - axis])


def _processors() -> int:
    return 2 if SIMULATED else int(cuda.get_current_device().MULTIPROCESSOR_COUNT)


def _kernel(threads: int) -> Any:
    """The decorator of a kernel for blocks of so many threads.

    Two blocks shall fit a multiprocessor. What is linked is what the compiler is seen to emit.
    """
    if SIMULATED:
        return cuda.jit
    return cuda.jit(launch_bounds=(threads, 2), lto=False, cache=True)


def _inlined(function: Any) -> Any:
    if SIMULATED:
        return cuda.jit(function, device=True)
    return cuda.jit(function, device=True, forceinline=True)


# In what follows, `thread & (threads - 1)` and unsigned indices tell the compiler that an index is
# not negative: code that counts it from the end would take registers and keep it from reading
# several numbers at once. Unsigned and signed numbers are never compared: that goes by float64.


@functools.cache
def tiled(
    dtype: Any, tile: Tile, turned: bool, left_along: bool, right_along: bool, wide: bool
) -> Any:
    """The kernel of (out, left, right) for blocks of `tile.threads` threads.

    It computes out = left @ right or, turned, out = right @ left as the transpose of
    left.T @ right.T. left_along and right_along say whether neighbours in memory follow each
    other on the inner extent; that decides how fast it is, not what it gives. wide says whether
    an extent takes more than 31 bits.
    """
    number = np.dtype(dtype)
    width, depth, each, threads = tile.width, tile.depth, tile.each, tile.threads
    side = width // each
    loads = tile.loads
    pitch = width + _VECTOR // number.itemsize  # threads side by side store to different banks
    zero = number.type(0)
    index = np.uint64 if wide else np.uint32
    axis = 1 if turned else 0
    place = _place(tile, number.itemsize)
    write = _write(each, place, turned)
    fetch_left = _fetch(tile, turned, left_along, index)
    store_left = _store(tile, left_along)
    fetch_right = _fetch(tile, not turned, right_along, index)
    store_right = _store(tile, right_along)

    def kernel(out: Any, left: Any, right: Any) -> None:
        left_slab = cuda.shared.array((depth, pitch), number, alignment=_ALIGNMENT)
        right_slab = cuda.shared.array((depth, pitch), number, alignment=_ALIGNMENT)
        left_next = cuda.local.array(loads, number)
        right_next = cuda.local.array(loads, number)
        x = cuda.local.array(each, number)
        y = cuda.local.array(each, number)
        sums = cuda.local.array((each, each), number)
        thread = cuda.threadIdx.x & (threads - 1)
        down, across = thread // side, thread % side
        rows, columns = out.shape[axis], out.shape[1 - axis]
        inner = left.shape[1 - axis]
        abreast = (columns + width - 1) // width
        blocks = (rows + width - 1) // width * abreast
        for block in range(cuda.blockIdx.x, blocks, cuda.gridDim.x):
            row, column = block // abreast * width, block % abreast * width
            for i in range(each):
                for j in range(each):
                    sums[i, j] = zero
            fetch_left(left_next, left, 0, row, inner, rows, thread)
            fetch_right(right_next, right, 0, column, inner, columns, thread)
            for start in range(0, inner, depth):
                cuda.syncthreads()
                store_left(left_slab, left_next, thread)
                store_right(right_slab, right_next, thread)
                cuda.syncthreads()
                fetch_left(left_next, left, start + depth, row, inner, rows, thread)
                fetch_right(right_next, right, start + depth, column, inner, columns, thread)
                level = 0  # `while`, since the compiler unrolls it where it leaves `range` alone
                while level < depth:
                    k = np.uint64(level)
                    level += 1
                    for i in range(each):
                        x[i] = left_slab[k, place(down, i)]
                        y[i] = right_slab[k, place(across, i)]
                    for i in range(each):
                        for j in range(each):
                            sums[i, j] += x[i] * y[j]
            write(out, sums, row, column, down, across)

    return launches.Kernel(_kernel(threads)(kernel))


def _place(tile: Tile, itemsize: int) -> Any:
    """Where in a tile the i-th row (column) of a thread lies.

    Rows of a thread lie side by side as many as are read at once, and from there on one such
    group from each thread: so do threads side by side read from different banks.
    """
    group = min(tile.each, max(1, _VECTOR // itemsize))
    side = tile.width // tile.each

    def place(thread: Any, i: Any) -> Any:
        return i // group * (side * group) + thread * group + i % group

    return _inlined(place)


def _fetch(tile: Tile, inner_first: bool, along: bool, index: Any) -> Any:
    """Read a thread's part of a slab of a matrix into registers, zeros beyond the matrix."""
    width, depth, loads = tile.width, tile.depth, tile.loads
    over, down = tile.steps(along)

    def fetch(
        part: Any, matrix: Any, start: Any, first: Any, inner: Any, extent: Any, thread: Any
    ) -> None:
        row = start + (thread % depth if along else thread // width)
        column = first + (thread // depth if along else thread % width)
        for i in range(loads):
            k, p = index(row + i * over), index(column + i * down)
            if k >= index(inner) or p >= index(extent):
                part[i] = 0
            elif inner_first:
                part[i] = matrix[k, p]
            else:
                part[i] = matrix[p, k]

    return _inlined(fetch)


def _store(tile: Tile, along: bool) -> Any:
    """Write what was fetched into the slab in shared memory."""
    width, depth, loads = tile.width, tile.depth, tile.loads
    over, down = tile.steps(along)

    def store(slab: Any, part: Any, thread: Any) -> None:
        k = thread % depth if along else thread // width
        p = thread // depth if along else thread % width
        for i in range(loads):
            slab[k + i * over, p + i * down] = part[i]

    return _inlined(store)


def _write(each: int, place: Any, turned: bool) -> Any:
    """Write the results of a thread, in a tile that begins at a row and a column, into `out`."""
    axis = 1 if turned else 0

    def write(out: Any, sums: Any, row: Any, column: Any, down: Any, across: Any) -> None:
        for i in range(each):
            for j in range(each):
                r, c = row + place(down, i), column + place(across, j)
                if r < out.shape[axis] and c < out.shape[1 - axis]:
                    if turned:
                        out[np.uint64(c), np.uint64(r)] = sums[i, j]
                    else:
                        out[np.uint64(r), np.uint64(c)] = sums[i, j]

    return _inlined(write)


@functools.cache
def rowwise(dtype: Any, shape: Rows, turned: bool, along: bool) -> Any:
    """The kernel of (out, matrix, vector) for blocks of `shape.threads` threads.

    It computes out = matrix @ vector or, turned, out = vector @ matrix. along says whether
    neighbours in memory follow each other on the inner extent.
    """
    number = np.dtype(dtype)
    rows, lanes, threads = shape.rows, shape.lanes, shape.threads
    apart = 1 if along else rows  # neighbouring lanes of a row
    zero = number.type(0)

    def kernel(out: Any, matrix: Any, vector: Any) -> None:
        partial = cuda.shared.array(threads, number)
        thread = cuda.threadIdx.x & (threads - 1)
        lane = thread // apart % lanes
        row = thread // lanes if along else thread % rows
        inner, extent = vector.shape[0], out.shape[0]
        for first in range(cuda.blockIdx.x * rows, extent, cuda.gridDim.x * rows):
            i = np.uint64(first + row)
            inside = first + row < extent
            total = zero
            if inside:
                for step in range(lane, inner, lanes):
                    k = np.uint64(step)
                    total += (matrix[k, i] if turned else matrix[i, k]) * vector[k]
            cuda.syncthreads()  # the sums before are read
            partial[thread] = total
            half = lanes // 2
            while half > 0:
                cuda.syncthreads()
                if lane < half:
                    partial[thread] += partial[thread + half * apart]
                half //= 2
            if lane == 0 and inside:
                out[i] = partial[thread]

    return launches.Kernel(_kernel(threads)(kernel))


@functools.cache
def _cublas() -> Any:
    """The functions of cuBLAS; none where they, the library or its device are not there."""
    if SIMULATED:
        return None
    try:
        from nvmath.bindings import cublas  # type: ignore[import-not-found, import-untyped]

        cublas.get_cudart_version()  # loads the library
    except (ImportError, RuntimeError):
        return None
    return cublas


def by_cublas(library: Any, out: Any, a: Any, b: Any, stream: Any) -> bool:
    """Write the product of two matrices by cuBLAS, or answer that it does not take them."""
    arguments = _for_blas(out, a, b)
    if arguments is None:
        return False
    turned, (first, second), extents, leading = arguments
    multiply = {"f": library.sgemm, "d": library.dgemm, "F": library.cgemm, "D": library.zgemm}
    one, zero = (_scalar(value, out.dtype.char).ctypes.data for value in (1, 0))
    operations = [library.Operation.T if flag else library.Operation.N for flag in turned]
    handle = _handle(library, cuda.get_current_device().id, threading.get_ident())
    library.set_stream(handle, _address(stream))
    multiply[out.dtype.char](
        handle, *operations, *extents, one, _data(first), leading[0], _data(second), leading[1],
        zero, _data(out), leading[2],
    )  # fmt: skip
    return True


@dataclass(frozen=True)
class _At:
    """A matrix at an address, for all that cuBLAS asks of it."""

    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: Any

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {"data": (self.address, False)}


def _again(library: Any, *matrices: Any) -> launches.Again:
    """A product by cuBLAS, of matrices that lie elsewhere."""
    known = [(m.shape, m.strides, m.dtype) for m in matrices]

    def again(addresses: list[int]) -> None:
        out, a, b = (_At(a, *k) for a, k in zip(addresses, known, strict=True))
        by_cublas(library, out, a, b, 0)

    return again


def _for_blas(out: Any, a: Any, b: Any) -> Any:
    """What BLAS, which counts along columns, is to be told; None where it has no words for it.

    Gives which operands are to be transposed, the operands, the extents (rows, columns, inner),
    and the leading dimensions of the operands and the result.
    """
    first, second, result = _layout(a), _layout(b), _layout(out)
    extents = (*out.shape, a.shape[1])
    if first is None or second is None or result is None or min(extents) == 0:
        return None
    if max(extents) > _LARGEST:
        return None
    rows, columns, inner = extents
    if result[0]:  # the transpose of a product is the product of the transposes, swapped
        flags, operands, rows, columns = (not second[0], not first[0]), (b, a), columns, rows
        return flags, operands, (rows, columns, inner), (second[1], first[1], result[1])
    return (first[0], second[0]), (a, b), (rows, columns, inner), (first[1], second[1], result[1])


def _layout(matrix: Any) -> tuple[bool, int] | None:
    """Whether a matrix lies row by row, and how far apart its rows, else its columns, begin."""
    axes = tuple(zip(matrix.shape, matrix.strides, strict=True))
    for by_rows, ((inner, step), (outer, apart)) in ((True, axes[::-1]), (False, axes)):
        leading, rest = divmod(apart, matrix.dtype.itemsize) if outer > 1 else (max(inner, 1), 0)
        near = step == matrix.dtype.itemsize or inner <= 1
        if near and not rest and max(inner, 1) <= leading <= _LARGEST:
            return by_rows, leading
    return None


@functools.cache
def _handle(library: Any, device: int, thread: int) -> int:
    """A handle of cuBLAS, which belongs to a device and is not for two threads at a time."""
    return int(library.create())


@functools.cache
def _scalar(value: int, char: str) -> Any:
    return np.array(value, char)


def _data(array: Any) -> int:
    return int(array.__cuda_array_interface__["data"][0])


def _address(stream: Any) -> int:
    """The address of a stream, be it a stream, one that is being captured, or 0."""
    stream = getattr(stream, "stream", stream)
    return int(getattr(stream, "handle", stream))

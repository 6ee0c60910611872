"""What generated kernels and the functions that start them call.

Enters: extents of loops, shapes of arrays; inside kernels, the numbers that the threads of a block
have. Leaves: how many threads to start, memory on the device, and folds over a block. Nothing here
waits for the device or reads from it.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from adcompile.execute import arena, exact, launches, tiled
from adcompile.execute.device_view import view
from adcompile.execute.toolkit import SIMULATED, cuda

__all__ = [
    "all_of_block", "all_of_lanes", "any_of_block", "any_of_lanes", "blocks_of", "cbrt", "columns",
    "constant", "dot_into", "elements", "empty", "fill", "full", "gcd", "lcm", "matmul_into",
    "maximum", "maximum_of_block", "maximum_of_lanes", "minimum", "minimum_of_block",
    "minimum_of_lanes", "one_block", "product_of_block", "product_of_lanes", "remainder", "rows",
    "sum_of_block", "sum_of_lanes", "threads_of", "view",
]  # fmt: skip

LANES = 8 if SIMULATED else 256  # threads of a block, at most; a power of two
_WARP = 4 if SIMULATED else 32  # threads that read neighbouring elements together
_BLOCKS_PER_PROCESSOR = 8
_MOST_ALONG = 65535  # blocks along the second and third axis
_ROWS_OF_THREAD = 16

Shape = tuple[Any, Any, Any]  # blocks, threads, stream


# -- how many threads ----------------------------------------------------------------------------


@cache
def most_blocks() -> int:
    """As many blocks as keep the device busy; kernels take any number of iterations with them."""
    if SIMULATED:
        return 2
    return int(cuda.get_current_device().MULTIPROCESSOR_COUNT) * _BLOCKS_PER_PROCESSOR


def elements(*extents: int) -> Shape:
    """Threads for the iterations of a loop, or of a nest of two or three."""
    if len(extents) == 1:
        return _at_most(-(-extents[0] // LANES), most_blocks()), LANES, stream()
    return _spread(extents, most_blocks())


def columns(extent: int, columns: int) -> Shape:
    """Threads side by side for columns, of which each takes several of the rows."""
    return _spread((-(-extent // _ROWS_OF_THREAD), columns), most_blocks())


def _spread(extents: tuple[int, ...], most: int) -> Shape:
    """Blocks and threads along the axes, the last of which neighbours share."""
    free, blocks, threads = LANES, [], []
    for extent in reversed(extents):
        along = min(free, _power_of_two(extent) if free == LANES else _reaching(extent))
        free //= along
        threads.append(along)
        blocks.append(_at_most(-(-extent // along), min(most, _MOST_ALONG)))
        most = max(1, most // blocks[-1])
    return tuple(blocks), tuple(threads), stream()


def _reaching(extent: int) -> int:
    """The least power of two that is no less."""
    return 1 << max(0, int(extent) - 1).bit_length()


def rows(extent: int, columns: int) -> Shape:
    """A block for each iteration of a loop, threads for the loops inside."""
    return _at_most(extent, most_blocks() * 4), _power_of_two(columns), stream()


def one_block() -> Shape:
    """The threads of one block."""
    return 1, LANES, stream()


def blocks_of(shape: Shape) -> int:
    """How many blocks a launch has."""
    return int(np.prod(shape[0]))


def threads_of(shape: Shape) -> int:
    """How many threads a launch has."""
    return blocks_of(shape) * int(np.prod(shape[1]))


def _at_most(wanted: int, limit: int) -> int:
    return max(1, min(wanted, limit))


def _power_of_two(extent: int) -> int:
    """Threads side by side: enough for an extent, within what a block has."""
    return min(LANES, max(_WARP, _reaching(extent)))


# -- memory --------------------------------------------------------------------------------------


def stream() -> Any:
    """Where kernels are queued."""
    used = arena.current()
    return 0 if used is None else used.stream


def empty(shape: tuple[int, ...], dtype: Any) -> Any:
    """An array on the device whose elements are not set."""
    used = arena.current()
    if used is None:
        made = cuda.device_array(shape, dtype)
        if (recorder := launches.current()) is not None:
            recorder.took(made)
        return made
    return used.take(shape, dtype, lambda: cuda.device_array(shape, dtype))


def full(shape: tuple[int, ...], value: Any, dtype: Any) -> Any:
    """An array on the device filled with a number of the host."""
    made = empty(shape, dtype)
    fill(made, value)
    return made


def fill(array: Any, value: Any) -> None:
    """Store a number of the host in all elements of an array that has no gaps."""
    if array.size:
        flat = view(array).reshape(array.size)
        _fill[elements(flat.size)](flat, np.dtype(array.dtype).type(value))


def constant(array: np.ndarray) -> Any:
    """An array of the program's text on the device, new at each call like one of the host."""
    made = empty(array.shape, array.dtype)
    if made.size:
        number = 0 if SIMULATED else cuda.get_current_device().id
        flat, table = view(made).reshape(made.size), _uploaded(number, array.dtype, array.tobytes())
        if (recorder := launches.current()) is not None:
            recorder.keeps(table)
        _copy[elements(flat.size)](flat, table)
    return made


@cache
def _uploaded(device: int, dtype: Any, elements: bytes) -> Any:
    return cuda.to_device(np.frombuffer(elements, dtype))


def matmul_into(out: Any, a: Any, b: Any) -> None:
    """Write a product of matrices or of a matrix and a vector into an array."""
    tiled.matmul_into(out, a, b, stream())


@launches.Kernel
@cuda.jit(cache=True)
def _fill(array: Any, value: Any) -> None:
    for i in range(cuda.grid(1), array.shape[0], cuda.gridsize(1)):
        array[i] = value


@launches.Kernel
@cuda.jit(cache=True)
def _copy(array: Any, source: Any) -> None:
    for i in range(cuda.grid(1), array.shape[0], cuda.gridsize(1)):
        array[i] = source[i]


# -- inside kernels ------------------------------------------------------------------------------


maximum, minimum = (cuda.jit(f, device=True) for f in (exact.maximum, exact.minimum))


@cuda.jit(device=True)
def cbrt(x: Any, third: Any) -> Any:
    """The cube root: a power, and one step of Newton's method."""
    y = math.copysign(math.pow(abs(x), third), x)
    cube = y * y * y
    if x == 0 or not math.isfinite(cube):
        return y
    return y - (cube - x) / (y * y + y * y + y * y)


@cuda.jit(device=True)
def remainder(a: Any, b: Any) -> Any:
    """What is left of the division of two integers, with the sign of the first; 0 for b = 0."""
    if b == 0:
        return b
    rest = abs(a) % abs(b)
    return -rest if a < 0 else rest


@cuda.jit(device=True)
def gcd(a: Any, b: Any) -> Any:
    """The greatest common divisor of two integers, by Euclid's algorithm."""
    while b != 0:
        a, b = b, a % b
    return abs(a)


@cuda.jit(device=True)
def lcm(a: Any, b: Any) -> Any:
    """The least common multiple of two integers."""
    shared = gcd(a, b)
    return abs(a // shared * b) if shared else shared


@cuda.jit(device=True)
def _add(a: Any, b: Any) -> Any:
    return a + b


@cuda.jit(device=True)
def _multiply(a: Any, b: Any) -> Any:
    return a * b


@cuda.jit(device=True)
def _either(a: Any, b: Any) -> Any:
    return a or b


@cuda.jit(device=True)
def _both(a: Any, b: Any) -> Any:
    return a and b


@cuda.jit(device=True)
def _lane() -> Any:
    return (
        cuda.threadIdx.z * cuda.blockDim.y + cuda.threadIdx.y
    ) * cuda.blockDim.x + cuda.threadIdx.x


def _with_any_type(of_lanes: Any) -> Any:
    """The simulator gives each line of a kernel one memory, whatever types it is asked for."""
    return lambda value, dtype: of_lanes(value, object)


def _folding(fold: Any) -> tuple[Any, Any]:
    """A fold of one number of each thread of a block, for all of them and for the block."""

    @cuda.jit(device=True)
    def of_lanes(value: Any, dtype: Any) -> Any:
        shared = cuda.shared.array(LANES, dtype)
        lane = _lane()
        shared[lane] = value
        cuda.syncthreads()
        step = cuda.blockDim.x * cuda.blockDim.y * cuda.blockDim.z // 2
        while step > 0:
            if lane < step:
                shared[lane] = fold(shared[lane], shared[lane + step])
            cuda.syncthreads()
            step //= 2
        result = shared[0]
        cuda.syncthreads()  # before the memory is used again
        return result

    if SIMULATED:
        of_lanes = _with_any_type(of_lanes)

    @cuda.jit(device=True)
    def of_block(parts: Any, value: Any, dtype: Any) -> None:
        result = of_lanes(value, dtype)
        if _lane() == 0:
            row = cuda.blockIdx.z * cuda.gridDim.y + cuda.blockIdx.y
            parts[row * cuda.gridDim.x + cuda.blockIdx.x] = result

    return of_lanes, of_block


sum_of_lanes, sum_of_block = _folding(_add)
product_of_lanes, product_of_block = _folding(_multiply)
any_of_lanes, any_of_block = _folding(_either)
all_of_lanes, all_of_block = _folding(_both)
maximum_of_lanes, maximum_of_block = _folding(maximum)
minimum_of_lanes, minimum_of_block = _folding(minimum)


@cuda.jit(device=True)
def dot_into(out: Any, a: Any, b: Any) -> None:
    """Write the product of two small matrices into an array, by one thread."""
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            total = a.dtype.type(0)
            for k in range(a.shape[1]):
                total += a[i, k] * b[k, j]
            out[i, j] = total

"""What NVIDIA's compiler makes of generated kernels; no GPU is needed.

Every kernel compiles for compute capabilities 8.0 and 9.0, needs no memory for want of registers,
and has no 64-bit floating-point instruction where the program has 32-bit numbers. A few programs in
every run, all of the corpus with `-m nightly`.
"""

import numba
import numpy as np
import pytest

pytest.importorskip("numba_cuda")
from numba import cuda

import adcompile as ad
from adcompile import pass_order, pipeline
from adcompile.errors import DeviceError, UnsupportedOperation
from adcompile.execute.cuda import kernels_of
from adcompile.execute.headless import float64_instructions, ptx_of, resources
from adcompile.graph.procedures import procedures_of
from adcompile.graph.types import type_of, type_text
from tests.cuda.records import CHOSEN, REFUSED
from tests.programs.corpus import CORPUS
from tests.test_corpus import float_positions

if numba.config.ENABLE_CUDASIM:
    pytest.skip("the simulator compiles nothing", allow_module_level=True)

CAPABILITIES = [(8, 0), (9, 0)]
FEW = ("mlp_loss", "heat", "n_body", "histogram_loss")
TYPES = {  # float32 programs; sines and cosines reduce their argument in 64 bits
    "chain": (lambda x, y, z: np.sum(np.tanh(x * y + z) ** 2), "f4[::1], f4[::1], f4[::1]"),
    "rows": (lambda x: np.sum(np.log(np.sum(np.exp(x - np.max(x)), axis=1))), "f4[:, ::1]"),
    "columns": (lambda b, x: np.mean(np.abs(x / (1 + b * b)) ** 1.5), "f4[::1], f4[:, ::1]"),
    "gather": (lambda w, k: np.sum(w[k] ** 3), "f4[::1], i8[::1]"),
    "numbers of the host": (
        lambda x, y, a: np.sum(a * x + y * np.exp(-a * x)),
        "f4[::1], f4[::1], f8",
    ),
    "whole numbers": (lambda x, n: np.sum(x * n) / len(x), "f4[::1], i2[::1]"),
    "folds": (lambda x: np.max(x) * np.min(x) + np.sum(np.sqrt(np.maximum(x, 0))), "f4[:, ::1]"),
}


@pytest.fixture(autouse=True)
def _compiler():
    try:
        ptx_of(lambda x: None, numba.types.void(numba.float32))
    except DeviceError as error:
        pytest.skip(str(error))


def _kernels(function, types, capability, argnums=0):
    gradient = ad.value_and_grad(function, argnums, target="cuda")
    return gradient.inspect_ptx(*types, capability=capability)


@pytest.mark.parametrize("capability", CAPABILITIES, ids=str)
@pytest.mark.parametrize("name", TYPES)
def test_float32_kernels(name, capability):
    function, types = TYPES[name]
    for ptx in _kernels(function, [types], capability).values():
        assert not float64_instructions(ptx)
        used = resources(ptx, capability)
        assert not used.spills and not used.stack


def _programs():
    for function, args in CORPUS:
        few = function.__name__ in FEW
        yield pytest.param(
            function, args, id=function.__name__, marks=() if few else (pytest.mark.nightly,)
        )


@pytest.mark.parametrize("capability", CAPABILITIES, ids=str)
@pytest.mark.parametrize(("function", "args"), list(_programs()))
def test_kernels_of_the_corpus(function, args, capability):
    given = tuple(float_positions(args))
    types = list(map(type_of, args))
    try:
        kernels = _kernels(function, types, capability, given)
    except UnsupportedOperation:
        return  # tests/cuda/test_kernels.py has the list
    for ptx in kernels.values():
        assert not resources(ptx, capability).spills


@pytest.mark.parametrize("record", [name for name in CHOSEN if name not in REFUSED])
def test_records(record):
    case = CHOSEN[record]
    host = pipeline.in_kernels(
        pass_order.optimise(case.graph(case.arguments(np.random.default_rng(7))))
    )
    texts = {p.name: [type_text(v.type) for v in p.graph.params] for p in procedures_of(host)}
    made = list(kernels_of(pipeline.launching_source(host), host.name, texts))
    assert made
    for _, kernel, types in made:
        ptx_of(kernel, types)


def test_a_function_for_one_thread_is_compiled_into_a_kernel():
    def f(x, y):
        s = 0.0
        for _ in range(4):
            x = x * y + 0.5
            s += x * x
        return s

    slope = ad.grad(f, argnums=(0, 1), target="cuda", device=True)

    @cuda.jit
    def kernel(x, out):
        i = cuda.grid(1)
        if i < x.shape[0]:
            a, b = slope(x[i], x[i])
            out[i] = a * b

    ptx = ptx_of(kernel, numba.types.void(numba.float32[::1], numba.float32[::1]))
    assert not float64_instructions(ptx) and not resources(ptx).spills
    with pytest.raises(DeviceError, match="one thread of a kernel"):
        slope(1.0, 2.0)


def test_without_a_gpu_the_error_says_so():
    if cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(DeviceError, match="no GPU"):
        ad.grad(lambda x: np.sum(x * x), target="cuda")(np.ones(3))

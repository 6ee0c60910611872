"""Value and gradient by other tools: each takes a function in the tool's own dialect.

Enters: the function, and the positions to differentiate by. Leaves: a peer for a `Problem`: given
NumPy arguments, a function that computes (value, gradients) and waits until they are there. The
arguments are handed over once, before the time is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.benchmarks.problem import Run

Peer = Callable[..., Run]


def jax_call(function: Callable[..., Any], static: Sequence[int] = ()) -> Peer:
    """JAX under `jit`, in double precision, of a function that gives the whole result itself."""

    def peer(*args: Any) -> Run:
        import jax

        jax.config.update("jax_enable_x64", True)
        compiled = jax.jit(function, static_argnums=tuple(static))
        given = [a if k in static else jax.device_put(a) for k, a in enumerate(args)]
        return lambda: jax.block_until_ready(compiled(*given))

    return peer


def jax(function: Callable[..., Any], wrt: Sequence[int], static: Sequence[int] = ()) -> Peer:
    """JAX's value and gradient; `static` arguments are compiled in."""

    def peer(*args: Any) -> Run:
        import jax

        return jax_call(jax.value_and_grad(function, tuple(wrt)), static)(*args)

    return peer


def torch(
    function: Callable[..., Any], wrt: Sequence[int], static: Sequence[int] = (),
    compiled: bool = False,
) -> Peer:  # fmt: skip
    """PyTorch on one thread: eager, or through `torch.compile`."""

    def peer(*args: Any) -> Run:
        import torch

        torch.set_num_threads(1)
        given = [a if k in static else torch.tensor(np.asarray(a)) for k, a in enumerate(args)]
        leaves = [given[k].requires_grad_() for k in wrt]
        call = torch.compile(function) if compiled else function

        def run() -> Any:
            value = call(*given)
            return value, torch.autograd.grad(value, leaves)

        return run

    return peer


def autograd(function: Callable[..., Any], wrt: Sequence[int]) -> Peer:
    """HIPS/autograd; the function uses `autograd.numpy`."""

    def peer(*args: Any) -> Run:
        from autograd import value_and_grad

        derived = value_and_grad(function, tuple(wrt))
        return lambda: derived(*args)

    return peer


def casadi(build: Callable[..., tuple[Any, Sequence[Any], Sequence[Any]]]) -> Peer:
    """CasADi; `build(*args)` gives the expression, its symbols to differentiate by, their values.

    Gradients are flattened column by column, as CasADi stores them.
    """

    def peer(*args: Any) -> Run:
        import casadi as ca

        value, symbols, given = build(*args)
        gradients = [ca.gradient(value, s) for s in symbols]
        function = ca.Function("f", list(symbols), [value, *gradients])
        given = [ca.DM(np.asarray(g)) for g in given]

        def run() -> Any:
            value, *gradients = function(*given)
            return float(value), [np.asarray(g) for g in gradients]

        return run

    return peer


def pytensor(build: Callable[..., tuple[Any, Sequence[Any], Sequence[Any]]]) -> Peer:
    """PyTensor in Numba mode; `build(*args)` as for CasADi, with PyTensor's variables."""

    def peer(*args: Any) -> Run:
        import pytensor

        value, symbols, given = build(*args)
        gradients = pytensor.grad(value, list(symbols))
        function = pytensor.function(
            list(symbols), [value, *gradients], mode="NUMBA", trust_input=True
        )

        def run() -> Any:
            value, *gradients = function(*given)
            return value, gradients

        return run

    return peer

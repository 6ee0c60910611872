"""Finds the line that makes a result NaN or infinite.

Enters: a function, or what adcompile made of it, and arguments. Leaves: its result, computed step
by step under NumPy, or an error that names the line, the operation and its operands.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from adcompile.api import jit
from adcompile.function import CompiledFunction
from adcompile.given import call_signature
from adcompile.graph.finite import checked


def debug(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function run slowly, with every operation checked for NaN and infinity.

    `ad.debug(f)(x)` gives `f(x)`, `ad.debug(ad.grad(f))(x)` the gradient. Where the result holds a
    NaN or an infinity, NonFinite is raised: it shows the user's line where that arose first, the
    operation with its operands, the index of the element, the rounds of the loops around, and
    whether it arose in the function itself or in its adjoint or tangent. What reaches no result is
    no error: the side of `where` that is not taken, an infinity that `minimum` starts with. A NaN
    or infinity in an argument is reported as such.
    """
    call_signature(function)  # raises for what is no function
    made = function if isinstance(function, CompiledFunction) else jit(function)

    @functools.wraps(made, updated=())
    def run(*args: Any, **kwargs: Any) -> Any:
        graph, items, place = made.prepared(args, kwargs)
        with np.errstate(all="ignore"):
            return checked(graph, items, place)

    return run

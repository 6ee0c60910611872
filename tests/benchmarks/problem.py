"""What a benchmark is: a function, its arguments, and who else can differentiate it.

Enters: a primal as a user of adcompile writes it. Leaves: a `Problem` in `PROBLEMS`, with a gradient
written by hand and the same function in the dialect of each peer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import adcompile as ad

Run = Callable[[], Any]  # computes value and gradient once, and waits for them

# what the gradients by hand are compiled with: the flags of adcompile
HAND = {"error_model": "numpy", "fastmath": {"contract", "reassoc", "nsz"}}

PROBLEMS: dict[str, Problem] = {}


@dataclass
class Problem:
    """One function to differentiate at one size.

    function   the primal, as adcompile gets it
    arguments  makes the arguments; the time is measured with these
    small      makes arguments for the smoke test, and for peers that need minutes otherwise
    wrt        the positions of the arguments to differentiate by
    by_hand    compiled with Numba: (value, gradients) of the same arguments
    peers      name: gets the arguments, gives a function that computes (value, gradients)
    slow       the peers that are measured with the small arguments, and ours beside them
    tolerance  largest relative difference between gradients, in the norm of the largest element
    ours       in place of `value_and_grad(function, wrt)`: a training step, a Hessian
    value      in place of `jit(function)`
    """

    name: str
    function: Callable[..., Any]
    arguments: Callable[[], tuple[Any, ...]]
    small: Callable[[], tuple[Any, ...]]
    wrt: tuple[int, ...] = (0,)
    by_hand: Callable[..., Any] | None = None
    peers: dict[str, Callable[..., Run]] = field(default_factory=dict)
    slow: tuple[str, ...] = ()
    tolerance: float = 1e-8
    ours: Callable[..., Any] | None = None
    value: Callable[..., Any] | None = None

    def __post_init__(self) -> None:
        assert self.name not in PROBLEMS, f"two problems named {self.name}"
        PROBLEMS[self.name] = self

    def derivative(self) -> Callable[..., Any]:
        """Our function of the arguments that gives (value, gradients)."""
        return self.ours or ad.value_and_grad(self.function, self.wrt)

    def primal(self) -> Callable[..., Any]:
        """Our function of the arguments that gives the value."""
        return self.value or ad.jit(self.function)

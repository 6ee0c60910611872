"""adcompile: derivatives of Python functions as readable Python, compiled by Numba.

import adcompile as ad

@ad.grad
def loss(w, x, y): ...
"""

from adcompile.api import (
    check_grads,
    grad,
    jit,
    jvp,
    stop_gradient,
    value_and_grad,
    vjp,
)
from adcompile.errors import (
    AdcompileError,
    NotDifferentiable,
    ShapeError,
    SourceNotFound,
    TypeMismatch,
    UnsupportedOperation,
    UnsupportedSyntax,
)

__version__ = "0.1.0"

__all__ = [
    "AdcompileError",
    "NotDifferentiable",
    "ShapeError",
    "SourceNotFound",
    "TypeMismatch",
    "UnsupportedOperation",
    "UnsupportedSyntax",
    "check_grads",
    "grad",
    "jit",
    "jvp",
    "stop_gradient",
    "value_and_grad",
    "vjp",
]

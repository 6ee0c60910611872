"""adcompile: derivatives of Python functions as readable Python, compiled by Numba.

import adcompile as ad

@ad.grad
def loss(w, x, y): ...
"""

from adcompile.api import (
    grad,
    hessian,
    hvp,
    jacfwd,
    jacobian,
    jacrev,
    jit,
    jvp,
    linearize,
    stop_gradient,
    value_and_grad,
    vjp,
    vmap,
)
from adcompile.check import check_grads
from adcompile.custom import checkpoint, custom_jvp, custom_vjp
from adcompile.debug import debug
from adcompile.errors import (
    AdcompileError,
    NonFinite,
    NotDifferentiable,
    ShapeError,
    SourceNotFound,
    SparsityError,
    TypeMismatch,
    UnsupportedOperation,
    UnsupportedSyntax,
)
from adcompile.execute.modules import find_generated

find_generated()

__version__ = "0.1.0"

__all__ = [
    "AdcompileError",
    "NonFinite",
    "NotDifferentiable",
    "ShapeError",
    "SourceNotFound",
    "SparsityError",
    "TypeMismatch",
    "UnsupportedOperation",
    "UnsupportedSyntax",
    "check_grads",
    "checkpoint",
    "custom_jvp",
    "custom_vjp",
    "debug",
    "grad",
    "hessian",
    "hvp",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jit",
    "jvp",
    "linearize",
    "stop_gradient",
    "value_and_grad",
    "vjp",
    "vmap",
]

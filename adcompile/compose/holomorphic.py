"""What a derivative with respect to a complex number can mean, and what is refused.

Enters: a graph, what is differentiated and whether the user calls it holomorphic. Leaves: nothing,
or an error. A real result has a gradient df/dx - i df/dy; a complex result has a single derivative
only if it is holomorphic, which nobody but the user can know.
"""

from __future__ import annotations

from collections.abc import Sequence

from adcompile.errors import Location, NotDifferentiable
from adcompile.graph.ir import Graph, Value
from adcompile.graph.types import is_complex


def check_result(
    graph: Graph, value: Value, what: str, holomorphic: bool, location: Location | None
) -> None:
    """Raise NotDifferentiable unless the result is real, or complex and holomorphic."""
    if is_complex(value.type) == holomorphic:
        return
    place = value.location or location
    if holomorphic:
        raise NotDifferentiable(
            f"`{graph.name}` returns {value.type.dtype}; holomorphic=True is for complex results",
            place, "leave holomorphic=True out",
        )  # fmt: skip
    raise NotDifferentiable(
        f"`{graph.name}` returns {value.type.dtype}; {what} needs a real result",
        place,
        "return abs(w) ** 2, w.real or w.imag; of a holomorphic function pass holomorphic=True, of "
        "any other use vjp or jvp",
    )


def check_complex(graph: Graph, inputs: Sequence[Value], location: Location | None) -> None:
    """Raise NotDifferentiable unless all that a holomorphic function is differentiated for is."""
    for value in inputs:
        if not is_complex(value.type):
            raise NotDifferentiable(
                f"`{value.hint}` is {value.type.dtype}; holomorphic=True is for complex arguments",
                location,
                f"pass `{value.hint}` as a complex number, or leave it out of argnums",
            )


def refuse_complex(graph: Graph, inputs: Sequence[Value], location: Location | None) -> None:
    """Raise NotDifferentiable for a complex argument, which has two directions, not one column."""
    for value in inputs:
        if is_complex(value.type):
            raise NotDifferentiable(
                f"`{value.hint}` is {value.type.dtype}; a Jacobian by columns needs real arguments",
                location,
                "of a holomorphic function pass holomorphic=True; of any other use jvp, jacrev of "
                "a real result, or real and imaginary part as arguments",
            )

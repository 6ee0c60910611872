"""What a drawn function knows: its names with their types, the extents of its arrays, its draws.

Enters: a seed. Leaves: reproducible choices, and for each kind of value the names that hold one.
Names may be texts such as `box["a"]` or `state.u`: whatever can be read.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

BOUND = 3.0  # of every number that a name holds


class Expr(NamedTuple):
    """An expression and a bound of its absolute value."""

    text: str
    bound: float


class Draw:
    """Choices that follow from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def pick(self, *items: Any) -> Any:
        return self._random.choice(items)

    def weighted(self, choices: dict[str, int]) -> str:
        return self._random.choices(list(choices), list(choices.values()))[0]

    def chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def integer(self, low: int, high: int) -> int:
        return self._random.randint(low, high)

    def constant(self, low: float = -1.0, high: float = 1.0) -> str:
        """A number that no expression meets by accident."""
        return f"{self._random.uniform(low, high):.3f}7"


@dataclass(frozen=True)
class Variable:
    """What can be read under a name.

    kind       "float", "int", "bool" or "array"
    shape      names of extents, for arrays
    indexes    the extents for which an integer is a valid index
    binds      whether the name may be assigned again
    writes     whether the array's memory may be written
    level      how many branches and loops stood around where a container was made (0 for names)
    """

    text: str
    kind: str
    shape: tuple[str, ...] = ()
    indexes: frozenset[str] = frozenset()
    binds: bool = True
    writes: bool = True
    level: int | None = None


@dataclass(frozen=True)
class Extent:
    """How an extent is spelled, and whether it may be zero."""

    texts: tuple[str, ...]
    nonzero: bool = True


@dataclass
class Scope:
    """The names of one function at one place."""

    variables: dict[str, Variable] = field(default_factory=dict)
    extents: dict[str, Extent] = field(default_factory=dict)
    functions: list[Function] = field(default_factory=list)
    dtype: str = "v.dtype"

    def inner(self) -> Scope:
        """A copy: what a branch or loop body binds first is not known outside."""
        return replace(self, variables=dict(self.variables), functions=list(self.functions))

    def add(self, variable: Variable) -> Variable:
        self.variables[variable.text] = variable
        return variable

    def lengths(self) -> list[str]:
        """The extents that are not zero."""
        return [name for name, extent in self.extents.items() if extent.nonzero]

    def shapes(self, rank: int | None = None) -> list[tuple[str, ...]]:
        """Shapes of the arrays of numbers, once for each array."""
        return [v.shape for v in self.arrays(rank=rank) if v.shape != ("places",)]

    def floats(self) -> list[Variable]:
        return [v for v in self.variables.values() if v.kind == "float"]

    def of(self, kind: str) -> list[Variable]:
        return [v for v in self.variables.values() if v.kind == kind]

    def arrays(self, shape: Sequence[str] | None = None, rank: int | None = None) -> list[Variable]:
        return [
            v
            for v in self.variables.values()
            if v.kind == "array"
            and (shape is None or v.shape == tuple(shape))
            and (rank is None or (len(v.shape) == rank and v.shape != ("places",)))
        ]


@dataclass(frozen=True)
class Function:
    """A function that can be called: `result` is "float", "array" (as its first), "pair" or "nothing".

    takes      "float", or ("h",) for an array of one axis without zero extents
    """

    name: str
    takes: tuple[Any, ...]
    result: str
    writes: bool = False

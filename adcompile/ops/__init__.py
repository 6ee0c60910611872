"""One record per operation, grouped by kind; importing this package fills the registry."""

from adcompile.ops import (  # noqa: F401
    arithmetic,
    complex_numbers,
    control,
    effects,
    factors,
    functions,
    linalg,
    linalg_spellings,
    linear,
    memory,
    reduction_spellings,
    reductions,
    shape_spellings,
    shapes,
    softmax,
    special,
    special_spellings,
)

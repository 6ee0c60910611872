"""The problems, by kind; importing this package registers them."""

from tests.benchmarks.problems import (  # noqa: F401
    heat,
    interpolation,
    kalman,
    lorenz,
    monte_carlo,
    nbody,
    prefix,
    recurrence,
    stencil,
    tiny,
    warping,
)

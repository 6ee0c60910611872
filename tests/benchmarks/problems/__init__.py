"""The problems, by kind; importing this package registers them."""

from tests.benchmarks.problems import (  # noqa: F401
    chain,
    ensemble,
    gmm,
    heat,
    interpolation,
    kalman,
    least_squares,
    logsumexp,
    lorenz,
    lstm,
    monte_carlo,
    nbody,
    prefix,
    recurrence,
    reprojection,
    second_order,
    stencil,
    tiny,
    training,
    warping,
)

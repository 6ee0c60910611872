"""The problems, by kind; importing this package registers them."""

from tests.benchmarks.problems import (  # noqa: F401
    chain,
    gmm,
    least_squares,
    logsumexp,
    loops,
    lstm,
    reprojection,
    second_order,
    training,
)

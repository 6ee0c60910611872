"""The problems, by kind; importing this package registers them."""

from tests.benchmarks.problems import (  # noqa: F401
    chain,
    gmm,
    least_squares,
    logsumexp,
    loops,
    lstm,
    second_order,
    training,
)

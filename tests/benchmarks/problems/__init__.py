"""The problems, by kind; importing this package registers them."""

from tests.benchmarks.problems import chain, gmm, least_squares, logsumexp, loops, lstm, training  # noqa: F401

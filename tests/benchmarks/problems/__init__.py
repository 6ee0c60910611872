"""The problems, by kind; importing this package registers them."""

from tests.benchmarks.problems import logsumexp, loops  # noqa: F401

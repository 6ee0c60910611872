"""The problems, by kind; importing this package registers them."""

from tests.benchmarks.problems import heat, interpolation, lorenz, recurrence, tiny  # noqa: F401

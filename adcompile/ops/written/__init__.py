"""NumPy functions written in the compiled language itself.

Enters: nothing. Leaves: plain functions over NumPy, entered under the names they stand for; a call
is replaced by the function's body, and derivatives follow from that of the body.
"""

from adcompile.ops.written import arrays, sets, signals, statistics  # noqa: F401

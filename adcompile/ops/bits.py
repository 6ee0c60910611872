"""Operations on the bits of integers, and common divisors; none has a derivative.

Enters: integers. Leaves: records that give integers of the dtype NumPy promotes to.
"""

from __future__ import annotations

import numpy as np

from adcompile.ops.elementwise import elementwise

for _name, _scalar in (
    ("bitwise_and", "{0} & {1}"), ("bitwise_or", "{0} | {1}"), ("bitwise_xor", "{0} ^ {1}"),
    ("left_shift", "{0} << {1}"), ("right_shift", "{0} >> {1}"), ("invert", "~{0}"),
    ("gcd", "np.gcd({0}, {1})"), ("lcm", "np.lcm({0}, {1})"),
):  # fmt: skip
    elementwise(
        _name, getattr(np, _name), _scalar, result="integer", inactive=True, domain=(1, 9),
        cheap=True,
    )  # fmt: skip

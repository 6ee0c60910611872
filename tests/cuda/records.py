"""One case for each operation record, and the records that no kernel has."""

import numpy as np

from tests.ops.cases import CASES

_LIBRARY = ("solve", "inv", "det", "slogdet", "cholesky", "eigh", "qr", "svd", "pinv",
            "argsort", "spacing", "nextafter")  # fmt: skip
REFUSED = {
    **dict.fromkeys(_LIBRARY, "is a library routine"),
    "nonzero": "the size of its result depends on the elements",
    "searchsorted": "of the one before",  # its case makes the sorted array by a running sum
}


def _chosen():
    """One case for each record, on arrays where it has one."""
    found = {}
    for case in CASES:
        args = case.arguments(np.random.default_rng(7))
        arrays = any(isinstance(a, np.ndarray) for a in args)
        if not case.spelling and arrays:
            found.setdefault(case.record, case)
    return found


CHOSEN = _chosen()

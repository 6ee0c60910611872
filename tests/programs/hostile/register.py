"""How the programs of this folder are entered."""

import adcompile as ad

HOSTILE = []


def hostile(types="f8", by=ad.grad, **options):
    """Enter a function that `by` must refuse for arguments of these types."""

    def enter(function):
        HOSTILE.append((function, types, by, options))
        return function

    return enter

"""Memory that one call frees is there for the next.

glibc gives the pages of large arrays back to the system as soon as they are freed. A derivative
that allocates its tapes anew in every call then waits for the system to clear the same pages again,
which takes longer than to fill them. Numba's arrays come from `malloc`, so its thresholds are
raised, for the whole process, when the first function is compiled: blocks of up to 256 MB are taken
from the heap (32 MB where an older glibc allows no more), and up to 256 MB at its end are kept.
`ADCOMPILE_KEEP_MEMORY=0` leaves the allocator alone, and so does a threshold in glibc's own
environment variables.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache

_TRIM, _MMAP = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of <malloc.h>
_KEPT = 256 << 20
_LARGEST = (256 << 20, 32 << 20)  # the first that glibc accepts: before 2.35 half a thread's heap


@cache
def keep_freed_memory() -> bool:
    """Raise the thresholds once; gives whether the allocator has them."""
    if os.environ.get("ADCOMPILE_KEEP_MEMORY") == "0":
        return False
    if any(name in os.environ for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")):
        return False
    try:
        library = ctypes.CDLL(None)
        if not hasattr(library, "gnu_get_libc_version"):
            return False  # other libraries have another `mallopt`
        accepted = any(library.mallopt(_MMAP, size) for size in _LARGEST)
        return accepted and bool(library.mallopt(_TRIM, _KEPT))
    except (OSError, AttributeError, TypeError):
        return False

"""Numba's files of machine code, such that a damaged one is compiled again.

Enters: a compiled function. Leaves: files beside its module, and the function again from them. A
file that cannot be read, or whose contents are not what was written, counts as missing; where files
cannot be written, the next process compiles.
"""

from __future__ import annotations

import hashlib
import pickle
from contextlib import suppress
from typing import Any

from numba.core.caching import FunctionCache, IndexDataCacheFile

from adcompile.execute.modules import loading


class _Files(IndexDataCacheFile):  # type: ignore[misc]
    """Files that begin with the digest of the rest: damaged machine code must not run."""

    def _save_data(self, name: str, data: Any) -> None:
        body = self._dump(data)
        with self._open_for_write(self._data_path(name)) as file:
            file.write(hashlib.sha256(body).digest() + body)

    def _load_data(self, name: str) -> Any:
        with open(self._data_path(name), "rb") as file:
            digest, body = file.read(32), file.read()
        if hashlib.sha256(body).digest() != digest:
            raise ValueError(f"{name} is damaged")
        return pickle.loads(body)


class MachineCode(FunctionCache):  # type: ignore[misc]
    """The files of one function."""

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        self._cache_file.__class__ = _Files

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compile result of a signature, None if there is none."""
        try:
            with loading():
                return super().load_overload(sig, target_context)
        except Exception:  # whatever the bytes of a damaged file happen to raise
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compile result."""
        with suppress(OSError):
            super().save_overload(sig, data)

"""The compiler's front end, without the work that generated code has no need of.

Half of what a first call takes is Numba's front end, in Python. Of its passes three are left out:
generated code has no functions inside functions to inline, no expressions of whole arrays to make
loops of, and one type for each variable (`emit/names.py`), so that these need not be split into
several of one assignment each. Meanwhile Python looks for garbage in cycles less often.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType
from typing import Any

from numba.core.compiler import Compiler as _Compiler
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering, NopythonRewrites
from numba.core.untyped_passes import InlineClosureLikes, ReconstructSSA

from adcompile.execute.entry import LowerWithEntry

_SELDOM = (50_000, 20, 100)  # as many new objects, before the youngest and the older are searched


# Numba's classes and decorators have no types of their own, hence the comments beside them
@register_pass(mutates_CFG=True, analysis_only=False)  # type: ignore[untyped-decorator]
class _LoweringWithEntry(NativeLowering):  # type: ignore[misc]
    """Makes machine code, and an entry for calls from Python."""

    _name = "adcompile_lowering"

    @property
    def lowering_class(self) -> type:
        return LowerWithEntry


class LeanCompiler(_Compiler):  # type: ignore[misc]
    """Numba's compiler for functions on one thread."""

    def define_pipelines(self) -> list[Any]:
        """The passes; threads and what gives way to Python want all of them."""
        managers: list[Any] = super().define_pipelines()
        flags = self.state.flags
        if flags.force_pyobject or flags.auto_parallel.enabled:
            return managers
        unneeded = {InlineClosureLikes, NopythonRewrites, ReconstructSSA}
        constants = self.state.func_id.code.co_consts
        if any(isinstance(constant, CodeType) for constant in constants):
            unneeded.remove(InlineClosureLikes)  # a list is made by a function before Python 3.12
        for manager in managers:
            passes = [item for item in manager.passes if item[0] not in unneeded]
            manager.passes = [self._changed(*item) for item in passes]
            manager.finalize()
        return managers

    def _changed(self, pass_: Any, description: str) -> tuple[Any, str]:
        return (_LoweringWithEntry if pass_ is NativeLowering else pass_), description


class InnerCompiler(LeanCompiler):
    """The same for functions that only compiled functions call."""

    def define_pipelines(self) -> list[Any]:
        """Nothing is made for calls from Python or C."""
        self.state.flags.no_cpython_wrapper = self.state.flags.no_cfunc_wrapper = True
        return super().define_pipelines()


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Search for garbage less often for a while."""
    before = gc.get_threshold()
    gc.set_threshold(*_SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)

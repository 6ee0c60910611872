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
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering, NativeParforLowering, NopythonRewrites
from numba.core.untyped_passes import InlineClosureLikes, ReconstructSSA
from numba.parfors.parfor_lowering import ParforLower

from adcompile.execute.entry import WithEntry

_SELDOM = (50_000, 20, 100)  # as many new objects, before the youngest and the older are searched


# Numba's classes and decorators have no types of their own, hence the comments beside them
class _Lower(WithEntry, Lower):  # type: ignore[misc]
    pass


class _LowerThreads(WithEntry, ParforLower):  # type: ignore[misc]
    pass


@register_pass(mutates_CFG=True, analysis_only=False)  # type: ignore[untyped-decorator]
class _Lowering(NativeLowering):  # type: ignore[misc]
    """Makes machine code, and an entry for calls from Python."""

    _name = "adcompile_lowering"
    lowering_class = _Lower


@register_pass(mutates_CFG=True, analysis_only=False)  # type: ignore[untyped-decorator]
class _LoweringThreads(NativeParforLowering):  # type: ignore[misc]
    """The same for loops on several threads."""

    _name = "adcompile_lowering_threads"
    lowering_class = _LowerThreads


_OURS = {NativeLowering: _Lowering, NativeParforLowering: _LoweringThreads}


class LeanCompiler(_Compiler):  # type: ignore[misc]
    """Numba's compiler for functions that Python calls."""

    def define_pipelines(self) -> list[Any]:
        """The passes; threads and what gives way to Python want all of them."""
        managers: list[Any] = super().define_pipelines()
        unneeded = self._unneeded()
        for manager in managers:
            passes = [(pass_, text) for pass_, text in manager.passes if pass_ not in unneeded]
            manager.passes = [(_OURS.get(pass_, pass_), text) for pass_, text in passes]
            manager.finalize()
        return managers

    def _unneeded(self) -> set[type]:
        flags = self.state.flags
        if flags.force_pyobject or flags.auto_parallel.enabled:
            return set()
        constants = self.state.func_id.code.co_consts
        # a list is made by a function before Python 3.12
        inner = any(isinstance(constant, CodeType) for constant in constants)
        return {NopythonRewrites, ReconstructSSA} | (set() if inner else {InlineClosureLikes})


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

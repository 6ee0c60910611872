"""Kernels compiled where there is no GPU, to see what a device would be given.

Enters: a kernel, the types of its arguments and the compute capability of a device. Leaves: its
PTX text, the registers and memory that its machine code takes, and the instructions in it that
work on 64-bit floating-point numbers.
"""

from __future__ import annotations

import contextlib
import re
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from adcompile.errors import DeviceError
from adcompile.execute.toolkit import SIMULATED, cuda

_OPTIONS = ("fastmath", "opt", "launch_bounds")  # of a decorated kernel, that change its code
_LIBRARIES = "the packages nvidia-nvvm, nvidia-cuda-nvrtc and nvidia-nvjitlink hold its libraries"
_MODIFIERS = re.compile(r"\.(f64|f64x2)(?=[.\s;]|$)")
_COMMENTS = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True)
class Resources:
    """What one kernel takes of a multiprocessor.

    registers  32-bit registers of each thread
    spills     bytes that each thread writes to memory for want of registers
    stack      bytes of each thread's stack; arrays whose indices are not constant lie there too
    shared     bytes of shared memory of each block, with those that the device keeps for itself
    """

    registers: int
    spills: int
    stack: int
    shared: int


def ptx_of(kernel: Any, signature: Any, capability: tuple[int, int] = (9, 0)) -> str:
    """Compile a kernel to PTX without a device.

    kernel      what `cuda.jit` gives, compiled with its options, or a Python function
    signature   the types of its arguments: "void(float32[::1], int64)", or a tuple of types
    capability  of the device to compile for, (major, minor)

    Raises DeviceError in the simulator, which has no compiler, and where the compiler's libraries
    are not installed; what the compiler itself raises for a wrong kernel passes through.
    """
    if SIMULATED:
        raise DeviceError("the simulator runs kernels and compiles none")
    options = getattr(kernel, "targetoptions", {})
    given = {name: options[name] for name in _OPTIONS if options.get(name) is not None}
    with _stand_in(capability), _missing_libraries():
        text, _ = cuda.compile(
            getattr(kernel, "py_func", kernel),
            signature,
            device=False,
            abi="numba",
            output="ptx",
            cc=capability,
            **given,
        )
    return str(text)


def resources(ptx: str, capability: tuple[int, int] = (9, 0)) -> Resources:
    """Assemble the PTX text of one kernel and read what its machine code takes.

    Raises DeviceError where the linker (nvidia-nvjitlink) is not installed.
    """
    if SIMULATED:
        raise DeviceError("the simulator runs kernels and assembles none")
    with _missing_libraries():
        from cuda.core import (  # type: ignore[import-not-found, import-untyped]
            Linker,
            LinkerOptions,
            ObjectCode,
        )

        architecture = "sm_{}{}".format(*capability)
        linker = Linker(
            ObjectCode.from_ptx(ptx.encode()),
            options=LinkerOptions(arch=architecture, verbose=True),
        )
        linker.link("cubin")
        return _resources_in(linker.get_info_log())


def float64_instructions(ptx: str) -> list[str]:
    """The instructions of a PTX text that work on 64-bit floating-point numbers, in its order.

    Conversions from and to them count, declarations of registers and parameters do not.
    """
    statements = (piece.strip() for piece in re.split(r"[;{}]", _COMMENTS.sub("", ptx)))
    return [
        " ".join(statement.split())
        for statement in statements
        if _MODIFIERS.search(_operation(statement))
    ]


def _operation(statement: str) -> str:
    """The name of an instruction with its modifiers; nothing for a directive."""
    words = [word for word in statement.split() if not word.endswith(":")]
    if words and words[0].startswith("@"):  # the predicate
        words = words[1:]
    return words[0] if words and not words[0].startswith(".") else ""


def _resources_in(log: str) -> Resources:
    """Read the assembler's report on one kernel."""
    used = re.findall(r"Used (\d+) registers", log)
    if len(used) != 1:
        raise ValueError(f"a report on one kernel was expected, not on {len(used)}:\n{log}")

    def largest(name: str) -> int:  # of the kernel and of functions that it calls
        return max(map(int, re.findall(rf"(\d+) bytes {name}", log)), default=0)

    return Resources(
        registers=int(used[0]),
        spills=largest("spill stores"),
        stack=largest("stack frame"),
        shared=largest("smem"),
    )


@contextlib.contextmanager
def _stand_in(capability: tuple[int, int]) -> Iterator[None]:
    """Let the compiler see a device of this capability: functions that a kernel calls ask for one.

    Not for use beside threads that compile for a device that is there.
    """
    module = cuda.dispatcher
    asked = module.get_current_device
    module.get_current_device = lambda: types.SimpleNamespace(compute_capability=capability)
    try:
        yield
    finally:
        module.get_current_device = asked


@contextlib.contextmanager
def _missing_libraries() -> Iterator[None]:
    """One error where a library of the compiler is not found, whichever it is."""
    try:
        yield
    except (ImportError, OSError) as error:
        raise DeviceError(f"the CUDA compiler is incomplete: {error}", hint=_LIBRARIES) from error

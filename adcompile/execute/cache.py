"""Keeps generated modules on disk, so that a second process starts warm.

Enters: source text. Leaves: an imported module. The file is written once, atomically, under a name
that is the hash of the text and of every version that matters; Numba then finds its own compiled
code beside it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import sys
import tempfile
import threading
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

_lock = threading.Lock()


@cache
def cache_directory() -> Path:
    """`ADCOMPILE_CACHE_DIR`, else the user's cache directory, else one for this process."""
    chosen = os.environ.get("ADCOMPILE_CACHE_DIR")
    if chosen:
        directory = Path(chosen)
    elif sys.platform == "darwin":
        directory = Path.home() / "Library" / "Caches" / "adcompile"
    elif os.name == "nt":
        directory = Path(os.environ.get("LOCALAPPDATA", Path.home())) / "adcompile" / "cache"
    else:
        directory = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "adcompile"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError:
        directory = Path(tempfile.mkdtemp(prefix="adcompile-"))
    return directory


# machine code holds copies of their functions
_HELPERS = (
    "device.py", "entry.py", "exact.py", "formulas.py", "lapack.py", "lean.py", "library.py",
    "machine.py", "new_arrays.py", "objects.py", "products.py", "routines.py", "vector_math.py",
    "vectors.py",
)  # fmt: skip


@cache
def _versions() -> str:
    found = [platform.python_version(), platform.machine()]
    for package in ("numba", "llvmlite", "numpy", "scipy", "adcompile"):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} unknown")
    for helper in _HELPERS:
        found.append(hashlib.sha256(Path(__file__).with_name(helper).read_bytes()).hexdigest())
    return "; ".join(found)


def module_from_source(source: str, stem: str) -> ModuleType:
    """The module with this text, written to the cache unless it is there already."""
    name = f"adcompile_{stem}_{_digest(source)}"
    with _lock:
        if name in sys.modules:
            return sys.modules[name]
        path = cache_directory() / f"{name}.py"
        if not _holds(path, source):
            _write(path, source)
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # before execution: Numba looks the module up by name
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        return module


def spec_of_module(name: str) -> ModuleSpec | None:
    """Where the module of this name is, None unless its text is that which the name stands for."""
    path = cache_directory() / f"{name}.py"
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    known = name.endswith(f"_{_digest(source)}")
    return importlib.util.spec_from_file_location(name, path) if known else None


def _digest(source: str) -> str:
    return hashlib.sha256(f"{_versions()}\n{source}".encode()).hexdigest()[:20]


def _holds(path: Path, source: str) -> bool:
    """Whether a file has this text; a damaged one is written anew."""
    try:
        return path.read_bytes() == source.encode()
    except OSError:
        return False


def _write(path: Path, source: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)  # it may have been removed meanwhile
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(source.encode())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise

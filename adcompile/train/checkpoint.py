"""Checkpoints: progress on disk, written whole or not at all.

Enters: progress and what it belongs to. Leaves: an npz file without pickled objects, and back.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from adcompile.errors import AdcompileError
from adcompile.train.loop import Progress


def save(path: str | Path, progress: Progress, setup: dict[str, Any]) -> None:
    """Write a checkpoint; a reader never sees half of one."""
    path = Path(path)
    arrays: dict[str, Any] = {"setup": json.dumps(setup, sort_keys=True)}
    arrays["losses"] = np.array(progress.losses, np.float64)
    for kind, layers in (("layer", progress.layers), ("velocity", progress.velocities)):
        for k, (w, b) in enumerate(layers):
            arrays[f"{kind}_{k}_w"], arrays[f"{kind}_{k}_b"] = _on_host(w), _on_host(b)
    handle, temporary = tempfile.mkstemp(dir=path.parent or ".", suffix=".npz")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **arrays)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _on_host(array: Any) -> np.ndarray:
    return array if isinstance(array, np.ndarray) else array.copy_to_host()


def load(path: str | Path, setup: dict[str, Any]) -> Progress:
    """Read a checkpoint of the same setup.

    Raises AdcompileError where the file is none, or belongs to another model, data set or dtype.
    """
    try:
        with np.load(path, allow_pickle=False) as found:
            arrays = {key: found[key] for key in found.files}
        own = json.loads(str(arrays["setup"]))
        count = sum(key.startswith("layer_") for key in arrays) // 2
        kinds = [
            tuple((arrays[f"{kind}_{k}_w"], arrays[f"{kind}_{k}_b"]) for k in range(count))
            for kind in ("layer", "velocity")
        ]
        losses = [float(loss) for loss in arrays["losses"]]
    except (OSError, KeyError, ValueError, EOFError) as error:
        raise AdcompileError(f"`{path}` is no checkpoint: {error}") from None
    different = [key for key in setup if own.get(key) != setup[key]]
    if different:
        key = different[0]
        raise AdcompileError(
            f"`{path}` was made with {key}={own.get(key)}, not {setup[key]}",
            hint="resume with the options of the first run",
        )
    return Progress(kinds[0], kinds[1], losses)

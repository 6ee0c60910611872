"""Reference data beside the repository; tests that use it are skipped where it is absent."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

_FOLDER = Path(__file__).resolve().parents[2] / "shared"


def _path(name: str) -> Path:
    path = _FOLDER / name
    if not path.exists():
        pytest.skip(f"the reference data {name} is not beside this checkout")
    return path


def reference_json(name: str) -> Any:
    """The content of a reference file."""
    return json.loads(_path(name).read_text())


def reference_arrays(name: str) -> Any:
    """The arrays of a reference file."""
    with np.load(_path(name)) as data:
        return {key: data[key] for key in data.files}

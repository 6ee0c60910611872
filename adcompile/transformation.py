"""What all transformations have in common.

Enters: functions that make a derivative of a function. Leaves: the same, as decorators with options
too, for use in compiled code, and giving what can be pickled and copied.
"""

from __future__ import annotations

import functools
import operator
import sys
from collections.abc import Callable
from pickle import PicklingError
from typing import Any, TypeVar

Transform = TypeVar("Transform", bound=Callable[..., Any])


def transformation(transform: Transform) -> Transform:
    """A transform of a function, which waits for the function if it comes with options alone."""

    @functools.wraps(transform)
    def applied(function: Any = None, *args: Any, **kwargs: Any) -> Any:
        if function is None:
            return lambda f: applied(f, *args, **kwargs)
        made = transform(function, *args, **kwargs)
        if isinstance(made, Transformed):
            made._recipe = functools.partial(applied, **kwargs), (function, *args)
        return made

    special: Any = applied
    special.__adcompile_transform__ = lambda _, *args, **kwargs: applied(*args, **kwargs)
    public: Transform = special
    return public


class Transformed:
    """What a transformation makes: pickled, or copied, it is made again of its function.

    What its own name finds, as that of a decorated function does, is pickled as this name.
    """

    __name__: str
    __wrapped__: Any
    _recipe: tuple[Any, tuple[Any, ...]] | None = None

    def __reduce__(self) -> str | tuple[Any, tuple[Any, ...]]:
        name = getattr(self, "__qualname__", "")
        try:
            found = operator.attrgetter(name)(sys.modules[self.__module__])
        except (AttributeError, KeyError):
            found = None
        if found is self:
            return name
        if self._recipe is None:
            raise PicklingError(f"`{self.__name__}` is a part of another derivative")
        return self._recipe

"""Lowers containers and objects: literals, attributes, methods, calls of instances.

Enters: expressions over tuples, lists, dicts, named tuples, dataclasses and other Python objects.
They exist only while the function is lowered; what they hold are values of the graph. Leaves: the
same kinds of objects with other parts; methods are inlined with their object as first argument.
"""

from __future__ import annotations

import ast
import builtins
import copy
import dataclasses
import functools
import inspect
from collections.abc import Callable
from types import BuiltinMethodType, MethodType
from typing import Any

import numpy as np

from adcompile.errors import (
    AdcompileError,
    TypeMismatch,
    UnsupportedOperation,
    UnsupportedSyntax,
)
from adcompile.graph import trees
from adcompile.graph.ir import Region, Value
from adcompile.graph.types import Array, Scalar
from adcompile.ops import spellings
from adcompile.ops.spellings import described
from adcompile.parse import indexing, iteration
from adcompile.parse.expressions import looked_up
from adcompile.parse.instead import close_to
from adcompile.parse.scope import Comprehension, LocalFunction, flatten, read_names
from adcompile.parse.source import python_function
from adcompile.parse.summing import MAX_WRITTEN_OUT, SumLowering

_NUMBERS = (
    float, int, bool, complex, np.float64, np.float32, np.int64, np.bool_, np.complex128
)  # fmt: skip


class Owner:
    """Which containers may be changed: those made in the region that changes them."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[Any, Region]] = {}

    def made(self, item: Any, region: Region) -> Any:
        """Enter a fresh container; gives it back."""
        self._made[id(item)] = (item, region)
        return item

    def enter_all(self, item: Any, region: Region) -> None:
        """Enter a container and all inside it."""
        inner = trees.parts(item)
        if inner is not None:
            self.made(item, region)
            for part in inner:
                self.enter_all(part, region)

    def may_change(self, item: Any, region: Region) -> bool:
        """Whether a change in `region` is seen by exactly those who should see it."""
        return id(item) in self._made and self._made[id(item)][1] is region


class ObjectLowering(SumLowering):
    """Containers and objects of one function."""

    owner: Owner

    # -- literals -------------------------------------------------------------------------------

    def _items(self, nodes: list[ast.expr]) -> list[Any]:
        items: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                items += self._sequence(self.expression(node.value))
            else:
                items.append(self.expression(node))
        return items

    def _sequence(self, item: Any) -> list[Any]:
        """The items of something whose length is known."""
        return self._written_out(iteration.iteration_over(item))

    def _written_out(self, source: Any) -> list[Any]:
        if isinstance(source, tuple):
            return [self.captured("item", part) for part in source]
        counts = self.counted(source)
        if counts is None:
            raise UnsupportedSyntax(
                "the number of items is known only at run time",
                hint="fill an array in a for loop",
            )
        if len(counts) > MAX_WRITTEN_OUT:
            raise UnsupportedSyntax(
                f"{len(counts)} items would be written out", hint="fill an array in a for loop"
            )
        return [source.item(k) for k in counts]

    def _tuple(self, node: ast.Tuple) -> Any:
        return tuple(self._items(node.elts))

    def _list(self, node: ast.List) -> Any:
        return self.owner.made(self._items(node.elts), self.builder.region)

    def _dict(self, node: ast.Dict) -> Any:
        made: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                made.update(self._mapping(self.expression(value)))
            else:
                made[self._key(self.expression(key))] = self.expression(value)
        return self.owner.made(made, self.builder.region)

    def _mapping(self, item: Any) -> dict[Any, Any]:
        if not isinstance(item, dict):
            raise TypeMismatch(f"`**` needs a dict, not {described(item)}")
        return item

    def _key(self, item: Any) -> Any:
        if isinstance(item, Value):
            item = spellings.static(item, "the key of a dict")
        return item

    def _listcomp(self, node: ast.ListComp) -> Any:
        return self.owner.made(self.comprehension(node, node.generators), self.builder.region)

    def _generatorexp(self, node: ast.GeneratorExp) -> Any:
        return tuple(self.comprehension(node, node.generators))

    def _dictcomp(self, node: ast.DictComp) -> Any:
        pair = ast.copy_location(ast.Tuple([node.key, node.value], ast.Load()), node)
        whole = ast.copy_location(ast.ListComp(pair, node.generators), node)
        pairs = self.comprehension(whole, node.generators)
        made = {self._key(key): value for key, value in pairs}
        return self.owner.made(made, self.builder.region)

    def comprehension(
        self, node: Comprehension, generators: list[ast.comprehension],
        source: Any = None,
    ) -> list[Any]:  # fmt: skip
        """The items, written out: a list has as many as are known when compiled."""
        if not generators:
            return [self.expression(node.elt)]
        first, *rest = generators
        result: list[Any] = []
        bound = {n.id for n in ast.walk(first.target) if isinstance(n, ast.Name)}
        if source is None:
            source = iteration.iteration_over(self.expression_or_iterator(first.iter))
        items = self._written_out(source)
        with self.own_names() as outer:
            for item in items:
                self.environment = dict(outer)
                self._assign(first.target, item)
                kept = [self.truth(test) for test in first.ifs]
                if any(isinstance(test, Value) for test in kept):
                    raise UnsupportedSyntax(
                        "the condition of a comprehension is known only at run time",
                        hint="use a for loop with an `if`",
                    )
                if all(kept):
                    result += self.comprehension(node, rest)
        for function in trees.leaves(result):
            if isinstance(function, LocalFunction) and bound & read_names(function.node):
                raise UnsupportedSyntax(
                    f"`{function.__name__}` reads a variable of the comprehension that made it",
                    hint="give it the value as a default: lambda x, k=k: k * x",
                )
        return result

    # -- functions -------------------------------------------------------------------------------

    def _lambda(self, node: ast.Lambda) -> Any:
        return self.local_function(node)

    def local_function(self, node: ast.Lambda | ast.FunctionDef) -> LocalFunction:
        """A nested function; its defaults are evaluated now, its free names when it is called."""
        arguments = node.args
        if arguments.vararg or arguments.kwarg:
            raise UnsupportedSyntax(
                "`*` in the parameters of a nested function", hint="name each parameter"
            )
        positional = [*arguments.posonlyargs, *arguments.args]
        named = zip(reversed(positional), reversed(arguments.defaults), strict=False)
        defaults = {a.arg: self.expression(d) for a, d in named}
        pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        defaults |= {a.arg: self.expression(d) for a, d in pairs if d is not None}
        place = (self.source.function, node.lineno, node.col_offset, self.path)
        inside = self.around is not None
        return LocalFunction(node, self, defaults, place, self.recursion.count(place), inside)

    # -- attributes and items -------------------------------------------------------------------

    def object_attribute(self, base: Any, name: str) -> Any:
        """`base.name` for what is no value of the graph."""
        found = inspect.getattr_static(type(base), name, None)
        if isinstance(found, property) and found.fget is not None:
            return self.call_python(found.fget, [base], {})
        if isinstance(found, functools.cached_property):
            return self.call_python(found.func, [base], {})
        try:
            return self.captured(name, getattr(base, name))
        except AttributeError:
            named = inspect.ismodule(base) or isinstance(base, type)
            kind = base.__name__ if named else type(base).__name__
            raise UnsupportedOperation(
                f"`{kind}` has no attribute `{name}`", hint=close_to(name, dir(base))
            ) from None
        except AdcompileError:
            raise
        except Exception as error:  # a `__getattr__` of the user's
            text = f"`{type(base).__name__}.{name}` raised {type(error).__name__}: {error}"
            raise UnsupportedOperation(text) from None

    def object_item(self, base: Any, index: Any, name: str = "item") -> Any:
        """`base[index]` for a container."""
        if isinstance(index, Value):
            if index.constant is None:
                return self._chosen(base, index, name)
            index = index.constant
        if not hasattr(type(base), "__getitem__"):
            raise TypeMismatch(f"{described(base)} cannot be indexed")
        try:
            return self.captured(name, base[index])
        except KeyError:
            hint = close_to(index, base) if isinstance(index, str) else ""
            raise TypeMismatch(f"there is no key {index!r}", hint=hint) from None
        except IndexError:
            text = f"index {index} does not exist in a {type(base).__name__} of {len(base)}"
            raise TypeMismatch(text) from None

    def _chosen(self, base: Any, index: Value, name: str) -> Any:
        """The item of a container that the run chooses, where all are numbers of one kind.

        Of rows of such numbers it is one of each column.
        """
        kinds = {type(item) for item in base} if isinstance(base, (tuple, list)) else set()
        if len(kinds) == 1 and kinds <= {int, float, complex} and indexing.is_integer_index(index):
            items = np.array(base)
            if kinds == {int} and items.dtype.kind != "i":
                raise TypeMismatch("an integer that does not fit into int64", hint="use floats")
            array = self.builder.array(items, name)
            number = indexing.read(self.builder, array, index)
            return self.builder.op("cast", number, dtype=array.type.dtype, weak=True)
        if indexing.is_integer_index(index) and self._are_alike(base):
            return indexing.read(self.builder, spellings.CALLS[np.array](list(base)), index)
        rows = kinds and kinds <= {tuple, list} and len({len(row) for row in base}) == 1
        if not rows:
            kind = type(base).__name__
            raise TypeMismatch(f"a {kind} is indexed by constants only", hint="use an array")
        return tuple(self._chosen(column, index, name) for column in zip(*base, strict=True))

    def _are_alike(self, base: Any) -> bool:
        """Whether all items of a container are numbers of one dtype."""
        items = base if isinstance(base, (tuple, list)) else ()
        if not all(isinstance(v.type, Scalar) if isinstance(v, Value) else type(v) in (int, float)
                   for v in items):  # fmt: skip
            return False
        dtypes = {self.builder.value(v).type.dtype for v in items}
        return len(dtypes) == 1 and "bool" not in dtypes

    def change(self, item: Any, place: ast.AST) -> None:
        """Raise unless `item` may be changed here."""
        if self.owner.may_change(item, self.builder.region):
            return
        kind = type(item).__name__
        raise UnsupportedSyntax(
            f"this {kind} was made outside the branch or loop that changes it",
            self.location(place),
            f"make a new {kind} and assign it to the name",
        )

    def set_item(self, base: Any, index: Any, item: Any, place: ast.AST) -> None:
        """`base[index] = item`."""
        if not isinstance(base, (list, dict)):
            raise TypeMismatch(
                f"only arrays, lists and dicts are written in place, not {described(base)}",
                self.location(place),
                "make a new one and assign it to the name",
            )
        self.change(base, place)
        try:
            base[self._key(index)] = item
        except IndexError:
            text = f"index {index} does not exist in a list of {len(base)}"
            raise TypeMismatch(text, self.location(place)) from None

    def set_attribute(self, base: Any, name: str, item: Any, place: ast.AST) -> None:
        """`base.name = item`."""
        if isinstance(base, Value):
            raise UnsupportedOperation(
                f"`{name}` of an array or number cannot be assigned",
                self.location(place),
                "write whole numbers: z[...] = a + 1j * b",
            )
        if not trees.is_record(base):
            raise TypeMismatch(
                f"an attribute of {described(base)} cannot be assigned",
                self.location(place),
                "make it a dataclass",
            )
        if type(base).__dataclass_params__.frozen:
            raise TypeMismatch(
                f"`{type(base).__name__}` is frozen",
                self.location(place),
                "dataclasses.replace makes a new one",
            )
        self.change(base, place)
        object.__setattr__(base, name, item)

    # -- calls ----------------------------------------------------------------------------------

    def call_object(
        self, target: Any, arguments: list[Any], keywords: dict[str, Any]
    ) -> tuple[Any] | None:
        """Call a class, method or callable object; gives a tuple of the result, None if unknown."""
        if isinstance(target, functools.partial):
            return (self.call(target.func, [*target.args, *arguments],
                              {**target.keywords, **keywords}, "partial"),)  # fmt: skip
        if isinstance(target, MethodType) and target.__name__ in ("_replace", "_asdict", "_make"):
            return (target(*arguments, **keywords),)  # of a named tuple
        if isinstance(target, MethodType) and python_function(target.__func__) is not None:
            return (self.call_python(target.__func__, [target.__self__, *arguments], keywords),)
        if isinstance(target, BuiltinMethodType) and target.__self__ is not None:
            done = self._builtin_method(target, arguments, keywords)
            if done is not None:
                return done
        front = looked_up(_BUILTINS, target)
        if front is not None:
            return (front(self, *arguments, **keywords),)
        if isinstance(target, type):
            return self._construct(target, arguments, keywords)
        method = inspect.getattr_static(type(target), "__call__", None)
        if inspect.isfunction(method) and not isinstance(target, LocalFunction):
            return (self.call_python(method, [target, *arguments], keywords),)
        return None

    def _construct(
        self, cls: type, arguments: list[Any], keywords: dict[str, Any]
    ) -> tuple[Any] | None:
        if issubclass(cls, tuple) and hasattr(cls, "_fields"):
            return (cls(*arguments, **keywords),)
        if not dataclasses.is_dataclass(cls):
            return None
        if not _generated(cls.__init__):
            raise UnsupportedSyntax(
                f"`{cls.__name__}` has an `__init__` of its own",
                hint="use the one that @dataclass writes, and __post_init__",
            )
        try:
            bound = inspect.signature(cls).bind(*arguments, **keywords).arguments
        except TypeError as error:
            raise TypeMismatch(f"calling `{cls.__name__}`: {error}") from None
        made = object.__new__(cls)
        for field in dataclasses.fields(cls):
            if field.name in bound:
                value = bound[field.name]
            elif field.default is not dataclasses.MISSING:
                value = field.default
            elif field.default_factory is not dataclasses.MISSING:
                value = self.call(field.default_factory, [], {}, field.name)
            else:
                continue
            object.__setattr__(made, field.name, value)
        self.owner.made(made, self.builder.region)
        after = getattr(cls, "__post_init__", None)
        if after is not None:
            self.call_python(after, [made], {})
        return (made,)

    def _builtin_method(
        self, target: Any, arguments: list[Any], keywords: dict[str, Any]
    ) -> tuple[Any] | None:
        base, name = target.__self__, target.__name__
        if isinstance(base, type):
            return None
        if isinstance(base, (list, dict)) and name in _CHANGING:
            self.change(base, self.statement)
            arguments = [self._key(a) if isinstance(base, dict) and k == 0 else a
                         for k, a in enumerate(arguments)]  # fmt: skip
            return (target(*arguments, **keywords),)
        if isinstance(base, (list, tuple, str)) and name not in _CHANGING:
            compared = name in ("index", "count") or isinstance(base, str)
            if compared and any(isinstance(v, Value) for v in flatten((base, arguments, keywords))):
                raise UnsupportedOperation(
                    f"`{name}` of what is known only at run time", hint="use a for loop"
                )
        if isinstance(base, (list, tuple, dict)) and name in _READING:
            result = target(*arguments, **keywords)
            return (result if isinstance(base, tuple) or name == "get" else _listed(result, name),)
        if isinstance(base, (str, complex)):
            return (target(*arguments, **keywords),)
        return None

    # -- builtins over containers ---------------------------------------------------------------

    def sum_items(self, items: Any, start: Any = 0) -> Any:
        """`sum` of a container."""
        if isinstance(items, Value):
            return spellings.CALLS[np.sum](items, axis=0) + start
        total = start
        for item in self._sequence(items):
            truth = isinstance(item, Value) and item.type.dtype == "bool"
            total = item if total is start and start == 0 and not truth else total + item
        return total

    def _make_tuple(self, items: Any = ()) -> Any:
        return tuple(self._sequence(items))

    def _make_list(self, items: Any = ()) -> Any:
        return self.owner.made(self._sequence(items), self.builder.region)

    def _make_dict(self, items: Any = (), **keywords: Any) -> Any:
        pairs = items.items() if isinstance(items, dict) else self._sequence(items)
        made = {self._key(k): v for k, v in pairs} | keywords
        return self.owner.made(made, self.builder.region)

    def _isinstance(self, item: Any, kinds: Any) -> bool:
        if not isinstance(item, Value):
            return isinstance(item, kinds)
        classes = (np.ndarray,) if isinstance(item.type, Array) else _NUMBERS
        found = {issubclass(class_, kinds) for class_ in classes}
        if len(found) > 1:  # a float may be NumPy's or Python's
            raise TypeMismatch("isinstance of a number", hint="use x.dtype, or np.ndim(x)")
        return found.pop()

    def _type(self, item: Any) -> type:
        if isinstance(item, Value):
            raise TypeMismatch("`type` of a number or array", hint="use x.ndim or x.dtype")
        return type(item)

    def _hasattr(self, item: Any, name: str) -> bool:
        if isinstance(item, Value):
            return hasattr(np.ndarray if isinstance(item.type, Array) else float, name)
        return hasattr(item, name)

    def _getattr(self, item: Any, name: str, *default: Any) -> Any:
        if default and not self._hasattr(item, name):
            return default[0]
        return self.attribute(item, name)

    def _replace(self, item: Any, **changes: Any) -> Any:
        if not trees.is_record(item):
            raise TypeMismatch("dataclasses.replace needs a dataclass")
        values = {f.name: getattr(item, f.name) for f in dataclasses.fields(item) if f.init}
        made = self._construct(type(item), [], {**values, **changes})
        assert made is not None
        return made[0]

    def _copy(self, item: Any) -> Any:
        if isinstance(item, Value):
            return spellings.CALLS[np.copy](item)
        made = copy.copy(item)
        return self.owner.made(made, self.builder.region) if trees.is_container(made) else made


def _generated(init: Any) -> bool:
    """Whether `__init__` is the one that `dataclass` writes."""
    code = getattr(init, "__code__", None)
    return code is not None and code.co_filename == "<string>"


def _listed(result: Any, name: str) -> Any:
    return tuple(result) if name in ("keys", "values", "items") else result


_CHANGING = frozenset({"append", "extend", "insert", "pop", "reverse", "update", "setdefault"})
_READING = frozenset({"get", "keys", "values", "items", "index", "count", "copy"})
_BUILTINS: dict[Any, Callable[..., Any]] = {
    builtins.sum: ObjectLowering.sum_items,
    builtins.tuple: ObjectLowering._make_tuple,
    builtins.list: ObjectLowering._make_list,
    builtins.dict: ObjectLowering._make_dict,
    builtins.isinstance: ObjectLowering._isinstance,
    builtins.getattr: ObjectLowering._getattr,
    builtins.hasattr: ObjectLowering._hasattr,
    builtins.callable: lambda self, item: callable(item) or isinstance(item, LocalFunction),
    builtins.type: ObjectLowering._type,
    dataclasses.replace: ObjectLowering._replace,
    copy.copy: ObjectLowering._copy,
}

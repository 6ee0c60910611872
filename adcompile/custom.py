"""Functions with a derivative of their own, and functions that are run again instead of saved.

Enters: Python functions and their rules. Leaves: callables that are plain Python outside of
compiled code, and one `call` operation inside.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adcompile import pipeline
from adcompile.errors import Location, TypeMismatch, UnsupportedSyntax
from adcompile.given import call_signature
from adcompile.graph import trees
from adcompile.graph.calls import Rule, refuse_draws
from adcompile.graph.ir import Graph, Parameter, Value
from adcompile.graph.types import Static, Structure, is_continuous, type_text
from adcompile.ops.spellings import as_value
from adcompile.parse import iteration
from adcompile.parse.scope import LocalFunction

Function = Callable[..., Any]


class _Special:
    """A function that compiled code calls as one operation."""

    __adcompile_static__ = True  # the class itself may be called in compiled code

    def __init__(self, function: Function) -> None:
        call_signature(function)  # raises for what is no function
        functools.update_wrapper(self, function, updated=())  # no state of another of its kind
        self.function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def rule(self, types: list[Structure], primal: Graph) -> Rule:
        """The derivative for arguments of these types."""
        raise AssertionError

    def __adcompile_transform__(self, lowering: Any, *args: Any, **kwargs: Any) -> Any:
        bound = call_signature(self.function).bind(*args, **kwargs)
        bound.apply_defaults()
        values: list[Value] = []
        types = [_typed(item, values) for item in bound.args]
        graph, written = pipeline.function_graph(self.function, types)
        if written:
            names = " and ".join(f"`{name}`" for name in written)
            raise UnsupportedSyntax(
                f"`{graph.name}` writes its argument {names}, but only its results leave it",
                hint="let it write a copy, and return that",
            )
        for number, (outer, inner) in enumerate(graph.captured):
            graph.parameters.append(Parameter(f"captured_{number}", inner))
            values.append(outer)
        captures, graph.captured = bool(graph.captured), []
        if captures and not isinstance(self, checkpoint):
            raise UnsupportedSyntax(
                f"`{graph.name}` reads variables of the function around it, so its own derivative "
                "would miss them", hint="pass them as arguments",
            )  # fmt: skip
        builder = lowering.builder
        builder.graph.checks.update(graph.checks)
        outputs = builder.op("call", *values, graph=graph, rule=self.rule(types, graph))
        if outputs is None:
            raise TypeMismatch(f"`{graph.name}` returns nothing")
        results = outputs if isinstance(outputs, tuple) else (outputs,)
        return trees.restored(graph.result, iter(results))


class custom_jvp(_Special):  # noqa: N801  (a decorator)
    """A function whose derivative is given by `@f.defjvp`.

    The rule takes `(primals, tangents)`, two tuples with one item per argument, and gives
    `(result, tangent of the result)`; it must be linear in the tangents. It serves forward and
    reverse mode, and is itself differentiated for higher orders. Tangents of what is no float are
    None.
    """

    def __init__(self, function: Function) -> None:
        super().__init__(function)
        self._jvp: Function | None = None

    def defjvp(self, rule: Function) -> Function:
        """Set the rule; usable as a decorator."""
        self._jvp = rule
        return rule

    def rule(self, types: list[Structure], primal: Graph) -> Rule:
        """The derivative for arguments of these types."""
        refuse_draws(primal, "custom_jvp")
        return Rule("jvp", lambda: (self._forward(types, primal), None))

    def _forward(self, types: list[Structure], primal: Graph) -> Graph:
        if self._jvp is None:
            raise UnsupportedSyntax(
                f"`{primal.name}` has no derivative yet", _place(self), "@f.defjvp"
            )
        tangents = tuple(_float_parts(t) for t in types)
        _check_parameters(self._jvp, ("primals", "tangents"), f"the rule of `{primal.name}`")
        forward, _ = pipeline.function_graph(self._jvp, [tuple(types), tangents])
        expected = (primal.result, primal.result)
        _same_results(self, primal, forward, expected, "(result, tangent)", self._jvp)
        return forward


class custom_vjp(_Special):  # noqa: N801  (a decorator)
    """A function whose reverse derivative is given by `f.defvjp(forward, backward)`.

    `forward(*arguments)` gives `(result, residuals)`; `backward(residuals, cotangent)` gives a
    tuple with the cotangent of each argument, None for what is no float. Forward mode is refused.
    """

    def __init__(self, function: Function) -> None:
        super().__init__(function)
        self._rules: tuple[Function, Function] | None = None

    def defvjp(self, forward: Function, backward: Function) -> None:
        """Set both parts of the rule."""
        self._rules = forward, backward

    def rule(self, types: list[Structure], primal: Graph) -> Rule:
        """The derivative for arguments of these types."""
        return Rule("vjp", lambda: self._both(types, primal))

    def _both(self, types: list[Structure], primal: Graph) -> tuple[Graph, Graph]:
        if self._rules is None:
            raise UnsupportedSyntax(
                f"`{primal.name}` has no derivative yet",
                _place(self),
                "f.defvjp(forward, backward)",
            )
        own = tuple(p.name for p in primal.parameters)
        _check_parameters(self._rules[0], own, f"the forward rule of `{primal.name}`")
        both = ("residuals", "cotangent")
        _check_parameters(self._rules[1], both, f"the backward rule of `{primal.name}`")
        forward, _ = pipeline.function_graph(self._rules[0], types)
        if not isinstance(forward.result, tuple) or len(forward.result) != 2:
            raise TypeMismatch(
                f"the forward rule of `{primal.name}` must return (result, residuals)",
                _place(self._rules[0]),
            )
        outputs = forward.outputs
        residuals = trees.mapped(lambda k: outputs[k].type, forward.result[1])
        numbers = iter(v.type for v in primal.outputs)
        cotangent = trees.mapped(lambda _: next(numbers), primal.result)
        backward, _ = pipeline.function_graph(self._rules[1], [residuals, cotangent])
        expected = primal.result, forward.result[1]
        _same_results(self, primal, forward, expected, "(result, residuals)", self._rules[0])
        wanted = [v for p in primal.parameters for v in trees.leaves(p.structure)]
        floats = [v for v in wanted if is_continuous(v.type)]
        place, name = _place(self._rules[1]), f"the backward rule of `{primal.name}`"
        if not isinstance(backward.result, (tuple, list)):
            raise TypeMismatch(f"{name} must return a tuple, one cotangent per argument", place)
        if len(backward.outputs) != len(floats):
            raise TypeMismatch(
                f"{name} gives {len(backward.outputs)} cotangents for {len(floats)} float "
                "arguments", place, "give None for what is no float",
            )  # fmt: skip
        for value, found in zip(floats, backward.outputs, strict=True):
            if _kind(value) != _kind(found):
                raise TypeMismatch(
                    f"{name} gives {type_text(found.type)} for `{value.hint}`, which is "
                    f"{type_text(value.type)}", place, "a cotangent is shaped as its argument",
                )  # fmt: skip
        return forward, backward


class checkpoint(_Special):  # noqa: N801  (a decorator)
    """A function that the reverse sweep runs again, instead of saving what it computes.

    Only its arguments are kept. Use it as a decorator, or on a call: `ad.checkpoint(step)(x)`.
    A loop `for i in ad.checkpoint(range(n))` is cut into about sqrt(n) pieces that are run again:
    the reverse sweep keeps about 2 sqrt(n) states of the loop instead of n.
    """

    def __new__(cls, function: Any) -> Any:
        """Outside of compiled code, what a loop goes through is left as it is."""
        if isinstance(function, Value):
            raise TypeMismatch(
                "checkpoint of a number or array", hint="ad.checkpoint(f)(x), for a function f"
            )
        known = callable(function) or isinstance(function, LocalFunction)
        return super().__new__(cls) if known else function

    def rule(self, types: list[Structure], primal: Graph) -> Rule:
        """Run again."""
        refuse_draws(primal, "checkpoint")
        return Rule("checkpoint")


def _typed(item: Any, values: list[Value]) -> Structure:
    if isinstance(item, (bool, int)):
        return Static(item)

    def leaf(part: Any) -> Any:
        if isinstance(part, (Value, float, complex, np.inexact)):
            values.append(as_value(part))
            return values[-1].type
        return Static(part)

    return trees.mapped(leaf, item)


def _float_parts(type_: Structure) -> Structure:
    """The type of a tangent: None for what is no float."""
    if isinstance(type_, Static):
        return Static(None)
    return trees.mapped(lambda leaf: leaf if is_continuous(leaf) else Static(None), type_)


def _check_parameters(function: Function, names: Sequence[str], what: str) -> None:
    given = call_signature(function).parameters.values()
    needed = [p for p in given if p.default is p.empty]
    if not len(needed) <= len(names) <= len(given):
        text = f"{what} must take ({', '.join(names)}), but has {len(given)} parameters"
        raise TypeMismatch(text, _place(function))


def _place(function: Any) -> Location | None:
    return pipeline.place_of(getattr(function, "function", function))


def _same_results(
    special: _Special, primal: Graph, rule: Graph, expected: Any, what: str, function: Any
) -> None:
    """Raise TypeMismatch unless a rule gives what the function gives, and what it must besides."""
    for value in primal.outputs:
        if not is_continuous(value.type):
            raise TypeMismatch(
                f"`{primal.name}` returns {type_text(value.type)}; a function with a derivative of "
                "its own returns floats",
                _place(special),
            )
    wanted = [*primal.outputs] * (2 if what == "(result, tangent)" else 1)
    count = len(list(trees.leaves(expected)))
    found: Sequence[Value] = rule.outputs
    texts = [[_kind(v) for v in values[: len(wanted)]] for values in (wanted, found)]
    if len(found) != count or texts[0] != texts[1]:
        raise TypeMismatch(
            f"the rule of `{primal.name}` must give {what}, each in the structure and with the "
            f"types of what `{primal.name}` gives",
            _place(function),
        )


def _kind(value: Value) -> tuple[str, int]:
    return value.type.dtype, len(getattr(value.type, "shape", ()))


iteration.FRONTS[checkpoint] = iteration.in_segments

"""Functions that stay functions: those that call themselves.

Enters: graphs with `invoke` operations, each of which names a procedure. Leaves: the procedures
that a graph reaches, what each of them writes and must be run for, and procedures without the
values of other graphs that their bodies read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adcompile.graph.aliases import Aliases
from adcompile.graph.builder import Builder
from adcompile.graph.clone import clone_op
from adcompile.graph.closures import free_values
from adcompile.graph.ir import Graph, Op, Parameter, Region, Value
from adcompile.graph.rewrite import replace
from adcompile.graph.types import Array, StackOf, Type

_EFFECTS = frozenset({"print", "draw", "seed", "require", "check_equal"})
_NOTHING: frozenset[Value] = frozenset()


class Procedure:
    """A function of the emitted module.

    graph     its body, with one parameter for each number, array or stack
    results   the types of its outputs; arrays are fresh, whatever the arguments are
    written   positions of the arguments whose memory it writes, itself or in what it calls
    keeps     whether a run of it has other effects than its results and what it writes
    shares    for each output the positions of arguments that Python would give as the result; and,
              as negative numbers from -1 on, the outputs that would be the same array
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.graph = Graph(name, [], Region())
        self.results: list[Type] = []
        self.written: tuple[int, ...] = ()
        self.keeps = False
        self.shares: list[frozenset[int]] = []

    def __repr__(self) -> str:
        return f"<procedure {self.name}>"

    def settle(self, graph: Graph) -> None:
        """Take `graph` as the body; its parameters and results become flat."""
        graph.name = self.name
        graph.parameters = [Parameter(v.hint or "p", v) for v in graph.params]
        count = len(graph.outputs)
        graph.result = 0 if count == 1 else tuple(range(count))
        graph.kept = [v for v in graph.params if isinstance(v.type, (Array, StackOf))]
        self.graph = graph


def invocations(graph: Graph) -> Iterator[Op]:
    """The operations that call procedures."""
    return (op for op in graph.body.walk() if op.name in ("invoke", "launch"))


def procedures_of(graph: Graph) -> list[Procedure]:
    """All procedures that a graph reaches, each once, callers before what they call."""
    found: dict[Procedure, None] = {}
    todo = [graph]
    while todo:
        for op in invocations(todo.pop(0)):
            procedure = op.attrs["procedure"]
            if procedure not in found:
                found[procedure] = None
                todo.append(procedure.graph)
    return list(found)


def overlaps(op: Op, aliases: Aliases) -> tuple[tuple[int, ...], ...]:
    """Groups of arrays among the arguments of a call, by position, that may share memory."""
    groups: list[tuple[set[int], frozenset[Value]]] = []
    for k, value in enumerate(op.inputs):
        members, roots = {k}, aliases.roots.get(value, _NOTHING)
        if not isinstance(value.type, Array):
            continue
        for group in [g for g in groups if g[1] & roots]:
            groups.remove(group)
            members, roots = members | group[0], roots | group[1]
        groups.append((members, roots))
    return tuple(tuple(sorted(members)) for members, _ in groups if len(members) > 1)


def note_effects(procedures: Sequence[Procedure]) -> None:
    """Work out what each procedure writes, and whether it must be run for other effects."""
    for procedure in procedures:
        procedure.written, procedure.keeps = (), False
    changed = True
    while changed:
        changed = False
        for procedure in procedures:
            graph = procedure.graph
            aliases = Aliases(graph)
            roots = [aliases.roots.get(v, _NOTHING) for v in graph.params]
            places = tuple(k for k, own in enumerate(roots) if own & aliases.written)
            keeps = any(
                op.name in _EFFECTS or (op.name == "invoke" and op.keeps)
                for op in graph.body.walk()
            )
            changed |= (places, keeps) != (procedure.written, procedure.keeps)
            procedure.written, procedure.keeps = places, keeps


def separate_results(graph: Graph) -> None:
    """Copy results that are views or share memory, so that the caller may change them."""
    aliases = Aliases(graph)
    taken = {root for v in graph.params for root in aliases.roots.get(v, ())}
    with Builder(graph) as builder:
        for k, value in enumerate(graph.outputs):
            roots = aliases.roots.get(value)
            if roots is None:
                continue
            if roots & taken or (value.op is not None and value.op.record.view):
                copy = builder.op("copy", value)
                copy.hint = value.hint
                graph.body.yields[k] = copy
            taken |= roots
        _separate_saved(graph, builder, aliases)


def _separate_saved(graph: Graph, builder: Builder, aliases: Aliases) -> None:
    """Push copies of arguments, which the caller may write before they are popped."""
    given = set(graph.params)
    for region in graph.regions:
        for op in [op for op in region.ops if op.name == "push"]:
            if aliases.roots.get(op.inputs[1], frozenset()) & given:
                with builder.inside(Region()) as made, builder.at(op.location):
                    copy = builder.op("copy", op.inputs[1])
                position = region.ops.index(op)
                region.ops[position:position] = made.ops
                op.inputs[1] = copy


def note_sharing(procedures: Sequence[Procedure]) -> None:
    """Work out which results Python would give as the memory of an argument, or of each other."""
    for procedure in procedures:
        procedure.shares = [frozenset()] * len(procedure.results)
    changed = True
    while changed:
        changed = False
        for procedure in procedures:
            found = shared_results(procedure.graph)
            changed |= found != procedure.shares
            procedure.shares = found


def shared_results(graph: Graph) -> list[frozenset[int]]:
    """For each result the positions of arguments whose memory it may be, as in `Procedure`."""
    memory = python_memory(graph)
    place = {v: k for k, v in enumerate(graph.params)}
    outputs = [memory.get(v, frozenset()) for v in graph.outputs]
    found = []
    for k, roots in enumerate(outputs):
        others = {-1 - j for j, more in enumerate(outputs) if j != k and roots & more}
        found.append(frozenset({place[r] for r in roots if r in place} | others))
    return found


def python_memory(graph: Graph) -> dict[Value, frozenset[Value]]:
    """The roots of each array as Python has them: a result may be an argument's memory."""
    aliases = Aliases(graph)
    same: dict[Value, set[Value]] = {}
    for op in invocations(graph):
        for output, places in zip(op.outputs, op.attrs["procedure"].shares, strict=False):
            own = same.setdefault(output, set())
            for k in places:
                partner = op.inputs[k] if k >= 0 else op.outputs[-1 - k]
                own |= aliases.roots.get(partner, frozenset())
    size = -1
    while size != sum(map(len, same.values())):
        size = sum(map(len, same.values()))
        for roots in same.values():
            roots |= {more for root in list(roots) for more in same.get(root, ())}
    return {
        value: roots | {more for root in roots for more in same.get(root, ())}
        for value, roots in aliases.roots.items()
    }


def own_results(procedure: Procedure) -> None:
    """Give views, and what shares memory, as arrays of their own."""
    graph = procedure.graph
    with Builder(graph) as builder:
        for k, (value, shares) in enumerate(zip(graph.outputs, procedure.shares, strict=True)):
            is_view = value.op is None or value.op.record.view or bool(value.op.regions)
            if isinstance(value.type, Array) and (is_view or shares or value.type.layout != "C"):
                graph.body.yields[k] = builder.op("copy", value)


def close(procedures: Sequence[Procedure], graph: Graph) -> None:
    """Let procedures take as arguments what they read of the graphs around them."""
    captured = {p: repeat_constants(p.graph) for p in procedures}
    defined = {p: _defined(p.graph) for p in procedures}
    changed = True
    while changed:
        changed = False
        for p in procedures:
            for op in invocations(p.graph):
                for value in captured[op.attrs["procedure"]]:
                    if value not in defined[p] and value not in captured[p]:
                        captured[p][value] = changed = True
    own = {p: _take(p, list(captured[p])) for p in procedures}
    for body, mapping in [(graph, {}), *((p.graph, own[p]) for p in procedures)]:
        for op in invocations(body):
            op.inputs += [mapping.get(v, v) for v in captured[op.attrs["procedure"]]]
    for p in procedures:
        replace(p.graph, own[p])
        p.settle(p.graph)


def repeat_constants(graph: Graph) -> dict[Value, bool]:
    """Have a graph its own constants, for those that it reads outside; gives the other values."""
    found: dict[Value, bool] = {}
    mapping: dict[Value, Value] = {}
    constants = []
    for value in dict.fromkeys(free_values(graph.body)):
        if value.constant is not None and value.op is not None:
            constants.append(clone_op(value.op, mapping))
        else:
            found[value] = True
    graph.body.ops[:0] = constants
    replace(graph, mapping)
    return found


def _defined(graph: Graph) -> set[Value]:
    found = set(graph.params)
    for op in graph.body.walk():
        found.update(op.outputs)
        for region in op.regions:
            found.update(region.params)
    return found


def _take(procedure: Procedure, values: list[Value]) -> dict[Value, Value]:
    graph = procedure.graph
    rest, graph.body.ops = graph.body.ops, []
    builder = Builder(graph)
    mapping = {}
    for value in values:
        mapping[value] = builder.parameter(value.type, value.hint)
    graph.body.ops += rest
    return mapping


def drop_unused_parameters(graph: Graph) -> None:
    """Remove parameters that a procedure does nothing with but hand them on to itself."""
    procedures = procedures_of(graph)
    needed: dict[Procedure, set[int]] = {p: set() for p in procedures}
    size = -1
    while size != sum(map(len, needed.values())):
        size = sum(map(len, needed.values()))
        for p in procedures:
            used = _used(p.graph, needed)
            needed[p] |= {k for k, v in enumerate(p.graph.params) if v in used}
    for body in [graph, *(p.graph for p in procedures)]:
        for op in invocations(body):
            keep = needed[op.attrs["procedure"]]
            op.inputs = [v for k, v in enumerate(op.inputs) if k in keep]
    for p in procedures:
        _drop_parameters(p, needed[p])


def _used(graph: Graph, needed: dict[Procedure, set[int]]) -> set[Value]:
    used = set(graph.outputs)
    for op in graph.body.walk():
        keep = needed[op.attrs["procedure"]] if op.name == "invoke" else range(len(op.inputs))
        if op.name != "dim":
            used.update(op.inputs[k] for k in keep)
        used.update(v for region in op.regions for v in region.yields)
    for value in list(used):
        while value.op is not None and value.op.name == "dim":
            value = value.op.inputs[0]
            used.add(value)
    return used


def _drop_parameters(procedure: Procedure, keep: set[int]) -> None:
    graph = procedure.graph
    dropped = {v for k, v in enumerate(graph.params) if k not in keep}
    body = graph.body
    gone = {o.result for o in body.ops if o.name == "dim" and o.inputs[0] in dropped}
    body.ops = [op for op in body.ops if not (op.name == "dim" and op.inputs[0] in dropped)]
    body.extents = {s: v for s, v in body.extents.items() if v not in gone | dropped}
    body.params = [v for v in body.params if v not in dropped]
    graph.overlapping = [
        left for group in graph.overlapping if (left := [v for v in group if v not in dropped])
    ]
    places = {k: n for n, k in enumerate(sorted(keep))}
    procedure.written = tuple(places[k] for k in procedure.written)
    procedure.settle(graph)

"""What is stored in an element that nobody reads afterwards is not stored.

Enters: a graph. Leaves: the same graph without stores into elements of new arrays that are gone
before anyone reads them: the reverse of `a[i] = v` clears the adjoint of `a[i]`, and most often no
earlier iteration has to do with it.
"""

from __future__ import annotations

from adcompile.graph.aliases import Aliases
from adcompile.graph.dependence import Dependence
from adcompile.graph.ir import Graph, Op, Value
from adcompile.graph.rewrite import remove


def drop_unread(graph: Graph) -> None:
    """Remove stores in place."""
    stores = [op for op in graph.body.walk() if op.name == "store"]
    if not stores:
        return
    aliases = Aliases(graph)
    left = _left_behind(graph, {op.inputs[0] for op in stores}, aliases)
    stores = [op for op in stores if op.inputs[0].op is not None or op.inputs[0] in left]
    if not stores:
        return
    if left:
        aliases = Aliases(graph, left)
    known, dependence = _users(graph, aliases), Dependence(graph, aliases)
    remove(graph.body, {op for op in stores if _is_unread(op, known, dependence)})


def _left_behind(graph: Graph, arrays: set[Value], aliases: Aliases) -> set[Value]:
    """Those of some arrays that a loop hands to its iterations and that are gone after these.

    Every iteration hands on a new array, and nothing else uses the one that the loop starts with.
    """
    found = set()
    for loop in graph.body.walk():
        for k in range(len(loop.outputs) if loop.name == "for" else 0):
            param = loop.regions[0].params[1 + k]
            if param in arrays and _is_left_behind(graph, loop, _way(loop, k), aliases):
                found.add(param)
    return found


def _is_left_behind(graph: Graph, loop: Op, way: list[int], aliases: Aliases) -> bool:
    body = loop.regions[0]
    starts = [loop.inputs[3 + k] for k in way]
    ends = [body.yields[k] for k in way]
    home = aliases.home[loop.outputs[way[0]]]
    at_once = all(v.op is not None and aliases.home[v] is home for v in starts)
    if not at_once or not all(aliases.home[v] is body for v in ends):
        return False
    apart = Aliases(graph, [v for k in way for v in (body.params[1 + k], loop.outputs[k])])
    return all(_is_handed_on(graph, v, loop, apart) for v in (*starts, *ends))


def _way(loop: Op, k: int) -> list[int]:
    """The places that an array goes through, from iteration to iteration, backwards from one."""
    body, places = loop.regions[0], [k]
    for place in places:
        end = body.yields[place]
        if end in body.params[1:] and body.params.index(end) - 1 not in places:
            places.append(body.params.index(end) - 1)
    return places


def _is_handed_on(graph: Graph, array: Value, loop: Op, aliases: Aliases) -> bool:
    """Whether an array is new, and not used any more once a loop hands it to an iteration."""
    if aliases.roots[array] != {array} or array in graph.kept:
        return False
    for op in graph.body.walk():
        names = [v for v in op.inputs if array in aliases.roots.get(v, ())]
        if not names:
            continue
        if op is not loop and (op.regions or op.name == "push" or "procedure" in op.attrs):
            return False
        if set(names) != {array} or (array in loop.inputs and aliases.follows(loop, op)):
            return False
    ends = [v for region in graph.regions for v in region.yields]
    handed = [v for v in (*loop.inputs, *ends) if array in aliases.roots.get(v, ())]
    return handed == [array]


def _users(graph: Graph, aliases: Aliases) -> dict[Value, list[Op] | None]:
    """What reads each new array; None where another name may reach it, or it is handed on."""
    known: dict[Value, list[Op] | None] = dict.fromkeys((*graph.params, *graph.kept))
    for value in [v for region in graph.regions for v in region.yields]:
        known.update(dict.fromkeys(aliases.roots.get(value, ())))
    for op in graph.body.walk():
        hands_on = op.record.view or op.regions or op.keeps or "procedure" in op.attrs
        for value in op.inputs if op.name != "dim" else ():
            for root in aliases.roots.get(value, ()):
                users = known.setdefault(root, [])
                if (hands_on and not op.record.writes) or value is not root:
                    known[root] = None
                elif users is not None and op.name != "store":
                    users.append(op)
                elif value is not op.inputs[0]:
                    known[root] = None
    return known


def _is_unread(
    store: Op, known: dict[Value, list[Op] | None], dependence: Dependence
) -> bool:  # fmt: skip
    readers = known.get(store.inputs[0])
    return readers is not None and all(dependence.is_last(store, op) for op in readers)

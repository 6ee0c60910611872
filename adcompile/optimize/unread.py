"""What is stored in an element that nobody reads afterwards is not stored.

Enters: a graph. Leaves: the same graph without stores into elements of new arrays that are gone
before anyone reads them: the reverse of `a[i] = v` clears the adjoint of `a[i]`, and most often no
earlier iteration has to do with it.
"""

from __future__ import annotations

from adcompile.graph.aliases import Aliases
from adcompile.graph.dependence import Dependence
from adcompile.graph.ir import Graph, Op, Region, Value


def drop_unread(graph: Graph) -> None:
    """Remove stores in place."""
    stores = [op for op in graph.body.walk() if op.name == "store" and op.inputs[0].op is not None]
    if not stores:
        return
    aliases = Aliases(graph)
    known, dependence = _users(graph, aliases), Dependence(graph, aliases)
    _remove(graph.body, {op for op in stores if _is_unread(op, known, dependence)})


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


def _remove(region: Region, dropped: set[Op]) -> None:
    region.ops = [op for op in region.ops if op not in dropped]
    for op in region.ops:
        for inner in op.regions:
            _remove(inner, dropped)

"""Draws a graph: as text, as DOT, as SVG.

Enters: a graph. Leaves: text for a terminal, for Graphviz, or a picture that a notebook shows. The
picture needs no other program: operations are placed in layers by their longest path.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from adcompile.graph.ir import Graph, Op, Region, Value, count_uses
from adcompile.graph.procedures import procedures_of


class GraphView:
    """A graph that prints itself, and draws itself in notebooks."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._names = _name_values(graph)

    def __str__(self) -> str:
        procedures = [GraphView(p.graph) for p in procedures_of(self.graph)]
        return "\n\n".join("\n".join(view._lines()) for view in [self, *procedures])

    __repr__ = __str__

    def _repr_svg_(self) -> str:
        return self.to_svg()

    # -- text -----------------------------------------------------------------------------------

    def _typed(self, value: Value) -> str:
        return f"{self._names[value]}: {value.type}"

    def _lines(self) -> Iterator[str]:
        params = ", ".join(self._typed(v) for v in self.graph.params)
        yield f"{self.graph.name}({params}):"
        yield from self._region(self.graph.body, "  ", "return")

    def _region(self, region: Region, indent: str, end: str) -> Iterator[str]:
        for op in region.ops:
            if op.name in ("constant", "dim") and not op.result.named:
                continue
            yield indent + self._line(op)
            for number, inner in enumerate(op.regions):
                label = _LABELS[op.name][number]
                params = ", ".join(self._typed(v) for v in inner.params)
                yield f"{indent}  {label}({params}):" if params else f"{indent}  {label}:"
                yield from self._region(inner, indent + "    ", "yield")
        if region.yields:
            yield f"{indent}{end} {', '.join(self.name(v) for v in region.yields)}"

    def _line(self, op: Op) -> str:
        inputs = ", ".join(self.name(v) for v in op.inputs)
        shown = {k: v for k, v in op.attrs.items() if k in _SHOWN}
        attrs = "".join(f", {k}={v!r}" for k, v in shown.items())
        outputs = ", ".join(self._typed(v) for v in op.outputs)
        name = _label(op)
        call = f"{name}({inputs}{attrs})"
        return f"{outputs} = {call}" if outputs else call

    def name(self, value: Value) -> str:
        """How a value is called in pictures and text."""
        if value.constant is not None:
            return (
                f"{value.constant:g}" if isinstance(value.constant, float) else str(value.constant)
            )
        if value.op is not None and value.op.name == "dim" and not value.named:
            return f"{self.name(value.op.inputs[0])}.shape[{value.op.attrs['axis']}]"
        return self._names[value]

    # -- DOT ------------------------------------------------------------------------------------

    def to_dot(self) -> str:
        """The graph in the DOT language of Graphviz."""
        nodes, edges = self._network()
        lines = [f'digraph "{self.graph.name}" {{', "  rankdir=TB;", "  node [fontname=monospace];"]
        for key, (label, kind) in nodes.items():
            shape = {"param": "box", "op": "ellipse", "result": "box"}[kind]
            text = label.replace('"', '\\"').replace("\n", "\\n")
            lines.append(f'  {key} [label="{text}", shape={shape}];')
        lines += [
            f'  {a} -> {b} [label="{label}"];' if label else f"  {a} -> {b};"
            for a, b, label in edges
        ]
        return "\n".join([*lines, "}"]) + "\n"

    def _network(self) -> tuple[dict[str, tuple[str, str]], list[tuple[str, str, str]]]:
        """Nodes (key to label and kind) and edges (from, to, label)."""
        nodes: dict[str, tuple[str, str]] = {}
        edges: list[tuple[str, str, str]] = []
        made: dict[Value, str] = {}
        for value in self.graph.params:
            made[value] = f"n{len(nodes)}"
            nodes[made[value]] = (self._typed(value), "param")
        self._add_ops(self.graph.body, nodes, edges, made)
        for number, value in enumerate(self.graph.outputs):
            key = f"r{number}"
            nodes[key] = (f"result {self.name(value)}", "result")
            if value in made:
                edges.append((made[value], key, ""))
        return nodes, edges

    def _add_ops(
        self, region: Region, nodes: dict[str, tuple[str, str]],
        edges: list[tuple[str, str, str]], made: dict[Value, str],
    ) -> None:  # fmt: skip
        for op in region.ops:
            if op.name in ("constant", "dim", "check_equal"):
                continue
            key = f"n{len(nodes)}"
            constants = [self.name(v) for v in op.inputs if v not in made]
            label = f"{_label(op)} {' '.join(constants)}".strip()
            named = [self._names[v] for v in op.outputs if v.named]
            nodes[key] = (f"{label}\n{', '.join(named)}" if named else label, "op")
            for value in op.inputs:
                if value in made:
                    edges.append((made[value], key, ""))
            for value in op.outputs:
                made[value] = key
            for inner in op.regions:
                made.update(dict.fromkeys(inner.params, key))
                self._add_ops(inner, nodes, edges, made)
                for value in inner.yields:
                    if made.get(value, key) != key:
                        edges.append((made[value], key, "yield"))

    # -- SVG ------------------------------------------------------------------------------------

    def to_svg(self) -> str:
        """The graph as an SVG picture."""
        nodes, edges = self._network()
        layers = _layers(nodes, [(a, b) for a, b, label in edges if label != "yield"])
        width = {k: 9 * max(map(len, label.split("\n"))) + 24 for k, (label, _) in nodes.items()}
        place: dict[str, tuple[float, float]] = {}
        total = max((sum(width[k] + 24 for k in layer) for layer in layers), default=100)
        for depth, layer in enumerate(layers):
            x = (total - sum(width[k] + 24 for k in layer)) / 2
            for key in layer:
                place[key] = (x + width[key] / 2 + 12, 40 + 80 * depth)
                x += width[key] + 24
        height = 80 * len(layers) + 20
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{total:.0f}" height="{height}" '
            f'viewBox="0 0 {total:.0f} {height}" font-family="monospace" font-size="14">',
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" '
            'markerHeight="8" orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="#555"/>'
            "</marker></defs>",
            f'<rect width="{total:.0f}" height="{height}" fill="white"/>',
        ]
        for a, b, label in edges:
            (x1, y1), (x2, y2) = place[a], place[b]
            dash = ' stroke-dasharray="4 3"' if label else ""
            parts.append(
                f'<line x1="{x1:.0f}" y1="{y1 + 20:.0f}" x2="{x2:.0f}" y2="{y2 - 20:.0f}" '
                f'stroke="#555"{dash} marker-end="url(#tip)"/>'
            )
        for key, (label, kind) in nodes.items():
            parts.append(_box(place[key], width[key], label, kind))
        return "\n".join([*parts, "</svg>"]) + "\n"


_SHOWN = frozenset({"axes", "axis", "keepdims", "message", "which", "fold", "grid", "atomic"})


def _label(op: Op) -> str:
    """The operation, or what it calls or starts."""
    procedure = op.attrs.get("procedure")
    if procedure is None:
        return op.name
    return f"launch {procedure.name}" if op.name == "launch" else str(procedure.name)


_LABELS = {"if": ("then", "else"), "for": ("do",), "while": ("do", "while")}
_FILL = {"param": "#dbeafe", "op": "#ffffff", "result": "#dcfce7"}


def _box(center: tuple[float, float], width: float, label: str, kind: str) -> str:
    x, y = center
    lines = label.split("\n")
    radius = 18 if kind == "op" else 2
    text = "".join(
        f'<text x="{x:.0f}" y="{y + 5 + 16 * (k - (len(lines) - 1) / 2):.0f}" '
        f'text-anchor="middle">{escape(line)}</text>'
        for k, line in enumerate(lines)
    )
    return (
        f'<rect x="{x - width / 2:.0f}" y="{y - 20:.0f}" width="{width:.0f}" height="40" '
        f'rx="{radius}" fill="{_FILL[kind]}" stroke="#333"/>{text}'
    )


def _layers(nodes: dict[str, tuple[str, str]], edges: list[tuple[str, str]]) -> list[list[str]]:
    depth = dict.fromkeys(nodes, 0)
    for a, b in edges:  # edges come in topological order of their heads
        depth[b] = max(depth[b], depth[a] + 1)
    last = max(depth.values(), default=0)
    for key, (_, kind) in nodes.items():
        if kind == "result":
            depth[key] = last
    return [[k for k in nodes if depth[k] == level] for level in range(last + 1)]


def _name_values(graph: Graph) -> dict[Value, str]:
    names: dict[Value, str] = {}
    taken: dict[str, int] = {}

    def name(value: Value) -> None:
        hint = value.hint or "t"
        taken[hint] = taken.get(hint, 0) + 1
        names[value] = hint if taken[hint] == 1 else f"{hint}.{taken[hint] - 1}"

    def visit(region: Region) -> None:
        for value in region.params:
            name(value)
        for op in region.ops:
            for inner in op.regions:
                visit(inner)
            for value in op.outputs:
                name(value)

    visit(graph.body)
    for value in count_uses(graph.body):
        if value not in names:
            name(value)
    return names

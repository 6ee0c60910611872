"""What the measurements say: one table, one chart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

PEERS = ("by hand", "jax", "torch", "torch.compile", "autograd", "casadi", "pytensor")


def table(results: Sequence[dict[str, Any]]) -> str:
    """Times in milliseconds; for each peer its time over that of our gradient."""
    head = ["problem", "value ms", "gradient ms", "grad/value", *PEERS, "compile s", "MB"]
    rows = [head]
    for r in results:
        cells = [r["name"], f"{1e3 * r['value']:.4g}", f"{1e3 * r['gradient']:.4g}"]
        cells.append(f"{r['gradient'] / r['value']:.2f}")
        cells += [_ratio(r, peer) for peer in PEERS]
        cells += [f"{r['compile']:.1f}", f"{r['memory']:.0f}"]
        rows.append(cells)
    widths = [max(len(row[k]) for row in rows) for k in range(len(head))]
    lines = [_line(row, widths) for row in rows]
    lines.insert(1, "  ".join("-" * w for w in widths))
    notes = [f"{r['name']}: {n}: {text}" for r in results for n, text in r["failures"].items()]
    return "\n".join([*lines, *notes])


def markdown(results: Sequence[dict[str, Any]]) -> str:
    """The ratios alone: times move with the machine, ratios hardly."""
    head = ["problem", "gradient / value", *PEERS]
    rows = [
        [r["name"], f"{r['gradient'] / r['value']:.2f}", *(_ratio(r, peer) for peer in PEERS)]
        for r in results
    ]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [row[0].ljust(widths[0])]
    cells += [cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True)]
    return "  ".join(cells)


def _ratio(result: dict[str, Any], peer: str) -> str:
    if peer in result["ratios"]:
        mark = "!" if peer in result["failures"] else ""
        return f"{result['ratios'][peer]:.3g}{mark}"
    return "failed" if peer in result["failures"] else ""


def chart(results: Sequence[dict[str, Any]], path: Path) -> None:
    """Bars of each peer's time over ours, on a logarithmic axis."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    found = [p for p in PEERS if any(p in r["ratios"] for r in results)]
    height = 0.8 / max(1, len(found))
    figure, axes = plt.subplots(figsize=(8, 1 + 0.5 * len(results)))
    for k, peer in enumerate(found):
        places = [i + k * height for i, r in enumerate(results) if peer in r["ratios"]]
        widths = [r["ratios"][peer] for r in results if peer in r["ratios"]]
        axes.barh(places, widths, height, label=peer)
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_xlabel("time over ours, value and gradient")
    axes.set_yticks([i + 0.4 for i in range(len(results))], [r["name"] for r in results])
    axes.invert_yaxis()
    axes.legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)

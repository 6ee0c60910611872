"""The benchmark: every problem in a process of its own, one table.

    python -m tests.benchmarks [--only NAME ...] [--json FILE] [--chart FILE] [--markdown FILE]

Peers that are not installed are left out; `pip install -e ".[bench]"` brings them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import tests.benchmarks.problems  # noqa: F401  (fills PROBLEMS)
from tests.benchmarks.problem import PROBLEMS
from tests.benchmarks.report import chart, markdown, table


def measured(name: str) -> dict[str, Any]:
    """The times of one problem, taken in a fresh process."""
    command = [sys.executable, "-m", "tests.benchmarks.measuring", name]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{name}:\n{done.stderr}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], help="parts of the names of problems")
    parser.add_argument("--json", type=Path, help="write the times here")
    parser.add_argument("--chart", type=Path, help="draw the ratios to the peers here (SVG, PNG)")
    parser.add_argument("--markdown", type=Path, help="write the ratios here, as a table")
    chosen = parser.parse_args()
    names = [n for n in PROBLEMS if not chosen.only or any(part in n for part in chosen.only)]
    results = []
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        results.append(measured(name))
    print(table(results))
    if chosen.json:
        chosen.json.write_text(json.dumps(results, indent=1) + "\n")
    if chosen.markdown:
        chosen.markdown.write_text(markdown(results))
    if chosen.chart:
        chart(results, chosen.chart)


if __name__ == "__main__":
    main()

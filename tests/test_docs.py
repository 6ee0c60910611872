"""What the documents show is what the package prints."""

import re
from pathlib import Path

import numpy as np
import pytest

import adcompile as ad

_ROOT = Path(__file__).resolve().parents[1]
_WALKTHROUGH = _ROOT / "docs" / "walkthrough.md"


def energy(k, x):
    total = 0.0
    for i in range(len(x)):
        total += k * x[i] ** 2
    return total


def _shown():
    gradient = ad.grad(energy, (0, 1))
    types = "f8, f8[::1]"
    return {
        "graph": str(ad.jit(energy).graph(types)),
        "derivative-graph": str(gradient.graph(types)),
        "source": gradient.source(types),
        "compiled": gradient.source(types, stage="compiled"),
        "explain": _as_in_the_page(str(gradient.explain(types))),
        "result": repr(gradient(2.0, np.array([1.0, 3.0]))),
    }


def _as_in_the_page(report):
    """The lines of `energy` counted as they are in the page's first block."""
    first = _WALKTHROUGH.read_text().split("```python\n")[1].split("\n").index("def energy(k, x):")
    shift = energy.__code__.co_firstlineno - first - 1
    return re.sub(r"line (\d+)", lambda m: f"line {int(m[1]) - shift}", report)


def test_walkthrough(renew):
    text = _WALKTHROUGH.read_text()
    for name, printed in _shown().items():
        block = f"```{name}\n{printed.rstrip()}\n```"
        pattern = re.compile(rf"```{name}\n.*?```", re.DOTALL)
        if renew:
            text = pattern.sub(lambda _, block=block: block, text)
        assert block in text, f"the block `{name}` is not what is printed: run with --renew"
    if renew:
        _WALKTHROUGH.write_text(text)


def test_readme_example(tmp_path, monkeypatch):
    blocks = re.findall(r"```python\n(.*?)```", (_ROOT / "README.md").read_text(), re.DOTALL)
    file = tmp_path / "example.py"
    file.write_text(blocks[0])
    space = {"__name__": "example"}
    exec(compile(blocks[0], str(file), "exec"), space)
    assert space["gradient"](3.0, 2.0, 1.0) == (2.0, 3.0, 1.0, 1.0, 1.0)
    assert space["gradient"].source("f8, f8, f8").strip() == blocks[1].strip()


def test_sparse_example(tmp_path, capsys):
    page = (_ROOT / "docs" / "sparse.md").read_text()
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    file = tmp_path / "sparse_example.py"
    file.write_text(block)
    exec(compile(block, str(file), "exec"), {"__name__": "sparse_example"})
    assert f"```output\n{capsys.readouterr().out}```" in page


def test_debugging_page(tmp_path, monkeypatch):
    file = tmp_path / "roots.py"
    file.write_text("import numpy as np\n\ndef roots(x):\n    return np.sum(np.sqrt(x) * 3.0)\n")
    monkeypatch.syspath_prepend(tmp_path)
    import roots

    with pytest.raises(ad.NonFinite) as caught:
        ad.debug(ad.grad(roots.roots))(np.array([1.0, 0.0]))
    shown = str(caught.value).replace(f"{tmp_path}/", "")
    assert shown in (_ROOT / "docs" / "debugging.md").read_text()


def test_links_lead_somewhere():
    for page in [_ROOT / "README.md", *(_ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("example", sorted((_ROOT / "examples").glob("*.py")), ids=lambda p: p.stem)
def test_examples_run(example, capsys):
    import runpy

    pytest.importorskip("sklearn")
    runpy.run_path(str(example), run_name="__main__")
    printed = capsys.readouterr().out
    for share in re.findall(r"test(?: accuracy)? ([\d.]+)%", printed):
        assert float(share) > 80
    assert printed

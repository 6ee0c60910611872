"""The folders depend on each other one way, and Numba is imported by one folder alone."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

_PACKAGE = Path(__file__).resolve().parents[1] / "adcompile"
_STAGES = {"parse", "differentiate", "optimize", "schedule", "emit"}
_MAY_IMPORT = {
    "errors": set(),
    "syntax": set(),
    "graph": {"errors"},
    "ops": {"errors", "graph"},
    **{stage: {"errors", "graph", "ops", "syntax"} for stage in _STAGES},
    "execute": {"errors", "syntax"},
    "sparsity": {"errors", "graph"},
    "pass_order": {"errors", "graph", "optimize"},
    "pipeline": {"errors", "graph", "ops", "pass_order", *_STAGES},
    "explain": {"emit", "graph"},
    "calls": {"arguments", "generated", "graph"},
    "generated": {"syntax"},
    "direct": {
        "arguments",
        "errors",
        "execute",
        "generated",
        "graph",
        "pass_order",
        "pipeline",
    },
    "dispatched": {
        "arguments",
        "calls",
        "errors",
        "execute",
        "generated",
        "graph",
        "pass_order",
        "pipeline",
    },
    "function": {
        "arguments",
        "direct",
        "dispatched",
        "generated",
        "errors",
        "explain",
        "graph",
        "pass_order",
        "pipeline",
        "execute",
        "transformation",
    },
    "transformation": set(),
    "compose": {"errors", "graph", "ops"},
    "transforms": {"errors", "graph", "compose", "differentiate"},
    "jacobians": {"errors", "graph", "compose", "differentiate", "transforms"},
    "sparse": {
        "arguments",
        "compose",
        "errors",
        "graph",
        "pipeline",
        "jacobians",
        "function",
        "sparsity",
        "transformation",
    },
    "check": {"errors", "given", "graph", "api"},
    "custom": {"errors", "given", "graph", "ops", "parse", "pipeline"},
    "arguments": {"errors", "graph"},
    "debug": {"api", "function", "given", "graph"},
    "given": {"errors", "graph", "ops", "pipeline"},
    "api": {
        "given",
        "errors",
        "graph",
        "ops",
        "pipeline",
        "transforms",
        "jacobians",
        "function",
        "sparse",
        "transformation",
    },
    "nn": {"api", "errors", "ops"},
    "optim": {"api", "errors", "execute"},
    "train": {"api", "nn", "optim", "errors", "execute"},
    "cli": {"train", "errors"},
}
_FILES = sorted(_PACKAGE.rglob("*.py"))


def _part(path):
    return path.relative_to(_PACKAGE).parts[0].removesuffix(".py")


def _imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            if node.module == "adcompile":
                yield from ((f"adcompile.{alias.name}", node) for alias in node.names)
            else:
                yield node.module, node


@pytest.mark.parametrize("path", _FILES, ids=lambda p: str(p.relative_to(_PACKAGE)))
def test_imports_point_one_way(path):
    part = _part(path)
    if part in ("__init__", "__main__"):
        return
    for name, _ in _imports(path):
        if name.split(".")[0] == "adcompile" and name != "adcompile":
            target = name.split(".")[1]
            if target != part:
                assert target in _MAY_IMPORT[part], f"{path.name} imports {name}"
        if name.split(".")[0] in ("numba", "llvmlite"):
            assert part == "execute", f"{path.name} imports {name}"


def test_one_module_imports_the_compiler_for_the_device():
    found = [
        path.name
        for path in _FILES
        for name, node in _imports(path)
        if name.startswith("numba.cuda")
        or (name == "numba" and any(alias.name == "cuda" for alias in node.names))
    ]
    assert found == ["toolkit.py"]


@pytest.mark.parametrize("path", _FILES, ids=lambda p: str(p.relative_to(_PACKAGE)))
def test_files_and_functions_fit_one_sitting(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 500, "the parts of this file want names"
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "a module says what enters and what leaves"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno <= 70, f"{node.name} is long"


def test_printing_a_source_does_not_import_numba(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\nimport adcompile as ad\n"
        "def f(x):\n    return x * x\n"
        "print(ad.grad(f).source('f8'))\n"
        "g = ad.grad(f, target='python')\nassert g(3.0) == 6.0\n"
        "print(ad.grad(f).graph('f8'))\n"
        "assert 'numba' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "2.0 * x" in done.stdout

"""All that wants a GPU, in one run: the tests on the device, a look for races, then the timings.

    python tests/cuda/run_on_gpu.py [--quick] [--jobs N] [--output FOLDER]

Needs the extras `cuda` and `test`; peers (PyTorch, JAX, cuBLAS through nvmath-python) are timed where they are
installed. Prints what it does, writes `gpu.md` and `gpu.json`, and exits with 1 if a test failed.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_TESTS = "tests/cuda/simulated"
_MORE = [
    f"tests/cuda/test_{name}.py" for name in ("on_gpu", "training_on_gpu", "code", "tiled_code")
]
_LAZY = "XLA_PYTHON_CLIENT_PREALLOCATE"  # JAX takes most of the memory otherwise
_PLUGINS = ("-p", "no:cacheprovider", "-p", "no:benchmark")
_SMALL = "scatters or columns or softmax or memory_of_its_own or edge"  # what a sanitizer runs


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller timings, no sanitizer")
    parser.add_argument("--jobs", type=int, default=1, help="processes that run the tests")
    parser.add_argument("--output", type=Path, default=Path("."), help="folder for the tables")
    options = parser.parse_args()
    os.chdir(_ROOT)
    sys.path.insert(0, str(_ROOT))
    from adcompile.errors import DeviceError

    try:
        _device()
    except DeviceError as error:
        print(error, file=sys.stderr)
        return 1
    together = ["-n", str(options.jobs)] if options.jobs > 1 else []
    failed = [] if _run(*_pytest(*together, _TESTS, *_MORE)) else ["tests"]
    if not options.quick:
        failed += _sanitized()
    os.environ[_LAZY] = "false"
    from tests.cuda.timings import rows, table

    found = rows("quick" if options.quick else "full")
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "gpu.json").write_text(json.dumps(found, indent=1))
    (options.output / "gpu.md").write_text(table(found))
    print(table(found))
    print(f"failed: {', '.join(failed)}" if failed else "all tests passed")
    return 1 if failed else 0


def _device():
    from adcompile.execute.cuda import explained
    from adcompile.execute.tiled import products_by
    from adcompile.execute.toolkit import cuda

    with explained():
        device = cuda.get_current_device()
        name = device.name.decode() if isinstance(device.name, bytes) else device.name
    print(f"{name}, compute capability {device.compute_capability}, Python "
          f"{platform.python_version()}; products by {products_by()}", flush=True)  # fmt: skip


def _pytest(*words):
    return [sys.executable, "-m", "pytest", "-q", *_PLUGINS, *words]


def _run(*command):
    print("+", " ".join(command), flush=True)
    environment = {**os.environ, "ADCOMPILE_TEST_ON_GPU": "1"}
    return subprocess.run(command, env=environment).returncode == 0


def _sanitized():
    """The names of the checks that found something."""
    tool = shutil.which("compute-sanitizer")
    if tool is None:
        print("compute-sanitizer is not installed: no look for races and wrong addresses")
        return []
    small = _pytest(f"{_TESTS}/test_kernels.py", f"{_TESTS}/test_tiled.py", "-k", _SMALL)
    return [
        check
        for check in ("memcheck", "racecheck")
        if not _run(tool, "--tool", check, "--error-exitcode", "9", *small)
    ]


if __name__ == "__main__":
    sys.exit(main())

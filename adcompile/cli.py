"""The `adcompile` command: train the example models, print derivatives, draw graphs.

Enters: the words of a command line. Leaves: text, files, and an exit status (0; 1 for an error of
the user's, with its message and without a traceback; 2 for a wrong command line).
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import adcompile as ad
from adcompile.errors import AdcompileError

_DERIVATIVES = ("grad", "value_and_grad", "jit")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command."""
    options = _parser().parse_args(argv)
    try:
        run: Any = options.run
        run(options)
    except AdcompileError as error:
        print(f"adcompile: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("adcompile: stopped", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="adcompile",
        description="Derivatives of Python functions as readable Python.",
    )
    parser.add_argument("--version", action="version", version=ad.__version__)
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_train(commands)
    source = commands.add_parser("source", help="print the derivative of a function")
    _add_function(source)
    source.add_argument(
        "--stage", choices=("derivative", "compiled"), default="derivative",
        help="for people, or the loops that the compiler sees",
    )  # fmt: skip
    source.set_defaults(run=_source)
    graph = commands.add_parser("graph", help="draw the graph of a function or its derivative")
    _add_function(graph)
    graph.add_argument("-o", "--output", help="a file: .svg, .dot or .txt (default: text)")
    graph.set_defaults(run=_graph)
    return parser


def _add_function(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("function", metavar="FILE.py:FUNCTION")
    parser.add_argument(
        "--args", required=True, metavar="TYPES", help='argument types, such as "f8[:, :], f8[:]"'
    )
    parser.add_argument("--transform", choices=_DERIVATIVES, default="grad")
    parser.add_argument("--argnums", help="positions to differentiate, such as 0,1")
    parser.add_argument("--wrt", help="names to differentiate instead, such as w,b,u")


def _add_train(commands: Any) -> None:
    parser = commands.add_parser("train", help="train an example model")
    parser.add_argument("model", choices=("adaline", "mlp"))
    parser.add_argument(
        "--data", choices=("iris", "digits", "mnist5k", "mnist"),
        help="default: iris for adaline, digits for mlp (both come with scikit-learn)",
    )  # fmt: skip
    parser.add_argument("--data-file", metavar="NPZ", help="arrays to use instead of a download")
    parser.add_argument("--epochs", type=_positive, default=20)
    parser.add_argument("--batch-size", type=_positive, default=10)
    parser.add_argument("--lr", type=float, help="learning rate (0.01 for adaline, 0.1 for mlp)")
    parser.add_argument("--momentum", type=float, default=0.0)
    parser.add_argument("--weight-decay", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--hidden", type=_sizes, default=(100,), metavar="N,N,...",
        help="units of the hidden layers of mlp",
    )  # fmt: skip
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--target", choices=("cpu", "cuda", "python"), default="cpu")
    parser.add_argument("--plot", metavar="PNG", help="save the loss curve")
    parser.add_argument("--checkpoint", metavar="NPZ", help="write progress after each epoch")
    parser.add_argument("--resume", metavar="NPZ", help="go on from a checkpoint")
    parser.set_defaults(run=_train)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(_positive(part) for part in text.split(","))


# -- training ------------------------------------------------------------------------------------


def _train(options: argparse.Namespace) -> None:
    import numpy as np

    from adcompile.train import checkpoint, data, loop, models, report

    adaline = options.model == "adaline"
    model = models.ADALINE if adaline else models.MLP
    name = options.data or ("iris" if adaline else "digits")
    samples = data.load(name, options.seed, options.dtype, options.data_file)
    if adaline:
        samples = data.last_two_classes(samples)
    hidden = () if adaline else options.hidden
    sizes = (samples.x_train.shape[1], *hidden, 1 if adaline else samples.classes)
    settings = loop.Settings(
        options.epochs, options.batch_size,
        options.lr if options.lr is not None else (0.01 if adaline else 0.1),
        options.momentum, options.weight_decay, options.seed, options.target,
    )  # fmt: skip
    setup = {
        "model": model.name, "data": name, "sizes": list(sizes), "dtype": options.dtype,
        "seed": options.seed,
    }  # fmt: skip
    if options.resume:
        progress = checkpoint.load(options.resume, setup)
    else:
        generator = np.random.default_rng(options.seed)
        progress = loop.start(model.initial(sizes, generator, options.dtype))
    show = report.progress_bar(settings.epochs, len(progress.losses))

    def after_epoch(state: loop.Progress) -> None:
        show(state)
        if options.checkpoint:
            checkpoint.save(options.checkpoint, state, setup)

    loop.train(model, samples, settings, progress, after_epoch, tell=print)
    share = loop.accuracy(model, options.target)
    for part, x, y in (
        ("train", samples.x_train, samples.y_train), ("test", samples.x_test, samples.y_test),
    ):  # fmt: skip
        print(f"{part} accuracy {float(share(progress.layers, x, y)):.2%}")
    if options.plot:
        report.loss_curve(progress.losses, options.plot, f"{model.name} on {name}")
        print(f"loss curve in {options.plot}")


# -- sources and graphs --------------------------------------------------------------------------


def _transformed(options: argparse.Namespace) -> Any:
    function = _function(options.function)
    if options.transform == "jit":
        return ad.jit(function)
    transform = getattr(ad, options.transform)
    if options.wrt:
        names = tuple(options.wrt.split(","))
        return transform(function, wrt=names if len(names) > 1 else names[0])
    if options.argnums:
        numbers = tuple(int(n) for n in options.argnums.split(","))
        return transform(function, numbers if len(numbers) > 1 else numbers[0])
    return transform(function)


def _function(text: str) -> Any:
    path, _, name = text.rpartition(":")
    if not path or not name:
        raise AdcompileError(f"`{text}` names no function", hint="FILE.py:FUNCTION")
    file = Path(path)
    if not file.is_file():
        raise AdcompileError(f"there is no file `{path}`")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise AdcompileError(f"`{path}` is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    sys.path.insert(0, str(file.parent.resolve()))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise AdcompileError(f"`{path}` cannot be run: {type(error).__name__}: {error}") from error
    if not hasattr(module, name):
        raise AdcompileError(f"`{path}` has no function `{name}`")
    return getattr(module, name)


def _source(options: argparse.Namespace) -> None:
    print(_transformed(options).source(options.args, stage=options.stage), end="")


def _graph(options: argparse.Namespace) -> None:
    view = _transformed(options).graph(options.args)
    if not options.output:
        print(view)
        return
    forms = {".svg": view.to_svg, ".dot": view.to_dot, ".txt": lambda: str(view)}
    form = forms.get(Path(options.output).suffix)
    if form is None:
        raise AdcompileError(
            f"`{options.output}` has no known ending", hint=f"one of {', '.join(forms)}"
        )
    Path(options.output).write_text(form(), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

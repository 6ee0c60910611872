"""What a training run shows: a progress bar, and the loss curve as a picture.

Enters: losses. Leaves: text on the terminal, a PNG file.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from adcompile.errors import AdcompileError
from adcompile.train.loop import Progress


def progress_bar(epochs: int, done: int) -> Callable[[Progress], None]:
    """A function to call after each epoch; a bar on a terminal, a line per epoch elsewhere."""
    if not sys.stderr.isatty():
        return lambda progress: print(
            f"epoch {len(progress.losses):>3}  loss {progress.losses[-1]:.5f}", flush=True
        )
    try:
        from tqdm import tqdm
    except ImportError:
        return lambda progress: print(
            f"\repoch {len(progress.losses)}/{epochs}  loss {progress.losses[-1]:.5f}",
            end="\n" if len(progress.losses) == epochs else "",
            file=sys.stderr,
        )
    bar = tqdm(total=epochs, initial=done, unit="epoch")

    def update(progress: Progress) -> None:
        bar.set_postfix(loss=f"{progress.losses[-1]:.5f}")
        bar.update()
        if len(progress.losses) == epochs:
            bar.close()

    return update


def loss_curve(losses: Sequence[float], path: str | Path, title: str) -> None:
    """Save the loss of each epoch as a PNG; raises AdcompileError without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise AdcompileError(
            "the loss curve needs matplotlib", hint='pip install "adcompile[examples]"'
        ) from None
    figure = Figure(figsize=(6, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot(range(1, len(losses) + 1), losses)
    axes.set(xlabel="epoch", ylabel="training loss", title=title)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)

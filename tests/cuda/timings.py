"""Times on a GPU, by events of the device: medians, in milliseconds, beside what others take.

Calls are timed several in a row: what the host does for one is hidden behind the one before, unless
it takes longer than the device.

Every row names what was computed, what did it, the time, and the part of a bound that is reached
where there is one: the copy bandwidth of this device, measured here, or another library's time.
"""

import importlib.util
import itertools
import statistics

import numpy as np
from numba import cuda

import adcompile as ad
from adcompile import nn
from adcompile.execute.capture import Captured
from adcompile.execute.tiled import by_tiles
from adcompile.execute.toolkit import SIMULATED
from adcompile.optim import sgd_update

REPEATS = 15
IN_A_ROW = 20
ELEMENTS = {"full": 10**8, "quick": 10**7, "tiny": 20}
EXTENTS = {"full": (1024, 4096), "quick": (256, 1024), "tiny": (5,)}
LAYERS = {"full": (784, 128, 256, 10), "quick": (784, 128, 256, 10), "tiny": (4, 3, 2)}
BATCH = {"full": 256, "quick": 256, "tiny": 2}


def rows(size="full"):
    """All measurements; "quick" for sizes that a small GPU holds, "tiny" for the simulator."""
    return [*chain(size), *products(size), *greeks(size), *network(size)]


def table(found):
    """The measurements as a table in Markdown."""
    lines = ["| what | by | ms | of the bound |", "|---|---|---|---|"]
    for row in found:
        part = f"{row['part']:.0%} of {row['bound']}" if row.get("bound") else ""
        lines.append(f"| {row['what']} | {row['by']} | {row['ms']:.4g} | {part} |")
    return "\n".join(lines) + "\n"


def median(call):
    """Milliseconds of a call, by events around some in a row, after a warm-up."""
    return _median(call, cuda.event, cuda.synchronize)


def _median(call, event, synchronize):
    for _ in range(3):
        call()
    synchronize()
    times = []
    for _ in range(REPEATS):
        start, end = event(), event()
        start.record()
        for _ in range(IN_A_ROW):
            call()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) / IN_A_ROW)
    return statistics.median(times)


def _captured(function, arguments):
    return Captured(function, arguments, required=not SIMULATED)


def _row(what, by, ms, bound=None, least=None):
    return {
        "what": what,
        "by": by,
        "ms": ms,
        "bound": bound,
        "part": least and least / max(ms, 1e-9),
    }


def _device(*shape, scale=1.0, seed=0):
    drawn = np.random.default_rng(seed).standard_normal(shape, np.float32) * np.float32(scale)
    return cuda.to_device(drawn)


# -- a chain of elements ---------------------------------------------------------------------------


def chain_loss(x, y, z):
    return np.sum(np.tanh(x * y + z) ** 2)


def chain(size):
    n = ELEMENTS[size]
    x, y, z = (_device(n, seed=k) for k in range(3))
    out = cuda.device_array_like(x)
    copy = median(lambda: out.copy_to_device(x))
    per_byte = copy / (8 * n)  # a copy reads and writes
    value = _captured(ad.jit(chain_loss, target="cuda"), (x, y, z))
    both = _captured(ad.value_and_grad(chain_loss, (0, 1, 2), target="cuda"), (x, y, z))
    what = f"sum(tanh(x * y + z)**2), {n:.0e} float32"
    return [
        _row("copy of the same array", "the driver", copy),
        _row(what, "adcompile", median(value.replay), "copy bandwidth", 12 * n * per_byte),
        _row(f"{what}, three gradients", "adcompile", median(both.replay), "copy bandwidth",
             24 * n * per_byte),
    ]  # fmt: skip


# -- products --------------------------------------------------------------------------------------


def products(size):
    found = []
    for n in EXTENTS[size]:
        a, b, out = _device(n, n), _device(n, n, seed=1), cuda.device_array((n, n), np.float32)
        best = _cublas(a, b, out, n)
        found += best
        own = median(lambda: by_tiles(out, a, b, 0))
        bound = ("cuBLAS", best[0]["ms"]) if best else (None, None)
        found.append(_row(f"product of {n} x {n}, float32", "our kernel", own, *bound))
    return found


def _cublas(a, b, out, n):
    """The time of cuBLAS without tensor cores, where PyTorch brings it."""
    if (torch := _torch()) is None:
        return []
    torch.backends.cuda.matmul.allow_tf32 = False
    first, second, result = (torch.as_tensor(x, device="cuda") for x in (a, b, out))
    ms = _torch_median(lambda: torch.matmul(first, second, out=result))
    return [_row(f"product of {n} x {n}, float32", "cuBLAS (PyTorch, no tensor cores)", ms)]


# -- Monte Carlo -----------------------------------------------------------------------------------


def price(spot, volatility, rate, normals):
    drift = rate - 0.5 * volatility**2
    final = spot * np.exp(drift + volatility * normals)
    return np.exp(-rate) * np.mean(np.maximum(final - 100.0, 0.0))


def greeks(size):
    n = ELEMENTS[size]
    normals = _device(n)
    run = _captured(ad.value_and_grad(price, (0, 1, 2), target="cuda"), (100.0, 0.2, 0.05, normals))
    what = f"Black-Scholes price and three Greeks, {n:.0e} paths"
    return [_row(what, "adcompile", median(run.replay))]


# -- a network -------------------------------------------------------------------------------------


def _network_loss(layers, x, labels):
    for w, b in layers[:-1]:
        x = nn.relu(nn.linear(x, w, b))
    w, b = layers[-1]
    return nn.cross_entropy(nn.linear(x, w, b), labels)


_gradient = ad.value_and_grad(_network_loss, target="cuda")


def network_step(layers, velocities, x, labels):
    loss, gradients = _gradient(layers, x, labels)
    for (w, b), (w_bar, b_bar), (w_v, b_v) in zip(layers, gradients, velocities):  # noqa: B905
        sgd_update(w, w_bar, w_v, 0.1, 0.9, 0.0)
        sgd_update(b, b_bar, b_v, 0.1, 0.9, 0.0)
    return loss


def network(size):
    sizes, batch = LAYERS[size], BATCH[size]
    pairs = list(itertools.pairwise(sizes))
    layers = tuple((_device(n, m, scale=n**-0.5), _device(m, scale=0.0)) for n, m in pairs)
    velocities = tuple((_device(n, m, scale=0.0), _device(m, scale=0.0)) for n, m in pairs)
    x = _device(batch, sizes[0])
    labels = cuda.to_device(np.arange(batch) % sizes[-1])
    step = ad.jit(network_step, target="cuda", inplace=("layers", "velocities"))
    captured = _captured(step, (layers, velocities, x, labels))
    what = f"training step {'-'.join(map(str, sizes))}, batch {batch}"
    found = [
        _row(what, "adcompile, called",
             median(lambda: step(layers, velocities, x, labels))),
        _row(what, "adcompile, captured", median(captured.replay)),
    ]  # fmt: skip
    return [*found, *_torch_network(what, sizes, batch), *_jax_network(what, sizes, batch)]


def _torch():
    """PyTorch, None where it is not installed or sees no GPU."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    return torch if torch.cuda.is_available() else None


def _torch_median(call):
    import torch

    return _median(call, lambda: torch.cuda.Event(enable_timing=True), torch.cuda.synchronize)


def _torch_network(what, sizes, batch):
    if (torch := _torch()) is None:
        return []
    layers = []
    for n, m in itertools.pairwise(sizes):
        layers += [torch.nn.Linear(n, m), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1]).cuda()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    x = torch.randn(batch, sizes[0], device="cuda")
    labels = torch.arange(batch, device="cuda") % sizes[-1]

    def step():
        optimiser.zero_grad(set_to_none=False)
        torch.nn.functional.cross_entropy(model(x), labels).backward()
        optimiser.step()

    found = [_row(what, "PyTorch eager", _torch_median(step))]
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):  # a graph wants a warm-up beside the main stream
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    found.append(_row(what, "PyTorch, CUDA graph", _torch_median(graph.replay)))
    return found


def _jax_network(what, sizes, batch):
    if importlib.util.find_spec("jax") is None:
        return []
    import time

    import jax
    import jax.numpy as jnp

    if jax.default_backend() != "gpu":
        return []
    rng = np.random.default_rng(0)
    layers = [
        (jnp.asarray(rng.standard_normal((n, m), np.float32) * n**-0.5), jnp.zeros(m))
        for n, m in itertools.pairwise(sizes)
    ]
    x = jnp.asarray(rng.standard_normal((batch, sizes[0]), np.float32))
    labels = jnp.arange(batch) % sizes[-1]

    def loss(layers, x, labels):
        for w, b in layers[:-1]:
            x = jax.nn.relu(x @ w + b)
        w, b = layers[-1]
        return -jnp.mean(jax.nn.log_softmax(x @ w + b)[jnp.arange(batch), labels])

    @jax.jit
    def step(layers, velocities, x, labels):
        gradients = jax.grad(loss)(layers, x, labels)
        velocities = jax.tree.map(lambda v, g: 0.9 * v + g, velocities, gradients)
        return jax.tree.map(lambda p, v: p - 0.1 * v, layers, velocities), velocities

    state = layers, jax.tree.map(jnp.zeros_like, layers)
    for _ in range(3):
        state = step(*state, x, labels)
    jax.block_until_ready(state)
    times = []
    for _ in range(REPEATS):  # it has no events
        start = time.perf_counter()
        for _ in range(IN_A_ROW):
            state = step(*state, x, labels)
        jax.block_until_ready(state)
        times.append((time.perf_counter() - start) / IN_A_ROW * 1e3)
    return [_row(what, "JAX (jit)", statistics.median(times))]

"""A function or more for every NumPy spelling that has no operation record of its own.

Enters: nothing. Leaves: `SPELLED`, of (what is spelled, arguments, function, smooth); the functions
run under NumPy as they are, and compiled. `smooth` is false where nothing has a derivative.
"""

import numpy as np

SPELLED = []
I4, J = np.array([2, 0, 3, 1]), np.array([[1, 0, 2], [0, 0, 1]])
HOLES = np.array([1.5, np.nan, -0.3, 2.2, np.nan])
HOLED = np.array([[1.0, np.nan, 2.0, 0.4], [0.5, 0.25, np.nan, np.nan], [3.0, -1.0, 2.5, 0.1]])
COUNTS = np.array([2, 0, 1, 3])
BINS = np.array([-1.0, -0.2, 0.4, 1.5])
LIMITS = np.array([1.0, np.inf, -np.inf, np.nan])
INTS, MORE = np.array([12, 7, 9, 4]), np.array([5, 3, 6, 2])


def _draw(*shapes, low=-2.0, high=2.0):
    """Arguments drawn anew for each case, no two elements equal."""

    def arguments(rng):
        drawn = [rng.uniform(low, high, s) for s in shapes]
        return [d if d.shape else d.item() for d in drawn]

    return arguments


def smooth(name, arguments, *functions):
    """Cases that have a derivative; `name` as in `diff` of NumPy or `.sort` of arrays."""
    for function in functions:
        SPELLED.append((name, arguments, function, True))


def flat(name, arguments, *functions):
    """Cases whose derivative is zero, or that give no floats."""
    for function in functions:
        SPELLED.append((name, arguments, function, False))


S, V, V6, M, T = _draw(()), _draw(4), _draw(6), _draw((3, 4)), _draw((2, 3, 4))
VV, MM, VS = _draw(4, 4), _draw((3, 4), (3, 4)), _draw(4, ())
POSITIVE = _draw((3, 4), low=0.3)
UNIT = _draw((), low=0.1, high=0.8)

# -- numbers -------------------------------------------------------------------------------------

smooth("fmax", MM, lambda x, y: np.fmax(x, y), lambda x, y: np.fmax(x[0], HOLED[0]) * y[1])
smooth("fmin", MM, lambda x, y: np.fmin(x, y), lambda x, y: np.fmin(HOLED[0], x[0]) * y[1])
smooth("float_power", _draw((3, 4), 4, low=0.3), lambda x, y: np.float_power(x, y))
smooth("positive", M, lambda x: np.positive(x) * x)
smooth("deg2rad", M, lambda x: np.deg2rad(x))
smooth("radians", M, lambda x: np.radians(x))
smooth("degrees", M, lambda x: np.degrees(x))
smooth("real", MM, lambda x, y: np.real((x + 1j * y) * x))
smooth("imag", MM, lambda x, y: np.imag((x + 1j * y) * x))
flat("iscomplexobj", M, lambda x: np.iscomplexobj(x), lambda x: np.iscomplexobj(1j * x))
flat("isrealobj", M, lambda x: np.isrealobj(x), lambda x: np.isrealobj(1j * x))
smooth("rad2deg", S, lambda x: np.rad2deg(x))
smooth("fabs", M, lambda x: np.fabs(x))
smooth("heaviside", MM, lambda x, y: np.heaviside(x - x[0], y))
smooth("divmod", _draw(4, 4, low=0.5), lambda x, y: np.divmod(x, y)[1])
smooth("modf", M, lambda x: np.modf(x)[0])
smooth("clip", M, lambda x: np.clip(x, -0.5, 1.0), lambda x: np.clip(x, x[0] - 1, None))
smooth("nan_to_num", M, lambda x: np.nan_to_num(x * x), lambda x: np.nan_to_num(HOLED + x, nan=2.0))
flat("fix", M, lambda x: np.fix(x))
flat("round", M, lambda x: np.round(x), lambda x: np.round(x, 2), lambda x: np.round(10 * x, -1))
flat("isclose", MM, lambda x, y: np.isclose(x, x + 1e-9), lambda x, y: np.isclose(x, y))
flat("isclose", M, lambda x: np.isclose(HOLED + x, HOLED + x, equal_nan=True))
flat("allclose", MM, lambda x, y: np.allclose(x, x + 1e-9), lambda x, y: np.allclose(x, y))
flat("array_equal", MM, lambda x, y: np.array_equal(x, x), lambda x, y: np.array_equal(x, y))
flat("array_equal", VV, lambda x, y: np.array_equal(x, y[1:]))
flat("isposinf", V, lambda x: np.isposinf(x * LIMITS))
flat("isneginf", V, lambda x: np.isneginf(x * LIMITS))
flat("isscalar", S, lambda x: np.isscalar(x))
flat("bitwise_and", V, lambda x: np.bitwise_and(INTS, MORE), lambda x: INTS & MORE)
flat("bitwise_or", V, lambda x: np.bitwise_or(x > 0, x < 1), lambda x: INTS | 3)
flat("bitwise_xor", V, lambda x: np.bitwise_xor(INTS, MORE), lambda x: (x > 0) ^ (x > 1))
flat("invert", V, lambda x: np.invert(INTS), lambda x: ~(x > 0))
flat("left_shift", V, lambda x: np.left_shift(INTS, MORE), lambda x: INTS << 2)
flat("right_shift", V, lambda x: np.right_shift(INTS, 1), lambda x: INTS >> 2)
smooth("ldexp", V, lambda x: np.ldexp(x, MORE), lambda x: np.ldexp(x, -2))
flat("gcd", V, lambda x: np.gcd(INTS, MORE))
flat("lcm", V, lambda x: np.lcm(INTS, MORE))

# -- folding -------------------------------------------------------------------------------------

smooth("amax", T, lambda x: np.amax(x, axis=1))
smooth("amin", T, lambda x: np.amin(x))
smooth("var", T, lambda x: np.var(x, axis=1), lambda x: np.var(x, ddof=1))
smooth("std", T, lambda x: np.std(x, axis=(0, 2), keepdims=True))
smooth("ptp", T, lambda x: np.ptp(x, axis=1), lambda x: np.ptp(x))
smooth("prod", T, lambda x: np.prod(x, axis=1), lambda x: np.prod(x[0, 0]))
smooth("cumprod", T, lambda x: np.cumprod(x, axis=1), lambda x: np.cumprod(x[0]))
smooth("nansum", M, lambda x: np.nansum(HOLED + x, axis=0), lambda x: np.nansum(HOLED + x))
smooth("nanprod", M, lambda x: np.nanprod(HOLED + x, axis=1))
smooth("nanmax", M, lambda x: np.nanmax(HOLED + x, axis=0), lambda x: np.nanmax(x))
smooth("nanmin", M, lambda x: np.nanmin(HOLED + x, axis=1))
smooth("nanmean", M, lambda x: np.nanmean(HOLED + x, axis=1), lambda x: np.nanmean(HOLED + x))
smooth("nanvar", M, lambda x: np.nanvar(HOLED + x, axis=1), lambda x: np.nanvar(x, ddof=1))
smooth("nanstd", M, lambda x: np.nanstd(HOLED + x, axis=1))
smooth("nancumsum", M, lambda x: np.nancumsum(HOLED + x, axis=1))
smooth("nancumprod", M, lambda x: np.nancumprod(HOLED + x, axis=0))
smooth("nanmedian", M, lambda x: np.nanmedian(HOLED + x), lambda x: np.nanmedian(HOLED + x, axis=1))
smooth("nanpercentile", M, lambda x: np.nanpercentile(HOLED + x, 30.0, axis=1))
smooth("nanquantile", M, lambda x: np.nanquantile(HOLED + x, 0.3),
       lambda x: np.nanquantile(HOLED + x, np.array([0.3, 0.6])))  # fmt: skip
smooth("median", T, lambda x: np.median(x), lambda x: np.median(x, axis=1),
       lambda x: np.median(x, axis=2, keepdims=True))  # fmt: skip
smooth("percentile", M, lambda x: np.percentile(x, 30.0), lambda x: np.percentile(x, 80, axis=1))
smooth("quantile", M, lambda x: np.quantile(x, np.array([0.2, 0.7]), axis=1),
       lambda x: np.quantile(x, 0.3))  # fmt: skip
smooth("percentile", M, lambda x: np.percentile(x, np.array([20, 60])))
smooth("quantile", _draw((), low=0.35, high=0.38), lambda q: np.quantile(HOLED[2], q))
smooth("average", MM, lambda x, w: np.average(x, weights=w * w, axis=1), lambda x, w: np.average(x))
smooth("average", MM, lambda x, w: np.average(x, weights=w[0] * w[0], axis=1))
smooth("cov", MM, lambda x, y: np.cov(x), lambda x, y: np.cov(x, y, bias=True))
smooth("cov", MM, lambda x, y: np.cov(x[0], y[0]), lambda x, y: np.cov(x, rowvar=False, ddof=0))
smooth("corrcoef", MM, lambda x, y: np.corrcoef(x, y))
smooth("trace", M, lambda x: np.trace(x), lambda x: np.trace(x, 1))
flat("all", M, lambda x: np.all(x > -1, axis=0), lambda x: np.all(x > -3))
flat("any", M, lambda x: np.any(x > 1, axis=1, keepdims=True), lambda x: np.any(x > 3))
flat("count_nonzero", M, lambda x: np.count_nonzero(x > 0), lambda x: np.count_nonzero(x, axis=1))
flat("nanargmax", M, lambda x: np.nanargmax(HOLED, axis=1), lambda x: np.nanargmax(HOLED + x))
flat("nanargmin", M, lambda x: np.nanargmin(HOLED, axis=0))
flat("argmax", V, lambda x: np.argmax(INTS), lambda x: np.argmax(HOLED))
flat("argmin", V, lambda x: np.argmin(INTS), lambda x: np.argmin(HOLES))

# -- products ------------------------------------------------------------------------------------

smooth("dot", MM, lambda x, y: np.dot(x, y.T), lambda x, y: np.dot(x[0], y[1]))
smooth("vdot", MM, lambda x, y: np.vdot(x, y))
smooth("outer", MM, lambda x, y: np.outer(x, y[0]))
smooth("kron", MM, lambda x, y: np.kron(x, y), lambda x, y: np.kron(x[0], y[1]))
smooth("cross", _draw((2, 3), 3), lambda x, y: np.cross(x, y))
smooth("inner", MM, lambda x, y: np.inner(x, y))
smooth("tensordot", _draw((2, 3, 4), (4, 3)), lambda x, y: np.tensordot(x, y, ((2, 1), (0, 1))))
smooth("einsum", _draw((2, 3, 4), (4, 3)), lambda x, y: np.einsum("ijk,kj->ij", x, y))
smooth("linalg.norm", M, lambda x: np.linalg.norm(x), lambda x: np.linalg.norm(x, 1, axis=1))
smooth("linalg.eigvalsh", _draw((3, 3)), lambda x: np.linalg.eigvalsh(x + x.T))
smooth("linalg.lstsq", _draw((4, 2), 4), lambda x, y: np.linalg.lstsq(x, y)[0])
smooth("linalg.matrix_power", _draw((3, 3)), lambda x: np.linalg.matrix_power(x, 3))
smooth("linalg.multi_dot", _draw((2, 3), (3, 4), 4), lambda x, y, z: np.linalg.multi_dot((x, y, z)))
flat("linalg.matrix_rank", M, lambda x: np.linalg.matrix_rank(x))
smooth("linalg.cond", _draw((3, 3)), lambda x: np.linalg.cond(x), lambda x: np.linalg.cond(x, 1))

# -- samples -------------------------------------------------------------------------------------

smooth("convolve", _draw(5, 3), lambda x, y: np.convolve(x, y), lambda x, y: np.convolve(y, x),
       lambda x, y: np.convolve(x, y, "same"), lambda x, y: np.convolve(y, x, "valid"))  # fmt: skip
smooth("convolve", _draw(5, 4), lambda x, y: np.convolve(y, x, mode="same"))
smooth("correlate", _draw(5, 2), lambda x, y: np.correlate(x, y), lambda x, y: np.correlate(y, x),
       lambda x, y: np.correlate(x, y, "full"), lambda x, y: np.correlate(y, x, "full"),
       lambda x, y: np.correlate(x, y, "same"), lambda x, y: np.correlate(y, x, "same"))  # fmt: skip
smooth("correlate", _draw(3, 4), lambda x, y: np.correlate(x, y, "same"))
smooth("interp", _draw((), 4), lambda x, f: np.interp(x, BINS, f))
smooth("interp", _draw(5, 4, 4), lambda x, k, f: np.interp(x, np.cumsum(k * k) - 2, f),
       lambda x, k, f: np.interp(x, BINS, f, left=k[0], right=k[1]))  # fmt: skip
smooth("unwrap", _draw((3, 4), low=-9.0, high=9.0), lambda x: np.unwrap(x),
       lambda x: np.unwrap(x, axis=0), lambda x: np.unwrap(x, period=3.0))  # fmt: skip
smooth("trapezoid", MM, lambda x, y: np.trapezoid(x, dx=0.5), lambda x, y: np.trapezoid(x, y[0]),
       lambda x, y: np.trapezoid(x, y, axis=0))  # fmt: skip
smooth("diff", T, lambda x: np.diff(x), lambda x: np.diff(x, 2, axis=1),
       lambda x: np.diff(x[0], prepend=0.5, append=x[1, :, :1]))  # fmt: skip
smooth("ediff1d", M, lambda x: np.ediff1d(x), lambda x: np.ediff1d(x, 2.0, x[0]))
smooth("gradient", M, lambda x: np.gradient(x[0]), lambda x: np.gradient(x, 0.5)[0],
       lambda x: np.gradient(x, BINS, axis=1), lambda x: np.gradient(x)[1])  # fmt: skip
smooth("polyval", VS, lambda p, x: np.polyval(p, x), lambda p, x: np.polyval(p, p * x))
smooth("polyadd", _draw(4, 2), lambda x, y: np.polyadd(x, y), lambda x, y: np.polyadd(y, x))
smooth("polysub", _draw(4, 2), lambda x, y: np.polysub(y, x))
smooth("polyder", V, lambda x: np.polyder(x))
smooth("polyint", VS, lambda x, k: np.polyint(x, k=k))
smooth("vander", V, lambda x: np.vander(x), lambda x: np.vander(x, 3, increasing=True))
smooth("kaiser", _draw((), low=1.0, high=3.0), lambda b: np.kaiser(6, b) * b)
flat("bartlett", V, lambda x: np.bartlett(5), lambda x: np.bartlett(1))
flat("blackman", V, lambda x: np.blackman(5), lambda x: np.blackman(1))
flat("hamming", V, lambda x: np.hamming(5), lambda x: np.hamming(1))
flat("hanning", V, lambda x: np.hanning(5), lambda x: np.hanning(1))

# -- order, sets, bins ---------------------------------------------------------------------------

smooth("sort", T, lambda x: np.sort(x), lambda x: np.sort(x, axis=1), lambda x: np.sort(x, None))
smooth("partition", V, lambda x: np.partition(x, 1)[1])
smooth("unique", M, lambda x: np.unique(x), lambda x: np.unique(np.floor(x[0])) * x[0, 0])
smooth("union1d", VV, lambda x, y: np.union1d(x, y), lambda x, y: np.union1d(x, x))
smooth("intersect1d", VV, lambda x, y: np.intersect1d(x, np.append(y, x[1:3])))
smooth("setdiff1d", VV, lambda x, y: np.setdiff1d(x, np.append(y, x[1:3])))
smooth("setxor1d", VV, lambda x, y: np.setxor1d(x, np.append(y, x[1:3])))
smooth("bincount", V, lambda w: np.bincount(MORE, w), lambda w: np.bincount(MORE, w, 9))
smooth("histogram", VV, lambda x, w: np.histogram(BINS, 3, (-2.0, 2.0), weights=w)[0])
smooth("histogram", V6, lambda x: np.histogram(x, 4)[1])
smooth("trim_zeros", V, lambda x: np.trim_zeros(np.concatenate((np.zeros(2), x, np.zeros(1)))),
       lambda x: np.trim_zeros(np.concatenate((np.zeros(2), x, np.zeros(1))), "b"))  # fmt: skip
flat("argsort", T, lambda x: np.argsort(x), lambda x: np.argsort(x, 0), lambda x: np.argsort(INTS))
flat(
    "argsort",
    M,
    lambda x: np.argsort(HOLED, axis=1),
    lambda x: np.argsort(np.floor(x), None, kind="stable"),
)
flat("argpartition", V, lambda x: np.sort(np.argpartition(x, 1)))
flat("isin", VV, lambda x, y: np.isin(x, np.append(y, x[:2])), lambda x, y: np.isin(INTS, 7))
flat(
    "searchsorted", T, lambda x: np.searchsorted(BINS, x), lambda x: np.searchsorted(BINS, x[0, 0])
)
flat(
    "searchsorted",
    S,
    lambda x: np.searchsorted(BINS, x),
    lambda x: np.searchsorted(BINS, 0.4, "right"),
)
flat(
    "digitize", M, lambda x: np.digitize(x, BINS), lambda x: np.digitize(x, BINS[::-1], right=True)
)
flat("bincount", V, lambda x: np.bincount(MORE), lambda x: np.bincount(MORE, minlength=8))
flat("histogram", V6, lambda x: np.histogram(x, 4)[0], lambda x: np.histogram(x, BINS)[0])

# -- choosing ------------------------------------------------------------------------------------

smooth("take", T, lambda x: np.take(x, J), lambda x: np.take(x, J, axis=1), lambda x: np.take(x, 5),
       lambda x: np.take(x, -1, axis=2), lambda x: np.take(x, I4 * 9, mode="clip"))  # fmt: skip
smooth("take_along_axis", M, lambda x: np.take_along_axis(x, np.argsort(-x, axis=0), 0),
       lambda x: np.take_along_axis(x, J[:1, :2], 1))  # fmt: skip
smooth("extract", M, lambda x: np.extract(x > 0, x * x))
smooth("compress", M, lambda x: np.compress(INTS > 5, x, axis=1))
smooth("select", MM, lambda x, y: np.select([x > 1, x > 0], [x * y, y * y], default=0.5))
smooth("choose", _draw(4, 4, 4), lambda x, y, z: np.choose(J[0, :2].repeat(2), (x, y, z)))
smooth("where", MM, lambda x, y: np.where(x > 0, x, y), lambda x, y: x[np.where(x > 0)])
smooth("repeat", M, lambda x: np.repeat(x, 2), lambda x: np.repeat(x, 3, axis=0),
       lambda x: np.repeat(x, COUNTS, axis=1))  # fmt: skip
smooth(
    "tile",
    M,
    lambda x: np.tile(x, 2),
    lambda x: np.tile(x, (2, 3)),
    lambda x: np.tile(x, (2, 1, 2)),
)
smooth("resize", M, lambda x: np.resize(x, (5, 3)), lambda x: np.resize(x, 4))
smooth("delete", M, lambda x: np.delete(x, 3), lambda x: np.delete(x, -1, axis=1),
       lambda x: np.delete(x, [0, 2], axis=0))  # fmt: skip
smooth("insert", MM, lambda x, y: np.insert(x, 3, y[0, 0]), lambda x, y: np.insert(x, 1, y[0], axis=0),
       lambda x, y: np.insert(x, -1, 2.0, axis=1))  # fmt: skip
smooth("append", MM, lambda x, y: np.append(x, y), lambda x, y: np.append(x, y, axis=1))
smooth("diag", M, lambda x: np.diag(x), lambda x: np.diag(x, 1), lambda x: np.diag(x, -2),
       lambda x: np.diag(x[0]), lambda x: np.diag(x[0], 2), lambda x: np.diag(x[0], -1))  # fmt: skip
smooth("diagonal", M, lambda x: np.diagonal(x, 2))
smooth("diagflat", M, lambda x: np.diagflat(x), lambda x: np.diagflat(x[0], -1))
flat("argwhere", M, lambda x: np.argwhere(x > 0), lambda x: np.argwhere(INTS > 5))
flat("flatnonzero", M, lambda x: np.flatnonzero(x > 0))
flat("nonzero", M, lambda x: np.nonzero(x > 0)[1])
for _name in ("tril", "triu"):
    _square, _of = getattr(np, f"{_name}_indices"), getattr(np, f"{_name}_indices_from")
    flat(
        f"{_name}_indices", V, lambda x, f=_square: f(4, 1)[0], lambda x, f=_square: f(3, -1, 5)[1]
    )
    flat(f"{_name}_indices_from", M, lambda x, f=_of: f(x)[0], lambda x, f=_of: f(x, 1)[1])
flat("diag_indices", V, lambda x: np.diag_indices(3)[1])

# -- moving --------------------------------------------------------------------------------------

smooth("ravel", T, lambda x: np.ravel(x) * 2)
smooth("roll", M, lambda x: np.roll(x, 2), lambda x: np.roll(x, -1, axis=1))
smooth("flip", M, lambda x: np.flip(x), lambda x: np.flip(x, 1))
smooth("fliplr", M, lambda x: np.fliplr(x) * x)
smooth("flipud", M, lambda x: np.flipud(x) * x)
smooth("rot90", T, lambda x: np.rot90(x[0]), lambda x: np.rot90(x, 2), lambda x: np.rot90(x, 3),
       lambda x: np.rot90(x, -3, axes=(1, 2)))  # fmt: skip
smooth("swapaxes", T, lambda x: np.swapaxes(x, 0, -1))
smooth("moveaxis", T, lambda x: np.moveaxis(x, 0, -1), lambda x: np.moveaxis(x, (0, 1), (2, 0)))
smooth("rollaxis", T, lambda x: np.rollaxis(x, 2), lambda x: np.rollaxis(x, 0, 3))
smooth("expand_dims", M, lambda x: np.expand_dims(x, (0, 2)))
smooth("squeeze", _draw((3, 1)), lambda x: np.squeeze(x, axis=1))
smooth("atleast_1d", S, lambda x: np.atleast_1d(x))
smooth("atleast_2d", V, lambda x: np.atleast_2d(x), lambda x: np.atleast_2d(x[0], x)[0])
smooth("atleast_3d", M, lambda x: np.atleast_3d(x), lambda x: np.atleast_3d(x[0]))
smooth("broadcast_arrays", _draw((3, 1), 4), lambda x, y: np.broadcast_arrays(x, y)[0] * y)
smooth("broadcast_shapes", M, lambda x: x * np.broadcast_shapes((3, 1), x.shape)[1])
smooth("pad", M, lambda x: np.pad(x, 1), lambda x: np.pad(x, ((0, 1), (2, 0)), constant_values=2.0))
smooth("broadcast_to", V, lambda x: np.broadcast_to(x, (3, 4)) * 2)
smooth("concatenate", MM, lambda x, y: np.concatenate((x, y), axis=1))
smooth("stack", VV, lambda x, y: np.stack((x, y)), lambda x, y: np.stack((x, y), axis=1))
smooth("hstack", MM, lambda x, y: np.hstack((x, y)), lambda x, y: np.hstack((x[0], y[1, 0])))
smooth("vstack", MM, lambda x, y: np.vstack((x, y[0])))
smooth("dstack", MM, lambda x, y: np.dstack((x, y)))
smooth("column_stack", MM, lambda x, y: np.column_stack((x[:, 0], y)))
smooth("split", M, lambda x: np.split(x, 2, axis=1)[1] * 2, lambda x: np.split(x, (1, 2))[1] * 2)
smooth("array_split", V6, lambda x: np.array_split(x, 4)[1] * np.array_split(x, 4)[3][0])
smooth("hsplit", M, lambda x: np.hsplit(x, 2)[1] * 3, lambda x: np.hsplit(x[0], 2)[0] * 3)
smooth("vsplit", M, lambda x: np.vsplit(x, 3)[1] * 3)
smooth("dsplit", T, lambda x: np.dsplit(x, (1,))[1] * 3)
smooth("meshgrid", _draw(3, 4), lambda x, y: np.meshgrid(x, y)[0] * 2,
       lambda x, y: np.meshgrid(x, y, indexing="ij")[1] * 2)  # fmt: skip
smooth("ix_", M, lambda x: x[np.ix_(J[0], I4)])
smooth("ascontiguousarray", M, lambda x: np.ascontiguousarray(x.T) * 2)
smooth("asfortranarray", M, lambda x: np.asfortranarray(x) * 2)

# -- making --------------------------------------------------------------------------------------

smooth("array", VS, lambda x, y: np.array([y, 2.0 * y, x[0]]))
smooth("asarray", V, lambda x: np.asarray(x) * x)
smooth("asarray_chkfinite", V, lambda x: np.asarray_chkfinite(x) * x)
smooth("copy", M, lambda x: np.copy(x) * x)
smooth("full_like", VS, lambda x, y: np.full_like(x, y))
smooth("linspace", _draw((), ()), lambda x, y: np.linspace(x, y, 5),
       lambda x, y: np.linspace(x, y, 4, endpoint=False))  # fmt: skip
smooth("logspace", _draw((), ()), lambda x, y: np.logspace(x, y, 5, base=2.0))
smooth("geomspace", _draw((), (), low=0.5), lambda x, y: np.geomspace(x, y, 5))
smooth("arange", S, lambda x: np.arange(5) * x, lambda x: np.arange(0.0, 2.0, 0.5) * x)
smooth("zeros_like", V, lambda x: np.zeros_like(x) + x)
smooth("ones_like", V, lambda x: np.ones_like(x) * x)
smooth("tril", M, lambda x: np.tril(x, 1))
smooth("triu", M, lambda x: np.triu(x))
smooth("zeros", V, lambda x: np.zeros(4) + x)
smooth("ones", V, lambda x: np.ones((3, 4)) * x)
smooth("full", S, lambda x: np.full((2, 3), x), lambda x: np.full(3, 2, np.int64) * x)
smooth("identity", M, lambda x: np.identity(4) * x[0])
flat("tri", V, lambda x: np.tri(4, 3, 1), lambda x: np.tri(3, k=-1, dtype=np.float32))
flat("indices", V, lambda x: np.indices((2, 3)))
flat("shape", M, lambda x: np.shape(x)[1])
flat("size", M, lambda x: np.size(x))
flat("ndim", M, lambda x: np.ndim(x))

# -- methods and attributes ----------------------------------------------------------------------


def _filled(x, y):
    z = x.copy()
    z.fill(y)
    return z * x


def _sorted_in_place(x):
    z = x * x
    z.sort()
    return z * x


def _sorted_columns(x):
    z = x * x
    z.sort(axis=0)
    return z * x


def _diagonal_filled(x):
    z = x * x
    np.fill_diagonal(z, x[0, 1])
    return z * x


def _diagonal_of_items(x):
    z = x * x
    np.fill_diagonal(z, x[1])
    return z * x


def _copied_to(x, y):
    z = np.empty_like(x)
    np.copyto(z, y * x)
    return z * x


def _into_empty(x):
    z, w = np.empty(4), np.empty_like(x)
    z[:] = x
    w[:] = z * x
    return w * z


def _tiled_before_a_write(x):
    y = x * x
    z = np.tile(y, 2)
    y[0] = 3.0
    z[1] = y[0, 0]
    return z[:, :4] * y


def _repeated_before_a_write(x):
    y = x * x
    z = np.repeat(y, 2, axis=0)
    y[0] = 3.0
    z[1] = 2.0
    return z[:3] * y


def _cleaned(x):
    z = HOLED + x
    np.nan_to_num(z, copy=False)
    return z * x


smooth("fill_diagonal", M, _diagonal_filled, _diagonal_of_items)
smooth("empty", V, _into_empty)
smooth("empty_like", V, _into_empty)
smooth("copyto", MM, _copied_to)
smooth("nan_to_num", M, _cleaned)
smooth("tile", M, _tiled_before_a_write)
smooth("repeat", M, _repeated_before_a_write)
smooth(".fill", VS, _filled)
smooth(".sort", M, _sorted_in_place, _sorted_columns)
smooth(".T", M, lambda x: x.T * 2)
smooth(".real", MM, lambda x, y: ((x + 1j * y) * x).real)
smooth(".imag", MM, lambda x, y: ((x + 1j * y) * x).imag)
smooth(".conj", MM, lambda x, y: ((x + 1j * y) * x).conj().imag)
smooth(".conjugate", MM, lambda x, y: ((x + 1j * y) * x).conjugate().imag)
smooth(".cumprod", V, lambda x: x.cumprod())
smooth(".cumsum", M, lambda x: x.cumsum(axis=1))
smooth(".sum", M, lambda x: x.sum(axis=0))
smooth(".mean", M, lambda x: x.mean())
smooth(".max", M, lambda x: x.max(axis=1))
smooth(".min", M, lambda x: x.min())
smooth(".prod", M, lambda x: x.prod(axis=0))
smooth(".std", M, lambda x: x.std())
smooth(".var", M, lambda x: x.var(axis=0))
smooth(".dot", MM, lambda x, y: x.dot(y.T))
smooth(".clip", M, lambda x: x.clip(-0.5, 0.7))
smooth(".copy", M, lambda x: x.copy() * x)
smooth(".astype", M, lambda x: x.astype(np.float64) * 2)
smooth(".flatten", M, lambda x: x.flatten() * 2)
smooth(".ravel", M, lambda x: x.ravel() * 2)
smooth(".reshape", M, lambda x: x.reshape(2, -1) * 2)
smooth(".transpose", T, lambda x: x.transpose(2, 0, 1) * 2)
smooth(".take", M, lambda x: x.take(I4))
smooth(".repeat", M, lambda x: x.repeat(2, axis=1))
smooth(".item", M, lambda x: x.item(5) * x, lambda x: x[:1, :1].item() * x, lambda x: x.item(1, 2))
smooth(".flat", M, lambda x: x.flat[5] * x)
smooth(".size", M, lambda x: x * x.size)
smooth(".shape", M, lambda x: x * x.shape[1])
smooth(".ndim", M, lambda x: x * x.ndim)
smooth(".itemsize", M, lambda x: x * x.itemsize)
smooth(".nbytes", M, lambda x: x * x.nbytes)
smooth(".dtype", M, lambda x: np.zeros(4, x.dtype) + x)
smooth(".diagonal", M, lambda x: x.diagonal())
smooth(".trace", M, lambda x: x.trace())
smooth(".swapaxes", T, lambda x: x.swapaxes(0, 1) * 2)
smooth(".squeeze", _draw((3, 1)), lambda x: x.squeeze(axis=1) * 2)
flat(".round", M, lambda x: x.round(1))
flat(".all", M, lambda x: (x > 0).all(axis=1))
flat(".any", M, lambda x: (x > 1).any())
flat(".argmax", M, lambda x: x.argmax(axis=1))
flat(".argmin", M, lambda x: x.argmin())
flat(".argsort", M, lambda x: x.argsort())
flat(".nonzero", M, lambda x: x.nonzero()[0])

"""What of NumPy the compiler behind us supports, and why some of it is refused here.

Enters: nothing. Leaves: names as Numba 0.68 has them; `tests/test_numpy_table.py` asks it.
"""

FUNCTIONS = """
abs absolute acos acosh add all allclose amax amin angle any append arange arccos arccosh arcsin
arcsinh arctan arctan2 arctanh argmax argmin argpartition argsort argwhere around array
array_equal array_split asarray asarray_chkfinite ascontiguousarray asfortranarray asin asinh
atan atan2 atanh atleast_1d atleast_2d atleast_3d average bartlett bincount bitwise_and
bitwise_invert bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor blackman
broadcast_arrays broadcast_shapes broadcast_to cbrt ceil clip column_stack concat concatenate
conj conjugate convolve copy copysign corrcoef correlate cos cosh count_nonzero cov cross cumprod
cumsum deg2rad degrees delete diag diagflat diff digitize divide divmod dot dsplit dstack ediff1d
empty empty_like equal exp exp2 expand_dims expm1 extract eye fabs fill_diagonal flatnonzero flip
fliplr flipud float_power floor floor_divide fmax fmin fmod frombuffer full full_like gcd
geomspace greater greater_equal hamming hanning histogram hsplit hstack hypot identity imag
indices insert interp intersect1d invert isclose iscomplex iscomplexobj isfinite isin isinf isnan
isnat isneginf isposinf isreal isrealobj isscalar kaiser kron lcm ldexp left_shift less
less_equal linspace log log10 log1p log2 logaddexp logaddexp2 logical_and logical_not logical_or
logical_xor logspace max maximum mean median min minimum mod moveaxis multiply nan_to_num
nanargmax nanargmin nancumprod nancumsum nanmax nanmean nanmedian nanmin nanpercentile nanprod
nanquantile nanstd nansum nanvar negative nextafter nonzero not_equal ones ones_like outer
partition percentile permute_dims positive pow power prod ptp quantile rad2deg radians ravel real
reciprocal remainder repeat reshape resize right_shift rint roll roots rot90 round row_stack
searchsorted select setdiff1d setxor1d shape sign signbit sin sinc sinh size sort spacing split
sqrt square stack std subtract sum swapaxes take take_along_axis tan tanh trace transpose
trapezoid tri tril tril_indices tril_indices_from trim_zeros triu triu_indices triu_indices_from
true_divide trunc union1d unique unwrap vander var vdot vsplit vstack where zeros zeros_like
"""

LINALG = """
cholesky cond det eig eigh eigvals eigvalsh inv lstsq matrix_power matrix_rank norm pinv qr slogdet
solve svd
"""

METHODS = """
all any argmax argmin argsort astype clip conj conjugate copy cumprod cumsum dot fill flatten item
max mean min nonzero prod ravel repeat reshape sort std sum take tobytes transpose var view
"""

ATTRIBUTES = "T ctypes dtype flags flat imag itemsize nbytes ndim real shape size strides"

REFUSED = {
    **dict.fromkeys("angle iscomplex iscomplexobj isreal isrealobj".split(), "complex numbers"),
    **dict.fromkeys("conj conjugate imag real .conj .conjugate .imag .real".split(), "complex"),
    **dict.fromkeys("linalg.eig linalg.eigvals roots".split(), "the result may be complex"),
    **dict.fromkeys(".ctypes .flags .strides .tobytes .view frombuffer".split(), "bytes of memory"),
    "isnat": "dates",
}

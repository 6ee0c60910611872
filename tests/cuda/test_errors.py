"""What a failure of the device is told as; no GPU is needed."""

import pytest

pytest.importorskip("numba_cuda")
from adcompile.errors import DeviceError, ShapeError
from adcompile.execute import cuda as execute_cuda


class CudaAPIError(Exception):
    """Named as the driver's error is."""


class LinkerError(RuntimeError):
    pass


@pytest.fixture(autouse=True)
def _pretend_there_is_a_device(monkeypatch):
    monkeypatch.setattr(execute_cuda, "_require_device", lambda: None)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            CudaAPIError("[2] Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY"),
            "out of memory",
        ),
        (CudaAPIError("[222] CUDA_ERROR_UNSUPPORTED_PTX_VERSION"), "driver refuses"),
        (CudaAPIError("[700] CUDA_ERROR_ILLEGAL_ADDRESS"), "a kernel failed"),
        (LinkerError("ptxas fatal"), "driver refuses"),
    ],
)
def test_failures_of_the_driver(error, told):
    with pytest.raises(DeviceError, match=told) as caught, execute_cuda.explained():
        raise error
    assert "hint: " in str(caught.value) and caught.value.__cause__ is error


@pytest.mark.parametrize("error", [ShapeError("n and m must be equal"), ValueError("a check")])
def test_other_errors_stay_what_they_are(error):
    with pytest.raises(type(error)) as caught, execute_cuda.explained():
        raise error
    assert caught.value is error


def test_a_device_that_is_too_old(monkeypatch):
    monkeypatch.undo()

    class Device:
        compute_capability = (6, 1)

    monkeypatch.setattr(execute_cuda.cuda, "is_available", lambda: True)
    monkeypatch.setattr(execute_cuda.cuda, "get_current_device", lambda: Device)
    _require = getattr(execute_cuda._require_device, "__wrapped__", execute_cuda._require_device)
    with pytest.raises(DeviceError, match=r"compute capability 6\.1"):
        _require()

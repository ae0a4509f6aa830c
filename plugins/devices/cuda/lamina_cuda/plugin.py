"""What lamina-cuda offers."""

from lamina_registry import hookimpl

API = 1


@hookimpl
def devices():
    return {"cuda": "lamina_cuda.device:CudaDevice"}


@hookimpl
def kernels():
    return {"cuda": "lamina_cuda.kernels:provider"}

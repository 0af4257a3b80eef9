"""CuPy: rank-k updates and fused products of cuBLAS with factors on the device; the torch kernels where torch is there.

Read, not run, where no CUDA device is at hand: tests/backends/test_cupy.py runs the decisions on a stand-in.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any

import cupy
from cupy import cublas

from matfun.ops import API_VERSION as API_VERSION
from matfun.ops import Array, Ops

RANK_K_UPDATES = "fd"
"""Types for which ``cupy.cublas.syrk`` is X^H X; of complex matrices it is X^T X, and cupy.cublas has no herk."""

GEMM = "fdFD"
"""Types of ``cupy.cublas.gemm``; 16-bit ones are multiplied by ``matmul`` alone."""


class CupyOps(Ops):
    """CuPy arrays on the current device."""

    name = library = "cupy"

    def supports(self, dtype: Any) -> bool:
        return dtype.char in "fdFD" or dtype == cupy.float16

    def is_complex(self, X: Array) -> bool:
        return bool(X.dtype.kind == "c")

    def prefers_products(self, X: Array) -> bool:  # noqa: ARG002
        return True

    def as_host(self, x: Array) -> Any:
        return cupy.asnumpy(x)

    def gram(self, X: Array) -> Array:
        T = X.swapaxes(-2, -1)
        found = _by_torch("symmetric", T, T)
        if found is None and X.ndim == 2 and X.dtype.char in RANK_K_UPDATES:
            return _rank_k_update(X)
        return super().gram(X) if found is None else found

    def symm_matmul(self, A: Array, B: Array) -> Array:
        found = _by_torch("symmetric", A, B)  # B is its own transpose
        return super().symm_matmul(A, B) if found is None else found

    def square(self, S: Array) -> Array:
        found = _by_torch("symmetric", S, S)
        if found is None and S.ndim == 2 and S.dtype.char in RANK_K_UPDATES:
            return _rank_k_update(S)  # S^T = S
        return super().symm_matmul(S, S) if found is None else found

    def add_matmul(self, C: Array, A: Array, B: Array, alpha: Any = 1.0, beta: Any = 1.0) -> Array:
        found = _by_torch("product", C, A, B, alpha, beta)
        if found is None and C.ndim == 2 and C.dtype.char in GEMM:
            alpha, beta = _factors(alpha, beta, C)
            return cublas.gemm("N", "N", A, B, out=C.copy(order="A"), alpha=alpha, beta=beta)  # it adds in place
        return super().add_matmul(C, A, B, alpha, beta) if found is None else found

    def solve_triangular(self, L: Array, B: Array, *, lower: bool = True) -> Array:
        from cupyx.scipy.linalg import solve_triangular

        if L.ndim > 2:
            return self.solve(L, B)
        return self._narrow(solve_triangular(self.widen(L), self.widen(B), lower=lower), B)


def _factors(alpha: Any, beta: Any, like: Array) -> list[Any]:
    """Both on the host or both on the device, there in the type of the matrices: cuBLAS reads them where they are."""
    if all(isinstance(x, (int, float)) for x in (alpha, beta)):
        return [alpha, beta]
    return [
        cupy.full((), x, like.dtype) if isinstance(x, (int, float)) else x.astype(like.dtype, copy=False)
        for x in (alpha, beta)
    ]


def _rank_k_update(X: Array) -> Array:
    """X^T X: cuBLAS fills one triangle.  It counts by columns, so the rows of X are the columns of its transpose."""
    if X.flags.f_contiguous:
        S = cublas.syrk("T", X, lower=True)
    else:
        S = cublas.syrk("N", cupy.ascontiguousarray(X).T, lower=True)
    n = S.shape[0]
    _mirror()(n, S, size=n * n)  # S is new memory
    return S


@lru_cache(maxsize=1)
def _mirror() -> Any:
    return cupy.ElementwiseKernel(
        "int64 n",
        "raw T s",
        """
        const ptrdiff_t row = i / n, column = i % n;
        const ptrdiff_t here[] = {row, column}, there[] = {column, row};
        if (row < column) s[here] = s[there];
        """,
        "matfun_mirror",
    )


@lru_cache(maxsize=1)
def _torch() -> Any:
    """Torch and what decides on its kernels, where it has a CUDA device and Triton is installed; else None."""
    try:
        torch, kernels = import_module("torch"), import_module("matfun_backends.kernels.dispatch")
    except ImportError:
        return None
    return (torch, kernels) if torch.cuda.is_available() else None


def _by_torch(kernel: str, *arguments: Any) -> Array | None:
    """Answer of a torch kernel on the same memory and the same stream, or None where none serves."""
    there = _torch()
    if there is None:
        return None
    torch, kernels = there
    device, stream = arguments[0].device.id, cupy.cuda.get_current_stream().ptr
    ours = torch.cuda.ExternalStream(stream, device=device) if stream else torch.cuda.default_stream(device)
    with torch.cuda.stream(ours):
        given = [torch.from_dlpack(x) if isinstance(x, cupy.ndarray) else x for x in arguments]
        found = getattr(kernels, kernel)(*given)
        return None if found is None else cupy.from_dlpack(found)


def provide(xp: Any) -> Ops:
    """Verbs for CuPy arrays."""
    return CupyOps(xp)

"""NumPy: BLAS symmetric products, no needless pass over memory, host checks that cost nothing here."""

from __future__ import annotations

from typing import Any

import numpy as np

from matfun.ops import API_VERSION as API_VERSION
from matfun.ops import Array, Ops
from matfun.polynomials.update import Polynomial


class NumpyOps(Ops):
    """The float64 reference."""

    name = "numpy"

    def supports(self, dtype: Any) -> bool:
        return dtype.char in "fdFD" and dtype.isnative

    def compute_dtype(self, A: Array) -> Any:
        if A.dtype == np.float16:
            return np.dtype(np.float32)  # products of float16 have no BLAS
        if A.dtype.char in "fdFD":
            return A.dtype.newbyteorder("=")
        return super().compute_dtype(A)

    def is_complex(self, X: Array) -> bool:
        return bool(X.dtype.kind == "c")

    def is_16bit(self, dtype: Any) -> bool:  # noqa: ARG002 - NumPy computes in no 16-bit dtype
        return False

    def widen(self, X: Array) -> Array:
        return X

    def from_host(self, values: Array, like: Array, dtype: Any = None) -> Array:
        return np.asarray(values, dtype=like.dtype if dtype is None else dtype)

    def adjoint(self, X: Array) -> Array:
        T = X.mT
        return T.conj() if X.dtype.kind == "c" else T

    def scale(self, X: Array, c: Any) -> Array:
        if isinstance(c, (int, float)):
            return X * c
        return X * np.asarray(c, dtype=X.dtype)[..., None, None]

    def add_diagonal(self, X: Array, c: Any) -> Array:
        Y = X.copy()
        _diagonal(Y)[...] += c if isinstance(c, (int, float)) else np.asarray(c, dtype=X.dtype)[..., None]
        return Y

    def square(self, S: Array) -> Array:
        # matmul with its own transpose is a rank-k update in BLAS, half the flops; S^T = S for real S
        return S @ (S.mT if S.dtype.kind != "c" else S)

    def polynomial_step(self, X: Array, S: Array, h: Polynomial, square: Array | None = None) -> Array:
        c = h.coefficients
        if h.basis != "gram" or h.degree != 2 or square is not None or not isinstance(c[2], float) or c[2] == 0:
            return super().polynomial_step(X, S, h, square)
        # Completing the square, c_0 + c_1 S + c_2 S^2 = c_2 (S + shift)^2 + rest, leaves products and diagonals:
        # three passes over S fewer.  Not in the residual basis, whose small entries it would drown.
        shift = c[1] / (2 * c[2])
        P = self.square(self.add_diagonal(S, shift))
        P *= c[2]
        _diagonal(P)[...] += c[0] - c[2] * shift * shift
        return X @ P

    def prescale(self, A: Array) -> tuple[Array, Array]:
        size = self.max_abs(A)
        finfo = np.finfo(size.dtype)
        # Squares and their sums stay normal in this range, and so A can be used as it is.
        tiny, huge = float(finfo.tiny) ** 0.375, float(finfo.max) ** 0.375
        if np.all(((size > tiny) & (size < huge)) | (size == 0)):
            return A, np.zeros_like(size)
        with np.errstate(invalid="ignore"):
            exponent = np.where(np.isfinite(size), np.frexp(size)[1] - 1, 0)
            return np.ldexp(A.real, -exponent[..., None, None]) + (
                1j * np.ldexp(A.imag, -exponent[..., None, None]) if A.dtype.kind == "c" else 0
            ), exponent.astype(size.dtype)

    def times_power_of_two(self, A: Array, exponent: Array) -> Array:
        if not np.any(exponent):
            return A
        return super().times_power_of_two(A, exponent)

    def max_abs(self, X: Array) -> Array:
        if X.dtype.kind == "c":
            return np.abs(X).max(axis=(-2, -1))
        return np.maximum(X.max(axis=(-2, -1)), -X.min(axis=(-2, -1)))  # no temporary for |X|

    def plain_norm_fro(self, X: Array) -> Array:
        if X.ndim == 2 and X.flags.forc:
            flat = X.ravel(order="K")  # a view
            return np.sqrt(np.vdot(flat, flat).real)
        return np.sqrt(np.einsum("...ij,...ij->...", X, X.conj()).real)

    def solve_triangular(self, L: Array, B: Array, *, lower: bool = True) -> Array:
        from scipy.linalg import solve_triangular

        if L.ndim > 2:
            return np.linalg.solve(L, B)
        return solve_triangular(L, B, lower=lower, check_finite=False)


def _diagonal(X: Array) -> Array:
    """Writable view of the diagonals of contiguous square matrices."""
    n = X.shape[-1]
    return X.reshape(*X.shape[:-2], n * n)[..., :: n + 1]


def provide(xp: Any) -> Ops:
    """Verbs for NumPy arrays."""
    return NumpyOps(xp)

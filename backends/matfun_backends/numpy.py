"""NumPy: BLAS symmetric products, no needless pass over memory, host checks that cost nothing here."""

from __future__ import annotations

from typing import Any

import numpy as np

from matfun.ops import API_VERSION as API_VERSION
from matfun.ops import Array, Ops
from matfun.polynomials.evaluation import completes_square
from matfun.polynomials.update import Polynomial
from matfun.sketching.samples import Sparse
from matfun_backends.factorisations.native import native
from matfun_backends.factorisations.triangular import Triangular
from matfun_backends.products import hermitian


class NumpyOps(Ops):
    """The float64 reference."""

    name = library = "numpy"

    def supports(self, dtype: Any) -> bool:
        return dtype.char in "fdFD" and dtype.isnative

    def compute_dtype(self, A: Array) -> Any:
        if A.dtype.char in "fdFD":
            return A.dtype if A.dtype.isnative else A.dtype.newbyteorder("=")
        if A.dtype == np.float16:
            return np.dtype(np.float32)  # products of float16 have no BLAS
        return super().compute_dtype(A)

    def quiet(self) -> Any:
        return np.errstate(over="ignore", invalid="ignore", divide="ignore")

    def is_complex(self, X: Array) -> bool:
        return bool(X.dtype.kind == "c")

    def is_16bit(self, dtype: Any) -> bool:  # noqa: ARG002 - NumPy computes in no 16-bit dtype
        return False

    def is_narrow_range(self, dtype: Any) -> bool:  # noqa: ARG002
        return False

    def widen(self, X: Array) -> Array:
        return X

    def from_host(self, values: Array, like: Array, dtype: Any = None) -> Array:
        return np.asarray(values, dtype=like.dtype if dtype is None else dtype)

    def adjoint(self, X: Array) -> Array:
        T = X.mT
        return T.conj() if X.dtype.kind == "c" else T

    def scale(self, X: Array, c: Any) -> Array:
        return X * _of_each(c, X)

    def add_diagonal(self, X: Array, c: Any) -> Array:
        Y = X.copy()
        diagonal = _diagonal(Y)
        np.add(
            diagonal, float(c) if isinstance(c, (int, float)) else np.asarray(c, dtype=X.dtype)[..., None], out=diagonal
        )
        return Y

    def identity_minus(self, X: Array, factor: Any = 1.0) -> Array:
        Y = -X if isinstance(factor, (int, float)) and factor == 1 else self.scale(X, -factor)
        diagonal = _diagonal(Y)
        diagonal += 1.0
        return Y

    def gram(self, X: Array) -> Array:
        return hermitian.gram(X) if hermitian.worthwhile(X) else self.adjoint(X) @ X

    def hermitian_gram(self, X: Array) -> Array:
        exact = X.dtype.kind != "c" or hermitian.worthwhile(X)  # a rank-k update, of which one triangle is a copy
        return self.gram(X) if exact else super().hermitian_gram(X)

    def square(self, S: Array) -> Array:
        # matmul with its own transpose is a rank-k update in BLAS, half the flops; S^T = S for real S
        if S.dtype.kind != "c":
            return S @ S.mT
        return hermitian.gram(S) if hermitian.worthwhile(S) else S @ S

    def polynomial(
        self, S: Array, coefficients: tuple[Any, ...], square: Array | None = None, *, hermitian: bool = True
    ) -> Array:
        if len(coefficients) != 3 or square is not None or not hermitian:
            return super().polynomial(S, coefficients, square, hermitian=hermitian)
        _, c1, c2 = (_of_each(c, S) for c in coefficients)
        P = self.square(S)
        return _combined(P, c2, c1, S, out=P)

    def matmul(self, A: Array, B: Array) -> Array:
        if A.ndim > 2 or B.ndim > 2 or A.dtype != B.dtype or A.shape[0] * B.shape[1] * A.itemsize < EMPIRICAL_ALIGNED:
            return A @ B
        return np.matmul(A, B, out=_aligned((A.shape[0], B.shape[1]), A.dtype))

    def add_matmul(self, C: Array, A: Array, B: Array, alpha: Any = 1.0, beta: Any = 1.0) -> Array:
        P = A @ B
        return _combined(P, _of_each(alpha, P), _of_each(beta, P), C, out=P)

    def symmetric_prices(self, X: Array) -> tuple[float, float, float]:  # noqa: ARG002
        return 0.5, 0.5, 1.0

    def prefers_eigenvectors(self, X: Array) -> bool:
        return bool(X.shape[-2] >= EMPIRICAL_VERY_TALL * X.shape[-1])

    def members_at_once(self, X: Array) -> int | None:
        return max(1, EMPIRICAL_PART // max(1, int(X.shape[-1] * X.shape[-2] * X.dtype.itemsize)))

    def polynomial_step(self, X: Array, S: Array, h: Polynomial, square: Array | None = None) -> Array:
        if h.is_correction or h.degree != 2 or S.ndim > 2:
            return super().polynomial_step(X, S, h, square)
        return X @ self.polynomial_matrix(S, h, square)  # the constant on the diagonal saves two passes over X

    def polynomial_matrix(self, S: Array, h: Polynomial, square: Array | None = None) -> Array:
        if h.degree != 2 or S.ndim > 2:
            return super().polynomial_matrix(S, h, square)
        c0, c1, c2 = map(float, h.coefficients)
        if square is None and h.basis == "gram" and completes_square(h.coefficients):
            # c_1 S + c_2 S^2 = c_2 (S + shift)^2 - c_2 shift^2 saves two passes over S.  Its diagonal is changed in
            # place and put back, which saves a third.
            shift = c1 / (2 * c2)
            diagonal = _diagonal(S)
            kept = diagonal.copy()
            np.add(diagonal, shift, out=diagonal)
            P = self.square(S)
            diagonal[:] = kept
            P *= c2
            c0 -= c2 * shift * shift
        elif square is None:
            P = self.polynomial(S, h.coefficients)
        else:
            P = _combined(square, c2, c1, S, out=np.empty_like(square))
        diagonal = _diagonal(P)
        np.add(diagonal, c0, out=diagonal)
        return P

    def sparse_sketch(self, sample: Sparse, X: Array) -> Array:
        from scipy.sparse import csc_array

        n, nonzeros = sample.rows.shape
        starts = np.arange(0, n * nonzeros + 1, nonzeros)
        values = sample.values.ravel().astype(X.real.dtype)
        S = csc_array((values, sample.rows.ravel(), starts), shape=sample.shape)
        columns = np.moveaxis(X, -2, 0)  # a stack is more columns: SciPy multiplies matrices only
        Y = S @ columns.reshape(n, -1)
        return np.moveaxis(Y.reshape(sample.size, *columns.shape[1:]), 0, -2)

    def rescale(self, A: Array) -> tuple[Array, Array]:
        with self.quiet():
            return super().rescale(A)

    def positive_or_one(self, x: Array) -> Array:
        return x + (x <= 0)

    def known_norm(self, X: Array) -> Any:
        with self.quiet():
            norm = self.plain_norm_fro(X)
        return norm if X.ndim > 2 else float(norm)

    def hermitian_part(self, X: Array) -> Array:
        Y = X + self.adjoint(X)
        Y *= 0.5
        return Y

    def max_abs(self, X: Array) -> Array:
        if X.dtype.kind == "c":
            return np.abs(X).max(axis=(-2, -1))
        return np.maximum(X.max(axis=(-2, -1)), -X.min(axis=(-2, -1)))  # no temporary for |X|

    def plain_norm_fro(self, X: Array) -> Array:
        flat = _flat(X)
        return np.sqrt(np.vecdot(flat, flat).real)  # BLAS, and the same digits for a member of a stack as alone

    def dot(self, X: Array, Y: Array) -> Array:
        return np.vecdot(_flat(X), _flat(Y)).real

    def svd(self, X: Array) -> tuple[Array, Array, Array]:
        found = native("svd_s", "x->xrx", X)
        if found is None or not np.isfinite(found[1]).all():
            return super().svd(X)  # which raises where there is no convergence
        U, s, Vh = found
        return U, s, Vh

    def eigh(self, S: Array) -> tuple[Array, Array]:
        found = native("eigh_lo", "x->rx", S)
        return super().eigh(S) if found is None else found

    def cholesky(self, S: Array) -> Array:
        found = native("cholesky_lo", "x->x", S)
        return super().cholesky(S) if found is None else found

    def inverse(self, A: Array) -> Array:
        found = native("inv", "x->x", A)
        return super().inverse(A) if found is None else found

    def solve(self, A: Array, B: Array) -> Array:
        found = native("solve", "xx->x", A, B)
        return super().solve(A, B) if found is None else found

    def pivoted_q(self, B: Array) -> Array:
        from scipy.linalg import qr

        if B.ndim > 2:
            members = [self.pivoted_q(X) for X in B.reshape(-1, *B.shape[-2:])]
            return np.stack(members).reshape(B.shape)
        Q: Array = qr(B, mode="economic", pivoting=True, check_finite=False)[0]
        return Q

    def positive_definite(self, S: Array) -> Any:
        return np.isfinite(_diagonal(self.cholesky(S))).all(axis=-1)

    def divide_by_adjoint(self, X: Array, L: Array) -> Array:
        if X.ndim > 2:
            return super().divide_by_adjoint(X, L)
        return Triangular(L.conj(), self.inverse, lower=True).divide(X)

    def solve_triangular(self, L: Array, B: Array, *, lower: bool = True) -> Array:
        return Triangular(L, self.inverse, lower=lower).solve(B)


EMPIRICAL_PART = 2**18
"""Bytes of a stack to work on at a time, so that a core's cache holds what a step makes of them.

Of 2^16 to 2^21 the fastest for members of order 16 and 32, and within 15 % of it for 64 to 256."""

EMPIRICAL_ROWS = 2**18
"""Bytes of rows to work on at a time: they stay in the cache, and there are few of them."""


EMPIRICAL_VERY_TALL = 64
"""Aspect from which eigenvectors of the Gram matrix are taken in place of the solve by blocks.

The losses of that, and of torch's solve, which is none by blocks, are in benchmarks/results/tall.json."""

EMPIRICAL_ALIGNED = 2**20
"""Bytes of a product from which its memory is aligned: copies of less take no more than a call of JAX."""

ALIGNMENT = 64
"""Bytes.  ``jax.device_put`` takes over memory that is aligned so, and copies any other (jax 0.10.2)."""


def _aligned(shape: tuple[int, int], dtype: Any) -> Array:
    """Array whose memory starts at a multiple of the alignment."""
    size = shape[0] * shape[1] * dtype.itemsize
    memory = np.empty(size + ALIGNMENT, dtype=np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


def _of_each(c: Any, X: Array) -> Any:
    """One scalar for all matrices, or one for each, as a factor of X."""
    if isinstance(c, (int, float)):
        return float(c)  # a numpy.float64 is a float too, and would promote float32
    return np.asarray(c, dtype=X.dtype)[..., None, None]


def _combined(P: Array, a: Any, c: Any, C: Array, out: Array) -> Array:
    """Return out = a P + c C; of large matrices some rows at a time, so that they stay in the cache in between."""
    whole = P.ndim > 2 or P.nbytes <= EMPIRICAL_ROWS
    step = len(P) if whole else max(1, EMPIRICAL_ROWS // (P.shape[1] * P.itemsize))
    for start in range(0, len(P), step):
        rows = ... if whole else slice(start, start + step)
        if out is not P or not isinstance(a, float) or a != 1:
            np.multiply(P[rows], a, out=out[rows])
        out[rows] += C[rows] * c
    return out


def _flat(X: Array) -> Array:
    """Elements of each matrix in a row, always in the same order."""
    return X.reshape(*X.shape[:-2], X.shape[-2] * X.shape[-1])  # -1 cannot be found out for an empty stack


def _diagonal(X: Array) -> Array:
    """Writable view of the diagonals of square matrices, contiguous in either order."""
    n = X.shape[-1]
    X = X if X.flags.c_contiguous else X.mT  # a reshape of anything else would be a copy, and what is added to it lost
    return X.reshape(*X.shape[:-2], n * n)[..., :: n + 1]


def provide(xp: Any) -> Ops:
    """Verbs for NumPy arrays."""
    return NumpyOps(xp)

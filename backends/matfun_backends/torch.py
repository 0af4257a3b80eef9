"""PyTorch on CPU and CUDA: fused beta C + alpha A B, and dtypes that its devices can multiply.

On CUDA devices of compute capability 8.0 and higher the symmetric products and the updates are Triton kernels, where
Triton is installed, the matrices are large enough and no derivative is recorded; ``torch_plain`` does without.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from matfun.host import host_constant
from matfun.ops import API_VERSION as API_VERSION
from matfun.ops import Array, Ops, half_size
from matfun.polynomials.update import Polynomial
from matfun.sketching.samples import Sparse
from matfun_backends.products import blocked


class TorchOps(Ops):
    """Torch tensors; differentiable, and free of host synchronisation except in ``as_host``."""

    name = library = "torch"
    linalg_errors = (torch.linalg.LinAlgError,)
    uses_kernels = True
    """Whether Triton may serve CUDA tensors."""

    _supported = (
        torch.float32,
        torch.float64,
        torch.complex64,
        torch.complex128,
        torch.bfloat16,
        torch.float16,
    )

    def supports(self, dtype: Any) -> bool:
        return dtype in self._supported

    def compute_dtype(self, A: Array) -> Any:
        if A.dtype == torch.float16 and A.device.type == "cpu":
            return torch.float32  # float16 products on a CPU run at a thousandth of float32's speed
        return super().compute_dtype(A)

    def is_16bit(self, dtype: Any) -> bool:
        return dtype in (torch.float16, torch.bfloat16)

    def is_narrow_range(self, dtype: Any) -> bool:
        return bool(dtype == torch.float16)

    def is_complex(self, X: Array) -> bool:
        return bool(X.dtype.is_complex)

    def is_traced(self, X: Array) -> bool:
        return bool(torch.compiler.is_compiling() or X.device.type == "meta")

    def prefers_products(self, X: Array) -> bool:
        return bool(X.device.type != "cpu")

    def prefers_rows(self, X: Array) -> bool:
        return bool(X.device.type == "cpu" and X.ndim == 2 and not X.is_complex() and X.is_contiguous())

    def members_at_once(self, X: Array) -> int | None:
        if X.device.type != "cpu" or not blocked.plain(X):
            return None
        small, large = sorted(X.shape[-2:])
        if blocked.blocks(small, large, X) > 1:  # which is for one matrix at a time
            return 1
        return max(1, EMPIRICAL_PART // max(1, int(X.shape[-1] * X.shape[-2] * X.element_size())))

    def as_host(self, x: Array) -> Any:
        x = x.detach().cpu()
        return (x.to(torch.float32) if self.is_16bit(x.dtype) else x).resolve_conj().numpy()

    def normal(self, rng: Any, shape: tuple[int, ...], like: Array) -> Array:
        if not torch.compiler.is_compiling():
            return super().normal(rng, shape, like)
        # NumPy's generators cannot be traced: the draw becomes a constant
        drawn: Array = getattr(_drawn, _draw_for_trace(rng, shape))
        return drawn.to(dtype=like.dtype, device=like.device)

    def constant(self, x: Array) -> Array:
        return x.detach()

    def adjoint(self, X: Array) -> Array:
        return X.mH

    def scale(self, X: Array, c: Any) -> Array:
        if isinstance(c, (int, float)):
            return X * c
        found = self._kernel("combination", X, a=c)
        if found is not None:
            return found
        c = c if c.dtype == X.dtype else c.to(X.dtype)
        return X * (c[..., None, None] if c.ndim else c)

    def eye(self, rows: int, columns: int, like: Array) -> Array:
        return torch.eye(rows, columns, dtype=like.dtype, device=like.device)

    def from_host(self, values: Any, like: Array, dtype: Any = None) -> Array:
        dtype = like.dtype if dtype is None else dtype
        if like.device.type == "cuda" and not torch.compiler.is_compiling():
            return _constants().on_device(values, dtype, like.device)  # a copy from the host waits for the device
        return torch.as_tensor(values, dtype=dtype, device=like.device)

    def add_diagonal(self, X: Array, c: Any) -> Array:
        if torch.compiler.is_compiling():  # functional there, fused by the compiler; in place saves a pass when eager
            return X + self.scale(torch.eye(X.shape[-1], dtype=X.dtype, device=X.device), c)
        found = self._kernel("combination", X, c=c)
        if found is not None:
            return found
        Y = X.clone()
        diagonal = Y.diagonal(dim1=-2, dim2=-1)
        diagonal += c if isinstance(c, (int, float)) else c.to(X.dtype)[..., None]
        return Y

    def identity_minus(self, X: Array, factor: Any = 1.0) -> Array:
        if torch.compiler.is_compiling():
            return super().identity_minus(X, factor)
        found = self._kernel("combination", X, a=-factor, c=1.0)
        if found is not None:
            return found
        Y = -X if isinstance(factor, (int, float)) and factor == 1 else self.scale(X, -factor)
        diagonal = Y.diagonal(dim1=-2, dim2=-1)
        diagonal += 1.0
        return Y

    def thin_matmul(self, S: Array, Z: Array) -> Array:
        return (Z.mT @ S.mT).mT  # on a CPU the faster order of a thin product

    def symmetric_prices(self, X: Array) -> tuple[float, float, float]:
        if X.device.type != "cpu" or not blocked.plain(X):
            return 1.0, 1.0, 1.0
        small, large = sorted(X.shape[-2:])
        gram, square = ((b + 1) / (2 * b) for b in (blocked.blocks(small, k, X) for k in (large, small)))
        return gram, square, square

    def gram(self, X: Array) -> Array:
        if self._on_cuda(X):
            found = self._kernel("symmetric", X.mT, X.mT)
            if found is not None:
                return found
        A = X.mH
        return blocked.hermitian_product(A, X) if blocked.worthwhile(A) else A @ X

    def hermitian_gram(self, X: Array) -> Array:
        A = X.mH
        return blocked.hermitian_product(A, X, exact=True) if blocked.worthwhile(A) else super().hermitian_gram(X)

    def has_residuals(self, X: Array) -> bool:
        return self.uses_kernels and self._on_cuda(X)

    def identity_minus_gram(self, X: Array) -> Array | None:
        return self._kernel("symmetric", X.mT, X.mT, alpha=-1.0, gamma=1.0)

    def hermitian_product(self, A: Array, B: Array) -> Array:
        found = self._kernel("symmetric", A, B)  # to the last bit
        if found is not None:
            return found
        if blocked.worthwhile(A, B):
            return blocked.hermitian_product(A, B, exact=True)
        return super().hermitian_product(A, B)

    def times_hermitian(self, X: Array, P: Array) -> Array:
        return X @ P if self._on_cuda(X) or not blocked.plain(X, P) else _times_hermitian(X, P)

    def symm_matmul(self, A: Array, B: Array) -> Array:
        found = self._kernel("symmetric", A, B)  # B is its own transpose
        if found is not None:
            return found
        return blocked.hermitian_product(A, B) if blocked.worthwhile(A, B) else A @ B

    def polynomial(
        self, S: Array, coefficients: tuple[Any, ...], square: Array | None = None, *, hermitian: bool = True
    ) -> Array:
        c = coefficients
        if len(c) == 3 and square is None and hermitian:
            found = self._kernel("symmetric", S, S, S, alpha=c[2], beta=c[1])
            if found is not None:
                return found
            if _of_host(c) and blocked.worthwhile(S):
                return blocked.hermitian_product(S, S, S, alpha=c[2], beta=c[1])
        if len(c) == 3 and square is not None:
            found = self._kernel("combination", S, square, a=c[1], b=c[2])
            if found is not None:
                return found
        return super().polynomial(S, c, square, hermitian=hermitian)

    def polynomial_step(self, X: Array, S: Array, h: Polynomial, square: Array | None = None) -> Array:
        c, numbers = h.coefficients, _of_host(h.coefficients)
        if self._on_cuda(X) or h.is_correction or h.degree == 0 or (numbers and not blocked.plain(X, S)):
            return super().polynomial_step(X, S, h, square)
        factor = 1.0  # the constant on the diagonal saves two passes over X
        if len(c) == 3 and square is not None and numbers and c[1] != 0:
            factor = c[1]
            P = _plus_diagonal(torch.add(S, square, alpha=c[2] / factor), c[0] / factor)  # one pass for the sum
        elif len(c) == 3 and square is None and numbers and S.ndim == 2:
            P = _plus_diagonal(_quadratic(S, c), c[0])
        else:
            P = self.polynomial_matrix(S, h, square)
        return _times_hermitian(X, P, factor)

    def polynomial_matrix(self, S: Array, h: Polynomial, square: Array | None = None) -> Array:
        if not blocked.plain(S) or h.degree == 0:
            return super().polynomial_matrix(S, h, square)
        return _plus_diagonal(self.polynomial(S, h.coefficients, square), h.coefficients[0])

    def _on_cuda(self, X: Array) -> bool:
        return bool(X.is_cuda)

    def _kernel(self, name: str, *operands: Array, **factors: Any) -> Array | None:
        """Answer of a kernel, or None where none serves."""
        if not self.uses_kernels or not self._on_cuda(operands[0]) or torch.compiler.is_compiling():
            return None
        kernels = _kernels()
        return None if kernels is None else getattr(kernels, name)(*operands, **factors)

    def add_matmul(self, C: Array, A: Array, B: Array, alpha: Any = 1.0, beta: Any = 1.0) -> Array:
        found = self._kernel("product", C, A, B, alpha=alpha, beta=beta)
        if found is not None:
            return found
        if not (isinstance(alpha, (int, float)) and isinstance(beta, (int, float))):
            product = A @ B if isinstance(alpha, (int, float)) and alpha == 1 else self.scale(A @ B, alpha)
            beta = beta if isinstance(beta, (int, float)) else beta.to(C.dtype)[..., None, None]
            if isinstance(beta, (int, float)):
                return torch.add(product, C, alpha=beta)
            factor = beta.expand(*C.shape[:-2], 1, 1)
            # in place where nobody looks on: no third matrix of this size
            return product.addcmul_(C, factor) if blocked.plain(product, C) else torch.addcmul(product, C, factor)
        if C.ndim == 2:
            return torch.addmm(C, A, B, beta=beta, alpha=alpha)
        shape = C.shape
        flat = [Y.reshape(-1, *Y.shape[-2:]) for Y in (C, A, B)]
        return torch.baddbmm(*flat, beta=beta, alpha=alpha).reshape(shape)

    def fit(
        self,
        R: Array,
        columns: int,
        draw: Callable[[], Array],
        polynomials: Sequence[Sequence[float]],
        interval: tuple[float, float],
    ) -> Array | None:
        return self._kernel("fit", R, columns=columns, draw=draw, polynomials=polynomials, interval=interval)

    def sparse_sketch(self, sample: Sparse, X: Array) -> Array:
        Y = X.new_zeros((*X.shape[:-2], sample.size, X.shape[-1]))
        rows, values = self.from_host(sample.rows, X, torch.int64), self.from_host(sample.values, X)
        for i in range(rows.shape[1]):  # one of the nonzeros of every column at a time
            Y = Y.index_add(-2, rows[:, i], values[:, i, None] * X)
        return Y

    def rescale(self, A: Array) -> tuple[Array, Array]:
        size = self.max_abs(A)
        limit = self.exponent_limit(A.dtype)
        # the logarithms of 0 and infinity are clamped, which leaves zeros and infinities what they are
        exponent = (torch.log2(size).floor() + half_size(A)).clamp(-limit, limit)
        return self.times_power_of_two(A, -exponent), exponent

    def power_of_two(self, exponent: Array) -> Array:
        return torch.exp2(exponent)

    def positive_or_one(self, x: Array) -> Array:
        return x + (x <= 0)

    def known_norm(self, X: Array) -> Any:
        if not _at_hand(X):
            return None
        # of a lone bfloat16 matrix in bfloat16, which saves a converted copy
        norm = self.plain_norm_fro(X) if X.ndim > 2 else torch.linalg.vector_norm(_real(X))
        if blocked.wrapped(norm):  # as torch.func does with whatever is computed under it
            return None
        return norm.numpy() if X.ndim > 2 else float(norm)

    def hermitian_part(self, X: Array) -> Array:
        Y = X + X.mH
        return Y.mul_(0.5) if blocked.plain(X) else Y * 0.5

    def max_abs(self, X: Array) -> Array:
        # an infinity norm takes ten times as long on a CPU; the maximum of a complex modulus is real
        if self._on_cuda(X) and not X.is_complex():
            return self.widen(torch.linalg.vector_norm(X, torch.inf, dim=(-2, -1)))
        return self.widen(X.abs().amax(dim=(-2, -1)))

    def plain_norm_fro(self, X: Array) -> Array:
        dtype = torch.float32 if self.is_16bit(X.dtype) else None
        return torch.linalg.vector_norm(_real(X), dim=(-3, -2, -1) if X.is_complex() else (-2, -1), dtype=dtype)

    def cholesky(self, S: Array) -> Array:
        L, info = torch.linalg.cholesky_ex(self.widen(S))
        return self._narrow(L.masked_fill((info != 0)[..., None, None], torch.nan), S)

    def positive_definite(self, S: Array) -> Any:
        return self.as_host(torch.linalg.cholesky_ex(self.widen(S)).info == 0)

    def inverse(self, A: Array) -> Array:
        inverse, info = torch.linalg.inv_ex(self.widen(A))
        return self._narrow(inverse.masked_fill((info != 0)[..., None, None], torch.nan), A)

    def solve(self, A: Array, B: Array) -> Array:
        X, info = torch.linalg.solve_ex(self.widen(A), self.widen(B))
        return self._narrow(X.masked_fill((info != 0)[..., None, None], torch.nan), B)

    def solve_triangular(self, L: Array, B: Array, *, lower: bool = True) -> Array:
        return self._narrow(torch.linalg.solve_triangular(self.widen(L), self.widen(B), upper=not lower), B)


EMPIRICAL_PART = 2**20
"""Bytes of a stack to work on at a time: what a core's cache holds, with its Gram matrices."""


def _of_host(coefficients: tuple[Any, ...]) -> bool:
    """Whether the coefficients are numbers of the host."""
    for c in coefficients:  # noqa: SIM110 - a generator takes longer, and every step asks
        if not isinstance(c, (int, float)):
            return False
    return True


def _quadratic(S: Array, c: tuple[Any, ...]) -> Array:
    """Return c_1 S + c_2 S^2 for one plain Hermitian matrix and numbers of the host."""
    if blocked.pays(S):
        return blocked.hermitian_product(S, S, S, alpha=c[2], beta=c[1])
    return torch.addmm(S, S, S, beta=c[1], alpha=c[2])


def _plus_diagonal(P: Array, c: Any) -> Array:
    """P + c I, in place: P is new and nobody's but the caller's."""
    diagonal = P.diagonal(dim1=-2, dim2=-1)
    diagonal += c if isinstance(c, (int, float)) or c.ndim == 0 else c[..., None]
    return P


def _times(A: Array, B: Array, alpha: float) -> Array:
    """Return alpha A B, one of them square; a product of two matrices takes the factor for nothing."""
    if alpha == 1 or A.ndim > 2:
        return A @ B if alpha == 1 else A @ B * alpha
    like = B if A.shape[0] == A.shape[1] else A
    return torch.addmm(like, A, B, beta=0.0, alpha=alpha)


def _times_hermitian(X: Array, P: Array, factor: float = 1.0) -> Array:
    """Return factor X P; where X is stored by columns, so is the answer, whose Gram matrix takes less time then."""
    if X.ndim == 2 and X.mT.is_contiguous() and not X.is_complex():  # P is symmetric
        return _times(P, X.mT, factor).mT
    return _times(X, P, factor)


def _at_hand(X: Array) -> bool:
    """Whether the numbers of a tensor can be looked at without waiting for a device, and nobody follows them."""
    return type(X) is torch.Tensor and X.device.type == "cpu" and blocked.plain(X)


def _real(X: Array) -> Array:
    """Real and imaginary parts side by side: a norm of complex numbers takes many times as long on a CPU."""
    return torch.view_as_real(X.resolve_conj()) if X.is_complex() else X


@lru_cache(maxsize=1)
def _kernels() -> Any:
    """What decides on kernels, or None where Triton cannot be imported: it is not installed everywhere."""
    try:
        return import_module("matfun_backends.kernels.dispatch")
    except ImportError:
        return None


@lru_cache(maxsize=1)
def _constants() -> Any:
    return import_module("matfun_backends.kernels.constants").Constants()


_drawn = SimpleNamespace()
"""Draws for traces; attributes, since a trace does not see what is added to a dictionary that it has read."""


@host_constant
def _draw_for_trace(rng: Any, shape: tuple[int, ...]) -> str:
    """Name of the draw: the same one for the same seed, a new one for a generator, which moves on, and for None."""
    name = f"{rng} {shape}" if isinstance(rng, int) else f"{len(vars(_drawn))}"
    setattr(_drawn, name, torch.from_numpy(np.random.default_rng(rng).standard_normal(shape)))
    return name


def provide(xp: Any) -> Ops:
    """Verbs for torch tensors."""
    return TorchOps(xp)

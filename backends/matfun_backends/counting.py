"""Counting: any provider, with every product counted as it happens; the exam's judge of the price."""

from __future__ import annotations

from collections import Counter
from typing import Any

from matfun.ops import API_VERSION as API_VERSION
from matfun.ops import Array, Ops
from matfun.sketching.samples import Sample


class CountingOps(Ops):
    """Verbs of another provider, counted by kind.

    Polynomials are evaluated by the array-API defaults, so that each of their products passes through a counted
    verb; fused evaluations of a provider have the same price and are compared with the defaults by value.

    Parameters
    ----------
    inner : Ops

    Attributes
    ----------
    counts : collections.Counter
        ``gram``, ``symm``, ``apply`` (a full-size matrix times a square one), ``thin``, ``sketch``, and the
        factorisations.
    """

    name = "counting"

    def __init__(self, inner: Ops) -> None:
        super().__init__(inner.xp)
        self.inner = inner
        self.counts: Counter[str] = Counter()

    def gram(self, X: Array) -> Array:
        self.counts["gram"] += 1
        return self.inner.gram(X)

    def matmul(self, A: Array, B: Array) -> Array:
        self.counts["matmul"] += 1
        return self.inner.matmul(A, B)

    def symm_matmul(self, A: Array, B: Array) -> Array:
        self.counts["symm"] += 1
        return self.inner.symm_matmul(A, B)

    def square(self, S: Array) -> Array:
        self.counts["symm"] += 1
        return self.inner.square(S)

    def add_matmul(self, C: Array, A: Array, B: Array, alpha: Any = 1.0, beta: Any = 1.0) -> Array:
        self.counts["symm" if A is B else "apply"] += 1
        return self.inner.add_matmul(C, A, B, alpha, beta)

    def thin_matmul(self, S: Array, Z: Array) -> Array:
        self.counts["thin"] += 1
        return self.inner.thin_matmul(S, Z)

    def sketch(self, sample: Sample, X: Array) -> Array:
        self.counts["sketch"] += 1
        return self.inner.sketch(sample, X)

    def svd(self, X: Array) -> tuple[Array, Array, Array]:
        self.counts["svd"] += 1
        return self.inner.svd(X)

    def qr(self, X: Array) -> tuple[Array, Array]:
        self.counts["qr"] += 1
        return self.inner.qr(X)

    def cholesky(self, S: Array) -> Array:
        self.counts["cholesky"] += 1
        return self.inner.cholesky(S)

    def pivoted_q(self, B: Array) -> Array:
        self.counts["qr"] += 1
        return self.inner.pivoted_q(B)

    def divide_by_adjoint(self, X: Array, L: Array) -> Array:
        self.counts["apply"] += 1
        return self.inner.divide_by_adjoint(X, L)

    def inverse(self, A: Array) -> Array:
        self.counts["inverse"] += 1
        return self.inner.inverse(A)

    def solve(self, A: Array, B: Array) -> Array:
        self.counts["solve"] += 1
        return self.inner.solve(A, B)

    @property
    def products(self) -> int:
        """Full-size products of the iteration: Gram, symmetric, and final multiplications."""
        return sum(self.counts[kind] for kind in ("gram", "symm", "apply"))


_INNER = [
    "as_host",
    "from_host",
    "normal",
    "eye",
    "adjoint",
    "add_diagonal",
    "identity_minus",
    "scale",
    "select",
    "prescale",
    "rescale",
    "known_norm",
    "times_power_of_two",
    "max_abs",
    "plain_norm_fro",
    "norm_one",
    "norm_inf",
    "trace",
    "dot",
    "solve_triangular",
    "positive_definite",
    "log_abs_det",
    "eigh",
    "widen",
    "eps",
    "supports",
    "compute_dtype",
    "is_complex",
    "argmin",
    "clip",
    "constant",
    "minimax",
    "sparse_sketch",
    "walsh_hadamard",
    "power_of_two",
    "quiet",
    "is_16bit",
    "is_narrow_range",
    "is_traced",
    "prefers_products",
    "prefers_eigenvectors",
    "symmetric_prices",
    "all_finite",
    "is_zero",
    "positive_or_one",
    "exponent_limit",
    "hermitian_part",
    "evaluation_scheme",
]


def _delegate(name: str) -> Any:
    def verb(self: CountingOps, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.inner, name)(*args, **kwargs)

    return verb


for _name in _INNER:
    setattr(CountingOps, _name, _delegate(_name))


def provide(xp: Any) -> Ops:
    """Counting verbs over the array-API defaults."""
    return CountingOps(Ops(xp))

"""JAX, eager and under ``jit``: tracers are recognised, triangular solves and accumulation are JAX's own."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from matfun.ops import API_VERSION as API_VERSION
from matfun.ops import Array, Ops
from matfun.sketching.samples import Sparse


class JaxOps(Ops):
    """JAX arrays; every fixed-step path can be traced."""

    name = library = "jax"
    _supported = tuple(
        np.dtype(t) for t in (jnp.float32, jnp.float64, jnp.complex64, jnp.complex128, jnp.bfloat16, jnp.float16)
    )

    def supports(self, dtype: Any) -> bool:
        return np.dtype(dtype) in self._supported

    def compute_dtype(self, A: Array) -> Any:
        if A.dtype == jnp.float16 and not self.prefers_products(A):
            return np.dtype(np.float32)  # as in the torch provider: no fast float16 product on a CPU
        return super().compute_dtype(A)

    def is_traced(self, X: Array) -> bool:
        return isinstance(X, jax.core.Tracer)

    def prefers_products(self, X: Array) -> bool:  # noqa: ARG002 - a tracer has no device
        return bool(jax.default_backend() != "cpu")

    def sparse_sketch(self, sample: Sparse, X: Array) -> Array:
        Y = jnp.zeros((*X.shape[:-2], sample.size, X.shape[-1]), X.dtype)
        rows, values = self.from_host(sample.rows, X, jnp.int32), self.from_host(sample.values, X)
        for i in range(rows.shape[1]):  # one of the nonzeros of every column at a time
            Y = Y.at[..., rows[:, i], :].add(values[:, i, None] * X)
        return Y

    def constant(self, x: Array) -> Array:
        return jax.lax.stop_gradient(x)

    def pivoted_q(self, B: Array) -> Array:
        return self._narrow(jax.scipy.linalg.qr(self.widen(B), mode="economic", pivoting=True)[0], B)

    def positive_definite(self, S: Array) -> Any:
        L = jnp.linalg.cholesky(self.widen(S))
        return np.asarray(jnp.all(jnp.isfinite(L), axis=(-2, -1)))

    def solve_triangular(self, L: Array, B: Array, *, lower: bool = True) -> Array:
        return self._narrow(jax.scipy.linalg.solve_triangular(self.widen(L), self.widen(B), lower=lower), B)


def provide(xp: Any) -> Ops:
    """Verbs for JAX arrays."""
    return JaxOps(xp)

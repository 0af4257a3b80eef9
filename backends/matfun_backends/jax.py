"""JAX, eager and under ``jit``: fixed steps in one compiled function, a loop that can be traced, sums in float32."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from matfun.ops import API_VERSION as API_VERSION
from matfun.ops import Array, Ops
from matfun.polynomials.update import Scalar
from matfun.sketching.samples import Sparse


class JaxOps(Ops):
    """JAX arrays; every fixed-step path can be traced, and is compiled where it draws nothing at random."""

    name = library = "jax"
    compiles = has_traced_loop = True
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

    def lend(self, A: Array) -> np.ndarray[Any, Any] | None:
        one = len(A.sharding.device_set) == 1 and next(iter(A.sharding.device_set)).platform == "cpu"
        kept = jax.dtypes.canonicalize_dtype(A.dtype) == A.dtype  # or double precision is switched off by now
        return np.asarray(A) if one and kept else None

    def take_back(self, x: np.ndarray[Any, Any], like: Array) -> Array:
        # what is on a device by default stays free to be used on any
        return jax.device_put(x, like.sharding if like.committed else None)

    def compiled(self, function: Callable[..., Any], static: tuple[Any, ...], A: Array) -> Any:
        return _joined(*_compiled(function, static, A))

    def rescale(self, A: Array) -> tuple[Array, Array]:
        found: tuple[Array, Array] = self.compiled(Ops.rescale, (self,), A)
        return found

    def while_loop(self, going: Callable[[Any], Array], body: Callable[[Any], Any], start: Any) -> Any:
        return jax.lax.while_loop(going, body, start)

    def members_at_once(self, X: Array) -> int | None:
        # a loop outside a compiled function would be compiled in every call, and sharded axes cannot be looped over
        one_cpu = self.is_traced(X) and not self.prefers_products(X) and jax.device_count() == 1
        return 1 if one_cpu and X.shape[-1] * X.shape[-2] * X.dtype.itemsize >= EMPIRICAL_MEMBER else None

    def each_member(self, function: Callable[[Array], Any], A: Array) -> Any:
        rest: list[Any] = []

        def arrays_of(X: Array) -> list[Array]:
            arrays: list[Array] = []
            rest.append(_split(function(X), arrays))
            return arrays

        stacked = jax.lax.map(arrays_of, A.reshape(-1, *A.shape[-2:]))
        return _joined([x.reshape(*A.shape[:-2], *x.shape[1:]) for x in stacked], _Rest(rest[-1]))

    def gram(self, X: Array) -> Array:
        return self._narrow(self._product(self.adjoint(X), X), X)

    def matmul(self, A: Array, B: Array) -> Array:
        return self._narrow(self._product(A, B), A)

    def symm_matmul(self, A: Array, B: Array) -> Array:
        return self.matmul(A, B)

    def thin_matmul(self, S: Array, Z: Array) -> Array:
        return self.matmul(S, Z)

    def add_matmul(self, C: Array, A: Array, B: Array, alpha: Scalar = 1.0, beta: Scalar = 1.0) -> Array:
        if not self.is_16bit(C.dtype):
            return super().add_matmul(C, A, B, alpha, beta)
        # both terms in float32, and one rounding of their sum
        total = self.scale(self._product(A, B), alpha) + self.scale(self.widen(C), beta)
        return self._narrow(total, C)

    def _product(self, A: Array, B: Array) -> Array:
        """A B, which is left in float32 where the matrices are 16-bit.

        JAX multiplies float32 in TF32 on a GPU, and in bfloat16 on a TPU, unless it is told not to.
        """
        if self.is_16bit(A.dtype):
            return jnp.matmul(A, B, preferred_element_type=jnp.float32)
        return jnp.matmul(A, B, precision=jax.lax.Precision.HIGHEST)

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


EMPIRICAL_MEMBER = 2**14
"""Bytes of a matrix of a stack from which one at a time, in the cache of a CPU, is faster than all at once.

In a trial with 256 matrices in float32 and two threads: of order 64, and not of 48."""


@partial(jax.jit, static_argnums=(0, 1))
def _compiled(function: Callable[..., Any], static: tuple[Any, ...], A: Array) -> Any:
    arrays: list[Array] = []
    rest = _split(function(*static, A), arrays)
    return arrays, _Rest(rest)


@dataclass(frozen=True)
class _Place:
    """Where an array was taken out of a result."""

    index: int


@jax.tree_util.register_static
class _Rest:
    """What is not an array in the result of a compiled function: part of the type of the result for JAX.

    So it is kept with the compiled code of each shape and dtype, and numbers in it stay Python's own.
    """

    def __init__(self, value: Any) -> None:
        self.value = value


def _split(value: Any, arrays: list[Array]) -> Any:
    """Take the arrays out of nested tuples and dataclasses."""
    if isinstance(value, jax.Array):
        arrays.append(value)
        return _Place(len(arrays) - 1)
    return _rebuilt(value, lambda part: _split(part, arrays))


def _joined(arrays: list[Array], rest: _Rest) -> Any:
    def join(value: Any) -> Any:
        return arrays[value.index] if isinstance(value, _Place) else _rebuilt(value, join)

    return join(rest.value)


def _rebuilt(value: Any, change: Callable[[Any], Any]) -> Any:
    if type(value) is tuple:
        return tuple(map(change, value))
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: change(getattr(value, f.name)) for f in fields(value) if f.init})
    return value


def provide(xp: Any) -> Ops:
    """Verbs for JAX arrays."""
    return JaxOps(xp)

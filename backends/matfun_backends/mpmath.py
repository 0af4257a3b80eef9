"""Multiprecision: NumPy arrays of mpmath numbers, at the precision of ``mpmath.mp`` when called.

Slow and meant for small matrices: ground truth, and the difference between rounding and mathematics.
"""

from __future__ import annotations

from numbers import Number
from typing import Any

import mpmath
import numpy as np

from matfun.ops import API_VERSION as API_VERSION
from matfun.ops import Array, Ops
from matfun.polynomials.evaluation import choose, degree_eight
from matfun.polynomials.minimise import Solver, argmin_by_roots, argmin_on_interval, grid


class _Namespace:
    """The few functions of the standard that the verbs call, for object arrays."""

    bool = np.bool_

    zeros_like = staticmethod(lambda x: np.full(np.shape(x), mpmath.mpf(0), dtype=object))
    where = staticmethod(np.where)
    concat = staticmethod(np.concatenate)
    broadcast_to = staticmethod(np.broadcast_to)
    full_like = staticmethod(lambda x, v: np.full(np.shape(x), mpmath.mpf(v), dtype=object))


class MpmathOps(Ops):
    """Object arrays of mpf and mpc."""

    name = library = "mpmath"

    def __init__(self) -> None:
        super().__init__(_Namespace())

    def eps(self, dtype: Any) -> float:  # noqa: ARG002 - the precision is mpmath's
        return float(mpmath.mp.eps)

    def supports(self, dtype: Any) -> bool:
        return bool(dtype.hasobject)

    def compute_dtype(self, A: Array) -> Any:
        for x in A.ravel():
            if not isinstance(x, (Number, mpmath.mpf, mpmath.mpc)):
                raise TypeError(f"A: expected an object array of numbers, got an element of type {type(x).__name__}")
        return A.dtype

    def is_complex(self, X: Array) -> bool:
        return any(isinstance(x, mpmath.mpc) for x in X.ravel())

    def is_16bit(self, dtype: Any) -> bool:  # noqa: ARG002
        return False

    def is_narrow_range(self, dtype: Any) -> bool:  # noqa: ARG002
        return False

    def widen(self, X: Array) -> Array:
        return X

    def as_host(self, x: Array) -> Any:
        x = np.asarray(x)
        return x if x.dtype == bool else x.astype(np.float64)

    def from_host(self, values: Any, like: Array, dtype: Any = None) -> Array:  # noqa: ARG002
        return np.asarray(values) if dtype is np.bool_ else np.vectorize(mpmath.mpf, otypes=[object])(values)

    def eye(self, rows: int, columns: int, like: Array) -> Array:  # noqa: ARG002
        return self.from_host(np.eye(rows, columns), None)

    def adjoint(self, X: Array) -> Array:
        return np.vectorize(mpmath.conj, otypes=[object])(X.mT)

    def scale(self, X: Array, c: Any) -> Array:
        return X * (c if isinstance(c, (int, float)) else np.asarray(c)[..., None, None])

    def all_finite(self, X: Array) -> Array:
        return np.all(np.vectorize(mpmath.isfinite, otypes=[bool])(X), axis=(-2, -1))

    def max_abs(self, X: Array) -> Array:
        return np.asarray(np.max(np.abs(X), axis=(-2, -1)))

    def plain_norm_fro(self, X: Array) -> Array:
        return np.asarray(np.vectorize(mpmath.sqrt, otypes=[object])(np.sum(np.abs(X) ** 2, axis=(-2, -1))))

    def rescale(self, A: Array) -> tuple[Array, Array]:
        return A, np.zeros(A.shape[:-2])  # mpmath's exponents have no limit

    def times_power_of_two(self, A: Array, exponent: Array) -> Array:  # noqa: ARG002
        return A

    def power_of_two(self, exponent: Array) -> Any:  # noqa: ARG002
        return 1.0

    def evaluation_scheme(self, coefficients: Any) -> Any:
        scheme = choose(coefficients)
        # the same choice as everywhere, its parameters to the working precision
        return degree_eight([mpmath.mpf(c) for c in coefficients]) if scheme.parameters else scheme

    def argmin(self, coefficients: Any, lower: float, upper: float, solver: Solver = "grid") -> Array:
        # in double precision: any coefficient near the minimiser is as good as the minimiser
        c = [np.asarray(v, dtype=np.float64) for v in coefficients]
        if solver == "roots":
            return self.from_host(argmin_by_roots(np, c, lower, upper), None)
        return self.from_host(argmin_on_interval(np, c, np.asarray(grid(lower, upper)), lower, upper), None)

    def dot(self, X: Array, Y: Array) -> Array:
        return np.asarray(np.vectorize(mpmath.re, otypes=[object])(np.sum(np.conj(X) * Y, axis=(-2, -1))))

    def positive_or_one(self, x: Array) -> Array:
        return x + (x <= 0)

    def svd(self, X: Array) -> tuple[Array, Array, Array]:
        parts = [self._svd(x) for x in X.reshape(-1, *X.shape[-2:])]
        return tuple(np.stack(p).reshape(*X.shape[:-2], *p[0].shape) for p in zip(*parts, strict=True))  # type: ignore[return-value]

    def _svd(self, X: Array) -> list[Array]:
        U, s, V = mpmath.svd(mpmath.matrix(X.tolist()))
        return [np.array(U.tolist()), np.array(list(s)), np.array(V.tolist())]


def provide(xp: Any) -> Ops:  # noqa: ARG001 - object arrays have no namespace of their own
    """Verbs for object arrays of mpmath numbers."""
    return MpmathOps()

"""CuPy: the array-API defaults through array-api-compat, with its own triangular solve.

Written against the same verbs and read, not run, where no CUDA device is at hand.
"""

from __future__ import annotations

from typing import Any

import cupy

from matfun.ops import API_VERSION as API_VERSION
from matfun.ops import Array, Ops


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

    def solve_triangular(self, L: Array, B: Array, *, lower: bool = True) -> Array:
        from cupyx.scipy.linalg import solve_triangular

        if L.ndim > 2:
            return self.solve(L, B)
        return self._narrow(solve_triangular(self.widen(L), self.widen(B), lower=lower), B)


def provide(xp: Any) -> Ops:
    """Verbs for CuPy arrays."""
    return CupyOps(xp)

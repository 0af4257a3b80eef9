"""Triangular systems by blocks, so that all but small inverses are products.

Rows are multiplied with the inverse of their block on the diagonal and corrected once, which is as good as substitution
unless the block is singular to working precision: a step of refinement leaves a residual of rounding errors (Higham,
Accuracy and Stability, sec. 12.1).  The inverse alone is a thousand times worse for a triangle of Gaussian numbers
(tests/backends/test_products.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Matrix = np.ndarray[Any, Any]

EMPIRICAL_BLOCK = 32
"""Order of the blocks on the diagonal."""

EMPIRICAL_ROWS = 512
"""Rows of a tall matrix at a time, so that what is formed of them stays in the cache."""


class Triangular:
    """A lower or upper triangular matrix, or a stack of them, to be divided by.

    Parameters
    ----------
    L : array, shape (..., n, n)
        Zero on the other side of the diagonal.
    inverse : callable
        Of the blocks on the diagonal.
    lower : bool
    """

    def __init__(self, L: Matrix, inverse: Callable[[Matrix], Matrix], *, lower: bool) -> None:
        n = L.shape[-1]
        self._L = L
        self._blocks: list[tuple[slice, slice, Matrix]] = []
        for start in range(0, n, EMPIRICAL_BLOCK)[:: 1 if lower else -1]:
            here = slice(start, min(start + EMPIRICAL_BLOCK, n))
            before = slice(0, start) if lower else slice(here.stop, n)
            self._blocks.append((here, before, inverse(L[..., here, here])))

    def solve(self, B: Matrix) -> Matrix:
        """L^(-1) B for B of shape (..., n, k)."""
        L = self._L
        X = np.empty((*np.broadcast_shapes(L.shape[:-2], B.shape[:-2]), *B.shape[-2:]), dtype=B.dtype)
        for here, before, inverse in self._blocks:
            rest = B[..., here, :] - L[..., here, before] @ X[..., before, :]
            first = inverse @ rest
            X[..., here, :] = first + inverse @ (rest - L[..., here, here] @ first)
        return X

    def divide(self, X: Matrix) -> Matrix:
        """X L^(-T) for one, possibly very tall, X of shape (m, n)."""
        L, Y = self._L, np.empty_like(X, order="C")
        for start in range(0, len(X), EMPIRICAL_ROWS):
            rows = slice(start, start + EMPIRICAL_ROWS)
            for here, before, inverse in self._blocks:
                rest = X[rows, here] - Y[rows, before] @ L[here, before].T
                first = rest @ inverse.T
                Y[rows, here] = first + (rest - first @ L[here, here].T) @ inverse.T
        return Y

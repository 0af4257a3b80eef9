"""Gram matrices of many rows, as sums of sums.

BLAS libraries add up hundreds of rows or all of them one after the other, so that the rounding of terms of one size
piles up.  A column of 262144 elements +-1.1 has a square that is off by 43 eps with OpenBLAS and by 5400 with MKL; as a
sum of halves of halves it is off by 6 (tests/exam/test_reduction.py has such matrices).
"""

from __future__ import annotations

from matfun.ops import Array, Ops

EMPIRICAL_ROWS, EMPIRICAL_ASPECT = 512, 4
"""Rows left to one product, and how many for each column.  MKL is off by 5 eps for 512 rows and by 65 for 1024.
Fewer than four for each column take a tenth more time (200000 x 256 in double precision), and for 1024 columns half."""


def long_gram(ops: Ops, X: Array) -> Array:
    """X^H X.

    Parameters
    ----------
    ops : Ops
    X : array, shape (..., m, n)
        Cost: one Gram product.
    """
    m, n = X.shape[-2:]
    # a GPU has its own sums of sums, and small products are slow there
    if m <= max(EMPIRICAL_ROWS, EMPIRICAL_ASPECT * n) or ops.prefers_products(X):
        return ops.gram(X)
    return long_gram(ops, X[..., : m // 2, :]) + long_gram(ops, X[..., m // 2 :, :])

"""Products whose sums are long, as sums of sums.

BLAS libraries add up hundreds of terms or all of them one after the other, so that the rounding of equal ones piles up.
A column of 262144 elements +-1.1 has a square that is off by 43 eps with OpenBLAS and by 5300 with MKL; as a sum of
halves of halves it is off by 5 or 6 (benchmarks/results/tall.json; tests/exam/test_reduction.py has such matrices).
"""

from __future__ import annotations

from matfun.ops import Array, Ops

EMPIRICAL_TERMS, EMPIRICAL_ASPECT = 512, 4
"""Terms left to one product, and how many for each column.  MKL is off by 5 eps for 512 terms and by 64 for 1024
(benchmarks/results/tall.json).  Fewer than four for each column took more time in a trial, with many columns most."""

MOST_SUMS = 1024
"""About so many calls at most, whatever the number of terms: of a single column each takes longer than its sum."""


def long_gram(ops: Ops, X: Array) -> Array:
    """X^H X of a matrix with many rows.

    Parameters
    ----------
    ops : Ops
    X : array, shape (..., m, n)
    """
    return _gram(ops, X, _most_terms(ops, X))


def long_product(ops: Ops, X: Array, Y: Array) -> Array:
    """X Y of a matrix with many columns and one with as many rows, one of them a block of few rows or columns.

    Parameters
    ----------
    ops : Ops
    X : array, shape (..., k, m)
    Y : array, shape (..., m, n)
    """
    return _product(ops, X, Y, _most_terms(ops, Y))


def _most_terms(ops: Ops, Y: Array) -> int:
    m, n = Y.shape[-2:]
    if ops.prefers_products(Y) or ops.compiles:  # libraries with sums of sums; small products are slow, or compiled
        return int(m)
    return int(max(EMPIRICAL_TERMS, EMPIRICAL_ASPECT * n, m // MOST_SUMS))


def _gram(ops: Ops, X: Array, most: int) -> Array:
    half = X.shape[-2] // 2
    if X.shape[-2] <= most:
        return ops.gram(X)
    return _gram(ops, X[..., :half, :], most) + _gram(ops, X[..., half:, :], most)


def _product(ops: Ops, X: Array, Y: Array, most: int) -> Array:
    half = Y.shape[-2] // 2
    if Y.shape[-2] <= most:
        return ops.thin_matmul(X, Y)
    return _product(ops, X[..., :half], Y[..., :half, :], most) + _product(ops, X[..., half:], Y[..., half:, :], most)

r"""Reduce a tall matrix to a square one by Cholesky QR, twice: the large matrix is touched by products alone.

$G = X^H X = L L^H$ and $Q_1 = X L^{-H}$, whose Gram matrix is near the identity but for the square of the condition of
X times rounding; $Q_1^H Q_1 = L_2 L_2^H$ mends that, and X = Q R, $Q = Q_1 L_2^{-H}$ orthonormal and $R = L_2^H L^H$ as
accurate as by Householder's method where the condition is below about $1/(8 \sqrt{(mn + n^2) u})$.  Q is not formed:
what it is multiplied with is multiplied with $L_2^{-H}$ first. Source: Yamamoto, Nakatsukasa, Yanagisawa, Fukaya,
Roundoff error analysis of the CholeskyQR2 algorithm, ETNA 44 (2015).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from matfun.ops import Array, Ops

SMALLEST_ASPECT = 1.5
"""Below it what the iteration saves on the square factor is less than what the factorisation takes."""

LARGEST_DEFECT = 5 / 64
"""Of ||Q_1^H Q_1 - I||_2, with which the second pass is proved to be orthonormal to rounding (Lemma 3.1 and Theorem 3.2
there)."""


@dataclass(frozen=True)
class TallFactors:
    """X = Q R of each matrix of a stack.

    Attributes
    ----------
    basis : array, shape (..., m, n)
        Q_1.
    second : array, shape (..., n, n)
        L_2.
    R : array, shape (..., n, n)
        Upper triangular.
    """

    basis: Array
    second: Array
    R: Array

    def times(self, ops: Ops, Y: Array) -> Array:
        """Q Y for Y of shape (..., n, n)."""
        return ops.matmul(self.basis, ops.solve_triangular(ops.adjoint(self.second), Y, lower=False))


PRODUCTS = 4
"""With the large side: two Gram matrices, the triangular solve, and what Q is multiplied with in the end."""


def reduce_tall(ops: Ops, X: Array) -> TallFactors:
    """Factors of X; of a matrix that is too ill-conditioned by Householder's method.  Waits for the device.

    Parameters
    ----------
    ops : Ops
    X : array, shape (..., m, n), m > n
        With elements around 1.
    """
    with ops.quiet():
        L = ops.cholesky(ops.gram(X))
        basis = ops.divide_by_adjoint(X, L)
        gram = ops.gram(basis)
        defect = ops.as_host(ops.plain_norm_fro(ops.add_diagonal(gram, -1.0)))
        good = np.asarray(defect <= LARGEST_DEFECT)  # False for NaN, where a factorisation failed
        second = ops.cholesky(gram)
        R = ops.matmul(ops.adjoint(second), ops.adjoint(L))
    if good.all():
        return TallFactors(basis, second, R)
    Q, by_householder = ops.qr(X)
    keep = ops.from_host(good, X, ops.xp.bool)
    one = ops.xp.broadcast_to(ops.eye(X.shape[-1], X.shape[-1], R), R.shape)
    return TallFactors(ops.select(keep, basis, Q), ops.select(keep, second, one), ops.select(keep, R, by_householder))

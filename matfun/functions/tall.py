r"""Reduce a tall matrix to a square one by Cholesky QR: the large matrix is touched by few products.

$G = X^H X = L L^H$ and $Q_1 = X L^{-H}$, whose Gram matrix is near the identity but for the square of the condition of
X times rounding; $Q_1^H Q_1 = L_2 L_2^H$ mends that, and X = Q R, $Q = Q_1 L_2^{-H}$ orthonormal and $R = L_2^H L^H$ as
accurate as by Householder's method where the condition is below about $1/(8 \sqrt{(mn + n^2) u})$.  Where the
eigenvalues of G are within a factor 2 of their mean the first pass is enough: a second one would mend no more than 3/4
of what rounding leaves.  Q is not formed: what it is multiplied with is multiplied with $L_2^{-H}$, or $L^{-H}$, first.

Where triangular systems are slow, a very tall matrix is multiplied instead: $G = D V S^2 V^H D$, D the norms of its
columns, and $Q_1 = X (D^{-1} V S^{-1})$.  V is orthogonal, and D and S scale columns, so that little is lost in
$X = Q_1 S V^H D$, while by an explicit $L^{-H}$ all digits may be.  A QR factorisation of what is square makes R
triangular again: rules that invert lose backward stability on a full matrix whose rows are graded.

Sources: Yamamoto, Nakatsukasa, Yanagisawa, Fukaya, Roundoff error analysis of the CholeskyQR2 algorithm, ETNA 44
(2015); Stathopoulos, Wu, SIAM J. Sci. Comput. 23 (2002), for the scaled eigenvectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from matfun.functions.long_sums import long_gram
from matfun.ops import Array, Ops

SMALLEST_ASPECT = 1.5
"""Below it what the iteration saves on the square factor is less than what the factorisation takes."""

LARGEST_DEFECT = 5 / 64
"""Of ||Q_1^H Q_1 - I||_2, with which the second pass is proved to be orthonormal to rounding (Lemma 3.1 and Theorem 3.2
there)."""

EVEN = 2.0
"""Largest factor between an eigenvalue of X^H X and their mean for which one pass is enough: the condition of X is then
at most 2, and the columns of Q_1 are orthonormal to 4 times the rounding of the Gram matrix.  Large Gaussian matrices
of aspect a have eigenvalues in (1 +- a^(-1/2))^2 times their mean (Marchenko and Pastur 1967): a >= 12 is within it."""


@dataclass(frozen=True)
class TallFactors:
    """X = Q R of each matrix of a stack, Q = basis transform.

    Attributes
    ----------
    basis : array, shape (..., m, n)
        Q_1; X itself after a single pass, Q by Householder's method.
    transform : array, shape (..., n, n)
        Of a condition of 2 at most: L_2^-H, rotated where R was made triangular; L^-H after a single pass.
    R : array, shape (..., n, n)
        Upper triangular.
    products : int
        With the large side: Gram matrices, what forms Q_1, and what Q is multiplied with in the end.
    """

    basis: Array
    transform: Array
    R: Array
    products: int

    def times(self, ops: Ops, Y: Array) -> Array:
        """Q Y for Y of shape (..., n, n)."""
        return ops.matmul(self.basis, ops.matmul(self.transform, Y))


def reduce_tall(ops: Ops, X: Array) -> TallFactors:
    """Factors of X; of a matrix that is too ill-conditioned by Householder's method.  Waits for the device.

    Parameters
    ----------
    ops : Ops
    X : array, shape (..., m, n), m > n
        With elements around 1.
    """
    with ops.quiet():
        gram = long_gram(ops, X)
        L, enough = ops.cholesky(gram), is_even(ops, gram)
        one = ops.xp.broadcast_to(ops.eye(X.shape[-1], X.shape[-1], gram), gram.shape)
        once = TallFactors(X, _divided(ops, L, one), ops.adjoint(L), products=2) if enough.any() else None
        if once is not None and enough.all():
            return once
        found, good = _in_two_passes(ops, X, gram, L)
    if once is not None:
        found, good = _where(ops, enough, once, found), enough | good
    if good.all():
        return found
    Q, R = ops.qr(X)
    return _where(ops, good, found, TallFactors(Q, one, R, products=4))


def _in_two_passes(ops: Ops, X: Array, gram: Array, L: Array) -> tuple[TallFactors, np.ndarray[Any, Any]]:
    """Factors, and for which matrices they are good."""
    by_eigenvectors = ops.prefers_eigenvectors(X)
    if by_eigenvectors:
        inverse, first = _by_eigenvectors(ops, gram)
        basis = ops.matmul(X, inverse)
    else:
        basis, first = ops.divide_by_adjoint(X, L), ops.adjoint(L)
    gram = long_gram(ops, basis)
    defect = ops.as_host(ops.plain_norm_fro(ops.add_diagonal(gram, -1.0)))
    second = ops.cholesky(gram)
    R = ops.matmul(ops.adjoint(second), first)
    rotation, R = ops.qr(R) if by_eigenvectors else (ops.eye(X.shape[-1], X.shape[-1], R), R)
    rotation = ops.xp.broadcast_to(rotation, R.shape)
    good = np.asarray(defect <= LARGEST_DEFECT)  # False for NaN, where a factorisation failed
    return TallFactors(basis, _divided(ops, second, rotation), R, products=4), good


def _divided(ops: Ops, L: Array, Y: Array) -> Array:
    """L^-H Y."""
    return ops.solve_triangular(ops.adjoint(L), Y, lower=False)


def is_even(ops: Ops, gram: Array) -> np.ndarray[Any, Any]:
    """Whether the eigenvalues of each Gram matrix are within a factor ``EVEN`` of their mean; waits for the device.

    Two Cholesky factorisations tell, which are made only where the mean square of the eigenvalues allows it: with a
    mean of 1, it is largest where they are 1/2 and 2.

    Parameters
    ----------
    ops : Ops
    gram : array, shape (..., n, n)
    """
    n = gram.shape[-1]
    mean = ops.trace(ops.xp.real(gram) if ops.is_complex(gram) else gram) / n
    over = ops.plain_norm_fro(gram) - (EVEN + 1 / EVEN - 1) ** 0.5 * n**0.5 * mean
    possible = np.asarray(ops.as_host(over) <= 0)
    if not possible.any():
        return possible
    for shifted in (ops.add_diagonal(gram, -mean / EVEN), ops.add_diagonal(-gram, mean * EVEN)):
        possible = possible & np.asarray(ops.as_host(ops.all_finite(ops.cholesky(shifted))), dtype=bool)
    return possible


def _by_eigenvectors(ops: Ops, gram: Array) -> tuple[Array, Array]:
    """D^-1 V S^-1 and its inverse S V^-1 D, which derivatives do not go through: any such pair gives the same Q R.

    Ones stand in for what is not positive, which leaves columns far from unit norm.
    """
    squares = ops.xp.linalg.diagonal(gram)
    d = ops.positive_or_one((ops.xp.real(squares) if ops.is_complex(gram) else squares) ** 0.5)
    values, V = ops.eigh(gram / d[..., :, None] / d[..., None, :])
    s, adjoint = ops.positive_or_one(values) ** 0.5, ops.adjoint(V)
    # V is orthogonal to many roundings only, which X = Q R would show; a step of Newton's iteration leaves few
    inverse = ops.add_matmul(adjoint, ops.identity_minus(ops.gram(V)), adjoint)
    outward, back = V / s[..., None, :] / d[..., :, None], s[..., :, None] * inverse * d[..., None, :]
    return ops.constant(outward), ops.constant(back)


def _where(ops: Ops, mask: np.ndarray[Any, Any], first: TallFactors, second: TallFactors) -> TallFactors:
    """The first where the mask holds, else the second."""
    if mask.all() or not mask.any():
        return first if mask.all() else second
    keep = ops.from_host(mask, first.R, ops.xp.bool)
    return TallFactors(
        ops.select(keep, first.basis, second.basis),
        ops.select(keep, first.transform, second.transform),
        ops.select(keep, first.R, second.R),
        second.products,
    )

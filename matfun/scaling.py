"""Bring a matrix to spectral norm at most 1: bounds on the largest singular value, each on the safe side.

* an exact power of two first, so that nothing over- or underflows and scaling costs no rounding;
* the Frobenius norm, an upper bound that is loose by up to sqrt(n);
* ||G^2||_F^(1/4), an upper bound loose by n^(1/4) at most, free for rules that form G^2 in their first step
  (``PolarProblem.scale_by_gram``).
"""

from __future__ import annotations

from dataclasses import dataclass

from matfun.ops import Array, Ops
from matfun.polynomials.update import Scalar


@dataclass(frozen=True)
class Scaled:
    """A matrix and what it was divided by.

    Attributes
    ----------
    X : array, shape (..., m, n)
        A 2^(-exponent) / norm, spectral norm at most 1 up to rounding.
    A : array, shape (..., m, n)
        A 2^(-exponent), the exact copy from which the certificate is computed.
    exponent : array, shape (...)
    norm : Scalar
        Frobenius norm of ``A 2^(-exponent)``; 1 for a zero matrix.
    nonzero : array of bool, shape (...)
    """

    X: Array
    A: Array
    exponent: Array
    norm: Scalar
    nonzero: Array


def scale_to_unit(ops: Ops, A: Array) -> Scaled:
    """Divide by a power of two and the Frobenius norm; a zero matrix stays zero.

    Parameters
    ----------
    ops : Ops
    A : array, shape (..., m, n)
    """
    prescaled, exponent = ops.prescale(A)
    norm = ops.plain_norm_fro(prescaled)
    nonzero = norm > 0
    norm = ops.xp.where(nonzero, norm, ops.xp.ones_like(norm))
    return Scaled(ops.scale(prescaled, 1 / norm), prescaled, exponent, norm, nonzero)

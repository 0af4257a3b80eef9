"""Bring a matrix to spectral norm at most 1: bounds on the largest singular value, each on the safe side.

* an exact power of two first, where powers of the norm need it (``Ops.prescale``): nothing over- or underflows, and
  it costs no rounding;
* ||G^2||_F^(1/4), an upper bound loose by n^(1/4) at most, free for rules that form G^2 in their first step
  (``PolarProblem.scale_by_gram``); its division is folded into that step's coefficients;
* the Frobenius norm, an upper bound loose by up to sqrt(n), for the others; folded in likewise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matfun.ops import Array, Ops
from matfun.polynomials.update import Scalar
from matfun.problems.polar import PolarProblem, PolarState


@dataclass(frozen=True)
class Scaled:
    """What A was divided by to get a start of spectral norm at most 1.

    Attributes
    ----------
    A : array, shape (..., m, n)
        A 2^(-exponent), the exact copy from which the certificate is computed.
    exponent : array, shape (...)
    norm : Scalar
        Divisor of A 2^(-exponent); 1 for a zero matrix.
    """

    A: Array
    exponent: Array
    norm: Scalar

    def divisor(self, ops: Ops) -> Scalar:
        """Divisor of A itself, shape (...); infinite where it is not representable."""
        with ops.quiet():
            return self.norm * ops.power_of_two(self.exponent)


def scale_to_unit(
    problem: PolarProblem, X: Array, *, forms_square: bool, norm: Any = None
) -> tuple[PolarState, Scalar]:
    """State of spectral norm at most 1, and what X was divided by; a zero matrix stays zero.

    Parameters
    ----------
    problem : PolarProblem
    X : array, shape (..., m, n)
        As ``Ops.prescale`` leaves it.
    forms_square : bool
        Whether the first step needs the square of the Gram matrix anyway.
    norm : float or numpy array, optional
        ``Ops.known_norm`` of X, if it is at hand.
    """
    ops: Ops = problem.ops
    if forms_square and not ops.is_narrow_range(X.dtype):
        state = problem.scale_by_gram(PolarState(X))
        return state, state.divisor
    divisor = ops.divisor(X, norm)
    if ops.is_narrow_range(X.dtype):  # where the Gram matrix of X itself could overflow
        return PolarState(ops.scale(X, 1 / divisor)), divisor
    return PolarState(X, divisor=divisor), divisor

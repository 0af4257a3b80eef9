r"""Sign: X moves by $X \leftarrow X h(R)$ with $R = I - X^2$, A square.

X h(R) has the eigenvectors of X, so each eigenvalue moves by $x \leftarrow x\,h(1 - x^2)$ and the limits are 1 and -1.
For Hermitian A this is the polar problem, X^2 = X^H X, which has the stabler rational updates; the functions use that
one there.  Source: Higham, Functions of Matrices (2008), ch. 5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from matfun.ops import Array
from matfun.polynomials.update import ExactRoot, PartialFractions, Polynomial, Scalar, Update
from matfun.problems.factorised import sign_by_schur
from matfun.problems.matrix import MatrixProblem, MatrixResidual, NewtonScaling


@dataclass
class SignState:
    """X.

    Attributes
    ----------
    X : array, shape (..., n, n)
    """

    X: Array


class SignProblem(MatrixProblem):
    """The sign of a general square matrix on one array library."""

    def residual(self, state: SignState) -> SignResidual:
        """I - X^2."""
        self.work.products += 1
        ops, X = self.ops, state.X
        return SignResidual(self, X, ops.matmul(X, X), ops.plain_norm_fro(X) ** 2 / X.shape[-1])

    def update(self, state: SignState, residual: SignResidual, h: Update) -> SignState:
        """X h(R)."""
        ops, X = self.ops, state.X
        if isinstance(h, ExactRoot):
            self.work.products += 1
            return SignState(sign_by_schur(ops, X))
        if isinstance(h, PartialFractions):
            return SignState(self._rational(X, residual, h))
        if h.degree == 0:
            return SignState(ops.scale(X, h.coefficients[0]))
        self.work.products += 1
        return SignState(ops.add_matmul(X, X, residual.polynomial(h), beta=h.coefficients[0]))

    def _rational(self, X: Array, residual: SignResidual, h: PartialFractions) -> Array:
        ops = self.ops
        total = ops.scale(X, h.constant)
        if h.higher:
            higher = Polynomial((0.0, *h.higher), "gram")
            total = ops.add_matmul(total, X, residual.polynomial(higher))
            self.work.products += 1
        for weight, shift in zip(h.weights, h.shifts, strict=True):
            # X (X^2)^-1 = X^-1 does not square the condition
            term = residual.inverse() if shift == 0 else ops.solve(ops.add_diagonal(residual.one_minus, shift), X)
            self.work.products += 1
            total = total + ops.scale(term, weight)
        return total

    def select(self, mask: np.ndarray[Any, Any], new: SignState, old: SignState) -> SignState:
        """Matrix by matrix."""
        return SignState(self.pick(mask, new.X, old.X))


class SignResidual(MatrixResidual):
    """I - X^2, which remembers X for its inverse."""

    def __init__(self, problem: SignProblem, X: Array, square_of_X: Array, scale: Scalar) -> None:
        super().__init__(problem, square_of_X, hermitian=False, scale=scale)
        self._X = X

    def inverse(self) -> Array:
        """X^-1."""
        if self._inverse is None:
            self._inverse = self.problem.ops.inverse(self._X)
        return self._inverse

    inverse_products = 2

    def apply_inverse(self, Z: Array, multiply: Callable[[Array, Array], Array]) -> Array:
        """X^-2 Z."""
        inverse = self.inverse()
        return multiply(inverse, multiply(inverse, Z))

    def newton_scaling(self, kind: NewtonScaling) -> Scalar:
        """Factor mu of Newton's iteration from the sizes of X and X^-1."""
        return self._scaling(kind, self._X, self.inverse(), 1 / 2)

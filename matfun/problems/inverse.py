r"""Inverse: X moves by $X \leftarrow X h(R)$ with $R = I - A X$, recomputed from A in every step.

With the Taylor polynomials of 1/(1 - r) these are the hyperpower iterations of Schulz (order 2), Chebyshev (order 3)
and Altman; they correct their own rounding errors, which makes them stable, and the start need not commute with A.
Source: Higham, Functions of Matrices (2008), sec. 7.1; Ben-Israel and Greville (2003), ch. 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from matfun.ops import Array
from matfun.polynomials.update import ExactRoot, PartialFractions, Update
from matfun.problems.matrix import MatrixProblem, MatrixResidual


@dataclass
class InverseState:
    """X.

    Attributes
    ----------
    X : array, shape (..., n, n)
    """

    X: Array


class InverseProblem(MatrixProblem):
    """The inverse of A on one array library.

    Parameters
    ----------
    ops : Ops
    rng : numpy.random.Generator, seed or None
    A : array, shape (..., n, n)
    """

    p = 1

    def __init__(self, ops: Any, rng: Any = None, *, A: Array) -> None:
        super().__init__(ops, rng)
        self.A = A
        self._size = ops.plain_norm_fro(A) / A.shape[-1]

    def residual(self, state: InverseState) -> MatrixResidual:
        """I - A X."""
        self.work.products += 1
        ops = self.ops
        scale = self._size * ops.plain_norm_fro(state.X)
        return MatrixResidual(self, ops.matmul(self.A, state.X), hermitian=False, scale=scale)

    def update(self, state: InverseState, residual: MatrixResidual, h: Update) -> InverseState:
        """X h(R)."""
        ops, X = self.ops, state.X
        if isinstance(h, ExactRoot):
            self.work.products += 1
            return InverseState(ops.inverse(self.A))
        if isinstance(h, PartialFractions):
            self.work.products += 1
            return InverseState(ops.matmul(X, self.function_matrix(residual, h)))
        if h.degree == 0:
            return InverseState(ops.scale(X, h.coefficients[0]))
        self.work.products += 1
        return InverseState(ops.add_matmul(X, X, residual.polynomial(h), beta=h.coefficients[0]))

    def select(self, mask: np.ndarray[Any, Any], new: InverseState, old: InverseState) -> InverseState:
        """Matrix by matrix."""
        return InverseState(self.pick(mask, new.X, old.X))

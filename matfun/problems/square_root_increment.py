r"""Square root by increments: $X \leftarrow X + E$, $E \leftarrow -\frac12 E X^{-1} E$, Iannazzo's IN iteration.

It knows one function only, Newton's h = (1 + 1/g)/2, and takes every update for it.  With $M = X^2 A^{-1}$ the
increment is $E = X (M^{-1} - I)/2$, so that the residual is read off $E X^{-1}$ without A: it is $I - M^{-1}$, which
equals M - I to first order, and I - A itself at the start X = A, where nothing has to be inverted.
Source: Iannazzo, Calcolo 40, 2003; Higham, Functions of Matrices (2008), eq. 6.20.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from matfun.ops import Array
from matfun.polynomials.update import Update
from matfun.problems.matrix import MatrixProblem, MatrixResidual


@dataclass
class IncrementState:
    """X, its next increment, and what the residual is read off.

    Attributes
    ----------
    X, E : array, shape (..., n, n)
    inverse : array, shape (..., n, n), or None
        X^-1; None at the start.
    one_minus : array, shape (..., n, n)
        I - R.
    """

    X: Array
    E: Array
    inverse: Array | None
    one_minus: Array


class IncrementResidual(MatrixResidual):
    """I - M^-1, whose eigenvalues are near 1 where Newton's first step has made m large: no sign of a null space."""

    def projector_defect(self) -> Array:
        """Infinite, so that nothing is taken for one."""
        return self.norm() * float("inf")


class SquareRootIncrementProblem(MatrixProblem):
    """The IN iteration on one array library."""

    def begin(self, A: Array) -> IncrementState:
        """X = A, E = (I - A)/2."""
        return IncrementState(A, self.ops.add_diagonal(A * -0.5, 0.5), None, A)

    def residual(self, state: IncrementState) -> MatrixResidual:
        """I - A at the start, -2 E X^-1 after."""
        ops, scale = self.ops, 1.0
        if state.inverse is not None:
            scale = ops.plain_norm_fro(state.X) * ops.plain_norm_fro(state.inverse) / state.X.shape[-1]
        return IncrementResidual(self, state.one_minus, hermitian=False, scale=scale)

    def update(self, state: IncrementState, residual: MatrixResidual, h: Update) -> IncrementState:  # noqa: ARG002
        """One step, whatever h: Newton's."""
        ops = self.ops
        X, E = state.X + state.E, state.E
        inverse = ops.inverse(X)
        E = ops.matmul(E, ops.matmul(inverse, E)) * -0.5
        self.work.products += 4
        return IncrementState(X, E, inverse, ops.add_diagonal(ops.matmul(E, inverse) * 2.0, 1.0))

    def select(self, mask: np.ndarray[Any, Any], new: IncrementState, old: IncrementState) -> IncrementState:
        """Matrix by matrix."""
        if mask.ndim == 0 or mask.all() or not mask.any():
            return new if mask.all() else old
        inverse = new.inverse
        if inverse is not None and old.inverse is not None:
            inverse = self.pick(mask, inverse, old.inverse)
        return IncrementState(
            self.pick(mask, new.X, old.X),
            self.pick(mask, new.E, old.E),
            inverse,
            self.pick(mask, new.one_minus, old.one_minus),
        )

r"""Inverse p-th root, coupled: $X \leftarrow X h(R)$, $M \leftarrow h(R)^p M$ with $R = I - M$.

From X = I and M = A, M tends to I and X to $A^{-1/p}$, since $X^p A = M$ throughout.  All matrices are functions of A,
so for Hermitian A everything is Hermitian and M is kept so.  Sources: Guo and Higham, SIMAX 28(3), 2006; Iannazzo,
SIMAX 28(2), 2006; Higham, Functions of Matrices (2008), ch. 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from matfun.ops import Array
from matfun.polynomials.update import ExactRoot, PartialFractions, Update
from matfun.problems.factorised import eigen_function, power_by_schur
from matfun.problems.matrix import MatrixProblem, MatrixResidual


@dataclass
class InverseRootState:
    """X and M.

    Attributes
    ----------
    X : array, shape (..., n, n), or None
        None for the identity, which saves the first product.
    M : array, shape (..., n, n)
    """

    X: Array | None
    M: Array


class InverseRootProblem(MatrixProblem):
    """The inverse p-th root on one array library.

    Parameters
    ----------
    ops : Ops
    rng : numpy.random.Generator, seed or None
    p : int
    hermitian : bool
    """

    def __init__(self, ops: Any, rng: Any = None, *, p: int, hermitian: bool = False) -> None:
        super().__init__(ops, rng)
        self.p = p
        self.hermitian = hermitian

    def residual(self, state: InverseRootState) -> MatrixResidual:
        """I - M."""
        return MatrixResidual(self, state.M, hermitian=self.hermitian)

    def update(self, state: InverseRootState, residual: MatrixResidual, h: Update) -> InverseRootState:
        """X h(R) and h(R)^p M."""
        ops, X, M = self.ops, state.X, state.M
        if isinstance(h, ExactRoot):  # H^p M could tell its own rounding only, kappa eps, not that of H
            return InverseRootState(self._exact(M, h), self.identity_like(M))
        if isinstance(h, PartialFractions) or h.degree == 0:
            H = ops.xp.broadcast_to(self.function_matrix(residual, h), M.shape)
        else:
            H = self.function_matrix(residual, h)
        if X is None:
            X_new = H
        else:
            X_new = ops.matmul(X, H)
            self.work.products += 1
        M = ops.matmul(self._power(H), M)
        self.work.products += 1
        return InverseRootState(X_new, ops.hermitian_part(M) if self.hermitian else M)

    def _power(self, H: Array) -> Array:
        """H^p, an exact p-th power for every p, by repeated squaring from the leading bit."""
        power = H
        for bit in bin(self.p)[3:]:
            power = self.ops.square(power) if self.hermitian else self.ops.matmul(power, power)
            self.work.products += 1
            if bit == "1":
                power = self.ops.matmul(power, H)
                self.work.products += 1
        return power

    def _exact(self, M: Array, h: ExactRoot) -> Array:
        self.work.products += 1
        if h.factorisation == "eigh":
            (root,) = eigen_function(self.ops, M, lambda x: x ** (-1 / self.p))
            return root
        return self.ops.inverse(power_by_schur(self.ops, M, 1 / self.p))

    def select(self, mask: np.ndarray[Any, Any], new: InverseRootState, old: InverseRootState) -> InverseRootState:
        """Matrix by matrix."""
        if mask.ndim == 0 or mask.all() or not mask.any():
            return new if mask.all() else old
        X, X_old = (self.identity_like(s.M) if s.X is None else s.X for s in (new, old))
        return InverseRootState(self.pick(mask, X, X_old), self.pick(mask, new.M, old.M))

r"""Square root and its inverse, coupled: $Y \leftarrow Y h(R)$, $Z \leftarrow h(R) Z$ with $R = I - Z Y$.

From Y = A and Z = I, Y tends to $A^{1/2}$ and Z to $A^{-1/2}$, and every eigenvalue of Z Y moves as the square of a
singular value does in the polar problem.  The order of the factors matters: with R = I - Z Y, Y h(R) and h(R) Z the
fixed point is stable, with R made Hermitian, or Y and Z exchanged in it, it is not (Higham, Functions of Matrices,
2008, sec. 6.4; Higham, Mackey, Mackey, Tisseur, SIMAX 26(3), 2005).

Newton's rule on it is Denman and Beavers' iteration in its product form, but for one thing: there M = Z Y is carried
along by its own recursion (Cheng, Higham, Kenney, Laub, SIMAX 22(4), 2001), here it is multiplied out in every step.
That costs one more product and keeps Y and Z inverses of each other, on which the accuracy of the root depends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from matfun.ops import Array
from matfun.polynomials.update import ExactRoot, PartialFractions, Update
from matfun.problems.factorised import eigen_function, square_root_by_schur
from matfun.problems.matrix import MatrixProblem, MatrixResidual


@dataclass
class SquareRootState:
    """Y and Z.

    Attributes
    ----------
    Y : array, shape (..., n, n)
    Z : array, shape (..., n, n), or None
        None for the identity, which saves the first product.
    """

    Y: Array
    Z: Array | None = None


class SquareRootProblem(MatrixProblem):
    """The coupled square roots on one array library.

    Parameters
    ----------
    ops : Ops
    rng : numpy.random.Generator, seed or None
    hermitian : bool
        Whether A is Hermitian; says which factorisation serves, the iteration is the same.
    """

    def __init__(self, ops: Any, rng: Any = None, *, hermitian: bool = False) -> None:
        super().__init__(ops, rng)
        self.hermitian = hermitian

    def residual(self, state: SquareRootState) -> MatrixResidual:
        """I - Z Y."""
        ops, Y, Z = self.ops, state.Y, state.Z
        if Z is None:
            return MatrixResidual(self, Y, hermitian=self.hermitian)
        # the rounding of Z Y, and of its difference from I, has the size of ||Z|| ||Y||
        scale = ops.plain_norm_fro(Z) * ops.plain_norm_fro(Y) / Y.shape[-1]
        self.work.products += 1
        return MatrixResidual(self, ops.matmul(Z, Y), hermitian=False, scale=scale)

    def update(self, state: SquareRootState, residual: MatrixResidual, h: Update) -> SquareRootState:
        """Y h(R) and h(R) Z."""
        ops, Y, Z = self.ops, state.Y, state.Z
        if isinstance(h, ExactRoot):
            return self._exact(Y, h)
        if isinstance(h, PartialFractions):
            H = self.function_matrix(residual, h)
            self.work.products += 1 if Z is None else 2
            return SquareRootState(ops.matmul(Y, H), H if Z is None else ops.matmul(H, Z))
        c0 = h.coefficients[0]
        if Z is None:
            Z_new = ops.xp.broadcast_to(self.function_matrix(residual, h), Y.shape)
            self.work.products += h.degree > 0
            return SquareRootState(ops.matmul(Y, Z_new) if h.degree else ops.scale(Y, c0), Z_new)
        if h.degree == 0:
            return SquareRootState(ops.scale(Y, c0), ops.scale(Z, c0))
        T = residual.polynomial(h)
        self.work.products += 2
        return SquareRootState(ops.add_matmul(Y, Y, T, beta=c0), ops.add_matmul(Z, T, Z, beta=c0))

    def _exact(self, Y: Array, h: ExactRoot) -> SquareRootState:
        self.work.products += 1
        if h.factorisation == "eigh":
            return SquareRootState(*eigen_function(self.ops, Y, lambda x: x**0.5, lambda x: x**-0.5))
        root = square_root_by_schur(self.ops, Y)
        return SquareRootState(root, self.ops.inverse(root))

    def select(self, mask: np.ndarray[Any, Any], new: SquareRootState, old: SquareRootState) -> SquareRootState:
        """Matrix by matrix."""
        if mask.ndim == 0 or mask.all() or not mask.any():
            return new if mask.all() else old
        Z, Z_old = (self.identity_like(s.Y) if s.Z is None else s.Z for s in (new, old))
        return SquareRootState(self.pick(mask, new.Y, old.Y), self.pick(mask, Z, Z_old))

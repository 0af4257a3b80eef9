r"""Polar factor in Gram form: the iteration on n x n matrices, X touched at the ends of a block of steps only.

$Q \leftarrow Q h(R)$ and $G \leftarrow h(R)\,G\,h(R)$ with $R = I - G$ move the singular values as $X \leftarrow X
h(R)$ does, X Q being the iterate and G its Gram matrix.  All are functions of one G and commute, so that the products
are Hermitian, and $h G h = G h^2$ takes a square and a product.  A block of one step is a step of the standard form.
Where blocks end: matfun/polynomials/gram_form.py.  Source: Gram Newton-Schulz (Dao AI Lab, 2026).
"""

from __future__ import annotations

from typing import Any

from matfun.ops import Ops
from matfun.polynomials.update import Polynomial
from matfun.problems.polar import PolarProblem, PolarResidual, PolarState


class PolarGramProblem(PolarProblem):
    """The polar problem in Gram form, for polynomial rules and a fixed number of steps.

    Parameters
    ----------
    ops : Ops
    rng : numpy.random.Generator, seed or None
        Source of sketches.
    steps : int
    restarts : tuple of int
        Steps before which X is multiplied with its factor and a new Gram matrix is formed.
    """

    def __init__(self, ops: Ops, rng: Any, steps: int, restarts: tuple[int, ...]) -> None:
        super().__init__(ops, rng)
        self._ends = (*restarts, steps)

    def update(self, state: PolarState, residual: PolarResidual | None, h: Any) -> PolarState:
        """Q h(R) and h(R) G h(R), or X Q h(R) at the end of a block."""
        ops, step = self.ops, state.step + 1
        if state.factor is None and step in self._ends:
            return PolarState(super().update(state, residual, h).X, step=step)
        assert isinstance(h, Polynomial)
        assert residual is not None
        X, h, S, square = residual.operands(h)
        gram = S if h.basis == "gram" else residual.one_minus
        P = ops.polynomial_matrix(S, h, square)
        self.work.products += h.symmetric_products - (square is not None and h.symmetric_products > 0)
        factor = P
        if state.factor is not None:
            self.work.products += 1
            factor = ops.symm_matmul(state.factor, P)
        if step in self._ends:
            self.work.products += 1
            return PolarState(ops.times_hermitian(X, factor), step=step)
        self.work.products += 2
        # What is not Hermitian in G grows as no error of an eigenvalue does: between a large and a small value by the
        # square of the slope a step.
        carried = ops.hermitian_product(gram, ops.square(P))
        return PolarState(X, carried, factor=factor, step=step)

"""The polar problem on its singular values alone: what every matrix run must reproduce, in microseconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from matfun.polynomials.minimise import argmin_on_interval, grid
from matfun.polynomials.update import ExactRoot, Polynomial, Scalar, Update
from matfun.problems.problem import Work

Vector = np.ndarray[Any, Any]


class SpectrumProblem:
    """sigma <- sigma h(1 - sigma^2) on a vector of singular values.

    Parameters
    ----------
    rng : numpy.random.Generator, optional
        Draws the sketch of a diagonal matrix with these singular values, the same as a matrix run
        on that matrix with an equal generator draws.
    """

    p = 2

    def __init__(self, rng: np.random.Generator | None = None) -> None:
        self.work = Work()
        self._rng = np.random.default_rng() if rng is None else rng
        self._weights: dict[int, Vector] = {}

    def weights(self, size: int, columns: int) -> Vector:
        """Squared row norms of the sketch: the weight that each singular value gets."""
        if columns not in self._weights:
            draw = self._rng.standard_normal((size, columns)) * columns**-0.5
            self._weights[columns] = np.sum(draw * draw, axis=1)
        return self._weights[columns]

    def residual(self, state: Vector) -> SpectrumResidual:
        """1 - sigma^2."""
        self.work.products += 1
        return SpectrumResidual(self, 1 - state * state)

    def update(self, state: Vector, residual: SpectrumResidual, h: Update) -> Vector:
        """Move every singular value by h, and count what matrices would cost."""
        self.work.products += 1
        if isinstance(h, ExactRoot):
            return np.asarray(state * 0 + 1)  # of a zero singular value too: an SVD completes it
        if isinstance(h, Polynomial):
            self.work.products += h.symmetric_products - (residual.squared and h.symmetric_products > 0)
        return np.asarray(state * h(residual.r))

    def select(self, mask: Vector, new: Vector, old: Vector) -> Vector:
        """A spectrum is one member."""
        return new if mask.all() else old

    def as_host(self, x: Any) -> Vector:
        """Give x, which is on the host, as an array."""
        return np.asarray(x)


class SpectrumResidual:
    """r = 1 - sigma^2."""

    def __init__(self, problem: SpectrumProblem, r: Vector) -> None:
        self.problem, self.r, self.squared = problem, r, False

    def norm(self) -> Any:
        """Frobenius norm of the diagonal matrix of r."""
        return np.sqrt(np.sum(self.r * self.r))

    def projector_defect(self) -> Any:
        """Norm of r^2 - r."""
        return np.sqrt(np.sum((self.r * self.r - self.r) ** 2))

    def inner_products(self, polynomials: Sequence[Sequence[float]], sketch_size: int | None) -> list[list[Scalar]]:
        """Weighted sums of u_a(r) u_b(r)."""
        highest = max(len(u) for u in polynomials) - 1
        if sketch_size is None:
            weights: Any = 1.0
            self.problem.work.products += highest - 1
            self.squared = highest > 1
        else:
            weights = self.problem.weights(self.r.shape[0], sketch_size)
            self.problem.work.thin += highest
        values = [Polynomial(tuple(u))(self.r) for u in polynomials]
        return [[np.sum(weights * a * b) for b in values] for a in values]

    def argmin(self, coefficients: Sequence[Scalar], lower: float, upper: float) -> Scalar:
        """Minimiser of the objective, a float."""
        exact = [np.asarray(float(c)) for c in coefficients]
        return float(argmin_on_interval(np, exact, np.asarray(grid(lower, upper)), lower, upper))

"""The problems on their spectra alone: what every matrix run must reproduce, in microseconds.

Every problem moves M, with eigenvalues m = 1 - r, by m <- m h(r)^p.  Here it is sigma = m^(1/p) that moves, by sigma <-
sigma h(1 - sigma^p): a singular value for the polar factor, the modulus of an eigenvalue for the sign, the square root
of an eigenvalue of Z Y, the p-th root of one of M.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from matfun.ops import Ops
from matfun.polynomials.minimise import Solver, argmin_by_roots, argmin_on_interval, grid
from matfun.polynomials.update import Basis, ExactRoot, PartialFractions, Polynomial, Scalar, Update
from matfun.problems.matrix import SCALE_WHILE_ABOVE, NewtonScaling
from matfun.problems.problem import Work
from matfun.sketching.ends import Ends, root
from matfun.sketching.lanczos import ends, lanczos

Vector = np.ndarray[Any, Any]

_HOST = Ops(np)

PROBLEMS = ("polar", "sign", "sqrt", "invroot", "inv")


class SpectrumProblem:
    """sigma <- sigma h(1 - sigma^p) on a vector, and what the step costs matrices.

    Parameters
    ----------
    rng : numpy.random.Generator, optional
        Draws the sketch of a diagonal matrix with these singular values, the same as a matrix run
        on that matrix with an equal generator draws.
    problem : {"polar", "sign", "sqrt", "invroot", "inv"}
        Whose price is counted.
    p : int
        2 for the first three, 1 for the last.
    increments : bool
        Whether the square root is carried by increments, at one inverse and three products a step.
    """

    def __init__(
        self, rng: np.random.Generator | None = None, problem: str = "polar", p: int = 2, *, increments: bool = False
    ) -> None:
        self.p = p
        self.largest = 1.0
        self._increments = increments
        self.work = Work()
        self._problem = problem
        self._steps = 0
        self._rng = np.random.default_rng() if rng is None else rng
        self._blocks: dict[int, Vector] = {}

    def block(self, size: int, columns: int, *, fresh: bool = False) -> Vector:
        """Return the sketch, drawn once unless a fresh one is asked: row i belongs to singular value i."""
        if fresh:
            return np.asarray(self._rng.standard_normal((size, columns)) * columns**-0.5)
        if columns not in self._blocks:
            self._blocks[columns] = self._rng.standard_normal((size, columns)) * columns**-0.5
        return self._blocks[columns]

    def weights(self, size: int, columns: int, *, fresh: bool = False) -> Vector:
        """Squared row norms of the sketch: the weight that each singular value gets."""
        draw = self.block(size, columns, fresh=fresh)
        return np.asarray(np.sum(draw * draw, axis=1))

    def residual(self, state: Vector) -> SpectrumResidual:
        """1 - sigma^p."""
        starts_with_identity = self._problem == "sqrt" and (self._steps == 0 or self._increments)
        self.work.products += self._problem != "invroot" and not starts_with_identity
        return SpectrumResidual(self, state)

    def update(self, state: Vector, residual: SpectrumResidual, h: Update) -> Vector:
        """Move every value by h, and count what matrices would cost."""
        self.work.products += self._applications(h)
        self._steps += 1
        if isinstance(h, ExactRoot):
            return np.asarray(state * 0 + 1)  # of a zero singular value too: an SVD completes it
        if isinstance(h, Polynomial):
            self.work.products += h.symmetric_products - (residual.squared and h.symmetric_products > 0)
        else:
            higher = Polynomial((0.0, *h.higher)).symmetric_products
            self.work.products += len(h.weights) + higher
        return np.asarray(state * h.at(residual.r, residual.g))

    def _applications(self, h: Update) -> int:
        """Products that apply h, once it has been formed."""
        exact = isinstance(h, ExactRoot)
        constant = isinstance(h, Polynomial) and h.degree == 0
        rational = isinstance(h, PartialFractions)
        first = self._steps == 0
        if exact:
            return 1
        if self._increments:
            return 3
        if self._problem == "invroot":
            power = len(bin(self.p)) - 3 + bin(self.p)[3:].count("1")
            return power + 1 + (not first)
        if constant:
            return 0 if self._problem != "polar" else 1
        if self._problem == "sqrt":
            return 1 if first else 2
        if rational and self._problem != "inv":
            return int(bool(h.higher))  # type: ignore[union-attr]
        return 1

    def select(self, mask: Vector, new: Vector, old: Vector) -> Vector:
        """A spectrum is one member."""
        return new if mask.all() else old

    def as_host(self, x: Any) -> Vector:
        """Give x, which is on the host, as an array."""
        return np.asarray(x)


class SpectrumResidual:
    """r = 1 - g with g = sigma^p, both kept: near 1 the one has the digits, near 0 the other."""

    def __init__(self, problem: SpectrumProblem, sigma: Vector) -> None:
        self.problem, self.sigma, self.squared = problem, sigma, False
        self.g = sigma**problem.p
        self.r = 1 - self.g

    def norm(self) -> Any:
        """Frobenius norm of the diagonal matrix of r."""
        return np.sqrt(np.sum(self.r * self.r))

    def rounding(self) -> Scalar:
        """As for an isometry."""
        return 1.0

    def projector_defect(self) -> Any:
        """Norm of r^2 - r."""
        return np.sqrt(np.sum((self.r * self.r - self.r) ** 2))

    def inner_products(
        self,
        polynomials: Sequence[Sequence[float]],
        sketch_size: int | None,
        *,
        square: bool = False,
        fresh: bool = False,
    ) -> list[list[Scalar]]:
        """Weighted sums of u_a(r) u_b(r)."""
        highest = max(len(u) for u in polynomials) - 1
        if sketch_size is None:
            weights: Any = 1.0
            self.problem.work.products += highest - 1
            self.squared = highest > 1
        else:
            weights = self.problem.weights(self.r.shape[0], sketch_size, fresh=fresh)
            self.squared = square and highest > 1
            self.problem.work.products += self.squared
            self.problem.work.thin += 1 + highest // 2 if self.squared else highest
        values = [Polynomial(tuple(u))(self.r) for u in polynomials]
        return [[np.sum(weights * a * b) for b in values] for a in values]

    def argmin(self, coefficients: Sequence[Scalar], lower: float, upper: float, solver: Solver = "grid") -> Scalar:
        """Minimiser of the objective, a float."""
        exact = [np.asarray(float(c)) for c in coefficients]
        if solver == "roots":
            return float(argmin_by_roots(np, exact, lower, upper))
        return float(argmin_on_interval(np, exact, np.asarray(grid(lower, upper)), lower, upper))

    def ends(self, columns: int | None, products: int) -> Ends:
        """Ends of the spectrum as seen from the sketch, or as they are."""
        if columns is None:
            low, high = float(np.min(self.sigma)), np.asarray(float(np.max(self.sigma)))
            return Ends(low, high, low, high)
        r = np.asarray(self.r, dtype=np.float64)
        runs = lanczos(_HOST, lambda Z: r[:, None] * Z, self.problem.block(r.shape[0], columns), products)
        self.problem.work.thin += len(runs.alphas)
        return ends(_HOST, runs).reversed(lambda r: root(np, 1 - r, self.problem.p))

    def clip(self, x: Scalar, lower: Scalar, upper: Scalar) -> Scalar:
        """As for matrices."""
        return _HOST.clip(x, lower, upper)

    def minimax(self, degree: int, lower: Scalar, upper: Scalar, narrowest: float, basis: Basis) -> Polynomial:
        """As for matrices."""
        return _HOST.minimax(degree, self.problem.p, np.asarray(lower), np.asarray(upper), narrowest, basis)

    def newton_scaling(self, kind: NewtonScaling) -> Scalar:
        """Newton's factor for the diagonal matrix of sigma."""
        s = self.sigma if self.problem._problem in ("polar", "sign") else self.g
        power = 1 / 2 if self.problem._problem in ("polar", "sign") else 1 / 4
        if not self.norm() > SCALE_WHILE_ABOVE:
            return 1.0
        if kind == "one-inf":
            return (1 / (np.min(s) * np.max(s))) ** power
        if kind == "frobenius":
            with np.errstate(divide="ignore"):  # infinite for a zero among them, as for the singular matrix
                return (np.sum(s**-2) / np.sum(s**2)) ** (power / 2)
        mean: Scalar = np.prod(s ** (-2 * power / s.shape[0]))
        return mean

    def newton_fit(self, mu: Scalar, sketch_size: int | None) -> tuple[Scalar, ...]:
        """The quartic of the next residual, as the matrix problems form it."""
        inverse_products = 2 if self.problem._problem in ("polar", "sign") else 1
        square = mu * mu
        first = (1 - square) + square * self.r
        last = first * first / (square * self.g)
        if sketch_size is None:
            weights: Any = 1.0
            self.problem.work.products += 1 + inverse_products
        else:
            weights = self.problem.weights(self.r.shape[0], sketch_size)
            self.problem.work.thin += 2 + inverse_products
        a, b, c = (np.sum(weights * x) for x in (first * first, first * last, last * last))
        return (a, -4 * a, 4 * a - 2 * b, 4 * b, c)

r"""Least squares and minimax fits of 1 by x h(y), x = y^(1/p), on a discrete measure.

* Least squares: orthonormal polynomials of the measure $w x^2$ by the Arnoldi process ("Vandermonde with Arnoldi",
  Brubeck, Nakatsukasa, Trefethen, SIAM Review 63(2), 2021), in which the best h is a projection.
* Minimax: $x, xy, \dots, xy^q$ are a Chebyshev system on y > 0, so that the best h is the one whose error takes
  $+E, -E, \dots$ at q + 2 points, with E the largest.  The exchange raises E strictly and ends after
  finitely many steps (de la Vallée Poussin; Cheney, Introduction to Approximation Theory, ch. 3).

Near 1.  Where every node is within ``NEAR`` of 1, a correction to the Taylor polynomial in r = 1 - y is fitted to that
polynomial's error, which is a series without cancellation: E comes out relatively accurate, though it be far below the
unit roundoff.  The monomial coefficients come from the fit in exact fractions and are rounded once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from scipy.linalg import qr

from matfun.polynomials.measure import SpectralMeasure
from matfun.polynomials.taylor import taylor_inverse_root
from matfun.polynomials.update import Basis, Polynomial

NEAR = 0.5
"""Largest |r| for the series: its terms fall at least as fast as 2^-i."""

SERIES_TERMS = 60
"""2^-60 is below the unit roundoff of float64, and the coefficients of the series do not grow."""

BREAKDOWN = 64 * 2.0**-52
"""A new direction shorter than this multiple of the rounding is none: the measure has no more points."""

EMPIRICAL_MAX_EXCHANGES = 50
"""The most seen was 6, on 6000 measures of seven kinds, up to 600 points and degrees up to 17."""

LEVELLED = 1e-14
"""Excess of the largest error over the level, relative to it, that is rounding."""


@dataclass(frozen=True)
class Fit:
    r"""A fitted h and its error.

    Attributes
    ----------
    polynomial : Polynomial
        h, in the basis that keeps the digits: "residual" where every node is within 1/2 of 1, else "gram".
    error : float
        Attained by h before its coefficients are rounded, which may add some $2^{-53} \sum_i |c_i| x y^i$.
        Least squares: $(\sum w (1 - x h)^2)^{1/2}$, weights summing to 1; minimax: $\max |1 - x h|$ over the positive
        nodes.
    """

    polynomial: Polynomial
    error: float

    @property
    def coefficients(self) -> tuple[float, ...]:
        """c_0, c_1, ... of h in y (gram basis); for p = 2 those of x, x^3, ... in x h(x^2)."""
        return self.polynomial.in_basis("gram").coefficients


def fit_least_squares(measure: SpectralMeasure, degree: int, p: int = 2) -> Fit:
    r"""Polynomial h that minimises $\sum_i w_i (1 - x_i h(y_i))^2$, $x = y^{1/p}$.

    Parameters
    ----------
    measure : SpectralMeasure
    degree : int
        Odd; h has the degree q = (degree - 1)/2, so that for p = 2 this is the degree in X.
    p : int
        2 for the polar factor, the sign and square roots; p for the inverse p-th root, 1 for the inverse.

    Returns
    -------
    Fit
        Of the lowest degree that attains the minimum, where the positive nodes are fewer than the coefficients.  A
        node at 0 adds its weight to the squared error, whatever h is; with no other, h = 0.

    Raises
    ------
    ValueError
        For an even degree or p below 1.

    Examples
    --------
    >>> fit = fit_least_squares(SpectralMeasure.from_spectrum([0.5, 1.0]), 3)
    >>> [round(c, 12) for c in fit.coefficients], fit.error < 1e-15
    ([2.333333333333, -1.333333333333], True)
    """
    setting = _Setting.of(measure, degree, p)
    if setting.y.size == 0:
        return Fit(Polynomial((0.0,), "gram"), 1.0)
    h, left = setting.project(setting.w)
    at_zero = measure.weights[0] if measure.nodes[0] == 0 else 0.0
    return Fit(h, float(np.sqrt(left @ left + at_zero)))


def fit_minimax(measure: SpectralMeasure, degree: int, p: int = 2) -> Fit:
    r"""Polynomial h that minimises $\max_i |1 - x_i h(y_i)|$, $x = y^{1/p}$.

    Parameters
    ----------
    measure : SpectralMeasure
        Its weights play no part.  Nodes at 0 are left out, since the error there is 1 whatever h is.
    degree : int
        Odd, as for ``fit_least_squares``.
    p : int

    Returns
    -------
    Fit
        The error is a lower bound of that of every such h on any set that contains the nodes.  With no more positive
        nodes than coefficients, the interpolant of lowest degree.

    Raises
    ------
    ValueError
        For an even degree or p below 1.

    Examples
    --------
    >>> fit = fit_minimax(SpectralMeasure.from_spectrum([0.5, 0.75, 1.0]), 3)
    >>> h = fit.coefficients
    >>> [round(1 - x * (h[0] + h[1] * x * x), 9) for x in (0.5, 0.75, 1.0)]
    [0.085714286, -0.085714286, 0.085714286]
    """
    setting = _Setting.of(measure, degree, p)
    if setting.y.size == 0:
        return Fit(Polynomial((0.0,), "gram"), 1.0)
    if setting.y.size <= setting.q + 1:
        h, left = setting.project(np.ones_like(setting.y))
        return Fit(h, float(np.abs(left).max()))
    return setting.exchange()


@dataclass(frozen=True)
class _Setting:
    """Nodes above 0, and the target: 1 - x g for the polynomial g that a correction d is fitted to; h = g + d."""

    q: int
    y: np.ndarray[Any, Any]
    w: np.ndarray[Any, Any]
    x: np.ndarray[Any, Any]
    s: np.ndarray[Any, Any]  # the variable of the basis, r or y
    target: np.ndarray[Any, Any]
    start: tuple[float, ...]
    basis: Basis

    @classmethod
    def of(cls, measure: SpectralMeasure, degree: int, p: int) -> _Setting:
        if not isinstance(measure, SpectralMeasure):
            raise TypeError(f"measure: expected a SpectralMeasure, got {type(measure).__name__}")
        for name, value in (("degree", degree), ("p", p)):
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise ValueError(f"{name}: expected an integer of at least 1, got {value!r}")
        if degree % 2 == 0:
            raise ValueError(f"degree: expected an odd integer, because x h(y) is odd for p = 2, got {degree}")
        y, w = np.asarray(measure.nodes), np.asarray(measure.weights)
        y, w = y[y > 0], w[y > 0]
        q, x, r = max(0, min(int(degree) // 2, y.size - 1)), y ** (1 / p), 1 - y
        if y.size and np.abs(r).max() <= NEAR:
            c = taylor_inverse_root(int(p), q + SERIES_TERMS)
            tail = np.polynomial.polynomial.polyval(r, c[q + 1 :]) * r ** (q + 1)
            return cls(q, y, w, x, r, x * tail, c[: q + 1], "residual")
        return cls(q, y, w, x, y, np.ones_like(y), (0.0,) * (q + 1), "gram")

    def basis_of(self, w: np.ndarray[Any, Any]) -> tuple[list[np.ndarray[Any, Any]], list[list[float]]]:
        """Orthonormal polynomials times x sqrt(w), and how each was made: t (the one before) - parts, over the last."""
        low, high = float(self.s.min()), float(self.s.max())
        t = (self.s - (low / 2 + high / 2)) / ((high - low) / 2 or 1.0)
        first = np.sqrt(w) * self.x
        steps = [[float(np.linalg.norm(first))]]
        Q = [first / steps[0][0]]
        for _ in range(self.q):
            v, parts = t * Q[-1], np.zeros(len(Q))
            for _ in range(2):  # once more, because once leaves what cancellation left
                for i, one in enumerate(Q):
                    part = one @ v
                    v, parts[i] = v - part * one, parts[i] + part
            norm = float(np.linalg.norm(v))
            if norm <= BREAKDOWN:
                break
            Q.append(v / norm)
            steps.append([*parts.tolist(), norm])
        return Q, steps

    def in_powers(self, steps: list[list[float]], coefficients: Sequence[float]) -> list[Fraction]:
        """Sum of coefficients times orthonormal polynomials, in powers of s, exactly."""
        low, high = float(self.s.min()), float(self.s.max())
        half = Fraction((high - low) / 2 or 1.0)
        line = [-Fraction(low / 2 + high / 2) / half, 1 / half]
        made: list[list[Fraction]] = []
        d: list[Fraction] = []
        for parts, c in zip(steps, coefficients, strict=True):
            new = _times(line, made[-1]) if made else [Fraction(1)]
            for one, part in zip(made, parts, strict=False):
                new = _plus(new, one, -Fraction(part))
            made.append([a / Fraction(parts[-1]) for a in new])
            d = _plus(d, made[-1], Fraction(c))
        return d

    def project(self, w: np.ndarray[Any, Any]) -> tuple[Polynomial, np.ndarray[Any, Any]]:
        """Least squares; h and its errors times sqrt(w)."""
        Q, steps = self.basis_of(w)
        left, c = np.sqrt(w) * self.target, [0.0] * len(Q)
        for _ in range(2):
            for i, one in enumerate(Q):
                part = float(one @ left)
                left, c[i] = left - part * one, c[i] + part
        return self.rounded(self.in_powers(steps, c)), left

    def exchange(self) -> Fit:
        """Levelled errors on q + 2 nodes, exchanged until no node has a larger one.

        In exact arithmetic the level rises, and errors have at most q + 2 runs of one sign (Descartes' rule).
        Where rounding stops it, which takes an E of a few roundings times the size of the terms of x h, the least
        squares fit is taken if it is better.
        """
        start, where = self.first_nodes()
        if where is None:
            return start
        error, level = self.level(where)
        for _ in range(EMPIRICAL_MAX_EXCHANGES):
            worst = float(np.abs(error).max())
            if worst - abs(level) <= LEVELLED * abs(level):
                break
            further = _alternating(error)
            if further.size != self.q + 2:
                break
            its_error, its_level = self.level(further)
            if not abs(its_level) > abs(level):
                break
            where, error, level = further, its_error, its_level
        else:
            raise ArithmeticError(f"measure: the exchange on {self.y.size} nodes with q = {self.q} did not end")
        return Fit(self.rounded(self.interpolant(where, level)), worst) if worst <= start.error else start

    def first_nodes(self) -> tuple[Fit, np.ndarray[Any, Any] | None]:
        """Least squares fit, whose largest error is at most sqrt(number of nodes) E, and q + 2 nodes to start from.

        Nodes on which the x y^j and the target are far from dependent: rows picked by QR with column pivoting, near the
        largest determinant (Sommariva and Vianello, Comput. Math. Appl. 57, 2009), which spreads them over clusters and
        over decades alike.  None where to within rounding the nodes are no more than the coefficients.
        """
        one = np.ones_like(self.y)
        h, left = self.project(one)
        fit, size, Q = Fit(h, float(np.abs(left).max())), float(np.linalg.norm(left)), self.basis_of(one)[0]
        if len(Q) <= self.q or size == 0:
            return fit, None
        return fit, np.sort(qr(np.stack([*Q, left / size]), mode="r", pivoting=True)[1][: self.q + 2])

    def level(self, where: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], float]:
        """Errors on all nodes and E of the d whose errors on the given q + 2 nodes are +E, -E, ...

        The divided difference of order q + 1 of d vanishes, which gives E; d itself by Lagrange's formula, the one that
        keeps its digits far from the interpolation points.
        """
        weights, signs = _barycentric(self.y[where]), (-1.0) ** np.arange(self.q + 2)
        target, x = self.target[where], self.x[where]
        level = float((weights @ (target / x)) / (weights @ (signs / x)))
        points, values = self.interpolation(where, level)
        gaps = self.y[:, None] - self.y[points]
        d = np.zeros_like(self.y)
        for i, value in enumerate(values):
            others = np.delete(np.arange(points.size), i)
            d += value * (gaps[:, others] / gaps[points[i], others]).prod(axis=1)
        error = self.target - self.x * d
        error[where] = signs * level
        return error, level

    def interpolation(
        self, where: np.ndarray[Any, Any], level: float
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Nodes that determine d, q + 1 of them, and its values there.

        Left out is the node with the largest barycentric weight: there the rounding of the others is amplified least.
        """
        signs = (-1.0) ** np.arange(self.q + 2)
        keep = np.delete(np.arange(self.q + 2), np.abs(_barycentric(self.y[where])).argmax())
        return where[keep], ((self.target[where] - signs * level) / self.x[where])[keep]

    def interpolant(self, where: np.ndarray[Any, Any], level: float) -> list[Fraction]:
        """Coefficients in s of that d, by exact divided differences."""
        nodes, values = self.interpolation(where, level)
        points, table = ([Fraction(float(v)) for v in column] for column in (self.s[nodes], values))
        for k in range(1, len(points)):
            for i in range(len(points) - 1, k - 1, -1):
                table[i] = (table[i] - table[i - 1]) / (points[i] - points[i - k])
        d = [table[-1]]
        for point, value in zip(points[-2::-1], table[-2::-1], strict=True):
            d = _plus(_times([-point, Fraction(1)], d), [value], Fraction(1))
        return d

    def rounded(self, d: Sequence[Fraction]) -> Polynomial:
        """Start + d, each coefficient rounded once."""
        both = _plus([Fraction(c) for c in self.start], d, Fraction(1))
        return Polynomial(tuple(float(c) for c in both), self.basis)


def _barycentric(y: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """1 / prod_j (y_i - y_j) for increasing y, largest modulus 1; by logarithms, so that nothing underflows."""
    gaps = np.abs(y[:, None] - y)
    np.fill_diagonal(gaps, 1.0)
    size = -np.log(gaps).sum(axis=1)
    return np.asarray(np.exp(size - size.max()) * (-1.0) ** np.arange(y.size))


def _alternating(error: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Positions of the largest error of every run of one sign."""
    runs = np.split(np.arange(error.size), np.flatnonzero(np.diff(error > 0)) + 1)
    return np.asarray([run[np.abs(error[run]).argmax()] for run in runs])


def _times(a: Sequence[Fraction], b: Sequence[Fraction]) -> list[Fraction]:
    c = [Fraction(0)] * (len(a) + len(b) - 1)
    for i, u in enumerate(a):
        for j, v in enumerate(b):
            c[i + j] += u * v
    return c


def _plus(a: Sequence[Fraction], b: Sequence[Fraction], factor: Fraction) -> list[Fraction]:
    """Return a + factor b."""
    size = max(len(a), len(b))
    a, b = [*a, *[Fraction(0)] * (size - len(a))], [*b, *[Fraction(0)] * (size - len(b))]
    return [u + factor * v for u, v in zip(a, b, strict=True)]
